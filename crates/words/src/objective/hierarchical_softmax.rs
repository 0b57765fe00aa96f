use inlay_base::SharedRow;
use inlay_kernels::{Output, Simd, Step, add_to_row, exchange_in_turn, fit, prefetch};

use super::{Objective, Predictions, Pupil, Room};
use crate::Huffman;
use crate::lesson::Now;
use crate::view::View;

/// Hierarchical softmax: Morin, Bengio 2005; Mikolov et al. 2013, section 2.1. With the path of
/// inner nodes n to the target and the branch b taken at each (left: +1, right: -1):
///
/// ```text
/// P(t | h) = Π σ(b·u_n·h)          loss = -ln P(t | h)
/// ```
pub struct HierarchicalSoftmax<'a> {
    /// The paths, whose inner nodes number the rows of u: [vocabulary - 1, dimensions].
    pub tree: &'a Huffman,
}

impl Objective for HierarchicalSoftmax<'_> {
    /// As word2vec.c and gensim: where a path goes against all expectation, it is left alone, and
    /// what is certain grows no more.
    #[inline(always)]
    fn reach(&self) -> f32 {
        6.0
    }

    #[inline(always)]
    fn outputs<'v>(&self, target: u32, now: &mut Now<'v, '_>, outputs: &mut Vec<Output<'v>>) {
        self.path(target, now.output, outputs);
    }

    #[inline(always)]
    fn fit<S: Simd>(&self, simd: S, predictions: Predictions<'_, '_>) {
        let Predictions { hidden, columns, pupils, rows, step, ahead, room, .. } = predictions;
        let Room { outputs, gradient, .. } = room;
        ahead.iter().for_each(|&row| prefetch(simd, row));
        let width = hidden.len() / pupils.len();
        gradient.resize(width, 0.0);
        for (hidden, &Pupil { target, row, scale }) in hidden.chunks_exact(width).zip(pupils) {
            self.path(target, rows, outputs);
            fit(simd, hidden, outputs, step, gradient);
            gradient.iter_mut().for_each(|value| *value *= scale);
            add_to_row(simd, row, &gradient[..columns]);
        }
    }

    #[inline(always)]
    fn exchange<S: Simd>(
        simd: S,
        inputs: &[SharedRow<'_>],
        outputs: &[Output<'_>],
        step: Step,
        ahead: &[Output<'_>],
    ) -> f32 {
        exchange_in_turn(simd, inputs, outputs, step, ahead)
    }
}

impl HierarchicalSoftmax<'_> {
    /// Replaces what is in `outputs` by the nodes on the way to a target.
    #[inline(always)]
    fn path<'v>(&self, target: u32, rows: &'v View<'_>, outputs: &mut Vec<Output<'v>>) {
        outputs.clear();
        outputs.extend(self.tree.path(target).map(|branch| Output {
            row: rows.row(branch.node),
            sign: if branch.right { -1.0 } else { 1.0 },
            weight: 1.0,
        }));
    }
}
