//! One direction of one layer, over all sequences of a shard.
//!
//! The longest sequence comes first, so that those that are still alive at a step are the first ones,
//! and their hidden states are the rows of one product. Everything that a position keeps lies where
//! the position is, item after item, so that gradients of weights are chains in the order of items.

use std::marker::PhantomData;

use inlay_kernels::{Desk, Kernels, Matrix, Second, Start, Target, multiply};

use super::cell::{Back, Cell, Step};
use crate::parameter::Parameter;

/// The sequences of a shard, in the order in which they are worked on.
#[derive(Clone, Copy)]
pub(super) struct Sequences<'a> {
    /// Where each item's rows begin, and where the last one's end.
    pub offsets: &'a [usize],
    /// The items, longest first.
    pub order: &'a [u32],
    /// Whether the last position comes first.
    pub reverse: bool,
}

impl Sequences<'_> {
    /// Puts items into their order.
    pub fn sort(offsets: &[usize], order: &mut [u32]) {
        order.iter_mut().zip(0..).for_each(|(item, number)| *item = number);
        let length = |item: u32| offsets[item as usize + 1] - offsets[item as usize];
        order.sort_unstable_by_key(|&item| (std::cmp::Reverse(length(item)), item));
    }

    fn length(&self, item: u32) -> usize {
        self.offsets[item as usize + 1] - self.offsets[item as usize]
    }

    fn longest(&self) -> usize {
        self.order.first().map_or(0, |&item| self.length(item))
    }

    /// Items that have a step of this number.
    fn alive(&self, step: usize) -> &[u32] {
        &self.order[..self.order.partition_point(|&item| self.length(item) > step)]
    }

    /// Where an item's step is.
    fn row(&self, item: u32, step: usize) -> usize {
        match self.reverse {
            false => self.offsets[item as usize] + step,
            true => self.offsets[item as usize + 1] - 1 - step,
        }
    }
}

/// What a direction keeps at each position, from its way forward to the gradients of its parameters.
#[derive(Default)]
pub(super) struct Kept {
    /// [rows, gates x units]: what the input gives, then what the functions give, then gradients.
    pub gates: Vec<f32>,
    /// [rows, units]: the hidden state before each step. In training.
    pub hidden: Vec<f32>,
    /// [rows, units], as the cell says. In training.
    pub aside: Vec<f32>,
}

/// What lasts for a step: a row for each sequence that is alive.
#[derive(Default)]
pub(super) struct Moment {
    /// [sequences, gates x units]
    pub sums: Vec<f32>,
    /// [sequences, units]: the hidden state, or its gradient.
    pub hidden: Vec<f32>,
    /// The same for an LSTM's second state.
    pub cell: Vec<f32>,
}

/// Values of a row among those of a wider one.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub first: usize,
    pub whole: usize,
}

impl Part {
    fn of(self, row: usize, count: usize) -> std::ops::Range<usize> {
        let first = row * self.whole + self.first;
        first..first + count
    }
}

/// One direction of one layer.
pub(super) struct Track<'a, C> {
    pub kernels: Kernels,
    pub units: usize,
    pub sequences: Sequences<'a>,
    /// weight_ih, weight_hh and, if there are biases, bias_ih and bias_hh.
    pub parameters: &'a [Parameter],
    /// Where its units are in a row of what the layer gives.
    pub part: Part,
    pub cell: PhantomData<C>,
}

impl<C: Cell> Track<'_, C> {
    fn gates(&self) -> usize {
        C::GATES * self.units
    }

    /// From what the layer is given, [rows, width], to its part of what it gives.
    pub fn forward(
        &self,
        input: &[f32],
        output: &mut [f32],
        kept: &mut Kept,
        moment: &mut Moment,
        desk: &mut Desk,
        training: bool,
    ) {
        let (units, gates) = (self.units, self.gates());
        let rows = kept.gates.len() / gates;
        if rows == 0 {
            return;
        }
        let x = Matrix::new(input, rows, input.len() / rows);
        self.product(Some(x), 0, &mut kept.gates, desk);
        let Moment { sums, hidden, cell } = moment;
        hidden.fill(0.0);
        cell.fill(0.0);
        for step in 0..self.sequences.longest() {
            let alive = self.sequences.alive(step);
            // The first hidden states are zero.
            let states = (step > 0).then(|| Matrix::new(hidden, alive.len(), units));
            self.product(states, 1, &mut sums[..alive.len() * gates], desk);
            let states = hidden.chunks_exact_mut(units).zip(cell.chunks_exact_mut(units));
            for ((&item, sums), (hidden, cell)) in
                alive.iter().zip(sums.chunks_exact(gates)).zip(states)
            {
                let row = self.sequences.row(item, step);
                let here = row * units..(row + 1) * units;
                if training {
                    kept.hidden[here.clone()].copy_from_slice(hidden);
                }
                let gates = &mut kept.gates[row * gates..(row + 1) * gates];
                let aside = if training { Some(&mut kept.aside[here]) } else { None };
                C::step(self.kernels, Step { gates, sums, hidden, cell, aside });
                output[self.part.of(row, units)].copy_from_slice(hidden);
            }
        }
    }

    /// From the gradient of what the layer gave to that of what it was given, which it writes, or adds
    /// to if another direction has been there.
    pub fn backward(
        &self,
        output_gradient: &[f32],
        input_gradient: Option<(&mut [f32], Start<'_>)>,
        kept: &mut Kept,
        moment: &mut Moment,
        desk: &mut Desk,
    ) {
        let (units, gates) = (self.units, self.gates());
        let Moment { sums, hidden, cell } = moment;
        // A sequence that is not alive yet, on the way back, has no gradient from the step after.
        hidden.fill(0.0);
        cell.fill(0.0);
        for step in (0..self.sequences.longest()).rev() {
            let alive = self.sequences.alive(step);
            let states = hidden.chunks_exact_mut(units).zip(cell.chunks_exact_mut(units));
            for ((&item, sums), (hidden_gradient, cell_gradient)) in
                alive.iter().zip(sums.chunks_exact_mut(gates)).zip(states)
            {
                let row = self.sequences.row(item, step);
                let here = row * units..(row + 1) * units;
                let back = Back {
                    gates: &mut kept.gates[row * gates..(row + 1) * gates],
                    aside: &mut kept.aside[here.clone()],
                    hidden: &kept.hidden[here],
                    output_gradient: &output_gradient[self.part.of(row, units)],
                    hidden_gradient,
                    cell_gradient,
                    sums,
                };
                C::back(self.kernels, back);
            }
            if step > 0 {
                let states = &mut hidden[..alive.len() * units];
                self.product_back(sums, alive.len(), 1, Start::Held, states, desk);
            }
        }
        if let Some((to, start)) = input_gradient {
            self.product_back(&kept.gates, kept.gates.len() / gates, 0, start, to, desk);
        }
    }

    /// x·Wᵀ + b, of the input or of the hidden state; without x, b.
    fn product(&self, x: Option<Matrix<'_>>, number: usize, to: &mut [f32], desk: &mut Desk) {
        let (gates, weight) = (self.gates(), &self.parameters[number]);
        let rows = to.len() / gates;
        let bias = self.parameters.get(2 + number).map(Parameter::whole);
        for number in 0..weight.pieces() {
            let piece = weight.piece(number);
            let start = match &bias {
                Some(bias) => Start::Bias(&bias.values[piece.first..piece.first + piece.count]),
                None => Start::Zero,
            };
            let to = to.get_mut(piece.first..).unwrap_or_default();
            let to = Target::spaced(to, rows, piece.count, gates);
            let (x, weight) = match x {
                Some(x) => (x, Second::Packed(piece.packed())),
                None => (Matrix::new(&[], rows, 0), Matrix::new(&[], 0, piece.count).into()),
            };
            multiply(self.kernels, x, weight, start, None, to, desk);
        }
    }

    /// The gradient of x.
    fn product_back(
        &self,
        from: &[f32],
        rows: usize,
        number: usize,
        start: Start<'_>,
        to: &mut [f32],
        desk: &mut Desk,
    ) {
        let (gates, weight) = (self.gates(), &self.parameters[number]);
        if rows == 0 {
            return;
        }
        let width = to.len() / rows;
        for number in 0..weight.pieces() {
            let piece = weight.piece(number);
            let start = if number == 0 { start } else { Start::Held };
            let from = Matrix::spaced(&from[piece.first..], rows, piece.count, gates);
            let to = Target::new(to, rows, width);
            multiply(self.kernels, from, piece.packed_back(), start, None, to, desk);
        }
    }
}
