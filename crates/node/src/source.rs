//! Where a run reads texts from: files, a stream that JavaScript feeds, or a corpus that was read before.

use inlay_base::{Result, Run};
use inlay_corpus::{Corpus, Source};
use napi::bindgen_prelude::{ClassInstance, Either3};

use crate::corpus::CorpusHandle;
use crate::run::Ask;
use crate::stream::{Pieces, TextStream};

/// Names of files, a stream, or a corpus.
pub type SourceSpec<'a> =
    Either3<Vec<String>, ClassInstance<'a, TextStream>, ClassInstance<'a, CorpusHandle>>;

/// A source, taken from JavaScript.
pub enum Input {
    Files(Vec<String>),
    Stream(Pieces),
    Corpus(Corpus),
}

impl Input {
    pub fn new(source: SourceSpec<'_>) -> napi::Result<Self> {
        match source {
            Either3::A(files) => Ok(Self::Files(files)),
            Either3::B(mut stream) => stream.pieces().map(Self::Stream),
            Either3::C(corpus) => corpus.corpus().map(Self::Corpus),
        }
    }

    /// Lets `read` read the source.
    pub fn read<T>(self, run: &Run, ask: Ask, read: impl FnOnce(Source) -> Result<T>) -> Result<T> {
        match self {
            Self::Files(files) => read(Source::Files(files)),
            Self::Stream(pieces) => pieces.feed(run, ask, |batches| read(Source::Stream(batches))),
            Self::Corpus(corpus) => read(corpus.stream()?),
        }
    }
}
