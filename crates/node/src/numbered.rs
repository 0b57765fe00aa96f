//! Texts as numbers of words, for networks.

use std::sync::Arc;

use inlay_corpus::{Masking, Numbered, Source, Splitter};
use inlay_formats::Names;
use napi::Env;
use napi::bindgen_prelude::{Float64Array, Int32Array, Uint32Array, Uint32ArraySlice};
use napi_derive::napi;

use crate::corpus::CorpusHandle;
use crate::held::{Held, Weighty, handle};
use crate::run::{Events, RunHandle, RunSpec, launch, launch_fed, refuse};
use crate::sentences::SplitSpec;
use crate::stream::TextStream;

/// Words with numbers, and how texts are split into them.
#[napi(custom_finalize)]
pub struct VocabularyHandle(Held<Known>);

handle!(VocabularyHandle);

#[derive(Clone)]
pub struct Known {
    names: Arc<Names>,
    splitter: Splitter,
}

impl Weighty for Known {
    fn weight(&self) -> u64 {
        self.names.weight()
    }

    fn memory(&self) -> u64 {
        self.weight()
    }
}

/// Words that become a vocabulary, as JavaScript brings them.
#[napi]
#[derive(Default)]
pub struct VocabularyBuilder(Vec<String>);

#[napi]
impl VocabularyBuilder {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next words.
    #[napi(ts_args_type = "words: readonly string[]")]
    pub fn add(&mut self, words: Vec<String>) {
        self.0.extend(words);
    }
}

/// The vocabulary of a builder's words, of which it has none afterwards: word i has the number i; of one that comes
/// twice, either.
#[napi(
    ts_args_type = "builder: VocabularyBuilder, spec: SplitSpec, run: RunSpec, events: Events<VocabularyHandle>"
)]
pub fn make_vocabulary(
    env: &Env,
    builder: &mut VocabularyBuilder,
    spec: SplitSpec,
    run: RunSpec,
    events: Events<'_, VocabularyHandle>,
) -> napi::Result<RunHandle> {
    let (words, splitter) = (std::mem::take(&mut builder.0), spec.splitter()?);
    launch(env, run, events, move |run| {
        let names = Names::checked(&words, &|| run.check())?;
        Ok(VocabularyHandle(Held::new(Known { names: Arc::new(names), splitter })))
    })
}

/// Texts as numbers of words.
#[napi(object, object_from_js = false)]
pub struct NumberedTexts {
    /// Of all texts, one after the other.
    pub ids: Uint32Array,
    /// Where each text ends.
    pub ends: Float64Array,
}

impl From<Numbered> for NumberedTexts {
    fn from(texts: Numbered) -> Self {
        let ends: Vec<f64> = texts.ends.into_iter().map(|end| end as f64).collect();
        Self { ids: texts.ids.into(), ends: ends.into() }
    }
}

/// The sentences of a corpus, whose word i has the number `numbers[i]`.
#[napi(
    ts_args_type = "corpus: CorpusHandle, numbers: Uint32Array, run: RunSpec, events: Events<NumberedTexts>"
)]
pub fn number_corpus(
    env: &Env,
    corpus: &CorpusHandle,
    numbers: Uint32ArraySlice<'_>,
    run: RunSpec,
    events: Events<'_, NumberedTexts>,
) -> napi::Result<RunHandle> {
    let (corpus, numbers) = (corpus.corpus()?, numbers.to_vec());
    launch(env, run, events, move |run| {
        Numbered::of_corpus(&corpus, &numbers, run).map(NumberedTexts::from)
    })
}

/// The texts of a stream; words that are not in the vocabulary have the number `unknown`.
#[napi(ts_args_type = "vocabulary: VocabularyHandle, stream: TextStream, unknown: number, \
run: RunSpec, events: Events<NumberedTexts>")]
pub fn number_texts(
    env: &Env,
    vocabulary: &VocabularyHandle,
    stream: &mut TextStream,
    unknown: u32,
    run: RunSpec,
    events: Events<'_, NumberedTexts>,
) -> napi::Result<RunHandle> {
    let (Known { names, splitter }, pieces) = (vocabulary.0.get()?.clone(), stream.pieces()?);
    launch_fed(env, run, events, move |run, ask| {
        let number =
            |batches| Numbered::of_texts(Source::Stream(batches), &names, splitter, unknown, run);
        pieces.feed(run, ask, number).map(NumberedTexts::from)
    })
}

/// Words with those before them.
#[napi(object, object_from_js = false)]
pub struct WordsInContext {
    /// [words, length]
    pub contexts: Uint32Array,
    /// [words]
    pub next: Uint32Array,
}

/// Every word of every text and its end, with the `length` words before it; `begin` stands before a text.
#[napi(ts_args_type = "ids: Uint32Array, ends: Float64Array, length: number, begin: number, \
end: number, run: RunSpec, events: Events<WordsInContext>")]
#[allow(clippy::too_many_arguments)]
pub fn words_in_context(
    env: &Env,
    ids: Uint32Array,
    ends: Float64Array,
    length: u32,
    begin: u32,
    end: u32,
    run: RunSpec,
    events: Events<'_, WordsInContext>,
) -> napi::Result<RunHandle> {
    let texts = texts(&ids, &ends)?;
    launch(env, run, events, move |run| {
        let (contexts, next) = texts.contexts(length as usize, (begin, end), run)?;
        Ok(WordsInContext { contexts: contexts.into(), next: next.into() })
    })
}

fn texts(ids: &Uint32Array, ends: &Float64Array) -> napi::Result<Numbered> {
    let ends = ends.iter().map(|&end| end as usize).collect();
    let texts = Numbered { ids: ids.to_vec(), ends };
    match texts.ends.last().is_none_or(|&last| last <= texts.ids.len()) && texts.ends.is_sorted() {
        true => Ok(texts),
        false => Err(refuse("ends of texts beyond their ids".into())),
    }
}

/// Which words are hidden.
#[napi(object, object_to_js = false)]
pub struct MaskingSpec {
    pub share: f64,
    /// The number of what stands for them.
    pub mask: u32,
    /// The first number of a word,
    pub first: u32,
    /// and how many numbers there are.
    pub words: u32,
    pub copies: u32,
    /// The most words of a text.
    pub most: u32,
}

/// Texts with hidden words.
#[napi(object, object_from_js = false)]
pub struct MaskedTexts {
    pub ids: Uint32Array,
    pub ends: Float64Array,
    /// The hidden word at each place, or -1.
    pub targets: Int32Array,
}

/// Texts so many times, each time with other words hidden.
#[napi(ts_args_type = "ids: Uint32Array, ends: Float64Array, spec: MaskingSpec, run: RunSpec, \
events: Events<MaskedTexts>")]
pub fn mask_texts(
    env: &Env,
    ids: Uint32Array,
    ends: Float64Array,
    spec: MaskingSpec,
    run: RunSpec,
    events: Events<'_, MaskedTexts>,
) -> napi::Result<RunHandle> {
    let texts = texts(&ids, &ends)?;
    let MaskingSpec { share, mask, first, words, copies, most } = spec;
    let (copies, most) = (copies as usize, most as usize);
    let how = Masking { share: share as f32, mask, first, words, copies, most };
    launch(env, run, events, move |run| {
        let (hidden, wanted) = texts.masked(how, run)?;
        let targets: Vec<i32> = wanted.into_iter().map(|word| word as i32).collect();
        let NumberedTexts { ids, ends } = hidden.into();
        Ok(MaskedTexts { ids, ends, targets: targets.into() })
    })
}
