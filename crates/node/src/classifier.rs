//! Text classifiers: trained, opened, saved, asked.

use std::path::PathBuf;
use std::sync::Arc;

use inlay_base::Priority;
use inlay_words::classifier::{
    Cutoff, Figure, Loss, Metric, Model, Options, Quantization, Retraining, Tally,
    check_validation as check, train,
};
use napi::Env;
use napi::bindgen_prelude::{Float32Array, Float64Array, Uint32Array};
use napi_derive::napi;

use crate::choice;
use crate::corpus::CorpusHandle;
use crate::held::{Held, Weighty, handle};
use crate::names::NamesHandle;
use crate::run::{Events, RunHandle, RunSpec, launch, refuse};
use crate::serve::{at_once, serve};
use crate::vectors::VectorsHandle;

const LOSSES: [(&str, Loss); 4] = [
    ("softmax", Loss::Softmax),
    ("hierarchical-softmax", Loss::HierarchicalSoftmax),
    ("negative-sampling", Loss::NegativeSampling),
    ("one-versus-all", Loss::OneVsAll),
];

/// How a classifier is trained.
#[napi(object, object_to_js = false)]
pub struct ClassifierSpec {
    #[napi(
        ts_type = "'softmax' | 'hierarchical-softmax' | 'negative-sampling' | 'one-versus-all'"
    )]
    pub loss: String,
    pub dimensions: u32,
    pub epochs: u32,
    pub learning_rate: f64,
    pub word_ngrams: u32,
    pub minn: u32,
    pub maxn: u32,
    pub bucket: u32,
    pub min_count: f64,
    pub min_count_label: f64,
    pub negative: u32,
    pub label_prefix: String,
    /// Labels, and the weight of each.
    #[napi(ts_type = "readonly string[]")]
    pub weighted_labels: Vec<String>,
    #[napi(ts_type = "readonly number[]")]
    pub weights: Vec<f64>,
}

impl ClassifierSpec {
    fn options(self) -> napi::Result<Options> {
        let labels = self.weighted_labels.into_iter().map(String::into_bytes);
        let weights = self.weights.into_iter().map(|weight| weight as f32);
        Ok(Options {
            loss: choice(&self.loss, &LOSSES)?,
            dimensions: self.dimensions as usize,
            epochs: self.epochs as usize,
            learning_rate: self.learning_rate,
            word_ngrams: self.word_ngrams,
            minn: self.minn,
            maxn: self.maxn,
            bucket: self.bucket,
            min_count: self.min_count as u64,
            min_count_label: self.min_count_label as u64,
            negative: self.negative as usize,
            label_prefix: self.label_prefix.into_bytes(),
            class_weights: labels.zip(weights).collect(),
        })
    }
}

/// How a classifier was trained, as far as its file says.
#[napi(object, object_from_js = false)]
pub struct ClassifierShape {
    #[napi(
        ts_type = "'softmax' | 'hierarchical-softmax' | 'negative-sampling' | 'one-versus-all'"
    )]
    pub loss: &'static str,
    pub dimensions: u32,
    pub epochs: u32,
    pub word_ngrams: u32,
    pub minn: u32,
    pub maxn: u32,
    pub bucket: u32,
    pub min_count: u32,
    pub negative: u32,
}

/// A trained classifier.
#[napi(custom_finalize)]
pub struct ClassifierHandle(Held<Arc<Model>>);

handle!(ClassifierHandle);

impl Weighty for Arc<Model> {
    fn weight(&self) -> u64 {
        Model::memory(self)
    }

    fn memory(&self) -> u64 {
        Model::memory(self)
    }
}

/// Labels of one text, likeliest first.
#[napi(object, object_from_js = false)]
pub struct Said {
    pub labels: Vec<u32>,
    pub probabilities: Vec<f64>,
}

impl ClassifierHandle {
    fn new(model: Model) -> Self {
        Self(Held::new(Arc::new(model)))
    }
}

#[napi]
impl ClassifierHandle {
    /// Without their prefix, by number.
    #[napi]
    pub fn labels(&self) -> napi::Result<Vec<String>> {
        let model = self.0.get()?;
        Ok(model.labels().map(|label| String::from_utf8_lossy(label).into_owned()).collect())
    }

    #[napi]
    pub fn words(&self) -> napi::Result<NamesHandle> {
        let words = self.0.get()?.words().map_err(|error| refuse(error.to_string()))?;
        Ok(NamesHandle::new(&words))
    }

    /// Mean loss of each epoch; empty for a model that was opened.
    #[napi]
    pub fn losses(&self) -> napi::Result<Vec<f64>> {
        Ok(self.0.get()?.losses().to_vec())
    }

    #[napi]
    pub fn is_quantized(&self) -> napi::Result<bool> {
        Ok(self.0.get()?.is_quantized())
    }

    #[napi]
    pub fn shape(&self) -> napi::Result<ClassifierShape> {
        let args = self.0.get()?.args();
        let loss = LOSSES.iter().find(|(_, loss)| *loss == args.loss);
        Ok(ClassifierShape {
            loss: loss.map_or("softmax", |(name, _)| name),
            dimensions: args.dimensions as u32,
            epochs: args.epochs,
            word_ngrams: args.word_ngrams,
            minn: args.minn,
            maxn: args.maxn,
            bucket: args.bucket,
            min_count: args.min_count,
            negative: args.negative,
        })
    }

    /// The likeliest labels of a text; at once, since it takes microseconds.
    #[napi]
    pub fn predict(&self, text: String, top: u32, threshold: f64) -> napi::Result<Said> {
        let model = self.0.get()?;
        let said = at_once(|| model.predict(text.as_bytes(), top as usize, threshold as f32))?;
        Ok(Said {
            labels: said.iter().map(|said| said.0).collect(),
            probabilities: said.iter().map(|said| f64::from(said.1)).collect(),
        })
    }

    /// The mean of the rows of a text.
    #[napi]
    pub fn sentence_vector(&self, text: String) -> napi::Result<Float32Array> {
        let model = self.0.get()?;
        at_once(|| Ok(model.sentence_vector(text.as_bytes()))).map(Float32Array::new)
    }
}

/// Trains on a corpus that was read with every word.
#[napi(ts_args_type = "corpus: CorpusHandle, spec: ClassifierSpec, \
initial: VectorsHandle | undefined, run: RunSpec, events: Events<ClassifierHandle>")]
pub fn train_classifier(
    env: &Env,
    corpus: &CorpusHandle,
    spec: ClassifierSpec,
    initial: Option<&VectorsHandle>,
    run: RunSpec,
    events: Events<'_, ClassifierHandle>,
) -> napi::Result<RunHandle> {
    let (corpus, options) = (corpus.corpus()?, spec.options()?);
    let initial = initial.map(VectorsHandle::vectors).transpose()?;
    launch(env, run, events, move |run| {
        train(&corpus, &options, initial.as_ref(), run).map(ClassifierHandle::new)
    })
}

/// Opens a `.bin` or `.ftz` file.
#[napi(
    ts_args_type = "path: string, labelPrefix: string, run: RunSpec, events: Events<ClassifierHandle>"
)]
pub fn open_classifier(
    env: &Env,
    path: String,
    label_prefix: String,
    run: RunSpec,
    events: Events<'_, ClassifierHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |_| {
        Model::open(&path, label_prefix.as_bytes()).map(ClassifierHandle::new)
    })
}

/// Writes a model to a file that fastText opens.
#[napi(ts_args_type = "model: ClassifierHandle, path: string, run: RunSpec, events: Events<void>")]
pub fn save_classifier(
    env: &Env,
    model: &ClassifierHandle,
    path: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (model, path) = (Arc::clone(model.0.get()?), PathBuf::from(path));
    launch(env, run, events, move |run| model.save(&path, run))
}

/// How a model is made small.
#[napi(object, object_to_js = false)]
pub struct QuantizationSpec {
    #[napi(ts_type = "number | undefined")]
    pub cutoff: Option<u32>,
    /// Bytes of the file, instead of a cutoff.
    #[napi(ts_type = "number | undefined")]
    pub model_size: Option<f64>,
    pub dsub: u32,
    pub qnorm: bool,
    pub qout: bool,
    #[napi(ts_type = "number | undefined")]
    pub epochs: Option<u32>,
    #[napi(ts_type = "number | undefined")]
    pub learning_rate: Option<f64>,
}

/// Makes a small model of a large one; with a corpus what is kept is trained further on it.
#[napi(
    ts_args_type = "model: ClassifierHandle, spec: QuantizationSpec, retrain: CorpusHandle | undefined, \
run: RunSpec, events: Events<ClassifierHandle>"
)]
pub fn quantize_classifier(
    env: &Env,
    model: &ClassifierHandle,
    spec: QuantizationSpec,
    retrain: Option<&CorpusHandle>,
    run: RunSpec,
    events: Events<'_, ClassifierHandle>,
) -> napi::Result<RunHandle> {
    let model = Arc::clone(model.0.get()?);
    let corpus = retrain.map(CorpusHandle::corpus).transpose()?;
    let rows = spec.cutoff.map(|cutoff| Cutoff::Rows(cutoff as usize));
    let how = Quantization {
        cutoff: spec.model_size.map(|bytes| Cutoff::Bytes(bytes as u64)).or(rows),
        width: spec.dsub as usize,
        norms: spec.qnorm,
        output: spec.qout,
    };
    launch(env, run, events, move |run| {
        let retraining = corpus.as_ref().map(|corpus| Retraining {
            corpus,
            epochs: spec.epochs.map(|epochs| epochs as usize),
            learning_rate: spec.learning_rate,
        });
        model.quantize(&how, retraining.as_ref(), run).map(ClassifierHandle::new)
    })
}

/// Labels of many texts: those of text `i` lie from `ends[i - 1]` to `ends[i]`.
#[napi(object, object_from_js = false)]
pub struct SaidOfAll {
    pub labels: Uint32Array,
    pub probabilities: Float32Array,
    pub ends: Uint32Array,
}

/// The likeliest labels of many texts.
#[napi(
    ts_args_type = "model: ClassifierHandle, texts: string[], top: number, threshold: number, events: Events<SaidOfAll>"
)]
pub fn predict_labels(
    env: &Env,
    model: &ClassifierHandle,
    texts: Vec<String>,
    top: u32,
    threshold: f64,
    events: Events<'_, SaidOfAll>,
) -> napi::Result<RunHandle> {
    let model = Arc::clone(model.0.get()?);
    let texts: Vec<_> = texts.into_iter().map(String::into_bytes).collect();
    serve(env, Priority::Batch, events, move |workers| {
        let said = model.predict_all(&texts, top as usize, threshold as f32, workers)?;
        let (mut labels, mut probabilities, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for said in said {
            labels.extend(said.iter().map(|said| said.0));
            probabilities.extend(said.iter().map(|said| said.1));
            ends.push(labels.len() as u32);
        }
        let (labels, ends) = (labels.into(), ends.into());
        Ok(SaidOfAll { labels, probabilities: probabilities.into(), ends })
    })
}

/// How predictions came out: of all labels, and of each by its number.
#[napi(object, object_from_js = false)]
pub struct ClassifierScores {
    pub examples: f64,
    /// Expected, predicted, right; precision, recall, F1: of all labels together first.
    pub figures: Float64Array,
}

/// Compares predictions with the labels of a corpus that was read with every word.
#[napi(
    ts_args_type = "model: ClassifierHandle, corpus: CorpusHandle, top: number, threshold: number, run: RunSpec, events: Events<ClassifierScores>"
)]
pub fn evaluate_classifier(
    env: &Env,
    model: &ClassifierHandle,
    corpus: &CorpusHandle,
    top: u32,
    threshold: f64,
    run: RunSpec,
    events: Events<'_, ClassifierScores>,
) -> napi::Result<RunHandle> {
    let (model, corpus) = (Arc::clone(model.0.get()?), corpus.corpus()?);
    launch(env, run, events, move |run| {
        let scores = model.evaluate(&corpus, top as usize, threshold as f32, run)?;
        let figures = |tally: &Tally| {
            let counts = [tally.expected, tally.predicted, tally.right].map(|count| count as f64);
            let rates = [tally.precision(), tally.recall(), tally.f1()];
            [counts, rates].concat()
        };
        let overall = scores.overall();
        let all = std::iter::once(&overall).chain(&scores.labels).flat_map(figures);
        let figures = all.collect::<Vec<_>>().into();
        Ok(ClassifierScores { examples: scores.examples as f64, figures })
    })
}

/// One number to choose a model by.
#[napi(object, object_to_js = false)]
pub struct MetricSpec {
    #[napi(ts_type = "'f1' | 'precision-at-recall' | 'recall-at-precision'")]
    pub metric: String,
    /// The recall or precision that must be reached.
    #[napi(ts_type = "number | undefined")]
    pub metric_at: Option<f64>,
    /// Without its prefix; all labels without.
    #[napi(ts_type = "string | undefined")]
    pub metric_label: Option<String>,
    pub top_k: u32,
}

/// What a model is worth on a corpus that was read with every word.
#[napi(
    ts_args_type = "model: ClassifierHandle, corpus: CorpusHandle, spec: MetricSpec, run: RunSpec, events: Events<number>"
)]
pub fn score_classifier(
    env: &Env,
    model: &ClassifierHandle,
    corpus: &CorpusHandle,
    spec: MetricSpec,
    run: RunSpec,
    events: Events<'_, f64>,
) -> napi::Result<RunHandle> {
    let (model, corpus) = (Arc::clone(model.0.get()?), corpus.corpus()?);
    let at = spec.metric_at.unwrap_or(0.0);
    let figures = [
        ("f1", Figure::F1),
        ("precision-at-recall", Figure::PrecisionAtRecall(at)),
        ("recall-at-precision", Figure::RecallAtPrecision(at)),
    ];
    let metric = Metric {
        figure: choice(&spec.metric, &figures)?,
        label: spec.metric_label.map(String::into_bytes),
        top: spec.top_k as usize,
    };
    launch(env, run, events, move |run| model.score(&corpus, &metric, run))
}

/// Which labels a training will have, and which of them counts.
#[napi(object, object_to_js = false)]
pub struct ValidationSpec {
    pub label_prefix: String,
    pub min_count_label: f64,
    /// Without its prefix; all labels without.
    #[napi(ts_type = "string | undefined")]
    pub metric_label: Option<String>,
}

/// Whether a validation can tell models apart; gives the number of labels that they will have.
#[napi(
    ts_args_type = "training: CorpusHandle, validation: CorpusHandle, spec: ValidationSpec, run: RunSpec, events: Events<number>"
)]
pub fn check_validation(
    env: &Env,
    training: &CorpusHandle,
    validation: &CorpusHandle,
    spec: ValidationSpec,
    run: RunSpec,
    events: Events<'_, f64>,
) -> napi::Result<RunHandle> {
    let (training, validation) = (training.corpus()?, validation.corpus()?);
    launch(env, run, events, move |run| {
        let label = spec.metric_label.as_deref().map(str::as_bytes);
        let (prefix, least) = (spec.label_prefix.as_bytes(), spec.min_count_label as u64);
        check(&training, &validation, prefix, least, label, run).map(|labels| labels as f64)
    })
}
