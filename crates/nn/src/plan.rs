//! From a description to steps over slots: every shape is known, and which buffers can be shared.
//!
//! A slot is a value between two layers. Several slots may lie in one buffer: what only sees rows
//! otherwise, what writes in place, and in encoding whatever is no longer wanted. Gradients have buffers
//! of their own, used again as soon as nobody asks for them; those of what layers with parameters gave
//! stay until all gradients of parameters are made.

use inlay_base::Result;

use crate::description::{Described, Description, wrong};
use crate::layer::Layer;
use crate::shape::{Content, Positions, Shape};

/// A network that is ready to run.
pub struct Plan {
    /// What lies between layers. The first ones are the inputs.
    pub slots: Vec<Slot>,
    /// In the order in which they are run.
    pub nodes: Vec<Node>,
    /// Where the result is.
    pub output: usize,
    /// How many inputs there are.
    pub inputs: usize,
    /// Buffers of values.
    pub buffers: usize,
    /// What is done to go backward.
    pub backward: Vec<Back>,
    /// Buffers of gradients.
    pub gradients: usize,
    /// Where the gradient of the result is to be put.
    pub output_gradient: usize,
}

/// What lies between two layers.
pub struct Slot {
    /// For one item.
    pub shape: Shape,
    /// Which buffer holds it.
    pub buffer: usize,
}

/// A step forward.
pub struct Node {
    /// What is done.
    pub work: Work,
    /// Slots that go in.
    pub inputs: Vec<usize>,
    /// The slot that comes out.
    pub output: usize,
}

/// What a node does.
pub enum Work {
    /// A layer.
    Layer {
        /// Its name.
        name: String,
        /// What it does.
        layer: Box<dyn Layer>,
        /// The function that it applies last, for the node after it.
        fused: Option<inlay_kernels::Activation>,
        /// Whether the node before it has done all that there is to do.
        done: bool,
        /// Its first parameter in the network's list, and how many there are.
        parameters: (usize, usize),
        /// Where the gradient of its output is while parameters learn.
        output_gradient: usize,
    },
    /// Values of the same place, added up.
    Sum,
    /// Values of the same row, one behind the other.
    Concat,
}

/// A step backward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// A layer turns one gradient into another; both are one where it works in place.
    Layer {
        /// Of the node.
        node: usize,
        /// Of what it gave.
        from: usize,
        /// Of what it was given, if anybody wants it.
        to: Option<usize>,
    },
    /// The gradient of one branch of a `Concat`: its part of each row.
    Part {
        /// Of the whole.
        from: usize,
        /// Of the part.
        to: usize,
        /// Of the node.
        node: usize,
        /// Which of its inputs.
        input: usize,
    },
    /// A gradient is needed twice.
    Copy {
        /// The one.
        from: usize,
        /// The other.
        to: usize,
    },
    /// What is read twice learns from both.
    Add {
        /// The one.
        from: usize,
        /// The other, which gets both.
        to: usize,
    },
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// Training: everything that a backward pass reads is kept.
    Train,
    /// The output of the layer of this name, or of the last one; buffers are shared as far as can be.
    Encode(Option<&'a str>),
}

impl Plan {
    /// Works out a plan. `frozen` are the names of layers that do not learn.
    ///
    /// # Errors
    /// `InvalidInput` if something does not fit.
    pub fn new(description: Description, purpose: Purpose<'_>, frozen: &[String]) -> Result<Self> {
        let mut draft = Draft { description: description.inputs, ..Draft::default() };
        for (_, shape) in &draft.description {
            draft.slots.push(Slot { shape: shape.clone(), buffer: 0 });
        }
        let wanted = match purpose {
            Purpose::Encode(Some(name)) => Some(name),
            _ => None,
        };
        let last = draft.list(description.layers, 0)?;
        let output = match wanted {
            None => last,
            Some(name) => draft.slot_of(name)?,
        };
        if wanted.is_some() {
            draft.forget_what_follows(output);
        }
        if draft.slots[output].shape.content == Content::Ids {
            return Err(wrong("has no layer"));
        }
        let training = purpose == Purpose::Train;
        draft.fuse(output, training);
        let buffers = if training { draft.lay_out(output) } else { draft.share(output) };
        let Draft { description, slots, nodes, .. } = draft;
        let mut plan = Self {
            slots,
            nodes,
            output,
            inputs: description.len(),
            buffers,
            backward: Vec::new(),
            gradients: 0,
            output_gradient: 0,
        };
        if training {
            plan.go_back(frozen);
        }
        Ok(plan)
    }
}

#[derive(Default)]
struct Draft {
    description: Vec<(String, Shape)>,
    slots: Vec<Slot>,
    nodes: Vec<Node>,
    parameters: usize,
}

impl Draft {
    /// A list of layers after a slot: the slot that comes out.
    fn list(&mut self, layers: Vec<Described>, from: usize) -> Result<usize> {
        layers.into_iter().try_fold(from, |from, described| match described {
            Described::Layer { name, layer } => self.layer(name, layer, from),
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
                    if *other != shape || shape.content == Content::Ids {
                        return Err(wrong(format!("adds up branches of {shape} and {other}")));
                    }
                }
                Ok(self.node(Work::Sum, ends, shape))
            }
            Described::Concat(branches) => {
                let ends = self.branches(branches, from)?;
                let first = self.slots[ends[0]].shape.clone();
                let mut width = 0;
                for &end in &ends {
                    let other = &self.slots[end].shape;
                    if other.positions != first.positions || other.content == Content::Ids {
                        let problem = format!("puts branches of {first} and {other} side by side");
                        return Err(wrong(problem));
                    }
                    width += other.width;
                }
                Ok(self.node(Work::Concat, ends, first.with_width(width)))
            }
        })
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
                Some(Work::Sum) => "the sum before it".into(),
                Some(Work::Concat) => "the concat before it".into(),
                None => "the input".into(),
            };
            wrong(format!("`{name}` {problem}; {giver} gives {input}"))
        })?;
        let count = layer.parameters(input).len();
        let parameters = (self.parameters, count);
        self.parameters += count;
        let work =
            Work::Layer { name, layer, fused: None, done: false, parameters, output_gradient: 0 };
        Ok(self.node(work, vec![from], shape))
    }

    fn node(&mut self, work: Work, inputs: Vec<usize>, shape: Shape) -> usize {
        self.slots.push(Slot { shape, buffer: 0 });
        let output = self.slots.len() - 1;
        self.nodes.push(Node { work, inputs, output });
        output
    }

    fn slot_of(&self, wanted: &str) -> Result<usize> {
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
    fn forget_what_follows(&mut self, output: usize) {
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

    /// Gives activations to the layers before them, where those can apply them as they go.
    fn fuse(&mut self, output: usize, training: bool) {
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
            let Work::Layer { layer, fused, .. } = &mut self.nodes[giver].work else { continue };
            if layer.fuses() && fused.is_none() {
                *fused = Some(activation);
                if let Work::Layer { done, .. } = &mut self.nodes[at].work {
                    *done = true;
                }
            }
        }
    }

    /// Whether a node can write over what it is given.
    fn over(&self, at: usize, output: usize, training: bool) -> bool {
        let node = &self.nodes[at];
        let Work::Layer { layer, done, .. } = &node.work else { return false };
        if layer.reshapes() || *done {
            return true;
        }
        let input = node.inputs[0];
        let inputs = self.description.len();
        let lone = self.readers(input) == 1 && input != output && input >= inputs;
        let giver = self.nodes[..at].iter().find(|node| node.output == input);
        let asked = giver.is_some_and(|node| match &node.work {
            // Others may read what was only seen otherwise.
            Work::Layer { layer, .. } => layer.reshapes() || training && layer.keeps_output(),
            _ => false,
        });
        lone && !asked && (layer.in_place() || !training && layer.activation().is_some())
    }

    /// A buffer for each slot, but for what is written in place.
    fn lay_out(&mut self, output: usize) -> usize {
        let inputs = self.description.len();
        (0..inputs).for_each(|slot| self.slots[slot].buffer = slot);
        let mut buffers = inputs;
        for at in 0..self.nodes.len() {
            let over = self.over(at, output, true);
            let Node { inputs, output, .. } = &self.nodes[at];
            let (input, output) = (inputs[0], *output);
            self.slots[output].buffer = if over { self.slots[input].buffer } else { buffers };
            buffers += usize::from(!over);
        }
        buffers
    }

    /// Buffers that are taken again as soon as nobody reads them.
    fn share(&mut self, output: usize) -> usize {
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
            let node = &self.nodes[at];
            let (input, output) = (node.inputs[0], node.output);
            self.slots[output].buffer = if over {
                self.slots[input].buffer
            } else {
                free.pop().unwrap_or_else(|| {
                    buffers += 1;
                    buffers - 1
                })
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

impl Plan {
    /// The steps backward, from the last node to the first.
    fn go_back(&mut self, frozen: &[String]) {
        let learns = |work: &Work| match work {
            Work::Layer { name, parameters, .. } => parameters.1 > 0 && !frozen.contains(name),
            _ => false,
        };
        // A gradient is wanted if something before it learns.
        let mut wanted = vec![false; self.slots.len()];
        for node in &self.nodes {
            wanted[node.output] =
                learns(&node.work) || node.inputs.iter().any(|&input| wanted[input]);
        }
        let mut pool = Pool::default();
        self.output_gradient = pool.take();
        let mut of_slot: Vec<Vec<usize>> = vec![Vec::new(); self.slots.len()];
        of_slot[self.output].push(self.output_gradient);
        for at in (0..self.nodes.len()).rev() {
            let Node { work, inputs, output } = &mut self.nodes[at];
            if !wanted[*output] {
                continue;
            }
            let mut gradients = std::mem::take(&mut of_slot[*output]);
            let Some(mut gradient) = gradients.pop() else { continue };
            // One that nobody keeps gets the sum of all.
            if pool.kept.contains(&gradient) && !gradients.is_empty() {
                let to = pool.take();
                self.backward.push(Back::Copy { from: gradient, to });
                gradient = to;
            }
            for from in gradients {
                self.backward.push(Back::Add { from, to: gradient });
                pool.give(from);
            }
            let learning = learns(work);
            match work {
                Work::Layer { layer, output_gradient, .. } => {
                    *output_gradient = gradient;
                    if learning {
                        pool.kept.push(gradient);
                    }
                    let input = inputs[0];
                    let same = layer.reshapes() || layer.in_place();
                    let to = match (wanted[input], same) {
                        (false, _) => None,
                        (true, true) => Some(gradient),
                        (true, false) => Some(pool.take()),
                    };
                    // What only sees rows otherwise sees gradients so as well.
                    if !layer.reshapes() && (to.is_some() || learning) {
                        self.backward.push(Back::Layer { node: at, from: gradient, to });
                    }
                    of_slot[input].extend(to);
                    if to != Some(gradient) {
                        pool.give(gradient);
                    }
                }
                Work::Sum => {
                    let mut first = true;
                    for &input in inputs.iter().filter(|&&input| wanted[input]) {
                        let mut to = gradient;
                        if !first {
                            to = pool.take();
                            self.backward.push(Back::Copy { from: gradient, to });
                        }
                        of_slot[input].push(to);
                        first = false;
                    }
                }
                Work::Concat => {
                    for (input, &slot) in inputs.iter().enumerate() {
                        if wanted[slot] {
                            let to = pool.take();
                            self.backward.push(Back::Part { from: gradient, to, node: at, input });
                            of_slot[slot].push(to);
                        }
                    }
                    pool.give(gradient);
                }
            }
        }
        self.gradients = pool.buffers;
    }

    /// Rows of an item in each slot, where the items of the inputs have so many.
    ///
    /// # Errors
    /// Which layer does not take an item that is so short or so long.
    pub fn rows(&self, of_inputs: &[usize]) -> std::result::Result<Vec<usize>, String> {
        let mut rows = of_inputs.to_vec();
        rows.resize(self.slots.len(), 0);
        for node in &self.nodes {
            let given = rows[node.inputs[0]];
            rows[node.output] = match (&node.work, &self.slots[node.output].shape.positions) {
                (_, Positions::Fixed(axes)) => axes.iter().product(),
                (Work::Layer { name, layer, .. }, Positions::Any) => {
                    if given < layer.least_rows() {
                        let least = layer.least_rows();
                        return Err(format!(
                            "`{name}` takes {least} rows or more, and gets {given}"
                        ));
                    }
                    if given > layer.most_rows() {
                        let most = layer.most_rows();
                        return Err(format!(
                            "`{name}` takes {most} rows at most, and gets {given}"
                        ));
                    }
                    layer.rows(given)
                }
                _ => given,
            };
        }
        Ok(rows)
    }
}

/// Buffers of gradients.
#[derive(Default)]
struct Pool {
    buffers: usize,
    free: Vec<usize>,
    kept: Vec<usize>,
}

impl Pool {
    fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.buffers += 1;
            self.buffers - 1
        })
    }

    fn give(&mut self, buffer: usize) {
        if !self.kept.contains(&buffer) && !self.free.contains(&buffer) {
            self.free.push(buffer);
        }
    }
}
