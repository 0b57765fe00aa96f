//! Networks as data: a description in JSON, compiled once into steps over packed rows; training from
//! start to end; any layer's output as vectors; weights under PyTorch's names.
#![forbid(unsafe_code)]

#[cfg(test)]
mod check;
mod data;
mod description;
mod direction;
mod encode;
mod estimate;
mod export;
mod fold;
mod layer;
mod layers;
mod losses;
mod meeting;
mod network;
mod optimizers;
mod parameter;
mod plan;
mod ranking;
mod schedule;
mod shape;
mod shard;
mod train;
mod weights;

pub use data::{Cells, Column, IGNORED, Window};
pub use direction::beginnings;
pub use estimate::Prospect;
pub use losses::{Distance, Distribution, Loss};
pub use network::{Line, Network};
pub use optimizers::Optimizer;
pub use parameter::Parameter;
pub use ranking::area_under_curve;
pub use schedule::{Curve, Schedule};
pub use shape::{Content, Positions, Shape};
pub use train::{Blocks, Checkpoint, Epoch, Evaluation, Examples, Training};
pub use weights::{Keep, Origins, Precision};
