//! Documents: texts with tags, read for a training or to be asked about.

use std::sync::Arc;

use inlay_base::{Error, Result};
use inlay_corpus::{Base, Corpus, Source};
use inlay_words::doc2vec::{Tags, TagsBuilder};
use napi::Env;
use napi_derive::napi;

use crate::corpus::{CorpusHandle, CorpusSpec};
use crate::doc2vec::Doc2VecHandle;
use crate::held::{Held, Weighty, handle};
use crate::phrases::PhrasesHandle;
use crate::run::{Events, RunHandle, RunSpec, launch, launch_fed};
use crate::stream::TextStream;

/// Documents that were read: a corpus of them, and their tags.
#[derive(Clone)]
pub struct Documents {
    pub corpus: Corpus,
    pub tags: Arc<Tags>,
}

impl Documents {
    /// Documents with tags of the caller's, or with numbers if there are none.
    fn new(corpus: Corpus, given: Option<Vec<String>>) -> Result<Self> {
        let Some(given) = given else {
            let tags = Tags::numbered(corpus.sentences())?;
            return Ok(Self { corpus, tags: Arc::new(tags) });
        };
        if given.len() as u64 != corpus.sentences() {
            return Err(Error::InvalidOption {
                option: "tags",
                expected: format!("a tag for each of the {} documents", corpus.sentences()),
                got: format!("{} tags", given.len()),
            });
        }
        let mut tags = TagsBuilder::default();
        given.iter().for_each(|tag| tags.add([tag.as_bytes()]));
        Ok(Self { corpus, tags: Arc::new(tags.finish()?) })
    }
}

impl Weighty for Documents {
    fn weight(&self) -> u64 {
        self.corpus.weight() + self.tags.names().weight()
    }

    fn memory(&self) -> u64 {
        self.corpus.names().weight() + self.tags.names().weight()
    }
}

/// Documents that were read.
#[napi(custom_finalize)]
pub struct DocumentsHandle(Held<Documents>);

handle!(DocumentsHandle);

#[napi]
impl DocumentsHandle {}

impl DocumentsHandle {
    fn new(documents: Documents) -> Self {
        Self(Held::new(documents))
    }

    pub fn documents(&self) -> napi::Result<Documents> {
        self.0.get().cloned()
    }
}

fn reading(
    spec: CorpusSpec,
    phrases: Option<&PhrasesHandle>,
    model: Option<&Doc2VecHandle>,
) -> napi::Result<inlay_corpus::Options> {
    let mut options = spec.options(phrases, None)?;
    options.documents = true;
    if let Some(model) = model {
        let model = model.model()?;
        let (names, counts) = (Arc::clone(model.names()), model.counts().to_vec());
        options.base = Some(Base { names, counts });
        options.closed = true;
    }
    Ok(options)
}

/// Files of documents.
#[napi(object, object_to_js = false)]
pub struct DocumentFiles {
    #[napi(ts_type = "readonly string[]")]
    pub files: Vec<String>,
    /// What the documents are called, in their order; by their numbers without.
    #[napi(ts_type = "readonly string[] | undefined")]
    pub tags: Option<Vec<String>>,
}

/// Reads documents from files. With a model, only its words are known.
#[napi(ts_args_type = "source: DocumentFiles, spec: CorpusSpec, \
phrases: PhrasesHandle | undefined, model: Doc2VecHandle | undefined, run: RunSpec, \
events: Events<DocumentsHandle>")]
pub fn read_document_files(
    env: &Env,
    source: DocumentFiles,
    spec: CorpusSpec,
    phrases: Option<&PhrasesHandle>,
    model: Option<&Doc2VecHandle>,
    run: RunSpec,
    events: Events<'_, DocumentsHandle>,
) -> napi::Result<RunHandle> {
    let options = reading(spec, phrases, model)?;
    launch(env, run, events, move |run| {
        let corpus = Corpus::read(Source::Files(source.files), &options, run)?;
        Documents::new(corpus, source.tags).map(DocumentsHandle::new)
    })
}

/// Reads the documents that JavaScript feeds to the stream, with their tags. With a model, only its
/// words are known.
#[napi(ts_args_type = "stream: TextStream, spec: CorpusSpec, phrases: PhrasesHandle | undefined, \
model: Doc2VecHandle | undefined, run: RunSpec, events: Events<DocumentsHandle>")]
pub fn read_document_stream(
    env: &Env,
    stream: &mut TextStream,
    spec: CorpusSpec,
    phrases: Option<&PhrasesHandle>,
    model: Option<&Doc2VecHandle>,
    run: RunSpec,
    events: Events<'_, DocumentsHandle>,
) -> napi::Result<RunHandle> {
    let (options, pieces) = (reading(spec, phrases, model)?, stream.pieces()?);
    launch_fed(env, run, events, move |run, ask| {
        let read = |batches| Corpus::read(Source::Stream(batches), &options, run);
        let (corpus, tags) = pieces.feed_tagged(run, ask, read)?;
        let tags = Arc::new(tags.finish()?);
        Ok(DocumentsHandle::new(Documents { corpus, tags }))
    })
}

/// Takes the sentences of a corpus for documents.
#[napi(ts_args_type = "corpus: CorpusHandle, tags: readonly string[] | undefined, run: RunSpec, \
events: Events<DocumentsHandle>")]
pub fn documents_of_corpus(
    env: &Env,
    corpus: &CorpusHandle,
    tags: Option<Vec<String>>,
    run: RunSpec,
    events: Events<'_, DocumentsHandle>,
) -> napi::Result<RunHandle> {
    let corpus = corpus.corpus()?;
    launch(env, run, events, move |_| Documents::new(corpus, tags).map(DocumentsHandle::new))
}
