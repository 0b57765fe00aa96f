//! Pictures: encoded files to pixels, and pixels to what encoders take.

mod decode;
mod prepare;
mod resize;
#[cfg(test)]
mod tests;

pub use decode::{Pixels, decode};
pub use prepare::{Recipe, prepare};
pub use resize::Filter;
