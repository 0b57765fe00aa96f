use std::ops::Range;
use std::sync::OnceLock;

use inlay_kernels::{
    Matrix, Plane, Start, Target, Winograd, add_up, convolve, convolve_channels,
    convolve_channels_gradient, convolve_gradient, convolve_winograd,
};
use serde::Deserialize;

use super::windows::{Extent, Frame, Tables, check_channels};
use crate::layer::{Backward, Forward, Layer, Lesson, Places};
use crate::parameter::{Blueprint, Initial, Order};
use crate::shape::{Positions, Shape};

/// Windows over one, two or three axes, each turned by the same weights (Fukushima 1980; LeCun et al.
/// 1989). Over sequences of any length as well, if it has one axis: each ends where it ends, and the
/// next one is not seen.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Convolution<const AXES: usize> {
    /// Values of each position of the output.
    channels: usize,
    kernel: Extent,
    #[serde(default = "Extent::one")]
    stride: Extent,
    /// Zeros at both ends of each axis.
    #[serde(default = "Extent::zero")]
    padding: Extent,
    #[serde(default = "Extent::one")]
    dilation: Extent,
    /// Groups of channels, each of which sees its share of the input's.
    #[serde(default = "super::one")]
    groups: usize,
    /// Whether no position sees a later one of the first axis.
    #[serde(default)]
    causal: bool,
    #[serde(default = "super::yes")]
    bias: bool,
    #[serde(skip)]
    frame: OnceLock<Frame>,
    #[serde(skip)]
    tables: Tables,
}

impl<const AXES: usize> Convolution<AXES> {
    fn new_frame(&self) -> Result<Frame, String> {
        let frame = Frame::new(AXES, &self.kernel, &self.stride, &self.padding, &self.dilation)?;
        if self.causal { frame.causal() } else { Ok(frame) }
    }

    fn frame(&self) -> &Frame {
        self.frame.get_or_init(|| self.new_frame().expect("options that `shape` has checked"))
    }

    /// Whether each channel is convolved by itself.
    fn lone(&self, width: usize) -> bool {
        self.groups == width && self.channels == width
    }

    /// Pictures of windows of 3x3, one beside the other.
    fn plane(&self, input: &Shape) -> Option<Plane> {
        let Positions::Fixed(axes) = &input.positions else { return None };
        let (&[height, width], true) = (axes.as_slice(), self.groups == 1) else { return None };
        let padding = self.frame().padding_of_neighbours(&[3, 3])?;
        Some(Plane { size: (height, width), padding: (padding[0], padding[1]) })
    }

    /// Values of a run of pixels under a window's taps, where pixels are so short that a tap alone is no work.
    fn run(&self, width: usize) -> Option<usize> {
        const SHORT: usize = 12;
        let short = width <= SHORT && self.groups == 1 && !self.lone(width);
        self.frame().run(width).filter(|_| short)
    }

    /// Of a column of the weights: the first of the input's channels that it sees.
    fn first_input(&self, column: usize, width: usize) -> usize {
        column / (self.channels / self.groups) * (width / self.groups)
    }
}

impl<const AXES: usize> Layer for Convolution<AXES> {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        check_channels(input, AXES, self.channels, self.groups)?;
        let positions = self.new_frame()?.positions(&input.positions)?;
        Ok(Shape { positions, ..input.with_width(self.channels) })
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        let frame = self.frame();
        let inputs = input.width / self.groups;
        // Kaiming's uniform with a = √5, which is what PyTorch's layers begin with.
        let initial = Initial::Uniform(1.0 / ((inputs * frame.taps()).max(1) as f32).sqrt());
        let mut shape = vec![self.channels, inputs];
        shape.extend(frame.kernel());
        let groups = if self.lone(input.width) { 1 } else { self.groups };
        let mut weight = Blueprint::grouped("weight", &shape, groups, initial);
        if let (Some(plane), Order::Turned { tiles, .. }) = (self.plane(input), &mut weight.order) {
            *tiles = Winograd::side(plane, inputs, self.channels);
        }
        let mut all = vec![weight];
        if self.bias {
            all.push(Blueprint::vector("bias", self.channels, initial));
        }
        all
    }

    fn places(&self) -> Places {
        Places::Go
    }

    fn rows(&self, rows: usize) -> usize {
        self.frame().rows(rows)
    }

    fn least_rows(&self) -> usize {
        self.frame().least_rows()
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        let frame = self.frame();
        let rows = match frame.positions(&input.positions) {
            Ok(Positions::Fixed(axes)) => axes.iter().product(),
            _ => frame.rows(rows),
        };
        2 * (rows * frame.taps() * (input.width / self.groups) * self.channels) as u64
    }

    fn fuses(&self) -> bool {
        true
    }

    fn adds(&self) -> bool {
        true
    }

    fn takes_scale(&self) -> bool {
        true
    }

    fn reads_packed(&self, parameter: usize, input: &Shape) -> bool {
        parameter == 0 && !self.lone(input.width)
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let (frame, width) = (self.frame(), pass.input.width());
        let rows = (pass.input.rows(), pass.offsets.last().copied().unwrap_or(0));
        let weight = &pass.parameters[0];
        let (kernels, activation) = (pass.kernels, pass.activation);
        let bias = pass.parameters.get(1).map(|bias| bias.whole());
        let added = pass.added;
        let start = |columns: Range<usize>| match &bias {
            Some(bias) if added => Start::Both(&bias.values[columns]),
            Some(bias) => Start::Bias(&bias.values[columns]),
            None if added => Start::Held,
            None => Start::Zero,
        };
        if let (Some(plane), Some(weights)) = (self.plane(pass.input.shape), weight.winograd()) {
            let x = Matrix::new(pass.input.values, rows.0, width);
            let to = Target::new(pass.output, rows.1, self.channels);
            let start = start(0..self.channels);
            return convolve_winograd(kernels, x, plane, weights, start, activation, to, pass.desk);
        }
        if self.lone(width) {
            frame.lay_out(&pass.input.shape.positions, pass.input.offsets, pass.offsets, pass.memo);
            let windows = self.tables.forward(frame, &pass.input.shape.positions, rows, pass.memo);
            for number in 0..weight.pieces() {
                let piece = weight.piece(number);
                let columns = piece.first..piece.first + piece.count;
                let x = pass.input.values.get(piece.first..).unwrap_or_default();
                let x = Matrix::spaced(x, rows.0, piece.count, width);
                let weights = Matrix::new(&piece.values, frame.taps(), piece.count);
                let to = pass.output.get_mut(piece.first..).unwrap_or_default();
                let to = Target::spaced(to, rows.1, piece.count, self.channels);
                convolve_channels(kernels, x, windows, weights, start(columns), activation, to);
            }
            return;
        }
        let (windows, values, count, depth) = match (self.run(width), &pass.input.shape.positions) {
            (Some(run), Positions::Fixed(axes)) => {
                let windows = self.tables.runs(frame, axes);
                let values = frame.pad(axes, &pass.input, pass.memo);
                (windows, values, pass.input.items() * windows.inputs, run)
            }
            (_, positions) => {
                frame.lay_out(positions, pass.input.offsets, pass.offsets, pass.memo);
                let windows = self.tables.forward(frame, positions, rows, pass.memo);
                (windows, pass.input.values, rows.0, width / self.groups)
            }
        };
        for part in weight.parts() {
            let columns = part.columns();
            let x = values.get(self.first_input(columns.start, width)..).unwrap_or_default();
            let x = Matrix::overlapping(x, count, depth, width);
            let to = pass.output.get_mut(columns.start..).unwrap_or_default();
            let to = Target::spaced(to, rows.1, columns.len(), self.channels);
            convolve(kernels, x, windows, part.packed(), start(columns), activation, to, pass.desk);
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let (frame, width) = (self.frame(), pass.input.width());
        let rows = (pass.input.rows(), pass.output.rows());
        frame.lay_out_back(
            &pass.input.shape.positions,
            pass.input.offsets,
            pass.output.offsets,
            pass.memo,
        );
        let weight = &pass.parameters[0];
        for number in 0..weight.pieces() {
            let piece = weight.piece(number);
            let gradient = pass.output_gradient.get(piece.first..).unwrap_or_default();
            let gradient = Matrix::spaced(gradient, rows.1, piece.count, self.channels);
            let first = piece.first.is_multiple_of(self.channels / self.groups);
            let start = if first { Start::Zero } else { Start::Held };
            let to = to.get_mut(self.first_input(piece.first, width)..).unwrap_or_default();
            let (positions, memo) = (&pass.input.shape.positions, &*pass.memo);
            let tables =
                (0..).map_while(|class| self.tables.back(frame, positions, rows, memo, class));
            for windows in tables {
                if self.lone(width) {
                    let to = Target::spaced(to, rows.0, piece.count, width);
                    let weights = Matrix::new(&piece.values, frame.taps(), piece.count);
                    let start = Start::Zero;
                    convolve_channels(pass.kernels, gradient, windows, weights, start, None, to);
                    continue;
                }
                let to = Target::spaced(to, rows.0, width / self.groups, width);
                let weights = piece.packed_back();
                convolve(pass.kernels, gradient, windows, weights, start, None, to, pass.desk);
            }
        }
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        let frame = self.frame();
        for known in &mut *lesson.shards {
            let (width, rows) = (known.input.width(), (known.input.rows(), known.output.rows()));
            let gradient = known.output_gradient.get(lesson.first..).unwrap_or_default();
            if lesson.parameter == 1 {
                add_up(lesson.kernels, gradient, rows.1, self.channels, lesson.gradient);
                continue;
            }
            let windows =
                self.tables.forward(frame, &known.input.shape.positions, rows, known.memo);
            let inputs = width / self.groups;
            if self.lone(width) {
                let x = known.input.values.get(lesson.first..).unwrap_or_default();
                let x = Matrix::spaced(x, rows.0, lesson.count, width);
                let gradient = Matrix::spaced(gradient, rows.1, lesson.count, width);
                let to = Target::new(lesson.gradient, frame.taps(), lesson.count);
                convolve_channels_gradient(lesson.kernels, x, windows, gradient, to);
                continue;
            }
            let x = known.input.values.get(self.first_input(lesson.first, width)..);
            let x = Matrix::spaced(x.unwrap_or_default(), rows.0, inputs, width);
            let gradient = Matrix::spaced(gradient, rows.1, lesson.count, self.channels);
            let to = Target::new(lesson.gradient, frame.taps() * inputs, lesson.count);
            convolve_gradient(lesson.kernels, x, windows, gradient, to, lesson.desk);
        }
    }
}

#[cfg(test)]
mod tests;
