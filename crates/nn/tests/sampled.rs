//! Training by a sampled softmax: its gradient is about that of the full one, it learns what that learns, and keeps
//! the laws of every training.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use inlay_base::{Error, Run};
use inlay_nn::{
    Cells, Checkpoint, Column, Content, Distribution, Epoch, Examples, IGNORED, Loss, Network,
    Optimizer, Positions, Prospect, Shape, Training,
};
use serde_json::{Value, json};

mod plain;

const CLASSES: usize = 60;
const SEQUENCES: Shape =
    Shape { content: Content::Ids, positions: Positions::Any, width: 1, axes: 0 };

fn full() -> Loss {
    Loss::CrossEntropy { weights: None, smoothing: 0.0 }
}

fn sampled(samples: usize, distribution: Distribution) -> Loss {
    Loss::SampledSoftmax { samples, distribution }
}

fn some() -> Loss {
    sampled(9, Distribution::LogUniform)
}

fn sgd() -> Optimizer {
    Optimizer::Sgd { momentum: 0.0, decay: 0.0, nesterov: false }
}

fn adam() -> Optimizer {
    Optimizer::Adam { betas: [0.9, 0.999], epsilon: 1e-8, decay: 0.0 }
}

fn model(layers: &[Value]) -> Network {
    let embedding = json!({"kind": "embedding", "values": CLASSES, "dimensions": 8});
    let dense = json!({"kind": "dense", "name": "scores", "units": CLASSES});
    let layers: Vec<&Value> = [&embedding].into_iter().chain(layers).chain([&dense]).collect();
    let input = json!({"content": "ids", "positions": null});
    Network::new(&json!({"inputs": [input], "layers": layers}).to_string(), 1).unwrap()
}

fn recurrent() -> Network {
    model(&[json!({"kind": "gru", "units": 9}), json!({"kind": "dropout", "probability": 0.2})])
}

/// Sequences of which each id tells the next, but for one in eight; the frequent ones come first, as ranks do.
fn examples(items: usize) -> Examples {
    let lengths: Vec<u32> = (0..items).map(|item| (item * 7 % 23) as u32).collect();
    let (mut inputs, mut wanted) = (Vec::new(), Vec::new());
    let mut state = 7u64;
    for &length in &lengths {
        let mut id = 0;
        for _ in 0..length {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let unit = (state >> 40) as f64 / (1u64 << 24) as f64;
            inputs.push(id);
            let rank = (((CLASSES + 1) as f64).powf(unit) as u32).clamp(1, CLASSES as u32) - 1;
            id = if state.is_multiple_of(8) {
                rank
            } else {
                (id * 5 + rank / 20 + 1) % CLASSES as u32
            };
            wanted.push(if state.is_multiple_of(11) { IGNORED } else { id });
        }
    }
    let column = |ids| Column::new("ids", Cells::Ids(ids), Some(&lengths), &SEQUENCES).unwrap();
    Examples { inputs: vec![column(inputs)], targets: Some(column(wanted)) }
}

fn all(network: &Network) -> Vec<Vec<f32>> {
    network.parameters().iter().map(|parameter| parameter.get()).collect()
}

/// All gradients of one batch, one after the other.
fn gradients(loss: Loss, seed: u64) -> Vec<f64> {
    let mut network = model(&[]);
    let before = all(&network);
    let how = Training { epochs: 1, ..plain::training(loss, sgd(), 1.0) };
    network.train(&examples(40), None, &how, &Run::quiet(1, seed)).unwrap();
    let after = all(&network);
    let pairs = before.iter().flatten().zip(after.iter().flatten());
    pairs.map(|(before, after)| f64::from(before - after)).collect()
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// How far the mean of many sampled gradients is from the full one, of its length.
fn distance(loss: &Loss, full: &[f64], seeds: u64) -> f64 {
    let mut mean = vec![0.0; full.len()];
    for seed in 0..seeds {
        let found = gradients(loss.clone(), seed);
        mean.iter_mut().zip(found).for_each(|(mean, found)| *mean += found / seeds as f64);
    }
    let apart: Vec<f64> = mean.iter().zip(full).map(|(mean, full)| mean - full).collect();
    length(&apart) / length(full)
}

#[test]
fn the_mean_of_sampled_gradients_comes_to_the_full_one_as_more_is_drawn() {
    let wanted = gradients(full(), 1);
    for distribution in [Distribution::LogUniform, Distribution::Uniform] {
        let of = |samples, seeds| distance(&sampled(samples, distribution), &wanted, seeds);
        let (few, more, most) = (of(5, 400), of(20, 400), of(40, 400));
        let (once, every) = (of(20, 1), of(CLASSES, 1));
        assert!(most < more && more < few && few < 0.3, "{few}, {more}, {most}");
        assert!(most < 0.05 && more < 0.5 * once, "{most}, {more}, {once}");
        assert!(every < 1e-5, "{every}");
    }
}

#[test]
fn it_learns_what_the_full_softmax_learns_and_is_examined_by_all_classes() {
    let (data, others) = (examples(300), examples(80));
    let learn = |loss: Loss| {
        let mut network = model(&[json!({"kind": "dense", "units": 24}), json!({"kind": "tanh"})]);
        let how = Training {
            epochs: 30,
            batch: 20,
            shuffle: true,
            ..plain::training(loss, adam(), 0.01)
        };
        let history = network.train(&data, Some(&others), &how, &Run::quiet(1, 1)).unwrap();
        let last = history.last().unwrap().validation.unwrap();
        let one = network.evaluate(&others, &full(), 7, &Run::quiet(2, 1)).unwrap();
        let two = network.evaluate(&others, &some(), 9, &Run::quiet(1, 1)).unwrap();
        assert_eq!(one, two);
        assert!(
            (one.loss
                - history
                    .iter()
                    .filter_map(|epoch| epoch.validation)
                    .fold(f64::INFINITY, f64::min))
            .abs()
                < 1e-5
        );
        (last, one)
    };
    let (_, whole) = learn(full());
    let (_, found) = learn(sampled(20, Distribution::LogUniform));
    assert!(whole.loss < 2.0, "{whole:?}");
    assert!(found.loss < 1.1 * whole.loss, "{found:?}, {whole:?}");
    assert!(found.accuracy.unwrap() > 0.95 * whole.accuracy.unwrap(), "{found:?}, {whole:?}");
}

fn laws() -> Training {
    Training {
        epochs: 3,
        batch: 7,
        accumulate: 2,
        clip: Some(0.5),
        shuffle: true,
        truncate: Some(4),
        ..plain::training(some(), adam(), 0.01)
    }
}

#[test]
fn a_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let (data, others) = (examples(50), examples(20));
    for how in [
        laws(),
        Training { truncate: None, clip: None, accumulate: 1, ..laws() },
        // Larger than what other losses work on at a time.
        Training { truncate: None, batch: 1000, ..laws() },
        Training { frozen: vec!["scores".into()], ..laws() },
    ] {
        let mut first: Option<(Vec<Vec<f32>>, Vec<Epoch>)> = None;
        for threads in [1, 2, 3, 8] {
            let mut network = recurrent();
            let seen = network.train(&data, Some(&others), &how, &Run::quiet(threads, 3)).unwrap();
            let found = (all(&network), seen);
            assert!(found == *first.get_or_insert_with(|| found.clone()), "{threads} threads");
        }
        let mut other = recurrent();
        other.train(&data, Some(&others), &how, &Run::quiet(1, 4)).unwrap();
        assert_ne!(all(&other), first.unwrap().0, "another seed");
    }
}

#[test]
fn what_a_step_of_plain_descent_does_not_touch_stays_and_the_rest_is_as_if_it_were_looked_at() {
    // More than one piece of the table and of the scores.
    let (words, classes) = (40_000, 40_000);
    let description = json!({
        "inputs": [{"content": "ids", "positions": null}],
        "layers": [
            {"kind": "embedding", "values": words, "dimensions": 8},
            {"kind": "dense", "units": classes},
        ],
    });
    let train = |clip: Option<f64>, threads: usize| {
        let mut network = Network::new(&description.to_string(), 1).unwrap();
        let before = all(&network);
        let loss = sampled(50, Distribution::LogUniform);
        let how = Training { epochs: 2, batch: 9, clip, ..plain::training(loss, sgd(), 0.5) };
        let history = network.train(&examples(40), None, &how, &Run::quiet(threads, 1)).unwrap();
        (before, all(&network), history)
    };
    let (before, found, history) = train(None, 1);
    // A gradient that may be of any length is worked out for all of a piece.
    let (_, whole, same) = train(Some(1e30), 1);
    assert!(found == whole && history == same);
    assert!(found == train(None, 3).1);
    for (number, width) in [8, 8, 1].into_iter().enumerate() {
        let pairs = before[number].chunks(width).zip(found[number].chunks(width));
        let moved = pairs.filter(|(before, found)| before != found).count();
        assert!(moved > 20 && moved < 2000, "{moved} of {number}");
    }
}

#[test]
fn a_frozen_layer_stays_and_those_before_it_learn_from_it() {
    let mut network = recurrent();
    let before = all(&network);
    let how = Training { frozen: vec!["scores".into()], ..laws() };
    network.train(&examples(50), None, &how, &Run::quiet(2, 1)).unwrap();
    let after = all(&network);
    let scores = after.len() - 2;
    assert_eq!(before[scores..], after[scores..]);
    assert!((0..scores).all(|number| before[number] != after[number]));
}

#[test]
fn what_was_stopped_goes_on_to_the_same_bytes() {
    let (data, others) = (examples(50), examples(20));
    let run = |how: &Training, run: &Run| {
        let mut network = recurrent();
        network.train(&data, Some(&others), how, run).map(|history| (all(&network), history))
    };
    let whole = run(&laws(), &Run::quiet(1, 3)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training.safetensors");
    let how = Training { checkpoint: Some(Checkpoint { path, every: 1e6 }), ..laws() };
    let mut stops = 0;
    let ended = loop {
        let stop = Arc::new(AtomicBool::new(false));
        let here = Run::new(1 + stops as usize % 3, 3, Arc::clone(&stop), Box::new(|_| ()));
        let outcome = std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(Duration::from_micros(100 + 50 * stops));
                stop.store(true, Relaxed);
            });
            run(&how, &here)
        });
        match outcome {
            Ok(ended) => break ended,
            Err(error) => assert_eq!(error, Error::Aborted),
        }
        stops += 1;
    };
    assert!(stops > 1, "it was stopped {stops} times");
    assert!(ended == whole);
}

#[test]
fn a_loss_that_is_no_longer_finite_stops_with_the_last_parameters() {
    let mut network = recurrent();
    let how = Training { epochs: 50, ..plain::training(some(), sgd(), 1e38) };
    let error = network.train(&examples(50), None, &how, &Run::quiet(2, 1)).unwrap_err();
    assert_eq!(error.code(), "DIVERGED", "{error}");
    assert!(all(&network).iter().flatten().all(|value| value.is_finite()));
    let given = examples(3).inputs;
    assert!(network.encode(&given, None, &Run::quiet(1, 1)).is_ok());
}

#[test]
fn what_does_not_fit_is_said() {
    let refuses = |mut network: Network, loss: Loss, wanted: &str| {
        let how = plain::training(loss, adam(), 0.01);
        let error = network.train(&examples(5), None, &how, &Run::quiet(1, 1)).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}, not {wanted}");
    };
    let more = sampled(CLASSES + 1, Distribution::Uniform);
    refuses(model(&[]), more, "has 60 classes, and its loss draws 61");
    refuses(model(&[]), sampled(0, Distribution::Uniform), "and its loss draws 0");
    let dense = json!({"kind": "dense", "units": CLASSES});
    let layers =
        json!([{"kind": "embedding", "values": CLASSES, "dimensions": 8}, dense, {"kind": "tanh"}]);
    let input = json!({"content": "ids", "positions": null});
    let other = Network::new(&json!({"inputs": [input], "layers": layers}).to_string(), 1);
    refuses(other.unwrap(), some(), "whose last layer is a `dense` with a unit for each class");
}

#[test]
fn an_estimate_knows_that_scores_are_not_all_there() {
    let classes = 50_000;
    let description = json!({
        "inputs": [{"content": "ids", "positions": [4]}],
        "layers": [
            {"kind": "embedding", "values": 100, "dimensions": 8},
            {"kind": "flatten"},
            {"kind": "dense", "units": classes},
        ],
    });
    let estimate = |loss: Value, validation: bool| {
        let prospect = json!({
            "items": 0, "batch": 256, "parts": 1, "length": 1, "truncate": null, "loss": loss,
            "optimizer": {"kind": "sgd", "momentum": 0.0, "decay": 0.0, "nesterov": false},
            "frozen": [], "holds": false, "validation": validation,
        });
        let prospect: Prospect = serde_json::from_value(prospect).unwrap();
        Network::estimate(&description.to_string(), &prospect, 1).unwrap()
    };
    let loss = json!({"kind": "sampled-softmax", "samples": 100, "distribution": "uniform"});
    let (few, all) =
        (estimate(loss.clone(), false), estimate(json!({"kind": "cross-entropy"}), false));
    // Of the full one: two packed copies of the weights at least, and scores with their slopes.
    let copies = 2 * 4 * 32 * classes as u64;
    assert!(all > few + copies, "{few}, {all}");
    assert!(estimate(loss, true) > few + 4 * 33 * classes as u64, "scores of validation");
}
