//! Corpora: read from files or from JavaScript, opened, saved.

use std::path::PathBuf;

use inlay_corpus::{Corpus, InvalidUtf8, Normalization, Options, Sentences, Source, Tokenizer};
use napi::Env;
use napi_derive::napi;

use crate::choice;
use crate::held::{Held, Weighty, handle};
use crate::names::NamesHandle;
use crate::phrases::PhrasesHandle;
use crate::run::{Events, RunHandle, RunSpec, launch, launch_fed};
use crate::stream::TextStream;
use crate::words::ModelHandle;

pub const TOKENIZERS: [(&str, Tokenizer); 4] = [
    ("whitespace", Tokenizer::Whitespace),
    ("words", Tokenizer::Words),
    ("alphanumeric", Tokenizer::Alphanumeric),
    ("chinese", Tokenizer::Chinese),
];
pub const SENTENCES: [(&str, Sentences); 2] =
    [("line", Sentences::Line), ("paragraph", Sentences::Paragraph)];
pub const INVALID_UTF8: [(&str, InvalidUtf8); 3] =
    [("error", InvalidUtf8::Error), ("replace", InvalidUtf8::Replace), ("skip", InvalidUtf8::Skip)];
pub const NORMALIZATIONS: [(&str, Normalization); 5] = [
    ("none", Normalization::None),
    ("NFC", Normalization::Nfc),
    ("NFD", Normalization::Nfd),
    ("NFKC", Normalization::Nfkc),
    ("NFKD", Normalization::Nfkd),
];

/// How text becomes words.
#[napi(object, object_to_js = false)]
pub struct CorpusSpec {
    #[napi(ts_type = "'whitespace' | 'words' | 'alphanumeric' | 'chinese'")]
    pub tokenizer: String,
    pub lowercase: bool,
    #[napi(ts_type = "'none' | 'NFC' | 'NFD' | 'NFKC' | 'NFKD'")]
    pub normalization: String,
    #[napi(ts_type = "'line' | 'paragraph'")]
    pub sentences: String,
    pub min_count: f64,
    #[napi(ts_type = "number | undefined")]
    pub max_vocabulary: Option<u32>,
    #[napi(ts_type = "readonly string[]")]
    pub stop_words: Vec<String>,
    #[napi(ts_type = "'error' | 'replace' | 'skip'")]
    pub invalid_utf8: String,
    #[napi(ts_type = "string | undefined")]
    pub spool_directory: Option<String>,
}

impl CorpusSpec {
    pub fn options(
        self,
        phrases: Option<&PhrasesHandle>,
        base: Option<&ModelHandle>,
    ) -> napi::Result<Options> {
        Ok(Options {
            tokenizer: choice(&self.tokenizer, &TOKENIZERS)?,
            lowercase: self.lowercase,
            normalization: choice(&self.normalization, &NORMALIZATIONS)?,
            sentences: choice(&self.sentences, &SENTENCES)?,
            min_count: self.min_count as u64,
            max_vocabulary: self.max_vocabulary.map(|most| most as usize),
            stop_words: self.stop_words,
            invalid_utf8: choice(&self.invalid_utf8, &INVALID_UTF8)?,
            spool_directory: self.spool_directory.map(PathBuf::from),
            phrases: phrases.map(PhrasesHandle::phrases).transpose()?,
            base: base.map(ModelHandle::base).transpose()?,
            closed: false,
            documents: false,
        })
    }
}

/// How much a corpus holds.
#[napi(object, object_from_js = false)]
pub struct CorpusFigures {
    pub size: u32,
    pub tokens: f64,
    pub sentences: f64,
    pub dropped_words: f64,
    pub dropped_tokens: f64,
}

/// A corpus.
#[napi(custom_finalize)]
pub struct CorpusHandle(Held<Corpus>);

handle!(CorpusHandle);

impl Weighty for Corpus {
    fn weight(&self) -> u64 {
        size_of_val(self.ids()) as u64 + self.names().weight()
    }

    /// The text lies in a file, and the words are counted by their own handle.
    fn memory(&self) -> u64 {
        0
    }
}

impl CorpusHandle {
    pub fn new(corpus: Corpus) -> Self {
        Self(Held::new(corpus))
    }

    pub fn corpus(&self) -> napi::Result<Corpus> {
        self.0.get().cloned()
    }
}

#[napi]
impl CorpusHandle {
    #[napi]
    pub fn names(&self) -> napi::Result<NamesHandle> {
        Ok(NamesHandle::new(self.0.get()?.names()))
    }

    #[napi]
    pub fn figures(&self) -> napi::Result<CorpusFigures> {
        let corpus = self.0.get()?;
        let dropped = corpus.dropped();
        Ok(CorpusFigures {
            size: corpus.names().len() as u32,
            tokens: corpus.tokens() as f64,
            sentences: corpus.sentences() as f64,
            dropped_words: dropped.words as f64,
            dropped_tokens: dropped.tokens as f64,
        })
    }

    /// How often a word occurs; 0 if it is unknown.
    #[napi]
    pub fn count(&self, word: String) -> napi::Result<f64> {
        let corpus = self.0.get()?;
        let id = corpus.names().find(word.as_bytes());
        Ok(id.map_or(0.0, |id| corpus.counts()[id as usize] as f64))
    }
}

/// Reads files: paths, globs, directories. Words of a model are kept whatever their count.
#[napi(
    ts_args_type = "files: readonly string[], spec: CorpusSpec, phrases: PhrasesHandle | undefined, base: ModelHandle | undefined, run: RunSpec, events: Events<CorpusHandle>"
)]
pub fn read_corpus_files(
    env: &Env,
    files: Vec<String>,
    spec: CorpusSpec,
    phrases: Option<&PhrasesHandle>,
    base: Option<&ModelHandle>,
    run: RunSpec,
    events: Events<'_, CorpusHandle>,
) -> napi::Result<RunHandle> {
    let options = spec.options(phrases, base)?;
    launch(env, run, events, move |run| {
        Corpus::read(Source::Files(files), &options, run).map(CorpusHandle::new)
    })
}

/// Reads what JavaScript feeds to the stream.
#[napi(
    ts_args_type = "stream: TextStream, spec: CorpusSpec, phrases: PhrasesHandle | undefined, base: ModelHandle | undefined, run: RunSpec, events: Events<CorpusHandle>"
)]
#[allow(clippy::too_many_arguments)] // what JavaScript calls takes no struct of handles
pub fn read_corpus_stream(
    env: &Env,
    stream: &mut TextStream,
    spec: CorpusSpec,
    phrases: Option<&PhrasesHandle>,
    base: Option<&ModelHandle>,
    run: RunSpec,
    events: Events<'_, CorpusHandle>,
) -> napi::Result<RunHandle> {
    let (options, pieces) = (spec.options(phrases, base)?, stream.pieces()?);
    launch_fed(env, run, events, move |run, ask| {
        let read = |batches| Corpus::read(Source::Stream(batches), &options, run);
        pieces.feed(run, ask, read).map(CorpusHandle::new)
    })
}

/// Opens a file that `save_corpus` wrote.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<CorpusHandle>")]
pub fn open_corpus(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, CorpusHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |_| Corpus::open(&path).map(CorpusHandle::new))
}

/// Writes a corpus to a file.
#[napi(ts_args_type = "corpus: CorpusHandle, path: string, run: RunSpec, events: Events<void>")]
pub fn save_corpus(
    env: &Env,
    corpus: &CorpusHandle,
    path: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (corpus, path) = (corpus.corpus()?, PathBuf::from(path));
    launch(env, run, events, move |run| corpus.save(&path, run))
}
