//! InfoNCE (van den Oord et al. 2018, arXiv:1807.03748): among the positives of all items of the batch, and
//! the negatives that were given, an item is to find its own.
//!
//! ```text
//! s_ij = cos(a_i, c_j) / temperature      c = p_0, p_1, ..., n_0, n_1, ...
//! loss_i = -ln softmax_j(s_ij)[i]         symmetric: its mean with that of p_i among all a_j
//! ```
//!
//! Each shard works out the rows s of its own items against the candidates of all, and puts down their
//! gradient; of that it reads the columns of its own candidates.

use inlay_kernels::{Desk, Matrix, Start, Target, multiply, softmax};

use super::Judged;
use crate::direction::{direct, direct_back};
use crate::layer::{Mode, Pass};

/// How items look for what is like them.
#[derive(Clone, Copy)]
pub(super) struct Contrast {
    pub temperature: f32,
    pub symmetric: bool,
}

/// Where a shard works out a loss; grows to the largest batch and stays.
#[derive(Default)]
pub struct Room {
    /// The shard's items as vectors of length 1, [examples, parts, width], and how long they were.
    own: Vec<f32>,
    lengths: Vec<f32>,
    /// The gradient by these.
    slopes: Vec<f32>,
    /// Of the whole batch: its items, and all that they are compared with.
    anchors: Vec<f32>,
    candidates: Vec<f32>,
    negatives: Vec<f32>,
    /// Of the shard's items with all candidates; then the gradient by these.
    scores: Vec<f32>,
    /// The gradient by the scores of all items with the shard's candidates.
    columns: Vec<f32>,
}

/// Which part of an example looks for which.
struct Search {
    from: usize,
    to: usize,
    /// What its loss counts.
    weight: f64,
}

/// What is the same in both searches.
struct Table<'a, 'b> {
    contrast: Contrast,
    pass: &'a Pass<'b>,
    /// Items of an example.
    parts: usize,
    /// Examples of the shard.
    examples: usize,
    /// Values of a vector.
    width: usize,
}

impl Contrast {
    /// Adds the losses and, while training, works out the gradient.
    pub fn apply(self, pass: &Pass<'_>, of: Judged<'_>, room: &mut Room, desk: &mut Desk) {
        let Judged { output, parts, gradient, losses } = of;
        let width = output.width() * output.shape.rows().unwrap_or(1);
        let examples = output.items() / parts;
        let table = Table { contrast: self, pass, parts, examples, width };
        room.own.resize(output.values.len(), 0.0);
        room.lengths.resize(output.items(), 0.0);
        let own = room.own.chunks_exact_mut(width).zip(&mut room.lengths);
        for (x, (unit, length)) in output.values.chunks_exact(width).zip(own) {
            *length = direct(x, unit);
        }
        room.slopes.clear();
        room.slopes.resize(output.values.len(), 0.0);
        if !table.gather(room) {
            return;
        }
        let weight = if self.symmetric { 0.5 } else { 1.0 };
        let mut came = table.search(Search { from: 0, to: 1, weight }, losses, room, desk);
        if self.symmetric {
            came = came && table.search(Search { from: 1, to: 0, weight }, losses, room, desk);
        }
        if !came || pass.mode == Mode::Encode {
            return;
        }
        let rows = gradient.chunks_exact_mut(width).zip(&room.lengths);
        let slopes = room.slopes.chunks_exact(width).zip(room.own.chunks_exact(width));
        for ((to, &length), (slope, unit)) in rows.zip(slopes) {
            direct_back(unit, length, slope, to);
        }
    }
}

impl Table<'_, '_> {
    /// The vectors of all items of the batch; `false` if the run has been stopped.
    fn gather(&self, room: &mut Room) -> bool {
        let Room { own, anchors, candidates, negatives, .. } = room;
        [&mut *anchors, candidates, negatives].into_iter().for_each(Vec::clear);
        let came = self.pass.seat.share(own, |units| {
            for example in units.chunks_exact(self.parts * self.width) {
                let (anchor, others) = example.split_at(self.width);
                let (positive, negative) = others.split_at(self.width);
                anchors.extend_from_slice(anchor);
                candidates.extend_from_slice(positive);
                negatives.extend_from_slice(negative);
            }
        });
        candidates.extend_from_slice(negatives);
        came
    }

    /// The shard's items look for their own: losses, and the gradient by all unit vectors of the shard;
    /// `false` if the run has been stopped.
    fn search(
        &self,
        Search { from, to, weight }: Search,
        losses: &mut [f64],
        room: &mut Room,
        desk: &mut Desk,
    ) -> bool {
        let &Self { contrast, pass, parts, examples, width } = self;
        let Room { own, slopes, anchors, candidates, scores, columns, .. } = room;
        let (all, step, first) = (anchors.len() / width, parts * width, pass.first / parts);
        let (asking, asked) = match from {
            0 => (&anchors[..], &candidates[..]),
            // Negatives look for nothing, and nobody's positive looks among them.
            _ => (&candidates[..all * width], &anchors[..]),
        };
        let choices = asked.len() / width;
        let asked = Matrix::new(asked, choices, width);
        let queries = own.get(from * width..).unwrap_or_default();
        let queries = Matrix::spaced(queries, examples, width, step);
        scores.resize(examples * choices, 0.0);
        let of_scores = Target::new(scores, examples, choices);
        let (kernels, turned) = (pass.kernels, asked.transposed());
        multiply(kernels, queries, turned, Start::Zero, None, of_scores, desk);
        let scale = weight / (pass.share.max(1.0) * f64::from(contrast.temperature));
        for (item, row) in scores.chunks_exact_mut(choices).enumerate() {
            row.iter_mut().for_each(|score| *score /= contrast.temperature);
            let wanted = f64::from(row[first + item]);
            let (logarithm, highest) = softmax(kernels, row);
            losses[item * parts] += weight * (f64::from(logarithm) + f64::from(highest) - wanted);
            row[first + item] -= 1.0;
            row.iter_mut().for_each(|slope| *slope *= scale as f32);
        }
        if pass.mode == Mode::Encode {
            return true;
        }
        let mut add = |by: Matrix<'_>, others: Matrix<'_>, part: usize| {
            let slopes = slopes.get_mut(part * width..).unwrap_or_default();
            let slopes = Target::spaced(slopes, examples, width, step);
            multiply(kernels, by, others, Start::Held, None, slopes, desk);
        };
        add(Matrix::new(scores, examples, choices), asked, from);
        // Positives, and behind them negatives.
        let groups = choices / all;
        columns.resize(groups * all * examples, 0.0);
        let mut row = 0;
        let came = pass.seat.share(scores, |scores| {
            for scores in scores.chunks_exact(choices) {
                for group in 0..groups {
                    let of_shard = &scores[group * all + first..][..examples];
                    columns[(group * all + row) * examples..][..examples].copy_from_slice(of_shard);
                }
                row += 1;
            }
        });
        for (group, part) in (0..groups).zip(to..) {
            let by = Matrix::new(&columns[group * all * examples..], all, examples);
            add(by.transposed(), Matrix::new(asking, all, width), part);
        }
        came
    }
}
