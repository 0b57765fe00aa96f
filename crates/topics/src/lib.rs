//! Topics of documents: Latent Dirichlet Allocation (Blei, Ng, Jordan 2003) by collapsed Gibbs sampling
//! (Griffiths, Steyvers 2004, "Finding scientific topics").
//!
//! ```text
//! ids ─▶ grid ─▶ sweeps ─▶ model
//!                rounds;  sampler: dense | sparse;  priors
//! ```
#![forbid(unsafe_code)]

mod checkpoint;
mod coherence;
mod counts;
mod grid;
mod map;
mod mixture;
mod model;
mod priors;
mod rounds;
mod sampler;
mod sweep;
mod train;

pub use checkpoint::Checkpoint;
pub use coherence::{Coherence, coherence};
pub use counts::Counts;
pub use map::{MOST_TOPICS, TopicMap};
pub use mixture::{Folding, Mixtures};
pub use model::Model;
pub use priors::Priors;
pub use train::{Options, Reading, Start, estimate_memory, train};

#[cfg(test)]
mod tests;
