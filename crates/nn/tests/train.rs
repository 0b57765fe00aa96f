//! Training as a user of the crate meets it: agreement with PyTorch, the same bytes for any number of
//! threads, faults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use inlay_base::{Error, Run};
use inlay_nn::{
    Cells, Column, Content, Epoch, Examples, IGNORED, Loss, Network, Optimizer, Positions, Shape,
    Training,
};
use serde::Deserialize;
use serde_json::json;

mod plain;
use plain::training;

fn cross_entropy() -> Loss {
    Loss::CrossEntropy { weights: None, smoothing: 0.0 }
}

fn adam() -> Optimizer {
    Optimizer::Adam { betas: [0.9, 0.999], epsilon: 1e-8, decay: 0.0 }
}

fn vectors(values: Vec<f32>, width: usize) -> Column {
    Column::new("values", Cells::Values(values), None, &Shape::vector(width)).unwrap()
}

fn classes(ids: Vec<u32>) -> Column {
    let shape =
        Shape { content: Content::Ids, positions: Positions::Fixed(Vec::new()), width: 1, axes: 0 };
    Column::new("classes", Cells::Ids(ids), None, &shape).unwrap()
}

/// The network of the golden file.
fn small() -> Network {
    let description = json!({
        "inputs": [{"content": "values", "positions": [], "width": 3}],
        "layers": [
            {"kind": "dense", "name": "0", "units": 4},
            {"kind": "tanh"},
            {"kind": "dense", "name": "2", "units": 2},
        ],
    });
    Network::new(&description.to_string(), 1).unwrap()
}

#[derive(Deserialize)]
struct Golden {
    inputs: Vec<f32>,
    classes: Vec<u32>,
    before: BTreeMap<String, Vec<f32>>,
    runs: Vec<Steps>,
}

#[derive(Deserialize)]
struct Steps {
    optimizer: String,
    loss: String,
    clip: Option<f64>,
    losses: Vec<f64>,
    after: BTreeMap<String, Vec<f32>>,
}

#[test]
fn ten_steps_of_each_optimizer_are_those_of_pytorch() {
    let golden: Golden = serde_json::from_str(include_str!("golden/steps.json")).unwrap();
    for run in &golden.runs {
        let sgd = |momentum, nesterov| Optimizer::Sgd { momentum, decay: 0.0, nesterov };
        let (optimizer, rate) = match run.optimizer.as_str() {
            "sgd" => (sgd(0.0, false), 0.1),
            "momentum" => (sgd(0.9, false), 0.1),
            "nesterov" => (sgd(0.9, true), 0.1),
            "adam" => (adam(), 0.05),
            "adamw" => (Optimizer::Adamw { betas: [0.9, 0.999], epsilon: 1e-8, decay: 0.1 }, 0.05),
            "decayed" => (Optimizer::Adam { betas: [0.9, 0.999], epsilon: 1e-8, decay: 0.1 }, 0.05),
            other => panic!("{other}"),
        };
        let loss = match run.loss.as_str() {
            "plain" => cross_entropy(),
            "weighted" => Loss::CrossEntropy { weights: Some(vec![0.25, 2.0]), smoothing: 0.0 },
            "both" => Loss::CrossEntropy { weights: Some(vec![0.25, 2.0]), smoothing: 0.1 },
            "smoothed" => Loss::CrossEntropy { weights: None, smoothing: 0.1 },
            other => panic!("{other}"),
        };
        for threads in [1, 2, 5] {
            let mut network = small();
            for (name, values) in &golden.before {
                network.set(name, values).unwrap();
            }
            let examples = Examples {
                inputs: vec![vectors(golden.inputs.clone(), 3)],
                targets: Some(classes(golden.classes.clone())),
            };
            let how = Training { clip: run.clip, ..training(loss.clone(), optimizer, rate) };
            let seen = network.train(&examples, None, &how, &Run::quiet(threads, 1)).unwrap();
            let what = format!("{} {} on {threads}", run.optimizer, run.loss);
            for (epoch, wanted) in seen.iter().zip(&run.losses) {
                assert!((epoch.loss - wanted).abs() < 1e-5, "{what}: {epoch:?}, {wanted}");
            }
            for (name, wanted) in &run.after {
                let found = network.get(name).unwrap();
                for (found, wanted) in found.iter().zip(wanted) {
                    assert!((found - wanted).abs() < 1e-5, "{what} {name}: {found}, {wanted}");
                }
            }
        }
    }
}

/// Sequences of ids and whether they hold more of the upper half of them.
fn sequences(items: usize) -> Examples {
    let (mut ids, mut lengths, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
    for item in 0..items {
        let length = 1 + item * 7 % 11;
        let sequence = (0..length).map(|i| ((item * 31 + i * i * 17) % 20) as u32);
        let begin = ids.len();
        ids.extend(sequence);
        let upper = ids[begin..].iter().filter(|&&id| id >= 10).count();
        wanted.extend(
            ids[begin..]
                .iter()
                .map(|&id| if id == 13 { IGNORED } else { u32::from(2 * upper > length) }),
        );
        lengths.push(length as u32);
    }
    let shape = Shape { content: Content::Ids, positions: Positions::Any, width: 1, axes: 0 };
    let column = |ids| Column::new("ids", Cells::Ids(ids), Some(&lengths), &shape).unwrap();
    Examples { inputs: vec![column(ids)], targets: Some(column(wanted)) }
}

fn tagger(dropout: f32) -> Network {
    let description = json!({
        "inputs": [{"content": "ids", "positions": null}],
        "layers": [
            {"kind": "embedding", "values": 20, "dimensions": 12},
            {"kind": "dropout", "probability": dropout},
            {"kind": "sum", "branches": [[], [{"kind": "dense", "units": 12}, {"kind": "gelu"}]]},
            {"kind": "dense", "units": 2},
        ],
    });
    Network::new(&description.to_string(), 7).unwrap()
}

fn all(network: &Network) -> Vec<Vec<f32>> {
    network.parameters().iter().map(|parameter| parameter.get()).collect()
}

#[test]
fn a_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let mut first: Option<(Vec<Vec<f32>>, Vec<Epoch>)> = None;
    for threads in [1, 2, 3, 8] {
        let mut network = tagger(0.2);
        let how = Training {
            batch: 7,
            accumulate: 2,
            epochs: 3,
            shuffle: true,
            clip: Some(0.5),
            ..training(cross_entropy(), adam(), 0.01)
        };
        let seen = network.train(&sequences(50), None, &how, &Run::quiet(threads, 3)).unwrap();
        let found = (all(&network), seen);
        assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{threads} threads");
    }
    let mut other = tagger(0.2);
    let how =
        Training { batch: 7, epochs: 3, shuffle: true, ..training(cross_entropy(), adam(), 0.01) };
    other.train(&sequences(50), None, &how, &Run::quiet(1, 4)).unwrap();
    assert_ne!(all(&other), first.unwrap().0, "another seed");
}

#[test]
fn a_batch_that_comes_in_portions_gives_the_same_bytes_on_any_number_of_threads() {
    let description = json!({
        "inputs": [{"content": "ids", "positions": null}],
        "layers": [
            {"kind": "embedding", "values": 20, "dimensions": 12},
            {"kind": "dense", "units": 700},
            {"kind": "dropout", "probability": 0.2},
            {"kind": "layer-norm"},
            {"kind": "dense", "units": 2},
        ],
    });
    // About 7 million values between layers, where a thread takes about one at a time.
    let mut first: Option<(Vec<Vec<f32>>, Vec<Epoch>)> = None;
    for threads in [1, 2, 3, 8] {
        let mut network = Network::new(&description.to_string(), 7).unwrap();
        let how = Training {
            batch: 700,
            accumulate: 2,
            epochs: 2,
            shuffle: true,
            clip: Some(0.5),
            ..training(cross_entropy(), adam(), 0.01)
        };
        let (examples, others) = (sequences(1500), sequences(900));
        let run = Run::quiet(threads, 3);
        let seen = network.train(&examples, Some(&others), &how, &run).unwrap();
        let found = (all(&network), seen);
        assert!(found == *first.get_or_insert_with(|| found.clone()), "{threads} threads");
    }
}

#[test]
fn gradients_of_small_batches_add_up_to_those_of_a_large_one() {
    let rest = |batch, accumulate| {
        let mut network = tagger(0.0);
        let sgd = Optimizer::Sgd { momentum: 0.0, decay: 0.0, nesterov: false };
        let how =
            Training { batch, accumulate, epochs: 1, ..training(Loss::SquaredError, sgd, 0.1) };
        let ids = sequences(8).inputs;
        let lengths: Vec<u32> = (0..8).map(|item| ids[0].rows(item) as u32).collect();
        let rows = lengths.iter().sum::<u32>() as usize;
        let shape =
            Shape { content: Content::Values, positions: Positions::Any, width: 2, axes: 0 };
        let wanted = Cells::Values((0..2 * rows).map(|i| (i % 5) as f32).collect());
        let targets = Some(Column::new("targets", wanted, Some(&lengths), &shape).unwrap());
        network.train(&Examples { inputs: ids, targets }, None, &how, &Run::quiet(1, 1)).unwrap();
        all(&network)
    };
    // Each batch's loss is a mean, so two halves of different lengths are not exactly the whole: only
    // that they are added up, and not left out, is seen here.
    let (whole, halves, first) = (rest(8, 1), rest(4, 2), rest(8, 3));
    assert_eq!(whole, first, "a step at the end of the epoch, though fewer batches came");
    assert_ne!(whole, halves);
}

#[test]
fn frozen_layers_stay_and_the_others_learn() {
    let mut network = tagger(0.0);
    let before = all(&network);
    let frozen = vec!["embedding1".to_string(), "dense1".to_string()];
    let how = Training { frozen, ..training(cross_entropy(), adam(), 0.01) };
    network.train(&sequences(20), None, &how, &Run::quiet(2, 1)).unwrap();
    let after = all(&network);
    assert_eq!(before[..3], after[..3]);
    assert!(before[3] != after[3] && before[4] != after[4]);
}

#[test]
fn training_ends_when_validation_gets_no_better_and_the_best_is_kept() {
    let mut network = tagger(0.0);
    let validation = sequences(13);
    let how = Training { epochs: 200, patience: Some(3), ..training(cross_entropy(), adam(), 0.3) };
    let seen = network.train(&sequences(20), Some(&validation), &how, &Run::quiet(2, 1)).unwrap();
    assert!(seen.len() < 200, "it went on to the end");
    let best = seen.iter().map(|epoch| epoch.validation.unwrap()).fold(f64::INFINITY, f64::min);
    // A step of no size tells the loss of what was kept.
    let sgd = Optimizer::Sgd { momentum: 0.0, decay: 0.0, nesterov: false };
    let look = Training { epochs: 1, ..training(cross_entropy(), sgd, 0.0) };
    let now = network.train(&validation, None, &look, &Run::quiet(1, 1)).unwrap()[0].loss;
    assert!((now - best).abs() < 1e-6, "{now}, {best}");
}

#[test]
fn a_loss_that_is_no_longer_finite_stops_with_the_last_parameters() {
    let mut network = small();
    let sgd = Optimizer::Sgd { momentum: 0.0, decay: 0.0, nesterov: false };
    let how = training(Loss::SquaredError, sgd, 1e18);
    let examples = Examples {
        inputs: vec![vectors(vec![1.0, 2.0, 3.0, -1.0, 0.5, 2.0], 3)],
        targets: Some(vectors(vec![1e3; 4], 2)),
    };
    let error = network.train(&examples, None, &how, &Run::quiet(2, 1)).unwrap_err();
    assert_eq!(error.code(), "DIVERGED", "{error}");
    assert!(all(&network).iter().flatten().all(|value| value.is_finite()));
}

#[test]
fn a_run_that_is_stopped_leaves_a_network_that_works() {
    let stop = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&stop);
    let run = Run::new(
        2,
        1,
        stop,
        Box::new(move |event| {
            heard.fetch_or(event.done > 0, Relaxed);
        }),
    );
    let mut network = tagger(0.0);
    let how = Training { epochs: 1_000_000, batch: 5, ..training(cross_entropy(), adam(), 0.01) };
    let error = network.train(&sequences(50), None, &how, &run).unwrap_err();
    assert_eq!(error, Error::Aborted);
    let (values, offsets) = network.encode(&sequences(3).inputs, None, &Run::quiet(1, 1)).unwrap();
    assert_eq!(values.len(), 2 * offsets[3]);
}

#[test]
fn what_does_not_fit_is_said() {
    let refuses = |examples: Examples, loss: Loss, wanted: &str| {
        let how = training(loss, adam(), 0.01);
        let error = tagger(0.0).train(&examples, None, &how, &Run::quiet(1, 1)).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}, not {wanted}");
    };
    let shape = Shape { content: Content::Ids, positions: Positions::Any, width: 1, axes: 0 };
    let ids = |ids: Vec<u32>, lengths: &[u32]| {
        Column::new("ids", Cells::Ids(ids), Some(lengths), &shape).unwrap()
    };
    let examples = |input, target| Examples { inputs: vec![input], targets: Some(target) };
    refuses(
        examples(ids(vec![1, 2, 20], &[2, 1]), ids(vec![0, 0, 0], &[2, 1])),
        cross_entropy(),
        "item 1 has the id 20; they are below 20",
    );
    refuses(
        examples(ids(vec![1, 2, 3], &[2, 1]), ids(vec![0, 2, 0], &[2, 1])),
        cross_entropy(),
        "the targets: item 0 has the id 2; they are below 2",
    );
    refuses(
        examples(ids(vec![1, 2, 3], &[2, 1]), ids(vec![0, 1, 0], &[1, 2])),
        cross_entropy(),
        "of item 0 have 1 rows, its output has 2",
    );
    refuses(
        examples(ids(vec![1, 2], &[2]), ids(vec![0, 1], &[1, 1])),
        cross_entropy(),
        "are 2, of 1 items",
    );
    refuses(
        examples(ids(vec![1, 2], &[2]), ids(vec![0, 1], &[2])),
        Loss::SquaredError,
        "are not what the loss takes: [any, 2]",
    );
    let weights = Loss::CrossEntropy { weights: Some(vec![1.0; 3]), smoothing: 0.0 };
    refuses(
        examples(ids(vec![1, 2], &[2]), ids(vec![0, 1], &[2])),
        weights,
        "has 2 classes, and 3 weights came",
    );
    for (loss, items, score, wanted) in [
        (Loss::BinaryCrossEntropy, 2, 1.5, "item 1 has the value 1.5; they are 0 to 1"),
        (Loss::CosineSimilarity, 4, -7.0, "item 1 has the value -7; they are -1 to 1"),
    ] {
        let column = |values: Vec<f32>, width| {
            Column::new("x", Cells::Values(values), None, &Shape::vector(width)).unwrap()
        };
        let inputs = match items {
            2 => vec![column(vec![0.5; 6], 3)],
            _ => vec![column(vec![0.5; 6], 3), column(vec![0.5; 6], 3)],
        };
        let layers = json!([{"kind": "dense", "units": 1}]);
        let input = json!({"content": "values", "positions": [], "width": 3});
        let description = json!({"inputs": [input], "layers": layers}).to_string();
        let mut network = Network::new(&description, 1).unwrap();
        let examples = Examples { inputs, targets: Some(column(vec![0.5, score], 1)) };
        let how = training(loss, adam(), 0.01);
        let error = network.train(&examples, None, &how, &Run::quiet(1, 1)).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
    let nan = Column::new("x", Cells::Values(vec![0.0, 1.0, f32::NAN]), None, &Shape::vector(1));
    let error = nan.err().unwrap().to_string();
    assert!(error.contains("item 2 has a value that is not finite"), "{error}");
}

#[test]
fn an_empty_set_of_examples_trains_nothing() {
    let mut network = small();
    let before = all(&network);
    let examples =
        Examples { inputs: vec![vectors(Vec::new(), 3)], targets: Some(classes(Vec::new())) };
    let how = training(cross_entropy(), adam(), 0.1);
    assert_eq!(network.train(&examples, None, &how, &Run::quiet(2, 1)), Ok(Vec::new()));
    assert_eq!(all(&network), before);
}
