//! N-gram language models: estimated, opened, saved; sentences scored, foretold and drawn.

use std::path::PathBuf;
use std::sync::Arc;

use inlay_base::{Error, Priority, Random, Run};
use inlay_language::{
    Context, Drawing, END, Evaluation, Model, Room, Scorer, Smoothing, Spelling, State, UNKNOWN,
    Vocabulary,
};
use napi::Env;
use napi::bindgen_prelude::{Float64Array, Uint8Array, Uint32Array};
use napi_derive::napi;

use crate::corpus::CorpusHandle;
use crate::glove::RoomSpec;
use crate::held::{Held, Weighty, handle};
use crate::names::{NamesHandle, WordBlock};
use crate::run::{Events, RunHandle, RunSpec, launch};
use crate::sentences::SplitSpec;
use crate::serve::serve;

/// How a model is estimated.
#[napi(object, object_to_js = false)]
pub struct SmoothingSpec {
    /// What n-grams of each order must occur more often than.
    #[napi(ts_type = "readonly number[]")]
    pub prune: Vec<u32>,
    /// Of counts 1, 2, and 3 and more, where the text has none of its own.
    #[napi(ts_type = "readonly number[] | undefined")]
    pub discount_fallback: Option<Vec<f64>>,
    pub min_count: f64,
    #[napi(ts_type = "number | undefined")]
    pub max_vocabulary: Option<u32>,
}

/// How a model was estimated.
#[napi(object, object_from_js = false)]
pub struct EstimationFigures {
    pub prune: Vec<u32>,
    /// Of counts 1, 2, and 3 and more, by order.
    pub discounts: Vec<Vec<f64>>,
    pub min_count: f64,
    pub max_vocabulary: Option<f64>,
}

/// Scores of texts.
#[napi(object, object_from_js = false)]
pub struct EvaluationFigures {
    pub words: f64,
    pub sentences: f64,
    pub unknown: f64,
    pub log_probability: f64,
    pub log_probability_of_known: f64,
}

impl From<Evaluation> for EvaluationFigures {
    fn from(found: Evaluation) -> Self {
        Self {
            words: found.words as f64,
            sentences: found.sentences as f64,
            unknown: found.unknown as f64,
            log_probability: found.probability,
            log_probability_of_known: found.probability_of_known,
        }
    }
}

/// Scores of the words of a sentence, its end last where it has one.
#[napi(object, object_from_js = false)]
pub struct ScoredWords {
    pub words: WordBlock,
    pub log_probabilities: Float64Array,
    pub orders: Uint8Array,
    pub unknown: Uint8Array,
}

/// Scores of sentences.
#[napi(object, object_from_js = false)]
pub struct ScoredSentences {
    pub log_probabilities: Float64Array,
    /// Words and ends.
    pub words: Uint32Array,
    pub unknown: Uint32Array,
}

/// Words that may come next.
#[napi(object, object_from_js = false)]
pub struct NextWords {
    pub words: WordBlock,
    pub log_probabilities: Float64Array,
}

/// A sentence: its text, to be split, or its words.
type Sentence = napi::Either<String, Vec<String>>;

/// An n-gram language model.
#[napi(custom_finalize)]
pub struct NgramHandle(Held<Arc<Model>>);

handle!(NgramHandle);

impl Weighty for Arc<Model> {
    fn weight(&self) -> u64 {
        Model::weight(self)
    }

    fn memory(&self) -> u64 {
        if self.is_mapped() { 0 } else { Model::weight(self) }
    }
}

impl NgramHandle {
    fn new(model: Model) -> Self {
        Self(Held::new(Arc::new(model)))
    }
}

#[napi]
impl NgramHandle {
    #[napi]
    pub fn names(&self) -> napi::Result<NamesHandle> {
        Ok(NamesHandle::new(self.0.get()?.names()))
    }

    /// N-grams of each order, from 1 on.
    #[napi]
    pub fn ngrams(&self) -> napi::Result<Vec<f64>> {
        Ok(self.0.get()?.ngrams().iter().map(|&count| count as f64).collect())
    }

    /// Bits of a value, if they were quantized.
    #[napi]
    pub fn quantization(&self) -> napi::Result<Option<u32>> {
        Ok(self.0.get()?.quantization())
    }

    /// How sentences become words.
    #[napi]
    pub fn spelling(&self) -> napi::Result<SplitSpec> {
        let Spelling { tokenizer, lowercase, normalization } = self.0.get()?.spelling();
        Ok(SplitSpec::of(tokenizer, lowercase, normalization))
    }

    /// How it was estimated, if it says.
    #[napi]
    pub fn estimation(&self) -> napi::Result<Option<EstimationFigures>> {
        Ok(self.0.get()?.estimation().map(|estimation| EstimationFigures {
            prune: estimation.prune.clone(),
            discounts: estimation
                .discounts
                .iter()
                .map(|discounts| discounts.iter().map(|&discount| f64::from(discount)).collect())
                .collect(),
            min_count: estimation.min_count as f64,
            max_vocabulary: estimation.max_vocabulary.map(|most| most as f64),
        }))
    }

    /// Scores each word of a sentence.
    #[napi(ts_args_type = "sentence: string | readonly string[], begin: boolean, end: boolean")]
    pub fn score(&self, sentence: Sentence, begin: bool, end: bool) -> napi::Result<ScoredWords> {
        let model = self.0.get()?;
        let (words, scorer) = (words_of(model, sentence), Scorer::new(model));
        let mut state = if begin { scorer.begin() } else { State::EMPTY };
        let mut numbers: Vec<u32> = words.iter().map(|word| model.number(word)).collect();
        numbers.extend(end.then_some(END));
        let scores: Vec<_> = numbers.iter().map(|&word| scorer.step(&mut state, word)).collect();
        let end: &[u8] = b"</s>";
        let names = words.iter().map(Vec::as_slice).chain(std::iter::once(end));
        let unknown: Vec<u8> = numbers.iter().map(|&word| u8::from(word == UNKNOWN)).collect();
        let logs: Vec<f64> = scores.iter().map(|score| f64::from(score.probability)).collect();
        let orders: Vec<u8> = scores.iter().map(|score| score.order).collect();
        Ok(ScoredWords {
            words: WordBlock::of(names.take(numbers.len())),
            log_probabilities: logs.into(),
            orders: orders.into(),
            unknown: unknown.into(),
        })
    }
}

fn words_of(model: &Model, sentence: Sentence) -> Vec<Vec<u8>> {
    let splitter = model.splitter();
    match sentence {
        napi::Either::A(text) => {
            let (mut spelled, mut words) = (Vec::new(), Vec::new());
            splitter.words(text.as_bytes(), &mut spelled, &mut words);
            words.into_iter().map(|range| spelled[range].to_vec()).collect()
        }
        napi::Either::B(words) => {
            words.iter().map(|word| splitter.word(word.as_bytes()).into_owned()).collect()
        }
    }
}

/// The words of a context by number.
fn numbers_of(model: &Model, context: Sentence) -> Vec<u32> {
    words_of(model, context).iter().map(|word| model.number(word)).collect()
}

/// Estimates a model of a corpus.
#[napi(ts_args_type = "corpus: CorpusHandle, split: SplitSpec, spec: SmoothingSpec, \
room: RoomSpec, run: RunSpec, events: Events<NgramHandle>")]
pub fn train_ngrams(
    env: &Env,
    corpus: &CorpusHandle,
    split: SplitSpec,
    spec: SmoothingSpec,
    room: RoomSpec,
    run: RunSpec,
    events: Events<'_, NgramHandle>,
) -> napi::Result<RunHandle> {
    let (corpus, spelling, room) = (corpus.corpus()?, spelling(&split)?, room_of(room));
    let vocabulary = Vocabulary {
        min_count: spec.min_count as u64,
        most: spec.max_vocabulary.map(|most| most as usize),
    };
    let fallback = spec.discount_fallback.map(|given| {
        std::array::from_fn(|i| given.get(i).or(given.last()).map_or(0.0, |&value| value as f32))
    });
    let smoothing = Smoothing { order: spec.prune.len(), thresholds: spec.prune, fallback };
    launch(env, run, events, move |run| {
        Model::estimate(&corpus, vocabulary, &smoothing, spelling, &room, run).map(NgramHandle::new)
    })
}

fn spelling(split: &SplitSpec) -> napi::Result<Spelling> {
    let (tokenizer, normalization) = split.read()?;
    Ok(Spelling { tokenizer, lowercase: split.lowercase, normalization })
}

fn room_of(spec: RoomSpec) -> Room {
    Room::new(spec.memory as u64, spec.spool_directory.map(PathBuf::from))
}

/// Opens a file that `save_ngrams` wrote.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<NgramHandle>")]
pub fn open_ngrams(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, NgramHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |_| Model::open(&path).map(NgramHandle::new))
}

/// Reads an ARPA file.
#[napi(ts_args_type = "path: string, split: SplitSpec, room: RoomSpec, run: RunSpec, \
events: Events<NgramHandle>")]
pub fn open_arpa(
    env: &Env,
    path: String,
    split: SplitSpec,
    room: RoomSpec,
    run: RunSpec,
    events: Events<'_, NgramHandle>,
) -> napi::Result<RunHandle> {
    let (path, spelling, room) = (PathBuf::from(path), spelling(&split)?, room_of(room));
    launch(env, run, events, move |run| {
        Model::read_arpa(&path, spelling, &room, run).map(NgramHandle::new)
    })
}

/// Writes a model to a file, its values in so many bits if they are quantized.
#[napi(
    ts_args_type = "model: NgramHandle, path: string, quantization: number | undefined, run: RunSpec, events: Events<void>"
)]
pub fn save_ngrams(
    env: &Env,
    model: &NgramHandle,
    path: String,
    quantization: Option<u32>,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (model, path) = (Arc::clone(model.0.get()?), PathBuf::from(path));
    launch(env, run, events, move |run| model.save(&path, quantization, run))
}

/// Writes an ARPA file, with gzip where its name ends with `.gz`.
#[napi(ts_args_type = "model: NgramHandle, path: string, run: RunSpec, events: Events<void>")]
pub fn save_arpa(
    env: &Env,
    model: &NgramHandle,
    path: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (model, path) = (Arc::clone(model.0.get()?), PathBuf::from(path));
    launch(env, run, events, move |run| model.write_arpa(&path, run))
}

/// Scores a corpus, which has all its words.
#[napi(ts_args_type = "model: NgramHandle, corpus: CorpusHandle, run: RunSpec, \
events: Events<EvaluationFigures>")]
pub fn evaluate_ngrams(
    env: &Env,
    model: &NgramHandle,
    corpus: &CorpusHandle,
    run: RunSpec,
    events: Events<'_, EvaluationFigures>,
) -> napi::Result<RunHandle> {
    let (model, corpus) = (Arc::clone(model.0.get()?), corpus.corpus()?);
    launch(env, run, events, move |run| model.evaluate(&corpus, run).map(EvaluationFigures::from))
}

/// Scores sentences at once.
#[napi(
    ts_args_type = "model: NgramHandle, sentences: readonly (string | readonly string[])[], events: Events<ScoredSentences>"
)]
pub fn score_sentences(
    env: &Env,
    model: &NgramHandle,
    sentences: Vec<Sentence>,
    events: Events<'_, ScoredSentences>,
) -> napi::Result<RunHandle> {
    let model = Arc::clone(model.0.get()?);
    let priority = if sentences.len() == 1 { Priority::Query } else { Priority::Batch };
    serve(env, priority, events, move |workers| {
        let numbered: Vec<Vec<u32>> = sentences
            .into_iter()
            .map(|sentence| {
                let words = words_of(&model, sentence);
                let numbers = words.iter().map(|word| model.number(word));
                numbers.chain([END]).collect()
            })
            .collect();
        let found = model.evaluate_sentences(&numbered, workers)?;
        let logs: Vec<f64> = found.iter().map(|one| one.probability).collect();
        let words: Vec<u32> = found.iter().map(|one| one.words as u32).collect();
        let unknown: Vec<u32> = found.iter().map(|one| one.unknown as u32).collect();
        Ok(ScoredSentences {
            log_probabilities: logs.into(),
            words: words.into(),
            unknown: unknown.into(),
        })
    })
}

/// The likeliest words after a context.
#[napi(
    ts_args_type = "model: NgramHandle, context: string | readonly string[], begin: boolean, most: number, run: RunSpec, events: Events<NextWords>"
)]
#[allow(clippy::too_many_arguments)] // what JavaScript calls takes no struct of handles
pub fn next_words(
    env: &Env,
    model: &NgramHandle,
    context: Sentence,
    begin: bool,
    most: f64,
    run: RunSpec,
    events: Events<'_, NextWords>,
) -> napi::Result<RunHandle> {
    let model = Arc::clone(model.0.get()?);
    launch(env, run, events, move |run| {
        let words = numbers_of(&model, context);
        let context = Context { begin, words: &words };
        let found = model.likeliest(context, most as usize, run)?;
        let logs: Vec<f64> = found.iter().map(|&(_, log)| f64::from(log)).collect();
        let words = WordBlock::new(model.names(), found.iter().map(|&(word, _)| word));
        Ok(NextWords { words, log_probabilities: logs.into() })
    })
}

/// Draws texts that go on from a prompt; each is its own words, without the prompt.
#[napi(
    ts_args_type = "model: NgramHandle, prompt: string | readonly string[], texts: number, most: number, temperature: number, run: RunSpec, events: Events<string[][]>"
)]
#[allow(clippy::too_many_arguments)] // what JavaScript calls takes no struct of handles
pub fn generate_texts(
    env: &Env,
    model: &NgramHandle,
    prompt: Sentence,
    texts: u32,
    most: u32,
    temperature: f64,
    run: RunSpec,
    events: Events<'_, Vec<Vec<String>>>,
) -> napi::Result<RunHandle> {
    let model = Arc::clone(model.0.get()?);
    let drawing = Drawing { most: most as usize, temperature };
    launch(env, run, events, move |run| {
        let words = numbers_of(&model, prompt);
        let context = Context { begin: true, words: &words };
        run.phase("generate", "texts", 0, Some(u64::from(texts)));
        let texts = (0..u64::from(texts)).map(|text| {
            let drawn = draw(&model, context, drawing, text, run)?;
            run.advance(1);
            Ok(drawn)
        });
        texts.collect()
    })
}

/// Every text has random numbers of its own.
fn draw(
    model: &Model,
    context: Context<'_>,
    drawing: Drawing,
    text: u64,
    run: &Run,
) -> Result<Vec<String>, Error> {
    let mut random = Random::new(run.seed(), text);
    let words = model.draw(context, drawing, &mut random, run)?;
    let name = |&word: &u32| String::from_utf8_lossy(model.names().get(word)).into_owned();
    Ok(words.iter().map(name).collect())
}
