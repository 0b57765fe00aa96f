//! Joins the words of a text that make phrases: left to right, each word in one phrase at most, as
//! gensim's `analyze_sentence` does. Several passes join what the passes before have joined.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;

use crate::SENTENCE_END;

/// A word that is in no phrase: nothing leads away from it.
pub const UNKNOWN: u32 = u32::MAX;

/// Words that are joined together, if no place to cut comes before.
const SEGMENT: usize = 1 << 12;

/// A phrase by the numbers of its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// A word, connector words, a word. What an earlier pass has joined is a word here.
    pub parts: Vec<u32>,
    /// The token that they become.
    pub joined: u32,
}

/// A word, or words that were joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub token: u32,
    /// Its words in the segment.
    pub first: u32,
    pub end: u32,
}

/// Words by number: whether they are something.
#[derive(Debug, Default)]
struct Marks(Vec<bool>);

impl Marks {
    fn set(&mut self, token: u32) {
        let at = token as usize;
        if self.0.len() <= at {
            self.0.resize(at + 1, false);
        }
        self.0[at] = true;
    }

    #[inline]
    fn has(&self, token: u32) -> bool {
        self.0.get(token as usize).is_some_and(|&mark| mark)
    }
}

/// One pass: where a word leads from a place. A token is the place behind itself; connector words
/// lead to places without a token; the last word leads to the token of the phrase.
#[derive(Debug, Default)]
struct Edges {
    /// By the place, and the word in the lower half.
    to: HashMap<u64, u32, Seeded>,
    /// Tokens from which an edge leads: most words of a text are no beginning.
    starts: Marks,
}

/// Hashes one number by one product with numbers that nobody can foresee: every word of a text asks.
#[derive(Debug, Clone)]
struct Seeded(u64, u64);

impl Default for Seeded {
    fn default() -> Self {
        let random = || RandomState::new().hash_one(0u64);
        Self(random(), random() | 1)
    }
}

impl BuildHasher for Seeded {
    type Hasher = Product;

    fn build_hasher(&self) -> Product {
        Product { seed: self.clone(), hash: 0 }
    }
}

struct Product {
    seed: Seeded,
    hash: u64,
}

impl Hasher for Product {
    fn write_u64(&mut self, number: u64) {
        let product = u128::from(number ^ self.seed.0) * u128::from(self.seed.1);
        self.hash ^= product as u64 ^ (product >> 64) as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

impl Edges {
    fn next(&self, place: u32, token: u32) -> u32 {
        self.to.get(&edge(place, token)).copied().unwrap_or(UNKNOWN)
    }
}

fn edge(place: u32, token: u32) -> u64 {
    u64::from(place) << 32 | u64::from(token)
}

/// See the module.
#[derive(Debug, Default)]
pub struct Joiner {
    passes: Vec<Edges>,
    connectors: Marks,
    /// Words that a phrase has behind its first one: anywhere else a text may be cut.
    inner: Marks,
}

impl Joiner {
    /// `tokens` is more than any number of a token.
    pub fn new(tokens: u32, connectors: &[u32], passes: &[Vec<Parts>]) -> Self {
        let mut joiner = Self::default();
        for &connector in connectors {
            joiner.connectors.set(connector);
            joiner.inner.set(connector);
        }
        let mut made: HashMap<u32, Vec<&Parts>> = HashMap::new();
        for pass in passes {
            joiner.passes.push(edges(tokens, pass));
            pass.iter().for_each(|phrase| made.entry(phrase.joined).or_default().push(phrase));
        }
        for phrase in passes.iter().flatten() {
            phrase.parts[1..].iter().for_each(|&part| joiner.mark_inner(part, &made));
        }
        joiner
    }

    fn mark_inner(&mut self, token: u32, made: &HashMap<u32, Vec<&Parts>>) {
        self.inner.set(token);
        for phrase in made.get(&token).into_iter().flatten() {
            // The others are inner words of that phrase already.
            self.mark_inner(phrase.parts[0], made);
        }
    }

    /// Whether a word may stand between the first and the last of a phrase.
    #[inline]
    pub fn is_connector(&self, token: u32) -> bool {
        self.connectors.has(token)
    }

    /// Joins tokens, which are each a word; `spare` is room for every second pass.
    pub fn join(
        &self,
        tokens: impl Iterator<Item = u32>,
        spans: &mut Vec<Span>,
        spare: &mut Vec<Span>,
    ) {
        spans.clear();
        spans.extend(tokens.zip(0..).map(|(token, first)| Span { token, first, end: first + 1 }));
        for edges in &self.passes {
            self.pass(edges, spans, spare);
            std::mem::swap(spans, spare);
        }
    }

    fn pass(&self, edges: &Edges, from: &[Span], to: &mut Vec<Span>) {
        to.clear();
        let (mut start, mut place) = (None, UNKNOWN);
        for (at, span) in from.iter().enumerate() {
            let next = || match place {
                UNKNOWN => UNKNOWN,
                place => edges.next(place, span.token),
            };
            let begin = |at| {
                let is_start = edges.starts.has(span.token);
                (Some(at), if is_start { span.token } else { UNKNOWN })
            };
            match start {
                None if self.is_connector(span.token) => to.push(*span),
                None => (start, place) = begin(at),
                Some(_) if self.is_connector(span.token) => place = next(),
                Some(first) => match next() {
                    UNKNOWN => {
                        to.extend_from_slice(&from[first..at]);
                        (start, place) = begin(at);
                    }
                    token => {
                        to.push(Span { token, first: from[first].first, end: span.end });
                        start = None;
                    }
                },
            }
        }
        to.extend_from_slice(&from[start.unwrap_or(from.len())..]);
    }
}

fn edges(tokens: u32, phrases: &[Parts]) -> Edges {
    let (mut edges, mut places) = (Edges::default(), tokens);
    for Parts { parts, joined } in phrases {
        let (last, before) = parts.split_last().expect("a phrase has two words");
        let mut place = before[0];
        edges.starts.set(place);
        for &connector in &before[1..] {
            place = *edges.to.entry(edge(place, connector)).or_insert_with(|| {
                places += 1;
                places - 1
            });
        }
        edges.to.insert(edge(place, *last), *joined);
    }
    edges
}

/// A text of ids, to be joined piece by piece.
#[derive(Clone, Copy)]
pub struct Walk<'a> {
    pub ids: &'a [u32],
    /// The joiner's number of each id, if these are not the same.
    pub tokens: Option<&'a [u32]>,
    pub joiner: &'a Joiner,
}

impl Walk<'_> {
    fn token(&self, id: u32) -> u32 {
        match self.tokens {
            Some(tokens) => tokens.get(id as usize).copied().unwrap_or(UNKNOWN),
            None => id,
        }
    }

    /// The first place from `at` on where the text may be cut: no phrase is on both sides of it.
    pub fn cut(&self, at: usize) -> usize {
        let may = |&at: &usize| {
            at == 0
                || self.ids[at - 1] == SENTENCE_END
                || (self.ids[at] != SENTENCE_END
                    && !self.joiner.inner.has(self.token(self.ids[at])))
        };
        (at..self.ids.len()).find(may).unwrap_or(self.ids.len())
    }

    /// The words from `start` on, to the end of their sentence, or to a place to cut if that is far.
    pub fn segment(&self, start: usize, end: usize) -> Range<usize> {
        let near = (start + SEGMENT).min(end);
        let is_end = |&id: &u32| id == SENTENCE_END;
        if let Some(length) = self.ids[start..near].iter().position(is_end) {
            return start..start + length;
        }
        let far = if near == end { end } else { self.cut(near).min(end) };
        let length = self.ids[near..far].iter().position(is_end);
        start..length.map_or(far, |length| near + length)
    }

    /// Joins the words of a segment.
    pub fn join(&self, segment: Range<usize>, spans: &mut Vec<Span>, spare: &mut Vec<Span>) {
        let tokens = self.ids[segment].iter().map(|&id| self.token(id));
        self.joiner.join(tokens, spans, spare);
    }
}
