//! Bytes to arrays with names and back: safetensors, NumPy, word2vec, GloVe, projector files.
//!
//! Readers tell formats by content, check every size against the file's length before they
//! allocate, and name the file and the byte where something is wrong.

mod array;
mod names;
pub mod safetensors;

pub use array::Array;
pub use names::{Names, NamesPlace};
