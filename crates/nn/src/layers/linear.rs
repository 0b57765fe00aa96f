//! Products with a weight of PyTorch's [outputs, inputs], piece by piece: dense layers, and what goes
//! into attention and comes out of it.

use inlay_kernels::{
    Activation, Desk, Kernels, Matrix, Start, Target, add_up, multiply, multiply_bytes,
};

use crate::layer::Lesson;
use crate::parameter::Parameter;

/// y = x·Wᵀ + b for some rows.
pub(super) struct Linear<'a> {
    pub kernels: Kernels,
    pub weight: &'a Parameter,
    pub bias: Option<&'a Parameter>,
    pub rows: usize,
}

impl Linear<'_> {
    fn widths(&self) -> (usize, usize) {
        let shape = &self.weight.blueprint.shape;
        (shape[1], shape[0])
    }

    /// From x to y, and a function of each value.
    pub fn forward(
        &self,
        x: &[f32],
        y: &mut [f32],
        activation: Option<Activation>,
        desk: &mut Desk,
    ) {
        let (inputs, outputs) = self.widths();
        let x = Matrix::new(x, self.rows, inputs);
        let bias = self.bias.map(Parameter::whole);
        if let Some(weight) = self.weight.bytes() {
            let bias = bias.as_ref().map(|bias| &bias.values[..]);
            let to = Target::new(y, self.rows, outputs);
            return multiply_bytes(x, weight, bias, activation, to, desk);
        }
        for part in self.weight.parts() {
            let columns = part.columns();
            let start = match &bias {
                Some(bias) => Start::Bias(&bias.values[columns.clone()]),
                None => Start::Zero,
            };
            let to = y.get_mut(columns.start..).unwrap_or_default();
            let to = Target::spaced(to, self.rows, columns.len(), outputs);
            multiply(self.kernels, x, part.matrix(), start, activation, to, desk);
        }
    }

    /// From the gradient by y to that by x.
    pub fn backward(&self, from: &[f32], to: &mut [f32], desk: &mut Desk) {
        self.backward_from(Start::Zero, from, to, desk);
    }

    /// The same, from what `to` begins with.
    pub fn backward_from(&self, start: Start<'_>, from: &[f32], to: &mut [f32], desk: &mut Desk) {
        let (inputs, outputs) = self.widths();
        for number in 0..self.weight.pieces() {
            let piece = self.weight.piece(number);
            let from = from.get(piece.first..).unwrap_or_default();
            let from = Matrix::spaced(from, self.rows, piece.count, outputs);
            let start = if number == 0 { start } else { Start::Held };
            let to = Target::new(to, self.rows, inputs);
            multiply(self.kernels, from, piece.packed_back(), start, None, to, desk);
        }
    }
}

/// A shard's part of the gradient of a piece of W: from x [rows, inputs] and the gradient by y [rows,
/// outputs].
pub(super) fn learn_weight(
    lesson: &mut Lesson<'_>,
    x: &[f32],
    from: &[f32],
    (rows, inputs, outputs): (usize, usize, usize),
) {
    let x = Matrix::new(x, rows, inputs).transposed();
    let from = from.get(lesson.first..).unwrap_or_default();
    let from = Matrix::spaced(from, rows, lesson.count, outputs);
    let start = lesson.start();
    let to = Target::new(lesson.gradient, inputs, lesson.count);
    multiply(lesson.kernels, x, from, start, None, to, lesson.desk);
}

/// The same for b.
pub(super) fn learn_bias(lesson: &mut Lesson<'_>, from: &[f32], rows: usize, outputs: usize) {
    let from = from.get(lesson.first..).unwrap_or_default();
    add_up(lesson.kernels, from, rows, outputs, lesson.gradient);
}
