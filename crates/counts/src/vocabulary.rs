//! Which of the terms that threads have numbered become columns, and which column each becomes: those
//! within the limits, in the order of their bytes, so that nothing depends on threads.

use std::cmp::Reverse;
use std::mem;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use inlay_base::{Error, Result, Run, Workers, lock};
use inlay_corpus::Table;
use inlay_formats::Names;

use crate::counting::Numbering;

/// No column: what a number stands for is not in the vocabulary.
pub const NONE: u32 = u32::MAX;

/// Parts of the order of all terms, each of which one thread sorts.
const PARTS: usize = 128;
/// Terms of each thread that say where to cut.
const SAMPLE: usize = 16 * PARTS;
/// Terms between two questions whether the run goes on.
const STEP: usize = 4096;
/// Columns that are given out at a time.
const BLOCK: usize = 1 << 14;

/// Which terms become columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Those of at least so many documents,
    pub min_documents: u64,
    /// at most so many,
    pub max_documents: Option<u64>,
    /// at least this share of them,
    pub min_share: f64,
    /// at most this share,
    pub max_share: f64,
    /// and of these only so many, the most frequent; ties in the order of their bytes.
    pub max_features: Option<usize>,
}

impl Limits {
    fn allow(&self, term: u64, documents: u64) -> bool {
        let share = |share: f64| share * documents as f64;
        (self.min_documents..=self.max_documents.unwrap_or(u64::MAX)).contains(&term)
            && (share(self.min_share)..=share(self.max_share)).contains(&(term as f64))
    }
}

/// Terms that became columns.
pub struct Vocabulary {
    /// By column.
    pub names: Names,
    /// By column.
    pub document_frequencies: Vec<u32>,
    /// By thread and number, or `NONE`.
    pub columns: Vec<Vec<u32>>,
}

/// A term as some thread numbered it.
#[derive(Clone, Copy)]
struct Term<'a> {
    /// The first eight bytes as a number: most comparisons end there.
    prefix: u64,
    bytes: &'a [u8],
    thread: u32,
    number: u32,
}

/// A term, of whatever thread.
struct Candidate<'a> {
    /// Where it is: in which part of the order, and from where to where there.
    part: usize,
    start: usize,
    end: usize,
    bytes: &'a [u8],
    documents: u64,
    occurrences: u64,
}

/// A part of the order of all terms.
#[derive(Default)]
struct Part<'a> {
    terms: Vec<Term<'a>>,
    /// Those of them that are within the limits.
    candidates: Vec<Candidate<'a>>,
}

/// Chooses columns.
///
/// # Errors
/// `InvalidInput` if there are no terms, or none within the limits; `Aborted`.
pub fn choose(
    numberings: &[Numbering<'_>],
    limits: &Limits,
    (source, documents): (&str, u64),
    run: &Run,
) -> Result<Vocabulary> {
    let parts =
        in_order(numberings, run, |candidate| limits.allow(candidate.documents, documents))?;
    let mut candidates: Vec<_> = parts.iter().flat_map(|part| &part.candidates).collect();
    if let Some(most) = limits.max_features.filter(|&most| most < candidates.len()) {
        // Stable: ties stay in the order of their bytes.
        candidates.sort_by_key(|term| Reverse(term.occurrences));
        candidates.truncate(most);
        candidates.sort_unstable_by_key(|term| (term.part, term.start));
    }
    if candidates.is_empty() {
        let problem = match parts.iter().map(|part| part.terms.len()).sum() {
            0 => "no document holds a term (all may be stop words)".into(),
            count => format!("none of {count} terms is within the limits"),
        };
        return Err(Error::InvalidInput { source: source.into(), offset: None, problem });
    }
    let columns: Vec<Vec<_>> = numberings
        .iter()
        .map(|known| known.document_frequencies.iter().map(|_| AtomicU32::new(NONE)).collect())
        .collect();
    let blocks: Vec<_> = candidates.chunks(BLOCK).collect();
    run.each(blocks.len(), &|block| {
        for (column, candidate) in (block * BLOCK..).zip(blocks[block]) {
            for term in &parts[candidate.part].terms[candidate.start..candidate.end] {
                columns[term.thread as usize][term.number as usize].store(column as u32, Relaxed);
            }
        }
        Ok(())
    })?;
    let numbers = |column: Vec<AtomicU32>| column.into_iter().map(AtomicU32::into_inner).collect();
    Ok(Vocabulary {
        names: Names::checked(candidates.iter().map(|term| term.bytes), &|| run.check())?,
        document_frequencies: candidates.iter().map(|term| term.documents as u32).collect(),
        columns: columns.into_iter().map(numbers).collect(),
    })
}

/// All terms in order, part by part, and those that are wanted.
fn in_order<'a>(
    numberings: &'a [Numbering<'_>],
    run: &Run,
    is_wanted: impl Fn(&Candidate<'_>) -> bool + Sync,
) -> Result<Vec<Part<'a>>> {
    let cuts = cuts(numberings);
    let dealt: Vec<_> = numberings.iter().map(|_| Mutex::new(vec![Vec::new(); PARTS])).collect();
    run.each(numberings.len(), &|thread| {
        let dealt = &mut *lock(&dealt[thread]);
        for number in numbers(&numberings[thread]) {
            if (number as usize).is_multiple_of(STEP) {
                run.check()?;
            }
            let term = Term::new(numberings, thread, number);
            dealt[cuts.partition_point(|&cut| cut <= term.prefix)].push(term);
        }
        Ok(())
    })?;
    let parts: Vec<_> = (0..PARTS).map(|_| Mutex::<Part<'a>>::default()).collect();
    run.each(PARTS, &|number| {
        let mut terms = Vec::new();
        for dealt in &dealt {
            terms.append(&mut mem::take(&mut lock(dealt)[number]));
        }
        terms.sort_unstable_by(|a, b| a.prefix.cmp(&b.prefix).then_with(|| a.bytes.cmp(b.bytes)));
        let mut candidates = merged(&terms, number, numberings);
        candidates.retain(&is_wanted);
        *lock(&parts[number]) = Part { terms, candidates };
        Ok(())
    })?;
    Ok(parts.into_iter().map(|part| mem::take(&mut *lock(&part))).collect())
}

/// Beginnings of terms between which there are about as many terms.
fn cuts(numberings: &[Numbering<'_>]) -> Vec<u64> {
    let mut sample: Vec<u64> = Vec::new();
    for (thread, numbering) in numberings.iter().enumerate() {
        let numbers = numbers(numbering);
        let step = (numbers.len() / SAMPLE).max(1);
        sample.extend(numbers.step_by(step).map(|it| Term::new(numberings, thread, it).prefix));
    }
    sample.sort_unstable();
    (1..PARTS).filter_map(|part| sample.get(part * sample.len() / PARTS).copied()).collect()
}

/// Those that terms have.
fn numbers(numbering: &Numbering<'_>) -> Range<u32> {
    1..numbering.table.as_ref().map_or(1, Table::end)
}

impl<'a> Term<'a> {
    fn new(numberings: &'a [Numbering<'_>], thread: usize, number: u32) -> Self {
        let table = numberings[thread].table.as_ref();
        let bytes = table.map_or(&[][..], |table| table.bytes(number));
        let mut first = [0; 8];
        let shown = bytes.len().min(8);
        first[..shown].copy_from_slice(&bytes[..shown]);
        Self { prefix: u64::from_be_bytes(first), bytes, thread: thread as u32, number }
    }
}

fn merged<'a>(terms: &[Term<'a>], part: usize, numberings: &[Numbering<'_>]) -> Vec<Candidate<'a>> {
    let mut start = 0;
    let one = |same: &[Term<'a>]| {
        let known = |term: &Term<'_>| &numberings[term.thread as usize];
        let documents =
            |term: &Term<'_>| u64::from(known(term).document_frequencies[term.number as usize]);
        let occurrences = |term: &Term<'_>| {
            known(term).table.as_ref().map_or(0, |table| table.count(term.number))
        };
        start += same.len();
        Candidate {
            part,
            start: start - same.len(),
            end: start,
            bytes: same[0].bytes,
            documents: same.iter().map(documents).sum(),
            occurrences: same.iter().map(occurrences).sum(),
        }
    };
    terms.chunk_by(|a, b| a.bytes == b.bytes).map(one).collect()
}
