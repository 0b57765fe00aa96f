//! N-gram language models: interpolated modified Kneser-Ney.
//!
//! ```text
//! ids ─▶ text ─▶ levels ─▶ discounts ─▶ estimate ─▶ tables ─▶ Model ─▶ scores, samples, files
//!        KenLM's  n-grams   of each      probabilities,  hashed by
//!        numbers  sorted    order        back-offs       context, word
//! ```
#![forbid(unsafe_code)]

mod arpa;
mod bins;
mod bits;
mod discounts;
mod estimate;
mod evaluate;
mod file;
mod fill;
mod indexed;
mod levels;
mod lines;
mod model;
mod packed;
mod picks;
mod query;
mod room;
mod sample;
mod shares;
mod sorted;
mod table;
#[cfg(test)]
mod tests;
mod text;

pub use estimate::Smoothing;
pub use evaluate::Evaluation;
pub use model::{Estimation, Model, Spelling};
pub use query::{Score, Scorer, State};
pub use room::Room;
pub use sample::{Context, Drawing};
pub use text::{BEGIN, END, UNKNOWN, Vocabulary};
