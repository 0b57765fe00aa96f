//! Trainings that are stopped, killed or diverge, and go on from their checkpoint.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use inlay_base::{Error, Run};
use inlay_nn::{
    Cells, Checkpoint, Column, Content, Curve, Epoch, Examples, Loss, Network, Optimizer,
    Positions, Schedule, Shape, Training,
};
use serde_json::json;

/// Sequences that count, each in its own steps.
fn counting(lengths: &[u32]) -> Examples {
    let shape = Shape { content: Content::Ids, positions: Positions::Any, width: 1, axes: 0 };
    let column = |from: usize| {
        let of = |(number, &length): (usize, &u32)| {
            (from..from + length as usize).map(move |i| ((number + 1) * i % 7) as u32)
        };
        let ids = lengths.iter().enumerate().flat_map(of).collect();
        Column::new("ids", Cells::Ids(ids), Some(lengths), &shape).unwrap()
    };
    Examples { inputs: vec![column(0)], targets: Some(column(1)) }
}

fn model() -> Network {
    let description = json!({
        "inputs": [{"content": "ids", "positions": null}],
        "layers": [
            {"kind": "embedding", "values": 7, "dimensions": 6},
            {"kind": "lstm", "units": 40, "layers": 2, "dropout": 0.2},
            {"kind": "dense", "units": 7},
        ],
    });
    Network::new(&description.to_string(), 1).unwrap()
}

fn adam() -> Optimizer {
    Optimizer::Adam { betas: [0.9, 0.999], epsilon: 1e-8, decay: 0.0 }
}

fn training(checkpoint: Option<&Path>) -> Training {
    Training {
        loss: Loss::CrossEntropy { weights: None, smoothing: 0.0 },
        optimizer: adam(),
        schedule: Schedule { rate: 0.01, warmup: 5, shape: Curve::Cosine },
        epochs: 12,
        batch: 3,
        accumulate: 2,
        clip: Some(1.0),
        shuffle: true,
        frozen: vec!["embedding1".into()],
        patience: Some(4),
        truncate: Some(6),
        steps: None,
        checkpoint: checkpoint.map(|path| Checkpoint { path: path.into(), every: 0.0 }),
    }
}

const LENGTHS: [u32; 7] = [40, 3, 25, 60, 11, 1, 33];

/// Parameters and history of a training.
type Ended = (Vec<Vec<f32>>, Vec<Epoch>);

/// A training with validation, until its end or until it is stopped.
fn train(how: &Training, run: &Run) -> Result<Ended, Error> {
    let mut network = model();
    let validation = counting(&[50, 20, 20]);
    let history = network.train(&counting(&LENGTHS), Some(&validation), how, run)?;
    Ok((network.parameters().iter().map(|parameter| parameter.get()).collect(), history))
}

/// The same, stopped after a while if it has not ended.
fn stopped(how: &Training, threads: usize, after: Duration) -> Result<Ended, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let run = Run::new(threads, 3, Arc::clone(&stop), Box::new(|_| ()));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(after);
            stop.store(true, Relaxed);
        });
        train(how, &run)
    })
}

/// A file of its own in a folder that goes with the test.
fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("training.safetensors")
}

#[test]
fn however_often_it_is_stopped_it_comes_to_the_same_bytes() {
    let whole = train(&training(None), &Run::quiet(1, 3)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Written at each step, and only when it is stopped.
    for every in [0.0, 1e6] {
        let path = file(&folder);
        let mut how = training(Some(&path));
        how.checkpoint = how.checkpoint.map(|checkpoint| Checkpoint { every, ..checkpoint });
        let mut stops = 0;
        let ended = loop {
            let patience = Duration::from_micros(1500 + 150 * stops as u64);
            let outcome = stopped(&how, 1 + stops % 3, patience);
            match outcome {
                Ok(ended) => break ended,
                Err(error) => assert_eq!(error, Error::Aborted),
            }
            assert!(path.exists());
            stops += 1;
            assert!(stops < 10_000, "it gets on");
        };
        assert!(stops > 1, "it was stopped {stops} times");
        assert_eq!(ended, whole);
        // What has ended is given again, without learning anything.
        assert_eq!(train(&how, &Run::quiet(2, 3)).unwrap(), whole);
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_file_that_a_kill_has_left_is_enough() {
    let whole = train(&training(None), &Run::quiet(1, 3)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (file(&folder), folder.path().join("copy.safetensors"));
    let (from, to) = (path.clone(), copy.clone());
    // What lies there in the middle of the run, as a kill would find it.
    let heard = Box::new(move |progress: inlay_base::Progress| {
        if progress.done > 0 && !to.exists() && from.exists() {
            std::fs::copy(&from, &to).unwrap();
        }
    });
    let how = training(Some(&path));
    assert_eq!(train(&how, &Run::new(2, 3, Arc::default(), heard)).unwrap(), whole);
    let resumed = training(Some(&copy));
    assert_eq!(train(&resumed, &Run::quiet(1, 3)).unwrap(), whole);
}

#[test]
fn a_checkpoint_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let how = Training { epochs: 1, ..training(Some(&path)) };
    train(&how, &Run::quiet(1, 3)).unwrap();
    let refuses = |how: Training, seed: u64, wanted: &str| {
        let error = train(&how, &Run::quiet(1, seed)).unwrap_err();
        assert!(matches!(error, Error::InvalidOption { option: "checkpoint", .. }), "{error}");
        assert!(error.to_string().contains(wanted), "{error}");
    };
    refuses(how.clone(), 4, "with seed 4, this one has 3");
    refuses(Training { batch: 4, ..how.clone() }, 3, "with batchSize 4, this one has 3");
    refuses(Training { truncate: None, ..how.clone() }, 3, "with truncate null, this one has 6");
    refuses(Training { epochs: 2, ..how.clone() }, 3, "with epochs 2, this one has 1");
    let trains = |mut network: Network, examples: &Examples, validation: Option<&Examples>| {
        network.train(examples, validation, &how, &Run::quiet(1, 3)).unwrap_err().to_string()
    };
    let validation = counting(&[50, 20, 20]);
    let other = trains(model(), &counting(&[40]), Some(&validation));
    assert!(other.contains("of the same examples"), "{other}");
    let other = trains(model(), &counting(&LENGTHS), Some(&counting(&[50, 20, 21])));
    assert!(other.contains("of the same validation examples"), "{other}");
    let mut elsewhere = model();
    elsewhere.set("dense1.bias", &[0.5; 7]).unwrap();
    let other = trains(elsewhere, &counting(&LENGTHS), Some(&validation));
    assert!(other.contains("that began with the same parameters"), "{other}");
    std::fs::write(&path, "nothing of the kind").unwrap();
    assert_eq!(train(&how, &Run::quiet(1, 3)).unwrap_err().code(), "INVALID_INPUT");
    model().save(&path).unwrap();
    let error = train(&how, &Run::quiet(1, 3)).unwrap_err().to_string();
    assert!(error.contains("is not a checkpoint of a network's training"), "{error}");
}

#[test]
fn a_checkpoint_whose_place_is_not_one_of_its_training_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let copy = file(&folder);
    // Stopped between two windows of a batch, where something is carried.
    let whole = (1..500).find_map(|turn| {
        let _ = std::fs::remove_file(&copy);
        let _ = stopped(&training(Some(&copy)), 1, Duration::from_micros(300 * turn));
        let bytes = std::fs::read(&copy).unwrap();
        bytes.windows(8).any(|part| part == b"carried/").then_some(bytes)
    });
    let whole = whole.unwrap();
    for key in ["epoch", "row", "longest", "end", "carried/"] {
        let mut bytes = whole.clone();
        let key = if key == "carried/" { key.into() } else { format!("\\\"{key}\\\":") };
        let at = bytes.windows(key.len()).position(|part| part == key.as_bytes());
        let digit = &mut bytes[at.unwrap_or_else(|| panic!("{key} is there")) + key.len()];
        *digit = if *digit == b'9' { b'8' } else { *digit + 1 };
        std::fs::write(&copy, bytes).unwrap();
        let error = train(&training(Some(&copy)), &Run::quiet(1, 3)).unwrap_err();
        assert_eq!(error.code(), "INVALID_INPUT", "{key}: {error}");
        assert!(
            error.to_string().contains("at a place that its training does not have"),
            "{error}"
        );
    }
    std::fs::write(&copy, whole).unwrap();
    train(&training(Some(&copy)), &Run::quiet(1, 3)).unwrap();
}

#[test]
fn with_a_constant_rate_a_training_can_be_made_longer() {
    let constant = |epochs, path: Option<&Path>| Training {
        epochs,
        patience: None,
        schedule: Schedule { rate: 0.01, warmup: 3, shape: Curve::Constant },
        ..training(path)
    };
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    train(&constant(2, Some(&path)), &Run::quiet(1, 3)).unwrap();
    let longer = train(&constant(5, Some(&path)), &Run::quiet(2, 3)).unwrap();
    assert_eq!(longer.1.len(), 5);
    assert_eq!(longer, train(&constant(5, None), &Run::quiet(1, 3)).unwrap());
}

#[test]
fn a_training_that_diverges_leaves_the_last_weights_that_gave_a_finite_loss() {
    let description = json!({
        "inputs": [{"content": "values", "positions": [], "width": 1}],
        "layers": [{"kind": "dense", "units": 1}],
        "loss": {"kind": "squared-error"},
    });
    let values = |values: &[f32]| {
        Column::new("x", Cells::Values(values.to_vec()), None, &Shape::vector(1)).unwrap()
    };
    let examples =
        Examples { inputs: vec![values(&[1.0, 2.0])], targets: Some(values(&[5.0, 3.0])) };
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let how = Training {
        loss: Loss::SquaredError,
        optimizer: Optimizer::Sgd { momentum: 0.0, decay: 0.0, nesterov: false },
        // Each step overshoots by more than the one before.
        schedule: Schedule { rate: 100.0, warmup: 0, shape: Curve::Constant },
        epochs: 1000,
        frozen: Vec::new(),
        patience: None,
        truncate: None,
        clip: None,
        accumulate: 1,
        ..training(Some(&path))
    };
    let mut network = Network::new(&description.to_string(), 1).unwrap();
    let error = network.train(&examples, None, &how, &Run::quiet(2, 1)).unwrap_err();
    assert_eq!(error.code(), "DIVERGED");
    let told = format!("the last good weights are in {}", path.display());
    assert!(error.to_string().contains(&told), "{error}");
    let good = Network::open(&path).unwrap();
    let found = good.evaluate(&examples, &Loss::SquaredError, 2, &Run::quiet(1, 1)).unwrap();
    assert!(found.loss.is_finite() && found.loss > 1e6, "the last ones: {found:?}");
    // A network without a checkpoint says nothing of one.
    let mut network = Network::new(&description.to_string(), 1).unwrap();
    let how = Training { checkpoint: None, ..how };
    let error = network.train(&examples, None, &how, &Run::quiet(2, 1)).unwrap_err();
    assert!(!error.to_string().contains("good weights"), "{error}");
}
