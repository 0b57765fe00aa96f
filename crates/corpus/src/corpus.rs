use std::ops::Range;
use std::sync::Arc;

use inlay_base::{Error, Map, Result, Run};
use inlay_formats::{Array, Names};

use crate::blocks::{Blocks, Cut};
use crate::ids::Ends;
use crate::joined::Joined;
use crate::options::{Options, Sentences};
use crate::positioned::Spool;
use crate::source::Source;
use crate::table::Seed;
use crate::tally::needed;
use crate::{fingerprint, ids, numbering, vocabulary};

/// A text as ids of its words, and the words. It lies in a mapped file, which has no name unless
/// it was saved and opened; what is cloned is a handle.
#[derive(Debug, Clone)]
pub struct Corpus(pub(crate) Arc<Content>);

#[derive(Debug)]
pub(crate) struct Content {
    pub names: Arc<Names>,
    pub counts: Array<u64>,
    pub ids: Array<u32>,
    pub map: Arc<Map>,
    /// Where the ids begin in the map, in bytes.
    pub ids_start: usize,
    pub tokens: u64,
    pub sentences: u64,
    pub dropped: Dropped,
    pub fingerprint: u64,
}

/// What of a source is not in the corpus: words below `minCount`, beyond `maxVocabulary`, and stop
/// words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Different words.
    pub words: u64,
    /// All their occurrences.
    pub tokens: u64,
}

/// Words and how often they occur.
#[derive(Debug, Clone)]
pub struct Counted {
    /// Most frequent first, ties as they first occur.
    pub names: Arc<Names>,
    /// By id; with the counts of `Options::base`.
    pub counts: Vec<u64>,
    /// Words of the source that are kept, all occurrences.
    pub tokens: u64,
    /// What is not kept.
    pub dropped: Dropped,
}

/// Only counts the words of a source: nothing is written anywhere.
///
/// # Errors
/// As `Corpus::read`.
pub fn count(source: Source, options: &Options, run: &Run) -> Result<Counted> {
    count_in_blocks(source, options, Cut::DEFAULT, run)
}

pub(crate) fn count_in_blocks(
    source: Source,
    options: &Options,
    cut: Cut,
    run: &Run,
) -> Result<Counted> {
    let seed = Seed::random();
    let blocks = blocks(source, options, cut, run)?;
    let name = blocks.name.clone();
    let numbered = numbering::number(blocks, options, None, seed, run)?;
    let vocabulary =
        vocabulary::merge(numbered.tables, &numbered.pieces, options, (seed, &name), run)?;
    let vocabulary::Vocabulary { names, counts, tokens, dropped, .. } = vocabulary;
    Ok(Counted { names, counts, tokens, dropped })
}

/// The blocks of a source, or of its sentences in which phrases are joined.
fn blocks<'a>(source: Source, options: &Options, cut: Cut, run: &'a Run) -> Result<Blocks<'a>> {
    let blocks = Blocks::new(source, cut, run)?;
    let Some(phrases) = &options.phrases else { return Ok(blocks) };
    let all = Options {
        min_count: 1,
        max_vocabulary: None,
        stop_words: Vec::new(),
        phrases: None,
        base: None,
        closed: false,
        ..options.clone()
    };
    let name = blocks.name.clone();
    let corpus = Corpus::of_blocks(blocks, &all, run)?;
    Ok(Blocks::joined(Joined::new(corpus, phrases.clone()), name, run))
}

impl Corpus {
    /// Reads a source once, on all threads of the run: phase "read" in bytes of the files as they
    /// lie on the disk or of the stream, then phase "write" in words. The result is the same for
    /// any number of threads, byte for byte. Memory is taken for the vocabulary, every word of the
    /// source before it is cut, and a few megabytes a thread.
    ///
    /// # Errors
    /// - `NotFound`: a file, or a glob that matches none.
    /// - `InvalidInput`: bytes that are not UTF-8 (with `InvalidUtf8::Error`), the first in the
    ///   source, its offset counted in the text that a compressed file holds; a damaged compressed
    ///   file; a directory without files; a source without a word or without a frequent one.
    /// - `DiskFull`, `Io`: the temporary files could not be written.
    /// - `Aborted`.
    pub fn read(source: Source, options: &Options, run: &Run) -> Result<Self> {
        Self::read_in_blocks(source, options, Cut::DEFAULT, run)
    }

    pub(crate) fn read_in_blocks(
        source: Source,
        options: &Options,
        cut: Cut,
        run: &Run,
    ) -> Result<Self> {
        let of_stream = options.documents && matches!(source, Source::Stream(_));
        let by_texts = of_stream.then(|| Options { sentences: Sentences::Line, ..options.clone() });
        let options = by_texts.as_ref().unwrap_or(options);
        Self::of_blocks(blocks(source, options, cut, run)?, options, run)
    }

    fn of_blocks<'a>(blocks: Blocks<'a>, options: &Options, run: &'a Run) -> Result<Self> {
        let seed = Seed::random();
        let directory = options.spool_directory.as_deref();
        let name = blocks.name.clone();
        let spool = Spool::create(directory)?;
        let numbered = numbering::number(blocks, options, Some(&spool), seed, run)?;
        let vocabulary =
            vocabulary::merge(numbered.tables, &numbered.pieces, options, (seed, &name), run)?;

        let words = vocabulary.tokens + vocabulary.dropped.tokens;
        run.phase("write", "words", 0, Some(words));
        let file = Spool::create(directory)?;
        let ends = Ends { needed: needed(options.sentences), documents: options.documents };
        let written = ids::write(&numbered.pieces, &spool, &file, &vocabulary.ids, ends, run)?;
        drop(spool);
        let map = Arc::new(file.map()?);
        let vocabulary::Vocabulary { names, counts, tokens, dropped, .. } = vocabulary;
        let length = usize::try_from(written.length).ok().and_then(|length| length.checked_mul(4));
        let ids = length.and_then(|length| Array::mapped(&map, 0..length));
        let ids = ids.ok_or_else(|| Error::Internal("the ids are not all in their file".into()))?;
        let fingerprint = fingerprint::of_corpus(written.fingerprint, &names, &counts, run)?;
        Ok(Self(Arc::new(Content {
            names,
            counts: counts.into(),
            ids,
            map,
            ids_start: 0,
            tokens,
            sentences: written.sentences,
            dropped,
            fingerprint,
        })))
    }

    /// The words, most frequent first; ties as they first occur.
    pub fn names(&self) -> &Arc<Names> {
        &self.0.names
    }

    /// How often each word occurs; with the counts of `Options::base`, where that was given.
    pub fn counts(&self) -> &[u64] {
        &self.0.counts
    }

    /// The whole text in order: ids of words, and `SENTENCE_END` after each sentence.
    ///
    /// Whatever `read` made has only ids below `names().len()`. Of a file that was opened this is
    /// not proved, since a look at all of it would take as long as reading it: whoever uses an id
    /// checks it, as every access to a row does.
    pub fn ids(&self) -> &[u32] {
        &self.0.ids
    }

    /// Gives the memory of some of `ids` back to the system; they are read again when next used.
    pub fn release(&self, range: Range<usize>) {
        let bytes = |at: usize| self.0.ids_start + at.min(self.ids().len()) * size_of::<u32>();
        self.0.map.release(bytes(range.start)..bytes(range.end));
    }

    /// Words in `ids`: those kept, all occurrences.
    pub fn tokens(&self) -> u64 {
        self.0.tokens
    }

    /// Sentences that have words; with `Options::documents`, all documents.
    pub fn sentences(&self) -> u64 {
        self.0.sentences
    }

    /// What of the source is not here.
    pub fn dropped(&self) -> Dropped {
        self.0.dropped
    }

    /// A number made of words, counts and ids: other corpora have others.
    pub fn fingerprint(&self) -> u64 {
        self.0.fingerprint
    }
}
