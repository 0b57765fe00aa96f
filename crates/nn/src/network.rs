//! A network with what it has learnt, and what it gives.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use inlay_base::{Error, Random, Result, Run};
use inlay_kernels::{Desk, Kernels};

use crate::data::{Column, Window};
use crate::description::{Description, wrong};
use crate::fold::Folded;
use crate::layer::{Mode, Pass, Stretch};
use crate::meeting::Seat;
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
    encodings: Mutex<Vec<(Option<String>, Arc<Encoding>)>>,
}

/// What encoding up to a layer takes, ready for the next call: a plan, with the windows that its layers have laid out,
/// and room that threads have worked in.
struct Encoding {
    plan: Plan,
    rooms: Mutex<Vec<Room>>,
}

/// Where a thread encodes.
#[derive(Default)]
struct Room {
    shard: Shard,
    desk: Desk,
}

impl Encoding {
    fn enter(&self) -> Room {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps a room for the next call, if it has not grown too large.
    fn leave(&self, room: Room) {
        const LARGEST: u64 = 128 << 20;
        if room.shard.bytes() <= LARGEST {
            let most = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
            let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
            if rooms.len() < most {
                rooms.push(room);
            }
        }
    }
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
        for (number, parameter) in network.parameters.iter_mut().enumerate() {
            parameter.begin(Random::new(seed, number as u64));
        }
        network.prepare();
        Ok(network)
    }

    /// A network whose parameters are all zero, and which is not ready for anything: values are to come.
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
        let encodings = Mutex::default();
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
            Work::Sum | Work::Concat => &[],
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
                if !parameter.get().iter().all(|value| value.is_finite()) {
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

    /// A plan for a purpose.
    pub(crate) fn plan(&self, purpose: Purpose<'_>, frozen: &[String]) -> Result<Plan> {
        Plan::new(Description::parse(&self.description)?, purpose, frozen)
    }

    fn encoding(&self, layer: Option<&str>) -> Result<Arc<Encoding>> {
        /// Layers that a caller may ask for by turns.
        const KEPT: usize = 4;
        let held = || self.encodings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = held().iter().find(|(known, _)| known.as_deref() == layer) {
            return Ok(Arc::clone(known));
        }
        let plan = self.plan(Purpose::Encode(layer), &[])?;
        let encoding = Arc::new(Encoding { plan, rooms: Mutex::default() });
        let mut encodings = held();
        if encodings.len() == KEPT {
            encodings.remove(0);
        }
        encodings.push((layer.map(Into::into), Arc::clone(&encoding)));
        Ok(encoding)
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
                Work::Sum => Line { name: "sum".into(), shape, parameters: 0, operations: 0 },
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

    /// What a layer (or the last one) gives for items: all rows, and where each item's begin.
    ///
    /// # Errors
    /// `InvalidInput` for items that do not fit; `Aborted`.
    pub fn encode(
        &self,
        inputs: &[Column],
        layer: Option<&str>,
        run: &Run,
    ) -> Result<(Vec<f32>, Vec<usize>)> {
        self.encode_last(inputs, layer, usize::MAX, run)
    }

    /// Where groups of items begin, and where the last one ends. Each group goes through all weights, so that it has about
    /// as many values between layers as there are weights, and no more: what one layer gives is to be near for the next.
    fn groups(&self, plan: &Plan, rows: &Fitted, threads: usize) -> Vec<usize> {
        const LEAST: usize = 1 << 20;
        const MOST: usize = 1 << 27;
        let weights = self.parameters.iter().filter(|known| known.is_of_products());
        let wanted = weights.map(|known| known.blueprint.size()).sum::<usize>().clamp(LEAST, MOST);
        let of_item = |item: usize| {
            let slots = plan.slots.iter().zip(rows.of(item));
            slots.map(|(slot, rows)| slot.shape.width * rows).sum::<usize>().max(1)
        };
        let total: usize = (0..rows.items()).map(of_item).sum();
        // The same number for each thread, where there are few.
        let mut count = total.div_ceil(wanted);
        if count < 8 * threads {
            count = count.next_multiple_of(threads);
        }
        let mut groups = vec![0];
        let (mut load, each) = (0, total.div_ceil(count.max(1)));
        for item in 0..rows.items() {
            load += of_item(item);
            if load >= each * groups.len() || item + 1 == rows.items() {
                groups.push(item + 1);
            }
        }
        groups
    }

    /// As `encode`, of each item only so many rows at its end: a long sequence that comes in windows takes no more
    /// memory than one of them.
    ///
    /// # Errors
    /// As `encode`.
    pub fn encode_last(
        &self,
        inputs: &[Column],
        layer: Option<&str>,
        last: usize,
        run: &Run,
    ) -> Result<(Vec<f32>, Vec<usize>)> {
        /// Rows of a window of a long sequence.
        const WINDOW: usize = 256;
        let encoding = self.encoding(layer)?;
        let plan = &encoding.plan;
        let rows = Fitted::new(plan, inputs)?;
        let (items, windows) = (rows.items(), plan.windows().is_ok());
        let width = plan.slots[plan.output].shape.width;
        let mut offsets = vec![0];
        for item in 0..items {
            offsets.push(offsets[item] + rows.of(item)[plan.output].min(last));
        }
        let groups = self.groups(plan, &rows, run.threads());
        let done: Vec<Mutex<Vec<f32>>> = groups.windows(2).map(|_| Default::default()).collect();
        let next = AtomicUsize::new(0);
        run.phase("encode", "items", 0, Some(items as u64));
        run.workers(|_| {
            let Room { mut shard, mut desk } = encoding.enter();
            let (kernels, seat) = (Kernels::get(), &Seat::alone());
            let mode = Mode::Encode;
            let pass =
                Pass { kernels, mode, seat, share: 1.0, first: 0, wanted: &[], run: Some(run) };
            loop {
                run.check()?;
                let group = next.fetch_add(1, Relaxed);
                let Some(done) = done.get(group) else {
                    encoding.leave(Room { shard, desk });
                    return Ok(());
                };
                let (first, end) = (groups[group], groups[group + 1]);
                let offsets = &offsets[first..=end];
                let mut values = vec![0.0; (offsets[end - first] - offsets[0]) * width];
                let longest = (first..end).map(|item| rows.of(item)[0]).max().unwrap_or(0);
                let count = if windows { WINDOW } else { usize::MAX };
                for begin in (0..longest.max(1)).step_by(count) {
                    run.check()?;
                    let stretch = match begin {
                        0 if longest <= count => Stretch::Whole,
                        0 => Stretch::First,
                        _ => Stretch::Further,
                    };
                    let window = Window { first: begin, count };
                    shard.begin(plan, end - first, stretch, |item, slot| {
                        window.rows(rows.of(first + item)[slot])
                    });
                    fill(&mut shard, plan, inputs, first..end, window);
                    shard.forward(plan, self, &pass, &mut [], &mut desk);
                    run.check()?;
                    let found = shard.rows(plan, plan.output);
                    for (item, ends) in (first..end).zip(found.offsets.windows(2)) {
                        // Those before are not wanted.
                        let skipped = rows.of(item)[plan.output].saturating_sub(last);
                        let from = ends[0] + skipped.saturating_sub(begin);
                        if from < ends[1] {
                            let kept = &found.values[from * width..ends[1] * width];
                            let row =
                                offsets[item - first] - offsets[0] + begin.saturating_sub(skipped);
                            values[row * width..][..kept.len()].copy_from_slice(kept);
                        }
                    }
                }
                *done.lock().unwrap_or_else(PoisonError::into_inner) = values;
                run.advance((end - first) as u64);
            }
        })?;
        let mut values = Vec::with_capacity(offsets[items] * width);
        for done in done {
            values.extend(done.into_inner().unwrap_or_else(PoisonError::into_inner));
        }
        Ok((values, offsets))
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
        for node in &plan.nodes {
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
