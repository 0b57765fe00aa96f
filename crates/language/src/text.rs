use std::ops::Range;
use std::sync::Mutex;

use inlay_base::{Error, Result, Run, Workers, gather, lock};
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
    /// Parts of the text, in order: all but the first of its places.
    pub parts: Vec<Part>,
}

/// A part of a text.
pub struct Part {
    pub places: Range<usize>,
    /// By word, where the first of its places in this part comes when all are sorted by word.
    pub ends: Vec<u32>,
}

/// What a thread finds in a part of a corpus.
#[derive(Default)]
struct Found {
    /// How often each word occurs, by its id.
    counts: Vec<u32>,
    /// Which do, as they first occur.
    ids: Vec<u32>,
    sentences: u32,
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
        if ids.last() != Some(&SENTENCE_END) {
            return Err(invalid("ends within a sentence".into()));
        }
        run.phase("number", "words", 0, Some(ids.len() as u64));
        // What is counted by part takes no more memory than the text.
        let parts = run.threads().min(ids.len() / (names.len() + 1)).max(1);
        let size = ids.len().div_ceil(parts);
        let found = gather(run, parts, |part| {
            Found::read(
                &ids[ids.len().min(part * size)..ids.len().min((part + 1) * size)],
                names.len(),
                run,
            )
        })?;
        let mut numbers = vec![UNSEEN; names.len()];
        if let Some(unknown) = names.find(SPECIAL[0].as_bytes()) {
            numbers[unknown as usize] = UNKNOWN;
        }
        let is_kept = |id: u32| {
            let often =
                corpus.counts().get(id as usize).is_some_and(|&count| count >= kept.min_count);
            often && kept.most.is_none_or(|most| (id as usize) < most)
        };
        let mut order: Vec<u32> = Vec::new();
        for &id in found.iter().flat_map(|found| &found.ids) {
            let number = &mut numbers[id as usize];
            if *number == UNSEEN && is_kept(id) {
                *number = (SPECIAL.len() + order.len()) as u32;
                order.push(id);
            } else if *number == UNSEEN {
                *number = UNKNOWN;
            }
        }
        let all = SPECIAL.len() + order.len();
        if all > WORDS {
            let what = format!("{} different words are more than 2^30", order.len());
            return Err(Error::Unsupported { what });
        }
        let mut starts = vec![0u32; all + 1];
        let mut ends: Vec<_> = found.iter().map(|found| found.numbered(&numbers, all)).collect();
        drop(found);
        for counts in &ends {
            starts[1..].iter_mut().zip(counts).for_each(|(start, count)| *start += count);
        }
        for word in 1..=all {
            starts[word] += starts[word - 1];
        }
        begin(&starts, ends.iter_mut().map(|ends| &mut ends[..]));
        let mut words = room.unset(ids.len() + 1)?;
        words[0] = END;
        let blocks: Vec<_> = words[1..].chunks_mut(STEP).map(Mutex::new).collect();
        run.each(blocks.len(), &|block| {
            let from = block * STEP;
            let mut words = lock(&blocks[block]);
            for (word, &id) in words.iter_mut().zip(&ids[from..]) {
                *word = if id == SENTENCE_END { END } else { numbers[id as usize] };
            }
            corpus.release(from..from + words.len());
            run.advance(words.len() as u64);
            Ok(())
        })?;
        drop(blocks);
        let special = SPECIAL.iter().map(|name| name.as_bytes());
        let names = special.chain(order.iter().map(|&id| names.get(id)));
        let names = Names::checked(names, &|| run.check())?;
        let end = words.len();
        let places =
            (0..parts).map(|part| (1 + part * size).min(end)..(1 + (part + 1) * size).min(end));
        let parts = places.zip(ends).map(|(places, ends)| Part { places, ends }).collect();
        Ok(Self { words, names, starts, parts })
    }

    /// Words and ends of sentences.
    pub fn len(&self) -> usize {
        self.words.len() - 1
    }
}

impl Found {
    fn read(ids: &[u32], words: usize, run: &Run) -> Result<Self> {
        let mut found = Self { counts: vec![0; words], ..Self::default() };
        for ids in ids.chunks(STEP) {
            run.check()?;
            for &id in ids {
                match found.counts.get_mut(id as usize) {
                    Some(count) => {
                        if *count == 0 {
                            found.ids.push(id);
                        }
                        *count += 1;
                    }
                    None if id == SENTENCE_END => found.sentences += 1,
                    None => return Err(invalid(format!("word {id} of a vocabulary of {words}"))),
                }
            }
        }
        Ok(found)
    }

    /// How often each of so many words of the model occurs.
    fn numbered(&self, numbers: &[u32], words: usize) -> Vec<u32> {
        let mut counts = vec![0; words];
        counts[END as usize] = self.sentences;
        for &id in &self.ids {
            counts[numbers[id as usize] as usize] += self.counts[id as usize];
        }
        counts
    }
}

/// Makes of counts by word, one after the other, where each begins.
pub fn begin<'a>(starts: &[u32], counts: impl Iterator<Item = &'a mut [u32]>) {
    let mut next = starts.to_vec();
    for counts in counts {
        for (begin, next) in counts.iter_mut().zip(&mut next) {
            let count = std::mem::replace(begin, *next);
            *next += count;
        }
    }
}

fn invalid(problem: String) -> Error {
    Error::InvalidInput { source: "the text".into(), offset: None, problem }
}
