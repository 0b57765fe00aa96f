use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use inlay_base::{AtomicFile, Error, Map, Result, Run, Workers, lock};
use inlay_corpus::{Corpus, Spool};
use inlay_formats::glove::{self, Record};
use inlay_formats::{Names, ReadOptions};

use super::Room;
use super::counting::{self, Count, Runs, UNIT};
use super::merge::{Merge, between, cuts};

/// Records that are written at once.
const BLOCK: usize = 1 << 14;
/// Records of a stretch that one thread works on.
const STRETCH: usize = 1 << 16;

/// What of a text is counted.
#[derive(Debug, Clone)]
pub struct Counting {
    /// Words to the left of each word that it meets; at most 1000. Only words of the vocabulary
    /// have places.
    pub window: usize,
    /// Whether the words to the right are its contexts as well.
    pub symmetric: bool,
    /// Whether a meeting counts 1 / distance; else 1.
    pub distance_weighting: bool,
    /// What memory there is.
    pub room: Room,
}

/// Which words meet, and how often: the records of the C tool's `cooccurrence.bin`, in a mapped
/// file. What is cloned is a handle.
#[derive(Debug, Clone)]
pub struct Cooccurrence(Arc<Content>);

#[derive(Debug)]
struct Content {
    names: Arc<Names>,
    counts: Arc<[u64]>,
    map: Map,
    /// Where the records lie in the map, in bytes, in their order.
    places: Vec<Range<usize>>,
    /// How many there are.
    pairs: u64,
}

impl Cooccurrence {
    /// Counts the pairs of a corpus, on all threads and in bounded memory: phase "count" in words,
    /// then phase "merge". The result is the same for any number of threads and any memory: pairs
    /// by rising numbers, each followed by its mirror where contexts are symmetric.
    ///
    /// # Errors
    /// - `InvalidInput`: no two words meet.
    /// - `Unsupported`: more than 2^27 words.
    /// - `OutOfMemory`; `DiskFull`, `Io`: the temporary files could not be written.
    /// - `Aborted`.
    pub fn count(corpus: &Corpus, counting: &Counting, run: &Run) -> Result<Self> {
        let threads = counting::count(corpus, counting, run)?;
        let maps = threads
            .into_iter()
            .map(|Runs { spool, places }| Ok((spool.map()?, places)))
            .collect::<Result<Vec<_>>>()?;
        let runs: Vec<&[Count]> = maps
            .iter()
            .filter(|(_, places)| !places.is_empty())
            .flat_map(|(map, places)| {
                let counts: &[Count] = bytemuck::cast_slice(map);
                places.iter().map(|place| &counts[place.clone()])
            })
            .collect();
        let total = runs.iter().map(|run| run.len() as u64).sum();
        run.phase("merge", "counts", 0, Some(total));
        let spool = Spool::create(counting.room.directory.as_deref())?;
        let cuts = cuts(&runs, 16 * run.threads().max(4));
        let parts: Vec<_> = cuts.iter().map(|_| Mutex::new(Vec::new())).collect();
        let pairs = AtomicU64::new(0);
        run.each(cuts.len(), &|part| {
            let (from, to) = (cuts[part], cuts.get(part + 1).copied());
            let here: Vec<&[Count]> = runs.iter().map(|run| between(run, from, to)).collect();
            let merged = Merge::new(here.iter().map(|run| run.iter().copied()));
            let (places, written) = write(merged, counting.symmetric, &spool, run)?;
            *lock(&parts[part]) = places;
            pairs.fetch_add(written, Relaxed);
            run.advance(here.iter().map(|run| run.len() as u64).sum());
            Ok(())
        })?;
        let pairs = pairs.into_inner();
        if pairs == 0 {
            let problem = "no two words meet: every sentence has one word at most".into();
            return Err(Error::InvalidInput { source: "corpus".into(), offset: None, problem });
        }
        let places = parts.into_iter();
        let places =
            places.flat_map(|part| part.into_inner().unwrap_or_else(PoisonError::into_inner));
        Ok(Self(Arc::new(Content {
            names: Arc::clone(corpus.names()),
            counts: corpus.counts().into(),
            places: places.collect(),
            map: spool.map()?,
            pairs,
        })))
    }

    /// Opens the C tool's `cooccurrence.bin`, or its shuffled form, and its `vocab.txt`. The records
    /// are checked when they are used.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput`: a file of another form.
    pub fn open(records: &Path, vocabulary: &Path) -> Result<Self> {
        let (names, counts) = glove::read_vocabulary(vocabulary, &ReadOptions::default())?;
        let map = glove::open_records(records)?;
        let (bytes, pairs) = (map.len(), map.len() / size_of::<Record>());
        Ok(Self(Arc::new(Content {
            names: Arc::new(names),
            counts: counts.into(),
            map,
            places: std::iter::once(0..bytes).collect(),
            pairs: pairs as u64,
        })))
    }

    /// Writes the C tool's `cooccurrence.bin`, and its `vocab.txt` where a path for it is given.
    /// Phase "write" in pairs.
    ///
    /// # Errors
    /// `Unsupported` for a word that `vocab.txt` cannot hold; `DiskFull`, `Io`; `Aborted`.
    pub fn save(&self, records: &Path, vocabulary: Option<&Path>, run: &Run) -> Result<()> {
        run.phase("write", "pairs", 0, Some(self.pairs()));
        let mut file = AtomicFile::create(records)?;
        for number in 0..self.stretches().len() {
            run.check()?;
            let stretch = self.stretches().get(number);
            file.write(bytemuck::cast_slice(stretch))?;
            run.advance(stretch.len() as u64);
            self.stretches().release(number);
        }
        if let Some(vocabulary) = vocabulary {
            glove::write_vocabulary(vocabulary, self.names(), self.counts())?;
        }
        file.commit()
    }

    /// The words, most frequent first.
    pub fn names(&self) -> &Arc<Names> {
        &self.0.names
    }

    /// How often each word occurs.
    pub fn counts(&self) -> &Arc<[u64]> {
        &self.0.counts
    }

    /// How many pairs of word and context there are.
    pub fn pairs(&self) -> u64 {
        self.0.pairs
    }

    /// Bytes of the mapped file.
    pub fn bytes(&self) -> u64 {
        self.0.map.len() as u64
    }

    /// All records, cut into stretches of a megabyte.
    pub(super) fn stretches(&self) -> Stretches<'_> {
        Stretches { content: &self.0 }
    }
}

/// The records of a `Cooccurrence` in pieces.
#[derive(Clone, Copy)]
pub(super) struct Stretches<'a> {
    content: &'a Content,
}

impl<'a> Stretches<'a> {
    /// Places are a stretch long at most, but for an opened file's single one.
    pub fn len(self) -> usize {
        match &self.content.places[..] {
            [one] => one.len().div_ceil(STRETCH * size_of::<Record>()),
            places => places.len(),
        }
    }

    fn place(self, number: usize) -> Range<usize> {
        match &self.content.places[..] {
            [one] => {
                let start = one.start + number * STRETCH * size_of::<Record>();
                start..one.end.min(start + STRETCH * size_of::<Record>())
            }
            places => places[number].clone(),
        }
    }

    pub fn get(self, number: usize) -> &'a [Record] {
        bytemuck::cast_slice(&self.content.map[self.place(number)])
    }

    /// Gives the stretch's memory back to the system.
    pub fn release(self, number: usize) {
        self.content.map.release(self.place(number));
    }

    /// Where a stretch begins in its file, in bytes.
    pub fn offset(self, number: usize) -> usize {
        self.place(number).start
    }

    pub fn path(self) -> &'a Path {
        self.content.map.path()
    }
}

/// Writes merged counts as records; returns where they lie, in bytes, and how many they are.
fn write(
    counts: impl Iterator<Item = Count>,
    symmetric: bool,
    spool: &Spool,
    run: &Run,
) -> Result<(Vec<Range<usize>>, u64)> {
    let mut block: Vec<Record> = Vec::with_capacity(BLOCK + 1);
    let (mut places, mut written) = (Vec::new(), 0);
    let mut flush = |block: &mut Vec<Record>| -> Result<()> {
        run.check()?;
        if !block.is_empty() {
            let start = spool.append(block)? as usize;
            places.push(start..start + size_of_val(&block[..]));
            written += block.len() as u64;
            block.clear();
        }
        Ok(())
    };
    for [pair, units] in counts {
        let (first, second) = ((pair >> 32) as u32, pair as u32);
        let count = units as f64 / UNIT;
        match symmetric {
            false => block.push(glove::record(first, second, count)),
            // A word that meets itself is met from both sides.
            true if first == second => block.push(glove::record(first, first, 2.0 * count)),
            true => {
                block.push(glove::record(first, second, count));
                block.push(glove::record(second, first, count));
            }
        }
        if block.len() >= BLOCK {
            flush(&mut block)?;
        }
    }
    flush(&mut block)?;
    Ok((places, written))
}
