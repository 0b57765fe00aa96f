//! Word vectors: what predicts what (`context`) x how a prediction is scored (`objective`), in one
//! loop over a corpus (`train`, `walk`).

mod context;
mod huffman;
mod noise;
mod objective;
mod progress;
mod schedule;
mod shards;
mod subsample;
mod train;
mod view;
mod walk;
pub mod word2vec;

pub use schedule::Curve;

use huffman::Huffman;
use noise::NoiseTable;
use schedule::Schedule;
use subsample::Subsample;
