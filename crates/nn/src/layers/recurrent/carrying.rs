//! States that go from one window of a sequence to the next: of each item those of all layers, so that
//! items can be cut into shards anew.

#[cfg(test)]
mod tests;

use super::track::Moment;
use crate::layer::Stretch;

/// What is carried of one layer, [items, layers, 2, units]: the hidden state and an LSTM's second one.
#[derive(Clone, Copy)]
pub(super) struct Carrying {
    pub stretch: Stretch,
    pub layer: usize,
    pub layers: usize,
}

impl Carrying {
    /// The states before a window, in the order in which sequences are worked on.
    pub fn take(self, units: usize, order: &[u32], carried: &[f32], moment: &mut Moment) {
        moment.fresh = self.stretch != Stretch::Further;
        if moment.fresh {
            moment.hidden.fill(0.0);
            moment.cell.fill(0.0);
            return;
        }
        let states = moment.hidden.chunks_exact_mut(units).zip(moment.cell.chunks_exact_mut(units));
        for (&item, (hidden, cell)) in order.iter().zip(states) {
            let at = self.of(item, units);
            hidden.copy_from_slice(&carried[at..at + units]);
            cell.copy_from_slice(&carried[at + units..at + 2 * units]);
        }
    }

    /// Keeps those after it.
    pub fn keep(self, units: usize, order: &[u32], carried: &mut [f32], moment: &Moment) {
        if self.stretch == Stretch::Whole {
            return;
        }
        let states = moment.hidden.chunks_exact(units).zip(moment.cell.chunks_exact(units));
        for (&item, (hidden, cell)) in order.iter().zip(states) {
            let at = self.of(item, units);
            carried[at..at + units].copy_from_slice(hidden);
            carried[at + units..at + 2 * units].copy_from_slice(cell);
        }
    }

    fn of(self, item: u32, units: usize) -> usize {
        2 * units * (item as usize * self.layers + self.layer)
    }
}
