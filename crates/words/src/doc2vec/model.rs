use std::path::Path;
use std::sync::{Arc, OnceLock};

use inlay_base::{Error, Result, Run, SharedMatrix};
use inlay_corpus::Corpus;
use inlay_formats::safetensors::{self, Dtype, Kind, Part, Reader};
use inlay_formats::{GiveRows, Labels, Names};
use inlay_vectors::{Precision, Rows, WordVectors};
use serde::{Deserialize, Serialize};

use super::matrices::Matrices;
use super::steps::Steps;
use super::{Combine, Options, Scoring, Tags};
use crate::tensors::{matrix_of, rows, rows_part};
use crate::{Huffman, tensors};

const KIND: Kind = Kind { name: "doc2vec", what: "a Doc2Vec model", version: 1 };

/// A trained model: vectors of tags and words, what predictions are scored by, and how it was made.
pub struct Model {
    /// Its words, also where they have no vectors.
    pub(super) names: Arc<Names>,
    pub(super) counts: Arc<[u64]>,
    vectors: Option<WordVectors>,
    tags: WordVectors,
    pub(super) output: Rows,
    pub(super) beyond: Rows,
    pub(super) tree: Option<Huffman>,
    pub(super) options: Options,
    losses: Vec<f64>,
    /// What inference learns from, in the kernels' form; made when first needed.
    still: OnceLock<Still>,
}

/// Rows of the words around a centre, as they are put together.
pub(super) enum Words {
    /// Nobody asks for them.
    Apart,
    /// End to end.
    Rows(SharedMatrix),
    /// Added up, in windows that are narrow.
    Narrow(Steps<i16>),
    /// Added up, in any.
    Wide(Steps<i32>),
}

/// Words of a narrow window: sums of so many still tell a five hundredth of the largest value in 16 bits.
const NARROW: usize = 64;

impl Words {
    fn new(rows: &Rows, options: &Options) -> Result<Self> {
        let words = 2 * options.window.max(1);
        Ok(match options.combine {
            Combine::Concatenation => Self::Rows(matrix_of(rows)?),
            _ if words <= NARROW => Self::Narrow(Steps::new(rows, words)?),
            _ => Self::Wide(Steps::new(rows, words)?),
        })
    }
}

/// What does not move in an inference.
pub(super) struct Still {
    pub input: Words,
    pub beyond: SharedMatrix,
    pub output: SharedMatrix,
}

/// What the file says beside its tensors.
#[derive(Serialize, Deserialize)]
struct Header {
    options: Options,
    losses: Vec<f64>,
}

impl Model {
    pub(super) fn new(
        corpus: &Corpus,
        tags: &Tags,
        matrices: Matrices,
        tree: Option<Huffman>,
        options: Options,
        losses: Vec<f64>,
    ) -> Result<Self> {
        let names = Arc::clone(corpus.names());
        let counts: Arc<[u64]> = corpus.counts().into();
        let counted = Some(Arc::clone(&counts));
        let vectors = options.has_words().then(|| rows(matrices.input));
        let vectors =
            vectors.map(|rows| WordVectors::with_counts(Arc::clone(&names), rows, counted));
        let tag_counts = Some(tags.counts().into());
        let tags =
            WordVectors::with_counts(Arc::clone(tags.names()), rows(matrices.tags), tag_counts);
        let (output, beyond) = (rows(matrices.output), rows(matrices.beyond));
        let still = OnceLock::new();
        Ok(Self { names, counts, vectors, tags, output, beyond, tree, options, losses, still })
    }

    /// The vectors of words; `None` where only tags were trained.
    pub fn vectors(&self) -> Option<&WordVectors> {
        self.vectors.as_ref()
    }

    /// The vectors of tags, in the order in which these first come.
    pub fn tags(&self) -> &WordVectors {
        &self.tags
    }

    /// The words that it knows, most frequent first.
    pub fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// How often each word occurred.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Values of an output row.
    pub fn output_width(&self) -> usize {
        self.output.dimensions()
    }

    /// Bytes of what no handle but the model's own holds.
    pub fn weight(&self) -> u64 {
        let rows = (self.output.rows() * self.output.dimensions()) as u64;
        4 * if self.output.is_mapped() { 0 } else { rows }
    }

    /// How the model was trained.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Mean loss of a prediction in each epoch: its negative log-likelihood in nats.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    pub(super) fn still(&self) -> Result<&Still> {
        if let Some(still) = self.still.get() {
            return Ok(still);
        }
        let input = match &self.vectors {
            // PV-DBOW asks no words, whether they were trained or not.
            Some(vectors) if self.options.words_predict() => {
                Words::new(vectors.rows(), &self.options)?
            }
            _ => Words::Apart,
        };
        let (beyond, output) = (matrix_of(&self.beyond)?, matrix_of(&self.output)?);
        Ok(self.still.get_or_init(|| Still { input, beyond, output }))
    }

    /// Writes a file that `open` reads; the vectors of its words can be read by whoever reads
    /// safetensors, those of its tags as the tensor `tags`.
    pub fn save(&self, path: &Path, run: &Run) -> Result<()> {
        let (key, header) =
            KIND.entry(&Header { options: self.options.clone(), losses: self.losses.clone() })?;
        let words = self.vectors.as_ref().map_or(0, WordVectors::len);
        let total = words + self.tags.len() + self.output.rows() + self.beyond.rows();
        run.phase("write", "rows", 0, Some(total as u64));
        let bytes = |numbers| bytemuck::cast_slice::<u64, u8>(numbers);
        let tag_counts = self.tags.counts().map_or(&[][..], |counts| counts);
        let mut parts = self.names.parts();
        parts.extend(self.tags.names().parts_as(Labels::TAGS));
        parts.extend([
            Part::bytes("counts", Dtype::U64, &[self.counts.len()], bytes(&self.counts)),
            Part::bytes("tags.counts", Dtype::U64, &[tag_counts.len()], bytes(tag_counts)),
        ]);
        parts.extend(self.vectors.iter().map(|own| rows_part("vectors", &**own.rows(), run)));
        parts.extend([
            rows_part("tags", &**self.tags.rows(), run),
            rows_part("beyond", &self.beyond, run),
            rows_part("output", &self.output, run),
        ]);
        safetensors::save(path, &[(key, &header)], parts)
    }

    /// Reads a file that `save` wrote.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let damaged = |problem: &str| Error::invalid_file(path, None, problem);
        let Header { options, losses } = KIND.read(&reader, path)?;
        let named = |labels, problem| {
            Names::read_as(&reader, labels)?.map(Arc::new).ok_or_else(|| damaged(problem))
        };
        let names = named(Labels::VOCABULARY, "has no vocabulary")?;
        let tag_names = named(Labels::TAGS, "has no tags")?;
        let counts_of = |name, names: &Names| {
            let counts = tensors::numbers(&reader, name).ok_or_else(|| damaged("has no counts"))?;
            let as_many = counts.len() == names.len();
            as_many.then_some(counts).ok_or_else(|| damaged("does not have a count for each name"))
        };
        let counts = counts_of("counts", &names)?;
        let tag_counts = counts_of("tags.counts", &tag_names)?;
        let tree = match options.objective {
            Scoring::HierarchicalSoftmax => Some(Huffman::new(&counts)?),
            Scoring::NegativeSampling => None,
        };
        let dimensions = options.dimensions;
        let rows = |name: &str, count: usize, width: &dyn Fn(usize) -> bool| {
            let tensor = reader.tensor(name).filter(|tensor| tensor.dtype == Dtype::F32);
            let shape = |shape: &[usize]| shape.len() == 2 && shape[0] == count && width(shape[1]);
            let tensor = tensor.filter(|tensor| shape(&tensor.shape));
            let tensor = tensor.ok_or_else(|| damaged("has vectors of another shape"))?;
            let shape = (count, tensor.shape[1]);
            Rows::mapped(reader.map(), shape, Precision::Float32, tensor.range, 0..0)
        };
        let one = |width: usize| width == dimensions;
        // With `Concatenation` a tag or several, and the places of the window.
        let window =
            options.window.checked_mul(2).and_then(|places| places.checked_mul(dimensions));
        let window = window.ok_or_else(|| damaged("has a window beyond all numbers"))?;
        let places =
            |width: usize| dimensions > 0 && width.is_multiple_of(dimensions) && width > window;
        let concatenates = options.concatenates();
        let width: &dyn Fn(usize) -> bool = if concatenates { &places } else { &one };
        let nodes = tree.as_ref().map_or(names.len(), Huffman::inner);
        let output = rows("output", nodes, width)?;
        let beyond = rows("beyond", usize::from(concatenates), &one)?;
        let tags = rows("tags", tag_names.len(), &one)?;
        let tags = WordVectors::with_counts(tag_names, tags, Some(tag_counts));
        let vectors = match options.has_words() {
            true => {
                let rows = rows("vectors", names.len(), &one)?;
                let counted = Some(Arc::clone(&counts));
                Some(WordVectors::with_counts(Arc::clone(&names), rows, counted))
            }
            false => None,
        };
        let still = OnceLock::new();
        Ok(Self { names, counts, vectors, tags, output, beyond, tree, options, losses, still })
    }
}
