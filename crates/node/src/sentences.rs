//! Texts as vectors: encoders over word vectors, documents as sentences, rows as means.

use std::path::PathBuf;
use std::sync::Arc;

use inlay_base::Priority;
use inlay_corpus::{Normalization, Splitter, Tokenizer};
use inlay_words::sentences::{
    DocumentFrequencies, Encoded, MeanEncoder, Options, SentenceWeights, Statistics, Weighting,
    WordSource, means_of_rows, split,
};
use napi::Env;
use napi::bindgen_prelude::{
    ClassInstance, Either, Float32Array, Float32ArraySlice, Uint32Array, Uint32ArraySlice,
};
use napi_derive::napi;

use crate::choice;
use crate::corpus::{CorpusHandle, NORMALIZATIONS, TOKENIZERS};
use crate::fasttext::FastTextHandle;
use crate::held::{Held, Weighty, handle};
use crate::run::{Events, RunHandle, RunSpec, launch, launch_fed, refuse};
use crate::serve::serve;
use crate::stream::TextStream;
use crate::vectors::VectorsHandle;

/// How texts become words.
#[napi(object)]
pub struct SplitSpec {
    #[napi(ts_type = "'whitespace' | 'words' | 'alphanumeric' | 'chinese'")]
    pub tokenizer: String,
    pub lowercase: bool,
    #[napi(ts_type = "'none' | 'NFC' | 'NFD' | 'NFKC' | 'NFKD'")]
    pub normalization: String,
}

impl SplitSpec {
    pub fn read(&self) -> napi::Result<(Tokenizer, Normalization)> {
        Ok((choice(&self.tokenizer, &TOKENIZERS)?, choice(&self.normalization, &NORMALIZATIONS)?))
    }

    pub fn of(tokenizer: Tokenizer, lowercase: bool, normalization: Normalization) -> Self {
        let name = |names: &[(&str, bool)]| {
            let found = names.iter().find(|(_, is)| *is);
            found.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
        };
        let tokenizers = TOKENIZERS.map(|(name, value)| (name, value == tokenizer));
        let forms = NORMALIZATIONS.map(|(name, value)| (name, value == normalization));
        Self { tokenizer: name(&tokenizers), lowercase, normalization: name(&forms) }
    }

    pub fn splitter(&self) -> napi::Result<Splitter> {
        let (tokenizer, normalization) = self.read()?;
        Ok(Splitter::new(tokenizer, self.lowercase, normalization))
    }
}

/// How texts become words, and words a vector.
#[napi(object)]
pub struct MeanEncoderSpec {
    #[napi(ts_type = "'whitespace' | 'words' | 'alphanumeric' | 'chinese'")]
    pub tokenizer: String,
    pub lowercase: bool,
    #[napi(ts_type = "'none' | 'NFC' | 'NFD' | 'NFKC' | 'NFKD'")]
    pub normalization: String,
    #[napi(ts_type = "'equal' | 'frequency' | 'tf-idf'")]
    pub weights: String,
    pub smoothing: f64,
}

impl MeanEncoderSpec {
    fn options(self) -> napi::Result<Options> {
        let Self { tokenizer, lowercase, normalization, weights, smoothing } = self;
        let (tokenizer, normalization) =
            SplitSpec { tokenizer, lowercase, normalization }.read()?;
        let weightings = [
            ("equal", Weighting::Equal),
            ("frequency", Weighting::Frequency(smoothing)),
            ("tf-idf", Weighting::TfIdf),
        ];
        Ok(Options { tokenizer, lowercase, normalization, weights: choice(&weights, &weightings)? })
    }

    fn of(options: &Options) -> Self {
        let Options { tokenizer, lowercase, normalization, .. } = *options;
        let split = SplitSpec::of(tokenizer, lowercase, normalization);
        let (weights, smoothing) = match options.weights {
            Weighting::Equal => ("equal", 1e-3),
            Weighting::Frequency(smoothing) => ("frequency", smoothing),
            Weighting::TfIdf => ("tf-idf", 1e-3),
        };
        Self {
            tokenizer: split.tokenizer,
            lowercase,
            normalization: split.normalization,
            weights: weights.into(),
            smoothing,
        }
    }
}

/// In how many documents each word occurs.
#[napi(custom_finalize)]
pub struct FrequenciesHandle(Held<Arc<DocumentFrequencies>>);

handle!(FrequenciesHandle);

impl Weighty for Arc<DocumentFrequencies> {
    fn weight(&self) -> u64 {
        DocumentFrequencies::weight(self)
    }

    fn memory(&self) -> u64 {
        DocumentFrequencies::weight(self)
    }
}

#[napi]
impl FrequenciesHandle {}

/// Counts in how many texts of the stream each word occurs.
#[napi(
    ts_args_type = "stream: TextStream, spec: SplitSpec, run: RunSpec, events: Events<FrequenciesHandle>"
)]
pub fn count_documents(
    env: &Env,
    stream: &mut TextStream,
    spec: SplitSpec,
    run: RunSpec,
    events: Events<'_, FrequenciesHandle>,
) -> napi::Result<RunHandle> {
    let (splitter, pieces) = (spec.splitter()?, stream.pieces()?);
    launch_fed(env, run, events, move |run, ask| {
        let count = |batches| DocumentFrequencies::count(batches, splitter, run);
        let counted = pieces.feed(run, ask, count)?;
        Ok(FrequenciesHandle(Held::new(Arc::new(counted))))
    })
}

/// An encoder.
#[napi(custom_finalize)]
pub struct MeanEncoderHandle(Held<Arc<MeanEncoder>>);

handle!(MeanEncoderHandle);

impl Weighty for Arc<MeanEncoder> {
    fn weight(&self) -> u64 {
        MeanEncoder::weight(self)
    }

    /// Its word vectors are counted by their own handle.
    fn memory(&self) -> u64 {
        MeanEncoder::weight(self)
    }
}

impl MeanEncoderHandle {
    fn new(encoder: MeanEncoder) -> Self {
        Self(Held::new(Arc::new(encoder)))
    }
}

#[napi]
impl MeanEncoderHandle {
    #[napi(getter)]
    pub fn dimensions(&self) -> napi::Result<u32> {
        Ok(self.0.get()?.dimensions() as u32)
    }

    #[napi]
    pub fn options(&self) -> napi::Result<MeanEncoderSpec> {
        Ok(MeanEncoderSpec::of(self.0.get()?.options()))
    }

    /// What is taken away from each vector.
    #[napi]
    pub fn component(&self) -> napi::Result<Option<Float32Array>> {
        Ok(self.0.get()?.component().map(|component| component.to_vec().into()))
    }

    /// What a word weighs.
    #[napi]
    pub fn weight_of(&self, word: String) -> napi::Result<f64> {
        Ok(f64::from(self.0.get()?.weight_of(word.as_bytes())))
    }
}

/// Makes an encoder of word vectors, or of a model that has vectors of any word.
#[napi(ts_args_type = "source: VectorsHandle | FastTextHandle, spec: MeanEncoderSpec, \
frequencies: CorpusHandle | undefined, documents: FrequenciesHandle | undefined, run: RunSpec, \
events: Events<MeanEncoderHandle>")]
pub fn make_mean_encoder(
    env: &Env,
    source: Either<ClassInstance<'_, VectorsHandle>, ClassInstance<'_, FastTextHandle>>,
    spec: MeanEncoderSpec,
    frequencies: Option<&CorpusHandle>,
    documents: Option<&FrequenciesHandle>,
    run: RunSpec,
    events: Events<'_, MeanEncoderHandle>,
) -> napi::Result<RunHandle> {
    let source: Arc<dyn WordSource> = match source {
        Either::A(vectors) => Arc::new(vectors.vectors()?),
        Either::B(model) => model.model()?,
    };
    let options = spec.options()?;
    let frequencies = frequencies.map(CorpusHandle::corpus).transpose()?;
    let documents = documents.map(|documents| documents.0.get().cloned()).transpose()?;
    launch(env, run, events, move |run| {
        let counts =
            frequencies.map(|corpus| (Arc::clone(corpus.names()), corpus.counts().to_vec()));
        let statistics = Statistics { counts, documents };
        MeanEncoder::new(source, options, &statistics, run).map(MeanEncoderHandle::new)
    })
}

/// The same encoder with the common direction of the stream's texts taken away.
#[napi(
    ts_args_type = "encoder: MeanEncoderHandle, stream: TextStream, run: RunSpec, events: Events<MeanEncoderHandle>"
)]
pub fn fit_mean_encoder(
    env: &Env,
    encoder: &MeanEncoderHandle,
    stream: &mut TextStream,
    run: RunSpec,
    events: Events<'_, MeanEncoderHandle>,
) -> napi::Result<RunHandle> {
    let (encoder, pieces) = (Arc::clone(encoder.0.get()?), stream.pieces()?);
    launch_fed(env, run, events, move |run, ask| {
        let fit = |batches| encoder.without_common_component(batches, run);
        pieces.feed(run, ask, fit).map(MeanEncoderHandle::new)
    })
}

/// Opens a file that `save_mean_encoder` wrote.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<MeanEncoderHandle>")]
pub fn open_mean_encoder(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, MeanEncoderHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |run| MeanEncoder::open(&path, run).map(MeanEncoderHandle::new))
}

/// Writes an encoder to a file.
#[napi(
    ts_args_type = "encoder: MeanEncoderHandle, path: string, run: RunSpec, events: Events<void>"
)]
pub fn save_mean_encoder(
    env: &Env,
    encoder: &MeanEncoderHandle,
    path: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (encoder, path) = (Arc::clone(encoder.0.get()?), PathBuf::from(path));
    launch(env, run, events, move |run| encoder.save(&path, run))
}

/// Rows, end to end, and how many words of each text have a vector.
#[napi(object, object_from_js = false)]
pub struct EncodedRows {
    pub values: Float32Array,
    pub known: Uint32Array,
}

impl From<Encoded> for EncodedRows {
    fn from(encoded: Encoded) -> Self {
        Self { values: encoded.values.into(), known: encoded.known.into() }
    }
}

/// Encodes the texts of a stream.
#[napi(
    ts_args_type = "encoder: MeanEncoderHandle, stream: TextStream, run: RunSpec, events: Events<EncodedRows>"
)]
pub fn encode_mean_stream(
    env: &Env,
    encoder: &MeanEncoderHandle,
    stream: &mut TextStream,
    run: RunSpec,
    events: Events<'_, EncodedRows>,
) -> napi::Result<RunHandle> {
    let (encoder, pieces) = (Arc::clone(encoder.0.get()?), stream.pieces()?);
    launch_fed(env, run, events, move |run, ask| {
        pieces.feed(run, ask, |batches| encoder.encode(batches, run)).map(EncodedRows::from)
    })
}

/// Encodes a few texts at once.
#[napi(
    ts_args_type = "encoder: MeanEncoderHandle, texts: readonly string[], events: Events<EncodedRows>"
)]
pub fn encode_mean_texts(
    env: &Env,
    encoder: &MeanEncoderHandle,
    texts: Vec<String>,
    events: Events<'_, EncodedRows>,
) -> napi::Result<RunHandle> {
    let encoder = Arc::clone(encoder.0.get()?);
    let priority = if texts.len() == 1 { Priority::Query } else { Priority::Batch };
    serve(env, priority, events, move |workers| {
        encoder.encode_now(&texts, workers).map(EncodedRows::from)
    })
}

/// Sentences of documents, what they weigh, and where those of each document end.
#[napi(object, object_from_js = false)]
pub struct SentencesOfDocuments {
    pub sentences: Vec<String>,
    pub weights: Float32Array,
    pub ends: Uint32Array,
}

/// Splits documents.
#[napi(ts_args_type = "documents: readonly string[], lines: boolean, \
weights: 'equal' | 'length' | 'position' | 'tf-idf', \
frequencies: FrequenciesHandle | undefined, spec: SplitSpec, \
events: Events<SentencesOfDocuments>")]
pub fn split_documents(
    env: &Env,
    documents: Vec<String>,
    lines: bool,
    weights: String,
    frequencies: Option<&FrequenciesHandle>,
    spec: SplitSpec,
    events: Events<'_, SentencesOfDocuments>,
) -> napi::Result<RunHandle> {
    let splitter = spec.splitter()?;
    let weights = match (weights.as_str(), frequencies) {
        ("equal", _) => SentenceWeights::Equal,
        ("length", _) => SentenceWeights::Length,
        ("position", _) => SentenceWeights::Position,
        ("tf-idf", Some(frequencies)) => SentenceWeights::TfIdf(Arc::clone(frequencies.0.get()?)),
        _ => return Err(refuse(format!("no such weights: {weights}"))),
    };
    serve(env, Priority::Batch, events, move |workers| {
        let found = split(&documents, lines, &weights, splitter, workers)?;
        Ok(SentencesOfDocuments {
            sentences: found.sentences,
            weights: found.weights.into(),
            ends: found.ends.into(),
        })
    })
}

/// The weighted mean of each group of rows; group i ends before row `ends[i]`.
#[napi(
    ts_args_type = "rows: Float32Array, dimensions: number, weights: Float32Array, ends: Uint32Array, events: Events<EncodedRows>"
)]
pub fn mean_rows(
    env: &Env,
    rows: Float32ArraySlice<'_>,
    dimensions: u32,
    weights: Float32ArraySlice<'_>,
    ends: Uint32ArraySlice<'_>,
    events: Events<'_, EncodedRows>,
) -> napi::Result<RunHandle> {
    let (rows, weights, ends) = (rows.to_vec(), weights.to_vec(), ends.to_vec());
    serve(env, Priority::Batch, events, move |workers| {
        means_of_rows(&rows, dimensions as usize, &weights, &ends, workers).map(EncodedRows::from)
    })
}

/// The cosine of two rows of the same length; 0 if one of them is zero.
#[napi]
pub fn cosine_of_rows(a: Float32ArraySlice<'_>, b: Float32ArraySlice<'_>) -> f64 {
    let product = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    let lengths = (product(&a, &a) * product(&b, &b)).sqrt();
    if lengths > 0.0 { (product(&a, &b) / lengths).clamp(-1.0, 1.0) } else { 0.0 }
}
