use inlay_kernels::add;
use serde::Deserialize;

use crate::layer::{Backward, Forward, Known, Layer, Lesson};
use crate::parameter::{Blueprint, Initial, Order};
use crate::shape::{Content, Shape};

/// A row of a table for each id.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Embedding {
    /// Rows: ids are below it.
    values: usize,
    dimensions: usize,
    /// The standard deviation of its first values. PyTorch's is 1.
    #[serde(default = "one")]
    deviation: f32,
}

fn one() -> f32 {
    1.0
}

impl Layer for Embedding {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        if input.content != Content::Ids {
            return Err("expects ids".into());
        }
        if self.values == 0 || self.dimensions == 0 {
            return Err("has an empty table".into());
        }
        Ok(input.with_width(self.dimensions))
    }

    fn parameters(&self, _input: &Shape) -> Vec<Blueprint> {
        vec![Blueprint {
            name: "weight".into(),
            shape: vec![self.values, self.dimensions],
            order: Order::Table,
            initial: Initial::Normal(self.deviation),
            decays: true,
            kept: false,
        }]
    }

    fn takes_windows(&self) -> bool {
        true
    }

    fn ids(&self) -> Option<usize> {
        Some(self.values)
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let (table, width) = (&pass.parameters[0], self.dimensions);
        for number in 0..table.pieces() {
            let piece = table.piece(number);
            let values = &piece.values[..];
            let rows = pass.output.chunks_exact_mut(width);
            for (&id, to) in pass.input.ids.iter().zip(rows) {
                let at = (id as usize).wrapping_sub(piece.first);
                if at < piece.count {
                    to.copy_from_slice(&values[at * width..][..width]);
                }
            }
        }
    }

    fn backward(&self, _pass: &mut Backward<'_>) {}

    fn touches(&self, _parameter: usize, known: Known<'_>, touch: &mut dyn FnMut(u32)) -> bool {
        known.input.ids.iter().for_each(|&id| touch(id));
        true
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        let width = self.dimensions;
        let here = lesson.first..lesson.first + lesson.count;
        for known in &mut *lesson.shards {
            let rows = known.output_gradient.chunks_exact(width);
            for (&id, row) in known.input.ids.iter().zip(rows) {
                if here.contains(&(id as usize)) {
                    let at = (id as usize - here.start) * width;
                    add(lesson.kernels, row, &mut lesson.gradient[at..at + width]);
                }
            }
        }
    }
}
