//! Finds phrases: counts words and pairs of neighbours, scores the pairs, and does it again on the
//! text in which they are joined. What is counted are sequences of atoms: see `tokens`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use inlay_base::{Result, Run, Workers, lock};

use super::counter::{Chunk, Counter, PARTS, numbers, sum};
use super::joiner::{Joiner, Parts, Span, Walk};
use super::tokens::Tokens;
use super::{Options, Phrase, Phrases};
use crate::positioned::Spool;
use crate::sorting::sorted;
use crate::table::Seed;
use crate::{Corpus, SENTENCE_END};

/// Ids that a thread takes at a time.
const SHARD: usize = 1 << 16;

/// Words or pairs between two questions whether the run goes on.
const STEP: usize = 1 << 12;

/// Finds the phrases of a corpus, which must have all words of its text (`min_count` 1): phases
/// "count", in words, and "score" for each pass. The result is the same for any number of threads.
/// Memory: 40 MB a thread, a 256th of all different pairs, and those that occur `min_count` times.
/// The rest lies in temporary files: at most 28 bytes a word.
pub fn train(corpus: &Corpus, options: &Options, run: &Run) -> Result<Phrases> {
    let mut tokens = Tokens::new(corpus, options, run)?;
    let mut passes: Vec<Vec<Parts>> = Vec::new();
    let mut found = Vec::new();
    for _ in 0..options.passes {
        let joiner = Joiner::new(tokens.count(), &tokens.connectors, &passes);
        let (counted, words) = Counted::count(corpus, &tokens, &joiner, options, run)?;
        let phrases = counted.score(&mut tokens, words, options, run)?;
        let parts = |phrase: &Phrase| phrase.parts.clone();
        passes.push(phrases.iter().map(parts).collect());
        let none = phrases.is_empty();
        found.push(phrases);
        if none {
            break; // nor would the next pass find any
        }
    }
    Phrases::of_training(&tokens, found, options)
}

/// The counts of one pass.
struct Counted {
    spool: Spool,
    seed: Seed,
    /// Of sequences of atoms.
    texts: Vec<Chunk>,
    /// Of sequences of tokens, where one of them holds the delimiter: which they are, atoms do not say.
    pairs: Vec<Chunk>,
    /// By token: as a word of this pass.
    counts: Vec<u64>,
}

/// One thread's part of them.
struct Worker<'a> {
    tokens: &'a Tokens<'a>,
    texts: Counter<'a>,
    pairs: Counter<'a>,
    /// What joining changes of the counts.
    changes: HashMap<u32, i64>,
    words: u64,
    /// The word before and the connector words behind it: none before the first word of a sentence.
    parts: Vec<u32>,
}

impl Counted {
    /// Counts pairs; the second result is the number of words, joined ones being one.
    fn count(
        corpus: &Corpus,
        tokens: &Tokens<'_>,
        joiner: &Joiner,
        options: &Options,
        run: &Run,
    ) -> Result<(Self, u64)> {
        run.phase("count", "words", 0, Some(corpus.tokens()));
        let spool = Spool::create(options.spool_directory.as_deref())?;
        let seed = Seed::random();
        let walk = Walk { ids: corpus.ids(), tokens: None, joiner };
        let next = AtomicUsize::new(0);
        let workers = run.workers(|_| {
            let mut counting = Worker {
                tokens,
                texts: Counter::new(seed, &spool, run),
                pairs: Counter::new(seed, &spool, run),
                changes: HashMap::new(),
                words: 0,
                parts: Vec::new(),
            };
            loop {
                let start = next.fetch_add(1, Relaxed).saturating_mul(SHARD);
                if start >= walk.ids.len() {
                    break;
                }
                counting.shard(&walk, start, run)?;
                corpus.release(start..start + SHARD);
            }
            let Worker { texts, pairs, changes, words, .. } = counting;
            Ok((texts.finish()?, pairs.finish()?, changes, words))
        })?;
        let mut counts = corpus.counts().to_vec();
        counts.resize(tokens.count() as usize, 0);
        let (mut texts, mut pairs, mut words) = (Vec::new(), Vec::new(), 0);
        for (more_texts, more_pairs, changes, more_words) in workers {
            texts.extend(more_texts);
            pairs.extend(more_pairs);
            words += more_words;
            for (token, change) in changes {
                let count = &mut counts[token as usize];
                *count = count.saturating_add_signed(change);
            }
        }
        for &connector in &tokens.connectors {
            counts[connector as usize] = 0; // they are counted in pairs only
        }
        // Words that hold the delimiter are texts like those of pairs.
        let mut counter = Counter::new(seed, &spool, run);
        for (&token, atoms) in &tokens.atoms {
            let count = counts[token as usize];
            if count > 0 {
                counter.add_times(atoms, count)?;
            }
        }
        texts.extend(counter.finish()?);
        Ok((Self { spool, seed, texts, pairs, counts }, words))
    }

    /// The phrases, best first. New ones get their numbers.
    fn score(
        mut self,
        tokens: &mut Tokens<'_>,
        words: u64,
        options: &Options,
        run: &Run,
    ) -> Result<Vec<Phrase>> {
        run.phase("score", "parts", 0, Some(2 * PARTS as u64));
        let mut texts = self.sum_texts(tokens, options, run)?;
        // Words without a delimiter, and every other text that was counted.
        let plain = (0..)
            .zip(&self.counts)
            .filter(|(token, count)| **count > 0 && !tokens.atoms.contains_key(token));
        texts.different += plain.count() as u64;
        for (&token, &count) in &texts.of_tokens {
            if self.counts[token as usize] > 0 {
                self.counts[token as usize] = count;
            }
        }
        let mut candidates = Vec::new();
        for (at, (atoms, &count)) in texts.frequent.iter().enumerate() {
            if at.is_multiple_of(STEP) {
                run.check()?;
            }
            if is_pair(atoms, tokens, &self.counts) && !texts.is_joined(tokens, atoms) {
                candidates.push((atoms.clone(), count));
            }
        }
        candidates.extend(self.frequent_pairs(tokens, &texts.frequent, run)?);
        let mut phrases = Vec::new();
        for (at, (parts, count)) in candidates.into_iter().enumerate() {
            if at.is_multiple_of(STEP) {
                run.check()?;
            }
            let of = |part: Option<&u32>| self.counts[*part.expect("a pair has two ends") as usize];
            let (a, b) = (of(parts.first()), of(parts.last()));
            if let Some(score) = options.score((a, b, count), texts.different, words) {
                phrases.push((tokens.join(&parts), parts, score, count));
            }
        }
        let texts_of =
            |parts: &[u32]| -> Vec<_> { parts.iter().map(|&p| tokens.text(p)).collect() };
        let compare = |&a: &u32, &b: &u32| {
            let (text, parts, score, _) = &phrases[a as usize];
            let (other, others, other_score, _) = &phrases[b as usize];
            (other_score.total_cmp(score))
                .then_with(|| text.cmp(other))
                .then_with(|| texts_of(parts).cmp(&texts_of(others)))
        };
        let order = sorted((0..phrases.len() as u32).collect(), compare, run)?;
        let mut numbered = Vec::with_capacity(phrases.len());
        for at in order {
            let (text, parts, score, count) = std::mem::take(&mut phrases[at as usize]);
            let joined = tokens.number(text);
            numbered.push(Phrase { parts: Parts { parts, joined }, score, count });
        }
        Ok(numbered)
    }

    /// Adds up the texts.
    fn sum_texts(&self, tokens: &Tokens<'_>, options: &Options, run: &Run) -> Result<Texts> {
        let by_atoms: HashMap<&[u8], u32> = tokens
            .atoms
            .iter()
            .map(|(&token, atoms)| (bytemuck::cast_slice(&atoms[..]), token))
            .collect();
        let all = Mutex::new(Texts::default());
        run.each(PARTS, &|part| {
            let summed = sum(&self.texts, part, (self.seed, &self.spool), run)?;
            let mut here = Texts::default();
            for (at, (atoms, count)) in summed.iter().enumerate() {
                if at.is_multiple_of(STEP) {
                    run.check()?;
                }
                here.different += 1;
                if !by_atoms.is_empty()
                    && let Some(&token) = by_atoms.get(atoms)
                {
                    here.of_tokens.insert(token, count);
                }
                if count >= options.min_count {
                    here.frequent.insert(numbers(atoms), count);
                }
            }
            let mut all = lock(&all);
            all.different += here.different;
            all.of_tokens.extend(here.of_tokens);
            all.frequent.extend(here.frequent);
            run.advance(1);
            Ok(())
        })?;
        Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Pairs that atoms cannot tell, whose text is frequent.
    fn frequent_pairs(
        &self,
        tokens: &Tokens<'_>,
        frequent: &HashMap<Vec<u32>, u64>,
        run: &Run,
    ) -> Result<Vec<(Vec<u32>, u64)>> {
        let all = Mutex::new(Vec::new());
        run.each(PARTS, &|part| {
            let summed = sum(&self.pairs, part, (self.seed, &self.spool), run)?;
            let mut here = Vec::with_capacity(summed.len() as usize / 16);
            for (at, (pair, _)) in summed.iter().enumerate() {
                if at.is_multiple_of(STEP) {
                    run.check()?;
                }
                let pair = numbers(pair);
                let atoms = tokens.atoms_of(pair.iter().copied());
                if let Some(&count) = atoms.and_then(|atoms| frequent.get(&atoms)) {
                    here.push((pair, count));
                }
            }
            lock(&all).extend(here);
            run.advance(1);
            Ok(())
        })?;
        Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Texts of one pass.
#[derive(Default)]
struct Texts {
    /// How many different ones.
    different: u64,
    /// How often those occur that are tokens as well.
    of_tokens: HashMap<u32, u64>,
    /// Those that occur `min_count` times.
    frequent: HashMap<Vec<u32>, u64>,
}

impl Texts {
    /// Whether a text is a phrase of an earlier pass.
    fn is_joined(&self, tokens: &Tokens<'_>, atoms: &[u32]) -> bool {
        !tokens.joined.is_empty() && tokens.by_text.contains_key(&tokens.join(atoms))
    }
}

/// Whether atoms are a word, connector words, and a word, that occur as such.
fn is_pair(atoms: &[u32], tokens: &Tokens<'_>, counts: &[u64]) -> bool {
    let [first, between @ .., last] = atoms else { return false };
    let is_word = |atom: &u32| counts.get(*atom as usize).is_some_and(|&count| count > 0);
    is_word(first) && is_word(last) && between.iter().all(|atom| tokens.connectors.contains(atom))
}

impl Worker<'_> {
    /// Counts the pairs whose first word begins in a shard.
    fn shard(&mut self, walk: &Walk<'_>, start: usize, run: &Run) -> Result<()> {
        let (mut at, end) = (walk.cut(start), walk.cut((start + SHARD).min(walk.ids.len())));
        let (mut spans, mut spare) = (Vec::new(), Vec::new());
        self.parts.clear();
        while at < end {
            run.check()?;
            let segment = walk.segment(at, end);
            at = segment.end;
            run.advance(segment.len() as u64);
            walk.join(segment.clone(), &mut spans, &mut spare);
            self.words += spans.len() as u64;
            for span in &spans {
                self.note(span, &walk.ids[segment.clone()]);
                self.token(span.token, walk.joiner)?;
            }
            if walk.ids.get(at) == Some(&SENTENCE_END) {
                at += 1;
                self.parts.clear();
            }
        }
        if !self.parts.is_empty() && end < walk.ids.len() {
            // The sentence goes on: its next word ends the last pair of this shard.
            walk.join(walk.segment(end, walk.ids.len()), &mut spans, &mut spare);
            if let Some(span) = spans.first() {
                self.token(span.token, walk.joiner)?;
            }
        }
        Ok(())
    }

    /// Joined words are one token instead of several.
    fn note(&mut self, span: &Span, words: &[u32]) {
        if span.end - span.first > 1 {
            *self.changes.entry(span.token).or_default() += 1;
            for &word in &words[span.first as usize..span.end as usize] {
                *self.changes.entry(word).or_default() -= 1;
            }
        }
    }

    fn token(&mut self, token: u32, joiner: &Joiner) -> Result<()> {
        if joiner.is_connector(token) {
            if !self.parts.is_empty() {
                self.parts.push(token);
            }
            return Ok(());
        }
        if !self.parts.is_empty() {
            let pair = self.parts.iter().copied().chain([token]);
            match self.tokens.atoms_of(pair.clone()) {
                None => self.texts.add(pair)?,
                Some(atoms) => {
                    self.texts.add(atoms.into_iter())?;
                    self.pairs.add(pair)?;
                }
            }
        }
        self.parts.clear();
        self.parts.push(token);
        Ok(())
    }
}
