//! Topics of documents: Latent Dirichlet Allocation (Blei, Ng, Jordan 2003) by collapsed Gibbs sampling
//! (Griffiths, Steyvers 2004, "Finding scientific topics").
//!
//! ```text
//! ids ─▶ grid ─▶ sweeps ─▶ model
//!                sampler: dense | sparse;  priors
//! ```

mod checkpoint;
mod counts;
mod grid;
mod model;
mod priors;
mod sampler;
mod sweep;
mod train;

pub use checkpoint::Checkpoint;
pub use counts::Counts;
pub use model::Model;
pub use priors::Priors;
pub use train::{Options, Reading, Start, train};
