//! Pixels, samples and frames to patches and back, spectrograms, and what stands for the place of a patch.
//!
//! Everything that is cut is a volume [time, rows, columns, channels]: a picture has one frame, a spectrogram a
//! row for each of its frames and a column for each of its bands, samples one row.
#![forbid(unsafe_code)]

mod channels;
mod cut;
mod element;
mod grid;
mod mel;
mod memory;
mod places;
mod restore;
mod sound;
mod spectrogram;
mod views;

pub use channels::{convert, squared_difference};
pub use cut::{Tokens, Volume, cut};
pub use element::Element;
pub use grid::{Cut, Edge, Grid};
pub use mel::{Mel, MelScale};
pub use memory::{Bytes, Memory};
pub use places::add_places;
pub use restore::{Pieces, restore};
pub use sound::{Short, Sound, fit};
pub use spectrogram::{Logarithm, Padding, Spectrogram, spectrogram};
pub use views::views;
