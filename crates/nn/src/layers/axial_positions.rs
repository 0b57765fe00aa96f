use inlay_kernels::add;
use serde::Deserialize;

use crate::layer::{Backward, Forward, Known, Layer, Lesson};
use crate::parameter::{Blueprint, Initial, Order};
use crate::shape::Shape;

/// Adds to each row what is learnt for its place, a table for each axis (Dehghani et al. 2023, arXiv:2307.06304, section 2.1:
/// factorized positions, added up), so that inputs of any size share what is known of each row and column:
/// `y = x + Σ table_a[place_a]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AxialPositions {
    /// Of each axis: places are below this.
    length: Vec<usize>,
    /// The standard deviation of the first values. PyTorch's embeddings have 1.
    #[serde(default = "deviation")]
    deviation: f32,
}

fn deviation() -> f32 {
    1.0
}

impl Layer for AxialPositions {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if self.length.is_empty() || self.length.contains(&0) {
            return Err("expects a `length` of 1 or more for each axis".into());
        }
        input.placed(self.length.len())?;
        Ok(input.clone())
    }

    /// Named as a `ModuleList` of embeddings names them.
    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        let tables = self.length.iter().enumerate().map(|(axis, &length)| Blueprint {
            name: format!("{axis}.weight"),
            shape: vec![length, input.width],
            order: Order::Table,
            initial: Initial::Normal(self.deviation),
            decays: true,
            kept: false,
        });
        tables.collect()
    }

    fn takes_windows(&self) -> bool {
        true
    }

    fn most_places(&self) -> Option<&[usize]> {
        Some(&self.length)
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        (self.length.len() * rows * input.width) as u64
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let (rows, width) = (pass.input.rows(), pass.input.width());
        pass.output.copy_from_slice(pass.input.values);
        for (axis, table) in pass.parameters.iter().enumerate() {
            for piece in (0..table.pieces()).map(|number| table.piece(number)) {
                for (row, to) in (0..rows).zip(pass.output.chunks_exact_mut(width)) {
                    let at = (pass.input.place(row)[axis] as usize).wrapping_sub(piece.first);
                    if at < piece.count {
                        add(pass.kernels, &piece.values[at * width..][..width], to);
                    }
                }
            }
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        if let Some(to) = &mut pass.input_gradient {
            to.copy_from_slice(pass.output_gradient);
        }
    }

    fn touches(&self, axis: usize, known: Known<'_>, touch: &mut dyn FnMut(u32)) -> bool {
        (0..known.input.rows()).for_each(|row| touch(known.input.place(row)[axis]));
        true
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        for known in &mut *lesson.shards {
            let width = known.input.width();
            for (row, from) in known.output_gradient.chunks_exact(width).enumerate() {
                let place = known.input.place(row)[lesson.parameter] as usize;
                let at = place.wrapping_sub(lesson.first);
                if at < lesson.count {
                    add(lesson.kernels, from, &mut lesson.gradient[at * width..][..width]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::Run;
    use serde_json::{Value, json};

    use crate::check::{Case, check_placed, place};
    use crate::layers::masked::{Mask, tests::masked};
    use crate::{Cells, Column, Network};

    /// y = x + Σ table_a[place_a], of those rows.
    fn with_tables(
        x: &[f64],
        width: usize,
        tables: &[Vec<f64>],
        rows: impl Fn(usize) -> usize,
    ) -> Vec<f64> {
        let value = |(i, x): (usize, &f64)| {
            let (row, value) = (rows(i / width), i % width);
            let of_axis =
                |(axis, table): (usize, &Vec<f64>)| table[place(row, axis) * width + value];
            x + tables.iter().enumerate().map(of_axis).sum::<f64>()
        };
        x.iter().enumerate().map(value).collect()
    }

    #[test]
    fn tables_of_axes_are_added_and_learn() {
        for length in [json!([4, 5, 6]), json!([40, 9])] {
            let axes = length.as_array().map_or(0, Vec::len);
            let layers = json!([{"kind": "axial-positions", "length": length, "deviation": 0.5}]);
            let case = Case { layers, positions: None, width: 3, lengths: vec![2, 0, 7, 1] };
            check_placed(&case, axes, |x, p| with_tables(&x.values, 3, p, |row| row));
        }
    }

    #[test]
    fn a_table_in_pieces_is_added_and_learns() {
        let layers = json!([{"kind": "axial-positions", "length": [5000, 7]}]);
        let case = Case { layers, positions: None, width: 30, lengths: vec![3, 0, 9] };
        check_placed(&case, 2, |x, p| with_tables(&x.values, 30, p, |row| row));
    }

    #[test]
    fn places_go_along_with_rows_through_layers_that_leave_some_out_or_put_others_before() {
        let tables = json!({"kind": "axial-positions", "length": [4, 5]});
        let layers = json!([
            {"kind": "slice", "from": 1, "to": 6},
            {"kind": "prefix-tokens", "count": 2, "deviation": 1.0},
            {"kind": "sum", "branches": [[], [{"kind": "tanh"}]]},
            tables,
        ]);
        let case = Case { layers, positions: None, width: 2, lengths: vec![4, 1, 9, 0] };
        check_placed(&case, 2, |x, p| {
            let tanh = |x: &f64| x + x.tanh();
            let mut found = Vec::new();
            for ends in x.offsets.windows(2) {
                let kept = (ends[0] + 1).min(ends[1])..ends[1].min(ends[0] + 6);
                if kept.is_empty() {
                    continue;
                }
                let prefix: Vec<f64> = p[0].iter().map(tanh).collect();
                // Row 0 is at the origin, as prefixes are.
                found.extend(with_tables(&prefix, 2, &p[1..], |_| 0));
                let rows: Vec<f64> =
                    x.values[2 * kept.start..2 * kept.end].iter().map(tanh).collect();
                found.extend(with_tables(&rows, 2, &p[1..], |row| kept.start + row));
            }
            found
        });
    }

    #[test]
    fn rows_that_are_not_masked_keep_their_places_and_masked_ones_get_theirs_back() {
        let tables =
            |name: &str| json!({"kind": "axial-positions", "name": name, "length": [4, 5]});
        let mask: Mask = serde_json::from_value(json!({"share": 0.5})).expect("a mask");
        let layers = json!([
            {"kind": "masked", "mask": {"share": 0.5}, "layers": [tables("inside")], "deviation": 1.0},
            tables("outside"),
        ]);
        let case = Case { layers, positions: None, width: 2, lengths: vec![4, 1, 9, 0] };
        check_placed(&case, 2, |x, p| {
            let inside = with_tables(&x.values, 2, &p[..2], |row| row);
            let rows = inside.chunks(2).zip(masked(mask, x));
            let all: Vec<f64> = rows
                .flat_map(|(x, hidden)| if hidden { p[2].clone() } else { x.to_vec() })
                .collect();
            with_tables(&all, 2, &p[3..], |row| row)
        });
    }

    fn network(axes: usize, layers: Value) -> inlay_base::Result<Network> {
        let input = json!({"content": "values", "width": 2, "axes": axes});
        Network::new(&json!({"inputs": [input], "layers": layers}).to_string(), 1)
    }

    #[test]
    fn rows_whose_places_are_not_known_are_refused() {
        let tables = json!({"kind": "axial-positions", "name": "places", "length": [4, 5]});
        for (axes, before, problem) in [
            (0, json!({"kind": "tanh"}), "`places` expects rows whose place along 2 axes is known"),
            (3, json!({"kind": "tanh"}), "`places` expects places along 2 axes, and they have 3"),
            (2, json!({"kind": "conv1d", "channels": 2, "kernel": 1}), "whose place along 2 axes"),
            (2, json!({"kind": "max-pool", "kernel": 2}), "whose place along 2 axes is known"),
            (9, json!({"kind": "tanh"}), "only sequences have `axes`, 8 at most"),
        ] {
            let found = network(axes, json!([before, tables])).err().expect("a problem");
            assert!(found.to_string().contains(problem), "{found}");
        }
        let empty = json!([{"kind": "axial-positions", "length": []}]);
        assert!(network(2, empty).is_err());
        // Branches with places of different rows have none.
        let slice = |from: usize| json!([{"kind": "slice", "from": from}]);
        let sum = json!({"kind": "sum", "branches": [slice(1), slice(2)]});
        assert!(network(2, json!([sum, tables])).is_err());
    }

    #[test]
    fn places_beyond_a_table_and_items_without_places_are_refused() {
        let layers = json!([
            {"kind": "prefix-tokens"},
            {"kind": "axial-positions", "name": "places", "length": [4, 5]},
        ]);
        let network = network(2, layers).expect("a network");
        let shape = &network.inputs().expect("inputs")[0].1;
        let column =
            || Column::new("x", Cells::Values(vec![0.5; 6]), Some(&[2, 1]), shape).expect("rows");
        let encode =
            |column: Column| network.encode(&[column], None, &Run::quiet(1, 1)).map(|_| ());
        let placed = |places: [u32; 6]| column().placed("x", places.to_vec(), 2).expect("places");
        assert!(encode(placed([0, 0, 3, 4, 1, 1])).is_ok());
        let beyond = encode(placed([0, 0, 3, 4, 1, 5])).expect_err("a place beyond").to_string();
        assert!(
            beyond.contains("item 1 has a row at place 5 of axis 1; they are below 5"),
            "{beyond}"
        );
        let bare = encode(column()).expect_err("no places").to_string();
        assert!(bare.contains("takes places along 2 axes, and 0 came"), "{bare}");
        assert!(column().placed("x", vec![0; 5], 2).is_err());
    }
}
