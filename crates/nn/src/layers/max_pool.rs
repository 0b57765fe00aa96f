use inlay_kernels::{max_pool, max_pool_gradient};
use serde::Deserialize;

use super::pooling::Pooling;
use super::windows::Extent;
use crate::layer::{Backward, Forward, Layer, Places};
use crate::shape::Shape;

/// The largest value of each channel in each window (Riesenhuber and Poggio 1999). Windows may overlap;
/// what is beyond the ends is less than everything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MaxPool {
    kernel: Extent,
    /// As large as the windows, if it is not given.
    stride: Option<Extent>,
    #[serde(default = "Extent::zero")]
    padding: Extent,
    #[serde(skip)]
    pooling: Pooling,
}

impl Layer for MaxPool {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        self.pooling.shape(input, &self.kernel, self.stride.as_ref(), &self.padding)
    }

    fn places(&self) -> Places {
        Places::Go
    }

    fn rows(&self, rows: usize) -> usize {
        self.pooling.frame().rows(rows)
    }

    fn least_rows(&self) -> usize {
        self.pooling.frame().least_rows()
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let (width, outputs) = (pass.input.width(), pass.offsets.last().copied().unwrap_or(0));
        self.pooling.lay_out(pass);
        let mut chosen = std::mem::take(pass.memo.places(CHOSEN, outputs * width));
        let windows = self.pooling.windows(pass.input, outputs, pass.memo);
        max_pool(pass.kernels, pass.input.values, width, windows, pass.output, &mut chosen);
        pass.memo.places[CHOSEN] = chosen;
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let windows = self.pooling.windows(pass.input, pass.output.rows(), pass.memo);
        let (chosen, width) = (&pass.memo.places[CHOSEN], pass.input.width());
        max_pool_gradient(pass.kernels, pass.output_gradient, chosen, width, windows, to);
    }
}

/// Where the memo keeps which rows were the largest, after the table of sequences.
const CHOSEN: usize = 6;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, check};

    #[test]
    fn windows_may_overlap_and_lie_partly_outside() {
        let layers =
            json!([{"kind": "max-pool", "kernel": [3, 2], "stride": [2, 1], "padding": [1, 0]}]);
        let case = Case { layers, positions: Some(vec![5, 4]), width: 19, lengths: vec![20; 3] };
        check(&case, |x, _| {
            let mut y = Vec::new();
            for item in x.values.chunks(20 * 19) {
                for (row, column) in (0..3).flat_map(|row| (0..3).map(move |column| (row, column)))
                {
                    for channel in 0..19 {
                        let mut largest = f64::NEG_INFINITY;
                        for u in (2 * row..2 * row + 3).filter(|u| (1..6).contains(u)) {
                            for v in column..column + 2 {
                                largest = largest.max(item[((u - 1) * 4 + v) * 19 + channel]);
                            }
                        }
                        y.push(largest);
                    }
                }
            }
            y
        });
    }

    #[test]
    fn sequences_are_pooled_each_by_itself() {
        let layers = json!([{"kind": "max-pool", "kernel": 2}]);
        let case = Case { layers, positions: None, width: 3, lengths: vec![2, 5, 3, 8] };
        check(&case, |x, _| {
            let mut y = Vec::new();
            for ends in x.offsets.windows(2) {
                for pair in x.values[ends[0] * 3..ends[1] * 3].chunks_exact(6) {
                    y.extend((0..3).map(|channel| pair[channel].max(pair[3 + channel])));
                }
            }
            y
        });
    }
}
