//! How much memory a training takes, before it starts: from the plan, and from what two items and three
//! of them leave in a shard.

use inlay_base::Result;
use inlay_kernels::{Desk, Kernels};
use serde::Deserialize;

use crate::description::wrong;
use crate::layer::{Mode, Pass, Stretch};
use crate::losses::Loss;
use crate::meeting::Seat;
use crate::network::Network;
use crate::optimizers::Optimizer;
use crate::plan::{Plan, Purpose, Work};
use crate::shape::Content;
use crate::shard::Shard;

/// A training that is thought of.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prospect {
    /// How many examples there are.
    pub items: usize,
    /// Examples of a batch.
    pub batch: usize,
    /// Items of an example: itself, and with some losses a positive and a negative.
    pub parts: usize,
    /// Positions of an item where any number may come.
    pub length: usize,
    /// Rows of a window, if there are windows.
    pub truncate: Option<usize>,
    /// What is to become small, if that is known.
    #[serde(default)]
    pub loss: Option<Loss>,
    /// How parameters follow their gradients.
    pub optimizer: Optimizer,
    /// Names of layers that stay as they are.
    pub frozen: Vec<String>,
    /// Whether gradients are kept from one batch to the next, or until all are known.
    pub holds: bool,
    /// Whether the best parameters are kept beside the others.
    pub validation: bool,
}

impl Network {
    /// The most bytes that a training takes on so many threads, examples included.
    ///
    /// # Errors
    /// As for `new`; `InvalidInput` if items of that length do not go in.
    pub fn estimate(description: &str, prospect: &Prospect, threads: usize) -> Result<u64> {
        let mut network = Self::new(description, 1)?;
        let mut plan = network.plan(Purpose::Train, &prospect.frozen)?;
        if let Some(loss) = &prospect.loss {
            plan.hand_over(loss)?;
            loss.target(&plan.slots[plan.output].shape).map_err(wrong)?;
        }
        let kernels = Kernels::get();
        // A layer that is taken over has no copies for products while it learns, but before and behind.
        let (first, count) = plan.handed_over().unwrap_or_default();
        let copies = |number: usize| match (first..first + count).contains(&number) {
            true => network.parameters[number].packed_bytes(),
            false => 0,
        };
        let copies: Vec<u64> = (0..network.parameters.len()).map(copies).collect();
        network.make_ready(&plan, kernels);
        let rows = prospect.length.min(prospect.truncate.unwrap_or(usize::MAX));
        let two = network.shard(&plan, kernels, 2, rows)?;
        let each = network.shard(&plan, kernels, 3, rows)?.saturating_sub(two);
        let items = if prospect.items > 0 { prospect.items } else { usize::MAX };
        let of_item = plan.rows(&lengths(&plan, rows)).map_err(wrong)?;
        let of_slots = of_item.iter().zip(&plan.slots);
        let values: usize = of_slots.map(|(rows, slot)| rows * slot.shape.width).sum();
        let portion = |learning: bool| match prospect.parts {
            1 => plan.portion(threads, learning).div_ceil(values.max(1)),
            _ => usize::MAX,
        };
        let batch = prospect.batch.min(items);
        // Validation works out all that the output holds, and as many slopes.
        let output = match plan.taken && prospect.validation {
            true => {
                8 * batch.min(portion(false))
                    * of_item[plan.output]
                    * plan.slots[plan.output].shape.width
            }
            false => 0,
        } as u64;
        let portion = portion(true);
        let together = (prospect.parts * batch.min(portion)) as u64;
        let shards = two.saturating_sub(2 * each) + together * each + output;
        let holds = prospect.holds || portion < prospect.batch;
        Ok(network.learning(&plan, prospect, holds, &copies) + shards + examples(&plan, prospect)?)
    }

    /// Bytes that a shard takes after a step of so many items.
    fn shard(&self, plan: &Plan, kernels: Kernels, items: usize, rows: usize) -> Result<u64> {
        let given = lengths(plan, rows);
        let of_item = plan.rows(&given).map_err(wrong)?;
        let mut shard = Shard::default();
        shard.begin(plan, items, Stretch::Whole, |_, slot| {
            if plan.is_there(slot, true) { of_item[slot] } else { 0 }
        });
        let wanted = &vec![0; items * of_item[plan.output]];
        for (slot, rows) in given.iter().enumerate() {
            let shape = &plan.slots[slot].shape;
            let (values, ids) = shard.input(slot);
            match shape.content {
                Content::Ids => ids.resize(items * rows * shape.width, 0),
                Content::Values => values.resize(items * rows * shape.width, 0.0),
            }
            if let Some(places) = shard.places(plan, slot) {
                places.resize(items * rows * shape.axes, 0);
            }
        }
        let mode = Mode::Train { seed: 1, step: 1, first: 0, node: 0 };
        let mut desk = Desk::default();
        let pass =
            Pass { kernels, mode, seat: &Seat::alone(), share: 1.0, first: 0, wanted, run: None };
        let mut losses = vec![0.0; items];
        shard.forward(plan, self, &pass, &mut losses, &mut desk);
        shard.output(plan).1.fill(0.0);
        shard.backward(plan, self, &pass, &mut desk);
        Ok(shard.bytes())
    }

    /// Bytes of the parameters, of gradients that are held and of what the optimizer keeps, or of the copies that
    /// take their place before and behind.
    fn learning(&self, plan: &Plan, prospect: &Prospect, holds: bool, copies: &[u64]) -> u64 {
        let mut bytes = 0;
        for node in &plan.nodes {
            let Work::Layer { name, parameters: (first, count), .. } = &node.work else { continue };
            let learns = !prospect.frozen.contains(name);
            let learnt = self.parameters.iter().zip(copies).skip(*first).take(*count);
            for (parameter, &copies) in learnt {
                let size = 4 * parameter.blueprint.size() as u64;
                let kept = u64::from(holds) + prospect.optimizer.kept() as u64;
                let beside = if learns { size * kept } else { 0 };
                bytes += size + parameter.packed_bytes() + beside.max(copies);
                bytes += if prospect.validation { size } else { 0 };
            }
        }
        bytes
    }
}

/// Rows of an item at each input.
fn lengths(plan: &Plan, rows: usize) -> Vec<usize> {
    let of = |slot: usize| plan.slots[slot].shape.rows().unwrap_or(rows);
    (0..plan.inputs).map(of).collect()
}

/// Bytes of the examples: what goes in, about as much again that is wanted where it is as long, and how
/// many rows each has in each slot.
fn examples(plan: &Plan, prospect: &Prospect) -> Result<u64> {
    let given = lengths(plan, prospect.length);
    let of_item = plan.rows(&given).map_err(wrong)?;
    let cells: usize =
        given.iter().enumerate().map(|(slot, rows)| 4 * rows * plan.slots[slot].shape.width).sum();
    let wanted = 4 * of_item[plan.output];
    let offsets = 8 * (2 + plan.inputs + plan.slots.len());
    Ok((prospect.items as u64) * (prospect.parts * (cells + offsets) + wanted) as u64)
}
