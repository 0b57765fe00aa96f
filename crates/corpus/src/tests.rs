//! What `Corpus::read` promises, against an oracle that does the same in the plainest way.

mod choosing;
mod documents;
mod faults;
mod files;
mod oracle;
mod phrases;
mod same_result;
mod saving;
mod streams;
mod tables;

use std::path::Path;
use std::sync::mpsc::sync_channel;

use inlay_base::{Result, Run};

use crate::blocks::Cut;
use crate::{Batch, Corpus, Options, SENTENCE_END, Source};

/// Everything a corpus says, in a form that can be compared and printed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    /// With counts, in order.
    words: Vec<(Vec<u8>, u64)>,
    sentences: Vec<Vec<u32>>,
    tokens: u64,
    dropped: (u64, u64),
}

fn said(corpus: &Corpus) -> Said {
    let ids = corpus.ids();
    let sentences: Vec<Vec<u32>> = match ids.split_last() {
        None => Vec::new(),
        Some((last, rest)) => {
            assert_eq!(*last, SENTENCE_END, "the last sentence ends");
            rest.split(|&id| id == SENTENCE_END).map(<[u32]>::to_vec).collect()
        }
    };
    assert_eq!(corpus.sentences(), sentences.len() as u64);
    assert_eq!(corpus.tokens() + corpus.sentences(), ids.len() as u64);
    let counts = corpus.counts().iter().copied();
    Said {
        words: corpus.names().iter().map(<[u8]>::to_vec).zip(counts).collect(),
        sentences,
        tokens: corpus.tokens(),
        dropped: (corpus.dropped().words, corpus.dropped().tokens),
    }
}

/// Sentences as text.
fn spoken(corpus: &Corpus) -> Vec<Vec<String>> {
    let word = |&id: &u32| String::from_utf8_lossy(corpus.names().get(id)).into_owned();
    said(corpus).sentences.iter().map(|ids| ids.iter().map(word).collect()).collect()
}

fn cut(block: usize) -> Cut {
    Cut { block, word: 1 << 30 }
}

/// Every word is kept.
fn all_words() -> Options {
    Options { min_count: 1, ..Options::default() }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().into()
}

/// Reads one text from a file.
fn read_text(text: &[u8], options: &Options) -> Result<Corpus> {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::Files(vec![write(folder.path(), "text", text)]);
    Corpus::read(source, options, &Run::quiet(2, 1))
}

/// Reads batches that wait in a channel.
fn read_batches(batches: Vec<Batch>, options: &Options) -> Result<Corpus> {
    let (sender, receiver) = sync_channel(batches.len());
    batches.into_iter().for_each(|batch| sender.send(batch).unwrap());
    drop(sender);
    Corpus::read(Source::Stream(receiver), options, &Run::quiet(2, 1))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}
