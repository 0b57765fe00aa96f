//! Scores words by the words before them.

use inlay_kernels::{Kernels, Simd, Task, fetch};

use crate::model::{Model, Searched};
use crate::packed::Packed;
use crate::sorted::Sorted;
use crate::table::{Found, NO_CELL, Table, View, extend};
use crate::text::{BEGIN, END};

/// The longest context of all orders.
pub const CONTEXT: usize = inlay_formats::arpa::HIGHEST - 1;
/// Sentences that are scored in turn: while the memory brings what one of them needs, the others go on.
const LANES: usize = 12;

/// What the words before matter to the next one, to the scorer that they went to: the n-grams that end with the last of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// How many there are; the n-gram of one word comes first.
    length: usize,
    /// Where each lies among those of its order; `NO_CELL` beyond `length`.
    entries: [u32; CONTEXT],
    /// 0 beyond `length`.
    backoffs: [f32; CONTEXT],
    /// Of the same, and of the one that was looked for and is not there.
    hashes: Hashes,
}

/// Of an n-gram of each order from 1 on.
type Hashes = [u64; CONTEXT + 1];

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
    pub const EMPTY: Self = Self {
        length: 0,
        entries: [NO_CELL; CONTEXT],
        backoffs: [0.0; CONTEXT],
        hashes: [0; CONTEXT + 1],
    };
}

/// A model that is asked: what all its searches read, found once.
pub struct Scorer<'a> {
    unigrams: &'a [[f32; 2]],
    orders: Orders<'a>,
    kernels: Kernels,
}

/// The n-grams from order 2 on.
enum Orders<'a> {
    Hashed(Vec<View<'a>>),
    Sorted(&'a [Sorted]),
    Packed(&'a [Packed]),
}

/// The n-grams of one order.
trait Search {
    /// The n-gram of a context and a word; both it and its suffix may be `NO_CELL`.
    fn find<S: Simd>(&self, simd: S, hash: u64, context: u32, suffix: u32, word: u32) -> Found;
}

impl Search for View<'_> {
    #[inline(always)]
    fn find<S: Simd>(&self, simd: S, hash: u64, context: u32, _: u32, word: u32) -> Found {
        View::find(self, simd, hash, context, word)
    }
}

impl Search for Sorted {
    fn find<S: Simd>(&self, _: S, _: u64, context: u32, suffix: u32, _: u32) -> Found {
        Sorted::find(self, context, suffix)
    }
}

impl Search for Packed {
    fn find<S: Simd>(&self, _: S, _: u64, context: u32, _: u32, word: u32) -> Found {
        Packed::find(self, context, word)
    }
}

impl<'a> Scorer<'a> {
    /// Asks a model.
    pub fn new(model: &'a Model) -> Self {
        let orders = match model.searched() {
            Searched::Sorted(orders) => Orders::Sorted(orders),
            Searched::Packed(orders) => Orders::Packed(orders),
            Searched::Hashed(tables) => {
                Orders::Hashed(tables.iter().take(CONTEXT).map(Table::view).collect())
            }
        };
        Self { unigrams: model.unigrams(), orders, kernels: Kernels::get() }
    }

    /// Words of the vocabulary.
    pub(crate) fn words(&self) -> usize {
        self.unigrams.len()
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
    #[inline]
    pub fn step(&self, state: &mut State, word: u32) -> Score {
        self.kernels.run(Step { scorer: self, state, word })
    }

    /// Takes a word into the hashes, and asks the memory for all that it needs.
    #[inline(always)]
    fn ask(&self, views: &[View<'_>], state: &mut State, word: u32) {
        let hashes = &mut state.hashes;
        let mut before = hashes[0];
        hashes[0] = extend(0, word);
        fetch(self.unigrams, word as usize);
        for (view, hash) in views.iter().zip(&mut hashes[1..]).take(state.length) {
            let longer = extend(before, word);
            before = std::mem::replace(hash, longer);
            view.fetch(longer);
        }
    }

    /// The word's n-grams of all orders, whose hashes are those of the state.
    #[inline(always)]
    fn look<S: Simd, O: Search>(
        &self,
        simd: S,
        orders: &[O],
        state: &mut State,
        word: u32,
    ) -> Score {
        let [probability, backoff] = self.unigrams[word as usize];
        let mut found = Found { slot: word, probability, backoff };
        let (mut score, mut order) = (probability, 1);
        let contexts = state.entries.iter_mut().zip(&mut state.backoffs);
        let asked = orders.iter().zip(&state.hashes[1..]).zip(contexts).take(state.length);
        for ((search, &hash), (entry, backoff)) in asked {
            let (context, back, suffix) = (*entry, *backoff, found.slot);
            // Each n-gram makes room for the next one, which is of one word more.
            (*entry, *backoff) = (found.slot, found.backoff);
            found = search.find(simd, hash, context, suffix, word);
            // Selected as integers: real numbers would be selected by a branch, which nobody foretells.
            let is_there = found.is_there();
            let select = |there: f32, other: f32| {
                f32::from_bits(if is_there { there.to_bits() } else { other.to_bits() })
            };
            score = select(found.probability, score + back);
            found.backoff = select(found.backoff, 0.0);
            order += u8::from(is_there);
        }
        if state.length < orders.len() {
            state.entries[state.length] = found.slot;
            state.backoffs[state.length] = found.backoff;
        }
        state.length = usize::from(order).min(orders.len());
        Score { probability: score, order }
    }

    /// Scores the sentences of a text, each of which ends with `END`, by `each(place, score)`, in order.
    /// What comes after the last end is a sentence that goes on.
    ///
    /// # Panics
    /// If the vocabulary has no such word.
    pub fn score_text(&self, text: &[u32], each: impl FnMut(usize, Score)) {
        self.kernels.run(ScoreText { scorer: self, begin: self.begin(), text, each });
    }
}

/// See `Scorer::step`.
struct Step<'a, 'm> {
    scorer: &'a Scorer<'m>,
    state: &'a mut State,
    word: u32,
}

impl Task for Step<'_, '_> {
    type Output = Score;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Score {
        let Self { scorer, state, word } = self;
        match &scorer.orders {
            Orders::Hashed(views) => {
                scorer.ask(views, state, word);
                scorer.look(simd, views, state, word)
            }
            Orders::Sorted(orders) => scorer.look(simd, orders, state, word),
            Orders::Packed(orders) => scorer.look(simd, orders, state, word),
        }
    }
}

/// See `Scorer::score_text`.
struct ScoreText<'a, 'm, E> {
    scorer: &'a Scorer<'m>,
    begin: State,
    text: &'a [u32],
    each: E,
}

impl<E: FnMut(usize, Score)> Task for ScoreText<'_, '_, E> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { scorer, begin, text, mut each } = self;
        let mut state = begin;
        let Orders::Hashed(views) = &scorer.orders else {
            for (place, &word) in text.iter().enumerate() {
                each(place, scorer.step(&mut state, word));
                if word == END {
                    state = begin;
                }
            }
            return;
        };
        let mut next = 0;
        let mut lanes = [Lane { state: begin, place: 0, end: 0 }; LANES];
        let mut busy = true;
        while busy {
            busy = false;
            for lane in &mut lanes {
                if lane.place < lane.end {
                    each(lane.place, scorer.look(simd, views, &mut lane.state, text[lane.place]));
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
                    scorer.ask(views, &mut lane.state, text[lane.place]);
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
