//! A text that was numbered, with all its words, as a source again: its sentences with phrases joined.
//! A phrase may lie across the cuts of the first reading, so nobody could have joined it there.

use inlay_base::{Result, Run};

use crate::phrases::Phrases;
use crate::phrases::joiner::{UNKNOWN, Walk};
use crate::{Corpus, SENTENCE_END};

/// Words of a shard: what a thread works on at a time.
const SHARD: usize = 1 << 16;

/// See the module.
pub(crate) struct Joined {
    corpus: Corpus,
    phrases: Phrases,
    /// For each word of the corpus, which word of the phrases it is.
    tokens: Vec<u32>,
}

/// Sentences of words; the first may have begun before, and the last may go on.
#[derive(Debug, Default)]
pub(crate) struct Sentences {
    /// All words, end to end.
    pub bytes: Vec<u8>,
    pub word_ends: Vec<usize>,
    /// In words.
    pub sentence_ends: Vec<usize>,
}

impl Joined {
    pub fn new(corpus: Corpus, phrases: Phrases) -> Self {
        let mut tokens = vec![UNKNOWN; corpus.names().len()];
        for (token, name) in (0..).zip(phrases.names().iter()) {
            if let Some(word) = corpus.names().find(name) {
                tokens[word as usize] = token;
            }
        }
        Self { corpus, phrases, tokens }
    }

    /// Words before they are joined.
    pub fn words(&self) -> u64 {
        self.corpus.tokens()
    }

    pub fn shards(&self) -> usize {
        self.corpus.ids().len().div_ceil(SHARD)
    }

    /// The words of a shard, joined.
    pub fn read(&self, shard: usize, run: &Run) -> Result<Sentences> {
        let ids = self.corpus.ids();
        let walk = Walk { ids, tokens: Some(&self.tokens), joiner: self.phrases.joiner() };
        let start = shard * SHARD;
        let (mut at, end) = (walk.cut(start), walk.cut((start + SHARD).min(ids.len())));
        let mut sentences = Sentences::default();
        let (mut spans, mut spare) = (Vec::new(), Vec::new());
        while at < end {
            run.check()?;
            let segment = walk.segment(at, end);
            at = segment.end;
            run.advance(segment.len() as u64);
            walk.join(segment.clone(), &mut spans, &mut spare);
            for span in &spans {
                let text = match span.end - span.first {
                    1 => self.corpus.names().get(ids[segment.start + span.first as usize]),
                    _ => self.phrases.names().get(span.token),
                };
                sentences.bytes.extend_from_slice(text);
                sentences.word_ends.push(sentences.bytes.len());
            }
            if ids.get(at) == Some(&SENTENCE_END) {
                at += 1;
                sentences.sentence_ends.push(sentences.word_ends.len());
            }
        }
        self.corpus.release(start..end);
        Ok(sentences)
    }
}
