use inlay_kernels::add;
use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer, Lesson};
use crate::parameter::{Blueprint, Initial, Order};
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
            (Code::Sinusoidal, None) if self.deviation.is_none() => {}
            (Code::Sinusoidal, _) => {
                return Err("expects `length` and `deviation` for learned codes only".into());
            }
            (Code::Learned, None | Some(0)) => {
                return Err("expects a `length` of 1 or more for learned codes".into());
            }
            (Code::Learned, Some(length)) => {
                if let (Positions::Fixed(_), Some(rows)) = (&input.positions, input.rows())
                    && rows > length
                {
                    return Err(format!("expects {length} rows at most"));
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
            kept: false,
        });
        table.into_iter().collect()
    }

    fn most_rows(&self) -> usize {
        self.length.unwrap_or(usize::MAX)
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
}
