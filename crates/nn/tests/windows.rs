//! Long sequences in windows: agreement with PyTorch, the same for any number of threads, and what is
//! worked out without learning as if there were no windows.

use std::collections::BTreeMap;

use inlay_base::Run;
use inlay_nn::{
    Cells, Column, Content, Curve, Examples, IGNORED, Loss, Network, Optimizer, Positions,
    Schedule, Shape, Training,
};
use serde::Deserialize;
use serde_json::{Value, json};

mod plain;

const SEQUENCES: Shape =
    Shape { content: Content::Ids, positions: Positions::Any, width: 1, axes: 0 };

fn cross_entropy() -> Loss {
    Loss::CrossEntropy { weights: None, smoothing: 0.0 }
}

fn sgd(rate: f64, truncate: Option<usize>) -> Training {
    let optimizer = Optimizer::Sgd { momentum: 0.0, decay: 0.0, nesterov: false };
    let how = plain::training(cross_entropy(), optimizer, rate);
    Training { epochs: 2, batch: 20, clip: Some(0.25), truncate, ..how }
}

/// A language model.
fn model(words: usize, recurrent: &Value) -> Network {
    let description = json!({
        "inputs": [{"content": "ids", "positions": null}],
        "layers": [
            {"kind": "embedding", "name": "words", "values": words, "dimensions": 4},
            recurrent,
            {"kind": "dense", "name": "scores", "units": words},
        ],
    });
    Network::new(&description.to_string(), 1).unwrap()
}

fn lstm(dropout: f32) -> Value {
    json!({"kind": "lstm", "name": "states", "units": 5, "layers": 2, "dropout": dropout})
}

/// Each sequence without its last id, and without its first one.
fn next_of(sequences: &[Vec<u32>]) -> Examples {
    let lengths: Vec<u32> = sequences.iter().map(|ids| ids.len() as u32 - 1).collect();
    let column =
        |ids: Vec<u32>| Column::new("ids", Cells::Ids(ids), Some(&lengths), &SEQUENCES).unwrap();
    let inputs = sequences.iter().flat_map(|ids| &ids[..ids.len() - 1]).copied().collect();
    let targets = sequences.iter().flat_map(|ids| &ids[1..]).copied().collect();
    Examples { inputs: vec![column(inputs)], targets: Some(column(targets)) }
}

/// Ids that count up by steps of their own, now and then with nothing that is wanted.
fn counting(lengths: &[usize]) -> Examples {
    let of = |(number, &length): (usize, &usize)| {
        (0..=length).map(|i| ((number + 1) * i % 7) as u32).collect()
    };
    let mut examples = next_of(&lengths.iter().enumerate().map(of).collect::<Vec<_>>());
    if let Some(Column { cells: Cells::Ids(ids), .. }) = &mut examples.targets {
        ids.iter_mut().step_by(5).for_each(|id| *id = IGNORED);
    }
    examples
}

fn all(network: &Network) -> Vec<Vec<f32>> {
    network.parameters().iter().map(|parameter| parameter.get()).collect()
}

#[derive(Deserialize)]
struct Golden {
    words: usize,
    units: usize,
    length: usize,
    window: usize,
    runs: Vec<Learnt>,
}

#[derive(Deserialize)]
struct Learnt {
    cell: String,
    ids: Vec<u32>,
    before: BTreeMap<String, Vec<f32>>,
    losses: Vec<f64>,
    after: BTreeMap<String, Vec<f32>>,
}

#[test]
fn states_go_from_window_to_window_as_in_pytorch() {
    let golden: Golden = serde_json::from_str(include_str!("golden/windows.json")).unwrap();
    for run in &golden.runs {
        for threads in [1, 2, 5] {
            let (kind, units) = (&run.cell, golden.units);
            let states = json!({"kind": kind, "name": "states", "units": units, "layers": 2});
            let mut network = model(golden.words, &states);
            for (name, values) in &run.before {
                network.set(name, values).unwrap();
            }
            let lanes: Vec<Vec<u32>> =
                run.ids.chunks(golden.length + 1).map(<[u32]>::to_vec).collect();
            let how = sgd(2.0, Some(golden.window));
            let seen =
                network.train(&next_of(&lanes), None, &how, &Run::quiet(threads, 1)).unwrap();
            for (epoch, wanted) in seen.iter().zip(&run.losses) {
                assert!((epoch.loss - wanted).abs() < 1e-5, "{kind}: {epoch:?}, {wanted}");
            }
            for (name, wanted) in &run.after {
                for (found, wanted) in network.get(name).unwrap().iter().zip(wanted) {
                    assert!((found - wanted).abs() < 1e-5, "{kind} {name}: {found}, {wanted}");
                }
            }
        }
    }
}

#[test]
fn windows_of_long_and_short_sequences_give_the_same_bytes_on_any_number_of_threads() {
    let examples = counting(&[9, 1, 40, 3, 17, 22, 8]);
    let train = |threads: usize, truncate| {
        let mut network = model(7, &lstm(0.3));
        let how = Training { batch: 3, shuffle: true, accumulate: 2, ..sgd(0.5, truncate) };
        let how = Training { schedule: Schedule { shape: Curve::Linear, ..how.schedule }, ..how };
        let seen = network.train(&examples, None, &how, &Run::quiet(threads, 3)).unwrap();
        (all(&network), seen)
    };
    let first = train(1, Some(5));
    for threads in [2, 3, 8] {
        assert_eq!(train(threads, Some(5)), first, "{threads} threads");
    }
    assert_eq!(train(1, Some(40)), train(2, None), "a window that holds the longest");
    assert_ne!(train(1, Some(40)), first);
}

#[test]
fn an_examination_is_the_mean_over_all_that_is_wanted_whatever_the_threads_and_batches() {
    let network = model(7, &lstm(0.5));
    // The last one is longer than the rows that are examined at once.
    let examples = counting(&[9, 1, 40, 0, 6000]);
    let look = |threads, batch| {
        network.evaluate(&examples, &cross_entropy(), batch, &Run::quiet(threads, 1)).unwrap()
    };
    let found = look(1, 2);
    for threads in [2, 3] {
        assert_eq!(look(threads, 2), found, "{threads} threads");
    }
    assert!((look(1, 5).loss - found.loss).abs() < 1e-12);
    assert_eq!(look(1, 5).accuracy, found.accuracy);
    // The same by hand, from the scores.
    let (scores, _) = network.encode(&examples.inputs, None, &Run::quiet(2, 1)).unwrap();
    let Some(Column { cells: Cells::Ids(wanted), .. }) = &examples.targets else { unreachable!() };
    let (mut loss, mut right, mut count) = (0.0, 0.0, 0.0);
    for (scores, &class) in scores.chunks(7).zip(wanted).filter(|(_, class)| **class != IGNORED) {
        let total: f64 = scores.iter().map(|&score| f64::from(score).exp()).sum();
        loss += total.ln() - f64::from(scores[class as usize]);
        right += f64::from(scores.iter().all(|&score| score <= scores[class as usize]));
        count += 1.0;
    }
    assert_eq!(count, wanted.iter().filter(|&&class| class != IGNORED).count() as f64);
    assert!((found.loss - loss / count).abs() < 1e-5, "{found:?}");
    assert_eq!(found.accuracy, Some(right / count));
}

#[test]
fn the_last_rows_of_items_are_those_of_all_of_them() {
    let network = model(7, &lstm(0.5));
    // Some are longer than a window, and end within one or with it.
    let inputs = counting(&[9, 1, 40, 0, 3000, 2048, 1025, 1024]).inputs;
    let (all, ends) = network.encode(&inputs, None, &Run::quiet(2, 1)).unwrap();
    for last in [0, 1, 2, 30, 1023, 1024, 1025, 5000] {
        let (found, offsets) = network.encode_last(&inputs, None, last, &Run::quiet(2, 1)).unwrap();
        for (item, (rows, kept)) in ends.windows(2).zip(offsets.windows(2)).enumerate() {
            let from = rows[0].max(rows[1].saturating_sub(last));
            assert_eq!(kept[1] - kept[0], rows[1] - from, "{last} of {item}");
            let (wanted, kept) = (&all[7 * from..7 * rows[1]], &found[7 * kept[0]..7 * kept[1]]);
            assert_eq!(kept, wanted, "{last} of {item}");
        }
    }
}

#[test]
fn networks_that_must_see_sequences_as_a_whole_are_refused() {
    for (layer, why) in [
        (
            json!({"kind": "lstm", "units": 4, "bidirectional": true}),
            "`lstm1` has to see an item as",
        ),
        (json!({"kind": "self-attention", "heads": 2, "causal": true}), "`self-attention1` has to"),
        (
            json!({"kind": "conv1d", "channels": 4, "kernel": [3], "padding": [1]}),
            "`conv1d1` has to",
        ),
        (json!({"kind": "positions"}), "`positions1` has to see an item as a whole"),
    ] {
        let mut network = model(7, &layer);
        let error = network.train(&counting(&[5]), None, &sgd(0.1, Some(2)), &Run::quiet(1, 1));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("`truncate`"), "{error}");
    }
}
