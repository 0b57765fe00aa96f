use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer, Places};
use crate::shape::{Positions, Shape};

/// Some rows of each item: those from one up to another, as far as there are so many. Positions of several axes become
/// one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slice {
    #[serde(default)]
    from: usize,
    /// The first that is left out again; without: none.
    to: Option<usize>,
}

impl Slice {
    /// Where what is kept of so many rows begins and ends.
    fn of(&self, rows: usize) -> (usize, usize) {
        let end = self.to.unwrap_or(rows).min(rows);
        (self.from.min(end), end)
    }
}

impl Layer for Slice {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if self.to.is_some_and(|to| to <= self.from) {
            return Err("expects a `to` behind its `from`".into());
        }
        let positions = match &input.positions {
            Positions::Any => Positions::Any,
            Positions::Fixed(axes) => {
                let rows = axes.iter().product();
                let (from, end) = self.of(rows);
                if axes.is_empty() || from == end || self.to.is_some_and(|to| to > rows) {
                    let wanted = self.to.unwrap_or(self.from.saturating_add(1));
                    return Err(format!("expects items of {wanted} positions or more"));
                }
                Positions::Fixed(vec![end - from])
            }
        };
        Ok(Shape { positions, ..input.clone() })
    }

    fn rows(&self, rows: usize) -> usize {
        let (from, end) = self.of(rows);
        end - from
    }

    fn places(&self) -> Places {
        Places::Move
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let width = pass.input.width();
        let ends = pass.input.offsets.windows(2).zip(pass.offsets.windows(2));
        for (from, to) in ends {
            let first = from[0] + self.of(from[1] - from[0]).0;
            let rows = to[1] - to[0];
            let x = &pass.input.values[first * width..][..rows * width];
            pass.output[to[0] * width..to[1] * width].copy_from_slice(x);
            if let Some(places) = &mut pass.places {
                let kept = first..first + rows;
                kept.for_each(|row| places.extend_from_slice(pass.input.place(row)));
            }
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let width = pass.input.width();
        to.fill(0.0);
        let ends = pass.input.offsets.windows(2).zip(pass.output.offsets.windows(2));
        for (to_ends, from) in ends {
            let first = to_ends[0] + self.of(to_ends[1] - to_ends[0]).0;
            let gradient = &pass.output_gradient[from[0] * width..from[1] * width];
            to[first * width..][..gradient.len()].copy_from_slice(gradient);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::Network;
    use crate::check::{Case, check};

    #[test]
    fn rows_are_kept_from_one_up_to_another() {
        for (options, from, to) in [
            (json!({"kind": "slice"}), 0, usize::MAX),
            (json!({"kind": "slice", "from": 1}), 1, usize::MAX),
            (json!({"kind": "slice", "to": 3}), 0, 3),
            (json!({"kind": "slice", "from": 2, "to": 4}), 2, 4),
        ] {
            for (positions, lengths) in
                [(None, vec![3, 0, 7, 1, 4]), (Some(vec![2, 3]), vec![6; 3])]
            {
                let case = Case { layers: json!([options]), positions, width: 3, lengths };
                check(&case, |x, _| {
                    let mut y = Vec::new();
                    for ends in x.offsets.windows(2) {
                        let rows = x.values[ends[0] * 3..ends[1] * 3].chunks(3);
                        y.extend(rows.take(to).skip(from).flatten());
                    }
                    y
                });
            }
        }
    }

    #[test]
    fn a_slice_with_nothing_in_it_is_refused() {
        let refuse = |positions: Value, from: usize, to: Option<usize>, wanted: &str| {
            let description = json!({"inputs": [{"content": "values", "positions": positions,
                "width": 3}], "layers": [{"kind": "slice", "from": from, "to": to}]});
            let error = Network::new(&description.to_string(), 1).err().expect("an error");
            assert!(format!("{error}").contains(wanted), "{error}");
        };
        refuse(json!(null), 2, Some(2), "`to` behind its `from`");
        refuse(json!([2, 2]), 4, None, "items of 5 positions or more");
        refuse(json!([4]), 1, Some(5), "items of 5 positions or more");
        refuse(json!([]), 0, None, "items of 1 positions or more");
        refuse(json!([4]), usize::MAX, None, "positions or more");
    }
}
