//! Scores words by the words before them.

use inlay_kernels::fetch;

use crate::model::Model;
use crate::table::View;
use crate::text::{BEGIN, END};

/// The longest context of all orders.
pub const CONTEXT: usize = inlay_formats::arpa::HIGHEST - 1;
/// Sentences that are scored in turn: while the memory brings what one of them needs, the others go on.
const LANES: usize = 16;

/// What the words before matter to the next one: the n-grams that end with the last of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// How many there are; the n-gram of one word comes first.
    length: usize,
    /// Where each lies in its table.
    entries: [u32; CONTEXT],
    backoffs: [f32; CONTEXT],
}

/// How likely a word is after those before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// log10.
    pub probability: f32,
    /// Words of the longest n-gram of the model that ends here: less than the model's order where it
    /// had to back off.
    pub order: u8,
}

impl State {
    /// No word before.
    pub const EMPTY: Self = Self { length: 0, entries: [0; CONTEXT], backoffs: [0.0; CONTEXT] };

    /// The n-grams that end with the last word, shortest first: where they lie, and their back-offs.
    pub(crate) fn contexts(&self) -> impl ExactSizeIterator<Item = (u32, f32)> + '_ {
        self.entries[..self.length]
            .iter()
            .copied()
            .zip(self.backoffs[..self.length].iter().copied())
    }
}

/// A model that is asked: what all its searches read, found once.
pub struct Scorer<'a> {
    unigrams: &'a [[f32; 2]],
    /// From order 2 on; the highest ones may be empty.
    tables: [View<'a>; CONTEXT],
    /// How many of them there are.
    count: usize,
}

impl<'a> Scorer<'a> {
    /// Asks a model.
    pub fn new(model: &'a Model) -> Self {
        let mut tables = [View::EMPTY; CONTEXT];
        let count = model.tables().len().min(CONTEXT);
        for (view, table) in tables.iter_mut().zip(model.tables()) {
            *view = table.view();
        }
        Self { unigrams: model.unigrams(), tables, count }
    }

    /// The beginning of a sentence.
    pub fn begin(&self) -> State {
        let mut state = State::EMPTY;
        self.step(&mut state, BEGIN);
        state
    }

    /// Scores a word and takes it into the state.
    ///
    /// # Panics
    /// If the vocabulary has no such word.
    #[inline(always)]
    pub fn step(&self, state: &mut State, word: u32) -> Score {
        let [probability, backoff] = self.unigrams[word as usize];
        let mut score = Score { probability, order: 1 };
        let length = state.length;
        // Each entry makes room for the next one, which is of one word more.
        let (mut entry, mut backoff) = (word, backoff);
        let mut found = 0;
        for table in &self.tables[..self.count] {
            let (context, context_backoff) = (state.entries[found], state.backoffs[found]);
            (state.entries[found], state.backoffs[found]) = (entry, backoff);
            if found == length {
                break;
            }
            let Some((next, probability, next_backoff)) = table.find(context, word) else {
                score.probability += context_backoff;
                break;
            };
            found += 1;
            score = Score { probability, order: found as u8 + 1 };
            (entry, backoff) = (next, next_backoff);
        }
        // What was before is still there beyond the first that was not found.
        for backoff in state.backoffs.iter().take(length).skip(found + 1) {
            score.probability += backoff;
        }
        state.length = (found + 1).min(self.count);
        score
    }

    /// Asks the memory for what the next word of a state needs.
    #[inline(always)]
    fn fetch(&self, state: &State, word: u32) {
        fetch(self.unigrams, word as usize);
        for (table, (context, _)) in self.tables[..self.count].iter().zip(state.contexts()) {
            table.fetch(context, word);
        }
    }

    /// Scores the sentences of a text, each of which ends with `END`, by `each(place, score)`: the
    /// places of one sentence come in order. What comes after the last end is a sentence that goes on.
    ///
    /// # Panics
    /// If the vocabulary has no such word.
    pub fn score_text(&self, text: &[u32], mut each: impl FnMut(usize, Score)) {
        let begin = self.begin();
        let mut next = 0;
        let mut lanes = [Lane { state: begin, place: 0, end: 0 }; LANES];
        let mut busy = true;
        while busy {
            busy = false;
            for lane in &mut lanes {
                if lane.place < lane.end {
                    each(lane.place, self.step(&mut lane.state, text[lane.place]));
                    lane.place += 1;
                }
                if lane.place == lane.end {
                    // The next sentence.
                    let rest = &text[next..];
                    let end = rest.iter().position(|&word| word == END);
                    let end = next + end.map_or(rest.len(), |end| end + 1);
                    *lane = Lane { state: begin, place: next, end };
                    next = end;
                }
                if lane.place < lane.end {
                    busy = true;
                    self.fetch(&lane.state, text[lane.place]);
                }
            }
        }
    }
}

/// A sentence that is being scored: its next word, and the end of its part of the text.
#[derive(Clone, Copy)]
struct Lane {
    state: State,
    place: usize,
    end: usize,
}
