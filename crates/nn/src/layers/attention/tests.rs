use inlay_base::Random;
use serde_json::json;

use crate::check::{Case, Items, SEED, check, check_placed, place};

/// In f64, for tests. `p` are the parameters with biases (empty for none); `falls` says whether an
/// item's next weight becomes zero.
pub(in crate::layers) fn formula(
    x: &crate::check::Items,
    width: usize,
    (heads, causal): (usize, bool),
    p: &[Vec<f64>],
    falls: impl FnMut(usize) -> f64,
) -> Vec<f64> {
    formula_of_places(x, width, (heads, causal), p, falls, |_, _| Some(0.0), |_, _| 0.0)
}

/// The same, with what is added to the score of a head for a distance (nothing: it is not seen), and the angle by which
/// pair i of a head turns at a place of an item that begins at a row.
fn formula_of_places(
    x: &crate::check::Items,
    width: usize,
    how: (usize, bool),
    p: &[Vec<f64>],
    falls: impl FnMut(usize) -> f64,
    relative: impl Fn(usize, isize) -> Option<f64>,
    angle: impl Fn((usize, usize), usize) -> f64,
) -> Vec<f64> {
    let pair = |head, query: usize, key: usize| relative(head, key as isize - query as isize);
    formula_of_pairs(x, width, how, p, falls, pair, angle)
}

/// The same, with what is added for the rows of a query and a key in their item.
fn formula_of_pairs(
    x: &crate::check::Items,
    width: usize,
    (heads, causal): (usize, bool),
    p: &[Vec<f64>],
    mut falls: impl FnMut(usize) -> f64,
    relative: impl Fn(usize, usize, usize) -> Option<f64>,
    angle: impl Fn((usize, usize), usize) -> f64,
) -> Vec<f64> {
    let line = |x: &[f64], weight: &[f64], bias: &[f64]| -> Vec<f64> {
        let unit = |(unit, weight): (usize, &[f64])| {
            let terms = x.iter().zip(weight).map(|(x, w)| x * w);
            terms.sum::<f64>() + bias.get(unit).copied().unwrap_or(0.0)
        };
        weight.chunks(width).enumerate().map(unit).collect()
    };
    let n = width / heads;
    let mut output = Vec::new();
    for (item, ends) in x.offsets.windows(2).enumerate() {
        let rows = x.values[ends[0] * width..ends[1] * width].chunks(width);
        let mut projected: Vec<Vec<f64>> = rows.map(|x| line(x, &p[0], &p[1])).collect();
        for (place, row) in projected.iter_mut().enumerate() {
            for head in row[..2 * width].chunks_mut(n) {
                for i in 0..n / 2 {
                    let (sine, cosine) = angle((ends[0], place), i).sin_cos();
                    let (a, b) = (head[i], head[i + n / 2]);
                    head[i] = a * cosine - b * sine;
                    head[i + n / 2] = b * cosine + a * sine;
                }
            }
        }
        let mut seen = vec![vec![0.0; width]; projected.len()];
        for head in 0..heads {
            for (i, query) in projected.iter().enumerate() {
                let part = |row: &[f64], part: usize, at: usize| row[part * width + head * n + at];
                let power = |(j, key): (usize, &Vec<f64>)| -> f64 {
                    let terms = (0..n).map(|at| part(query, 0, at) * part(key, 1, at));
                    let score = terms.sum::<f64>() / (n as f64).sqrt();
                    match relative(head, i, j) {
                        Some(more) if !causal || j <= i => (score + more).exp(),
                        _ => 0.0,
                    }
                };
                let powers: Vec<f64> = projected.iter().enumerate().map(power).collect();
                let total: f64 = powers.iter().sum();
                for (value, power) in projected.iter().zip(powers) {
                    let weight = power / total * falls(item);
                    (0..n).for_each(|at| seen[i][head * n + at] += weight * part(value, 2, at));
                }
            }
        }
        output.extend(seen.iter().flat_map(|seen| line(seen, &p[2], &p[3])));
    }
    output
}

fn with_biases(p: &[Vec<f64>]) -> Vec<Vec<f64>> {
    match p {
        [inward, outward] => vec![inward.clone(), vec![], outward.clone(), vec![]],
        _ => p.to_vec(),
    }
}

#[test]
fn items_look_at_themselves_in_every_mode() {
    for (heads, causal, bias) in [(1, false, true), (2, true, true), (3, false, false)] {
        let layers = json!([
            {"kind": "self-attention", "heads": heads, "causal": causal, "bias": bias}
        ]);
        let case = Case { layers, positions: None, width: 6, lengths: vec![3, 0, 5, 1] };
        check(&case, |x: &Items, p| formula(x, 6, (heads, causal), &with_biases(p), |_| 1.0));
    }
}

#[test]
fn places_of_a_grid_look_at_each_other() {
    let layers = json!([{"kind": "self-attention", "heads": 2}]);
    let case = Case { layers, positions: Some(vec![2, 3]), width: 4, lengths: vec![6; 3] };
    check(&case, |x, p| formula(x, 4, (2, false), p, |_| 1.0));
}

#[test]
fn weights_that_fall_out_fall_out_both_ways() {
    // The layer is node 1, after the embedding.
    let layers = json!([{"kind": "self-attention", "heads": 2, "dropout": 0.4}]);
    let case = Case { layers, positions: None, width: 4, lengths: vec![3, 1, 5, 4] };
    check(&case, |x, p| {
        let stream = |item: u64| Random::new(SEED ^ (1 << 48), (1 << 32) ^ item);
        let mut streams: Vec<Random> = (0..4).map(stream).collect();
        formula(x, 4, (2, false), p, |item| match x.training {
            true if streams[item].unit() < 0.4 => 0.0,
            true => 1.0 / 0.6,
            false => 1.0,
        })
    });
}

#[test]
fn places_turn_and_what_is_far_is_not_seen() {
    for (causal, bias) in [(false, true), (true, false)] {
        let layers = json!([{"kind": "self-attention", "heads": 2, "causal": causal,
            "bias": bias, "rotary": 50.0, "window": 2}]);
        let case = Case { layers, positions: None, width: 12, lengths: vec![3, 0, 9, 1] };
        check(&case, |x: &Items, p| {
            let p = with_biases(p);
            let near = |_, distance: isize| (distance.abs() <= 2).then_some(0.0);
            let angle = |(_, place): (usize, usize), i: usize| {
                place as f64 * 50f64.powf(-((2 * i) as f64) / 6.0)
            };
            formula_of_places(x, 12, (2, causal), &p, |_| 1.0, near, angle)
        });
    }
}

#[test]
fn pairs_turn_at_speeds_of_their_own_and_become_longer() {
    let speeds = [1.0, 0.0, 0.3];
    let layers = json!([{"kind": "self-attention", "heads": 2,
        "rotary": {"speeds": speeds, "scale": 1.5}}]);
    let case = Case { layers, positions: None, width: 12, lengths: vec![3, 0, 9, 1] };
    check(&case, |x: &Items, p| {
        // Queries and keys, each so much longer.
        let mut p = with_biases(p);
        let longer = |values: &mut [f64]| values.iter_mut().for_each(|value| *value *= 1.5);
        longer(&mut p[0][..2 * 12 * 12]);
        longer(&mut p[1][..2 * 12]);
        let angle = |(_, place): (usize, usize), i: usize| place as f64 * speeds[i];
        formula_of_places(x, 12, (2, false), &p, |_| 1.0, |_, _| Some(0.0), angle)
    });
}

#[test]
fn places_along_axes_turn_pairs_of_their_own() {
    for (causal, pairs) in [(false, vec![1, 2, 2]), (true, vec![2, 3])] {
        let layers = json!([{"kind": "self-attention", "heads": 2, "causal": causal,
            "rotary": 20.0, "axes": pairs}]);
        let case = Case { layers, positions: None, width: 20, lengths: vec![3, 0, 9, 1] };
        check_placed(&case, pairs.len(), |x: &Items, p| {
            let angle = |(first, row): (usize, usize), mut i: usize| {
                let of_axis = |&count: &usize| {
                    let here = i < count;
                    i = if here { i } else { i - count };
                    here
                };
                let axis = pairs.iter().position(of_axis).expect("an axis");
                place(first + row, axis) as f64 * 20f64.powf(-(i as f64) / pairs[axis] as f64)
            };
            formula_of_places(x, 20, (2, causal), p, |_| 1.0, |_, _| Some(0.0), angle)
        });
    }
}

#[test]
fn a_head_looks_by_distance_and_does_not_learn_that() {
    let layer = json!({"kind": "self-attention", "heads": 2, "name": "look",
        "relative": {"buckets": 4, "furthest": 3}});
    let inputs = json!([{"content": "values", "width": 4}]);
    let description = json!({"inputs": inputs, "layers": [layer]}).to_string();
    let mut network = crate::Network::new(&description, 1).expect("a network");
    let learnt = [0.5, -0.5, 1.0, 2.0, -1.0, 0.25, 0.0, 3.0];
    network.set("look.relative_bias", &learnt).expect("a parameter");
    let values: Vec<f32> = (0..24).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
    let shape = &network.inputs().expect("inputs")[0].1;
    let cells = crate::Cells::Values(values.clone());
    let column = crate::Column::new("x", cells, Some(&[2, 4]), shape).expect("a column");
    let run = inlay_base::Run::quiet(1, 1);
    let (found, _) = network.encode(&[column], None, &run).expect("rows");

    let wide = |name: &str| -> Vec<f64> {
        network.get(name).expect("a parameter").into_iter().map(f64::from).collect()
    };
    let names = ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"];
    let p = names.map(|name| wide(&format!("look.{name}")));
    let values = values.into_iter().map(f64::from).collect();
    let x = Items { values, offsets: vec![0, 2, 6], training: false };
    // The place itself, one before it, one behind it and all further ones.
    let bucket = |distance: isize| match distance {
        0 => 0,
        ..0 => 1,
        _ => 3,
    };
    let relative = |head, distance| Some(f64::from(learnt[bucket(distance) * 2 + head]));
    let wanted = formula_of_places(&x, 4, (2, false), &p, |_| 1.0, relative, |_, _| 0.0);
    for (found, wanted) in found.iter().zip(&wanted) {
        assert!((f64::from(*found) - wanted).abs() < 1e-5, "{found} {wanted}");
    }
    let layers = json!([{"kind": "self-attention", "heads": 2,
        "relative": {"buckets": 8, "furthest": 4}}]);
    let case = Case { layers, positions: None, width: 4, lengths: vec![3, 0, 5, 1] };
    check(&case, |x: &Items, p| formula(x, 4, (2, false), p, |_| 1.0));
}

#[test]
fn places_that_cannot_be_are_refused() {
    for (options, problem) in [
        (json!({"rotary": 0.0}), "expects a rotary base above 0"),
        (json!({"rotary": 10.0, "heads": 2}), "expects heads of two halves"),
        (json!({"rotary": {"speeds": [1.0, 0.5]}}), "expects a speed for each of 3 pairs"),
        (json!({"rotary": {"speeds": [1, 1, 1], "scale": 0}}), "a scale above 0"),
        (json!({"rotary": {"speeds": [1, 1, 1]}, "axes": [1, 2]}), "expects a rotary base beside"),
        (json!({"rotary": 10.0, "axes": [1, 1]}), "expects a rotary base beside `axes`"),
        (json!({"axes": [1, 2]}), "expects a rotary base beside `axes`"),
        (json!({"rotary": 10.0, "axes": [1, 2]}), "expects rows whose place along 2 axes is known"),
        (json!({"relative": {"buckets": 7, "furthest": 9}}), "expects relative buckets"),
        (json!({"mapWindows": {"side": 4}}), "expects items of two axes"),
        (json!({"mapWindows": {"side": 0}}), "expects windows of a side from 1 to 32"),
        (json!({"mapWindows": {"side": 99}}), "expects windows of a side from 1 to 32"),
        (json!({"mapWindows": {"side": 4, "shift": 4}}), "and a shift below it, got 4 and 4"),
        (json!({"mapWindows": {"side": 4}, "causal": true}), "expects `mapWindows` without"),
    ] {
        let mut layer = json!({"kind": "self-attention", "heads": 1});
        let options = options.as_object().expect("options").clone();
        layer.as_object_mut().expect("a layer").extend(options);
        let inputs = json!([{"content": "values", "width": 6}]);
        let description = json!({"inputs": inputs, "layers": [layer]}).to_string();
        let found = crate::Network::new(&description, 1).err().expect("a problem");
        assert!(found.to_string().contains(problem), "{found}");
    }
}

#[test]
fn heads_that_cannot_share_a_row_are_refused() {
    let description = json!({"inputs": [{"content": "values", "width": 6}],
        "layers": [{"kind": "self-attention", "heads": 4, "name": "look"}]});
    let problem = crate::Network::new(&description.to_string(), 1).err().unwrap().to_string();
    assert!(problem.contains("`look` expects rows whose width 4 heads can share"), "{problem}");
    assert!(problem.contains("[any, 6]"), "{problem}");
}

#[test]
fn rows_of_a_map_look_at_those_in_their_window_and_add_what_their_distance_says() {
    for (size, side, shift, bias) in
        [([6, 4], 2, 0, true), ([4, 8], 4, 2, false), ([3, 5], 2, 1, true)]
    {
        let layer = json!({"kind": "self-attention", "heads": 2, "name": "look", "bias": bias,
            "mapWindows": {"side": side, "shift": shift}});
        let [height, across] = size;
        let rows = height * across;
        let place = move |row: usize| [row % rows / across, row % rows % across];
        // The paper's map is rolled, and what has come round is hidden.
        let window = move |row: usize| {
            place(row).map(|at| if at < shift { 0 } else { 1 + (at - shift) / side })
        };
        let formula = |x: &Items, p: &[Vec<f64>], learnt: &[f64]| {
            let relative = |head: usize, query: usize, key: usize| {
                let [[qy, qx], [ky, kx]] = [place(query), place(key)];
                let near = |at: usize, other: usize| at + side - 1 - other;
                let distance = || near(qy, ky) * (2 * side - 1) + near(qx, kx);
                let seen = window(query) == window(key);
                seen.then(|| learnt.get(distance() * 2 + head).copied().unwrap_or(0.0))
            };
            formula_of_pairs(x, 4, (2, false), &with_biases(p), |_| 1.0, relative, |_, _| 0.0)
        };
        let case = Case {
            layers: json!([layer]),
            positions: Some(size.into()),
            width: 4,
            lengths: vec![rows; 3],
        };
        check(&case, |x, p| formula(x, &p[..p.len() - 1], &[]));
        // It begins with nothing, and comes from a file.
        let inputs = json!([{"content": "values", "positions": size, "width": 4}]);
        let description = json!({"inputs": inputs, "layers": [layer]}).to_string();
        let mut network = crate::Network::new(&description, 1).expect("a network");
        let number = |i: usize| (i * 37 % 101) as f32 / 50.0 - 1.0;
        let learnt: Vec<f32> = (0..2 * (2 * side - 1) * (2 * side - 1)).map(number).collect();
        network.set("look.relative_bias", &learnt).expect("a parameter");
        let values: Vec<f32> = (0..2 * rows * 4).map(number).collect();
        let shape = &network.inputs().expect("inputs")[0].1;
        let cells = crate::Cells::Values(values.clone());
        let column = crate::Column::new("x", cells, None, shape).expect("a column");
        let run = inlay_base::Run::quiet(1, 1);
        let (found, _) = network.encode(&[column], None, &run).expect("rows");
        let wide = |values: Vec<f32>| -> Vec<f64> { values.into_iter().map(f64::from).collect() };
        let names = network.parameters.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
        let p: Vec<Vec<f64>> =
            names.iter().map(|name| wide(network.get(name).expect("a parameter"))).collect();
        let x = Items { values: wide(values), offsets: vec![0, rows, 2 * rows], training: false };
        let wanted = formula(&x, &p[..p.len() - 1], &p[p.len() - 1]);
        for (found, wanted) in found.iter().zip(&wanted) {
            assert!((f64::from(*found) - wanted).abs() < 1e-5, "{found} {wanted}");
        }
    }
}
