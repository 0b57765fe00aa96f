//! Examples that come block by block.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use inlay_base::{Error, Result, Run};
use inlay_nn::{
    Blocks, Cells, Checkpoint, Column, Content, Curve, Epoch, Examples, Loss, Network, Optimizer,
    Positions, Schedule, Shape, Training,
};
use serde_json::json;

/// Vectors and the class of each.
fn examples(items: std::ops::Range<usize>) -> Examples {
    let values = items.clone().flat_map(|item| [(item % 7) as f32 - 3.0, (item % 5) as f32 - 2.0]);
    let classes = items.map(|item| u32::from(item % 7 > 3) ^ u32::from(item % 5 > 1));
    let class =
        Shape { content: Content::Ids, positions: Positions::Fixed(vec![]), width: 1, axes: 0 };
    let values = Cells::Values(values.collect());
    let classes = Cells::Ids(classes.collect());
    Examples {
        inputs: vec![Column::new("x", values, None, &Shape::vector(2)).unwrap()],
        targets: Some(Column::new("y", classes, None, &class).unwrap()),
    }
}

/// A hundred examples, in blocks, as often as they are wanted.
struct Hundred {
    block: usize,
    at: usize,
    /// After so many blocks the run is stopped.
    stop: Option<(usize, Arc<AtomicBool>)>,
}

impl Hundred {
    fn new(block: usize) -> Self {
        Self { block, at: 0, stop: None }
    }
}

impl Blocks for Hundred {
    fn next(&mut self, run: &Run) -> Result<Option<Examples>> {
        if let Some((left, stop)) = &mut self.stop {
            if *left == 0 {
                stop.store(true, Relaxed);
            }
            *left = left.saturating_sub(1);
        }
        run.check()?;
        if self.at == 100 {
            self.at = 0;
            return Ok(None);
        }
        let end = (self.at + self.block).min(100);
        let block = examples(self.at..end);
        self.at = end;
        Ok(Some(block))
    }
}

fn model() -> Network {
    let description = json!({
        "inputs": [{"content": "values", "positions": [], "width": 2}],
        "layers": [
            {"kind": "dense", "units": 12}, {"kind": "tanh"},
            {"kind": "dropout", "probability": 0.1}, {"kind": "dense", "units": 2},
        ],
    });
    Network::new(&description.to_string(), 1).unwrap()
}

mod plain;

fn training() -> Training {
    let loss = Loss::CrossEntropy { weights: None, smoothing: 0.0 };
    let optimizer = Optimizer::Adam { betas: [0.9, 0.999], epsilon: 1e-8, decay: 0.0 };
    let how = plain::training(loss, optimizer, 0.02);
    Training { epochs: 20, batch: 8, shuffle: true, ..how }
}

type Learnt = (Vec<Vec<f32>>, Vec<Epoch>);

fn all(network: &Network) -> Vec<Vec<f32>> {
    network.parameters().iter().map(|parameter| parameter.get()).collect()
}

fn train(blocks: &mut dyn Blocks, how: &Training, run: &Run) -> Result<Learnt> {
    let mut network = model();
    let history = network.train_on_stream(blocks, Some(&examples(0..30)), how, run)?;
    Ok((all(&network), history))
}

#[test]
fn a_block_that_holds_all_is_as_all_at_once() {
    let mut network = model();
    let run = &Run::quiet(2, 3);
    let seen = network.train(&examples(0..100), Some(&examples(0..30)), &training(), run).unwrap();
    let whole = (all(&network), seen);
    assert_eq!(train(&mut Hundred::new(100), &training(), &Run::quiet(1, 3)).unwrap(), whole);
}

#[test]
fn blocks_are_shuffled_each_by_itself_and_learnt_from_the_same_on_any_number_of_threads() {
    let first = train(&mut Hundred::new(32), &training(), &Run::quiet(1, 3)).unwrap();
    for threads in [2, 3] {
        let again = train(&mut Hundred::new(32), &training(), &Run::quiet(threads, 3)).unwrap();
        assert_eq!(again, first, "{threads} threads");
    }
    assert!(first.1[19].validation.unwrap() < 0.3, "{:?}", first.1[19]);
    assert_ne!(train(&mut Hundred::new(24), &training(), &Run::quiet(1, 3)).unwrap(), first);
    // Without an order of its own, blocks of whole batches are as one.
    let how = Training { shuffle: false, ..training() };
    let small = train(&mut Hundred::new(16), &how, &Run::quiet(1, 3)).unwrap();
    assert_eq!(small, train(&mut Hundred::new(100), &how, &Run::quiet(1, 3)).unwrap());
}

#[test]
fn a_stream_goes_on_from_a_checkpoint_where_it_was_stopped() {
    let whole = train(&mut Hundred::new(32), &training(), &Run::quiet(1, 3)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for stopped in [0, 1, 3, 6, 17] {
        let path = folder.path().join(format!("{stopped}.safetensors"));
        let how = Training { checkpoint: Some(Checkpoint { path, every: 1e6 }), ..training() };
        let stop = Arc::new(AtomicBool::new(false));
        let run = Run::new(2, 3, Arc::clone(&stop), Box::new(|_| ()));
        let mut blocks = Hundred { stop: Some((stopped, stop)), ..Hundred::new(32) };
        assert_eq!(train(&mut blocks, &how, &run).unwrap_err(), Error::Aborted);
        assert_eq!(train(&mut Hundred::new(32), &how, &Run::quiet(1, 3)).unwrap(), whole);
    }
    let path = folder.path().join("17.safetensors");
    let how = Training { checkpoint: Some(Checkpoint { path, every: 1e6 }), ..training() };
    let error = train(&mut Hundred::new(40), &how, &Run::quiet(1, 3)).unwrap_err().to_string();
    assert!(error.contains("a checkpoint of the same examples"), "{error}");
}

#[test]
fn what_a_stream_cannot_be_is_said() {
    struct Empty;
    impl Blocks for Empty {
        fn next(&mut self, _run: &Run) -> Result<Option<Examples>> {
            Ok(None)
        }
    }
    let error = train(&mut Empty, &training(), &Run::quiet(2, 1)).unwrap_err().to_string();
    assert!(error.contains("the stream has no examples in epoch 1"), "{error}");
    let falling = Schedule { shape: Curve::Linear, ..training().schedule };
    let how = Training { schedule: falling, ..training() };
    let error = train(&mut Hundred::new(50), &how, &Run::quiet(1, 1)).unwrap_err().to_string();
    assert!(error.contains("cannot learn from a stream by a rate that falls"), "{error}");
    struct Wrong;
    impl Blocks for Wrong {
        fn next(&mut self, _run: &Run) -> Result<Option<Examples>> {
            Ok(Some(Examples { targets: examples(0..3).targets, ..examples(0..4) }))
        }
    }
    let error = train(&mut Wrong, &training(), &Run::quiet(2, 1)).unwrap_err().to_string();
    assert!(error.contains("are 3, of 4 items"), "{error}");
}
