//! Attention with products of numbers of 16 bits, forward only: keys and values of a head become panels once, and its
//! queries meet them some at a time.

use super::weights::Share;
use super::{Attention, QUERIES};
use crate::halves::{Halves, Panels, Rows};
use crate::{Desk, Kernels, Matrix, Target};

/// What a head's queries, keys, values and weights are turned into; used again and again.
#[derive(Default)]
pub(crate) struct Room {
    queries: Rows,
    keys: Panels,
    values: Panels,
    weights: Rows,
}

impl Attention<'_> {
    /// Those that `forward` may work with.
    pub(super) fn halves(&self, kernels: Kernels) -> Option<Halves> {
        let sees_all = !self.causal && self.window.is_none();
        let may = self.narrow && sees_all && self.within.is_none() && self.pairs.is_empty();
        Halves::of(kernels).filter(|_| may)
    }

    /// As `forward`.
    pub(super) fn forward_narrow(
        &self,
        halves: Halves,
        kernels: Kernels,
        projected: &[f32],
        (output, logarithms): (Target<'_>, Target<'_>),
        scratch: &mut [f32],
        desk: &mut Desk,
    ) {
        let length = output.rows();
        let look = |head: usize, scores: &mut [f32], room: &mut Room| {
            halves.transposed(self.part(projected, 1, head, 0, length), &mut room.keys);
            halves.columns(self.part(projected, 2, head, 0, length), &mut room.values);
            for block in self.blocks_of(head, length) {
                // SAFETY: each block has queries of a head of its own, and is looked at once.
                let (mut output, mut logarithms) =
                    unsafe { self.own(&output, &logarithms, &block) };
                let scores = &mut scores[..block.queries * length];
                let queries = self.part(projected, 0, head, block.first, block.queries);
                halves.rows(queries, &mut room.queries);
                let to = Target::new(scores, block.queries, length);
                halves.multiply(&room.queries, &room.keys, to);
                let shares = self.weigh(kernels, &block, scores, logarithms.values(0));
                halves.rows(Matrix::new(scores, block.queries, length), &mut room.weights);
                halves.multiply(&room.weights, &room.values, output.again());
                kernels.run(Share { shares: &shares[..block.queries], output });
            }
        };
        match desk.crew_for(2 * length * length * self.heads * self.width) {
            Some(crew) => crew.each(self.heads, &|head| {
                let mut scores = vec![0.0; QUERIES.min(length) * length];
                look(head, &mut scores, &mut Room::default());
            }),
            None => (0..self.heads).for_each(|head| look(head, scratch, &mut desk.narrow)),
        }
    }
}
