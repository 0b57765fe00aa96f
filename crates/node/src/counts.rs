//! Texts as counts of terms.

use std::path::PathBuf;

use inlay_corpus::{InvalidUtf8, Reading, Sentences};
use inlay_counts::{Analysis, Limits, Norm, Options, SparseMatrix, Unit, Vectorizer, Weighting};
use napi::Env;
use napi::bindgen_prelude::{Float64Array, Uint32Array};
use napi_derive::napi;

use crate::choice;
use crate::corpus::{INVALID_UTF8, NORMALIZATIONS, SENTENCES, TOKENIZERS};
use crate::held::{Held, Weighty, handle};
use crate::names::NamesHandle;
use crate::run::{Events, RunHandle, RunSpec, launch, launch_fed, refuse};
use crate::serve::at_once;
use crate::source::{Input, SourceSpec};
use crate::sparse::SparseHandle;

const UNITS: [(&str, Unit); 3] = [
    ("words", Unit::Words),
    ("characters", Unit::Characters),
    ("characters-in-words", Unit::CharactersInWords),
];
const NORMS: [(&str, Norm); 3] = [("l2", Norm::L2), ("l1", Norm::L1), ("none", Norm::None)];

fn name_of<T: PartialEq>(value: &T, choices: &[(&str, T)]) -> String {
    let found = choices.iter().find(|(_, choice)| choice == value);
    found.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
}

/// Which terms a text has.
#[napi(object)]
pub struct AnalysisSpec {
    #[napi(ts_type = "'words' | 'characters' | 'characters-in-words'")]
    pub unit: String,
    pub min_ngram: u32,
    pub max_ngram: u32,
    #[napi(ts_type = "'alphanumeric' | 'words' | 'whitespace' | 'chinese'")]
    pub tokenizer: String,
    pub lowercase: bool,
    #[napi(ts_type = "'none' | 'NFC' | 'NFD' | 'NFKC' | 'NFKD'")]
    pub normalization: String,
    #[napi(ts_type = "readonly string[]")]
    pub stop_words: Vec<String>,
}

impl AnalysisSpec {
    pub fn read(self) -> napi::Result<Analysis> {
        Ok(Analysis {
            unit: choice(&self.unit, &UNITS)?,
            shortest: self.min_ngram as usize,
            longest: self.max_ngram as usize,
            tokenizer: choice(&self.tokenizer, &TOKENIZERS)?,
            lowercase: self.lowercase,
            normalization: choice(&self.normalization, &NORMALIZATIONS)?,
            stop_words: self.stop_words,
        })
    }

    pub fn of(analysis: &Analysis) -> Self {
        Self {
            unit: name_of(&analysis.unit, &UNITS),
            min_ngram: analysis.shortest as u32,
            max_ngram: analysis.longest as u32,
            tokenizer: name_of(&analysis.tokenizer, &TOKENIZERS),
            lowercase: analysis.lowercase,
            normalization: name_of(&analysis.normalization, &NORMALIZATIONS),
            stop_words: analysis.stop_words.clone(),
        }
    }
}

/// What terms weigh.
#[napi(object)]
pub struct WeightingSpec {
    pub binary: bool,
    pub sublinear: bool,
    pub idf: bool,
    pub smooth_idf: bool,
    #[napi(ts_type = "'l2' | 'l1' | 'none'")]
    pub norm: String,
    #[napi(ts_type = "number | undefined")]
    pub hashed_columns: Option<u32>,
    pub alternate_sign: bool,
}

impl WeightingSpec {
    fn options(self, analysis: Analysis) -> napi::Result<Options> {
        let Self { binary, sublinear, idf, smooth_idf: smooth, norm, hashed_columns, .. } = self;
        let weighting = Weighting { binary, sublinear, idf, smooth, norm: choice(&norm, &NORMS)? };
        let hashed = hashed_columns.map(|columns| (columns, self.alternate_sign));
        Ok(Options { analysis, weighting, hashed })
    }

    fn of(options: &Options) -> Self {
        let Weighting { binary, sublinear, idf, smooth, norm } = options.weighting;
        Self {
            binary,
            sublinear,
            idf,
            smooth_idf: smooth,
            norm: name_of(&norm, &NORMS),
            hashed_columns: options.hashed.map(|(columns, _)| columns),
            alternate_sign: options.hashed.is_some_and(|(_, signed)| signed),
        }
    }
}

/// Which terms become columns.
#[napi(object, object_to_js = false)]
pub struct LimitsSpec {
    pub min_documents: f64,
    #[napi(ts_type = "number | undefined")]
    pub max_documents: Option<f64>,
    pub min_share: f64,
    pub max_share: f64,
    #[napi(ts_type = "number | undefined")]
    pub max_features: Option<u32>,
}

impl LimitsSpec {
    pub fn read(self) -> Limits {
        Limits {
            min_documents: self.min_documents as u64,
            max_documents: self.max_documents.map(|most| most as u64),
            min_share: self.min_share,
            max_share: self.max_share,
            max_features: self.max_features.map(|most| most as usize),
        }
    }
}

/// How files are cut into documents.
#[napi(object, object_to_js = false)]
pub struct ReadingSpec {
    #[napi(ts_type = "'line' | 'paragraph'")]
    pub documents: String,
    #[napi(ts_type = "'error' | 'replace' | 'skip'")]
    pub invalid_utf8: String,
}

impl ReadingSpec {
    pub fn read(self) -> napi::Result<Reading> {
        let texts: Sentences = choice(&self.documents, &SENTENCES)?;
        let invalid_utf8: InvalidUtf8 = choice(&self.invalid_utf8, &INVALID_UTF8)?;
        Ok(Reading { texts, invalid_utf8 })
    }
}

/// A vectorizer, and the rows of what it was trained on if they were asked for.
#[napi(custom_finalize)]
pub struct VectorizerHandle(Held<Trained>);

handle!(VectorizerHandle);

pub struct Trained {
    vectorizer: Vectorizer,
    rows: Option<SparseMatrix>,
}

impl Weighty for Trained {
    fn weight(&self) -> u64 {
        self.vectorizer.weight() + self.rows.as_ref().map_or(0, SparseMatrix::weight)
    }

    fn memory(&self) -> u64 {
        self.weight()
    }
}

impl VectorizerHandle {
    fn new((vectorizer, rows): (Vectorizer, Option<SparseMatrix>)) -> Self {
        Self(Held::new(Trained { vectorizer, rows }))
    }
}

#[napi]
impl VectorizerHandle {
    #[napi]
    pub fn names(&self) -> napi::Result<NamesHandle> {
        Ok(NamesHandle::new(self.0.get()?.vectorizer.names()))
    }

    #[napi(getter)]
    pub fn columns(&self) -> napi::Result<f64> {
        Ok(self.0.get()?.vectorizer.columns() as f64)
    }

    #[napi(getter)]
    pub fn documents(&self) -> napi::Result<f64> {
        Ok(self.0.get()?.vectorizer.documents() as f64)
    }

    /// The column of a term, or -1.
    #[napi]
    pub fn find(&self, term: String) -> napi::Result<f64> {
        let found = self.0.get()?.vectorizer.names().find(term.as_bytes());
        Ok(found.map_or(-1.0, f64::from))
    }

    #[napi]
    pub fn document_frequencies(&self) -> napi::Result<Uint32Array> {
        Ok(self.0.get()?.vectorizer.document_frequencies().to_vec().into())
    }

    #[napi]
    pub fn idf(&self) -> napi::Result<Float64Array> {
        Ok(self.0.get()?.vectorizer.idf().to_vec().into())
    }

    #[napi]
    pub fn analysis(&self) -> napi::Result<AnalysisSpec> {
        Ok(AnalysisSpec::of(&self.0.get()?.vectorizer.options().analysis))
    }

    #[napi]
    pub fn weighting(&self) -> napi::Result<WeightingSpec> {
        Ok(WeightingSpec::of(self.0.get()?.vectorizer.options()))
    }

    /// The rows of what it was trained on; no copy, and so once.
    #[napi]
    pub fn take_rows(&mut self) -> napi::Result<SparseHandle> {
        let rows = self.0.get_mut()?.rows.take();
        rows.map(SparseHandle::new).ok_or_else(|| refuse("there are no rows".into()))
    }

    /// The rows of a few short texts.
    #[napi]
    pub fn transform_now(
        &self,
        #[napi(ts_arg_type = "readonly string[]")] texts: Vec<String>,
    ) -> napi::Result<SparseHandle> {
        let model = self.0.get()?;
        at_once(|| Ok(model.vectorizer.transform_now(&texts))).map(SparseHandle::new)
    }
}

/// Chooses columns by a source.
#[napi(
    ts_args_type = "source: readonly string[] | TextStream | CorpusHandle, reading: ReadingSpec, analysis: AnalysisSpec, weighting: WeightingSpec, limits: LimitsSpec, rows: boolean, run: RunSpec, events: Events<VectorizerHandle>"
)]
#[allow(clippy::too_many_arguments)] // what JavaScript calls takes no struct of handles
pub fn train_vectorizer(
    env: &Env,
    source: SourceSpec<'_>,
    reading: ReadingSpec,
    analysis: AnalysisSpec,
    weighting: WeightingSpec,
    limits: LimitsSpec,
    rows: bool,
    run: RunSpec,
    events: Events<'_, VectorizerHandle>,
) -> napi::Result<RunHandle> {
    let (input, reading, limits) = (Input::new(source)?, reading.read()?, limits.read());
    let options = weighting.options(analysis.read()?)?;
    launch_fed(env, run, events, move |run, ask| {
        input.read(run, ask, |source| {
            let trained = Vectorizer::train(source, reading, (&options, &limits), rows, run)?;
            Ok(VectorizerHandle::new(trained))
        })
    })
}

/// A vectorizer of hashed terms, of which nothing has to be known.
#[napi]
pub fn untrained_vectorizer(
    analysis: AnalysisSpec,
    weighting: WeightingSpec,
) -> napi::Result<VectorizerHandle> {
    let options = weighting.options(analysis.read()?)?;
    let vectorizer = Vectorizer::untrained(options).map_err(|error| refuse(error.to_string()))?;
    Ok(VectorizerHandle::new((vectorizer, None)))
}

/// The rows of texts.
#[napi(
    ts_args_type = "vectorizer: VectorizerHandle, source: readonly string[] | TextStream | CorpusHandle, reading: ReadingSpec, run: RunSpec, events: Events<SparseHandle>"
)]
pub fn transform_texts(
    env: &Env,
    vectorizer: &VectorizerHandle,
    source: SourceSpec<'_>,
    reading: ReadingSpec,
    run: RunSpec,
    events: Events<'_, SparseHandle>,
) -> napi::Result<RunHandle> {
    let vectorizer = vectorizer.0.get()?.vectorizer.clone();
    let (input, reading) = (Input::new(source)?, reading.read()?);
    launch_fed(env, run, events, move |run, ask| {
        input.read(run, ask, |source| {
            vectorizer.transform(source, reading, run).map(SparseHandle::new)
        })
    })
}

/// Opens a file that `save_vectorizer` wrote.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<VectorizerHandle>")]
pub fn open_vectorizer(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, VectorizerHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |_| {
        Vectorizer::open(&path).map(|vectorizer| VectorizerHandle::new((vectorizer, None)))
    })
}

/// Writes a vectorizer to a file.
#[napi(
    ts_args_type = "vectorizer: VectorizerHandle, path: string, run: RunSpec, events: Events<void>"
)]
pub fn save_vectorizer(
    env: &Env,
    vectorizer: &VectorizerHandle,
    path: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (vectorizer, path) = (vectorizer.0.get()?.vectorizer.clone(), PathBuf::from(path));
    launch(env, run, events, move |_| vectorizer.save(&path))
}
