//! Recurrent layers (Elman 1990): a state goes along each sequence, and what is given at a position is
//! the state after it. Cells: long short-term memory and gated recurrent units, with PyTorch's weights.

mod carrying;
mod cell;
#[cfg(test)]
mod tests;
mod track;

use std::marker::PhantomData;
use std::mem;

use inlay_kernels::{Matrix, Start, Target, add_up, multiply};
use serde::Deserialize;

use self::carrying::Carrying;
use self::cell::{Cell, GruCell, LstmCell};
use self::track::{Kept, Moment, Part, Sequences, Track};
use super::dropout;
use crate::layer::{Backward, Forward, Known, Layer, Lesson, Memo, Mode, Stretch};
use crate::parameter::{Blueprint, Initial};
use crate::shape::{Positions, Shape};

/// Hochreiter and Schmidhuber 1997, with the forget gates of Gers et al. 2000.
pub(super) type Lstm = Recurrent<LstmCell>;
/// Cho et al. 2014, arXiv:1406.1078, with the reset gate behind the product.
pub(super) type Gru = Recurrent<GruCell>;

/// Layers on top of each other, each in one direction or in both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub(super) struct Recurrent<C> {
    /// Values of a hidden state.
    units: usize,
    #[serde(default = "super::one")]
    layers: usize,
    /// Whether each layer also goes from the end to the start; its states come behind the others.
    #[serde(default)]
    bidirectional: bool,
    /// The probability with which values between two layers fall in training.
    #[serde(default)]
    dropout: f32,
    #[serde(default = "super::yes")]
    bias: bool,
    #[serde(skip)]
    cell: PhantomData<C>,
}

/// What lies between a layer and the one on top of it.
#[derive(Default)]
struct Between {
    output: Vec<f32>,
    factors: Vec<f32>,
    gradient: Vec<f32>,
}

impl<C: Cell> Recurrent<C> {
    fn directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    /// Values of a row between layers and at the end.
    fn width(&self) -> usize {
        self.directions() * self.units
    }

    /// Parameters of a direction.
    fn each(&self) -> usize {
        if self.bias { 4 } else { 2 }
    }

    fn kept(&self, layer: usize, direction: usize) -> usize {
        3 + 3 * (layer * self.directions() + direction)
    }

    fn between(&self, layer: usize) -> usize {
        self.kept(self.layers, 0) + 3 * layer
    }

    fn take_kept(&self, memo: &mut Memo, number: usize, rows: usize, training: bool) -> Kept {
        let states = if training { rows * self.units } else { 0 };
        let [gates, hidden, aside] =
            take(memo, number, [rows * C::GATES * self.units, states, states]);
        Kept { gates, hidden, aside }
    }

    fn take_moment(&self, memo: &mut Memo, sequences: usize) -> Moment {
        let states = sequences * self.units;
        let [sums, hidden, cell] = take(memo, 0, [states * C::GATES, states, states]);
        Moment { sums, hidden, cell, fresh: true }
    }

    fn take_between(&self, memo: &mut Memo, layer: usize, rows: usize, training: bool) -> Between {
        let size = rows * self.width();
        let random = if training && self.dropout > 0.0 { size } else { 0 };
        let gradient = if training { size } else { 0 };
        let [output, factors, gradient] = take(memo, self.between(layer), [size, random, gradient]);
        Between { output, factors, gradient }
    }

    /// What a layer was given.
    fn input<'a>(&self, known: &Known<'a>, layer: usize) -> &'a [f32] {
        match layer.checked_sub(1) {
            None => known.input.values,
            Some(below) => &known.memo.values[self.between(below)],
        }
    }
}

/// Lists of the memo from a number on, of these lengths; `give` brings them back.
fn take<const COUNT: usize>(
    memo: &mut Memo,
    number: usize,
    lengths: [usize; COUNT],
) -> [Vec<f32>; COUNT] {
    let mut number = number..;
    lengths.map(|length| mem::take(memo.values(number.next().unwrap_or(0), length)))
}

fn give<const COUNT: usize>(memo: &mut Memo, number: usize, lists: [Vec<f32>; COUNT]) {
    for (to, list) in memo.values[number..].iter_mut().zip(lists) {
        *to = list;
    }
}

fn give_kept(memo: &mut Memo, number: usize, kept: Kept) {
    give(memo, number, [kept.gates, kept.hidden, kept.aside]);
}

fn give_between(memo: &mut Memo, number: usize, between: Between) {
    give(memo, number, [between.output, between.factors, between.gradient]);
}

impl<C: Cell> Layer for Recurrent<C> {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if matches!(&input.positions, Positions::Fixed(axes) if axes.len() != 1) {
            return Err("expects sequences: [any, width] or [length, width]".into());
        }
        if self.units == 0 || self.layers == 0 {
            let what = if self.units == 0 { "unit" } else { "layer" };
            return Err(format!("has no {what}"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(format!("expects a dropout from 0 up to 1, got {}", self.dropout));
        }
        if self.dropout > 0.0 && self.layers == 1 {
            return Err("has a dropout between layers, and only one layer".into());
        }
        Ok(input.with_width(self.width()))
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        let initial = Initial::Uniform(1.0 / (self.units as f32).sqrt());
        let gates = C::GATES * self.units;
        let mut all = Vec::new();
        for layer in 0..self.layers {
            let width = if layer == 0 { input.width } else { self.width() };
            for end in ["", "_reverse"].into_iter().take(self.directions()) {
                let (ih, hh) =
                    (format!("weight_ih_l{layer}{end}"), format!("weight_hh_l{layer}{end}"));
                all.push(Blueprint::matrix(&ih, &[gates, width], initial));
                all.push(Blueprint::recurrent(&hh, &[gates, self.units], initial));
                if self.bias {
                    for side in ["ih", "hh"] {
                        let name = format!("bias_{side}_l{layer}{end}");
                        all.push(Blueprint::vector(&name, gates, initial));
                    }
                }
            }
        }
        all
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        let above = (self.layers - 1) * self.width();
        let inputs = input.width + above + self.layers * self.units;
        2 * (rows * self.width() * C::GATES * inputs) as u64
    }

    fn wants_company(&self) -> bool {
        true
    }

    fn takes_windows(&self) -> bool {
        !self.bidirectional
    }

    fn carries(&self) -> usize {
        2 * self.layers * self.units
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let (rows, training) = (pass.input.rows(), pass.mode != Mode::Encode);
        let sequences = pass.offsets.len() - 1;
        let mut order = mem::take(pass.memo.places(0, sequences));
        Sequences::sort(pass.offsets, &mut order);
        let mut moment = self.take_moment(pass.memo, sequences);
        let mut carried = mem::take(&mut pass.memo.carried);
        if pass.stretch == Stretch::First {
            carried.clear();
            carried.resize(sequences * self.carries(), 0.0);
        }
        let mut below: Option<Between> = None;
        for layer in 0..self.layers {
            let carrying = Carrying { stretch: pass.stretch, layer, layers: self.layers };
            let top = layer + 1 == self.layers;
            let mut own = (!top).then(|| self.take_between(pass.memo, layer, rows, training));
            for direction in 0..self.directions() {
                let number = self.kept(layer, direction);
                let mut kept = self.take_kept(pass.memo, number, rows, training);
                let first = self.each() * (layer * self.directions() + direction);
                let track = Track::<C> {
                    kernels: pass.kernels,
                    units: self.units,
                    sequences: Sequences {
                        offsets: pass.offsets,
                        order: &order,
                        reverse: direction == 1,
                    },
                    parameters: &pass.parameters[first..first + self.each()],
                    part: Part { first: direction * self.units, whole: self.width() },
                    cell: PhantomData,
                };
                let input = below.as_ref().map_or(pass.input.values, |below| &below.output);
                let output = own.as_mut().map_or(&mut *pass.output, |own| &mut own.output);
                carrying.take(self.units, &order, &carried, &mut moment);
                track.forward(input, output, &mut kept, &mut moment, pass.desk, training);
                carrying.keep(self.units, &order, &mut carried, &moment);
                give_kept(pass.memo, number, kept);
            }
            if let Some(own) = own.as_mut().filter(|own| !own.factors.is_empty()) {
                let (width, factors) = (self.width(), &mut own.factors);
                // The layers of a node have numbers of their own, beside those of other nodes.
                let mut mode = pass.mode;
                if let Mode::Train { seed, .. } = &mut mode {
                    *seed ^= (layer as u64) << 40;
                }
                dropout::draw(mode, self.dropout, pass.offsets, width, factors);
                dropout::apply(factors, 1, &mut own.output);
            }
            if let Some(below) = mem::replace(&mut below, own) {
                give_between(pass.memo, self.between(layer - 1), below);
            }
        }
        give(pass.memo, 0, [moment.sums, moment.hidden, moment.cell]);
        pass.memo.places[0] = order;
        pass.memo.carried = carried;
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let rows = pass.input.rows();
        let offsets = pass.input.offsets;
        let order = mem::take(&mut pass.memo.places[0]);
        let mut moment = self.take_moment(pass.memo, offsets.len() - 1);
        let mut own: Option<Between> = None;
        for layer in (0..self.layers).rev() {
            let below = layer.checked_sub(1);
            let mut below = below.map(|below| self.take_between(pass.memo, below, rows, true));
            for direction in 0..self.directions() {
                let number = self.kept(layer, direction);
                let mut kept = self.take_kept(pass.memo, number, rows, true);
                let first = self.each() * (layer * self.directions() + direction);
                let track = Track::<C> {
                    kernels: pass.kernels,
                    units: self.units,
                    sequences: Sequences { offsets, order: &order, reverse: direction == 1 },
                    parameters: &pass.parameters[first..first + self.each()],
                    part: Part { first: direction * self.units, whole: self.width() },
                    cell: PhantomData,
                };
                let from = own.as_ref().map_or(&*pass.output_gradient, |own| &own.gradient);
                let start = if direction == 0 { Start::Zero } else { Start::Held };
                let to = match &mut below {
                    Some(below) => Some(&mut below.gradient[..]),
                    None => pass.input_gradient.as_deref_mut(),
                };
                let to = to.map(|to| (to, start));
                track.backward(from, to, &mut kept, &mut moment, pass.desk);
                give_kept(pass.memo, number, kept);
            }
            if let Some(below) = below.as_mut().filter(|below| !below.factors.is_empty()) {
                dropout::apply(&below.factors, 1, &mut below.gradient);
            }
            if let Some(own) = mem::replace(&mut own, below) {
                give_between(pass.memo, self.between(layer), own);
            }
        }
        give(pass.memo, 0, [moment.sums, moment.hidden, moment.cell]);
        pass.memo.places[0] = order;
    }

    fn begins(&self, parameter: usize) -> bool {
        parameter % self.each() < 2
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        let (track, which) = (lesson.parameter / self.each(), lesson.parameter % self.each());
        let (layer, units, gates) = (track / self.directions(), self.units, C::GATES * self.units);
        let number = self.kept(layer, track % self.directions());
        // Columns whose gradient lies with the gates; those of the others lie aside.
        let of_input = which % 2 == 0;
        let shared = if of_input { gates } else { C::SHARED * units };
        let split = shared.saturating_sub(lesson.first).min(lesson.count);
        while let Some(known) = lesson.shards.next() {
            let (rows, start) = (known.input.rows(), lesson.start());
            let [of_gates, hidden, aside] = [0, 1, 2].map(|at| &known.memo.values[number + at]);
            let here = (of_gates, lesson.first, gates, 0..split);
            let beyond = (lesson.first + split).saturating_sub(shared);
            let there = (aside, beyond, units, split..lesson.count);
            for (from, first, whole, columns) in [here, there] {
                if columns.is_empty() {
                    continue;
                }
                let count = columns.len();
                let from = from.get(first..).unwrap_or_default();
                if which >= 2 {
                    add_up(lesson.kernels, from, rows, whole, &mut lesson.gradient[columns]);
                    continue;
                }
                let x = if of_input { self.input(&known, layer) } else { hidden };
                let width = lesson.gradient.len() / lesson.count;
                let x = Matrix::new(x, rows, width).transposed();
                let from = Matrix::spaced(from, rows, count, whole);
                let to = &mut lesson.gradient[columns.start..];
                let to = Target::spaced(to, width, count, lesson.count);
                multiply(lesson.kernels, x, from, start, None, to, lesson.desk);
            }
        }
    }
}
