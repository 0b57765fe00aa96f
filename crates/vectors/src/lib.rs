//! Rows with names: exact nearest neighbours, analogies, evaluation, reduced precision, transforms,
//! principal components, files.
#![forbid(unsafe_code)]

mod components;
mod eigen;
mod evaluate;
mod file;
mod quantize;
mod query;
mod rows;
mod search;
mod similarity;
mod top;
mod transform;
mod word_vectors;

pub use components::Components;
pub use eigen::symmetric_eigenvectors;
pub use evaluate::{Analogies, EvaluateOptions, Section, Similarities};
pub use file::{OpenOptions, SaveOptions};
pub use quantize::{Form, quantize, widen};
pub use query::{Item, Query, SearchOptions};
pub use rows::{Precision, Rows, RowsBuilder};
pub use top::Neighbour;
pub use word_vectors::WordVectors;
