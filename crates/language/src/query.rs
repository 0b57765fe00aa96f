//! Scores words by the words before them.

use inlay_kernels::fetch;

use crate::model::{Model, Searched};
use crate::packed::Packed;
use crate::sorted::Sorted;
use crate::table::{Found, NO_CELL, Table, View, extend};
use crate::text::{BEGIN, END};

/// The longest context of all orders.
pub const CONTEXT: usize = inlay_formats::arpa::HIGHEST - 1;
/// Words that the memory is asked for ahead; a power of two.
const AHEAD: usize = 8;

/// What the words before matter to the next one, to the scorer that they went to: the n-grams that end with the last of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// How many there are; the n-gram of one word comes first.
    length: usize,
    /// Where each lies among those of its order; `NO_CELL` beyond `length`.
    entries: [u32; CONTEXT],
    /// 0 beyond `length`.
    backoffs: [f32; CONTEXT],
    /// Of the last word, of the last two, and so on, whether there is such an n-gram or not.
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
}

/// The n-grams from order 2 on.
enum Orders<'a> {
    Hashed(Vec<View<'a>>),
    Sorted(&'a [Sorted]),
    Packed(&'a [Packed]),
}

/// The n-grams of one order.
trait Search {
    /// Whether it is cheaper to look for what cannot be there than to ask whether it can.
    const ALWAYS: bool = false;
    /// The n-gram of a context and a word; both it and its suffix may be `NO_CELL`.
    fn find(&self, hash: u64, context: u32, suffix: u32, word: u32) -> Found;
}

impl Search for View<'_> {
    const ALWAYS: bool = true;
    #[inline(always)]
    fn find(&self, hash: u64, context: u32, _: u32, word: u32) -> Found {
        View::find(self, hash, context, word)
    }
}

impl Search for Sorted {
    fn find(&self, _: u64, context: u32, suffix: u32, word: u32) -> Found {
        Sorted::find(self, context, suffix, word)
    }
}

impl Search for Packed {
    fn find(&self, _: u64, context: u32, _: u32, word: u32) -> Found {
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
        Self { unigrams: model.unigrams(), orders }
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
    #[inline(always)]
    pub fn step(&self, state: &mut State, word: u32) -> Score {
        match &self.orders {
            Orders::Sorted(orders) => self.look(orders, state, word, &[0; CONTEXT + 1]),
            Orders::Packed(orders) => self.look(orders, state, word, &[0; CONTEXT + 1]),
            Orders::Hashed(views) => {
                let mut hashes = state.hashes;
                self.ask(views, &mut hashes, word);
                state.hashes = hashes;
                self.look(views, state, word, &hashes)
            }
        }
    }

    /// Takes a word into the hashes, and asks the memory for all that it needs.
    #[inline(always)]
    fn ask(&self, views: &[View<'_>], hashes: &mut Hashes, word: u32) {
        let mut before = hashes[0];
        hashes[0] = extend(0, word);
        fetch(self.unigrams, word as usize);
        for (view, hash) in views.iter().zip(&mut hashes[1..]) {
            let longer = extend(before, word);
            before = std::mem::replace(hash, longer);
            view.fetch(longer);
        }
    }

    /// The word's n-grams of all orders, whose hashes are these.
    #[inline(always)]
    fn look<S: Search>(
        &self,
        orders: &[S],
        state: &mut State,
        word: u32,
        hashes: &Hashes,
    ) -> Score {
        let [probability, backoff] = self.unigrams[word as usize];
        let mut found = Found { slot: word, probability, backoff };
        let (mut score, mut order) = (probability, 1);
        let contexts = state.entries.iter_mut().zip(&mut state.backoffs);
        for ((search, &hash), (entry, backoff)) in orders.iter().zip(&hashes[1..]).zip(contexts) {
            let (context, back) = (*entry, *backoff);
            // Each n-gram makes room for the next one, which is of one word more.
            (*entry, *backoff) = (found.slot, found.backoff);
            let (suffix, is_asked) = (found.slot, context != NO_CELL);
            found = Found::NOTHING;
            if S::ALWAYS || is_asked {
                found = search.find(hash, context, suffix, word);
            }
            // Selected as integers: real numbers would be selected by a branch, which nobody foretells.
            let is_there = found.is_there();
            let select = |there: f32, other: f32| {
                f32::from_bits(if is_there { there.to_bits() } else { other.to_bits() })
            };
            score = select(found.probability, score + back);
            found.backoff = select(found.backoff, 0.0);
            order += u8::from(is_there);
        }
        state.length = usize::from(order).min(orders.len());
        Score { probability: score, order }
    }

    /// Scores the sentences of a text, each of which ends with `END`, by `each(place, score)`, in order.
    /// What comes after the last end is a sentence that goes on.
    ///
    /// # Panics
    /// If the vocabulary has no such word.
    pub fn score_text(&self, text: &[u32], mut each: impl FnMut(usize, Score)) {
        let begin = self.begin();
        let mut state = begin;
        let Orders::Hashed(views) = &self.orders else {
            for (place, &word) in text.iter().enumerate() {
                each(place, self.step(&mut state, word));
                if word == END {
                    state = begin;
                }
            }
            return;
        };
        let (mut hashes, mut asked) = (begin.hashes, [begin.hashes; AHEAD]);
        for place in 0..text.len() + AHEAD {
            if let Some(&word) = place.checked_sub(AHEAD).and_then(|place| text.get(place)) {
                each(place - AHEAD, self.look(views, &mut state, word, &asked[place % AHEAD]));
                if word == END {
                    state = begin;
                }
            }
            if let Some(&word) = text.get(place) {
                self.ask(views, &mut hashes, word);
                asked[place % AHEAD] = hashes;
                if word == END {
                    hashes = begin.hashes;
                }
            }
        }
    }
}
