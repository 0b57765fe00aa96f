use std::sync::OnceLock;

use inlay_kernels::Windows;

use super::windows::{Extent, Frame, Tables};
use crate::layer::{Forward, Memo, Rows};
use crate::shape::{Positions, Shape};

/// The windows of a layer that pools: known once its `shape` was asked for.
#[derive(Default)]
pub(super) struct Pooling {
    frame: OnceLock<Frame>,
    tables: Tables,
}

impl Pooling {
    /// What comes of `input`.
    pub(super) fn shape(
        &self,
        input: &Shape,
        kernel: &Extent,
        stride: Option<&Extent>,
        padding: &Extent,
    ) -> Result<Shape, String> {
        input.values()?;
        let axes = match &input.positions {
            Positions::Any => 1,
            Positions::Fixed(axes) => axes.len(),
        };
        if axes == 0 {
            return Err("expects items of one axis or more".into());
        }
        let frame = Frame::new(axes, kernel, stride.unwrap_or(kernel), padding, &Extent::one())?;
        if frame.pads_more_than_half() {
            return Err("expects a `padding` of at most half of its `kernel`".into());
        }
        let positions = frame.positions(&input.positions)?;
        self.frame.get_or_init(|| frame);
        Ok(Shape { positions, ..input.clone() })
    }

    pub(super) fn frame(&self) -> &Frame {
        self.frame.get().expect("a layer whose `shape` was asked for")
    }

    /// Makes the tables of a shard's sequences, which `windows` reads.
    pub(super) fn lay_out(&self, pass: &mut Forward<'_>) {
        let Forward { input, offsets, memo, .. } = pass;
        self.frame().lay_out(&input.shape.positions, input.offsets, offsets, memo);
    }

    /// What lies under each window of a shard.
    pub(super) fn windows<'a>(
        &'a self,
        input: Rows<'a>,
        outputs: usize,
        memo: &'a Memo,
    ) -> Windows<'a> {
        let rows = (input.rows(), outputs);
        self.tables.forward(self.frame(), &input.shape.positions, rows, memo)
    }
}
