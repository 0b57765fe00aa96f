use std::sync::OnceLock;

use inlay_kernels::{Matrix, Start, Target, add_up, convolve, convolve_gradient};
use serde::Deserialize;

use super::windows::{Extent, Frame, Tables, check_channels};
use crate::layer::{Backward, Forward, Layer, Lesson, Places};
use crate::parameter::{Blueprint, Initial, Order};
use crate::shape::{Positions, Shape};

/// What a convolution does on its way back (Zeiler et al. 2010): each position of the input is spread
/// over a window of the output. With a stride the output is larger than the input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Transposed<const AXES: usize> {
    /// Values of each position of the output.
    channels: usize,
    kernel: Extent,
    #[serde(default = "Extent::one")]
    stride: Extent,
    /// Positions that are left out at both ends of each axis of the output.
    #[serde(default = "Extent::zero")]
    padding: Extent,
    /// Positions that are added at the end of each axis of the output [output_padding].
    #[serde(default = "Extent::zero", rename = "outputPadding")]
    output_padding: Extent,
    #[serde(default = "Extent::one")]
    dilation: Extent,
    /// Groups of channels, each of which sees its share of the input's.
    #[serde(default = "super::one")]
    groups: usize,
    /// Whether no position is spread over a later one of the first axis.
    #[serde(default)]
    causal: bool,
    #[serde(default = "super::yes")]
    bias: bool,
    #[serde(skip)]
    frame: OnceLock<Frame>,
    /// Of the output: the input of the convolution that this one is the way back of.
    #[serde(skip)]
    positions: OnceLock<Positions>,
    #[serde(skip)]
    tables: Tables,
}

impl<const AXES: usize> Transposed<AXES> {
    fn new_frame(&self) -> Result<Frame, String> {
        self.output_padding.of(AXES, "outputPadding")?;
        let frame = Frame::new(AXES, &self.kernel, &self.stride, &self.padding, &self.dilation)?;
        if self.causal { frame.causal() } else { Ok(frame) }
    }

    fn frame(&self) -> &Frame {
        self.frame.get_or_init(|| self.new_frame().expect("options that `shape` has checked"))
    }

    fn positions(&self, input: &Positions) -> &Positions {
        self.positions.get_or_init(|| {
            let found = self.frame().positions_back(input, &self.output_padding);
            found.expect("a shape that `shape` has checked")
        })
    }

    /// Of an input channel: the first output channel of its group.
    fn first_output(&self, channel: usize, width: usize) -> usize {
        channel / (width / self.groups) * (self.channels / self.groups)
    }
}

impl<const AXES: usize> Layer for Transposed<AXES> {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        check_channels(input, AXES, self.channels, self.groups)?;
        let positions = self.new_frame()?.positions_back(&input.positions, &self.output_padding)?;
        Ok(Shape { positions, ..input.with_width(self.channels) })
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        let frame = self.frame();
        let (taps, outputs) = (frame.taps(), self.channels / self.groups);
        // As PyTorch's begins, which counts the outputs here where a convolution counts its inputs.
        let initial = Initial::Uniform(1.0 / ((outputs * taps).max(1) as f32).sqrt());
        let mut shape = vec![input.width, outputs];
        shape.extend(frame.kernel());
        let mut weight = Blueprint::grouped("weight", &shape, self.groups, initial);
        weight.order =
            Order::Turned { taps, groups: self.groups, back: true, tiles: None, once: false };
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
        self.frame().rows_back(rows, &self.output_padding)
    }

    fn least_rows(&self) -> usize {
        self.frame().least_rows_back(&self.output_padding)
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        let rows = input.rows().unwrap_or(rows);
        2 * (rows * self.frame().taps() * input.width * (self.channels / self.groups)) as u64
    }

    fn fuses(&self) -> bool {
        true
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let (frame, width) = (self.frame(), pass.input.width());
        let rows = (pass.offsets.last().copied().unwrap_or(0), pass.input.rows());
        let positions = self.positions(&pass.input.shape.positions);
        frame.lay_out_back(positions, pass.offsets, pass.input.offsets, pass.memo);
        let bias = pass.parameters.get(1).map(|bias| bias.whole());
        let weight = &pass.parameters[0];
        let (inputs, outputs) = (width / self.groups, self.channels / self.groups);
        // Pieces are cut across input channels: each goes on where the last one of its group ended.
        for number in 0..weight.pieces() {
            let piece = weight.piece(number);
            let to = self.first_output(piece.first, width);
            let start = match &bias {
                _ if !piece.first.is_multiple_of(inputs) => Start::Held,
                Some(bias) => Start::Bias(&bias.values[to..to + outputs]),
                None => Start::Zero,
            };
            let end = (piece.first + piece.count).is_multiple_of(inputs);
            let activation = pass.activation.filter(|_| end);
            let x = pass.input.values.get(piece.first..).unwrap_or_default();
            let x = Matrix::spaced(x, rows.1, piece.count, width);
            let y = pass.output.get_mut(to..).unwrap_or_default();
            let memo = &*pass.memo;
            let tables =
                (0..).map_while(|class| self.tables.back(frame, positions, rows, memo, class));
            for windows in tables {
                let y = Target::spaced(y, rows.0, outputs, self.channels);
                let weights = piece.packed_back();
                convolve(pass.kernels, x, windows, weights, start, activation, y, pass.desk);
            }
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let (frame, width) = (self.frame(), pass.input.width());
        let rows = (pass.output.rows(), pass.input.rows());
        let positions = self.positions(&pass.input.shape.positions);
        frame.lay_out(positions, pass.output.offsets, pass.input.offsets, pass.memo);
        let Some(to) = &mut pass.input_gradient else { return };
        let windows = self.tables.forward(frame, positions, rows, pass.memo);
        let outputs = self.channels / self.groups;
        let weight = &pass.parameters[0];
        for number in 0..weight.pieces() {
            let piece = weight.piece(number);
            let from = self.first_output(piece.first, width);
            let gradient = pass.output_gradient.get(from..).unwrap_or_default();
            let gradient = Matrix::spaced(gradient, rows.0, outputs, self.channels);
            let to = to.get_mut(piece.first..).unwrap_or_default();
            let to = Target::spaced(to, rows.1, piece.count, width);
            let weights = piece.packed();
            convolve(pass.kernels, gradient, windows, weights, Start::Zero, None, to, pass.desk);
        }
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        let frame = self.frame();
        for known in &mut *lesson.shards {
            let (width, rows) = (known.input.width(), (known.output.rows(), known.input.rows()));
            if lesson.parameter == 1 {
                let gradient = known.output_gradient.get(lesson.first..).unwrap_or_default();
                add_up(lesson.kernels, gradient, rows.0, self.channels, lesson.gradient);
                continue;
            }
            let positions = self.positions(&known.input.shape.positions);
            let windows = self.tables.forward(frame, positions, rows, known.memo);
            let outputs = self.channels / self.groups;
            let from = self.first_output(lesson.first, width);
            let gradient = known.output_gradient.get(from..).unwrap_or_default();
            let gradient = Matrix::spaced(gradient, rows.0, outputs, self.channels);
            let x = known.input.values.get(lesson.first..).unwrap_or_default();
            let x = Matrix::spaced(x, rows.1, lesson.count, width);
            let to = Target::new(lesson.gradient, frame.taps() * outputs, lesson.count);
            convolve_gradient(lesson.kernels, gradient, windows, x, to, lesson.desk);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, check};

    /// Options along each of two axes.
    struct Plain {
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        more: [usize; 2],
        dilation: [usize; 2],
        groups: usize,
        channels: usize,
    }

    /// One item, from its definition: each input is spread over its window.
    fn formula(
        plain: &Plain,
        axes: [usize; 2],
        width: usize,
        x: &[f64],
        p: &[Vec<f64>],
    ) -> Vec<f64> {
        let size = |axis: usize| match axes[axis] {
            0 => 0,
            rows => {
                let reach = plain.dilation[axis] * (plain.kernel[axis] - 1) + 1;
                (rows - 1) * plain.stride[axis] + reach + plain.more[axis] - 2 * plain.padding[axis]
            }
        };
        let (height, wide) = (size(0), size(1));
        let (inputs, outputs) = (width / plain.groups, plain.channels / plain.groups);
        let mut y: Vec<f64> = (0..height * wide * plain.channels)
            .map(|at| p.get(1).map_or(0.0, |bias| bias[at % plain.channels]))
            .collect();
        let [kh, kw] = plain.kernel;
        for at in 0..axes[0] * axes[1] * kh * kw {
            let (row, column) = (at / (axes[1] * kh * kw), at / (kh * kw) % axes[1]);
            let (a, b) = (at / kw % kh, at % kw);
            let u = (row * plain.stride[0] + a * plain.dilation[0]).checked_sub(plain.padding[0]);
            let v =
                (column * plain.stride[1] + b * plain.dilation[1]).checked_sub(plain.padding[1]);
            let (Some(u), Some(v)) = (u.filter(|&u| u < height), v.filter(|&v| v < wide)) else {
                continue;
            };
            for (input, output) in (0..width).flat_map(|i| (0..outputs).map(move |o| (i, o))) {
                let weight = p[0][((input * outputs + output) * kh + a) * kw + b];
                let channel = input / inputs * outputs + output;
                y[(u * wide + v) * plain.channels + channel] +=
                    x[(row * axes[1] + column) * width + input] * weight;
            }
        }
        y
    }

    #[test]
    fn pictures_are_spread_with_every_option() {
        let layer = json!({"kind": "conv-transpose2d", "channels": 4, "kernel": [3, 2],
            "stride": [2, 3], "padding": [1, 0], "outputPadding": [1, 2], "dilation": [2, 1],
            "groups": 2});
        let plain = Plain {
            kernel: [3, 2],
            stride: [2, 3],
            padding: [1, 0],
            more: [1, 2],
            dilation: [2, 1],
            groups: 2,
            channels: 4,
        };
        let layers = json!([layer, {"kind": "tanh"}]);
        let case = Case { layers, positions: Some(vec![3, 2]), width: 6, lengths: vec![6; 3] };
        check(&case, |x, p| {
            let items = x.values.chunks(36);
            items.flat_map(|x| formula(&plain, [3, 2], 6, x, p)).map(f64::tanh).collect()
        });
    }

    #[test]
    fn causal_ways_back_are_spread_over_nothing_later() {
        // Zeros before the first position that a convolution would have are as many that are left out here; the end stays.
        let layer = json!({"kind": "conv-transpose2d", "channels": 4, "kernel": [4, 2],
            "stride": [2, 1], "outputPadding": [1, 0], "causal": true});
        let plain = Plain {
            kernel: [4, 2],
            stride: [2, 1],
            padding: [3, 0],
            more: [1 + 3, 0],
            dilation: [1; 2],
            groups: 1,
            channels: 4,
        };
        for rows in [3, 1] {
            let (layers, lengths) = (json!([layer]), vec![2 * rows; 3]);
            let case = Case { layers, positions: Some(vec![rows, 2]), width: 6, lengths };
            check(&case, |x, p| {
                let items = x.values.chunks(12 * rows);
                items.flat_map(|x| formula(&plain, [rows, 2], 6, x, p)).collect()
            });
        }
    }

    #[test]
    fn sequences_are_spread_each_by_itself() {
        let layers = json!([{"kind": "conv-transpose1d", "channels": 3, "kernel": 4, "stride": 2,
            "padding": 1, "bias": false}]);
        let plain = Plain {
            kernel: [1, 4],
            stride: [1, 2],
            padding: [0, 1],
            more: [0; 2],
            dilation: [1; 2],
            groups: 1,
            channels: 3,
        };
        let case = Case { layers, positions: None, width: 40, lengths: vec![3, 1, 0, 7, 2] };
        check(&case, |x, p| {
            let item = |ends: &[usize]| {
                let x = &x.values[ends[0] * 40..ends[1] * 40];
                formula(&plain, [1, ends[1] - ends[0]], 40, x, p)
            };
            x.offsets.windows(2).flat_map(item).collect()
        });
    }
}
