//! A corpus as a source again, for whoever reads texts and not ids: its sentences as words, which are taken as
//! they are.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use inlay_base::{Error, Result};

use crate::{Batch, Corpus, SENTENCE_END, Source};

/// Words of a batch, but for a sentence that is longer: what a thread works on at a time.
const TOGETHER: usize = 1 << 16;
/// Batches that wait for the reader.
const AHEAD: usize = 2;

impl Corpus {
    /// Its sentences in order; with `Options::documents` its documents, those without words too. They are
    /// made ready on a thread that ends with the reader.
    ///
    /// # Errors
    /// `Io`: there can be no more threads.
    pub fn stream(self) -> Result<Source> {
        let (to, source) = sync_channel(AHEAD);
        let feeder = thread::Builder::new().name("inlay-replay".into());
        let feeder = feeder.spawn(move || self.feed(&to));
        feeder.map_err(|error| Error::io("start a thread for", "a corpus".as_ref(), &error))?;
        Ok(Source::Stream(source))
    }

    fn feed(&self, to: &SyncSender<Batch>) {
        let (ids, names) = (self.ids(), self.names());
        let mut at = 0;
        while at < ids.len() {
            let first = at;
            let (mut bytes, mut word_ends, mut sentence_ends) =
                (Vec::new(), Vec::new(), Vec::new());
            while at < ids.len() && at - first < TOGETHER {
                let length = ids[at..].iter().position(|&id| id == SENTENCE_END);
                let length = length.unwrap_or(ids.len() - at);
                for &id in &ids[at..at + length] {
                    // A file that was opened may hold any ids.
                    if (id as usize) < names.len() {
                        bytes.extend_from_slice(names.get(id));
                        word_ends.push(bytes.len());
                    }
                }
                sentence_ends.push(word_ends.len());
                at += length + 1;
            }
            self.release(first..at);
            if to.send(Batch::Words { bytes, word_ends, sentence_ends }).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::Run;

    use crate::{Corpus, Options, Source};

    #[test]
    fn what_a_corpus_gives_is_the_same_corpus_when_it_is_read() {
        let words = |i: usize| format!("w{}", i * i % 97);
        let line = |i: usize| (0..i % 50).map(words).collect::<Vec<_>>().join(" ");
        let text: Vec<u8> = (0..9_000).flat_map(|i| (line(i) + "\n").into_bytes()).collect();
        let path = std::env::temp_dir().join(format!("inlay-replay-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let options = Options { min_count: 1, ..Options::default() };
        let (run, files) = (Run::quiet(2, 1), vec![path.to_string_lossy().into_owned()]);
        let first = Corpus::read(Source::Files(files), &options, &run).unwrap();
        let again = Corpus::read(first.clone().stream().unwrap(), &options, &run).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(first.tokens() > 200_000);
        assert_eq!(first.fingerprint(), again.fingerprint());
        // A reader that goes away is no fault.
        drop(first.stream().unwrap());
    }
}
