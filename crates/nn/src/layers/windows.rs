//! Windows over the positions of an item: which rows of the input lie under the taps of each row of
//! the output, and the other way round.

mod tables;

use inlay_kernels::NOWHERE;
use serde::Deserialize;

pub(super) use self::tables::Tables;
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
}
