//! Where a run reads texts from: files, or a stream that JavaScript feeds.

use inlay_base::{Result, Run};
use inlay_corpus::Source;
use napi::bindgen_prelude::{ClassInstance, Either};

use crate::run::Ask;
use crate::stream::{Pieces, TextStream};

/// Names of files, or a stream.
pub type SourceSpec<'a> = Either<Vec<String>, ClassInstance<'a, TextStream>>;

/// A source, taken from JavaScript.
pub enum Input {
    Files(Vec<String>),
    Stream(Pieces),
}

impl Input {
    pub fn new(source: SourceSpec<'_>) -> napi::Result<Self> {
        match source {
            Either::A(files) => Ok(Self::Files(files)),
            Either::B(mut stream) => stream.pieces().map(Self::Stream),
        }
    }

    /// Lets `read` read the source.
    pub fn read<T>(self, run: &Run, ask: Ask, read: impl FnOnce(Source) -> Result<T>) -> Result<T> {
        match self {
            Self::Files(files) => read(Source::Files(files)),
            Self::Stream(pieces) => pieces.feed(run, ask, |batches| read(Source::Stream(batches))),
        }
    }
}
