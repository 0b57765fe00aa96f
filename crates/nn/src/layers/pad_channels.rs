use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer};
use crate::shape::Shape;

/// Zeros before and after the values of each position: the shortcut A of He et al. 2015
/// (arXiv:1512.03385, section 4.2), where a residual block has more channels than comes in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PadChannels {
    #[serde(default)]
    before: usize,
    #[serde(default)]
    after: usize,
}

impl Layer for PadChannels {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        let most = 1 << 24;
        if self.before > most || self.after > most {
            return Err(format!("expects no more than {most} zeros on each side"));
        }
        Ok(input.with_width(self.before + input.width + self.after))
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let width = pass.input.width();
        let rows = pass.output.chunks_exact_mut(self.before + width + self.after);
        for (from, to) in pass.input.values.chunks_exact(width).zip(rows) {
            to[..self.before].fill(0.0);
            to[self.before..][..width].copy_from_slice(from);
            to[self.before + width..].fill(0.0);
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let width = pass.input.width();
        let rows = pass.output_gradient.chunks_exact(self.before + width + self.after);
        for (from, to) in rows.zip(to.chunks_exact_mut(width)) {
            to.copy_from_slice(&from[self.before..][..width]);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, check};

    #[test]
    fn zeros_stand_around_the_values_of_each_position() {
        let layers = json!([
            {"kind": "pad-channels", "before": 2, "after": 1},
            {"kind": "average-pool", "kernel": 1, "stride": 2},
        ]);
        let case = Case { layers, positions: Some(vec![3, 3]), width: 5, lengths: vec![9; 2] };
        check(&case, |x, _| {
            let rows = x.values.chunks(5);
            // Every second row and column of three.
            let kept = rows.enumerate().filter(|(row, _)| [0, 2, 6, 8].contains(&(row % 9)));
            kept.flat_map(|(_, row)| [&[0.0; 2], row, &[0.0]].concat()).collect()
        });
    }
}
