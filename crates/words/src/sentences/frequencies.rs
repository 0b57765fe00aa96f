//! In how many documents each word occurs.

use std::collections::HashMap;
use std::sync::mpsc::Receiver;

use inlay_base::{Error, Result, Run};
use inlay_corpus::{Batch, Reading, Source, Splitter, Words, each_part};
use inlay_formats::Names;

/// Document frequencies of the words of a collection.
#[derive(Debug)]
pub struct DocumentFrequencies {
    /// In the order of their bytes.
    names: Names,
    /// By word, from 1 up.
    documents: Vec<u32>,
    /// How many documents there were.
    total: u64,
}

/// What one thread has counted: by word, its documents and the last of them.
struct Counting {
    words: Words,
    counts: HashMap<Vec<u8>, (u32, u64)>,
    total: u64,
}

impl DocumentFrequencies {
    /// Counts a stream of documents: phase "count". The result is the same for any number of threads.
    ///
    /// # Errors
    /// `InvalidInput` if they hold no word.
    pub fn count(documents: Receiver<Batch>, splitter: Splitter, run: &Run) -> Result<Self> {
        run.phase("count", "documents", 0, None);
        let new = || Counting { words: Words::new(splitter), counts: HashMap::new(), total: 0 };
        let documents = Source::Stream(documents);
        let (counted, _) = each_part(documents, Reading::default(), run, new, |counting, part| {
            for document in part.texts.clone() {
                run.check()?;
                counting.words.take(&part.batch, document);
                counting.total += 1;
                for word in counting.words.iter() {
                    match counting.counts.get_mut(word) {
                        Some((_, last)) if *last == counting.total => {}
                        Some((count, last)) => (*count, *last) = (*count + 1, counting.total),
                        None => _ = counting.counts.insert(word.to_vec(), (1, counting.total)),
                    }
                }
            }
            run.advance(part.texts.len() as u64);
            Ok(())
        })?;
        let (mut all, mut total) = (HashMap::<Vec<u8>, u32>::new(), 0);
        for counting in counted {
            total += counting.total;
            for (at, (word, (count, _))) in counting.counts.into_iter().enumerate() {
                if at.is_multiple_of(4096) {
                    run.check()?;
                }
                *all.entry(word).or_default() += count;
            }
        }
        if all.is_empty() {
            let problem = "they hold no word".into();
            return Err(Error::InvalidInput { source: "documents".into(), offset: None, problem });
        }
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_unstable();
        let names = Names::checked(all.iter().map(|(word, _)| word), &|| run.check())?;
        let documents = all.iter().map(|&(_, count)| count).collect();
        Ok(Self { names, documents, total })
    }

    /// ln((1 + documents) / (1 + df)) + 1; of a word that no document has, the greatest.
    pub fn idf(&self, word: &[u8]) -> f64 {
        let found = self.names.find(word);
        self.idf_of(found.map_or(0, |word| self.documents[word as usize]))
    }

    pub(super) fn idf_of(&self, documents: u32) -> f64 {
        ((1.0 + self.total as f64) / (1.0 + f64::from(documents))).ln() + 1.0
    }

    /// Bytes of memory.
    pub fn weight(&self) -> u64 {
        (self.names.bytes().len() + 20 * self.names.len()) as u64
    }
}
