use std::path::Path;
use std::sync::Arc;

use inlay_base::{Error, Pages, Result, Run};
use inlay_formats::glove;
use inlay_formats::safetensors::{self, Dtype, Kind, Part, Reader};
use inlay_formats::{GiveRows, Names, ReadOptions};
use inlay_vectors::{Precision, Rows, WordVectors};
use serde::{Deserialize, Serialize};

use super::parameters::Parameters;
use super::{Chosen, Cooccurrence, Options};
use crate::tensors::{numbers, rows_part};

const KIND: Kind = Kind { name: "glove", what: "a GloVe model", version: 1 };
/// Rows that are made or written between two looks at the signal.
const BLOCK: usize = 256;
/// The name of the vector for words that are not in the vocabulary.
const UNKNOWN: &[u8] = b"<unk>";
/// It is the mean of so many of the rarest words, as in the C tool.
const RAREST: usize = 100;

/// A trained model: vectors and biases of its words, as words and as contexts.
pub struct Model {
    vectors: WordVectors,
    word: WordVectors,
    context: WordVectors,
    /// By word: as word, as context.
    biases: [Vec<f32>; 2],
    counts: Arc<[u64]>,
    /// `None` for a dump of the C tool, which does not say.
    options: Option<Options>,
    losses: Vec<f64>,
}

/// What the file says beside its tensors.
#[derive(Serialize, Deserialize)]
struct Header {
    vectors: Chosen,
    options: Option<Options>,
    losses: Vec<f64>,
}

/// Refuses a vocabulary that has `<unk>` where a vector of that name is to be made.
pub fn check_unknown(names: &Names, options: &Options) -> Result<()> {
    if options.unknown && names.find(UNKNOWN).is_some() {
        let problem = "has the word `<unk>`, which the option `unknown` makes a vector for".into();
        return Err(Error::InvalidInput { source: "the text".into(), offset: None, problem });
    }
    Ok(())
}

impl Model {
    pub(super) fn of_parameters(
        pairs: &Cooccurrence,
        parameters: &Parameters,
        options: Options,
        losses: Vec<f64>,
        run: &Run,
    ) -> Result<Self> {
        let mut row = vec![0.0; parameters.matrix.columns()];
        let mut give = |word: usize, context: bool, into: &mut [f32]| {
            parameters.vector(word, context, &mut row, into);
            Ok(())
        };
        let (names, counts) = (pairs.names(), pairs.counts());
        let form = (options.dimensions, options.vectors, options.unknown);
        let mut model = Self::of_rows(names, counts, form, &mut give, run)?;
        (model.options, model.losses) = (Some(options), losses);
        Ok(model)
    }

    /// `give` copies a vector and its bias out.
    fn of_rows(
        names: &Arc<Names>,
        counts: &Arc<[u64]>,
        (dimensions, chosen, unknown): (usize, Chosen, bool),
        give: &mut glove::GiveRow<'_>,
        run: &Run,
    ) -> Result<Self> {
        let words = names.len();
        let rows = words + usize::from(unknown);
        let mut biases = [Vec::with_capacity(rows), Vec::with_capacity(rows)];
        let mut made = Vec::with_capacity(2);
        let mut row = vec![0.0; dimensions + 1];
        for (context, biases) in [false, true].into_iter().zip(&mut biases) {
            let mut pages = Pages::zeroed(rows * dimensions)?;
            let mut sums = vec![0.0f64; dimensions + 1];
            let rarest = RAREST.min(words);
            for (word, into) in (0..words).zip(pages.as_mut_slice().chunks_exact_mut(dimensions)) {
                if word % BLOCK == 0 {
                    run.check()?;
                }
                give(word, context, &mut row)?;
                into.copy_from_slice(&row[..dimensions]);
                biases.push(row[dimensions]);
                if word >= words - rarest {
                    sums.iter_mut().zip(&row).for_each(|(sum, &x)| *sum += f64::from(x));
                }
            }
            if unknown {
                let mean = sums.iter().map(|sum| (sum / rarest as f64) as f32);
                row.clear();
                row.extend(mean);
                pages.as_mut_slice()[words * dimensions..].copy_from_slice(&row[..dimensions]);
                biases.push(row[dimensions]);
            }
            made.push(pages);
        }
        let (names, counts) = match unknown {
            false => (Arc::clone(names), Arc::clone(counts)),
            true => {
                let check = || run.check();
                let names = Names::checked(names.iter().chain([UNKNOWN]), &check)?;
                (Arc::new(names), counts.iter().copied().chain([0]).collect())
            }
        };
        let sum = match chosen {
            Chosen::Both => {
                let mut sum = Pages::zeroed(rows * dimensions)?;
                let added = made[0].as_slice().iter().zip(made[1].as_slice());
                sum.as_mut_slice().iter_mut().zip(added).for_each(|(s, (w, c))| *s = w + c);
                Some(sum)
            }
            Chosen::Word | Chosen::Context => None,
        };
        let vectors = |pages: Pages| {
            let rows = Rows::from_pages(pages, rows, dimensions, dimensions);
            WordVectors::with_counts(Arc::clone(&names), rows, Some(Arc::clone(&counts)))
        };
        let (context, word) = (made.pop().map(&vectors), made.pop().map(&vectors));
        let (Some(word), Some(context)) = (word, context) else {
            return Err(Error::Internal("two matrices are made".into()));
        };
        let vectors = match chosen {
            Chosen::Word => word.clone(),
            Chosen::Context => context.clone(),
            Chosen::Both => vectors(sum.unwrap_or(Pages::zeroed(0)?)),
        };
        Ok(Self { vectors, word, context, biases, counts, options: None, losses: Vec::new() })
    }

    /// What one calls the word vectors: the sums, or those of words or contexts, as was chosen.
    pub fn vectors(&self) -> &WordVectors {
        &self.vectors
    }

    /// The words as words.
    pub fn word(&self) -> &WordVectors {
        &self.word
    }

    /// The words as contexts.
    pub fn context(&self) -> &WordVectors {
        &self.context
    }

    /// The biases of the words, as words and as contexts.
    pub fn biases(&self) -> &[Vec<f32>; 2] {
        &self.biases
    }

    /// How the model was trained; a dump of the C tool does not say.
    pub fn options(&self) -> Option<&Options> {
        self.options.as_ref()
    }

    /// Mean loss of a pair in each epoch.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    fn chosen(&self) -> Chosen {
        let same = |other: &WordVectors| Arc::ptr_eq(self.vectors.rows(), other.rows());
        match (same(&self.word), same(&self.context)) {
            (true, _) => Chosen::Word,
            (_, true) => Chosen::Context,
            _ => Chosen::Both,
        }
    }

    /// Writes a file that `open` reads; its vectors can be read by whoever reads safetensors.
    pub fn save(&self, path: &Path, run: &Run) -> Result<()> {
        let (key, header) = KIND.entry(&Header {
            vectors: self.chosen(),
            options: self.options.clone(),
            losses: self.losses.clone(),
        })?;
        let mut matrices = vec![("vectors", &self.vectors)];
        // A matrix that the vectors are already is not written twice.
        if self.chosen() != Chosen::Word {
            matrices.push(("word", &self.word));
        }
        if self.chosen() != Chosen::Context {
            matrices.push(("context", &self.context));
        }
        run.phase("write", "rows", 0, Some((matrices.len() * self.vectors.len()) as u64));
        let mut parts = self.vectors.names().parts();
        let counts = bytemuck::cast_slice(&self.counts);
        parts.push(Part::bytes("counts", Dtype::U64, &[self.counts.len()], counts));
        for (name, biases) in ["word_bias", "context_bias"].into_iter().zip(&self.biases) {
            let bytes = bytemuck::cast_slice(biases);
            parts.push(Part::bytes(name, Dtype::F32, &[biases.len()], bytes));
        }
        parts.extend(matrices.into_iter().map(|(name, rows)| rows_part(name, &**rows.rows(), run)));
        safetensors::save(path, &[(key, &header)], parts)
    }

    /// Reads a file that `save` wrote.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let damaged = |problem: &str| Error::invalid_file(path, None, problem);
        let Header { vectors: chosen, options, losses } = KIND.read(&reader, path)?;
        let names = Names::read(&reader)?.ok_or_else(|| damaged("has no vocabulary"))?;
        let names = Arc::new(names);
        let counts = numbers(&reader, "counts").ok_or_else(|| damaged("has no counts"))?;
        if counts.len() != names.len() {
            return Err(damaged("does not have a count for each word"));
        }
        let vectors = reader.tensor("vectors");
        let dimensions = vectors.and_then(|vectors| vectors.shape.get(1).copied());
        let dimensions = dimensions.filter(|&dimensions| dimensions > 0);
        let shape = [names.len(), dimensions.ok_or_else(|| damaged("has no vectors"))?];
        let read = |name: &str| {
            let tensor = reader.tensor(name);
            let tensor = tensor.filter(|t| t.dtype == Dtype::F32 && t.shape == shape);
            let tensor = tensor.ok_or_else(|| damaged("has vectors of another shape"))?;
            let form = (shape[0], shape[1]);
            let rows = Rows::mapped(reader.map(), form, Precision::Float32, tensor.range, 0..0)?;
            Ok(WordVectors::with_counts(Arc::clone(&names), rows, Some(Arc::clone(&counts))))
        };
        let biases = |name: &str| {
            let tensor = reader.tensor(name);
            let tensor = tensor.filter(|t| t.dtype == Dtype::F32 && t.shape == shape[..1]);
            let tensor = tensor.ok_or_else(|| damaged("does not have a bias for each word"))?;
            Ok(tensor.bytes.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect())
        };
        let vectors = read("vectors")?;
        let other = |kind, name: &str| match chosen != kind {
            true => read(name),
            false => Ok(vectors.clone()),
        };
        let (word, context) = (other(Chosen::Word, "word")?, other(Chosen::Context, "context")?);
        let biases = [biases("word_bias")?, biases("context_bias")?];
        Ok(Self { vectors, word, context, biases, counts, options, losses })
    }

    /// Reads what the C tool's `-binary 1` wrote, with its `vocab.txt`. The vectors are the sums.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput`: a file of another form, or a value that is not finite.
    pub fn open_parameters(path: &Path, vocabulary: &Path, run: &Run) -> Result<Self> {
        let (names, counts) = glove::read_vocabulary(vocabulary, &ReadOptions::default())?;
        let dump = glove::Parameters::open(path, names.len())?;
        let dimensions = dump.dimensions();
        let mut give = |word: usize, context: bool, into: &mut [f32]| {
            let (vector, bias) = into.split_at_mut(dimensions);
            bias[0] = dump.give(word, context, vector)?;
            Ok(())
        };
        let form = (dimensions, Chosen::Both, false);
        Self::of_rows(&Arc::new(names), &counts.into(), form, &mut give, run)
    }

    /// Writes what the C tool's `-binary 1` writes, and its `vocab.txt` where a path for it is
    /// given; `<unk>`, which it makes itself, is left out.
    pub fn save_parameters(&self, path: &Path, vocabulary: Option<&Path>, run: &Run) -> Result<()> {
        let unknown = self.options.as_ref().is_some_and(|options| options.unknown);
        let words = self.counts.len() - usize::from(unknown);
        let dimensions = self.vectors.dimensions();
        run.phase("write", "rows", 0, Some(2 * words as u64));
        let mut give = |word: usize, context: bool, into: &mut [f32]| {
            run.check()?;
            let from = if context { &self.context } else { &self.word };
            let (vector, bias) = into.split_at_mut(dimensions);
            from.rows().give(word, vector);
            bias[0] = self.biases[usize::from(context)][word];
            run.advance(1);
            Ok(())
        };
        glove::write_parameters(path, (words, dimensions), &mut give)?;
        let Some(vocabulary) = vocabulary else { return Ok(()) };
        let names = Names::new(self.vectors.names().iter().take(words))?;
        glove::write_vocabulary(vocabulary, &names, &self.counts[..words])
    }
}
