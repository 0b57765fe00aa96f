//! What a network gives for items: groups of them, each a shard on one thread, or where there are fewer groups than
//! threads, one group after the other on all of them.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use inlay_base::{Crew, Result, Run, lock, processors};
use inlay_kernels::{Desk, Kernels};

use crate::data::{Column, Window};
use crate::layer::{Mode, Pass, Stretch};
use crate::meeting::Seat;
use crate::network::{Fitted, Network, fill};
use crate::plan::{Node, Plan, Purpose};
use crate::shard::Shard;

/// Rows of a window of a long sequence.
const WINDOW: usize = 256;

/// What `encode` was last asked for, by the layer; the newest is at the end.
#[derive(Default)]
pub(crate) struct Encodings(Mutex<Vec<(Option<String>, Arc<Encoding>)>>);

/// What encoding up to a layer takes, ready for the next call: a plan, with the windows that its layers have laid out,
/// and room that threads have worked in.
pub(crate) struct Encoding {
    pub plan: Plan,
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
        lock(&self.rooms).pop().unwrap_or_default()
    }

    /// Keeps a room for the next call, if it has not grown too large.
    fn leave(&self, room: Room) {
        const LARGEST: u64 = 128 << 20;
        if room.shard.bytes() <= LARGEST {
            let mut rooms = lock(&self.rooms);
            if rooms.len() < processors() {
                rooms.push(room);
            }
        }
    }
}

impl Network {
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
        let encoding = self.encoding(layer)?;
        let plan = &encoding.plan;
        let rows = Fitted::new(plan, inputs)?;
        let mut offsets = vec![0];
        for item in 0..rows.items() {
            offsets.push(offsets[item] + rows.of(item)[plan.output].min(last));
        }
        let groups = self.groups(plan, &rows, run.threads());
        let count = groups.len() - 1;
        let encode = Encode {
            network: self,
            encoding: &encoding,
            inputs,
            last,
            window: if plan.windows().is_ok() { WINDOW } else { usize::MAX },
            rows,
            offsets,
            groups,
            next: AtomicUsize::new(0),
            done: (0..count).map(|_| Mutex::default()).collect(),
        };
        run.phase("encode", "items", 0, Some(encode.rows.items() as u64));
        encode.run(run)?;
        let Encode { done, offsets, .. } = encode;
        let width = plan.slots[plan.output].shape.width;
        let mut values = Vec::with_capacity(offsets.last().copied().unwrap_or(0) * width);
        for done in done {
            values.extend(done.into_inner().unwrap_or_else(PoisonError::into_inner));
        }
        Ok((values, offsets))
    }

    pub(crate) fn encoding(&self, layer: Option<&str>) -> Result<Arc<Encoding>> {
        /// Layers that a caller may ask for by turns.
        const KEPT: usize = 4;
        let held = || lock(&self.encodings.0);
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

    /// Where groups of items begin, and where the last one ends. Each group goes through all weights, so that it has about
    /// as many values between layers as there are weights, and no more: what one layer gives is to be near for the next.
    fn groups(&self, plan: &Plan, rows: &Fitted, threads: usize) -> Vec<usize> {
        const LEAST: usize = 1 << 20;
        const MOST: usize = 1 << 27;
        let weights = self.parameters.iter().filter(|known| known.is_of_products());
        let wanted = weights.map(|known| known.blueprint.size()).sum::<usize>();
        let of_item = |item: usize| {
            // What lies where something lay before takes no more room.
            let written = plan
                .nodes
                .iter()
                .filter(|node| plan.slots[node.output].buffer != plan.slots[node.inputs[0]].buffer);
            let values =
                |node: &Node| rows.of(item)[node.output] * plan.slots[node.output].shape.width;
            written.map(values).sum::<usize>().max(1)
        };
        let total: usize = (0..rows.items()).map(of_item).sum();
        // The same number for each thread, where there are few.
        let mut count = total.div_ceil(wanted.clamp(LEAST, MOST));
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
}

/// One call of `encode_last`.
struct Encode<'a> {
    network: &'a Network,
    encoding: &'a Encoding,
    inputs: &'a [Column],
    /// Rows of each item that are wanted.
    last: usize,
    window: usize,
    rows: Fitted,
    /// Where each item's rows begin in what is given.
    offsets: Vec<usize>,
    groups: Vec<usize>,
    /// The next group that a thread takes.
    next: AtomicUsize,
    /// What each group gives.
    done: Vec<Mutex<Vec<f32>>>,
}

impl Encode<'_> {
    fn run(&self, run: &Run) -> Result<()> {
        /// Lets the helpers go, however the leader ends.
        struct Leader<'a>(&'a Crew);
        impl Drop for Leader<'_> {
            fn drop(&mut self) {
                self.0.close();
            }
        }
        if self.done.len() >= run.threads() {
            return run.workers(|_| self.work(run, None)).map(drop);
        }
        if run.threads() == 1 || self.operations() < 1 << 24 {
            return self.work(run, None);
        }
        let crew = Arc::new(Crew::new(run.threads()));
        let work = |worker: usize| {
            if worker > 0 {
                crew.help();
                return Ok(());
            }
            let _leader = Leader(&crew);
            self.work(run, Some(&crew))
        };
        run.workers(work).map(drop)
    }

    /// Multiplications and additions for all items, about.
    fn operations(&self) -> u64 {
        let plan = &self.encoding.plan;
        let of_item = |item: usize| plan.operations(self.rows.of(item));
        (0..self.rows.items()).map(of_item).sum()
    }

    /// Takes group after group.
    fn work(&self, run: &Run, crew: Option<&Arc<Crew>>) -> Result<()> {
        let mut room = self.encoding.enter();
        room.desk.share(crew.map(Arc::clone));
        loop {
            run.check()?;
            let group = self.next.fetch_add(1, Relaxed);
            let Some(done) = self.done.get(group) else {
                room.desk.share(None);
                self.encoding.leave(room);
                return Ok(());
            };
            let values = self.group(&mut room, self.groups[group], self.groups[group + 1], run)?;
            *lock(done) = values;
            run.advance((self.groups[group + 1] - self.groups[group]) as u64);
        }
    }

    /// What the items from `first` up to `end` give.
    fn group(&self, room: &mut Room, first: usize, end: usize, run: &Run) -> Result<Vec<f32>> {
        let Room { shard, desk } = room;
        let (plan, rows) = (&self.encoding.plan, &self.rows);
        let width = plan.slots[plan.output].shape.width;
        let (kernels, mode, seat) = (Kernels::get(), Mode::Encode, &Seat::alone());
        let pass = Pass { kernels, mode, seat, share: 1.0, first: 0, wanted: &[], run: Some(run) };
        let offsets = &self.offsets[first..=end];
        let mut values = vec![0.0; (offsets[end - first] - offsets[0]) * width];
        let longest = (first..end).map(|item| rows.of(item)[0]).max().unwrap_or(0);
        for begin in (0..longest.max(1)).step_by(self.window) {
            let stretch = match begin {
                0 if longest <= self.window => Stretch::Whole,
                0 => Stretch::First,
                _ => Stretch::Further,
            };
            let window = Window { first: begin, count: self.window };
            shard.begin(plan, end - first, stretch, |item, slot| {
                window.rows(rows.of(first + item)[slot])
            });
            fill(shard, plan, self.inputs, first..end, window);
            shard.forward(plan, self.network, &pass, &mut [], desk);
            run.check()?;
            let found = shard.rows(plan, plan.output);
            for (item, ends) in (first..end).zip(found.offsets.windows(2)) {
                // Those before are not wanted.
                let skipped = rows.of(item)[plan.output].saturating_sub(self.last);
                let from = ends[0] + skipped.saturating_sub(begin);
                if from < ends[1] {
                    let kept = &found.values[from * width..ends[1] * width];
                    let row = offsets[item - first] - offsets[0] + begin.saturating_sub(skipped);
                    values[row * width..][..kept.len()].copy_from_slice(kept);
                }
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Cells, Positions, Shape};

    #[test]
    fn one_item_on_several_threads_gives_the_bits_of_one() {
        let description = json!({
            "inputs": [{"content": "values", "positions": [20, 20], "width": 16}],
            "layers": [
                {"kind": "conv2d", "channels": 65, "kernel": 3, "padding": 1}, {"kind": "relu"},
                {"kind": "conv2d", "channels": 64, "kernel": 3, "padding": 1},
                {"kind": "conv2d", "channels": 64, "kernel": 3, "stride": 2}, {"kind": "gelu"},
                {"kind": "dense", "units": 330}, {"kind": "tanh"}, {"kind": "flatten"},
                {"kind": "dense", "units": 100},
            ],
        });
        let mut network = Network::new(&description.to_string(), 5).unwrap();
        let shape = network.inputs().unwrap().remove(0).1;
        assert_eq!(shape, Shape { positions: Positions::Fixed(vec![20, 20]), ..shape.clone() });
        for bytes in [false, true] {
            if bytes {
                // What is bytes already stays as it is.
                network.turn_into_bytes().unwrap();
                network.turn_into_bytes().unwrap();
            }
            let cells = (0..3 * 6400).map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0).collect();
            let column = [Column::new("x", Cells::Values(cells), None, &shape).unwrap()];
            let encode =
                |threads: usize| network.encode(&column, None, &Run::quiet(threads, 1)).unwrap().0;
            let alone = encode(1);
            assert!(alone.iter().any(|value| value.abs() > 0.01));
            for threads in [2, 4, 5] {
                assert_eq!(encode(threads), alone, "{threads} threads, bytes: {bytes}");
            }
        }
    }

    #[test]
    fn heads_that_several_threads_share_give_the_bits_of_one() {
        let description = json!({
            "inputs": [{"content": "values", "width": 48}],
            "layers": [
                {"kind": "self-attention", "heads": 3}, {"kind": "dense", "units": 200},
                {"kind": "dense", "units": 48}, {"kind": "self-attention", "heads": 4, "causal": true},
            ],
        });
        let mut network = Network::new(&description.to_string(), 5).unwrap();
        let shape = network.inputs().unwrap().remove(0).1;
        for bytes in [false, true] {
            if bytes {
                network.turn_into_bytes().unwrap();
            }
            // More rows than are turned into bytes at a time.
            let rows = 400;
            let cells = (0..rows * 48).map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0).collect();
            let lengths = [rows as u32];
            let column = [Column::new("x", Cells::Values(cells), Some(&lengths), &shape).unwrap()];
            let encode =
                |threads: usize| network.encode(&column, None, &Run::quiet(threads, 1)).unwrap().0;
            let alone = encode(1);
            assert!(alone.iter().any(|value| value.abs() > 0.01));
            for threads in [2, 3, 5] {
                assert_eq!(encode(threads), alone, "{threads} threads, bytes: {bytes}");
            }
        }
    }

    #[test]
    fn groups_are_cut_for_all_threads_and_lose_nobody() {
        let description = json!({
            "inputs": [{"content": "values", "width": 64}],
            "layers": [{"kind": "dense", "units": 1024}, {"kind": "dense", "units": 8}],
        });
        let network = Network::new(&description.to_string(), 5).unwrap();
        let shape = network.inputs().unwrap().remove(0).1;
        let plan = &network.encoding(None).unwrap().plan;
        for lengths in [vec![], vec![5], vec![700; 40], vec![0, 9000, 1, 1, 0], vec![3; 11]] {
            let values = lengths.iter().sum::<u32>() as usize * 64;
            let cells = Cells::Values(vec![0.0; values]);
            let column = [Column::new("x", cells, Some(&lengths), &shape).unwrap()];
            let rows = Fitted::new(plan, &column).unwrap();
            for threads in [1, 2, 3] {
                let groups = network.groups(plan, &rows, threads);
                assert!(groups.is_sorted_by(|a, b| a < b), "{groups:?}");
                assert_eq!(groups.last(), Some(&lengths.len()));
                let even = lengths.len() >= threads && lengths.iter().all(|&l| l == lengths[0]);
                assert!(!even || groups.len() > threads, "{groups:?} on {threads}");
            }
        }
    }
}
