//! Pictures and sounds: encoded files to pixels and samples, and pixels to what encoders take.
#![forbid(unsafe_code)]

#[cfg(test)]
mod damage;
mod decode;
mod jpeg;
mod prepare;
mod resize;
mod sound;
#[cfg(test)]
mod tests;
mod video;
mod yuv;

pub use decode::{Pixels, decode};
pub use prepare::{Half, Recipe, Size, fit, prepare};
pub use resize::Filter;
pub use sound::{Sound, Wanted, read_sound};
pub use video::{Film, FilmSpec, Step};
pub use yuv::from_rgb;
