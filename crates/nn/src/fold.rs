//! Batch norms become part of the layers before them: while encoding, a scale and a shift of each value
//! that a dense layer or convolution gives are a change of its weights and biases.
//!
//! ```text
//! s·(W·x + b) + t = (s·W)·x + (s·b + t)
//! ```

use inlay_kernels::Kernels;

use crate::layer::{Layer, Scale};
use crate::parameter::{Blueprint, Initial, Parameter};
use crate::plan::{Fold, Plan, Work};

/// A layer and the scale behind it, as one layer.
pub struct Folded {
    fold: Fold,
    /// The one that scales.
    layer: Box<dyn Layer>,
    /// Weights and biases.
    parameters: [Parameter; 2],
}

impl Folded {
    /// All folds of a network, before they are made; its layers that scale are taken out of the plan.
    pub fn all(plan: Plan, parameters: &[Parameter]) -> Vec<Self> {
        let Plan { nodes, folds, .. } = plan;
        let mut layers: Vec<_> = nodes.into_iter().map(|node| node.work).collect();
        let folded = folds.into_iter().map(|fold| {
            let found = layers.iter().position(|work| match work {
                Work::Layer { parameters, .. } => *parameters == fold.scale,
                _ => false,
            });
            let work = layers.swap_remove(found.expect("a fold of this plan"));
            let Work::Layer { layer, .. } = work else { unreachable!("what folds is a layer") };
            let weight = parameters[fold.giver.0].blueprint.clone();
            let bias = Blueprint::vector("bias", weight.shape[0], Initial::Constant(0.0));
            let parameters =
                [weight, bias].map(|blueprint| Parameter::new(String::new(), blueprint));
            Self { fold, layer, parameters }
        });
        folded.collect()
    }

    /// Weights and biases, as `make` left them.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Makes them ready to encode.
    pub fn prepare(&mut self) {
        self.parameters.iter_mut().for_each(|made| made.prepare(Kernels::get(), false));
    }

    /// Works them out of what the network has learnt.
    pub fn make(&mut self, learnt: &[Parameter]) {
        let of = |(first, count): (usize, usize)| &learnt[first..first + count];
        let giver = of(self.fold.giver);
        let Scale { scale, shift } = self.layer.scale(of(self.fold.scale));
        let mut weight = giver[0].get();
        let row = weight.len() / scale.len().max(1);
        for (weights, scale) in weight.chunks_mut(row.max(1)).zip(&scale) {
            weights.iter_mut().for_each(|w| *w = (f64::from(*w) * scale) as f32);
        }
        let bias = giver.get(1).map_or_else(|| vec![0.0; scale.len()], Parameter::get);
        let bias = bias.iter().zip(scale.iter().zip(&shift));
        let bias: Vec<f32> = bias.map(|(&b, (s, t))| (f64::from(b) * s + t) as f32).collect();
        let [of_weight, of_bias] = &mut self.parameters;
        of_weight.set(&weight);
        of_bias.set(&bias);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use inlay_kernels::{Desk, Kernels};
    use serde_json::{Value, json};

    use crate::data::Window;
    use crate::layer::{Mode, Pass, Stretch};
    use crate::meeting::Seat;
    use crate::network::{Fitted, Network, fill};
    use crate::plan::{Plan, Purpose, Work};
    use crate::shard::Shard;
    use crate::{Cells, Column};

    fn kinds(plan: &Plan) -> Vec<&str> {
        let kind = |work: &'_ Work| matches!(work, Work::Layer { folded: Some(_), .. });
        let name = |node: &crate::plan::Node| if kind(&node.work) { "folded" } else { "plain" };
        plan.nodes.iter().map(name).collect()
    }

    /// What a plan gives for some pictures.
    pub(crate) fn outcome(network: &Network, plan: &Plan, column: &[Column]) -> Vec<f32> {
        let rows = Fitted::new(plan, column).unwrap();
        let mut shard = Shard::default();
        shard.begin(plan, rows.items(), Stretch::Whole, |item, slot| rows.of(item)[slot]);
        fill(&mut shard, plan, column, 0..rows.items(), Window::ALL);
        let (kernels, seat) = (Kernels::get(), &Seat::alone());
        let pass = Pass {
            kernels,
            mode: Mode::Encode,
            seat,
            share: 1.0,
            first: 0,
            wanted: &[],
            run: None,
        };
        shard.forward(plan, network, &pass, &mut [], &mut Desk::default());
        shard.rows(plan, plan.output).values.to_vec()
    }

    fn compare(layers: Value, folded: &[&str]) {
        let description = json!({"inputs": [{"content": "values", "positions": [6, 5], "width": 4}],
            "layers": layers});
        let mut network = Network::new(&description.to_string(), 3).unwrap();
        let names: Vec<_> = network.parameters().iter().map(|found| found.name.clone()).collect();
        for (number, name) in names.iter().enumerate() {
            let mut values = network.get(name).unwrap();
            for (i, value) in values.iter_mut().enumerate() {
                let noise = ((i * 37 + number * 11) % 19) as f32 / 19.0;
                match name.rsplit('.').next().unwrap() {
                    "running_var" => *value = 0.1 + 2.0 * noise,
                    "running_mean" | "bias" => *value = noise - 0.5,
                    _ => *value += noise / 10.0,
                }
            }
            network.set(name, &values).unwrap();
        }
        let shape = network.inputs().unwrap().remove(0).1;
        let cells = (0..6 * 5 * 4 * 3).map(|i| ((i * 29 % 101) as f32 - 50.0) / 25.0).collect();
        let column = [Column::new("x", Cells::Values(cells), None, &shape).unwrap()];
        let alone = network.plan(Purpose::Describe, &[]).unwrap();
        let together = network.plan(Purpose::Encode(None), &[]).unwrap();
        assert_eq!(kinds(&together), folded);
        let norms = |plan: &Plan| {
            let scales = |work: &Work| matches!(work, Work::Layer { layer, .. } if layer.scales());
            plan.nodes.iter().filter(|node| scales(&node.work)).count()
        };
        assert!(norms(&together) < norms(&alone));
        let (wanted, found) =
            (outcome(&network, &alone, &column), outcome(&network, &together, &column));
        assert!(wanted.iter().any(|value| value.abs() > 0.1));
        for (found, wanted) in found.iter().zip(&wanted) {
            assert!((found - wanted).abs() < 1e-5, "{found}, {wanted}");
        }
        // What lies between them is still there for whoever asks.
        let between = network.plan(Purpose::Encode(Some("first")), &[]).unwrap();
        assert_eq!(kinds(&between), ["plain"]);
    }

    #[test]
    fn norms_become_part_of_what_is_before_them_and_give_the_same() {
        let norm = || json!({"kind": "batch-norm"});
        let first =
            json!({"kind": "conv2d", "channels": 8, "kernel": 3, "bias": false, "name": "first"});
        let grouped = json!({"kind": "conv2d", "channels": 6, "kernel": 2, "groups": 2});
        let lone = json!({"kind": "conv2d", "channels": 6, "kernel": 2, "groups": 6});
        let dense = json!({"kind": "dense", "units": 5});
        compare(
            json!([first, norm(), {"kind": "relu"}, grouped, norm(), lone,
            {"kind": "batch-norm", "affine": false}, {"kind": "flatten"}, dense, norm(), {"kind": "tanh"}]),
            &["folded", "plain", "folded", "folded", "plain", "folded", "plain"],
        );
        // One that somebody else reads as well, or that no layer with weights is before, stays.
        compare(
            json!([first, {"kind": "sum", "branches": [[norm()], [{"kind": "tanh"}]]}, norm(),
            dense, norm()]),
            &["plain", "plain", "plain", "plain", "plain", "folded"],
        );
    }
}
