use inlay_kernels::add;
use serde::Deserialize;

use super::resize::resized;
use crate::layer::{Backward, Forward, Layer, Lesson, Memo};
use crate::parameter::{Blueprint, Initial, Order, Parameter};
use crate::shape::{Positions, Shape};

/// Adds to each row what stands for its place in its item.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PositionCodes {
    #[serde(default)]
    code: Code,
    /// Of a learned table: the most rows that an item may have.
    length: Option<usize>,
    /// Of a learned table: the standard deviation of its first values. PyTorch's embeddings have 1.
    deviation: Option<f32>,
    /// Of a table that comes from a file: its last rows are a grid that is brought to another size.
    grid: Option<Grid>,
}

/// Places of a grid, which stand for those of another one: pictures of another size than the table was learnt with. It is not learnt
/// here.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Grid {
    from: Vec<usize>,
    to: Vec<usize>,
}

impl Grid {
    /// Rows of the table's grid, and of what it becomes, if they can be.
    fn rows(&self) -> Option<(usize, usize)> {
        let count = |axes: &[usize]| {
            let fits = !axes.is_empty() && !axes.contains(&0);
            axes.iter().try_fold(1usize, |all, &axis| all.checked_mul(axis)).filter(|_| fits)
        };
        Some((count(&self.from)?, count(&self.to)?)).filter(|_| self.from.len() == self.to.len())
    }
}

impl PositionCodes {
    /// Rows of the table that stay, of the grid that follows, and of what that becomes.
    fn parts(&self) -> Option<(usize, usize, usize)> {
        let (from, to) = self.grid.as_ref()?.rows()?;
        Some((self.length?.checked_sub(from)?, from, to))
    }

    /// Rows that a table has room for.
    fn room(&self) -> Option<usize> {
        match &self.grid {
            Some(_) => self.parts().and_then(|(before, _, to)| before.checked_add(to)),
            None => self.length,
        }
    }

    /// The table with its grid brought to size, made once.
    fn brought<'a>(
        &self,
        kept: &'a mut Vec<Vec<f32>>,
        table: &Parameter,
        width: usize,
    ) -> &'a [f32] {
        if kept.is_empty() {
            kept.push(Vec::new());
        }
        if let (true, Some(grid), Some((before, ..))) =
            (kept[0].is_empty(), &self.grid, self.parts())
        {
            let mut rows = table.get();
            let found = resized(&rows[before * width..], &grid.from, &grid.to, width);
            rows.truncate(before * width);
            rows.extend(found);
            kept[0] = rows;
        }
        &kept[0]
    }
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Code {
    /// Vaswani et al. 2017, section 3.5, for place p and value i of n: sin(p / 10000^(i/n)) where i
    /// is even, and the cosine of what its left neighbour is the sine of where it is odd.
    #[default]
    Sinusoidal,
    /// A row of a table for each place.
    Learned,
}

impl Layer for PositionCodes {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        match (self.code, self.length) {
            (Code::Sinusoidal, None) if self.deviation.is_none() && self.grid.is_none() => {}
            (Code::Sinusoidal, _) => {
                return Err("expects `length` and `deviation` for learned codes only".into());
            }
            (Code::Learned, None | Some(0)) => {
                return Err("expects a `length` of 1 or more for learned codes".into());
            }
            (Code::Learned, Some(_)) => {
                let Some(most) = self.room() else {
                    return Err("expects a `grid` of its last rows, and as many axes `to`".into());
                };
                if let (Positions::Fixed(_), Some(rows)) = (&input.positions, input.rows())
                    && rows > most
                {
                    return Err(format!("expects {most} rows at most"));
                }
            }
        }
        Ok(input.clone())
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        let table = self.length.map(|length| Blueprint {
            name: "weight".into(),
            shape: vec![length, input.width],
            order: Order::Table,
            initial: Initial::Normal(self.deviation.unwrap_or(1.0)),
            decays: true,
            kept: self.grid.is_some(),
        });
        table.into_iter().collect()
    }

    fn most_rows(&self) -> usize {
        if self.length.is_some() { self.room().unwrap_or(0) } else { usize::MAX }
    }

    // A table learns from the gradient of what came out, which must stay as it is for that.
    fn in_place(&self) -> bool {
        self.code == Code::Sinusoidal
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        (rows * input.width) as u64
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let width = pass.input.width();
        let items = pass.offsets.windows(2).map(|ends| (ends[0], ends[1] - ends[0]));
        if self.code == Code::Sinusoidal {
            let longest = items.clone().map(|(_, rows)| rows).max().unwrap_or(0);
            let codes = sinusoids(&mut pass.memo.values, longest, width);
            for (first, rows) in items {
                let to = &mut pass.output[first * width..][..rows * width];
                add(pass.kernels, &codes[..rows * width], to);
            }
            return;
        }
        pass.output.copy_from_slice(pass.input.values);
        let table = &pass.parameters[0];
        if self.grid.is_some() {
            let table = self.brought(&mut pass.memo.values, table, width);
            for (first, rows) in items {
                let to = &mut pass.output[first * width..][..rows * width];
                add(pass.kernels, &table[..rows * width], to);
            }
            return;
        }
        for number in 0..table.pieces() {
            let piece = table.piece(number);
            for (first, rows) in items.clone() {
                let here = rows.saturating_sub(piece.first).min(piece.count);
                let to = &mut pass.output[(first + rows.min(piece.first)) * width..];
                add(pass.kernels, &piece.values[..here * width], &mut to[..here * width]);
            }
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        if let Some(to) = &mut pass.input_gradient {
            to.copy_from_slice(pass.output_gradient);
        }
    }

    // A grid stays as it was.
    fn keep(&self, _parameter: usize, _memo: &Memo, _values: &mut [f32]) {}

    fn learn(&self, lesson: &mut Lesson<'_>) {
        for known in &mut *lesson.shards {
            let width = known.input.width();
            for ends in known.input.offsets.windows(2) {
                let rows = ends[1] - ends[0];
                let here = rows.saturating_sub(lesson.first).min(lesson.count);
                let from = (ends[0] + rows.min(lesson.first)) * width;
                let from = &known.output_gradient[from..][..here * width];
                add(lesson.kernels, from, &mut lesson.gradient[..here * width]);
            }
        }
    }
}

/// The codes of `rows` places or more, made once and kept from batch to batch.
fn sinusoids(kept: &mut Vec<Vec<f32>>, rows: usize, width: usize) -> &[f32] {
    if kept.is_empty() {
        kept.push(Vec::new());
    }
    let codes = &mut kept[0];
    for at in codes.len()..rows * width {
        let (place, value) = (at / width, at % width);
        let angle = place as f64 / 10_000f64.powf((value & !1) as f64 / width as f64);
        codes.push(if value % 2 == 0 { angle.sin() } else { angle.cos() } as f32);
    }
    codes
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::Network;
    use crate::check::{Case, Items, check};
    use crate::plan::Purpose;

    fn with_codes(x: &Items, width: usize, code: impl Fn(usize, usize) -> f64) -> Vec<f64> {
        let mut y = x.values.clone();
        for ends in x.offsets.windows(2) {
            for row in ends[0]..ends[1] {
                (0..width).for_each(|i| y[row * width + i] += code(row - ends[0], i));
            }
        }
        y
    }

    #[test]
    fn sinusoids_are_added_by_the_place_in_an_item() {
        for width in [1, 5, 8] {
            // What went in is read once more, so that it must not be written over.
            let layers = json!([{"kind": "sum", "branches": [[], [{"kind": "positions"}]]}]);
            let case = Case { layers, positions: None, width, lengths: vec![2, 0, 7, 1] };
            check(&case, |x, _| {
                let code = |place: usize, i: usize| {
                    let angle =
                        place as f64 * (10_000f64).powf(-((i / 2 * 2) as f64) / width as f64);
                    if i.is_multiple_of(2) { angle.sin() } else { angle.cos() }
                };
                let y = with_codes(x, width, code);
                y.iter().zip(&x.values).map(|(y, x)| y + x).collect()
            });
        }
    }

    #[test]
    fn a_learned_table_is_added_and_learns() {
        let layers = json!([
            {"kind": "dropout", "probability": 0.0},
            {"kind": "positions", "code": "learned", "length": 7, "deviation": 0.5},
        ]);
        let case = Case { layers, positions: None, width: 3, lengths: vec![2, 0, 7, 1] };
        check(&case, |x, p| with_codes(x, 3, |place, i| p[0][place * 3 + i]));
        let layers = json!([{"kind": "positions", "code": "learned", "length": 6}]);
        let case = Case { layers, positions: Some(vec![2, 2]), width: 2, lengths: vec![4; 3] };
        check(&case, |x, p| with_codes(x, 2, |place, i| p[0][place * 2 + i]));
    }

    #[test]
    fn a_table_in_pieces_is_added_and_learns() {
        let layers = json!([{"kind": "positions", "code": "learned", "length": 5000}]);
        let case = Case { layers, positions: None, width: 1, lengths: vec![3, 0, 40] };
        check(&case, |x, p| with_codes(x, 1, |place, _| p[0][place]));
        // Pieces have 131072 values, or 32 rows if those have more.
        let network = network(json!({"kind": "positions", "code": "learned", "length": 40}), 6000);
        let network = network.expect("a network");
        assert!(network.parameters()[0].pieces() > 1);
        let shape = &network.inputs().expect("inputs")[0].1;
        let lengths = [40u32, 0, 3, 33];
        let cells = crate::Cells::Values(vec![0.5; 76 * 6000]);

        let column = crate::Column::new("x", cells, Some(&lengths), shape).expect("a column");
        let run = inlay_base::Run::quiet(1, 1);
        let (values, _) = network.encode(&[column], None, &run).expect("rows");
        let table = network.parameters()[0].get();
        let places = lengths.into_iter().flat_map(|length| 0..length as usize);
        for (place, row) in places.zip(values.chunks(6000)) {
            let wanted = table[place * 6000..][..6000].iter().map(|value| value + 0.5);
            assert!(row.iter().copied().eq(wanted), "{place}");
        }
    }

    fn network(layer: Value, width: usize) -> inlay_base::Result<Network> {
        let input = json!({"content": "values", "width": width});
        Network::new(&json!({"inputs": [input], "layers": [layer]}).to_string(), 1)
    }

    #[test]
    fn an_item_longer_than_the_table_is_refused() {
        let layer = json!({"kind": "positions", "code": "learned", "length": 4, "name": "places"});
        let network = network(layer, 2).expect("a network");
        let plan = network.plan(Purpose::Encode(None), &[]).expect("a plan");
        assert!(plan.rows(&[4]).is_ok());
        assert_eq!(plan.rows(&[5]), Err("`places` takes 4 rows at most, and gets 5".into()));
    }

    #[test]
    fn options_of_the_other_code_are_refused() {
        for layer in [
            json!({"kind": "positions", "length": 4}),
            json!({"kind": "positions", "deviation": 1.0}),
            json!({"kind": "positions", "code": "learned"}),
            json!({"kind": "positions", "code": "learned", "length": 0}),
        ] {
            assert!(network(layer.clone(), 2).is_err(), "{layer}");
        }
    }

    #[test]
    fn a_grid_of_a_table_is_brought_to_another_size() {
        let grid = json!({"from": [3, 2], "to": [2, 3]});
        let codes = json!({"kind": "positions", "code": "learned", "length": 7, "grid": grid});
        let resize = |size: [usize; 2]| json!({"kind": "resize", "size": size, "by": "cubic"});
        let encode = |positions: Value, layers: Value, table: Option<&[f32]>, x: &[f32]| {
            let inputs = json!([{"content": "values", "positions": positions, "width": 4}]);
            let description = json!({"inputs": inputs, "layers": layers}).to_string();
            let mut network = Network::new(&description, 1).expect("a network");
            if let Some(table) = table {
                network.set("positions1.weight", table).expect("a parameter");
            }
            network.prepare();
            let shape = &network.inputs().expect("inputs")[0].1;
            let column = crate::Column::new("x", crate::Cells::Values(x.to_vec()), None, shape);
            let run = inlay_base::Run::quiet(1, 1);
            network.encode(&[column.expect("a column")], None, &run).expect("rows").0
        };
        let table: Vec<f32> = (0..28).map(|i| (i * 37 % 19) as f32 / 8.0 - 1.0).collect();
        let x: Vec<f32> = (0..56).map(|i| (i * 29 % 23) as f32 / 8.0 - 1.0).collect();
        let found = encode(json!([7]), json!([codes]), Some(&table), &x);
        let grid = encode(json!([3, 2]), json!([resize([2, 3])]), None, &table[4..]);
        let added: Vec<f32> = table[..4].iter().chain(&grid).copied().collect();
        for (i, (found, x)) in found.iter().zip(&x).enumerate() {
            assert!((found - x - added[i % 28]).abs() < 1e-5, "{i}");
        }
        // What goes on is what came, and the table stays.
        let layers = json!([codes]);
        let case = Case { layers, positions: Some(vec![7]), width: 4, lengths: vec![7; 2] };
        check(&case, |x, p| {
            assert_eq!(p.len(), 1);
            let wide: Vec<f32> = p[0].iter().map(|&value| value as f32).collect();
            let grid = super::resized(&wide[4..], &[3, 2], &[2, 3], 4);
            let added = p[0][..4].iter().copied().chain(grid.into_iter().map(f64::from));
            let added: Vec<f64> = added.collect();
            x.values.iter().enumerate().map(|(i, x)| x + added[i % 28]).collect()
        });
        for grid in [
            json!({"from": [3, 3], "to": [2, 2]}),
            json!({"from": [3, 2], "to": [2]}),
            json!({"from": [0, 2], "to": [2, 2]}),
            json!({"from": [], "to": []}),
        ] {
            let codes = json!({"kind": "positions", "code": "learned", "length": 7, "grid": grid});
            let inputs = json!([{"content": "values", "positions": [7], "width": 4}]);
            let description = json!({"inputs": inputs, "layers": [codes]}).to_string();
            let problem = Network::new(&description, 1).err().expect("a problem").to_string();
            assert!(problem.contains("a `grid` of its last rows"), "{problem}");
        }
    }
}
