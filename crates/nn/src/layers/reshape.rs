use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer};
use crate::shape::{Positions, Shape};

/// The values of an item in their order, seen as another shape: [1568] as [7, 7, 32].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reshape {
    shape: Vec<usize>,
}

impl Layer for Reshape {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        let wanted = self.shape.iter().try_fold(1usize, |all, &axis| all.checked_mul(axis));
        let Some((&width, axes)) = self.shape.split_last().filter(|_| wanted != Some(0)) else {
            return Err("expects a shape of one axis or more, each of 1 or more".into());
        };
        let Some(rows) = input.rows() else {
            return Err("expects items of one length".into());
        };
        let size = rows * input.width;
        match wanted {
            Some(wanted) if wanted == size => {
                Ok(Shape { width, positions: Positions::Fixed(axes.to_vec()), ..input.clone() })
            }
            _ => Err(format!("expects as many values as {:?} has", self.shape)),
        }
    }

    fn reshapes(&self) -> bool {
        true
    }

    fn forward(&self, _pass: &mut Forward<'_>) {}

    fn backward(&self, _pass: &mut Backward<'_>) {}
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, check};
    use crate::network::Network;

    #[test]
    fn values_stay_in_their_order() {
        // Pairs of neighbours, in windows over what was a vector.
        let layers = json!([
            {"kind": "reshape", "shape": [6, 1]},
            {"kind": "average-pool", "kernel": 2},
            {"kind": "reshape", "shape": [3]},
        ]);
        let case = Case { layers, positions: Some(vec![2]), width: 3, lengths: vec![2; 3] };
        check(&case, |x, _| x.values.chunks(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect());
    }

    #[test]
    fn another_number_of_values_is_refused() {
        for shape in [json!([5]), json!([]), json!([0, 6]), json!([1u64 << 40, 1u64 << 40])] {
            let input = json!({"content": "values", "positions": [2], "width": 3});
            let layers = json!([{"kind": "reshape", "shape": shape}]);
            let description = json!({"inputs": [input], "layers": layers}).to_string();
            let problem = Network::new(&description, 1).err().expect("a refusal").to_string();
            assert!(problem.contains("`reshape1` expects"), "{problem}");
        }
    }
}
