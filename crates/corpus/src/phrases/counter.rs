//! Counts sequences of numbers on all threads, exactly, in bounded memory: a thread's table that is
//! full goes to a temporary file in parts by hash, and each part is added up by itself.

use inlay_base::{Result, Run};

use crate::positioned::Spool;
use crate::table::{BATCH, OVERHANG, Seed, Table};

/// Entries of a table at most: about 40 megabytes.
const FULL: u32 = 1 << 20;
/// Parts that are added up each by itself; by the lower bits of the hash, as the upper ones are the
/// place in a table, where all of one part would stand in each other's way.
pub const PARTS: usize = 256;
/// Values of one part that are written at once.
const WRITE: usize = 1 << 14;
/// Entries between two questions whether the run goes on.
const STEP: u32 = 1 << 14;

/// One thread's counts.
pub struct Counter<'a> {
    run: &'a Run,
    seed: Seed,
    table: Table<'a>,
    spool: &'a Spool,
    chunks: Vec<Chunk>,
    /// Sequences that wait: a batch is looked up at once.
    waiting: Vec<u8>,
    starts: [usize; BATCH],
    lengths: [u32; BATCH],
    count: usize,
    numbers: Vec<u32>,
}

/// Where counts of a part lie in the spool.
pub struct Chunk {
    part: usize,
    offset: u64,
    values: usize,
}

impl<'a> Counter<'a> {
    pub fn new(seed: Seed, spool: &'a Spool, run: &'a Run) -> Self {
        Self {
            run,
            seed,
            table: Table::new(seed, run),
            spool,
            chunks: Vec::new(),
            waiting: Vec::new(),
            starts: [0; BATCH],
            lengths: [0; BATCH],
            count: 0,
            numbers: Vec::new(),
        }
    }

    /// Counts a sequence once.
    #[inline]
    pub fn add(&mut self, sequence: impl Iterator<Item = u32>) -> Result<()> {
        let start = self.waiting.len();
        sequence.for_each(|number| self.waiting.extend_from_slice(&number.to_ne_bytes()));
        self.starts[self.count] = start;
        self.lengths[self.count] = (self.waiting.len() - start) as u32;
        self.count += 1;
        if self.count == BATCH { self.look_up() } else { Ok(()) }
    }

    /// Counts a sequence `times` times.
    pub fn add_times(&mut self, sequence: &[u32], times: u64) -> Result<()> {
        self.table.add_times(bytemuck::cast_slice(sequence), times);
        self.spill_if_full()
    }

    /// What was counted, in the spool.
    pub fn finish(mut self) -> Result<Vec<Chunk>> {
        self.look_up()?;
        self.spill()?;
        Ok(self.chunks)
    }

    fn look_up(&mut self) -> Result<()> {
        self.waiting.resize(self.waiting.len() + OVERHANG, 0);
        let (starts, lengths) = (&self.starts[..self.count], &self.lengths[..self.count]);
        self.table.add(&self.waiting, starts, lengths, &mut self.numbers);
        self.numbers.clear();
        self.waiting.clear();
        self.count = 0;
        self.spill_if_full()
    }

    fn spill_if_full(&mut self) -> Result<()> {
        if self.table.end() < FULL { Ok(()) } else { self.spill() }
    }

    /// A sequence lies in the spool as its length, its count in two halves, and its numbers.
    fn spill(&mut self) -> Result<()> {
        let mut buffers: Vec<Vec<u32>> = vec![Vec::new(); PARTS];
        for entry in 1..self.table.end() {
            if entry.is_multiple_of(STEP) {
                self.run.check()?;
            }
            let part = self.table.tag(entry) as usize % PARTS;
            let (bytes, count) = (self.table.bytes(entry), self.table.count(entry));
            let numbers = bytes.chunks_exact(4).map(bytemuck::pod_read_unaligned::<u32>);
            let buffer = &mut buffers[part];
            buffer.extend([bytes.len() as u32 / 4, count as u32, (count >> 32) as u32]);
            buffer.extend(numbers);
            if buffer.len() >= WRITE {
                self.chunks.push(written(self.spool, part, buffer)?);
            }
        }
        for (part, buffer) in
            buffers.iter_mut().enumerate().filter(|(_, buffer)| !buffer.is_empty())
        {
            self.chunks.push(written(self.spool, part, buffer)?);
        }
        self.table = Table::new(self.seed, self.run);
        Ok(())
    }
}

fn written(spool: &Spool, part: usize, buffer: &mut Vec<u32>) -> Result<Chunk> {
    let offset = spool.append(buffer)?;
    let values = buffer.len();
    buffer.clear();
    Ok(Chunk { part, offset, values })
}

/// All counts of one part, to be looked through with `each`.
pub fn sum<'a>(
    chunks: &[Chunk],
    part: usize,
    (seed, spool): (Seed, &Spool),
    run: &'a Run,
) -> Result<Summed<'a>> {
    let mut table = Table::new(seed, run);
    let mut values: Vec<u32> = Vec::new();
    for chunk in chunks.iter().filter(|chunk| chunk.part == part) {
        run.check()?;
        spool.read(&mut values, chunk.values, chunk.offset)?;
        let mut rest = &values[..];
        while let [length, low, high, numbers @ ..] = rest {
            let (sequence, after) = numbers.split_at(*length as usize);
            let count = u64::from(*low) | u64::from(*high) << 32;
            table.add_times(bytemuck::cast_slice(sequence), count);
            rest = after;
        }
    }
    Ok(Summed(table))
}

/// The counts of one part.
pub struct Summed<'a>(Table<'a>);

impl Summed<'_> {
    /// How many different sequences there are.
    pub fn len(&self) -> u64 {
        u64::from(self.0.end()) - 1
    }

    /// Each sequence, as the bytes of its numbers, and its count.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        (1..self.0.end()).map(|entry| (self.0.bytes(entry), self.0.count(entry)))
    }
}

/// The numbers of a sequence.
pub fn numbers(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect()
}
