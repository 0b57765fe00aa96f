//! Texts that JavaScript feeds to a reader. JavaScript never waits here: its pieces go through a
//! queue to a thread that hands them to the reader as it takes them, and then asks for more.

use std::mem::{replace, take};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use inlay_base::{Result, Run};
use inlay_corpus::Batch;
use inlay_words::doc2vec::TagsBuilder;
use napi::bindgen_prelude::{Float64ArraySlice, Uint8ArraySlice, Uint32ArraySlice};
use napi_derive::napi;

use crate::run::{Ask, refuse};

/// What the reader is handed at once, in bytes: a thread works on it at a time.
const BATCH: usize = 1 << 20;
/// Batches that wait for the reader.
const AHEAD: usize = 2;
/// How long a stop may go unnoticed while JavaScript has nothing to give.
const LOOK: Duration = Duration::from_millis(10);

/// What JavaScript gives at once. Its last text or sentence may go on in the next piece: only
/// those that are complete have an end.
enum Piece {
    Texts {
        bytes: Vec<u8>,
        ends: Vec<u32>,
    },
    Words {
        bytes: Vec<u8>,
        word_ends: Vec<u32>,
        sentence_ends: Vec<u32>,
    },
    Integers {
        values: Vec<i64>,
        sentence_ends: Vec<u32>,
    },
    /// Of the documents that end in the piece that follows.
    Tags {
        bytes: Vec<u8>,
        ends: Vec<u32>,
        document_ends: Vec<u32>,
    },
}

/// The JavaScript end of a stream of texts.
#[napi]
pub struct TextStream {
    pieces: Option<Sender<Piece>>,
    reader: Option<Pieces>,
}

#[napi]
impl TextStream {
    #[napi(constructor)]
    #[allow(clippy::new_without_default)] // a constructor of JavaScript
    pub fn new() -> Self {
        let (pieces, reader) = channel();
        Self { pieces: Some(pieces), reader: Some(Pieces(Source::Coming(reader))) }
    }

    /// A stream of texts that are all here: its run asks for nothing.
    #[napi(factory)]
    pub fn of(texts: Vec<String>) -> Self {
        let mut bytes = Vec::with_capacity(texts.iter().map(String::len).sum());
        let add = |text: String| {
            bytes.extend(text.into_bytes());
            bytes.len()
        };
        let ends = texts.into_iter().map(add).collect();
        Self { pieces: None, reader: Some(Pieces(Source::Here(Batch::Texts { bytes, ends }))) }
    }

    /// Texts as UTF-8, end to end, and where each of them that is complete ends.
    #[napi]
    pub fn push_texts(&mut self, bytes: Uint8ArraySlice<'_>, ends: Uint32ArraySlice<'_>) {
        self.push(Piece::Texts { bytes: bytes.to_vec(), ends: ends.to_vec() });
    }

    /// Words as UTF-8, end to end, where each ends in bytes, and where each sentence that is
    /// complete ends in words.
    #[napi]
    pub fn push_words(
        &mut self,
        bytes: Uint8ArraySlice<'_>,
        word_ends: Uint32ArraySlice<'_>,
        sentence_ends: Uint32ArraySlice<'_>,
    ) {
        self.push(Piece::Words {
            bytes: bytes.to_vec(),
            word_ends: word_ends.to_vec(),
            sentence_ends: sentence_ends.to_vec(),
        });
    }

    /// Integers, and where each sentence of them that is complete ends.
    #[napi]
    pub fn push_items(
        &mut self,
        items: Float64ArraySlice<'_>,
        sentence_ends: Uint32ArraySlice<'_>,
    ) {
        self.push(Piece::Integers {
            values: items.iter().map(|&item| item as i64).collect(),
            sentence_ends: sentence_ends.to_vec(),
        });
    }

    /// Tags of the documents that end in the batch that is pushed next: as UTF-8, end to end, where
    /// each ends in bytes, and where those of each document end in tags.
    #[napi]
    pub fn push_tags(
        &mut self,
        bytes: Uint8ArraySlice<'_>,
        ends: Uint32ArraySlice<'_>,
        document_ends: Uint32ArraySlice<'_>,
    ) {
        self.push(Piece::Tags {
            bytes: bytes.to_vec(),
            ends: ends.to_vec(),
            document_ends: document_ends.to_vec(),
        });
    }

    /// There is no more.
    #[napi]
    pub fn end(&mut self) {
        self.pieces = None;
    }

    fn push(&self, piece: Piece) {
        if let Some(pieces) = &self.pieces {
            let _ = pieces.send(piece); // nobody reads any more: the run has ended
        }
    }
}

impl TextStream {
    /// The other end, for the one run that reads the stream.
    pub fn pieces(&mut self) -> napi::Result<Pieces> {
        self.reader.take().ok_or_else(|| refuse("the stream has a reader".into()))
    }
}

/// The Rust end of a stream of texts.
pub struct Pieces(Source);

enum Source {
    Coming(Receiver<Piece>),
    Here(Batch),
}

impl Pieces {
    /// Lets `read` read the stream; returns when it does.
    pub fn feed<T>(
        self,
        run: &Run,
        ask: Ask,
        read: impl FnOnce(Receiver<Batch>) -> Result<T>,
    ) -> Result<T> {
        self.feed_tagged(run, ask, read).map(|(outcome, _)| outcome)
    }

    /// As `feed`, for documents: also gives their tags.
    pub fn feed_tagged<T>(
        self,
        run: &Run,
        ask: Ask,
        read: impl FnOnce(Receiver<Batch>) -> Result<T>,
    ) -> Result<(T, TagsBuilder)> {
        let (batches, reader) = sync_channel(AHEAD);
        let over = AtomicBool::new(false);
        let mut tags = TagsBuilder::default();
        let pieces = match self.0 {
            Source::Coming(pieces) => pieces,
            Source::Here(batch) => {
                let _ = batches.send(batch); // there is room
                drop(batches);
                return Ok((read(reader)?, tags));
            }
        };
        let outcome = thread::scope(|scope| {
            let (over, tags) = (&over, &mut tags);
            scope.spawn(move || forward(&pieces, (batches, tags), run, &ask, over));
            let outcome = inlay_base::guard(|| read(reader));
            over.store(true, Relaxed);
            outcome
        })?;
        Ok((outcome, tags))
    }
}

fn forward(
    pieces: &Receiver<Piece>,
    (batches, tags): (SyncSender<Batch>, &mut TagsBuilder),
    run: &Run,
    ask: &Ask,
    over: &AtomicBool,
) {
    let mut batch: Option<Batch> = None;
    ask();
    loop {
        match pieces.recv_timeout(LOOK) {
            Ok(_) | Err(RecvTimeoutError::Timeout) if run.stopped() || over.load(Relaxed) => return,
            Ok(Piece::Tags { bytes, ends, document_ends }) => {
                gather(tags, &bytes, &ends, &document_ends);
            }
            Ok(piece) => {
                ask();
                let other = batch.take_if(|batch| !is_of_kind(batch, &piece));
                let batch = batch.get_or_insert_with(|| empty(&piece));
                append(batch, piece);
                for whole in other.into_iter().chain(take_full(batch)) {
                    if batches.send(whole).is_err() {
                        return; // the reader has failed
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                // A stream that failed has stopped the run before it ended.
                if let Some(last) = batch.filter(|_| !run.stopped()) {
                    let _ = batches.send(last);
                }
                return;
            }
        }
    }
}

fn gather(tags: &mut TagsBuilder, bytes: &[u8], ends: &[u32], document_ends: &[u32]) {
    let (mut start, mut first) = (0, 0);
    for &document_end in document_ends {
        let own = &ends[first..document_end as usize];
        tags.add(own.iter().map(|&end| {
            let begin = replace(&mut start, end as usize);
            &bytes[begin..end as usize]
        }));
        first = document_end as usize;
    }
}

fn is_of_kind(batch: &Batch, piece: &Piece) -> bool {
    matches!(
        (batch, piece),
        (Batch::Texts { .. }, Piece::Texts { .. })
            | (Batch::Words { .. }, Piece::Words { .. })
            | (Batch::Integers { .. }, Piece::Integers { .. })
    )
}

/// Takes what is complete out of a batch that is large enough. Pieces end in the middle of a text
/// more often than not: what follows the last end begins the next batch.
fn take_full(batch: &mut Batch) -> Option<Batch> {
    match batch {
        Batch::Texts { bytes, ends } if bytes.len() >= BATCH => {
            let rest = bytes.split_off(*ends.last()?);
            Some(Batch::Texts { bytes: replace(bytes, rest), ends: take(ends) })
        }
        Batch::Words { bytes, word_ends, sentence_ends } if bytes.len() >= BATCH => {
            let mut rest_ends = word_ends.split_off(*sentence_ends.last()?);
            let end = word_ends.last().copied().unwrap_or(0);
            rest_ends.iter_mut().for_each(|word_end| *word_end -= end);
            let rest = bytes.split_off(end);
            Some(Batch::Words {
                bytes: replace(bytes, rest),
                word_ends: replace(word_ends, rest_ends),
                sentence_ends: take(sentence_ends),
            })
        }
        Batch::Integers { values, sentence_ends } if size_of_val(values.as_slice()) >= BATCH => {
            let rest = values.split_off(*sentence_ends.last()?);
            Some(Batch::Integers {
                values: replace(values, rest),
                sentence_ends: take(sentence_ends),
            })
        }
        _ => None,
    }
}

fn empty(piece: &Piece) -> Batch {
    match piece {
        Piece::Texts { .. } => Batch::Texts { bytes: Vec::new(), ends: Vec::new() },
        Piece::Words { .. } => {
            Batch::Words { bytes: Vec::new(), word_ends: Vec::new(), sentence_ends: Vec::new() }
        }
        Piece::Integers { .. } => Batch::Integers { values: Vec::new(), sentence_ends: Vec::new() },
        Piece::Tags { .. } => unreachable!("tags are no part of a batch"),
    }
}

fn append(batch: &mut Batch, piece: Piece) {
    let shift = |ends: &mut Vec<usize>, more: Vec<u32>, by: usize| {
        ends.extend(more.into_iter().map(|end| by + end as usize));
    };
    match (batch, piece) {
        (Batch::Texts { bytes, ends }, Piece::Texts { bytes: more, ends: more_ends }) => {
            shift(ends, more_ends, bytes.len());
            bytes.extend(more);
        }
        (
            Batch::Words { bytes, word_ends, sentence_ends },
            Piece::Words { bytes: more, word_ends: more_words, sentence_ends: more_sentences },
        ) => {
            shift(sentence_ends, more_sentences, word_ends.len());
            shift(word_ends, more_words, bytes.len());
            bytes.extend(more);
        }
        (
            Batch::Integers { values, sentence_ends },
            Piece::Integers { values: more, sentence_ends: more_ends },
        ) => {
            shift(sentence_ends, more_ends, values.len());
            values.extend(more);
        }
        _ => unreachable!("`is_of_kind` has compared them"),
    }
}
