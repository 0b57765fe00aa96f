//! Counts of topics in words or in documents, of which most are zero.

use inlay_formats::safetensors::{Dtype, Part, Reader};

/// Rows of (topic, count), topics rising.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Counts {
    /// Where each row begins; the end of all.
    starts: Vec<u64>,
    topics: Vec<u16>,
    counts: Vec<u32>,
}

impl Counts {
    /// No rows.
    pub fn new() -> Self {
        Self { starts: vec![0], ..Self::default() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = (u16, u32)>) {
        for (topic, count) in row {
            self.topics.push(topic);
            self.counts.push(count);
        }
        self.starts.push(self.topics.len() as u64);
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// A row; none beyond the last.
    pub fn row(&self, row: usize) -> impl ExactSizeIterator<Item = (u16, u32)> {
        let range = match self.starts.get(row..row.saturating_add(2)) {
            Some(&[start, end]) => start as usize..end as usize,
            _ => 0..0,
        };
        let topics = self.topics[range.clone()].iter().copied();
        topics.zip(self.counts[range].iter().copied())
    }

    /// All counts.
    pub fn all(&self) -> &[u32] {
        &self.counts
    }

    /// The sum of each topic over all rows.
    pub fn totals(&self, topics: usize) -> Vec<u64> {
        let mut totals = vec![0; topics];
        for (&topic, &count) in self.topics.iter().zip(&self.counts) {
            totals[usize::from(topic)] += u64::from(count);
        }
        totals
    }

    /// A number that other counts would not have.
    pub fn fingerprint(&self) -> u64 {
        // FNV-1a over numbers.
        let add = |hash: u64, number: u64| (hash ^ number).wrapping_mul(0x0100_0000_01b3);
        let hash = self.starts.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &start| add(hash, start));
        let pairs = self.topics.iter().zip(&self.counts);
        pairs.fold(hash, |hash, (&topic, &count)| {
            add(hash, u64::from(topic) << 32 | u64::from(count))
        })
    }

    /// The memory that it takes.
    pub fn bytes(&self) -> u64 {
        (self.starts.len() * 8 + self.topics.len() * 2 + self.counts.len() * 4) as u64
    }

    /// Tensors of these names for its starts, topics and counts.
    pub fn parts<'a>(&'a self, names: [&'a str; 3]) -> [Part<'a>; 3] {
        let [starts, topics, counts] = names;
        let cast = bytemuck::cast_slice::<u64, u8>;
        [
            Part::bytes(starts, Dtype::U64, &[self.starts.len()], cast(&self.starts)),
            Part::bytes(
                topics,
                Dtype::U16,
                &[self.topics.len()],
                bytemuck::cast_slice(&self.topics),
            ),
            Part::bytes(
                counts,
                Dtype::U32,
                &[self.counts.len()],
                bytemuck::cast_slice(&self.counts),
            ),
        ]
    }

    /// Reads tensors of these names; `None` unless they make rows of so many topics.
    pub fn read(reader: &Reader, names: [&str; 3], topics_in_all: usize) -> Option<Self> {
        let bytes = |name: &str, dtype: Dtype| {
            let tensor = reader.tensor(name)?;
            (tensor.dtype == dtype && tensor.shape.len() == 1).then_some(tensor.bytes)
        };
        let read = bytemuck::pod_read_unaligned::<u64>;
        let starts: Vec<u64> = bytes(names[0], Dtype::U64)?.chunks_exact(8).map(read).collect();
        let read = bytemuck::pod_read_unaligned::<u16>;
        let topics: Vec<u16> = bytes(names[1], Dtype::U16)?.chunks_exact(2).map(read).collect();
        let read = bytemuck::pod_read_unaligned::<u32>;
        let counts: Vec<u32> = bytes(names[2], Dtype::U32)?.chunks_exact(4).map(read).collect();
        let whole = starts.first() == Some(&0)
            && starts.is_sorted()
            && starts.last() == Some(&(topics.len() as u64))
            && topics.len() == counts.len()
            && topics.iter().all(|&topic| usize::from(topic) < topics_in_all);
        whole.then_some(Self { starts, topics, counts })
    }
}
