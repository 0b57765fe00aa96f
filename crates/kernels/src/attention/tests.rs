use std::sync::Arc;

use inlay_base::{Crew, Run};

use super::*;

/// Each row sees all others.
const ALL: Attention<'_> = Attention {
    heads: 1,
    width: 1,
    causal: false,
    window: None,
    relative: &[],
    pairs: &[],
    within: None,
    dropout: 0.0,
    narrow: false,
};

fn numbers(length: usize, stream: u64) -> Vec<f32> {
    let mut random = Random::new(3, stream);
    (0..length).map(|_| 2.0 * random.unit() - 1.0).collect()
}

/// What the heads see, in f64, by the formula above; `factors` [heads, length, length].
fn formula(how: Attention<'_>, projected: &[f64], factors: &[f64]) -> Vec<f64> {
    let row = how.heads * how.width;
    let length = projected.len() / (3 * row);
    let value = |at: usize, part: usize, head: usize, i: usize| {
        projected[at * 3 * row + part * row + head * how.width + i]
    };
    let mut output = vec![0.0; length * row];
    for (head, query) in (0..how.heads).flat_map(|head| (0..length).map(move |q| (head, q))) {
        let sees = |key: usize| {
            let near = how.window.is_none_or(|window| key.abs_diff(query) <= window);
            near && (key <= query || !how.causal)
        };
        let count = how.relative.len() / how.heads;
        let relative = |key: usize| -> f64 {
            let furthest = count as isize / 2;
            let distance = (key as isize - query as isize).clamp(-furthest, furthest);
            let at = head as isize * count as isize + furthest + distance;
            if count == 0 { 0.0 } else { how.relative[at as usize].into() }
        };
        let score = |key: usize| -> f64 {
            let terms = (0..how.width).map(|i| value(query, 0, head, i) * value(key, 1, head, i));
            terms.sum::<f64>() / (how.width as f64).sqrt() + relative(key)
        };
        let power = |key: usize| if sees(key) { score(key).exp() } else { 0.0 };
        let powers: Vec<f64> = (0..length).map(power).collect();
        let total: f64 = powers.iter().sum();
        for (key, power) in powers.iter().enumerate() {
            let weight = power / total * factors[(head * length + query) * length + key];
            for i in 0..how.width {
                output[query * row + head * how.width + i] += weight * value(key, 2, head, i);
            }
        }
    }
    output
}

/// The factors that `forward` draws.
fn factors(how: Attention<'_>, length: usize, random: &mut Random) -> Vec<f64> {
    let mut factors = vec![0.0; how.heads * length * length];
    for block in how.blocks(length) {
        for query in block.first..block.first + block.queries {
            for key in block.first_key..block.first_key + block.keys {
                let falls = random.unit() < how.dropout;
                let kept = if falls { 0.0 } else { 1.0 / (1.0 - f64::from(how.dropout)) };
                factors[(block.head * length + query) * length + key] = kept;
            }
        }
    }
    factors
}

/// What the heads see.
fn forward(set: Kernels, how: Attention<'_>, projected: &[f32], desk: &mut Desk) -> Vec<f32> {
    let length = projected.len() / (3 * how.heads * how.width);
    let mut scratch = vec![f32::NAN; how.scratch(length)];
    let mut output = vec![f32::NAN; projected.len() / 3];
    let mut logarithms = vec![f32::NAN; how.heads * length];
    how.forward(set, projected, &mut output, &mut logarithms, None, &mut scratch, desk);
    output
}

/// The same with two threads that help.
fn with_help(set: Kernels, how: Attention<'_>, projected: &[f32]) -> Vec<f32> {
    let crew = Arc::new(Crew::new(3));
    let outputs = Run::quiet(3, 1).workers(|worker| {
        if worker > 0 {
            crew.help();
            return Ok(Vec::new());
        }
        let mut desk = Desk::default();
        desk.share(Some(Arc::clone(&crew)));
        let output = forward(set, how, projected, &mut desk);
        crew.close();
        Ok(output)
    });
    outputs.expect("no thread that fails").swap_remove(0)
}

struct Found {
    output: Vec<f32>,
    gradient: Vec<f32>,
}

fn both_ways(
    set: Kernels,
    how: Attention<'_>,
    projected: &[f32],
    above: &[f32],
    random: Option<&Random>,
) -> Found {
    let length = above.len() / (how.heads * how.width);
    let mut desk = Desk::default();
    let mut scratch = vec![f32::NAN; how.scratch(length)];
    let (mut output, mut gradient) = (vec![f32::NAN; above.len()], vec![f32::NAN; 3 * above.len()]);
    let mut logarithms = vec![f32::NAN; how.heads * length];
    let (mut once, mut again) = (random.cloned(), random.cloned());
    let random = once.as_mut();
    how.forward(set, projected, &mut output, &mut logarithms, random, &mut scratch, &mut desk);
    scratch.fill(f32::NAN);
    let random = again.as_mut();
    how.backward(
        set,
        projected,
        &output,
        &logarithms,
        above,
        &mut gradient,
        random,
        &mut scratch,
        &mut desk,
    );
    Found { output, gradient }
}

#[test]
fn rows_look_at_each_other_and_slopes_go_back_on_every_set() {
    let heads_and_widths = [(1, 1), (2, 5), (3, 16)];
    let (all, near) = (None, Some(3));
    let relative = numbers(3 * 7, 5);
    for (causal, window, furthest, dropout) in [
        (false, all, 0, 0.0),
        (true, all, 0, 0.0),
        (false, all, 0, 0.4),
        (true, all, 0, 0.4),
        (false, near, 0, 0.0),
        (true, near, 0, 0.4),
        (false, Some(70), 0, 0.0),
        (false, all, 3, 0.0),
        (true, Some(20), 2, 0.0),
    ] {
        for (heads, width) in heads_and_widths {
            for length in [0, 1, 2, 17, 67] {
                let count = if furthest == 0 { 0 } else { heads * (2 * furthest + 1) };
                let relative = &relative[..count];
                let how = Attention { heads, width, causal, window, relative, dropout, ..ALL };
                let row = heads * width;
                let (projected, above) = (numbers(length * 3 * row, 1), numbers(length * row, 2));
                let random = (dropout > 0.0).then(|| Random::new(1, 2));
                let mask = match &random {
                    Some(random) => factors(how, length, &mut random.clone()),
                    None => vec![1.0; heads * length * length],
                };
                let wide: Vec<f64> = projected.iter().map(|&x| f64::from(x)).collect();
                let wanted = formula(how, &wide, &mask);
                let loss = |projected: &[f64]| -> f64 {
                    let output = formula(how, projected, &mask);
                    output.iter().zip(&above).map(|(y, &g)| y * f64::from(g)).sum()
                };
                // Some places stand for all where there are many.
                let places: Vec<usize> =
                    (0..wide.len()).step_by((wide.len() / 60).max(1)).collect();
                let slopes: Vec<f64> = places
                    .iter()
                    .map(|&at| {
                        let mut moved = wide.clone();
                        moved[at] += 1e-5;
                        let higher = loss(&moved);
                        moved[at] -= 2e-5;
                        (higher - loss(&moved)) / 2e-5
                    })
                    .collect();
                for set in Kernels::available() {
                    let found = both_ways(set, how, &projected, &above, random.as_ref());
                    let name = set.name();
                    for (found, wanted) in found.output.iter().zip(&wanted) {
                        assert!((f64::from(*found) - wanted).abs() < 2e-6, "{name} {how:?}");
                    }
                    for (&at, slope) in places.iter().zip(&slopes) {
                        let error = (f64::from(found.gradient[at]) - slope).abs();
                        assert!(error < 2e-5, "{name} {how:?} {length} {at}: off by {error}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_comes_later_changes_nothing_where_rows_look_back_only() {
    let how = Attention { heads: 2, width: 8, causal: true, ..ALL };
    let (projected, above) = (numbers(130 * 48, 1), numbers(130 * 16, 2));
    for set in Kernels::available() {
        let whole = both_ways(set, how, &projected, &above, None);
        for length in [1, 64, 65, 100] {
            let part = both_ways(set, how, &projected[..length * 48], &above[..length * 16], None);
            assert_eq!(part.output, whole.output[..length * 16], "{} {length}", set.name());
        }
    }
}

#[test]
fn what_is_beyond_the_window_changes_nothing() {
    let how = Attention { heads: 2, width: 8, window: Some(30), ..ALL };
    let (projected, above) = (numbers(130 * 48, 1), numbers(130 * 16, 2));
    for set in Kernels::available() {
        let whole = both_ways(set, how, &projected, &above, None);
        let part = both_ways(set, how, &projected[..100 * 48], &above[..100 * 16], None);
        assert_eq!(part.output[..70 * 16], whole.output[..70 * 16], "{}", set.name());
        assert_ne!(part.output[70 * 16..][..16], whole.output[70 * 16..][..16]);
    }
}

#[test]
fn high_scores_do_not_overflow_and_what_is_no_number_stays_so() {
    let how = Attention { heads: 1, width: 1, ..ALL };
    for set in Kernels::available() {
        // The first key is far ahead for both queries.
        let found = both_ways(set, how, &[1e3, 1e3, 5.0, 1e3, -1e3, 7.0], &[1.0; 2], None);
        assert_eq!(found.output, [5.0; 2], "{}", set.name());
        assert!(found.gradient.iter().all(|value| value.is_finite()));
        for spoilt in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let found = both_ways(set, how, &[spoilt, 1.0, 5.0, 1.0, 2.0, 7.0], &[1.0; 2], None);
            assert!(found.output[0].is_nan() && found.output[1].is_finite(), "{}", set.name());
        }
    }
}

#[test]
fn scores_far_apart_give_no_numbers_that_are_slow() {
    let how = Attention { heads: 2, width: 8, ..ALL };
    for set in Kernels::available() {
        for by in [1.0, 8.0, 30.0, 100.0] {
            let projected: Vec<f32> = numbers(40 * 48, 1).iter().map(|x| x * by).collect();
            let above: Vec<f32> = numbers(40 * 16, 2).iter().map(|x| x * 1e-6).collect();
            let Found { output, gradient } = both_ways(set, how, &projected, &above, None);
            let slow = output.iter().chain(&gradient).filter(|x| x.is_subnormal()).count();
            assert_eq!(slow, 0, "{} {by}", set.name());
        }
    }
}

#[test]
fn narrow_products_give_what_others_do_but_for_eight_digits() {
    let relative = numbers(2 * 9, 5);
    for (length, width) in [(130, 32), (67, 40), (64, 64), (17, 5), (2, 32), (1, 8)] {
        for relative in [&relative[..], &[]] {
            let how = Attention { heads: 2, width, relative, narrow: true, ..ALL };
            let projected = numbers(length * 6 * width, 1);
            let wide: Vec<f64> = projected.iter().map(|&x| f64::from(x)).collect();
            let wanted = formula(how, &wide, &vec![1.0; 2 * length * length]);
            for set in Kernels::available() {
                let output = forward(set, how, &projected, &mut Desk::default());
                for (found, wanted) in output.iter().zip(&wanted) {
                    let error = (f64::from(*found) - wanted).abs();
                    assert!(error < 0.01, "{} {length} {width}: off by {error}", set.name());
                }
                assert!(output == with_help(set, how, &projected));
                #[cfg(target_arch = "x86_64")]
                {
                    let exact = Attention { narrow: false, ..how };
                    let exact = forward(set, exact, &projected, &mut Desk::default());
                    assert_eq!(output != exact, crate::halves::Halves::of(set).is_some());
                }
            }
        }
    }
}

#[test]
fn rows_look_at_those_in_their_window_of_a_map_as_if_there_were_no_others() {
    let (heads, width, row) = (2, 5, 10);
    for ((height, across), side, shift) in
        [((6, 9), 3, 0), ((8, 8), 4, 2), ((4, 8), 4, 1), ((1, 3), 8, 0), ((9, 6), 3, 2)]
    {
        let length = height * across;
        let (projected, above) = (numbers(length * 3 * row, 1), numbers(length * row, 2));
        let learnt = numbers((2 * side - 1) * (2 * side - 1) * heads, 3);
        let windows = MapWindows::new((height, across), side, shift);
        assert_eq!(windows.rows(), length);
        let mut biases = Vec::new();
        windows.lay_out(&learnt, heads, width, &mut biases);
        let how = Attention { heads, width, ..ALL };
        let within = Some(Within { windows: &windows, biases: &biases });
        // In which window a place is, by the rolled map of the paper.
        let window = |at: usize, length: usize| {
            let rolled = (at + length - shift % length) % length;
            (rolled / side, at < shift)
        };
        let place = |row: usize| (row / across, row % across);
        let together = |a: usize, b: usize| {
            let [(ay, ax), (by, bx)] = [place(a), place(b)];
            window(ay, height) == window(by, height) && window(ax, across) == window(bx, across)
        };
        let bias = |query: usize, key: usize, head: usize| {
            let [(qy, qx), (ky, kx)] = [place(query), place(key)];
            let distance = (qy + side - 1 - ky) * (2 * side - 1) + qx + side - 1 - kx;
            learnt[distance * heads + head] * (width as f32).sqrt()
        };
        for set in Kernels::available() {
            let found = both_ways(set, Attention { within, ..how }, &projected, &above, None);
            for first in 0..length {
                let rows: Vec<usize> = (0..length).filter(|&row| together(first, row)).collect();
                let of = |values: &[f32], width: usize| -> Vec<f32> {
                    let rows = rows.iter().map(|&row| &values[row * width..][..width]);
                    rows.flatten().copied().collect()
                };
                let mut pairs = Vec::new();
                for head in 0..heads {
                    for &query in &rows {
                        pairs.extend(rows.iter().map(|&key| bias(query, key, head)));
                    }
                }
                let how = Attention { pairs: &pairs, ..how };
                let alone = both_ways(set, how, &of(&projected, 3 * row), &of(&above, row), None);
                assert_eq!(of(&found.output, row), alone.output, "{} {side} {shift}", set.name());
                assert_eq!(of(&found.gradient, 3 * row), alone.gradient, "{}", set.name());
            }
        }
    }
}

#[test]
fn what_is_added_for_a_pair_is_part_of_its_score() {
    let (heads, width, length) = (2, 5, 67);
    let (projected, above) = (numbers(length * 30, 1), numbers(length * 10, 2));
    // By distance, which is tested above.
    let relative = numbers(heads * (2 * length - 1), 4);
    let mut pairs = Vec::new();
    for table in relative.chunks(2 * length - 1) {
        for query in 0..length {
            let row = &table[length - 1 - query..][..length];
            pairs.extend(row.iter().map(|b| b * (width as f32).sqrt()));
        }
    }
    let how = Attention { heads, width, ..ALL };
    for set in Kernels::available() {
        let by_distance = Attention { relative: &relative, ..how };
        let wanted = both_ways(set, by_distance, &projected, &above, None);
        let found = both_ways(set, Attention { pairs: &pairs, ..how }, &projected, &above, None);
        let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(close(&found.output, &wanted.output), "{}", set.name());
        assert!(close(&found.gradient, &wanted.gradient), "{}", set.name());
    }
}

#[test]
fn windows_are_the_same_for_any_number_of_threads() {
    let windows = MapWindows::new((32, 32), 8, 4);
    let (heads, width) = (4, 8);
    let mut biases = Vec::new();
    windows.lay_out(&numbers(225 * heads, 3), heads, width, &mut biases);
    let within = Some(Within { windows: &windows, biases: &biases });
    let how = Attention { heads, width, within, ..ALL };
    let (projected, above) = (numbers(1024 * 96, 1), numbers(1024 * 32, 2));
    let wanted = both_ways(Kernels::get(), how, &projected, &above, None).output;
    assert!(with_help(Kernels::get(), how, &projected) == wanted);
}
