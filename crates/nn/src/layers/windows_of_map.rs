//! Windows of a map, within which rows look at each other (Liu et al. 2021, arXiv:2103.14030).

use inlay_kernels::MapWindows;
use serde::Deserialize;

use crate::shape::{Positions, Shape};

/// Windows of `side` x `side` rows. What each head adds for the distance of two rows of a window, down and across, comes from a
/// file, as `relative_bias` [(2 · side - 1)², heads], and is not learnt.
#[derive(Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowsOfMap {
    pub side: usize,
    /// Rows by which windows begin later, down and across; what is left at the edges are smaller windows.
    #[serde(default)]
    shift: usize,
}

/// What heads add is there for each pair of rows of a window: of wider ones that would be too much.
const WIDEST: usize = 32;

impl WindowsOfMap {
    /// Where they are in items of a shape.
    pub fn of(self, input: &Shape) -> Result<MapWindows, String> {
        let Self { side, shift } = self;
        if !(1..=WIDEST).contains(&side) || shift >= side {
            let problem = format!("windows of a side from 1 to {WIDEST}, and a shift below it");
            return Err(format!("expects {problem}, got {side} and {shift}"));
        }
        match input.positions {
            Positions::Fixed(ref axes) if axes.len() == 2 => {
                Ok(MapWindows::new((axes[0], axes[1]), side, shift))
            }
            _ => Err("expects items of two axes and channels, where it has `mapWindows`".into()),
        }
    }

    /// How many distances two rows of a window may have.
    pub fn distances(self) -> usize {
        (2 * self.side - 1).pow(2)
    }
}
