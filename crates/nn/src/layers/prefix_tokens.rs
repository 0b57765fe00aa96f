use inlay_kernels::add;
use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer, Lesson, Places};
use crate::parameter::{Blueprint, Initial, Order};
use crate::shape::{Positions, Shape};

/// Rows of its own before those of each item: the class token of BERT and ViT (Dosovitskiy et al. 2020,
/// arXiv:2010.11929), registers (Darcet et al. 2023, arXiv:2309.16588), prefixes (Li and Liang 2021, arXiv:2101.00190).
/// Positions of several axes become one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PrefixTokens {
    #[serde(default = "super::one")]
    count: usize,
    /// The standard deviation of their first values.
    #[serde(default = "deviation")]
    deviation: f32,
}

fn deviation() -> f32 {
    0.02
}

impl PrefixTokens {
    /// Whether an item has them: an empty sequence stays empty.
    fn before(&self, rows: usize) -> usize {
        if rows == 0 { 0 } else { self.count }
    }
}

impl Layer for PrefixTokens {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if self.count == 0 {
            return Err("expects a `count` of 1 or more".into());
        }
        let positions = match &input.positions {
            Positions::Any => Positions::Any,
            Positions::Fixed(axes) => {
                let rows: usize = axes.iter().product();
                let rows = rows.checked_add(self.count).ok_or("has too many rows")?;
                Positions::Fixed(vec![rows])
            }
        };
        Ok(Shape { positions, ..input.clone() })
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        vec![Blueprint {
            name: "weight".into(),
            shape: vec![self.count, input.width],
            order: Order::Table,
            initial: Initial::Normal(self.deviation),
            decays: true,
            kept: false,
        }]
    }

    fn rows(&self, rows: usize) -> usize {
        rows + self.before(rows)
    }

    fn places(&self) -> Places {
        Places::Move
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let width = pass.input.width();
        let table = &pass.parameters[0];
        let ends = pass.input.offsets.windows(2).zip(pass.offsets.windows(2));
        for (from, to) in ends {
            let x = &pass.input.values[from[0] * width..from[1] * width];
            let y = &mut pass.output[to[0] * width..to[1] * width];
            let before = self.before(from[1] - from[0]);
            if let Some(places) = &mut pass.places {
                // They stand at the origin, where nothing turns.
                places.resize(places.len() + before * pass.input.shape.axes, 0);
                let rows = from[0]..from[1];
                rows.for_each(|row| places.extend_from_slice(pass.input.place(row)));
            }
            let (own, rest) = y.split_at_mut(before * width);
            rest.copy_from_slice(x);
            if own.is_empty() {
                continue;
            }
            for number in 0..table.pieces() {
                let piece = table.piece(number);
                own[piece.first * width..][..piece.values.len()].copy_from_slice(&piece.values);
            }
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let width = pass.input.width();
        let ends = pass.input.offsets.windows(2).zip(pass.output.offsets.windows(2));
        for (to_ends, from_ends) in ends {
            let to = &mut to[to_ends[0] * width..to_ends[1] * width];
            let from = &pass.output_gradient[..from_ends[1] * width];
            to.copy_from_slice(&from[from.len() - to.len()..]);
        }
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        for known in &mut *lesson.shards {
            let width = known.input.width();
            for ends in known.output.offsets.windows(2).filter(|ends| ends[0] < ends[1]) {
                let from = &known.output_gradient[(ends[0] + lesson.first) * width..];
                add(lesson.kernels, &from[..lesson.count * width], lesson.gradient);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Network;
    use crate::check::{Case, Items, check};

    fn with_tokens(x: &Items, tokens: &[f64], width: usize) -> Vec<f64> {
        let mut y = Vec::new();
        for ends in x.offsets.windows(2).filter(|ends| ends[0] < ends[1]) {
            y.extend_from_slice(tokens);
            y.extend_from_slice(&x.values[ends[0] * width..ends[1] * width]);
        }
        y
    }

    #[test]
    fn tokens_stand_before_each_item_and_learn() {
        for count in [1, 3] {
            let layers = json!([{"kind": "prefix-tokens", "count": count, "deviation": 0.5}]);
            let case = Case { layers, positions: None, width: 3, lengths: vec![2, 0, 7, 1] };
            check(&case, |x, p| with_tokens(x, &p[0], 3));
            let layers = json!([{"kind": "prefix-tokens", "count": count}]);
            let case = Case { layers, positions: Some(vec![2, 2]), width: 5, lengths: vec![4; 3] };
            check(&case, |x, p| with_tokens(x, &p[0], 5));
        }
    }

    #[test]
    fn tokens_in_pieces_stand_in_their_order() {
        // Pieces have 131072 values, or 32 rows if those have more.
        let description = json!({"inputs": [{"content": "values", "width": 5000}],
            "layers": [{"kind": "prefix-tokens", "count": 40}]});
        let network = Network::new(&description.to_string(), 1).expect("a network");
        assert!(network.parameters()[0].pieces() > 1);
        let shape = &network.inputs().expect("inputs")[0].1;
        let cells = crate::Cells::Values(vec![0.5; 5000]);
        let column = crate::Column::new("x", cells, Some(&[1]), shape).expect("a column");
        let run = inlay_base::Run::quiet(1, 1);
        let (values, _) = network.encode(&[column], None, &run).expect("rows");
        let (tokens, item) = values.split_at(40 * 5000);
        assert_eq!(tokens, network.parameters()[0].get());
        assert_eq!(item, [0.5; 5000]);
    }

    #[test]
    fn no_token_is_refused() {
        let description = json!({"inputs": [{"content": "values", "width": 5}],
            "layers": [{"kind": "prefix-tokens", "count": 0}]});
        assert!(Network::new(&description.to_string(), 1).is_err());
    }
}
