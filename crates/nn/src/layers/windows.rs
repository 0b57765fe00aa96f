//! Windows over the positions of an item: which rows of the input lie under the taps of each row of
//! the output, and the other way round.

use std::sync::OnceLock;

use inlay_kernels::{NOWHERE, Windows};
use serde::Deserialize;

use crate::layer::{Memo, Rows};
use crate::shape::{Positions, Shape};

/// A number for each axis, or one for all of them.
#[derive(Deserialize, Clone)]
#[serde(untagged)]
pub(super) enum Extent {
    All(usize),
    Each(Vec<usize>),
}

impl Extent {
    pub(super) fn one() -> Self {
        Self::All(1)
    }

    pub(super) fn zero() -> Self {
        Self::All(0)
    }

    fn along(&self, axis: usize) -> usize {
        match self {
            Self::All(number) => *number,
            Self::Each(numbers) => numbers.get(axis).copied().unwrap_or(0),
        }
    }

    pub(super) fn of(&self, axes: usize, name: &str) -> Result<Vec<usize>, String> {
        match self {
            Self::All(number) => Ok(vec![*number; axes]),
            Self::Each(numbers) if numbers.len() == axes => Ok(numbers.clone()),
            Self::Each(numbers) => {
                Err(format!("expects a `{name}` of {axes} numbers, got {}", numbers.len()))
            }
        }
    }
}

/// Refuses what a convolution of `axes` axes cannot take, and channels that cannot be cut into groups.
pub(super) fn check_channels(
    input: &Shape,
    axes: usize,
    channels: usize,
    groups: usize,
) -> Result<(), String> {
    input.values()?;
    match &input.positions {
        Positions::Any if axes == 1 => {}
        Positions::Fixed(found) if found.len() == axes => {}
        _ => return Err(format!("expects items of {axes} axes and channels")),
    }
    if channels == 0 || groups == 0 {
        return Err("has no channel".into());
    }
    if !channels.is_multiple_of(groups) || !input.width.is_multiple_of(groups) {
        return Err(format!("cannot cut its channels into {groups} groups"));
    }
    Ok(())
}

/// The size of a window and how it moves, a number for each axis.
pub(super) struct Frame {
    kernel: Vec<usize>,
    stride: Vec<usize>,
    /// Positions before the first one.
    padding: Vec<usize>,
    /// Positions behind the last one.
    behind: Vec<usize>,
    dilation: Vec<usize>,
}

impl Frame {
    pub(super) fn new(
        axes: usize,
        kernel: &Extent,
        stride: &Extent,
        padding: &Extent,
        dilation: &Extent,
    ) -> Result<Self, String> {
        let frame = Self {
            kernel: kernel.of(axes, "kernel")?,
            stride: stride.of(axes, "stride")?,
            padding: padding.of(axes, "padding")?,
            behind: padding.of(axes, "padding")?,
            dilation: dilation.of(axes, "dilation")?,
        };
        for (name, numbers) in
            [("kernel", &frame.kernel), ("stride", &frame.stride), ("dilation", &frame.dilation)]
        {
            if numbers.contains(&0) {
                return Err(format!("expects a `{name}` of 1 or more"));
            }
        }
        let most = 1 << 24;
        let all = [&frame.kernel, &frame.stride, &frame.padding, &frame.dilation];
        if all.iter().any(|numbers| numbers.iter().any(|&number| number > most)) {
            return Err(format!("expects windows of no more than {most} positions"));
        }
        Ok(frame)
    }

    /// Lets no window look ahead along the first axis: each ends at the position that it stands for (van den Oord et al.
    /// 2016, arXiv:1609.03499, figure 2).
    pub(super) fn causal(mut self) -> Result<Self, String> {
        if self.padding[0] > 0 {
            return Err("expects no `padding` along its first axis, where it is causal".into());
        }
        self.padding[0] = self.reach(0) - 1;
        Ok(self)
    }

    pub(super) fn kernel(&self) -> &[usize] {
        &self.kernel
    }

    pub(super) fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// The padding, if a window is of that size and each position has one.
    pub(super) fn padding_of_neighbours(&self, kernel: &[usize]) -> Option<&[usize]> {
        let ones = |numbers: &[usize]| numbers.iter().all(|&number| number == 1);
        let neighbours = self.kernel == kernel && ones(&self.stride) && ones(&self.dilation);
        (neighbours && self.padding == self.behind).then_some(&self.padding)
    }

    /// Whether more than half of a window may lie outside.
    pub(super) fn pads_more_than_half(&self) -> bool {
        self.padding.iter().zip(&self.kernel).any(|(padding, kernel)| 2 * padding > *kernel)
    }

    /// Positions from the first tap to the last.
    fn reach(&self, axis: usize) -> usize {
        self.dilation[axis] * (self.kernel[axis] - 1) + 1
    }

    /// Positions before the first one and behind the last one.
    fn around(&self, axis: usize) -> usize {
        self.padding[axis] + self.behind[axis]
    }

    /// Positions of the output along an axis; where even one window does not fit, none.
    fn outputs_along(&self, axis: usize, inputs: usize) -> usize {
        let whole = inputs + self.around(axis);
        whole.checked_sub(self.reach(axis)).map_or(0, |free| free / self.stride[axis] + 1)
    }

    fn outputs(&self, axes: &[usize]) -> Vec<usize> {
        let along = |(axis, &inputs): (usize, &usize)| self.outputs_along(axis, inputs);
        axes.iter().enumerate().map(along).collect()
    }

    /// Rows that come of a sequence.
    pub(super) fn rows(&self, rows: usize) -> usize {
        self.outputs_along(0, rows)
    }

    /// The least rows of a sequence. One that is empty stays so where a window that lies outside but
    /// for one position is a window.
    pub(super) fn least_rows(&self) -> usize {
        match self.reach(0).saturating_sub(self.around(0)) {
            1 => 0,
            least => least,
        }
    }

    /// The positions that come of some.
    pub(super) fn positions(&self, positions: &Positions) -> Result<Positions, String> {
        let Positions::Fixed(axes) = positions else { return Ok(Positions::Any) };
        let outputs = self.outputs(axes);
        if outputs.contains(&0) {
            let reach: Vec<_> = (0..axes.len()).map(|axis| self.reach(axis)).collect();
            return Err(format!("has a window of {reach:?}, which does not fit"));
        }
        let size = |axes: &[usize]| axes.iter().try_fold(1usize, |size, &n| size.checked_mul(n));
        let all = size(&outputs).and_then(|rows| rows.checked_mul(size(&self.kernel)?));
        match (size(axes), all) {
            (Some(rows), Some(all)) if rows.max(all) < NOWHERE as usize => {
                Ok(Positions::Fixed(outputs))
            }
            _ => Err("has too many windows".into()),
        }
    }

    /// Positions along an axis over which so many windows lie, with some more behind the last one.
    fn inputs_along(&self, axis: usize, outputs: usize, more: usize) -> usize {
        let Some(last) = outputs.checked_sub(1) else { return 0 };
        (last * self.stride[axis] + self.reach(axis) + more).saturating_sub(self.around(axis))
    }

    /// The rows of a sequence over which so many windows lie.
    pub(super) fn rows_back(&self, rows: usize, more: &Extent) -> usize {
        self.inputs_along(0, rows, more.along(0))
    }

    /// The least windows that lie over any row; none are none.
    pub(super) fn least_rows_back(&self, more: &Extent) -> usize {
        let outside = (self.around(0) + 1).saturating_sub(self.reach(0) + more.along(0));
        match outside.div_ceil(self.stride[0]) {
            0 => 0,
            steps => steps + 1,
        }
    }

    /// The positions over which some windows lie: the other way round.
    pub(super) fn positions_back(
        &self,
        positions: &Positions,
        more: &Extent,
    ) -> Result<Positions, String> {
        if (0..self.kernel.len()).any(|axis| more.along(axis) >= self.stride[axis]) {
            return Err("expects an `outputPadding` of less than its `stride`".into());
        }
        let Positions::Fixed(axes) = positions else { return Ok(Positions::Any) };
        let along = |(axis, &rows)| self.inputs_along(axis, rows, more.along(axis));
        let found = Positions::Fixed(axes.iter().enumerate().map(along).collect());
        match self.positions(&found) {
            Ok(back) if back == *positions => Ok(found),
            Ok(_) => Err("has a `padding` that leaves nothing".into()),
            Err(problem) => Err(problem),
        }
    }

    /// What lies under each window of items of one shape.
    pub(super) fn table(&self, axes: &[usize]) -> Table {
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
    pub(super) fn run(&self, channels: usize) -> Option<usize> {
        let (&kernel, &dilation) = (self.kernel.last()?, self.dilation.last()?);
        (kernel > 1 && dilation == 1).then_some(kernel * channels)
    }

    /// Items with the padding of their last axis in place, and room for a run behind the last value.
    pub(super) fn pad<'a>(
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
pub(super) struct Table {
    inputs: usize,
    outputs: usize,
    rows: Vec<u32>,
    taps: Vec<u32>,
    places: Vec<u32>,
}

impl Table {
    pub(super) fn windows(&self) -> Windows<'_> {
        let Self { inputs, outputs, rows, taps, places } = self;
        Windows { inputs: *inputs, outputs: *outputs, rows, taps, places }
    }
}

/// Tables of items of one shape, made when they are first wanted. Those of sequences are made for
/// each batch, in the layer's memo, as if the batch were one item.
#[derive(Default)]
pub(super) struct Tables {
    forward: OnceLock<Table>,
    runs: OnceLock<Table>,
    back: OnceLock<Vec<Table>>,
}

impl Tables {
    /// What lies under each window. Sequences are laid out first: `lay_out`.
    pub(super) fn forward<'a>(
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
    pub(super) fn runs(&self, frame: &Frame, axes: &[usize]) -> Windows<'_> {
        self.runs.get_or_init(|| frame.table_of_runs(axes)).windows()
    }

    /// The windows over each input, of a class after the other.
    pub(super) fn back<'a>(
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
    pub(super) fn lay_out(
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
    pub(super) fn lay_out_back(
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
