//! The items of a batch that one thread works on: all that lies between layers, both ways. Buffers grow
//! to the largest batch and stay.

use std::mem;
use std::ops::Range;

use inlay_base::Run;
use inlay_kernels::{Desk, activate, add, add_both};

use crate::layer::{Backward, Forward, Known, Memo, Mode, Pass, Rows, Stretch};
use crate::network::Network;
use crate::plan::{Back, Plan, Work};

/// One thread's part of a batch.
#[derive(Default)]
pub struct Shard {
    /// Of values and ids, in the order of the plan.
    buffers: Vec<Buffer>,
    /// Of each slot: where each item's rows begin, and where the last one's end.
    offsets: Vec<Vec<usize>>,
    /// Sets of places of rows, in the order of the plan.
    places: Vec<Vec<u32>>,
    gradients: Vec<Vec<f32>>,
    memos: Vec<Memo>,
    stretch: Stretch,
    /// The slot whose buffer its gradient has taken.
    spent: Option<usize>,
}

#[derive(Default)]
struct Buffer {
    values: Vec<f32>,
    ids: Vec<u32>,
}

impl Shard {
    /// Makes room for items of these many rows in each slot: `rows(item, slot)`.
    pub fn begin(
        &mut self,
        plan: &Plan,
        items: usize,
        stretch: Stretch,
        rows: impl Fn(usize, usize) -> usize,
    ) {
        self.stretch = stretch;
        if let Some(buffer) = self.spent.take() {
            self.exchange(plan, buffer);
        }
        self.buffers.resize_with(plan.buffers, Buffer::default);
        self.offsets.resize_with(plan.slots.len(), Vec::new);
        self.places.resize_with(plan.places.len(), Vec::new);
        self.places.iter_mut().for_each(Vec::clear);
        self.gradients.resize_with(plan.gradients, Vec::new);
        self.memos.resize_with(plan.nodes.len(), Memo::default);
        for (slot, offsets) in self.offsets.iter_mut().enumerate() {
            offsets.clear();
            offsets.push(0);
            for item in 0..items {
                offsets.push(offsets[item] + rows(item, slot));
            }
        }
        for slot in 0..plan.inputs {
            let buffer = &mut self.buffers[slot];
            buffer.values.clear();
            buffer.ids.clear();
        }
    }

    /// The inputs' places, to be filled in the order of items.
    pub fn input(&mut self, slot: usize) -> (&mut Vec<f32>, &mut Vec<u32>) {
        let Buffer { values, ids } = &mut self.buffers[slot];
        (values, ids)
    }

    /// The places of an input's rows, to be filled in the order of items, if they are known.
    pub fn places(&mut self, plan: &Plan, slot: usize) -> Option<&mut Vec<u32>> {
        plan.slots[slot].places.map(|set| &mut self.places[set])
    }

    /// What lies in a slot.
    pub fn rows<'a>(&'a self, plan: &'a Plan, slot: usize) -> Rows<'a> {
        let Buffer { values, ids } = &self.buffers[plan.slots[slot].buffer];
        let values = values.get(..self.size(plan, slot)).unwrap_or_default();
        let places = plan.slots[slot].places.map_or(&[][..], |set| &self.places[set]);
        let (offsets, shape) = (&self.offsets[slot], &plan.slots[slot].shape);
        Rows { values, ids, offsets, shape, places }
    }

    fn size(&self, plan: &Plan, slot: usize) -> usize {
        self.offsets[slot].last().copied().unwrap_or(0) * plan.slots[slot].shape.width
    }

    /// From the inputs to the output; layers that have losses of their own add them to those of items,
    /// which are not there while encoding.
    pub fn forward(
        &mut self,
        plan: &Plan,
        network: &Network,
        pass: &Pass<'_>,
        losses: &mut [f64],
        desk: &mut Desk,
    ) {
        let Pass { kernels, mode, seat, wanted, run, .. } = *pass;
        for (at, node) in plan.nodes.iter().enumerate() {
            if run.is_some_and(Run::stopped) {
                return;
            }
            let buffer = plan.slots[node.output].buffer;
            let over = buffer == plan.slots[node.inputs[0]].buffer;
            if let Work::Layer { layer, done, .. } = &node.work
                && (*done || over && layer.reshapes())
            {
                continue;
            }
            let size = self.size(plan, node.output);
            let mut output = mem::take(&mut self.buffers[buffer]);
            // What several slots have in turn keeps the length of the largest: what is added is made zero first.
            if output.values.len() < size {
                output.values.resize(size, 0.0);
            }
            let to = &mut output.values[..size];
            match &node.work {
                Work::Layer { layer, fused, still, added, .. } => {
                    let mut memo = mem::take(&mut self.memos[at]);
                    let mut places = node.places.map(|set| mem::take(&mut self.places[set]));
                    let input = self.rows(plan, node.inputs[0]);
                    if !over && (layer.in_place() || layer.activation().is_some()) {
                        to.copy_from_slice(input.values);
                    }
                    layer.forward(&mut Forward {
                        kernels,
                        desk,
                        parameters: network.of(&node.work),
                        input,
                        offsets: &self.offsets[node.output],
                        output: to,
                        places: places.as_mut(),
                        added: *added,
                        activation: *fused,
                        stretch: self.stretch,
                        memo: &mut memo,
                        mode: if *still { Mode::Encode } else { mode.of(at) },
                        seat,
                        losses,
                        wanted,
                    });
                    self.memos[at] = memo;
                    if let (Some(set), Some(places)) = (node.places, places) {
                        let rows = self.offsets[node.output].last().copied().unwrap_or(0);
                        let axes = plan.slots[node.output].shape.axes;
                        assert_eq!(places.len(), rows * axes, "a place for each row");
                        self.places[set] = places;
                    }
                }
                Work::Sum { fused } => {
                    let values = |input: &usize| self.rows(plan, *input).values;
                    match &node.inputs[..] {
                        [a, b] => add_both(kernels, values(a), values(b), *fused, to),
                        all => {
                            to.copy_from_slice(values(&all[0]));
                            all[1..].iter().for_each(|input| add(kernels, values(input), to));
                            if let Some(activation) = *fused {
                                activate(kernels, activation, to);
                            }
                        }
                    }
                }
                Work::Concat => {
                    let whole = plan.slots[node.output].shape.width;
                    let items = &self.offsets[node.output];
                    let mut begin = 0;
                    for &input in &node.inputs {
                        let input = self.rows(plan, input);
                        let part = begin..begin + input.width();
                        begin = part.end;
                        lay_beside(input, to, whole, part, items);
                    }
                }
            }
            self.buffers[buffer] = output;
        }
    }

    /// Where the gradient of the output is to be put, beside the output.
    pub fn output<'a>(&'a mut self, plan: &'a Plan) -> (Rows<'a>, &'a mut [f32]) {
        let size = self.size(plan, plan.output);
        let gradient = &mut self.gradients[plan.output_gradient];
        gradient.resize(size, 0.0);
        let Buffer { values, ids } = &self.buffers[plan.slots[plan.output].buffer];
        let values = values.get(..size).unwrap_or_default();
        let (offsets, shape) = (&self.offsets[plan.output], &plan.slots[plan.output].shape);
        (Rows { values, ids, offsets, shape, places: &[] }, gradient)
    }

    /// The output, for a gradient to be put in its place; beside it the output without values. Only where the output is spent
    /// (see `Plan`).
    pub fn output_as_gradient<'a>(&'a mut self, plan: &'a Plan) -> (Rows<'a>, &'a mut [f32]) {
        let buffer = plan.slots[plan.output].buffer;
        let size = self.size(plan, plan.output);
        self.buffers[buffer].values.truncate(size);
        self.exchange(plan, buffer);
        self.spent = Some(buffer);
        let (offsets, shape) = (&self.offsets[plan.output], &plan.slots[plan.output].shape);
        let output = Rows { values: &[], ids: &[], offsets, shape, places: &[] };
        (output, &mut self.gradients[plan.output_gradient])
    }

    fn exchange(&mut self, plan: &Plan, buffer: usize) {
        mem::swap(&mut self.buffers[buffer].values, &mut self.gradients[plan.output_gradient]);
    }

    /// From the gradient of the output to those of all that learns.
    pub fn backward(&mut self, plan: &Plan, network: &Network, pass: &Pass<'_>, desk: &mut Desk) {
        let Pass { kernels, mode, seat, share, .. } = *pass;
        for back in &plan.backward {
            match *back {
                Back::Layer { node, from, to } => {
                    let work = &plan.nodes[node].work;
                    let Work::Layer { layer, still, .. } = work else {
                        unreachable!("a step of a layer")
                    };
                    let mut gradient = mem::take(&mut self.gradients[from]);
                    let mut input_gradient = to.filter(|&to| to != from).map(|to| {
                        let size = self.size(plan, plan.nodes[node].inputs[0]);
                        let mut gradient = mem::take(&mut self.gradients[to]);
                        gradient.resize(size, 0.0);
                        gradient
                    });
                    let mut memo = mem::take(&mut self.memos[node]);
                    layer.backward(&mut Backward {
                        kernels,
                        desk,
                        parameters: network.of(work),
                        input: self.rows(plan, plan.nodes[node].inputs[0]),
                        output: self.rows(plan, plan.nodes[node].output),
                        output_gradient: &mut gradient,
                        input_gradient: input_gradient.as_deref_mut(),
                        memo: &mut memo,
                        mode: if *still { Mode::Encode } else { mode.of(node) },
                        seat,
                        share,
                    });
                    self.memos[node] = memo;
                    self.gradients[from] = gradient;
                    if let (Some(to), Some(gradient)) = (to, input_gradient) {
                        self.gradients[to] = gradient;
                    }
                }
                Back::Part { from, to, node, input } => {
                    let inputs = &plan.nodes[node].inputs;
                    let width = |slot: usize| plan.slots[slot].shape.width;
                    let begin: usize = inputs[..input].iter().map(|&slot| width(slot)).sum();
                    let (width, whole) = (width(inputs[input]), width(plan.nodes[node].output));
                    let (slot, part) = (inputs[input], begin..begin + width);
                    let mut gradient = mem::take(&mut self.gradients[to]);
                    gradient.resize(self.size(plan, slot), 0.0);
                    let items =
                        (&self.offsets[slot][..], &self.offsets[plan.nodes[node].output][..]);
                    take_from_beside(&self.gradients[from], whole, part, items, &mut gradient);
                    self.gradients[to] = gradient;
                }
                Back::Copy { from, to } => {
                    let mut copy = mem::take(&mut self.gradients[to]);
                    copy.clear();
                    copy.extend_from_slice(&self.gradients[from]);
                    self.gradients[to] = copy;
                }
                Back::Add { from, to } => {
                    let mut sum = mem::take(&mut self.gradients[to]);
                    add(kernels, &self.gradients[from], &mut sum);
                    self.gradients[to] = sum;
                }
            }
        }
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> u64 {
        let of_buffers = self.buffers.iter().map(|b| b.values.capacity() + b.ids.capacity());
        let of_gradients = self.gradients.iter().map(Vec::capacity);
        let of_memos = self.memos.iter().map(|memo| {
            let values = memo.values.iter().map(Vec::capacity).sum::<usize>();
            values + memo.places.iter().map(Vec::capacity).sum::<usize>() + memo.carried.capacity()
        });
        let numbers = of_buffers.chain(of_gradients).chain(of_memos).sum::<usize>();
        let offsets = self.offsets.iter().map(Vec::capacity).sum::<usize>();
        let numbers = numbers + self.places.iter().map(Vec::capacity).sum::<usize>();
        (4 * numbers + size_of::<usize>() * offsets) as u64
    }

    /// What the items of this shard carry from one window to the next at a node.
    pub fn carried(&mut self, node: usize) -> &mut Vec<f32> {
        if self.memos.len() <= node {
            self.memos.resize_with(node + 1, Memo::default);
        }
        &mut self.memos[node].carried
    }

    /// What a node's layer can learn from.
    pub fn known<'a>(&'a self, plan: &'a Plan, node: usize) -> Known<'a> {
        let Work::Layer { output_gradient, .. } = &plan.nodes[node].work else {
            unreachable!("only layers learn")
        };
        Known {
            input: self.rows(plan, plan.nodes[node].inputs[0]),
            output: self.rows(plan, plan.nodes[node].output),
            output_gradient: &self.gradients[*output_gradient],
            memo: &self.memos[node],
        }
    }
}

/// Puts a branch into its part of each row of the whole: row by row, or the one row of an item into all of
/// its rows.
fn lay_beside(
    branch: Rows<'_>,
    whole: &mut [f32],
    width: usize,
    part: Range<usize>,
    items: &[usize],
) {
    let rows = branch.values.chunks_exact(part.len());
    if branch.offsets == items {
        for (from, to) in rows.zip(whole.chunks_exact_mut(width)) {
            to[part.clone()].copy_from_slice(from);
        }
        return;
    }
    for (from, ends) in rows.zip(items.windows(2)) {
        for to in whole[ends[0] * width..ends[1] * width].chunks_exact_mut(width) {
            to[part.clone()].copy_from_slice(from);
        }
    }
}

/// The gradient of what `lay_beside` took: where a row was put into several, the sum of theirs. `items` are
/// those of the branch and those of the whole.
fn take_from_beside(
    whole: &[f32],
    width: usize,
    part: Range<usize>,
    (branch, items): (&[usize], &[usize]),
    gradient: &mut [f32],
) {
    let rows = gradient.chunks_exact_mut(part.len());
    if branch == items {
        for (from, to) in whole.chunks_exact(width).zip(rows) {
            to.copy_from_slice(&from[part.clone()]);
        }
        return;
    }
    for (to, ends) in rows.zip(items.windows(2)) {
        to.fill(0.0);
        for from in whole[ends[0] * width..ends[1] * width].chunks_exact(width) {
            to.iter_mut().zip(&from[part.clone()]).for_each(|(sum, value)| *sum += value);
        }
    }
}
