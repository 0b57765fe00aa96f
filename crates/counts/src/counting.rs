//! How often each term occurs in each document, on all threads. Every thread numbers terms by a table of
//! its own; which columns they get is decided when all are known.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use inlay_base::{Result, Run, afford};
use inlay_corpus::{BATCH, Part, Reading, Seed, Source, Table, each_part};

use crate::hashing;
use crate::terms::{Analysis, Terms};

/// Documents between two questions whether the run goes on.
const STEP: usize = 64;

/// What a source holds.
pub struct Counted<'a> {
    /// By thread.
    pub numberings: Vec<Numbering<'a>>,
    /// In the order of the source; empty unless rows were asked for.
    pub parts: Vec<Rows>,
    /// How many there are.
    pub documents: u64,
}

/// Terms by number, and in how many documents each is.
pub struct Numbering<'a> {
    /// `None` where terms are hashed: their numbers are columns.
    pub table: Option<Table<'a>>,
    /// By number.
    pub document_frequencies: Vec<u32>,
}

/// Documents as numbers of terms with how often they occur.
#[derive(Default)]
pub struct Rows {
    /// Whose numbers they are.
    pub thread: usize,
    /// Numbers and counts, which are negative only where terms are hashed.
    pub entries: Vec<(u32, i32)>,
    /// Where each document ends in `entries`.
    pub ends: Vec<usize>,
}

/// What is counted.
#[derive(Clone, Copy)]
pub struct Counting<'a> {
    /// Which terms a document has.
    pub analysis: &'a Analysis,
    /// Columns that terms are hashed into, and whether half of them count as negative.
    pub hashed: Option<(u32, bool)>,
    /// Whether rows are kept.
    pub rows: bool,
}

impl Counting<'_> {
    /// Counts a source: phase "count" in documents.
    pub fn count<'r>(self, source: Source, reading: Reading, run: &'r Run) -> Result<Counted<'r>> {
        run.phase("count", "documents", 0, None);
        // Each thread has a place for each column.
        let columns = self.hashed.map_or(0, |(columns, _)| u64::from(columns));
        afford(Some(columns * (size_of::<Met>() + 4) as u64 * run.threads() as u64))?;
        let (seed, threads) = (Seed::random(), AtomicUsize::new(0));
        let new = || Counter::new(self, seed, threads.fetch_add(1, Relaxed), run);
        let (counters, parts) =
            each_part(source, reading, run, new, |counter, part| counter.count(part, run))?;
        let documents = counters.iter().map(|counter| counter.documents).sum();
        let mut counters: Vec<_> = counters.into_iter().collect();
        counters.sort_unstable_by_key(|counter| counter.thread);
        let numberings = counters.into_iter().map(Counter::numbering).collect();
        Ok(Counted { numberings, parts, documents })
    }
}

/// What a thread counts with.
struct Counter<'a, 'r> {
    counting: Counting<'a>,
    thread: usize,
    terms: Terms<'a>,
    table: Option<Table<'r>>,
    numbers: Vec<u32>,
    /// By number.
    met: Vec<Met>,
    documents: u64,
    /// Entries of the part before: this one will have about as many.
    expected: usize,
    /// The number of the document at hand, from 1, in 32 bits.
    at: u32,
}

/// What is known of a term, side by side: it is looked at for every word.
#[derive(Clone, Copy, Default)]
struct Met {
    /// The last document that had it; 0: none.
    last: u32,
    /// Its place among the entries of that one.
    place: u32,
    /// How many had it.
    documents: u32,
}

impl<'a, 'r> Counter<'a, 'r> {
    fn new(counting: Counting<'a>, seed: Seed, thread: usize, run: &'r Run) -> Self {
        let columns = counting.hashed.map(|(columns, _)| columns as usize);
        let table = columns.is_none().then(|| Table::new(seed, run));
        Self {
            counting,
            thread,
            terms: Terms::new(counting.analysis),
            table,
            numbers: Vec::new(),
            met: vec![Met::default(); columns.unwrap_or(1)],
            documents: 0,
            expected: 0,
            at: 0,
        }
    }

    fn count(&mut self, part: &Part, run: &Run) -> Result<Rows> {
        let entries = Vec::with_capacity(self.expected + self.expected / 8);
        let ends = Vec::with_capacity(part.texts.len());
        let mut rows = Rows { thread: self.thread, entries, ends };
        for document in part.texts.clone() {
            if document.is_multiple_of(STEP) {
                run.check()?;
            }
            self.terms.take(&part.batch, document);
            self.next_document();
            match self.counting.hashed {
                Some((columns, signed)) => self.add_hashed(columns, signed, &mut rows),
                None => self.add(&mut rows),
            }
            if self.counting.rows {
                rows.ends.push(rows.entries.len());
            } else {
                rows.entries.clear();
            }
        }
        self.expected = rows.entries.len();
        run.advance(part.texts.len() as u64);
        Ok(rows)
    }

    fn add(&mut self, rows: &mut Rows) {
        let (bytes, starts, lengths) = self.terms.found();
        let Some(table) = &mut self.table else { return };
        self.numbers.clear();
        for (starts, lengths) in starts.chunks(BATCH).zip(lengths.chunks(BATCH)) {
            table.add(bytes, starts, lengths, &mut self.numbers);
        }
        let end = table.end() as usize;
        if self.met.len() < end {
            self.met.resize(end, Met::default());
        }
        for at in 0..self.numbers.len() {
            self.meet(self.numbers[at], 1, rows);
        }
    }

    fn add_hashed(&mut self, columns: u32, signed: bool, rows: &mut Rows) {
        self.numbers.clear();
        let hashed = self.terms.iter().map(|term| {
            let (column, negative) = hashing::column(term, columns);
            column << 1 | u32::from(negative && signed)
        });
        self.numbers.extend(hashed);
        for at in 0..self.numbers.len() {
            let (column, negative) = (self.numbers[at] >> 1, self.numbers[at] & 1 == 1);
            self.meet(column, if negative { -1 } else { 1 }, rows);
        }
    }

    fn next_document(&mut self) {
        self.documents += 1;
        self.at = self.at.wrapping_add(1);
        if self.at == 0 {
            // Numbers begin again: none of before may be taken for one of now.
            self.met.iter_mut().for_each(|met| met.last = 0);
            self.at = 1;
        }
    }

    /// One more occurrence in the document at hand.
    #[inline]
    fn meet(&mut self, number: u32, times: i32, rows: &mut Rows) {
        let met = &mut self.met[number as usize];
        if met.last == self.at {
            rows.entries[met.place as usize].1 += times;
        } else {
            met.last = self.at;
            met.place = rows.entries.len() as u32;
            met.documents += 1;
            rows.entries.push((number, times));
        }
    }

    fn numbering(self) -> Numbering<'r> {
        let document_frequencies = self.met.iter().map(|met| met.documents).collect();
        Numbering { table: self.table, document_frequencies }
    }
}
