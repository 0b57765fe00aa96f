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
        for (number, part) in self.weight.parts().enumerate() {
            self.ask_for(number + 1, desk);
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
            self.ask_for(number + 1, desk);
            let from = from.get(piece.first..).unwrap_or_default();
            let from = Matrix::spaced(from, self.rows, piece.count, outputs);
            let start = if number == 0 { start } else { Start::Held };
            let to = Target::new(to, self.rows, inputs);
            multiply(self.kernels, from, piece.back(), start, None, to, desk);
        }
    }

    /// The product at hand brings a piece that lies into the second cache, for the next one.
    fn ask_for(&self, number: usize, desk: &mut Desk) {
        if self.weight.lies() && number < self.weight.pieces() {
            desk.want(1, [&self.weight.piece(number).values[..]]);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::{Blueprint, Initial};

    #[test]
    fn a_large_weight_that_lies_gives_the_same_bits_as_a_packed_one() {
        let (kernels, shape) = (Kernels::get(), [1310, 203]);
        let initial = Initial::Uniform(0.1);
        let all =
            [Blueprint::matrix("w", &shape, initial), Blueprint::recurrent("w", &shape, initial)];
        let [lying, packed] = all.map(|blueprint| {
            let mut weight = Parameter::new("w".into(), blueprint);
            weight.begin(inlay_base::Random::new(7, 0));
            weight.prepare(kernels, true);
            weight
        });
        assert!(lying.lies() && !packed.lies() && lying.pieces() > 2);
        assert_eq!((lying.packed_bytes(), lying.get()), (0, packed.get()));
        for rows in [1, 14, 37, 300] {
            let fill = |size| (0..size).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<f32>>();
            let (x, from) = (fill(rows * shape[1]), fill(rows * shape[0]));
            let [one, other] = [&lying, &packed].map(|weight| {
                let linear = Linear { kernels, weight, bias: None, rows };
                let (mut y, mut to) = (fill(from.len()), fill(x.len()));
                let desk = &mut Desk::default();
                linear.forward(&x, &mut y, Some(Activation::Relu), desk);
                linear.backward_from(Start::Held, &from, &mut to, desk);
                (y, to)
            });
            assert_eq!(one, other, "{rows}");
        }
    }
}
