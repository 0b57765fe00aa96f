//! GloVe: Pennington, Socher, Manning 2014, "GloVe: Global Vectors for Word Representation",
//! equation 8, as the authors' C tool trains it.
//!
//! ```text
//! ids ─▶ counting ─▶ merge ─▶ Cooccurrence ─▶ shuffle ─▶ descent ─▶ Model
//!        tables,     sorted   (pair, count)   by seed    AdaGrad
//!        runs        runs
//! ```

mod checkpoint;
mod cooccurrence;
mod counting;
mod descent;
mod merge;
mod model;
mod parameters;
mod shuffle;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use inlay_base::{Result, Run};
use serde::{Deserialize, Serialize};

use crate::Checkpoint;

pub use cooccurrence::{Cooccurrence, Counting};
pub use model::Model;
pub use parameters::estimate_memory;

use crate::progress::Standing;
use descent::Pause;
use parameters::Parameters;

/// Which vectors are the model's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chosen {
    /// The sum of a word's two vectors.
    Both,
    /// The vectors as words.
    Word,
    /// The vectors as contexts.
    Context,
}

/// What the caller chooses; everything here decides the vectors. Limits are the caller's to check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// Values in a vector.
    pub dimensions: usize,
    /// Passes over the pairs.
    pub epochs: usize,
    /// Of AdaGrad.
    pub learning_rate: f64,
    /// Pairs that meet more often weigh 1.
    pub x_max: f64,
    /// Others weigh (x / xMax)^alpha.
    pub alpha: f64,
    /// Which vectors are the model's.
    pub vectors: Chosen,
    /// Whether the vector of `<unk>`, the mean of the rarest words, comes last.
    pub unknown: bool,
}

/// Where what does not fit into memory goes, and how much memory there is for counts and pairs.
#[derive(Debug, Clone)]
pub struct Room {
    /// Bytes, for all threads.
    pub memory: u64,
    /// Of temporary files; `None`: the system's.
    pub directory: Option<PathBuf>,
}

/// Trains on pairs. The bytes depend on the seed alone where `run` has one thread.
///
/// # Errors
/// - `InvalidInput`: a record that is none; the vocabulary has `<unk>` where a vector of that name
///   is asked for.
/// - `InvalidOption`: a checkpoint of another training.
/// - `OutOfMemory`, `DiskFull`; `Diverged`; what writing the checkpoint meets.
/// - `Aborted`: with a checkpoint, after it is written.
pub fn train(
    pairs: &Cooccurrence,
    options: &Options,
    room: &Room,
    checkpoint: Option<&Checkpoint>,
    run: &Run,
) -> Result<Model> {
    model::check_unknown(pairs.names(), options)?;
    let mut parameters = Parameters::new(pairs.names().len(), options.dimensions, run)?;
    let shuffled = shuffle::shuffle(pairs, room, run)?;
    let conditions = checkpoint::conditions(options, shuffled.fingerprint, run.seed());
    let resumed = match checkpoint {
        Some(checkpoint) => {
            checkpoint::read(checkpoint, &conditions, &mut parameters, options.epochs)?
        }
        None => None,
    };
    let standing = resumed.unwrap_or_else(|| Standing::start(options.epochs));
    let mut save = |standing: &Standing| match checkpoint {
        Some(checkpoint) => {
            checkpoint::write(checkpoint, &conditions, pairs.names(), &parameters, standing)
        }
        None => Ok(()),
    };
    let pause = checkpoint.map(|checkpoint| Pause { every: checkpoint.every, save: &mut save });
    let losses = descent::train(&shuffled, options, &parameters, standing, pause, run)?;
    drop(shuffled);
    Model::of_parameters(pairs, &parameters, options.clone(), losses, run)
}
