//! Word vectors: what predicts what (`context`) x how a prediction is scored (`objective`), in one
//! loop over a corpus (`train`, `lesson`). And texts by the vectors of their words (`sentences`) or tokens
//! (`static_encoder`).
#![forbid(unsafe_code)]

mod checkpoint;
pub mod classifier;
mod company;
mod context;
pub mod doc2vec;
pub mod fasttext;
pub mod glove;
mod group;
mod lesson;
mod noise;
mod objective;
pub mod product_quantizer;
mod progress;
mod schedule;
pub mod sentences;
mod shards;
mod sight;
pub mod static_encoder;
mod subsample;
pub mod subwords;
mod tensors;
mod train;
mod view;
mod window;
pub mod word2vec;

pub use checkpoint::Checkpoint;
pub use schedule::Curve;

use inlay_base::Huffman;
use noise::{Drawn, NoiseTable};
use schedule::Schedule;
use subsample::Subsample;
