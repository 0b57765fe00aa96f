//! From a description to steps over slots: every shape is known, and which buffers can be shared.
//!
//! A slot is a value between two layers. Several slots may lie in one buffer: what only sees rows
//! otherwise, what writes in place, and in encoding whatever is no longer wanted. Gradients have buffers
//! of their own, used again as soon as nobody asks for them; those of what layers with parameters gave
//! stay until all gradients of parameters are made.

mod backward;
mod draft;

use inlay_base::Result;

use self::draft::Draft;
use crate::description::{Description, wrong};
use crate::layer::Layer;
use crate::losses::Loss;
use crate::parameter::Blueprint;
use crate::shape::{Content, Positions, Shape};

/// Values between layers that lie in the second cache, about, for the two or three layers at hand.
const PORTION: usize = 1 << 20;

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
    /// Of each set of places that rows may have: the input that they come from.
    pub places: Vec<usize>,
    /// Buffers of values.
    pub buffers: usize,
    /// What is done to go backward.
    pub backward: Vec<Back>,
    /// Buffers of gradients.
    pub gradients: usize,
    /// Where the gradient of the result is to be put.
    pub output_gradient: usize,
    /// Whether the loss has taken over the last layer (see `Layer::sampled`): what it gives, the output, is
    /// worked out while nothing is learnt only.
    pub taken: bool,
    /// Layers with a scale behind them that becomes part of their parameters while encoding.
    pub folds: Vec<Fold>,
}

/// A layer and the scale of what it gives, as first parameters in the network's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fold {
    /// Of the layer: its first parameter and how many it has.
    pub giver: (usize, usize),
    /// Of the one that scales.
    pub scale: (usize, usize),
}

/// What lies between two layers.
pub struct Slot {
    /// For one item.
    pub shape: Shape,
    /// Which buffer holds it.
    pub buffer: usize,
    /// Which set has the places of its rows, if they are known.
    pub places: Option<usize>,
}

/// A step forward.
pub struct Node {
    /// What is done.
    pub work: Work,
    /// Slots that go in.
    pub inputs: Vec<usize>,
    /// The slot that comes out.
    pub output: usize,
    /// A slot of which what comes out has the rows, if the inputs do not say how many there are.
    pub like: Option<usize>,
    /// The set of places that it makes.
    pub places: Option<usize>,
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
        /// Whether it adds what it gives to its second input, in place of the sum that followed.
        added: bool,
        /// The fold whose parameters it has instead of its own.
        folded: Option<usize>,
        /// Whether it goes through training as through encoding: what it keeps is frozen.
        still: bool,
    },
    /// Values of the same place, added up.
    Sum {
        /// The function that it applies last, for the node after it.
        fused: Option<inlay_kernels::Activation>,
    },
    /// Values of the same row, one behind the other; a vector stands in every row.
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
    /// To see what is there: each layer by itself.
    Describe,
    /// Training: everything that a backward pass reads is kept.
    Train,
    /// The output of the layer of this name, or of the last one; buffers are shared as far as can be, and
    /// scales are folded into the layers before them.
    Encode(Option<&'a str>),
}

impl Plan {
    /// Works out a plan. `frozen` are the names of layers that do not learn.
    ///
    /// # Errors
    /// `InvalidInput` if something does not fit.
    pub fn new(description: Description, purpose: Purpose<'_>, frozen: &[String]) -> Result<Self> {
        let mut draft = Draft { description: description.inputs, ..Draft::default() };
        for (input, (name, shape)) in draft.description.iter().enumerate() {
            if !shape.can_be() {
                return Err(wrong(format!(
                    "has an input `{name}` of {shape}, too large to be counted"
                )));
            }
            let places = (shape.axes > 0).then_some(draft.places.len());
            draft.places.extend(places.map(|_| input));
            draft.slots.push(Slot { shape: shape.clone(), buffer: 0, places });
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
        let folds = draft.folds();
        let training = purpose == Purpose::Train;
        if wanted.is_some() || training {
            draft.forget_what_follows(output);
        }
        if matches!(purpose, Purpose::Encode(_)) {
            folds.iter().enumerate().for_each(|(number, fold)| draft.fold(number, fold, output));
            draft.add_in_place(output);
        }
        if draft.slots[output].shape.content == Content::Ids {
            return Err(wrong("has no layer"));
        }
        draft.fuse(output, training);
        let buffers = if training { draft.lay_out(output) } else { draft.share(output) };
        let Draft { description, slots, nodes, places, .. } = draft;
        let mut plan = Self {
            slots,
            nodes,
            output,
            inputs: description.len(),
            places,
            buffers,
            backward: Vec::new(),
            // One for the output, if a loss is worked out.
            gradients: 1,
            output_gradient: 0,
            taken: false,
            folds,
        };
        if training {
            plan.go_back(frozen);
        }
        Ok(plan)
    }

    /// Lets a loss take over the last layer, if it is one that does so: its parameters are no longer packed.
    ///
    /// # Errors
    /// `InvalidInput` if the last layer does not let it.
    pub fn hand_over(&mut self, loss: &Loss) -> Result<()> {
        let last = self.nodes.iter_mut().find(|node| node.output == self.output);
        if let Some(Node { work: Work::Layer { layer, .. }, .. }) = last
            && let Some(other) = layer.taken_by(loss)
        {
            *layer = other;
            self.taken = true;
            return Ok(());
        }
        if loss.sampling().is_none() {
            return Ok(());
        }
        Err(wrong(
            "has a sampled softmax as its loss, whose last layer is a `dense` with a unit for each class",
        ))
    }

    /// The first parameter of the layer that the loss has taken over, and how many there are.
    pub fn handed_over(&self) -> Option<(usize, usize)> {
        let last = self.nodes.iter().find(|node| self.taken && node.output == self.output)?;
        match &last.work {
            Work::Layer { parameters, .. } => Some(*parameters),
            Work::Sum { .. } | Work::Concat => None,
        }
    }

    /// Whether nobody reads the output once a loss has: its gradient may take its place.
    pub fn is_spent(&self) -> bool {
        let Slot { buffer, .. } = self.slots[self.output];
        let lone = self.slots.iter().filter(|slot| slot.buffer == buffer).count() == 1;
        let read = self.nodes.iter().any(|node| node.inputs.contains(&self.output));
        let last = self.nodes.iter().find(|node| node.output == self.output);
        let forgets = last.is_some_and(|node| match &node.work {
            Work::Layer { layer, fused, .. } => {
                layer.fuses() && fused.is_none() && !layer.keeps_output()
            }
            Work::Sum { .. } | Work::Concat => false,
        });
        lone && !read && forgets
    }

    /// Multiplications and additions for an item of so many rows in each slot.
    pub fn operations(&self, rows: &[usize]) -> u64 {
        let of_node = |node: &Node| match &node.work {
            Work::Layer { layer, .. } => {
                let input = node.inputs[0];
                layer.operations(&self.slots[input].shape, rows[input])
            }
            Work::Sum { .. } | Work::Concat => 0,
        };
        self.nodes.iter().map(of_node).sum()
    }

    /// Whether there is anything in a slot.
    pub fn is_there(&self, slot: usize, learning: bool) -> bool {
        !(learning && self.taken && slot == self.output)
    }

    /// Why items cannot come in windows, one after the other, if they cannot.
    ///
    /// # Errors
    /// Which layer, or input, wants to see an item as a whole.
    pub fn windows(&self) -> std::result::Result<(), String> {
        for node in &self.nodes {
            if let Work::Layer { name, layer, .. } = &node.work
                && !layer.takes_windows()
            {
                return Err(format!("`{name}` has to see an item as a whole"));
            }
        }
        match self.slots.iter().all(|slot| slot.shape.positions == Positions::Any) {
            true => Ok(()),
            false => Err("its items have a fixed number of positions".into()),
        }
    }

    /// Values between layers that threads had best work on at a time, so that what a layer gives is still near when
    /// the next one reads it; `usize::MAX`: all of a batch.
    pub fn portion(&self, threads: usize, learning: bool) -> usize {
        let mut learnt = 0;
        for node in &self.nodes {
            let Work::Layer { layer, .. } = &node.work else { continue };
            // Whoever stands in for a layer does so while that learns only.
            let stands_in = self.taken && node.output == self.output;
            if layer.wants_company() && (learning || !stands_in) {
                return usize::MAX;
            }
            let input = &self.slots[node.inputs[0]].shape;
            learnt += layer.parameters(input).iter().map(Blueprint::size).sum::<usize>();
        }
        // Each portion goes through all parameters, three times: that must not be more than what it is for.
        PORTION.max(2 * learnt).saturating_mul(threads)
    }

    /// Rows of an item in each slot, where the items of the inputs have so many.
    ///
    /// # Errors
    /// Which layer does not take an item that is so short or so long, or which branches are of other lengths.
    pub fn rows(&self, of_inputs: &[usize]) -> std::result::Result<Vec<usize>, String> {
        let mut rows = of_inputs.to_vec();
        rows.resize(self.slots.len(), 0);
        for node in &self.nodes {
            let given = rows[node.inputs[0]];
            if let Some(like) = node.like {
                rows[node.output] = rows[like];
                continue;
            }
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
                _ => self.rows_of_branches(&node.inputs, &rows)?,
            };
        }
        Ok(rows)
    }

    /// Rows of an item in branches that meet, those apart that are one vector.
    fn rows_of_branches(
        &self,
        branches: &[usize],
        rows: &[usize],
    ) -> std::result::Result<usize, String> {
        let long = branches.iter().filter(|&&slot| !self.slots[slot].shape.is_vector());
        let mut long = long.map(|&slot| rows[slot]);
        let first = long.next().unwrap_or(1);
        match long.find(|&other| other != first) {
            None => Ok(first),
            Some(other) => Err(format!("has branches of {first} and of {other} rows that meet")),
        }
    }
}
