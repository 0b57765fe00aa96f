//! Encoders of texts that are tables of tokens.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use inlay_base::{Error, Priority, Shared, lock};
use inlay_corpus::{Lesson, Source};
use inlay_words::static_encoder::{Encoded, Rule, StaticEncoder, Wanted, Weights, distill};
use napi::Env;
use napi::bindgen_prelude::{Float32Array, Float32ArraySlice, Uint8Array, Uint32Array};
use napi_derive::napi;

use crate::held::{Held, Weighty, handle};
use crate::numbered::NumberedTexts;
use crate::run::{Events, RunHandle, RunSpec, launch, launch_fed, refuse};
use crate::serve::serve;
use crate::stream::TextStream;
use crate::subwords::{SubwordHandle, TokenizedTexts};

/// An encoder.
#[napi(custom_finalize)]
pub struct StaticHandle(Held<Arc<StaticEncoder>>);

handle!(StaticHandle);

impl Weighty for Arc<StaticEncoder> {
    fn weight(&self) -> u64 {
        self.table().weight().0 + 200 * self.subwords().size() as u64
    }

    fn memory(&self) -> u64 {
        self.table().weight().1 + 200 * self.subwords().size() as u64
    }
}

#[napi]
impl StaticHandle {
    #[napi(getter)]
    pub fn dimensions(&self) -> napi::Result<u32> {
        Ok(self.0.get()?.table().dimensions() as u32)
    }

    /// Tokens of a text at most; none: all of them.
    #[napi(getter)]
    pub fn limit(&self) -> napi::Result<Option<u32>> {
        Ok(u32::try_from(self.0.get()?.rule().limit).ok())
    }

    /// Bytes of the rows and what belongs to them, copied, as if they lay end to end; fewer at their end.
    #[napi]
    pub fn bytes(&self, from: f64, length: u32) -> napi::Result<Uint8Array> {
        let (mut from, mut bytes) = (from as usize, Vec::new());
        for part in self.0.get()?.table().parts() {
            let here = from.min(part.len())
                ..from.saturating_add(length as usize - bytes.len()).min(part.len());
            bytes.extend_from_slice(&part[here]);
            from = from.saturating_sub(part.len());
        }
        Ok(bytes.into())
    }
}

/// Encoders that are opened once for all threads.
static SHARED: Shared<StaticEncoder> = Shared::new();

/// Opens a tokenizer and a file of rows; `limit` is 0 for what the tokenizer's file says, and `0xffff_ffff` for none.
#[napi(
    ts_args_type = "tokenizer: string, rows: string, limit: number, model2vec: boolean, run: RunSpec, events: Events<StaticHandle>"
)]
pub fn open_static(
    env: &Env,
    tokenizer: String,
    rows: String,
    limit: u32,
    model2vec: bool,
    run: RunSpec,
    events: Events<'_, StaticHandle>,
) -> napi::Result<RunHandle> {
    let files = [PathBuf::from(tokenizer), PathBuf::from(rows)];
    launch(env, run, events, move |_| {
        let said = format!("{limit} {model2vec}");
        let open = || StaticEncoder::open(&files[0], &files[1], read_limit(limit), model2vec);
        SHARED.get(&[&said], &files, open).map(|encoder| StaticHandle(Held::new(encoder)))
    })
}

fn read_limit(limit: u32) -> Option<usize> {
    match limit {
        0 => None,
        u32::MAX => Some(usize::MAX),
        limit => Some(limit as usize),
    }
}

/// What is wanted of vectors.
#[napi(object, object_to_js = false)]
pub struct WantedSpec {
    pub dimensions: u32,
    pub normalize: bool,
}

impl From<WantedSpec> for Wanted {
    fn from(WantedSpec { dimensions, normalize }: WantedSpec) -> Self {
        Self { dimensions: dimensions as usize, normalize }
    }
}

/// Vectors of texts, how many tokens each has, of how many its row is the mean, and which were not read to their end.
#[napi(object, object_from_js = false)]
pub struct EncodedTokens {
    pub values: Float32Array,
    pub tokens: Uint32Array,
    pub known: Uint32Array,
    pub truncated: Uint32Array,
}

impl From<Encoded> for EncodedTokens {
    fn from(Encoded { values, tokens, known, truncated }: Encoded) -> Self {
        Self {
            values: values.into(),
            tokens: tokens.into(),
            known: known.into(),
            truncated: truncated.into(),
        }
    }
}

/// Encodes the texts of a stream.
#[napi(
    ts_args_type = "encoder: StaticHandle, stream: TextStream, wanted: WantedSpec, run: RunSpec, events: Events<EncodedTokens>"
)]
pub fn encode_static_stream(
    env: &Env,
    encoder: &StaticHandle,
    stream: &mut TextStream,
    wanted: WantedSpec,
    run: RunSpec,
    events: Events<'_, EncodedTokens>,
) -> napi::Result<RunHandle> {
    let (encoder, pieces) = (Arc::clone(encoder.0.get()?), stream.pieces()?);
    let wanted = Wanted::from(wanted);
    launch_fed(env, run, events, move |run, ask| {
        let encode = |batches| encoder.encode(Source::Stream(batches), wanted, run);
        pieces.feed(run, ask, encode).map(EncodedTokens::from)
    })
}

/// Encodes a few texts at once.
#[napi(
    ts_args_type = "encoder: StaticHandle, texts: readonly string[], wanted: WantedSpec, events: Events<EncodedTokens>"
)]
pub fn encode_static_texts(
    env: &Env,
    encoder: &StaticHandle,
    texts: Vec<String>,
    wanted: WantedSpec,
    events: Events<'_, EncodedTokens>,
) -> napi::Result<RunHandle> {
    let (encoder, wanted) = (Arc::clone(encoder.0.get()?), Wanted::from(wanted));
    let priority = if texts.len() == 1 { Priority::Query } else { Priority::Batch };
    serve(env, priority, events, move |workers| {
        encoder.encode_now(&texts, wanted, workers).map(EncodedTokens::from)
    })
}

/// Writes the rows to a file, under this name, of 16 bits if they are `half`.
#[napi(
    ts_args_type = "encoder: StaticHandle, path: string, name: string, half: boolean, run: RunSpec, events: Events<void>"
)]
pub fn save_static(
    env: &Env,
    encoder: &StaticHandle,
    path: String,
    name: String,
    half: bool,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (encoder, path) = (Arc::clone(encoder.0.get()?), PathBuf::from(path));
    launch(env, run, events, move |_| encoder.table().save(&path, &name, half))
}

/// What a `tokenizer.json` of it holds.
#[napi(ts_args_type = "encoder: StaticHandle, run: RunSpec, events: Events<Uint8Array>")]
pub fn tokenizer_of_static(
    env: &Env,
    encoder: &StaticHandle,
    run: RunSpec,
    events: Events<'_, Uint8Array>,
) -> napi::Result<RunHandle> {
    let encoder = Arc::clone(encoder.0.get()?);
    launch(env, run, events, move |_| {
        let limit = encoder.rule().limit;
        let json = encoder.subwords().to_json((limit < usize::MAX).then_some(limit))?;
        Ok(json.into_bytes().into())
    })
}

/// A tokenizer's vocabulary that is to be learnt: taken once.
#[napi]
pub struct LessonHandle(Arc<Mutex<Option<Lesson>>>);

#[napi]
impl LessonHandle {
    /// The tokens, each as a text.
    #[napi]
    pub fn texts(&self) -> napi::Result<TokenizedTexts> {
        let lesson = lock(&self.0);
        let lesson = lesson.as_ref().ok_or_else(|| refuse("the lesson has been taken".into()))?;
        let NumberedTexts { ids, ends } = lesson.texts.texts.clone().into();
        Ok(TokenizedTexts { ids, ends, counts: lesson.texts.counts.clone().into() })
    }
}

/// The tokens of a tokenizer, and words that are to be tokens too.
#[napi(
    ts_args_type = "tokenizer: SubwordHandle, words: readonly string[], run: RunSpec, events: Events<LessonHandle>"
)]
pub fn lesson_of_tokens(
    env: &Env,
    tokenizer: &SubwordHandle,
    words: Vec<String>,
    run: RunSpec,
    events: Events<'_, LessonHandle>,
) -> napi::Result<RunHandle> {
    let subwords = tokenizer.shared()?;
    launch(env, run, events, move |run| {
        let lesson = subwords.lesson(&words, run)?;
        Ok(LessonHandle(Arc::new(Mutex::new(Some(lesson)))))
    })
}

/// How a table is made of vectors.
#[napi(object, object_to_js = false)]
pub struct DistillSpec {
    pub dimensions: u32,
    /// The a of a / (a + p); none: all weigh the same.
    pub smoothing: Option<f64>,
    /// Tokens of a text at most.
    pub limit: u32,
}

/// An encoder of a lesson's tokens, from their vectors.
#[napi(
    ts_args_type = "lesson: LessonHandle, values: Float32Array, spec: DistillSpec, run: RunSpec, events: Events<StaticHandle>"
)]
pub fn distill_static(
    env: &Env,
    lesson: &LessonHandle,
    values: Float32ArraySlice<'_>,
    spec: DistillSpec,
    run: RunSpec,
    events: Events<'_, StaticHandle>,
) -> napi::Result<RunHandle> {
    let (values, lesson) = (values.to_vec(), Arc::clone(&lesson.0));
    launch(env, run, events, move |run| {
        let lesson = lock(&lesson).take();
        let lesson = lesson.ok_or_else(|| Error::Internal("a lesson is taken once".into()))?;
        let weights = spec.smoothing.map_or(Weights::Equal, Weights::Zipf);
        let rule = Rule { limit: spec.limit as usize, model2vec: true };
        let encoder = distill(lesson, &values, spec.dimensions as usize, weights, rule, run)?;
        Ok(StaticHandle(Held::new(Arc::new(encoder))))
    })
}
