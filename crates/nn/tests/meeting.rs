//! Networks whose items meet within a batch: agreement with PyTorch, the same bytes for any number of
//! threads, what is kept, faults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use inlay_base::{Error, Run};
use inlay_nn::{
    Cells, Checkpoint, Column, Curve, Distance, Epoch, Examples, Loss, Network, Optimizer,
    Schedule, Shape, Training,
};
use serde::Deserialize;
use serde_json::{Value, json};

mod plain;

fn training(loss: Loss) -> Training {
    let optimizer = Optimizer::Sgd { momentum: 0.9, decay: 0.0, nesterov: false };
    Training { epochs: 3, ..plain::training(loss, optimizer, 0.1) }
}

#[derive(Deserialize)]
struct Golden {
    pictures: Normed,
    vectors: Normed,
    items: Vec<Vec<f32>>,
    pairs: BTreeMap<String, Steps>,
}

#[derive(Deserialize)]
struct Normed {
    inputs: Vec<f32>,
    targets: Vec<f32>,
    outputs: Vec<f32>,
    #[serde(flatten)]
    steps: Steps,
}

#[derive(Deserialize)]
struct Steps {
    before: BTreeMap<String, Vec<f32>>,
    after: BTreeMap<String, Vec<f32>>,
    losses: Vec<f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/meeting.json")).unwrap()
}

fn network(positions: &[usize], width: usize, layers: Value) -> Network {
    let input = json!({"content": "values", "positions": positions, "width": width});
    Network::new(&json!({"inputs": [input], "layers": layers}).to_string(), 1).unwrap()
}

fn column(network: &Network, values: &[f32]) -> Column {
    let shape = network.inputs().unwrap().remove(0).1;
    Column::new("values", Cells::Values(values.to_vec()), None, &shape).unwrap()
}

fn close(found: &[f32], wanted: &[f32], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() < 1e-5, "{what}: {found}, {wanted}");
    }
}

impl Steps {
    /// Makes the steps on several numbers of threads, and gives the network of the last one.
    fn make(
        &self,
        network: impl Fn() -> Network,
        examples: &Examples,
        how: &Training,
        what: &str,
    ) -> Network {
        let mut bytes: Option<(Vec<Vec<f32>>, Vec<Epoch>)> = None;
        let mut last = None;
        for threads in [1, 2, 3, 9] {
            let mut network = network();
            for (name, values) in &self.before {
                network.set(name, values).unwrap();
            }
            let seen = network.train(examples, None, how, &Run::quiet(threads, 1)).unwrap();
            for (epoch, wanted) in seen.iter().zip(&self.losses) {
                assert!((epoch.loss - wanted).abs() < 1e-5, "{what}: {epoch:?}, {wanted}");
            }
            for (name, wanted) in &self.after {
                close(&network.get(name).unwrap(), wanted, &format!("{what} {name}"));
            }
            let found = (network.parameters().iter().map(|found| found.get()).collect(), seen);
            assert_eq!(bytes.get_or_insert_with(|| found.clone()), &found, "{what} on {threads}");
            last = Some(network);
        }
        last.unwrap()
    }
}

/// The network of the golden file's pictures.
fn pictures() -> Network {
    network(
        &[6, 5],
        2,
        json!([
            {"kind": "conv2d", "name": "0", "channels": 4, "kernel": 3, "bias": false},
            {"kind": "batch-norm", "name": "1"},
            {"kind": "relu"},
            {"kind": "conv2d", "name": "3", "channels": 3, "kernel": 2},
            {"kind": "batch-norm", "name": "4"},
        ]),
    )
}

fn vectors() -> Network {
    network(
        &[],
        3,
        json!([
            {"kind": "dense", "name": "0", "units": 6},
            {"kind": "batch-norm", "name": "1", "epsilon": 0.01, "momentum": 0.3},
            {"kind": "tanh"},
            {"kind": "batch-norm", "name": "3", "affine": false},
            {"kind": "dense", "name": "4", "units": 2},
        ]),
    )
}

#[test]
fn batch_norms_learn_and_keep_and_encode_as_those_of_pytorch() {
    let Golden { pictures: of_pictures, vectors: of_vectors, .. } = golden();
    for (golden, network) in
        [(of_pictures, &pictures as &dyn Fn() -> Network), (of_vectors, &vectors)]
    {
        let shape = network().output(None).unwrap();
        let targets = Column::new("targets", Cells::Values(golden.targets), None, &shape).unwrap();
        let inputs = column(&network(), &golden.inputs);
        let examples = Examples { inputs: vec![inputs], targets: Some(targets) };
        let how = training(Loss::SquaredError);
        let learnt = golden.steps.make(network, &examples, &how, "norms");
        let (values, _) = learnt.encode(&examples.inputs, None, &Run::quiet(2, 1)).unwrap();
        close(&values, &golden.outputs, "evaluated");
    }
}

#[test]
fn losses_over_pairs_are_those_of_pytorch() {
    let Golden { items, pairs, .. } = golden();
    let small = || {
        let layers = json!([{"kind": "dense", "name": "0", "units": 8}, {"kind": "tanh"},
            {"kind": "dense", "name": "2", "units": 4}]);
        network(&[], 3, layers)
    };
    let contrastive = |temperature, symmetric| Loss::Contrastive { temperature, symmetric };
    for (name, steps) in &pairs {
        let (loss, parts) = match name.as_str() {
            "plain" => (contrastive(0.1, false), 2),
            "symmetric" => (contrastive(0.2, true), 2),
            "hard" => (contrastive(0.1, false), 3),
            "both" => (contrastive(0.1, true), 3),
            "euclidean" => (Loss::Triplet { margin: 1.0, distance: Distance::Euclidean }, 3),
            "cosine" => (Loss::Triplet { margin: 0.5, distance: Distance::Cosine }, 3),
            other => panic!("{other}"),
        };
        let inputs = items[..parts].iter().map(|part| column(&small(), part)).collect();
        steps.make(small, &Examples { inputs, targets: None }, &training(loss), name);
    }
}

fn some(items: usize, width: usize) -> Vec<f32> {
    (0..items * width).map(|i| ((i * 29 % 101) as f32 - 50.0) / 25.0).collect()
}

#[test]
fn batches_of_every_length_give_the_same_bytes_on_any_number_of_threads() {
    let layers = json!([{"kind": "dense", "units": 6}, {"kind": "batch-norm"}, {"kind": "tanh"},
        {"kind": "dropout", "probability": 0.1}, {"kind": "variational", "units": 5}]);
    let make = || network(&[], 4, layers.clone());
    for loss in [
        Loss::Contrastive { temperature: 0.1, symmetric: true },
        Loss::Triplet { margin: 1.0, distance: Distance::Cosine },
    ] {
        let mut first: Option<(Vec<Vec<f32>>, Vec<Epoch>)> = None;
        for threads in [1, 2, 3, 8] {
            let mut network = make();
            let parts = [0, 1, 2].map(|part| column(&network, &some(23, 4)[part..][..80]));
            let examples = Examples { inputs: parts.into(), targets: None };
            // 20 items in batches of 6, 6, 6 and 2.
            let how =
                Training { batch: 6, shuffle: true, clip: Some(1.0), ..training(loss.clone()) };
            let run = Run::quiet(threads, 3);
            let seen = network.train(&examples, Some(&examples), &how, &run).unwrap();
            assert!(seen.iter().all(|epoch| epoch.validation.is_some()));
            let found = (network.parameters().iter().map(|found| found.get()).collect(), seen);
            assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{threads} threads");
        }
    }
}

#[test]
fn what_is_left_of_an_epoch_and_cannot_be_learnt_from_alone_goes_with_the_batch_before() {
    // As many batches as the norm has counted.
    let batches = |items: usize, batch: usize| {
        let mut network = vectors();
        let examples = Examples { inputs: vec![column(&network, &some(items, 3))], targets: None };
        let wide = network.output(None).unwrap();
        let targets = Column::new("targets", Cells::Values(some(items, 2)), None, &wide).unwrap();
        let examples = Examples { targets: Some(targets), ..examples };
        let how = Training { batch, epochs: 1, ..training(Loss::SquaredError) };
        network
            .train(&examples, None, &how, &Run::quiet(2, 1))
            .map(|_| network.get("1.num_batches_tracked").unwrap()[0])
    };
    assert_eq!(batches(8, 4), Ok(2.0));
    assert_eq!(batches(9, 4), Ok(2.0));
    assert_eq!(batches(10, 4), Ok(3.0));
    for (items, batch) in [(1, 4), (8, 1)] {
        let error = batches(items, batch).unwrap_err().to_string();
        let wanted = "learns from 2 examples at a time or more, which `1` compares: a batch has 1";
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn a_norm_that_is_frozen_stays_as_it_is_and_says_what_it_says_while_encoding() {
    let mut network = pictures();
    let items = Examples { inputs: vec![column(&network, &some(4, 60))], targets: None };
    let shape = network.output(None).unwrap();
    let targets = Column::new("targets", Cells::Values(some(4, 18)), None, &shape).unwrap();
    let examples = Examples { targets: Some(targets), ..items };
    network.train(&examples, None, &training(Loss::SquaredError), &Run::quiet(1, 1)).unwrap();
    let kept = |network: &Network| {
        ["1.weight", "1.running_mean", "1.num_batches_tracked"].map(|name| network.get(name))
    };
    let before = kept(&network);
    // With all that is kept frozen, the loss while training is that of encoding.
    let frozen = vec!["1".to_string(), "4".to_string()];
    let how = Training { frozen, epochs: 2, ..training(Loss::SquaredError) };
    let (values, _) = network.encode(&examples.inputs, None, &Run::quiet(1, 1)).unwrap();
    let wanted = some(4, 18);
    let squares = values.iter().zip(&wanted).map(|(x, y)| f64::from(x - y).powi(2));
    let wanted = squares.sum::<f64>() / wanted.len() as f64;
    let seen = network.train(&examples, None, &how, &Run::quiet(2, 1)).unwrap();
    assert!((seen[0].loss - wanted).abs() < 1e-5 && seen[1].loss < seen[0].loss, "{seen:?}");
    assert_eq!(kept(&network), before);
}

#[test]
fn a_variational_layer_adds_its_divergence_and_encodes_the_mean() {
    let layers = json!([{"kind": "variational", "units": 2, "weight": 0.5, "name": "code"},
        {"kind": "dense", "units": 3, "name": "out"}]);
    let mut network = network(&[], 3, layers);
    for name in ["code.mean.weight", "code.log_variance.weight", "out.weight"] {
        network.set(name, &[0.0; 6]).unwrap();
    }
    network.set("code.mean.bias", &[1.0, 0.0]).unwrap();
    network.set("code.log_variance.bias", &[0.0, 0.5]).unwrap();
    network.set("out.bias", &[0.0; 3]).unwrap();
    let inputs = vec![column(&network, &[1.0, 2.0, 2.0, 0.0, 0.0, 3.0])];
    let examples = Examples { inputs, targets: None };
    let how = Training { epochs: 1, ..training(Loss::SquaredError) };
    let seen = network.train(&examples, Some(&examples), &how, &Run::quiet(2, 1)).unwrap();
    // Both items have the same distribution; (9 + 9) / 6 is what nothing but zeros misses by.
    let divergence = (1.0 + (0.5f64.exp() - 1.0 - 0.5)) / 2.0;
    let wanted = (18.0 + 2.0 * 0.5 * divergence) / 6.0;
    assert!((seen[0].loss - wanted).abs() < 1e-6, "{seen:?}, {wanted}");
    let again = |mut network: Network| {
        let still = Training {
            schedule: Schedule { rate: 0.0, warmup: 0, shape: Curve::Constant },
            ..how.clone()
        };
        network.train(&examples, Some(&examples), &still, &Run::quiet(1, 1)).unwrap()[0].validation
    };
    assert_eq!(seen[0].validation, again(network));
}

#[test]
fn what_is_learnt_from_pairs_is_evaluated_and_goes_on_from_a_checkpoint_bit_for_bit() {
    let layers = json!([{"kind": "dense", "units": 6}, {"kind": "batch-norm"}, {"kind": "tanh"},
        {"kind": "dropout", "probability": 0.1}, {"kind": "variational", "units": 5, "weight": 0.1}]);
    let make = || network(&[], 4, layers.clone());
    let parts = |network: &Network, items: usize| {
        let part = |part: usize| column(network, &some(items + 1, 4)[part..][..4 * items]);
        Examples { inputs: vec![part(0), part(1)], targets: None }
    };
    let loss = Loss::Contrastive { temperature: 0.1, symmetric: true };
    let how = Training { batch: 6, shuffle: true, epochs: 60, ..training(loss.clone()) };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.safetensors");
    let mut bytes = Vec::new();
    for checkpoint in [None, Some(Checkpoint { path: path.clone(), every: 1e6 })] {
        let kept = checkpoint.is_some();
        let how = Training { checkpoint, ..how.clone() };
        let mut stops = 0;
        for threads in [1, 2, 3] {
            // With a checkpoint it is stopped again and again, and goes on from there.
            let (network, seen) = loop {
                let mut network = make();
                let (examples, held_out) = (parts(&network, 20), parts(&network, 13));
                let stop = Arc::new(AtomicBool::new(false));
                let run = Run::new(threads, 3, Arc::clone(&stop), Box::new(|_| ()));
                let outcome = std::thread::scope(|scope| {
                    if kept {
                        scope.spawn(move || {
                            std::thread::sleep(Duration::from_micros(500 + 200 * stops));
                            stop.store(true, Relaxed);
                        });
                    }
                    network.train(&examples, Some(&held_out), &how, &run)
                });
                match outcome {
                    Ok(seen) => break (network, seen),
                    Err(error) => assert_eq!(error, Error::Aborted),
                }
                stops += 1;
                assert!(stops < 10_000, "it gets on");
            };
            let held_out = parts(&network, 13);
            let found = network.evaluate(&held_out, &loss, 6, &Run::quiet(threads, 1)).unwrap();
            let best = seen.iter().filter_map(|epoch| epoch.validation).fold(f64::MAX, f64::min);
            assert!((found.loss - best).abs() < 1e-5, "{found:?}, {best}");
            let error = network.evaluate(&held_out, &loss, 1, &Run::quiet(1, 1)).unwrap_err();
            assert!(error.to_string().contains("over 2 examples at a time or more"), "{error}");
            let all: Vec<_> = network.parameters().iter().map(|found| found.get()).collect();
            bytes.push((all, seen, found));
            let _ = std::fs::remove_file(&path);
        }
        assert!(!kept || stops > 0, "it was never stopped");
    }
    assert!(bytes.iter().all(|found| *found == bytes[0]));
}

#[test]
fn a_run_that_is_stopped_while_shards_meet_ends() {
    let stop = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&stop);
    let sink = Box::new(move |event: inlay_base::Progress| {
        heard.fetch_or(event.done > 0, Relaxed);
    });
    let run = Run::new(3, 1, stop, sink);
    let mut network =
        network(&[], 3, json!([{"kind": "dense", "units": 4}, {"kind": "batch-norm"}]));
    let items =
        || Column::new("items", Cells::Values(some(40, 3)), None, &Shape::vector(3)).unwrap();
    let examples = Examples { inputs: vec![items(), items()], targets: None };
    let loss = Loss::Contrastive { temperature: 0.1, symmetric: false };
    let how = Training { epochs: 1_000_000, batch: 8, ..training(loss) };
    assert_eq!(network.train(&examples, None, &how, &run).unwrap_err(), Error::Aborted);
    assert!(network.parameters().iter().all(|found| found.get().iter().all(|v| v.is_finite())));
}

#[test]
fn examples_that_do_not_fit_a_loss_over_pairs_are_refused() {
    let mut network = network(&[], 3, json!([{"kind": "dense", "units": 4}]));
    let items = |count: usize| {
        Column::new("items", Cells::Values(some(count, 3)), None, &Shape::vector(3)).unwrap()
    };
    let mut refuses = |inputs: Vec<Column>, targets: Option<Column>, loss: Loss, wanted: &str| {
        let examples = Examples { inputs, targets };
        let error = network.train(&examples, None, &training(loss), &Run::quiet(1, 1)).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}, not {wanted}");
    };
    let contrastive = || Loss::Contrastive { temperature: 0.1, symmetric: false };
    let triplet = || Loss::Triplet { margin: 1.0, distance: Distance::Euclidean };
    refuses(vec![items(4)], None, contrastive(), "positives, and perhaps negatives");
    refuses(vec![items(4), items(4)], None, triplet(), "positives and negatives");
    refuses(vec![items(4), items(4)], None, Loss::SquaredError, "neither positives nor negatives");
    refuses(vec![items(4), items(3)], None, contrastive(), "the positives: are 3, of 4 items");
    refuses(
        vec![items(4), items(4)],
        Some(items(4)),
        contrastive(),
        "are not for a loss over pairs",
    );
    let alone = "learns from 2 examples at a time or more, which its loss compares: a batch has 1";
    refuses(vec![items(1), items(1)], None, contrastive(), alone);
}
