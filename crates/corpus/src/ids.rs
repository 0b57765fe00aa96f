//! The second pass: the numbers of the first become ids, words that are dropped vanish, and so do
//! sentences without words.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use inlay_base::{Result, Run, lock};

use crate::SENTENCE_END;
use crate::fingerprint::of_ids;
use crate::numbering::Piece;
use crate::positioned::Spool;
use crate::vocabulary::DROPPED;

/// What the second pass wrote.
pub(crate) struct Written {
    /// Ids and ends of sentences.
    pub length: u64,
    pub sentences: u64,
    /// `fingerprint::of_ids` of all.
    pub fingerprint: u64,
}

/// How far the pieces have come whose places are known.
#[derive(Default)]
struct Turn {
    /// The next piece to get its place.
    piece: usize,
    /// Values before it.
    length: u64,
    sentences: u64,
    /// Whether a sentence has begun and not ended.
    open: bool,
    /// Line feeds since the last word of the source.
    gap: u32,
}

/// How sentences are told apart.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    /// Line feeds that end one.
    pub needed: u32,
    /// Whether they are documents, which are there also without words.
    pub documents: bool,
}

/// Writes the ids of all pieces to `to`. `ids` has those of each table's words.
pub(crate) fn write(
    pieces: &[Piece],
    from: &Spool,
    to: &Spool,
    ids: &[Vec<u32>],
    sentences: Ends,
    run: &Run,
) -> Result<Written> {
    let turn = Mutex::new(Turn::default());
    let passed = Condvar::new();
    let next = AtomicUsize::new(0);
    let fingerprint = AtomicU64::new(0);
    run.workers(|_| {
        let (mut numbers, mut mapped) = (Vec::new(), Vec::new());
        while let Some((at, piece)) = next_piece(pieces, &next) {
            run.check()?;
            from.read(&mut numbers, piece.words as usize + piece.ends as usize, piece.offset)?;
            let begins_with_end =
                map(&numbers, piece, &ids[piece.table], sentences.documents, &mut mapped);
            // One value was left free in front for an end that only the pieces before can tell of.
            let mut state = wait_for(at, &turn, &passed, run)?;
            let with_end = state.take(piece, &mapped[1..], begins_with_end, sentences);
            let values = if with_end { &mapped[..] } else { &mapped[1..] };
            let first = state.length;
            state.length += values.len() as u64;
            state.piece += 1;
            drop(state);
            passed.notify_all();
            to.write(values, first * 4)?;
            fingerprint.fetch_add(of_ids(first, values), Relaxed);
            run.advance(u64::from(piece.words));
        }
        Ok(())
    })?;
    let mut turn = turn.into_inner().unwrap_or_else(PoisonError::into_inner);
    if turn.open {
        // Files and texts end their sentences; sentences of words do so only before the next.
        to.write(&[SENTENCE_END], turn.length * 4)?;
        fingerprint.fetch_add(of_ids(turn.length, &[SENTENCE_END]), Relaxed);
        turn.length += 1;
        turn.sentences += 1;
    }
    let fingerprint = fingerprint.into_inner();
    Ok(Written { length: turn.length, sentences: turn.sentences, fingerprint })
}

fn next_piece<'a>(pieces: &'a [Piece], next: &AtomicUsize) -> Option<(usize, &'a Piece)> {
    let at = next.fetch_add(1, Relaxed);
    pieces.get(at).map(|piece| (at, piece))
}

/// Fills `mapped` with an end of a sentence and the ids of a piece, and returns whether a sentence
/// ends before the first id.
fn map(
    numbers: &[u32],
    piece: &Piece,
    ids: &[u32],
    documents: bool,
    mapped: &mut Vec<u32>,
) -> bool {
    let (words, ends) = numbers.split_at(piece.words as usize);
    mapped.resize(1 + words.len() + ends.len(), 0);
    mapped[0] = SENTENCE_END;
    let mut begins_with_end = false;
    let (mut length, mut start) = (1, 0);
    for &end in ends {
        let before = length;
        length = append(&words[start..end as usize], ids, mapped, length);
        start = end as usize;
        if length > before || documents {
            mapped[length] = SENTENCE_END;
            length += 1;
        } else if length == 1 {
            begins_with_end = true;
        }
    }
    length = append(&words[start..], ids, mapped, length);
    mapped.truncate(length);
    begins_with_end
}

/// Writes the ids of those words that are kept from `length` on, and returns where they end.
fn append(words: &[u32], ids: &[u32], mapped: &mut [u32], mut length: usize) -> usize {
    for &word in words {
        let id = ids[word as usize];
        mapped[length] = id;
        length += usize::from(id != DROPPED); // no branch: rare words come anywhere
    }
    length
}

fn wait_for<'a>(
    piece: usize,
    turn: &'a Mutex<Turn>,
    passed: &Condvar,
    run: &Run,
) -> Result<MutexGuard<'a, Turn>> {
    let mut state = lock(turn);
    while state.piece != piece {
        run.check()?; // whoever should come before may have failed
        let patience = Duration::from_millis(5);
        state = passed.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0;
    }
    Ok(state)
}

impl Turn {
    /// Adds a piece and says whether a sentence ends in front of it.
    fn take(&mut self, piece: &Piece, ids: &[u32], begins_with_end: bool, sentences: Ends) -> bool {
        self.gap = self.gap.saturating_add(piece.leading);
        if piece.blank {
            return false; // what comes next sees the gap
        }
        let ended = self.open && (self.gap >= sentences.needed || begins_with_end);
        self.gap = piece.trailing;
        let inside = ids.iter().filter(|&&id| id == SENTENCE_END).count() as u64;
        self.sentences += inside + u64::from(ended);
        self.open = match ids.last() {
            // Words that are not kept are part of a document, too.
            _ if sentences.documents => piece.open || (piece.ends == 0 && self.open && !ended),
            Some(&last) => last != SENTENCE_END,
            None => self.open && !ended,
        };
        ended
    }
}
