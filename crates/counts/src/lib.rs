//! Texts by what they hold: how often terms occur, what they weigh, which documents are nearest.
//!
//! ```text
//! texts ─▶ terms ─▶ numbers and counts by thread ─▶ vocabulary ─▶ sparse rows ─▶ cosines, BM25, SVD
//! ```
#![forbid(unsafe_code)]

mod bm25;
mod counting;
mod hashing;
mod placing;
mod similar;
mod sparse;
mod svd;
mod terms;
mod vectorizer;
mod vocabulary;
mod weighting;

pub use bm25::{Bm25, Saturation};
pub use similar::{Inverted, Near};
pub use sparse::{Row, SparseMatrix};
pub use svd::{SvdOptions, TruncatedSvd};
pub use terms::{Analysis, Unit};
pub use vectorizer::{Options, Vectorizer};
pub use vocabulary::Limits;
pub use weighting::{Norm, Weighting};
