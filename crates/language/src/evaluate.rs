//! How well a model foretells a text.

use inlay_base::{Error, Result, Run, Workers, gather};
use inlay_corpus::{Corpus, SENTENCE_END};

use crate::model::Model;
use crate::query::Scorer;
use crate::text::{END, UNKNOWN};

/// Words of a part that one thread scores at a time.
const PART: usize = 1 << 15;

/// What was found of a text; ends of sentences count as words.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Evaluation {
    /// Words and ends of sentences.
    pub words: u64,
    /// Sentences.
    pub sentences: u64,
    /// Words that are not in the vocabulary.
    pub unknown: u64,
    /// log10 of the probability of all.
    pub probability: f64,
    /// log10 of the probability of those that are in the vocabulary.
    pub probability_of_known: f64,
}

impl Evaluation {
    fn add(&mut self, other: &Self) {
        self.words += other.words;
        self.sentences += other.sentences;
        self.unknown += other.unknown;
        self.probability += other.probability;
        self.probability_of_known += other.probability_of_known;
    }
}

impl Model {
    /// Scores every word of a corpus, which must have all its words: phase "score" in words. The result
    /// is the same for any number of threads.
    ///
    /// # Errors
    /// `InvalidInput`: an id that no word has; `Aborted`.
    pub fn evaluate(&self, corpus: &Corpus, run: &Run) -> Result<Evaluation> {
        let numbers: Vec<u32> = corpus.names().iter().map(|word| self.number(word)).collect();
        let ids = corpus.ids();
        run.phase("index", "n-grams", 0, Some(self.ngrams()[1..].iter().sum()));
        self.prepare(ids.len() as u64, run, &|ngrams| {
            run.check()?;
            run.advance(ngrams as u64);
            Ok(())
        })?;
        run.phase("score", "words", 0, Some(ids.len() as u64));
        let parts = ids.len().div_ceil(PART);
        // A sentence belongs to the part that it begins in.
        let cut = |place: usize| match place {
            0 => 0,
            place if place >= ids.len() => ids.len(),
            place => {
                let rest = &ids[place - 1..];
                let end = rest.iter().position(|&id| id == SENTENCE_END);
                place + end.unwrap_or(rest.len() - 1)
            }
        };
        let scorer = Scorer::new(self);
        let found = gather(run, parts, |part| {
            let range = cut(part * PART)..cut((part + 1) * PART);
            let numbered = ids[range.clone()].iter().map(|&id| match id {
                SENTENCE_END => Ok(END),
                id => numbers.get(id as usize).copied().ok_or_else(|| {
                    let problem = format!("word {id} of a vocabulary of {}", numbers.len());
                    Error::InvalidInput { source: "the text".into(), offset: None, problem }
                }),
            });
            let text = numbered.collect::<Result<Vec<u32>>>()?;
            corpus.release(range);
            let mut found = Evaluation::default();
            // In places of the text, so that sums do not depend on the order of the lanes.
            let mut scores = vec![0.0f32; text.len()];
            scorer.score_text(&text, |place, score| scores[place] = score.probability);
            for (&word, &score) in text.iter().zip(&scores) {
                let score = f64::from(score);
                found.probability += score;
                match word {
                    UNKNOWN => found.unknown += 1,
                    _ => found.probability_of_known += score,
                }
                found.sentences += u64::from(word == END);
            }
            found.words = text.len() as u64;
            run.advance(text.len() as u64);
            Ok(found)
        })?;
        let mut all = Evaluation::default();
        found.iter().for_each(|part| all.add(part));
        Ok(all)
    }

    /// Scores texts on the given threads, each as one sentence of words by number with its end, and
    /// returns what was found of each.
    pub fn evaluate_sentences(
        &self,
        sentences: &[Vec<u32>],
        workers: &dyn Workers,
    ) -> Result<Vec<Evaluation>> {
        const TOGETHER: usize = 256;
        let words = sentences.iter().map(|words| words.len() as u64).sum();
        self.prepare(words, workers, &|_| Ok(()))?;
        let parts: Vec<&[Vec<u32>]> = sentences.chunks(TOGETHER).collect();
        let scorer = Scorer::new(self);
        let found = gather(workers, parts.len(), |part| {
            let text: Vec<u32> = parts[part].iter().flatten().copied().collect();
            let mut scores = vec![0.0f32; text.len()];
            scorer.score_text(&text, |place, score| scores[place] = score.probability);
            let mut scores = scores.into_iter();
            let mut found = Vec::with_capacity(parts[part].len());
            for sentence in parts[part] {
                let mut one = Evaluation { sentences: 1, ..Evaluation::default() };
                for (&word, score) in sentence.iter().zip(scores.by_ref()) {
                    one.words += 1;
                    one.probability += f64::from(score);
                    match word {
                        UNKNOWN => one.unknown += 1,
                        _ => one.probability_of_known += f64::from(score),
                    }
                }
                found.push(one);
            }
            Ok(found)
        })?;
        Ok(found.into_iter().flatten().collect())
    }
}
