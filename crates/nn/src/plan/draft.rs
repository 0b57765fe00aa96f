//! A plan that is being worked out: shapes first, then who applies activations, then buffers.

use inlay_base::Result;

use super::{Fold, Node, Slot, Work};
use crate::description::{Described, Masked, wrong};
use crate::layer::{Layer, Places};
use crate::layers::masked::{FillMasked, KeepVisible};
use crate::shape::{Content, Positions, Shape, countable};

#[derive(Default)]
pub(super) struct Draft {
    pub(super) description: Vec<(String, Shape)>,
    pub(super) slots: Vec<Slot>,
    pub(super) nodes: Vec<Node>,
    pub(super) parameters: usize,
    /// Of each set of places: the input that they come from.
    pub(super) places: Vec<usize>,
}

impl Draft {
    /// A list of layers after a slot: the slot that comes out.
    pub(super) fn list(&mut self, layers: Vec<Described>, from: usize) -> Result<usize> {
        layers.into_iter().try_fold(from, |from, described| match described {
            Described::Layer { name, layer } => self.layer(name, layer, from),
            Described::Masked(masked) => self.masked(masked, from),
            Described::Take(name) => {
                let found = self.description.iter().position(|(input, _)| *input == name);
                found.ok_or_else(|| {
                    wrong(format!("takes the input `{name}`, which it does not have"))
                })
            }
            Described::Sum(branches) => {
                let ends = self.branches(branches, from)?;
                let shape = self.slots[ends[0]].shape.clone();
                for &end in &ends {
                    let other = &self.slots[end].shape;
                    if !other.is_like(&shape) || shape.content == Content::Ids {
                        return Err(wrong(format!("adds up branches of {shape} and {other}")));
                    }
                }
                Ok(self.node(Work::Sum { fused: None }, ends, shape))
            }
            Described::Concat(branches) => {
                let ends = self.branches(branches, from)?;
                // A vector stands beside every row of the others.
                let rows = ends.iter().find(|&&end| !self.slots[end].shape.is_vector());
                let first = self.slots[*rows.unwrap_or(&ends[0])].shape.clone();
                let mut width = 0;
                for &end in &ends {
                    let other = &self.slots[end].shape;
                    let fits = other.is_vector() || other.positions == first.positions;
                    if !fits || other.content == Content::Ids {
                        let problem = format!("puts branches of {first} and {other} side by side");
                        return Err(wrong(problem));
                    }
                    width += other.width;
                }
                Ok(self.node(Work::Concat, ends, first.with_width(width)))
            }
        })
    }

    /// The rows that are seen through layers, and all rows again.
    fn masked(&mut self, masked: Masked, from: usize) -> Result<usize> {
        let Masked { name, mask, deviation, layers } = masked;
        let whole = self.slots[from].shape.positions.clone();
        let seen = self.layer(format!("{name}.visible"), Box::new(KeepVisible(mask)), from)?;
        let kept = self.slots[seen].shape.positions.clone();
        let last = self.list(layers, seen)?;
        if self.slots[last].shape.positions != kept || self.slots[last].shape.is_vector() {
            return Err(wrong(format!("`{name}` expects layers that keep the rows that they see")));
        }
        let filled = self.layer(name, Box::new(FillMasked { mask, deviation }), last)?;
        let (places, axes) = (self.slots[from].places, self.slots[from].shape.axes);
        let slot = &mut self.slots[filled];
        slot.shape = Shape { positions: whole, axes, ..slot.shape.clone() };
        slot.places = places;
        let node = self.nodes.last_mut();
        node.ok_or_else(|| wrong("has no layer"))?.like = Some(from);
        Ok(filled)
    }

    fn branches(&mut self, branches: Vec<Vec<Described>>, from: usize) -> Result<Vec<usize>> {
        branches.into_iter().map(|branch| self.list(branch, from)).collect()
    }

    fn layer(&mut self, name: String, layer: Box<dyn Layer>, from: usize) -> Result<usize> {
        let input = &self.slots[from].shape;
        let shape = layer.shape(input).map_err(|problem| {
            let giver = self.nodes.iter().find(|node| node.output == from);
            let giver = match giver.map(|node| &node.work) {
                Some(Work::Layer { name, .. }) => format!("`{name}`"),
                Some(Work::Sum { .. }) => "the sum before it".into(),
                Some(Work::Concat) => "the concat before it".into(),
                None => "the input".into(),
            };
            wrong(format!("`{name}` {problem}; {giver} gives {input}"))
        })?;
        let blueprints = layer.parameters(input);
        if !shape.can_be() || !blueprints.iter().all(|blueprint| countable(&blueprint.shape)) {
            return Err(wrong(format!(
                "`{name}` makes {shape} of {input}, too large to be counted"
            )));
        }
        let (moves, count) = (layer.places(), blueprints.len());
        let parameters = (self.parameters, count);
        self.parameters += count;
        let work = Work::Layer {
            name,
            layer,
            fused: None,
            done: false,
            parameters,
            output_gradient: 0,
            added: false,
            folded: None,
            still: false,
        };
        let output = self.node(work, vec![from], shape);
        if moves != Places::Stay {
            self.forget_places(output);
        }
        if let (Places::Move, Some(places)) = (moves, self.slots[from].places)
            && self.slots[output].shape.positions == Positions::Any
        {
            self.places.push(self.places[places]);
            let made = Some(self.places.len() - 1);
            self.slots[output].places = made;
            self.slots[output].shape.axes = self.slots[from].shape.axes;
            self.nodes.last_mut().into_iter().for_each(|node| node.places = made);
        }
        Ok(output)
    }

    /// A node; its rows have the places of what goes in, if that is known and the same for all inputs.
    fn node(&mut self, work: Work, inputs: Vec<usize>, shape: Shape) -> usize {
        let rows = inputs.iter().map(|&input| &self.slots[input]);
        let mut known = rows.filter(|slot| !slot.shape.is_vector()).map(|slot| slot.places);
        let first = known.next().flatten();
        let places = first.filter(|_| known.all(|other| other == first));
        self.slots.push(Slot { shape, buffer: 0, places });
        let output = self.slots.len() - 1;
        if places.is_none() || self.slots[output].shape.positions != Positions::Any {
            self.forget_places(output);
        }
        self.nodes.push(Node { work, inputs, output, like: None, places: None });
        output
    }

    fn forget_places(&mut self, slot: usize) {
        self.slots[slot].places = None;
        self.slots[slot].shape.axes = 0;
    }

    pub(super) fn slot_of(&self, wanted: &str) -> Result<usize> {
        let named = self.nodes.iter().filter_map(|node| match &node.work {
            Work::Layer { name, .. } => Some((name.as_str(), node.output)),
            _ => None,
        });
        let found = named.clone().find(|&(name, _)| name == wanted).map(|(_, output)| output);
        found.ok_or_else(|| {
            let names: Vec<_> = named.map(|(name, _)| name).collect();
            wrong(format!("has no layer `{wanted}`; it has {}", names.join(", ")))
        })
    }

    /// Leaves out the nodes that a slot does not need.
    pub(super) fn forget_what_follows(&mut self, output: usize) {
        let mut needed = vec![false; self.slots.len()];
        needed[output] = true;
        for node in self.nodes.iter().rev() {
            if needed[node.output] {
                node.inputs.iter().for_each(|&input| needed[input] = true);
            }
        }
        self.nodes.retain(|node| needed[node.output]);
    }

    fn readers(&self, slot: usize) -> usize {
        self.nodes.iter().flat_map(|node| &node.inputs).filter(|&&input| input == slot).count()
    }

    /// Where a scale follows a layer that can take it, and nobody else reads what that gives.
    pub(super) fn folds(&self) -> Vec<Fold> {
        let scale = |node: &Node| match &node.work {
            Work::Layer { layer, parameters, .. } if layer.scales() => {
                (self.readers(node.inputs[0]) == 1).then_some((node.inputs[0], *parameters))
            }
            _ => None,
        };
        let giver = |slot: usize| {
            let node = self.nodes.iter().find(|node| node.output == slot)?;
            match &node.work {
                Work::Layer { layer, parameters, .. } if layer.takes_scale() => Some(*parameters),
                _ => None,
            }
        };
        let scales = self.nodes.iter().filter_map(scale);
        scales.filter_map(|(slot, scale)| Some(Fold { giver: giver(slot)?, scale })).collect()
    }

    /// Lets a layer give what the scale behind it makes of it, if both are there and what is between them
    /// is not what is wanted.
    pub(super) fn fold(&mut self, number: usize, fold: &Fold, output: usize) {
        let place = |wanted: (usize, usize)| {
            self.nodes.iter().position(|node| match &node.work {
                Work::Layer { parameters, .. } => wanted == *parameters,
                _ => false,
            })
        };
        let (Some(giver), Some(scale)) = (place(fold.giver), place(fold.scale)) else { return };
        if self.nodes[giver].output == output {
            return;
        }
        let scale = self.nodes.remove(scale);
        self.nodes[giver].output = scale.output;
        if let Work::Layer { folded, .. } = &mut self.nodes[giver].work {
            *folded = Some(number);
        }
    }

    /// Lets layers add what they give to the other branch of a sum, where nobody reads that any more.
    pub(super) fn add_in_place(&mut self, output: usize) {
        let made = |nodes: &[Node], slot| nodes.iter().position(|node| node.output == slot);
        let mut at = 0;
        while at < self.nodes.len() {
            let (Work::Sum { .. }, &[a, b]) = (&self.nodes[at].work, &self.nodes[at].inputs[..])
            else {
                at += 1;
                continue;
            };
            // The one that is made last.
            let (first, last) = (made(&self.nodes, a), made(&self.nodes, b));
            let (giver, other) = if first > last { (first, b) } else { (last, a) };
            match giver.filter(|&giver| self.can_add(giver, other, at, output)) {
                None => at += 1,
                Some(giver) => {
                    let sum = self.nodes.remove(at);
                    let node = &mut self.nodes[giver];
                    node.output = sum.output;
                    node.inputs.push(other);
                    if let Work::Layer { added, .. } = &mut node.work {
                        *added = true;
                    }
                }
            }
        }
    }

    /// Whether a node can add what it gives to the other branch of a sum.
    fn can_add(&self, giver: usize, other: usize, sum: usize, output: usize) -> bool {
        let node = &self.nodes[giver];
        let adds = match &node.work {
            Work::Layer { layer, added, .. } => layer.adds() && !added,
            _ => false,
        };
        // Others may read what was only seen otherwise.
        let about = |node: &&Node| node.output == other || node.inputs.contains(&other);
        let shared = self
            .nodes
            .iter()
            .filter(about)
            .any(|node| matches!(&node.work, Work::Layer { layer, .. } if layer.reshapes()));
        let is_input = other < self.description.len();
        let mut later = self.nodes[giver..].iter().enumerate().filter(|(_, node)| about(node));
        let last = later.all(|(at, _)| giver + at == sum);
        let lone = self.readers(node.output) == 1 && ![node.output, other].contains(&output);
        adds && !shared && !is_input && last && lone
    }

    /// Gives activations to the layers before them, where those can apply them as they go.
    pub(super) fn fuse(&mut self, output: usize, training: bool) {
        for at in 1..self.nodes.len() {
            let [input] = self.nodes[at].inputs[..] else { continue };
            let Work::Layer { layer, .. } = &self.nodes[at].work else { continue };
            let Some(activation) = layer.activation() else { continue };
            let giver = self.nodes[..at].iter().position(|node| node.output == input);
            let Some(giver) = giver else { continue };
            // A derivative that wants the input would no longer find it.
            let hidden = training && activation.needs_input();
            if hidden || input == output || self.readers(input) > 1 {
                continue;
            }
            let fused = match &mut self.nodes[giver].work {
                Work::Layer { layer, fused, .. } if layer.fuses() => fused,
                Work::Sum { fused } => fused,
                _ => continue,
            };
            if fused.is_none() {
                *fused = Some(activation);
                if let Work::Layer { done, .. } = &mut self.nodes[at].work {
                    *done = true;
                }
            }
        }
    }

    /// The slot that a node writes over, if it can.
    fn over(&self, at: usize, output: usize, training: bool) -> Option<usize> {
        let node = &self.nodes[at];
        let Work::Layer { layer, done, added, .. } = &node.work else { return None };
        let input = node.inputs[0];
        if *added {
            return node.inputs.get(1).copied();
        }
        if layer.reshapes() || *done {
            return Some(input);
        }
        let inputs = self.description.len();
        let lone = self.readers(input) == 1 && input != output && input >= inputs;
        let giver = self.nodes[..at].iter().find(|node| node.output == input);
        let asked = giver.is_some_and(|node| match &node.work {
            // Others may read what was only seen otherwise.
            Work::Layer { layer, .. } => layer.reshapes() || training && layer.keeps_output(),
            _ => false,
        });
        let writes = layer.in_place() || !training && layer.activation().is_some();
        (lone && !asked && writes).then_some(input)
    }

    /// A buffer for each slot, but for what is written in place.
    pub(super) fn lay_out(&mut self, output: usize) -> usize {
        let inputs = self.description.len();
        (0..inputs).for_each(|slot| self.slots[slot].buffer = slot);
        let mut buffers = inputs;
        for at in 0..self.nodes.len() {
            let over = self.over(at, output, true);
            let buffer = over.map_or(buffers, |slot| self.slots[slot].buffer);
            self.slots[self.nodes[at].output].buffer = buffer;
            buffers += usize::from(over.is_none());
        }
        buffers
    }

    /// Buffers that are taken again as soon as nobody reads them.
    pub(super) fn share(&mut self, output: usize) -> usize {
        let inputs = self.description.len();
        (0..inputs).for_each(|slot| self.slots[slot].buffer = slot);
        let mut buffers = inputs;
        let mut free: Vec<usize> = Vec::new();
        // The last node that reads a slot, or what lies in the same buffer.
        let mut last: Vec<usize> = vec![0; self.slots.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|&input| last[input] = at);
        }
        last[output] = self.nodes.len();
        for at in 0..self.nodes.len() {
            let over = self.over(at, output, false);
            let output = self.nodes[at].output;
            self.slots[output].buffer = match over {
                Some(slot) => self.slots[slot].buffer,
                None => free.pop().unwrap_or_else(|| {
                    buffers += 1;
                    buffers - 1
                }),
            };
            let read = self.nodes[at].inputs.iter().map(|&input| self.slots[input].buffer);
            for buffer in read.collect::<Vec<_>>() {
                let mut users =
                    (0..self.slots.len()).filter(|&slot| self.slots[slot].buffer == buffer);
                let alive = users.any(|slot| self.made(slot, at) && last[slot] > at)
                    || buffer == self.slots[output].buffer;
                if buffer >= inputs && !alive && !free.contains(&buffer) {
                    free.push(buffer);
                }
            }
        }
        buffers
    }

    /// Whether a slot is there after a node has run.
    fn made(&self, slot: usize, at: usize) -> bool {
        self.nodes[..=at].iter().any(|node| node.output == slot)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::fold::tests::outcome;
    use crate::network::Network;
    use crate::plan::{Plan, Purpose, Work};
    use crate::{Cells, Column};

    /// How many layers add to what is there, after it was seen that they give what a sum gives.
    fn in_place(layers: Value) -> usize {
        let description = json!({"inputs": [{"content": "values", "positions": [6, 5], "width": 4}],
            "layers": layers});
        let network = Network::new(&description.to_string(), 3).unwrap();
        let shape = network.inputs().unwrap().remove(0).1;
        let cells = (0..6 * 5 * 4 * 3).map(|i| ((i * 29 % 101) as f32 - 50.0) / 25.0).collect();
        let column = [Column::new("x", Cells::Values(cells), None, &shape).unwrap()];
        let alone = network.plan(Purpose::Describe, &[]).unwrap();
        let together = network.plan(Purpose::Encode(None), &[]).unwrap();
        let wanted = outcome(&network, &alone, &column);
        let found = outcome(&network, &together, &column);
        assert_eq!(found.len(), wanted.len());
        for (found, wanted) in found.iter().zip(&wanted) {
            assert!((found - wanted).abs() < 1e-5, "{found}, {wanted}");
        }
        count(&together)
    }

    fn count(plan: &Plan) -> usize {
        let adds = |work: &Work| matches!(work, Work::Layer { added: true, .. });
        plan.nodes.iter().filter(|node| adds(&node.work)).count()
    }

    #[test]
    fn sums_are_added_in_place_where_nobody_reads_what_was_there() {
        let conv = |kernel: usize, bias: bool| json!({"kind": "conv2d", "channels": 4, "kernel": kernel, "padding": kernel / 2, "bias": bias});
        let (relu, tanh) = (json!({"kind": "relu"}), json!({"kind": "tanh"}));
        let sum = |branches: Value| json!({"kind": "sum", "branches": branches});
        let branch = json!([conv(3, true), relu, conv(1, true)]);
        let block = sum(json!([branch, []]));
        assert_eq!(in_place(json!([conv(3, true), relu, block, relu, block, relu])), 2);
        // The one that is made last adds, without a bias as well, and each channel by itself.
        let short = json!([conv(1, false)]);
        assert_eq!(in_place(json!([conv(3, true), sum(json!([branch, short])), relu])), 1);
        let lone = json!({"kind": "conv2d", "channels": 4, "kernel": 1, "groups": 4});
        assert_eq!(in_place(json!([conv(3, true), sum(json!([[conv(3, true), lone], []]))])), 1);
        // It reads what it would write over; somebody else reads that later, or in other rows; it is the input.
        assert_eq!(in_place(json!([conv(3, true), sum(json!([[conv(3, true)], []]))])), 0);
        let twice = sum(json!([[block], [tanh]]));
        assert_eq!(in_place(json!([conv(3, true), twice])), 0);
        assert_eq!(in_place(json!([block])), 0);
        // Three branches, or one that is no layer that adds.
        assert_eq!(in_place(json!([conv(3, true), sum(json!([branch, [], [tanh]]))])), 0);
        assert_eq!(in_place(json!([conv(3, true), sum(json!([[conv(3, true), tanh], []]))])), 0);
    }

    #[test]
    fn an_output_is_spent_where_nothing_but_the_loss_reads_it() {
        let is_spent = |layers: Value| {
            let description = json!({"inputs": [{"content": "values", "positions": [], "width": 4}],
                "layers": layers});
            let network = Network::new(&description.to_string(), 3).unwrap();
            network.plan(Purpose::Train, &[]).unwrap().is_spent()
        };
        let dense = json!({"kind": "dense", "units": 4});
        assert!(is_spent(json!([dense])));
        assert!(is_spent(json!([dense, {"kind": "tanh"}, dense])));
        // Ways back read what these gave, or it lies where something else does.
        let dropout = json!({"kind": "dropout", "probability": 0.5});
        for last in [json!({"kind": "tanh"}), json!({"kind": "softmax"}), dropout] {
            assert!(!is_spent(json!([dense, last])), "{last}");
        }
        assert!(!is_spent(json!([{"kind": "sum", "branches": [[dense], [dense]]}])));
        assert!(!is_spent(json!([dense, {"kind": "reshape", "shape": [2, 2]}])));
    }
}
