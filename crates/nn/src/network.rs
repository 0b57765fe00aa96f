//! A network with what it has learnt, and what it gives.

use inlay_base::{Error, Random, Result, afford};
use inlay_kernels::Kernels;

use crate::data::{Column, Window};
use crate::description::{Description, wrong};
use crate::encode::Encodings;
use crate::fold::Folded;
use crate::parameter::Parameter;
use crate::plan::{Plan, Purpose, Work};
use crate::shape::Shape;
use crate::shard::Shard;

/// A network with its parameters.
pub struct Network {
    description: String,
    pub(crate) parameters: Vec<Parameter>,
    /// In the order of the plan's.
    folds: Vec<Folded>,
    /// What `encode` was last asked for: the newest at the end.
    pub(crate) encodings: Encodings,
}

/// What `summary` says of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The layer's name; of a sum or concat, that word.
    pub name: String,
    /// For one item.
    pub shape: Shape,
    /// Numbers that it learns.
    pub parameters: usize,
    /// Multiplications and additions for an item; for sequences, of one row.
    pub operations: u64,
}

impl Network {
    /// A network that has learnt nothing: its parameters begin at random.
    ///
    /// # Errors
    /// `InvalidInput` for a description that is not understood, or layers that do not fit.
    pub fn new(description: &str, seed: u64) -> Result<Self> {
        let mut network = Self::blank(description)?;
        // Values and their copies for products.
        afford(Some(8 * network.size() as u64))?;
        for (number, parameter) in network.parameters.iter_mut().enumerate() {
            parameter.begin(Random::new(seed, number as u64));
        }
        network.prepare();
        Ok(network)
    }

    /// A network whose parameters have no values, and which is not ready for anything before these come.
    ///
    /// # Errors
    /// As for `new`.
    pub fn blank(description: &str) -> Result<Self> {
        let plan = Plan::new(Description::parse(description)?, Purpose::Describe, &[])?;
        let mut parameters = Vec::new();
        for node in &plan.nodes {
            let Work::Layer { name, layer, .. } = &node.work else { continue };
            for blueprint in layer.parameters(&plan.slots[node.inputs[0]].shape) {
                let name = format!("{name}.{}", blueprint.name);
                parameters.push(Parameter::new(name, blueprint));
            }
        }
        let folds = Folded::all(plan, &parameters);
        let encodings = Encodings::default();
        Ok(Self { description: description.into(), parameters, folds, encodings })
    }

    /// Another network that knows what this one does, where its parameters have the same names and
    /// shapes; others begin at random.
    ///
    /// # Errors
    /// As for `new`.
    pub fn described(&self, description: &str, seed: u64) -> Result<Self> {
        let mut other = Self::new(description, seed)?;
        for to in &mut other.parameters {
            let same = |from: &&Parameter| {
                from.name == to.name && from.blueprint.shape == to.blueprint.shape
            };
            if let Some(from) = self.parameters.iter().find(same) {
                to.set(&from.get());
            }
        }
        other.prepare();
        Ok(other)
    }

    /// What a node of a plan works with.
    pub(crate) fn of(&self, work: &Work) -> &[Parameter] {
        match work {
            Work::Layer { folded: Some(number), .. } => self.folds[*number].parameters(),
            Work::Layer { parameters: (first, count), .. } => {
                &self.parameters[*first..first + count]
            }
            Work::Sum { .. } | Work::Concat => &[],
        }
    }

    /// Numbers that it holds.
    pub fn size(&self) -> usize {
        self.parameters.iter().map(|parameter| parameter.blueprint.size()).sum()
    }

    /// As it was given.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// All that it learns.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// A parameter by its name, in PyTorch's order.
    pub fn get(&self, name: &str) -> Option<Vec<f32>> {
        self.parameters.iter().find(|parameter| parameter.name == name).map(Parameter::get)
    }

    /// Gives a parameter values, in PyTorch's order.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` if there are more or fewer than it has.
    pub fn set(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let found = self.parameters.iter_mut().find(|parameter| parameter.name == name);
        let no_such = || Error::NotFound { what: "parameter", name: name.into() };
        let parameter = found.ok_or_else(no_such)?;
        let (given, size) = (values.len(), parameter.blueprint.size());
        if given != size {
            return Err(wrong(format!("has {size} values in `{name}`, and {given} came")));
        }
        parameter.set(values);
        parameter.prepare(Kernels::get(), false);
        self.fold();
        Ok(())
    }

    /// Turns the weights of all layers that can work with them into numbers of 8 bits: dense layers, and what goes into
    /// attention and comes out of it. Those that a batch norm becomes part of stay as they are.
    ///
    /// # Errors
    /// `InvalidInput` for weights that are no numbers.
    pub fn turn_into_bytes(&mut self) -> Result<()> {
        let plan = self.plan(Purpose::Describe, &[])?;
        for node in &plan.nodes {
            let Work::Layer { layer, parameters: (first, count), .. } = &node.work else {
                continue;
            };
            let folds = plan.folds.iter().any(|fold| fold.giver.0 == *first);
            for parameter in (0..*count).filter(|&number| !folds && layer.takes_bytes(number)) {
                let parameter = &mut self.parameters[first + parameter];
                if !parameter.is_finite() {
                    return Err(wrong(format!(
                        "has values in `{}` that are no numbers",
                        parameter.name
                    )));
                }
                parameter.turn_into_bytes(Kernels::get());
            }
        }
        Ok(())
    }

    /// Bytes of memory that its parameters take.
    pub fn held(&self) -> u64 {
        let folded = self.folds.iter().flat_map(Folded::parameters);
        self.parameters.iter().chain(folded).map(Parameter::held).sum()
    }

    /// Bytes of files in which it has parameters.
    pub fn mapped(&self) -> u64 {
        self.parameters.iter().map(Parameter::mapped).sum()
    }

    /// Of each parameter, whether encoding reads it as it is packed for products only.
    pub(crate) fn packed(&self) -> Result<Vec<bool>> {
        let plan = self.plan(Purpose::Describe, &[])?;
        let mut packed = Vec::with_capacity(self.parameters.len());
        for node in &plan.nodes {
            if let Work::Layer { layer, parameters: (_, count), .. } = &node.work {
                let input = &plan.slots[node.inputs[0]].shape;
                packed.extend((0..*count).map(|number| layer.reads_packed(number, input)));
            }
        }
        Ok(packed)
    }

    /// A plan for a purpose.
    pub(crate) fn plan(&self, purpose: Purpose<'_>, frozen: &[String]) -> Result<Plan> {
        Plan::new(Description::parse(&self.description)?, purpose, frozen)
    }

    /// Names and shapes of the inputs.
    pub fn inputs(&self) -> Result<Vec<(String, Shape)>> {
        Ok(Description::parse(&self.description)?.inputs)
    }

    /// The shape of what a layer gives, or the last one.
    pub fn output(&self, layer: Option<&str>) -> Result<Shape> {
        let encoding = self.encoding(layer)?;
        let Plan { slots, output, .. } = &encoding.plan;
        Ok(slots[*output].shape.clone())
    }

    /// The layers of a description in their order, without making any of them.
    ///
    /// # Errors
    /// `InvalidInput` for a description that is not understood, or layers that do not fit.
    pub fn summary(description: &str) -> Result<Vec<Line>> {
        let plan = Plan::new(Description::parse(description)?, Purpose::Describe, &[])?;
        let lines = plan.nodes.iter().map(|node| {
            let input = &plan.slots[node.inputs[0]].shape;
            let shape = plan.slots[node.output].shape.clone();
            match &node.work {
                Work::Layer { name, layer, .. } => Line {
                    name: name.clone(),
                    parameters: {
                        let all = layer.parameters(input);
                        all.iter().filter(|found| !found.kept).map(|found| found.size()).sum()
                    },
                    operations: layer.operations(input, input.rows().unwrap_or(1)),
                    shape,
                },
                Work::Sum { .. } => {
                    Line { name: "sum".into(), shape, parameters: 0, operations: 0 }
                }
                Work::Concat => Line { name: "concat".into(), shape, parameters: 0, operations: 0 },
            }
        });
        Ok(lines.collect())
    }

    /// Makes the network ready to encode; `encode` and training need it once after every change.
    pub fn prepare(&mut self) {
        self.parameters.iter_mut().for_each(|parameter| parameter.prepare(Kernels::get(), false));
        self.fold();
    }

    fn fold(&mut self) {
        for folded in &mut self.folds {
            folded.make(&self.parameters);
            folded.prepare();
        }
    }
}

/// Puts items into a shard's inputs. Of examples with several items these come one after the other: then
/// there is a column for each input, and for each again.
pub(crate) fn fill(
    shard: &mut Shard,
    plan: &Plan,
    columns: &[Column],
    examples: impl Iterator<Item = usize> + Clone,
    window: Window,
) {
    for slot in 0..plan.inputs {
        let (values, ids) = shard.input(slot);
        for example in examples.clone() {
            let parts = columns.iter().skip(slot).step_by(plan.inputs);
            parts.for_each(|column| column.append(example, window, values, ids));
        }
        let Some(places) = shard.places(plan, slot) else { continue };
        for example in examples.clone() {
            let parts = columns.iter().skip(slot).step_by(plan.inputs);
            parts.for_each(|column| column.append_places(example, window, places));
        }
    }
}

/// Inputs that have been checked against a plan: how many rows each item has in each slot.
#[derive(Default)]
pub(crate) struct Fitted {
    rows: Vec<usize>,
    slots: usize,
}

impl Fitted {
    pub(crate) fn new(plan: &Plan, inputs: &[Column]) -> Result<Self> {
        if inputs.len() != plan.inputs {
            return Err(wrong(format!("has {} inputs, and {} came", plan.inputs, inputs.len())));
        }
        let items = inputs[0].items();
        if let Some(other) = inputs.iter().find(|column| column.items() != items) {
            let other = other.items();
            return Err(wrong(format!("got {items} items at one input and {other} at another")));
        }
        for (slot, column) in plan.slots.iter().zip(inputs) {
            if slot.shape.axes != column.axes {
                let (wanted, known) = (slot.shape.axes, column.axes);
                return Err(wrong(format!("takes places along {wanted} axes, and {known} came")));
            }
        }
        for node in &plan.nodes {
            if let Work::Layer { layer, name, .. } = &node.work
                && let (Some(limits), Some(set)) =
                    (layer.most_places(), plan.slots[node.inputs[0]].places)
            {
                let name = format!("what `{name}` gets");
                inputs[plan.places[set]].within(&name, limits)?;
            }
            if let Work::Layer { layer, name, .. } = &node.work
                && let (Some(limit), Some(column)) = (layer.ids(), inputs.get(node.inputs[0]))
            {
                column.below(&format!("what goes into `{name}`"), limit, false)?;
            }
        }
        let slots = plan.slots.len();
        let mut rows = Vec::with_capacity(items * slots);
        let mut given = vec![0; inputs.len()];
        for item in 0..items {
            given.iter_mut().zip(inputs).for_each(|(rows, column)| *rows = column.rows(item));
            let found = plan.rows(&given).map_err(|problem| {
                let source = format!("item {item}");
                Error::InvalidInput { source, offset: None, problem }
            })?;
            rows.extend(found);
        }
        Ok(Self { rows, slots })
    }

    pub(crate) fn items(&self) -> usize {
        self.rows.len() / self.slots.max(1)
    }

    /// Rows of an item in each slot.
    pub(crate) fn of(&self, item: usize) -> &[usize] {
        &self.rows[item * self.slots..][..self.slots]
    }
}
