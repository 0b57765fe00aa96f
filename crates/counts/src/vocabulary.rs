//! Which of the terms that threads have numbered become columns, and which column each becomes: those
//! within the limits, in the order of their bytes, so that nothing depends on threads.

use std::cmp::Reverse;

use inlay_base::{Error, Result, Run};
use inlay_formats::Names;

use crate::counting::Numbering;

/// No column: what a number stands for is not in the vocabulary.
pub const NONE: u32 = u32::MAX;

/// Terms between two questions whether the run goes on.
const STEP: usize = 4096;

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
    /// Where it begins among all terms.
    start: usize,
    end: usize,
    bytes: &'a [u8],
    documents: u64,
    occurrences: u64,
}

/// Chooses columns.
///
/// # Errors
/// `InvalidInput` if there are no terms, or none within the limits; `Aborted`.
pub fn choose(
    numberings: &[Numbering<'_>],
    limits: &Limits,
    documents: u64,
    run: &Run,
) -> Result<Vocabulary> {
    let terms = sorted(numberings, run)?;
    let mut candidates = merged(&terms, numberings, run)?;
    candidates.retain(|term| limits.allow(term.documents, documents));
    if let Some(most) = limits.max_features.filter(|&most| most < candidates.len()) {
        // Stable: ties stay in the order of their bytes.
        candidates.sort_by_key(|term| Reverse(term.occurrences));
        candidates.truncate(most);
        candidates.sort_unstable_by_key(|term| term.start);
    }
    if candidates.is_empty() {
        let problem = match terms.len() {
            0 => "no document holds a term (all may be stop words)".into(),
            count => format!("none of {count} terms is within the limits"),
        };
        return Err(Error::InvalidInput { source: "documents".into(), offset: None, problem });
    }
    let mut columns: Vec<_> =
        numberings.iter().map(|known| vec![NONE; known.document_frequencies.len()]).collect();
    for (column, candidate) in (0..).zip(&candidates) {
        for term in &terms[candidate.start..candidate.end] {
            columns[term.thread as usize][term.number as usize] = column;
        }
    }
    let names = Names::checked(candidates.iter().map(|term| term.bytes), &|| run.check())?;
    let document_frequencies = candidates.iter().map(|term| term.documents as u32).collect();
    Ok(Vocabulary { names, document_frequencies, columns })
}

fn sorted<'a>(numberings: &'a [Numbering<'_>], run: &Run) -> Result<Vec<Term<'a>>> {
    let mut terms = Vec::new();
    for (thread, table) in (0..).zip(numberings.iter().map(|known| &known.table)) {
        let Some(table) = table else { continue };
        for number in 1..table.end() {
            let bytes = table.bytes(number);
            let mut first = [0; 8];
            let shown = bytes.len().min(8);
            first[..shown].copy_from_slice(&bytes[..shown]);
            terms.push(Term { prefix: u64::from_be_bytes(first), bytes, thread, number });
        }
        run.check()?;
    }
    terms.sort_unstable_by(|a, b| a.prefix.cmp(&b.prefix).then_with(|| a.bytes.cmp(b.bytes)));
    run.check()?;
    Ok(terms)
}

fn merged<'a>(
    terms: &[Term<'a>],
    numberings: &[Numbering<'_>],
    run: &Run,
) -> Result<Vec<Candidate<'a>>> {
    let mut candidates = Vec::new();
    let mut start = 0;
    for same in terms.chunk_by(|a, b| a.bytes == b.bytes) {
        if candidates.len().is_multiple_of(STEP) {
            run.check()?;
        }
        let known = |term: &Term<'_>| &numberings[term.thread as usize];
        let documents =
            |term: &Term<'_>| u64::from(known(term).document_frequencies[term.number as usize]);
        let occurrences = |term: &Term<'_>| {
            known(term).table.as_ref().map_or(0, |table| table.count(term.number))
        };
        candidates.push(Candidate {
            start,
            end: start + same.len(),
            bytes: same[0].bytes,
            documents: same.iter().map(documents).sum(),
            occurrences: same.iter().map(occurrences).sum(),
        });
        start += same.len();
    }
    Ok(candidates)
}
