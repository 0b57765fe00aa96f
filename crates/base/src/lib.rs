//! What every long computation shares: errors, the run contract, threads, random numbers, memory.

mod atomic_file;
mod barrier;
mod crew;
mod error;
mod huffman;
mod map;
mod matrix;
mod pages;
mod panic;
mod patience;
mod pool;
mod priority;
mod random;
mod run;
mod shared;
pub mod threads;
mod trim;

pub use atomic_file::AtomicFile;
pub use barrier::Barrier;
pub use crew::Crew;
pub use error::{Error, Result, Value};
pub use huffman::{Branch, Huffman};
pub use map::Map;
pub use matrix::{SharedMatrix, SharedRow};
pub use pages::Pages;
pub use panic::guard;
pub use patience::Patience;
pub use pool::{AtPriority, Pool, Priority, Workers};
pub use priority::yield_to_others;
pub use random::Random;
pub use run::{Progress, Run};
pub use shared::Shared;
pub use threads::processors;
pub use trim::trim;
