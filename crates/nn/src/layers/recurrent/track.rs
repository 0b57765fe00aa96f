//! One direction of one layer, over all sequences of a shard.
//!
//! The longest sequence comes first, so that those that are still alive at a step are the first ones,
//! and their hidden states are the rows of one product. Everything that a position keeps lies where
//! the position is, item after item, so that gradients of weights are chains in the order of items.

use std::marker::PhantomData;

use inlay_kernels::{Desk, Kernels, Start};

use super::super::linear::Linear;
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
    /// Whether both states are zeros before the first step.
    pub fresh: bool,
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

    /// From what the layer is given, [rows, width], and the states of `moment`, to its part of what it
    /// gives and the states after it.
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
        self.linear(0, rows).forward(input, &mut kept.gates, None, desk);
        let Moment { sums, hidden, cell, fresh } = moment;
        for step in 0..self.sequences.longest() {
            let alive = self.sequences.alive(step);
            let now = &mut sums[..alive.len() * gates];
            match step {
                0 if *fresh => self.begin(now),
                _ => self.linear(1, alive.len()).forward(hidden, now, None, desk),
            }
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
        let Moment { sums, hidden, cell, .. } = moment;
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
            // What comes before the first step, or the window, gets no gradient.
            if step > 0 {
                self.linear(1, alive.len()).backward_from(Start::Held, sums, hidden, desk);
            }
        }
        if let Some((to, start)) = input_gradient {
            let linear = self.linear(0, kept.gates.len() / gates);
            linear.backward_from(start, &kept.gates, to, desk);
        }
    }

    /// x·Wᵀ + b for rows of the input (0) or of hidden states (1).
    fn linear(&self, number: usize, rows: usize) -> Linear<'_> {
        let (weight, bias) = (&self.parameters[number], self.parameters.get(2 + number));
        Linear { kernels: self.kernels, weight, bias, rows }
    }

    /// What hidden states of zero give.
    fn begin(&self, sums: &mut [f32]) {
        match self.parameters.get(3).map(Parameter::whole) {
            Some(bias) => sums
                .chunks_exact_mut(bias.values.len())
                .for_each(|sums| sums.copy_from_slice(&bias.values)),
            None => sums.fill(0.0),
        }
    }
}
