use inlay_base::{Error, Result, Run};
use inlay_corpus::{Corpus, SENTENCE_END};
use inlay_formats::Names;

use crate::room::{Numbers, Room};
use crate::table::WORDS;

/// The number of `<unk>`, whatever is not in the vocabulary.
pub const UNKNOWN: u32 = 0;
/// The number of `<s>`, which stands before every sentence.
pub const BEGIN: u32 = 1;
/// The number of `</s>`, which ends every sentence.
pub const END: u32 = 2;
/// The names of the three.
pub const SPECIAL: [&str; 3] = ["<unk>", "<s>", "</s>"];

/// Words between two questions whether the run goes on.
const STEP: usize = 1 << 15;
/// Places that can be numbered, counts that leave a bit for a mark.
const MOST: usize = (1 << 31) - 1;
const UNSEEN: u32 = u32::MAX;

/// A corpus in the numbers of its model: words are numbered as they first occur, after the three
/// special ones, as KenLM numbers them. Files in the order of these numbers are KenLM's line by line.
pub struct Text {
    /// An end, then every sentence with its end.
    pub words: Numbers,
    pub names: Names,
    /// For each word and one more, where its places begin when all but the first are sorted by word.
    pub starts: Vec<u32>,
}

/// Which words of a corpus have numbers of their own; the others are `<unk>`.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary {
    /// Those that occur so often.
    pub min_count: u64,
    /// So many at most, the most frequent ones.
    pub most: Option<usize>,
}

impl Text {
    /// Phase "number" in words.
    ///
    /// # Errors
    /// - `InvalidInput`: `<s>` or `</s>` as a word of the text; an id that no word has; no sentence.
    /// - `Unsupported`: more than 2^31 words and sentences.
    /// - `OutOfMemory`, `DiskFull`, `Aborted`.
    pub fn read(corpus: &Corpus, kept: Vocabulary, room: &Room, run: &Run) -> Result<Self> {
        let (ids, names) = (corpus.ids(), corpus.names());
        if ids.len() >= MOST {
            let what = format!("{} words and ends of sentences are more than 2^31", ids.len());
            return Err(Error::Unsupported { what });
        }
        for special in &SPECIAL[1..] {
            if names.find(special.as_bytes()).is_some() {
                return Err(invalid(format!("has the word `{special}`, which marks sentences")));
            }
        }
        if ids.is_empty() {
            return Err(invalid("has no sentence".into()));
        }
        run.phase("number", "words", 0, Some(ids.len() as u64));
        let mut numbers = vec![UNSEEN; names.len()];
        if let Some(unknown) = names.find(SPECIAL[0].as_bytes()) {
            numbers[unknown as usize] = UNKNOWN;
        }
        let is_kept = |id: usize| {
            let often = corpus.counts().get(id).is_some_and(|&count| count >= kept.min_count);
            often && kept.most.is_none_or(|most| id < most)
        };
        let mut order: Vec<u32> = Vec::new();
        let mut starts = vec![0u32; SPECIAL.len() + 1];
        let mut words = room.numbers(ids.len() + 1)?;
        words[0] = END;
        for (from, (ids, into)) in
            (0..).step_by(STEP).zip(ids.chunks(STEP).zip(words[1..].chunks_mut(STEP)))
        {
            run.check()?;
            for (&id, into) in ids.iter().zip(into) {
                let number = match numbers.get_mut(id as usize) {
                    _ if id == SENTENCE_END => END,
                    None => {
                        let problem = format!("word {id} of a vocabulary of {}", names.len());
                        return Err(invalid(problem));
                    }
                    Some(number) => {
                        if *number == UNSEEN && is_kept(id as usize) {
                            *number = (SPECIAL.len() + order.len()) as u32;
                            order.push(id);
                            starts.push(0);
                        } else if *number == UNSEEN {
                            *number = UNKNOWN;
                        }
                        *number
                    }
                };
                *into = number;
                starts[number as usize + 1] += 1;
            }
            corpus.release(from..from + ids.len());
            run.advance(ids.len() as u64);
        }
        if words.last() != Some(&END) {
            return Err(invalid("ends within a sentence".into()));
        }
        for word in 1..starts.len() {
            starts[word] += starts[word - 1];
        }
        if starts.len() > WORDS {
            let what = format!("{} different words are more than 2^30", order.len());
            return Err(Error::Unsupported { what });
        }
        let special = SPECIAL.iter().map(|name| name.as_bytes());
        let names = special.chain(order.iter().map(|&id| names.get(id)));
        let names = Names::checked(names, &|| run.check())?;
        Ok(Self { words, names, starts })
    }

    /// Words and ends of sentences.
    pub fn len(&self) -> usize {
        self.words.len() - 1
    }
}

fn invalid(problem: String) -> Error {
    Error::InvalidInput { source: "the text".into(), offset: None, problem }
}
