//! Bytes to arrays with names and back: safetensors, PyTorch's pickles (read only), NumPy, word2vec, GloVe, fastText, projector
//! files.
//!
//! Readers tell formats by content, check every size against the file's length before they
//! allocate, hold a block of rows in memory and no second copy, and name the file and the byte
//! where something is wrong.
#![forbid(unsafe_code)]

pub mod arpa;
mod array;
pub mod fasttext;
mod format;
pub mod glove;
pub mod idx;
mod latents;
mod names;
pub mod npy;
pub mod npz;
mod number;
pub mod projector;
mod rows;
pub mod safetensors;
mod shortest;
mod state_dict;
mod tensors;
pub mod vocabulary;
pub mod word2vec;
mod words;

pub use array::Array;
pub use format::{Format, sniff};
pub use latents::{LatentWriter, Latents};
pub use names::{Check, Labels, Names, NamesPlace};
pub use rows::{GiveRows, Matrix, TakeRows};
pub use state_dict::StateDict;
pub use tensors::{Found, Tensors, open};
pub use words::{InvalidUtf8, ReadOptions};
