//! Tables of the rows that lie under windows.

use std::sync::OnceLock;

use inlay_kernels::{NOWHERE, Windows};

use super::Frame;
use crate::layer::{Memo, Rows};
use crate::shape::Positions;

impl Frame {
    /// What lies under each window of items of one shape.
    pub(in crate::layers) fn table(&self, axes: &[usize]) -> Table {
        let outputs = self.outputs(axes);
        let (taps, rows) = (self.taps(), outputs.iter().product());
        let mut places = Vec::with_capacity(taps * rows);
        for tap in 0..taps {
            let tap = coordinates(tap, &self.kernel);
            for row in 0..rows {
                let row = coordinates(row, &outputs);
                let place = axes.iter().enumerate().try_fold(0, |place, (axis, &inputs)| {
                    let at = row[axis] * self.stride[axis] + tap[axis] * self.dilation[axis];
                    let at = at.checked_sub(self.padding[axis]).filter(|&at| at < inputs)?;
                    Some(place * inputs + at)
                });
                places.push(place.map_or(NOWHERE, |place| place as u32));
            }
        }
        let inputs = axes.iter().product();
        Table { inputs, outputs: rows, rows: count(rows), taps: count(taps), places }
    }

    /// What lies under each window, where taps along the last axis are one: a run of values, in items with that axis's
    /// padding in place.
    fn table_of_runs(&self, axes: &[usize]) -> Table {
        let outputs = self.outputs(axes);
        let last = axes.len() - 1;
        let (kernel, pitch) = (&self.kernel[..last], self.pitch(axes));
        let (taps, rows) = (kernel.iter().product(), outputs.iter().product());
        let mut places = Vec::with_capacity(taps * rows);
        for tap in 0..taps {
            let tap = coordinates(tap, kernel);
            for row in 0..rows {
                let row = coordinates(row, &outputs);
                let others = axes[..last].iter().enumerate();
                let line = others.clone().try_fold(0, |place, (axis, &inputs)| {
                    let at = row[axis] * self.stride[axis] + tap[axis] * self.dilation[axis];
                    let at = at.checked_sub(self.padding[axis]).filter(|&at| at < inputs)?;
                    Some(place * inputs + at)
                });
                let place = line.map(|line| line * pitch + row[last] * self.stride[last]);
                places.push(place.map_or(NOWHERE, |place| place as u32));
            }
        }
        let inputs = axes[..last].iter().product::<usize>() * pitch;
        Table { inputs, outputs: rows, rows: count(rows), taps: count(taps), places }
    }

    /// Positions of the last axis with its padding.
    fn pitch(&self, axes: &[usize]) -> usize {
        axes.last().map_or(0, |&inputs| inputs + self.around(axes.len() - 1))
    }

    /// Values under the taps of a run of pixels, if they lie side by side.
    pub(in crate::layers) fn run(&self, channels: usize) -> Option<usize> {
        let (&kernel, &dilation) = (self.kernel.last()?, self.dilation.last()?);
        (kernel > 1 && dilation == 1).then_some(kernel * channels)
    }

    /// Items with the padding of their last axis in place, and room for a run behind the last value.
    pub(in crate::layers) fn pad<'a>(
        &self,
        axes: &[usize],
        input: &Rows<'_>,
        memo: &'a mut Memo,
    ) -> &'a [f32] {
        let (pitch, channels) = (self.pitch(axes) * input.width(), input.width());
        let line = axes.last().copied().unwrap_or(0) * channels;
        let before = self.padding.last().copied().unwrap_or(0) * channels;
        let lines = input.values.len() / line.max(1);
        let behind = self.kernel.last().copied().unwrap_or(0) * channels;
        let padded = memo.values(0, lines * pitch + behind);
        for (from, to) in input.values.chunks_exact(line).zip(padded.chunks_exact_mut(pitch)) {
            to[..before].fill(0.0);
            to[before..before + line].copy_from_slice(from);
            to[before + line..].fill(0.0);
        }
        padded
    }

    /// The windows that lie over each input. Inputs that lie alike between the steps of a stride lie
    /// under the same taps: each such class has a table of its own, without the other taps.
    fn tables_back(&self, axes: &[usize]) -> Vec<Table> {
        let outputs = self.outputs(axes);
        let (taps, rows): (usize, usize) = (self.taps(), axes.iter().product());
        let class = |class: usize| {
            let class = coordinates(class, &self.stride);
            let every = 0..axes.len();
            let in_class = |row: &Vec<usize>| {
                let mut all = every.clone();
                all.all(|axis| (row[axis] + self.padding[axis]) % self.stride[axis] == class[axis])
            };
            let of_class = |tap: &Vec<usize>| {
                let mut all = every.clone();
                all.all(|axis| tap[axis] * self.dilation[axis] % self.stride[axis] == class[axis])
            };
            let rows: Vec<u32> = (0..rows as u32)
                .filter(|&row| in_class(&coordinates(row as usize, axes)))
                .collect();
            let taps: Vec<u32> = (0..taps as u32)
                .filter(|&tap| of_class(&coordinates(tap as usize, &self.kernel)))
                .collect();
            let mut places = Vec::with_capacity(rows.len() * taps.len());
            for &tap in &taps {
                let tap = coordinates(tap as usize, &self.kernel);
                for &row in &rows {
                    let row = coordinates(row as usize, axes);
                    let place =
                        outputs.iter().enumerate().try_fold(0, |place, (axis, &outputs)| {
                            let at = row[axis] + self.padding[axis];
                            let at = at.checked_sub(tap[axis] * self.dilation[axis])?;
                            let at = at / self.stride[axis];
                            (at < outputs).then_some(place * outputs + at)
                        });
                    places.push(place.map_or(NOWHERE, |place| place as u32));
                }
            }
            let inputs = outputs.iter().product();
            Table { inputs, outputs: axes.iter().product(), rows, taps, places }
        };
        (0..self.stride.iter().product())
            .map(class)
            .filter(|table| !table.rows.is_empty())
            .collect()
    }
}

fn count(number: usize) -> Vec<u32> {
    (0..number as u32).collect()
}

fn coordinates(mut number: usize, axes: &[usize]) -> Vec<usize> {
    let mut found = vec![0; axes.len()];
    for (at, &length) in found.iter_mut().zip(axes).rev() {
        *at = number % length;
        number /= length;
    }
    found
}

/// Windows with their places.
pub(in crate::layers) struct Table {
    inputs: usize,
    outputs: usize,
    rows: Vec<u32>,
    taps: Vec<u32>,
    places: Vec<u32>,
}

impl Table {
    pub(in crate::layers) fn windows(&self) -> Windows<'_> {
        let Self { inputs, outputs, rows, taps, places } = self;
        Windows { inputs: *inputs, outputs: *outputs, rows, taps, places }
    }
}

/// Tables of items of one shape, made when they are first wanted. Those of sequences are made for
/// each batch, in the layer's memo, as if the batch were one item.
#[derive(Default)]
pub(in crate::layers) struct Tables {
    forward: OnceLock<Table>,
    runs: OnceLock<Table>,
    back: OnceLock<Vec<Table>>,
}

impl Tables {
    /// What lies under each window. Sequences are laid out first: `lay_out`.
    pub(in crate::layers) fn forward<'a>(
        &'a self,
        frame: &Frame,
        positions: &Positions,
        rows: (usize, usize),
        memo: &'a Memo,
    ) -> Windows<'a> {
        match positions {
            Positions::Fixed(axes) => self.forward.get_or_init(|| frame.table(axes)).windows(),
            Positions::Any => of_memo(memo, 0, rows.0, rows.1),
        }
    }

    /// The same of runs, for items of fixed positions that `Frame::pad` has padded.
    pub(in crate::layers) fn runs(&self, frame: &Frame, axes: &[usize]) -> Windows<'_> {
        self.runs.get_or_init(|| frame.table_of_runs(axes)).windows()
    }

    /// The windows over each input, of a class after the other.
    pub(in crate::layers) fn back<'a>(
        &'a self,
        frame: &Frame,
        positions: &Positions,
        rows: (usize, usize),
        memo: &'a Memo,
        class: usize,
    ) -> Option<Windows<'a>> {
        match positions {
            Positions::Fixed(axes) => {
                let tables = self.back.get_or_init(|| frame.tables_back(axes));
                tables.get(class).map(Table::windows)
            }
            Positions::Any => (class == 0).then(|| of_memo(memo, TABLE, rows.1, rows.0)),
        }
    }
}

/// Vectors of places of one table.
const TABLE: usize = 3;

fn of_memo(memo: &Memo, first: usize, inputs: usize, outputs: usize) -> Windows<'_> {
    let [rows, taps, places] = &memo.places[first..first + TABLE] else { unreachable!("laid out") };
    Windows { inputs, outputs, rows, taps, places }
}

impl Frame {
    /// Works out where the windows of sequences lie, whose items begin at `from` and whose windows at
    /// `to`.
    pub(in crate::layers) fn lay_out(
        &self,
        positions: &Positions,
        from: &[usize],
        to: &[usize],
        memo: &mut Memo,
    ) {
        if *positions == Positions::Any {
            let (stride, padding, dilation) = (self.stride[0], self.padding[0], self.dilation[0]);
            self.lay_out_places((from, to), memo, 0, |tap, row| {
                (row * stride + tap * dilation).checked_sub(padding)
            });
        }
    }

    /// Works out which windows lie over the rows of such sequences.
    pub(in crate::layers) fn lay_out_back(
        &self,
        positions: &Positions,
        from: &[usize],
        to: &[usize],
        memo: &mut Memo,
    ) {
        if *positions == Positions::Any {
            let (stride, padding, dilation) = (self.stride[0], self.padding[0], self.dilation[0]);
            self.lay_out_places((to, from), memo, TABLE, |tap, row| {
                let at = (row + padding).checked_sub(tap * dilation)?;
                (at % stride == 0).then_some(at / stride)
            });
        }
    }

    fn lay_out_places(
        &self,
        (from, to): (&[usize], &[usize]),
        memo: &mut Memo,
        first: usize,
        place: impl Fn(usize, usize) -> Option<usize>,
    ) {
        let last = |offsets: &[usize]| offsets.last().copied().unwrap_or(0);
        let (rows, taps) = (last(to), self.taps());
        assert!(last(from).max(rows) < NOWHERE as usize);
        for (number, length) in [rows, taps].into_iter().enumerate() {
            let numbers = memo.places(first + number, length).iter_mut();
            numbers.zip(0..).for_each(|(number, at)| *number = at);
        }
        let mut places = memo.places(first + 2, rows * taps).iter_mut();
        for tap in 0..taps {
            for (from, to) in from.windows(2).zip(to.windows(2)) {
                for (row, to) in (0..to[1] - to[0]).zip(&mut places) {
                    let inside = place(tap, row).filter(|&at| at < from[1] - from[0]);
                    *to = inside.map_or(NOWHERE, |at| (from[0] + at) as u32);
                }
            }
        }
    }
}
