use std::sync::OnceLock;

use serde::Deserialize;

use super::windows::{Extent, Frame};
use crate::layer::{Backward, Forward, Layer};
use crate::shape::{Positions, Shape};

/// Positions of a block become values of one position, and with `BACK` the other way round (Shi et al. 2016,
/// arXiv:1609.05158). Value c of position k of a block of n is value c·n + k, as in PyTorch's `nn.PixelUnshuffle` and
/// `nn.PixelShuffle`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PixelShuffle<const BACK: bool> {
    /// Positions of a block along each axis.
    factor: Extent,
    #[serde(skip)]
    blocks: OnceLock<Blocks>,
}

/// Which positions are in each block.
struct Blocks {
    /// [blocks, taps]
    places: Vec<u32>,
    /// Positions of a block.
    taps: usize,
    /// Values of a position of a block.
    width: usize,
}

impl Blocks {
    fn new(frame: &Frame, axes: &[usize], width: usize) -> Self {
        let table = frame.table(axes);
        let windows = table.windows();
        let (taps, blocks) = (windows.taps.len(), windows.rows.len());
        let of_block =
            |block: usize| (0..taps).map(move |tap| windows.places[tap * blocks + block]);
        Self { places: (0..blocks).flat_map(of_block).collect(), taps, width }
    }

    /// Tells of each value where it is among positions and where among blocks, in the order of the latter.
    #[inline]
    fn each(&self, values: usize, mut with: impl FnMut(usize, usize)) {
        let (width, mut value) = (self.width, 0);
        for first in (0..values).step_by(self.places.len() * width) {
            for block in self.places.chunks_exact(self.taps) {
                for c in 0..width {
                    for &place in block {
                        with(first + place as usize * width + c, value);
                        value += 1;
                    }
                }
            }
        }
    }

    fn gather(&self, positions: &[f32], blocks: &mut [f32]) {
        self.each(positions.len(), |position, block| blocks[block] = positions[position]);
    }

    fn spread(&self, blocks: &[f32], positions: &mut [f32]) {
        self.each(blocks.len(), |position, block| positions[position] = blocks[block]);
    }
}

impl<const BACK: bool> Layer for PixelShuffle<BACK> {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        let Positions::Fixed(axes) = &input.positions else {
            return Err("expects items of one length".into());
        };
        let (one, zero) = (Extent::one(), Extent::zero());
        let frame = Frame::new(axes.len(), &self.factor, &self.factor, &zero, &one)?;
        let (factor, taps) = (frame.kernel(), frame.taps());
        let fits = |count: usize, by: usize| by > 0 && count.is_multiple_of(by);
        let (positions, width) = match BACK {
            true => {
                let longer = axes.iter().zip(factor).map(|(&axis, &by)| axis.saturating_mul(by));
                (longer.collect::<Vec<_>>(), input.width / taps.max(1))
            }
            false => {
                let shorter = axes.iter().zip(factor).map(|(axis, by)| axis / by);
                (shorter.collect(), input.width.saturating_mul(taps))
            }
        };
        let whole = match BACK {
            true => fits(input.width, taps),
            false => axes.iter().zip(factor).all(|(&axis, &by)| fits(axis, by)),
        };
        if !whole {
            let what = if BACK { "values" } else { "positions" };
            return Err(format!("expects {what} that are whole blocks of {factor:?}"));
        }
        let (large, small) =
            if BACK { (&positions, input.width / taps) } else { (axes, input.width) };
        // Refuses more positions than can be numbered.
        frame.positions(&Positions::Fixed(large.clone()))?;
        self.blocks.get_or_init(|| Blocks::new(&frame, large, small));
        Ok(Shape { positions: Positions::Fixed(positions), ..input.with_width(width) })
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let blocks = self.blocks.get().expect("a layer whose `shape` was asked for");
        match BACK {
            true => blocks.spread(pass.input.values, pass.output),
            false => blocks.gather(pass.input.values, pass.output),
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let blocks = self.blocks.get().expect("a layer whose `shape` was asked for");
        match BACK {
            true => blocks.gather(pass.output_gradient, to),
            false => blocks.spread(pass.output_gradient, to),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::check::{Case, check};

    /// Of a picture of 4 x 6 positions of two values in blocks of 2 x 3, from the definition.
    fn unshuffled(x: &[f64]) -> Vec<f64> {
        let at = |row: usize, column: usize, value: usize| {
            let (c, a, b) = (value / 6, value % 6 / 3, value % 3);
            x[((2 * row + a) * 6 + 3 * column + b) * 2 + c]
        };
        (0..48).map(|i| at(i / 24, i / 12 % 2, i % 12)).collect()
    }

    #[test]
    fn blocks_become_values_and_come_back() {
        let there = json!({"kind": "pixel-unshuffle", "factor": [2, 3]});
        let back = json!({"kind": "pixel-shuffle", "factor": [2, 3]});
        let case = |layers: Value| Case {
            layers,
            positions: Some(vec![4, 6]),
            width: 2,
            lengths: vec![24; 3],
        };
        check(&case(json!([there])), |x, _| x.values.chunks(48).flat_map(unshuffled).collect());
        check(&case(json!([there, {"kind": "tanh"}, back])), |x, _| {
            x.values.iter().map(|x| x.tanh()).collect()
        });
    }

    #[test]
    fn what_is_no_whole_block_is_refused() {
        for (layer, problem) in [
            (json!({"kind": "pixel-unshuffle", "factor": 3}), "positions that are whole blocks"),
            (json!({"kind": "pixel-shuffle", "factor": 2}), "values that are whole blocks"),
            (json!({"kind": "pixel-shuffle", "factor": 0}), "of 1 or more"),
            (json!({"kind": "pixel-shuffle", "factor": [1]}), "of 2 numbers"),
            (json!({"kind": "pixel-shuffle", "factor": [3, 1 << 24]}), "values that are whole"),
        ] {
            let input = json!({"content": "values", "positions": [4, 4], "width": 3});
            let description = json!({"inputs": [input], "layers": [layer]}).to_string();
            let error = crate::Network::new(&description, 1).err().expect("a refusal").to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
