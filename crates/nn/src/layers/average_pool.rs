use inlay_kernels::{average_pool, average_pool_gradient};
use serde::Deserialize;

use super::pooling::Pooling;
use super::windows::Extent;
use crate::layer::{Backward, Forward, Layer, Places};
use crate::shape::Shape;

/// The mean of each channel in each window (LeCun et al. 1989). Windows may overlap.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AveragePool {
    kernel: Extent,
    /// As large as the windows, if it is not given.
    stride: Option<Extent>,
    #[serde(default = "Extent::zero")]
    padding: Extent,
    /// Whether what is beyond the ends counts, as zeros [count_include_pad].
    #[serde(default = "super::yes", rename = "countPadding")]
    count_padding: bool,
    #[serde(skip)]
    pooling: Pooling,
}

impl AveragePool {
    /// By how many each sum is divided; if not given, by the places that are inside.
    fn divisor(&self) -> Option<usize> {
        self.count_padding.then(|| self.pooling.frame().taps())
    }
}

impl Layer for AveragePool {
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
        let windows = self.pooling.windows(pass.input, outputs, pass.memo);
        let divisor = self.divisor();
        average_pool(pass.kernels, pass.input.values, width, windows, divisor, pass.output);
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let windows = self.pooling.windows(pass.input, pass.output.rows(), pass.memo);
        let (divisor, width) = (self.divisor(), pass.input.width());
        average_pool_gradient(pass.kernels, pass.output_gradient, width, windows, divisor, to);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, check};

    #[test]
    fn padding_counts_or_not() {
        for counts in [true, false] {
            let layers = json!([{"kind": "average-pool", "kernel": 3, "stride": 2, "padding": 1,
                "countPadding": counts}]);
            let case = Case { layers, positions: Some(vec![4, 6]), width: 5, lengths: vec![24; 3] };
            check(&case, |x, _| {
                let mut y = Vec::new();
                for item in x.values.chunks(24 * 5) {
                    for (row, column) in [(0, 0), (0, 2), (0, 4), (2, 0), (2, 2), (2, 4)] {
                        for channel in 0..5 {
                            let (mut sum, mut count) = (0.0, 0);
                            for u in (row..row + 3).filter(|u| (1..5).contains(u)) {
                                for v in (column..column + 3).filter(|v| (1..7).contains(v)) {
                                    sum += item[((u - 1) * 6 + v - 1) * 5 + channel];
                                    count += 1;
                                }
                            }
                            y.push(sum / f64::from(if counts { 9 } else { count }));
                        }
                    }
                }
                y
            });
        }
    }

    #[test]
    fn sequences_are_pooled_each_by_itself() {
        let layers = json!([{"kind": "average-pool", "kernel": 2, "stride": 1}]);
        let case = Case { layers, positions: None, width: 1, lengths: vec![2, 5, 3] };
        check(&case, |x, _| {
            let item = |ends: &[usize]| -> Vec<f64> {
                let x = &x.values[ends[0]..ends[1]];
                x.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect()
            };
            x.offsets.windows(2).flat_map(item).collect()
        });
    }
}
