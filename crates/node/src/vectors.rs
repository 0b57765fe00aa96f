//! Word vectors: opened, saved, transformed, and what is known of single words at once. Searches
//! are in `search`.

use std::path::PathBuf;
use std::sync::Arc;

use inlay_base::{Error, Pages, Result, Run, Workers};
use inlay_formats::{Format, InvalidUtf8, Names};
use inlay_vectors::{
    Form, OpenOptions, Precision, Rows, SaveOptions, WordVectors, quantize, widen,
};
use napi::Env;
use napi::bindgen_prelude::{Float32Array, Float32ArraySlice, Uint8Array};
use napi_derive::napi;

use crate::choice;
use crate::held::{Held, Weighty, handle};
use crate::names::NamesHandle;
use crate::run::{Events, RunHandle, RunSpec, launch, refuse};

const FORMATS: [(&str, Format); 6] = [
    ("safetensors", Format::Safetensors),
    ("word2vec-text", Format::Word2VecText),
    ("glove-text", Format::GloveText),
    ("word2vec-binary", Format::Word2VecBinary),
    ("npy", Format::Npy),
    ("projector", Format::Projector),
];
const PRECISIONS: [(&str, Precision); 3] =
    [("float32", Precision::Float32), ("float16", Precision::Float16), ("int8", Precision::Int8)];

/// Word vectors.
#[napi(custom_finalize)]
pub struct VectorsHandle(Held<WordVectors>);

handle!(VectorsHandle);

impl Weighty for WordVectors {
    fn weight(&self) -> u64 {
        let row = self.dimensions() * self.precision().size();
        (self.len() * row) as u64 + self.names().weight()
    }

    fn memory(&self) -> u64 {
        if self.rows().is_mapped() { 0 } else { self.weight() }
    }
}

impl VectorsHandle {
    pub fn new(vectors: WordVectors) -> Self {
        Self(Held::new(vectors))
    }

    pub fn vectors(&self) -> napi::Result<WordVectors> {
        self.0.get().cloned()
    }
}

#[napi]
impl VectorsHandle {
    #[napi]
    pub fn names(&self) -> napi::Result<NamesHandle> {
        Ok(NamesHandle::new(self.0.get()?.names()))
    }

    #[napi(getter)]
    pub fn dimensions(&self) -> napi::Result<u32> {
        Ok(self.0.get()?.dimensions() as u32)
    }

    #[napi(getter, ts_return_type = "'float32' | 'float16' | 'int8'")]
    pub fn precision(&self) -> napi::Result<&'static str> {
        Ok(self.0.get()?.precision().name())
    }

    /// The number of a word, -1 if there is none.
    #[napi]
    pub fn find(&self, word: String) -> napi::Result<f64> {
        Ok(self.0.get()?.names().find(word.as_bytes()).map_or(-1.0, f64::from))
    }

    /// The vector of a word that is known, a copy.
    #[napi]
    pub fn vector(&self, word: String) -> napi::Result<Float32Array> {
        self.0.get()?.vector(word.as_bytes()).map(Float32Array::new).map_err(told)
    }

    /// The cosine of two words that are known.
    #[napi]
    pub fn similarity(&self, a: String, b: String) -> napi::Result<f64> {
        let vectors = self.0.get()?;
        vectors.similarity(a.as_bytes(), b.as_bytes()).map(f64::from).map_err(told)
    }

    /// The cosine of the means of two lists of words that are known.
    #[napi]
    pub fn n_similarity(&self, a: Vec<String>, b: Vec<String>) -> napi::Result<f64> {
        self.0.get()?.n_similarity(&bytes(a), &bytes(b)).map(f64::from).map_err(told)
    }

    /// The place of the word that does not fit the others; all of them are known.
    #[napi]
    pub fn doesnt_match(&self, words: Vec<String>) -> napi::Result<u32> {
        self.0.get()?.doesnt_match(&bytes(words)).map(|place| place as u32).map_err(told)
    }
}

pub fn bytes(words: Vec<String>) -> Vec<Vec<u8>> {
    words.into_iter().map(String::into_bytes).collect()
}

/// TypeScript has asked whether the words are known, so this is a fault of ours.
fn told(error: Error) -> napi::Error {
    refuse(error.to_string())
}

/// The place of the first value that is not finite, -1 if there is none.
#[napi(ts_args_type = "values: Float32Array")]
pub fn first_not_finite(values: Float32ArraySlice<'_>) -> f64 {
    values.iter().position(|value| !value.is_finite()).map_or(-1.0, |place| place as f64)
}

/// Makes word vectors of words and their rows, end to end; both are copied before this returns.
#[napi(ts_args_type = "words: string[], rows: Float32Array, dimensions: number")]
pub fn vectors_from(
    words: Vec<String>,
    rows: Float32ArraySlice<'_>,
    dimensions: u32,
) -> napi::Result<VectorsHandle> {
    let make = || -> Result<WordVectors> {
        let mut pages = Pages::zeroed(rows.len())?;
        pages.as_mut_slice().copy_from_slice(&rows);
        let dimensions = dimensions as usize;
        let rows = Rows::from_pages(pages, words.len(), dimensions, dimensions);
        Ok(WordVectors::new(Arc::new(Names::new(&words)?), rows))
    };
    make().map(VectorsHandle::new).map_err(told)
}

/// How a file is opened.
#[napi(object, object_to_js = false)]
pub struct OpenSpec {
    #[napi(
        ts_type = "'safetensors' | 'word2vec-text' | 'glove-text' | 'word2vec-binary' | 'npy' | 'projector' | undefined"
    )]
    pub format: Option<String>,
    #[napi(ts_type = "number | undefined")]
    pub limit: Option<f64>,
    #[napi(ts_type = "'float32' | 'float16' | 'int8' | undefined")]
    pub precision: Option<String>,
    #[napi(ts_type = "string | undefined")]
    pub vocabulary: Option<String>,
    #[napi(ts_type = "'keep' | 'error' | 'replace'")]
    pub invalid_utf8: String,
}

/// Opens a file of any known format.
#[napi(ts_args_type = "path: string, spec: OpenSpec, run: RunSpec, events: Events<VectorsHandle>")]
pub fn open_vectors(
    env: &Env,
    path: String,
    spec: OpenSpec,
    run: RunSpec,
    events: Events<'_, VectorsHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    let policies = [
        ("keep", InvalidUtf8::Keep),
        ("error", InvalidUtf8::Error),
        ("replace", InvalidUtf8::Replace),
    ];
    let options = OpenOptions {
        format: spec.format.map(|name| choice(&name, &FORMATS)).transpose()?,
        limit: spec.limit.map(|rows| rows as usize),
        precision: spec.precision.map(|name| choice(&name, &PRECISIONS)).transpose()?,
        vocabulary: spec.vocabulary.map(PathBuf::from),
        invalid_utf8: choice(&spec.invalid_utf8, &policies)?,
    };
    launch(env, run, events, move |run| {
        WordVectors::open(&path, &options, run).map(VectorsHandle::new)
    })
}

/// How a file is written.
#[napi(object, object_to_js = false)]
pub struct SaveSpec {
    #[napi(
        ts_type = "'safetensors' | 'word2vec-text' | 'glove-text' | 'word2vec-binary' | 'npy' | 'projector' | undefined"
    )]
    pub format: Option<String>,
    #[napi(ts_type = "'float32' | 'float16' | 'int8' | undefined")]
    pub precision: Option<String>,
}

/// Writes a file.
#[napi(
    ts_args_type = "vectors: VectorsHandle, path: string, spec: SaveSpec, run: RunSpec, events: Events<void>"
)]
pub fn save_vectors(
    env: &Env,
    vectors: &VectorsHandle,
    path: String,
    spec: SaveSpec,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (vectors, path) = (vectors.vectors()?, PathBuf::from(path));
    let options = SaveOptions {
        format: spec.format.map(|name| choice(&name, &FORMATS)).transpose()?,
        precision: spec.precision.map(|name| choice(&name, &PRECISIONS)).transpose()?,
    };
    launch(env, run, events, move |run| vectors.save(&path, &options, run))
}

/// What is made of word vectors.
#[napi(object, object_to_js = false)]
pub struct TransformSpec {
    #[napi(ts_type = "'centered' | 'normalized' | 'withoutTopComponents' | 'withPrecision'")]
    pub kind: String,
    pub count: Option<u32>,
    #[napi(ts_type = "'float32' | 'float16' | 'int8'")]
    pub precision: Option<String>,
}

/// Makes a changed copy.
#[napi(
    ts_args_type = "vectors: VectorsHandle, spec: TransformSpec, run: RunSpec, events: Events<VectorsHandle>"
)]
pub fn transform_vectors(
    env: &Env,
    vectors: &VectorsHandle,
    spec: TransformSpec,
    run: RunSpec,
    events: Events<'_, VectorsHandle>,
) -> napi::Result<RunHandle> {
    type Transform = dyn FnOnce(&WordVectors, &dyn Workers) -> Result<WordVectors> + Send;
    let transform: Box<Transform> = match (spec.kind.as_str(), spec.count, spec.precision) {
        ("centered", ..) => Box::new(WordVectors::centered),
        ("normalized", ..) => Box::new(WordVectors::normalized),
        ("withoutTopComponents", Some(count), _) => {
            Box::new(move |vectors, run| vectors.without_top_components(count as usize, run))
        }
        ("withPrecision", _, Some(name)) => {
            let precision = choice(&name, &PRECISIONS)?;
            Box::new(move |vectors, run| vectors.with_precision(precision, run))
        }
        (kind, ..) => return Err(refuse(format!("no such transform: {kind}"))),
    };
    let vectors = vectors.vectors()?;
    launch(env, run, events, move |run| transform(&vectors, run).map(VectorsHandle::new))
}

/// The first rows along their principal components.
#[napi(
    ts_args_type = "vectors: VectorsHandle, count: number, restrict: number | undefined, run: RunSpec, events: Events<Float32Array>"
)]
pub fn components_of_vectors(
    env: &Env,
    vectors: &VectorsHandle,
    count: u32,
    restrict: Option<f64>,
    run: RunSpec,
    events: Events<'_, Float32Array>,
) -> napi::Result<RunHandle> {
    let vectors = vectors.vectors()?;
    launch(env, run, events, move |run: &Run| {
        let rows = restrict.map(|rows| rows as usize);
        vectors.principal_components(count as usize, rows, run).map(Float32Array::new)
    })
}

/// All rows, end to end.
#[napi(ts_args_type = "vectors: VectorsHandle, run: RunSpec, events: Events<Float32Array>")]
pub fn matrix_of_vectors(
    env: &Env,
    vectors: &VectorsHandle,
    run: RunSpec,
    events: Events<'_, Float32Array>,
) -> napi::Result<RunHandle> {
    let vectors = vectors.vectors()?;
    launch(env, run, events, move |_| Ok(Float32Array::new(vectors.matrix())))
}

/// Ranges of columns, their least values and then their largest, as wide as these rows want them too.
#[napi]
pub fn widen_ranges(values: Float32ArraySlice<'_>, ranges: Float32ArraySlice<'_>) -> Float32Array {
    let mut ranges = ranges.to_vec();
    widen(&values, &mut ranges);
    ranges.into()
}

/// A few rows as bytes: each value the number of its bucket in its column's range, or without ranges a bit.
#[napi]
pub fn quantize_rows(
    values: Float32ArraySlice<'_>,
    dimensions: u32,
    ranges: Option<Float32ArraySlice<'_>>,
    signed: bool,
) -> Uint8Array {
    let form = if ranges.is_some() { Form::Byte } else { Form::Bit };
    let ranges = ranges.as_deref().unwrap_or_default();
    quantize(&values, dimensions as usize, form, ranges, signed).into()
}
