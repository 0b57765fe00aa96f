use inlay_base::{Random, SharedRow};
use inlay_kernels::{Output, SCORES_BESIDE, Simd, Step, learn, learn_softmax};

use crate::view::View;
use crate::{Huffman, NoiseTable};

/// How labels are scored: fastText's four losses.
pub(super) enum Objective {
    /// loss = -ln softmax(y·h)_t
    Softmax,
    /// loss = -Σ ln σ(±y_node·h) on the way to t, + to the right.
    Tree(Huffman),
    /// loss = -ln σ(y_t·h) - Σ ln σ(-y_n·h), with n drawn from P(n) ∝ count(n)^½.
    Noise { table: NoiseTable, negative: usize, labels: usize },
    /// loss = -Σ ln σ(±y_i·h) over all labels i, + for those of the line.
    OneVsAll,
}

/// What a thread works with.
pub(super) struct Scratch<'v> {
    /// The rows of all labels, where all are scored.
    all: Vec<SharedRow<'v>>,
    outputs: Vec<Output<'v>>,
    scores: Vec<f32>,
}

impl<'v> Scratch<'v> {
    pub fn new(rows: &'v View<'_>, count: usize) -> Self {
        let all: Vec<_> = (0..count as u32).map(|row| rows.row(row)).collect();
        let scores = vec![0.0; count + SCORES_BESIDE];
        Self { all, outputs: Vec::new(), scores }
    }
}

impl Objective {
    /// Whether every line changes the rows of all labels.
    pub fn scores_all(&self) -> bool {
        matches!(self, Objective::Softmax | Objective::OneVsAll)
    }

    /// One step of the outputs; what the hidden vector should change by goes to `gradient`. Returns
    /// the loss before the step. Of several labels one is drawn; one versus all takes all.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)] // what a line gives, and what the thread works with
    pub fn learn<'v, S: Simd>(
        &self,
        simd: S,
        hidden: &[f32],
        labels: &[u32],
        weights: Option<&[f32]>,
        rate: f32,
        rows: &'v View<'_>,
        random: &mut Random,
        scratch: &mut Scratch<'v>,
        gradient: &mut [f32],
    ) -> f32 {
        let Scratch { all, outputs, scores } = scratch;
        let weight_of = |label: u32| weights.map_or(1.0, |weights| weights[label as usize]);
        outputs.clear();
        let mut rate = rate;
        if let Objective::OneVsAll = self {
            outputs.extend(all.iter().map(|&row| Output { row, sign: -1.0, weight: 1.0 }));
            for &label in labels {
                outputs[label as usize].sign = 1.0;
                outputs[label as usize].weight = weight_of(label);
            }
        } else {
            let drawn = if labels.len() > 1 { random.below(labels.len() as u32) } else { 0 };
            let target = labels[drawn as usize];
            rate *= weight_of(target);
            match self {
                Objective::Tree(tree) => {
                    outputs.extend(tree.path(target).map(|branch| Output {
                        row: rows.row(branch.node),
                        sign: if branch.right { 1.0 } else { -1.0 },
                        weight: 1.0,
                    }));
                }
                Objective::Noise { table, negative, labels } => {
                    outputs.push(Output { row: rows.row(target), sign: 1.0, weight: 1.0 });
                    let negative = if *labels > 1 { *negative } else { 0 };
                    for _ in 0..negative {
                        let mut noise = table.draw(random);
                        while noise == target {
                            noise = table.draw(random);
                        }
                        let row = rows.row(noise);
                        // A step reads its rows before it writes them: a row twice would lose one.
                        match outputs.iter_mut().find(|o| o.row.as_ptr() == row.as_ptr()) {
                            Some(output) => output.weight += 1.0,
                            None => outputs.push(Output { row, sign: -1.0, weight: 1.0 }),
                        }
                    }
                }
                Objective::Softmax | Objective::OneVsAll => {
                    let target = target as usize;
                    return learn_softmax(simd, hidden, all, target, rate, scores, gradient);
                }
            }
        }
        learn(simd, hidden, outputs, Step { rate, reach: f32::INFINITY }, gradient)
    }
}
