//! Texts as numbers of the words of a vocabulary, each text by itself: what networks read.

use inlay_base::{Error, Random, Result, Run};
use inlay_formats::Names;

use crate::SENTENCE_END;
use crate::corpus::Corpus;
use crate::options::Sentences;
use crate::source::Source;
use crate::splitter::Splitter;
use crate::texts::{Part, Reading, Words, each_part};

/// Words between two questions whether the run goes on.
const STEP: usize = 1 << 16;

/// Texts as numbers of words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Numbered {
    /// Of all texts, one after the other.
    pub ids: Vec<u32>,
    /// Where each text ends.
    pub ends: Vec<usize>,
}

impl Numbered {
    /// The sentences of a corpus; word i has the number `numbers[i]`.
    ///
    /// # Errors
    /// `InvalidInput` for an id that no word has; `Aborted`.
    pub fn of_corpus(corpus: &Corpus, numbers: &[u32], run: &Run) -> Result<Self> {
        let all = corpus.ids();
        let mut found =
            Self { ids: Vec::with_capacity(corpus.tokens() as usize), ends: Vec::new() };
        run.phase("number", "words", 0, Some(all.len() as u64));
        for (from, ids) in (0..).step_by(STEP).zip(all.chunks(STEP)) {
            run.check()?;
            for &id in ids {
                if id == SENTENCE_END {
                    found.ends.push(found.ids.len());
                    continue;
                }
                let number = numbers.get(id as usize).ok_or_else(|| {
                    let problem = format!("word {id} of a vocabulary of {}", numbers.len());
                    Error::InvalidInput { source: "the text".into(), offset: None, problem }
                })?;
                found.ids.push(*number);
            }
            corpus.release(from..from + ids.len());
            run.advance(ids.len() as u64);
        }
        Ok(found)
    }

    /// The texts of a source, each line of a file and each item of a stream; words that have no name have
    /// the number `unknown`. Nothing depends on the number of threads.
    ///
    /// # Errors
    /// As `each_part`.
    pub fn of_texts(
        source: Source,
        names: &Names,
        splitter: Splitter,
        unknown: u32,
        run: &Run,
    ) -> Result<Self> {
        run.phase("number", "texts", 0, None);
        let reading = Reading { texts: Sentences::Line, ..Reading::default() };
        let number = |words: &mut Words, part: &Part| {
            let mut found = Self::default();
            for text in part.texts.clone() {
                words.take(&part.batch, text);
                found.ids.extend(words.iter().map(|word| names.find(word).unwrap_or(unknown)));
                found.ends.push(found.ids.len());
            }
            run.advance(part.texts.len() as u64);
            Ok(found)
        };
        let (_, parts) = each_part(source, reading, run, || Words::new(splitter), number)?;
        let mut all = Self::default();
        for part in parts {
            let before = all.ids.len();
            all.ids.extend(part.ids);
            all.ends.extend(part.ends.into_iter().map(|end| before + end));
        }
        Ok(all)
    }

    /// Every word of every text and its end, with the `length` words before it: [words, length], and
    /// [words]. Before a text stands `begin`.
    ///
    /// # Errors
    /// `Aborted`.
    pub fn contexts(
        &self,
        length: usize,
        (begin, end): (u32, u32),
        run: &Run,
    ) -> Result<(Vec<u32>, Vec<u32>)> {
        let count = self.ids.len() + self.ends.len();
        let (mut contexts, mut next) =
            (Vec::with_capacity(count * length), Vec::with_capacity(count));
        let (mut start, mut window) = (0, vec![begin; length]);
        for &until in &self.ends {
            run.check()?;
            window.fill(begin);
            for &word in self.ids[start..until].iter().chain([&end]) {
                contexts.extend_from_slice(&window);
                next.push(word);
                window.rotate_left(1);
                if let Some(last) = window.last_mut() {
                    *last = word;
                }
            }
            start = until;
        }
        Ok((contexts, next))
    }
}

/// How words are hidden, to be guessed (Devlin et al. 2019, section 3.1).
#[derive(Debug, Clone, Copy)]
pub struct Masking {
    /// This share of words is to be guessed, one of a text at least.
    pub share: f32,
    /// What stands for most of them; others are another word, or as they were.
    pub mask: u32,
    /// Words have numbers from here
    pub first: u32,
    /// up to here.
    pub words: u32,
    /// Times that each text comes, with other words hidden.
    pub copies: usize,
    /// The most words of a text; further ones are left out.
    pub most: usize,
}

/// What is wanted where nothing is.
pub const NOTHING_WANTED: u32 = u32::MAX;

impl Numbered {
    /// Texts with hidden words, and what is wanted at each place: the hidden word, or nothing. Of those that are to be guessed
    /// eight of ten become `mask`, one any word, one stays. Texts without words are left out.
    ///
    /// # Errors
    /// `Aborted`.
    pub fn masked(&self, how: Masking, run: &Run) -> Result<(Self, Vec<u32>)> {
        let (mut hidden, mut wanted) = (Self::default(), Vec::new());
        let places = |text: usize| {
            let from = if text == 0 { 0 } else { self.ends[text - 1] };
            from..self.ends[text].min(from.saturating_add(how.most))
        };
        for copy in 0..how.copies {
            for text in (0..self.ends.len()).filter(|&text| !places(text).is_empty()) {
                run.check()?;
                let mut random = Random::new(run.seed(), (copy * self.ends.len() + text) as u64);
                let words = &self.ids[places(text)];
                let sure = random.below(words.len() as u32) as usize;
                for (place, &word) in words.iter().enumerate() {
                    if place != sure && random.unit() >= how.share {
                        hidden.ids.push(word);
                        wanted.push(NOTHING_WANTED);
                        continue;
                    }
                    wanted.push(word);
                    hidden.ids.push(match random.below(10) {
                        0 => word,
                        1 if how.words > how.first => {
                            how.first + random.below(how.words - how.first)
                        }
                        _ => how.mask,
                    });
                }
                hidden.ends.push(hidden.ids.len());
            }
        }
        Ok((hidden, wanted))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::options::{Normalization, Options};
    use crate::source::Batch;
    use crate::tokenizer::Tokenizer;

    fn stream(texts: &[&str]) -> Source {
        let (sender, receiver) = sync_channel(1);
        let ends = texts.iter().scan(0, |end, text| {
            *end += text.len();
            Some(*end)
        });
        let batch = Batch::Texts { bytes: texts.concat().into_bytes(), ends: ends.collect() };
        sender.send(batch).unwrap();
        Source::Stream(receiver)
    }

    #[test]
    fn texts_become_numbers_of_their_words() {
        let names = Names::new(["<unk>", "a", "b"]).unwrap();
        let splitter = Splitter::new(Tokenizer::Whitespace, true, Normalization::None);
        for threads in [1, 2] {
            let (run, texts) = (Run::quiet(threads, 1), ["A b", "", "c\na <unk>"]);
            let found = Numbered::of_texts(stream(&texts), &names, splitter, 0, &run).unwrap();
            assert_eq!(found, Numbered { ids: vec![1, 2, 0, 1, 0], ends: vec![2, 2, 5] });
        }
    }

    #[test]
    fn a_corpus_is_numbered_anew() {
        let run = Run::quiet(1, 1);
        let options = Options { min_count: 1, ..Options::default() };
        let corpus = Corpus::read(stream(&["b a b", "c"]), &options, &run).unwrap();
        let found = Numbered::of_corpus(&corpus, &[7, 5, 0], &run).unwrap();
        assert_eq!(found, Numbered { ids: vec![7, 5, 7, 0], ends: vec![3, 4] });
        let error = Numbered::of_corpus(&corpus, &[7, 5], &run).unwrap_err();
        assert!(matches!(error, Error::InvalidInput { .. }), "{error:?}");
    }

    #[test]
    fn words_are_hidden_and_wanted() {
        let texts = Numbered { ids: (2..1002).collect(), ends: vec![500, 500, 501, 1000] };
        let how = Masking { share: 0.15, mask: 1, first: 2, words: 1002, copies: 3, most: 500 };
        let (hidden, wanted) = texts.masked(how, &Run::quiet(1, 1)).unwrap();
        assert_eq!(hidden.ends.len(), 9);
        assert_eq!(hidden.ids.len(), 3000);
        let (mut guessed, mut masked) = (0, 0);
        for ((&hidden, &wanted), &word) in
            hidden.ids.iter().zip(&wanted).zip(texts.ids.iter().cycle())
        {
            if wanted == NOTHING_WANTED {
                assert_eq!(hidden, word);
            } else {
                assert_eq!(wanted, word);
                guessed += 1;
                masked += usize::from(hidden == 1);
            }
        }
        assert!((380..530).contains(&guessed), "{guessed}");
        assert!((guessed * 7 / 10..guessed * 9 / 10).contains(&masked), "{masked} of {guessed}");
        // A text of one word has it hidden, each time.
        assert_eq!(wanted.iter().filter(|&&wanted| wanted == 502).count(), 3);
        let (short, _) = texts.masked(Masking { most: 2, ..how }, &Run::quiet(1, 1)).unwrap();
        assert_eq!(short.ends, [2, 3, 5, 7, 8, 10, 12, 13, 15]);
    }

    #[test]
    fn contexts_begin_with_their_text() {
        let texts = Numbered { ids: vec![5, 6, 7], ends: vec![2, 2, 3] };
        let (contexts, next) = texts.contexts(2, (1, 2), &Run::quiet(1, 1)).unwrap();
        assert_eq!(next, [5, 6, 2, 2, 7, 2]);
        assert_eq!(contexts, [1, 1, 1, 5, 5, 6, 1, 1, 1, 1, 1, 7]);
    }
}
