use std::path::Path;
use std::sync::Arc;

use inlay_base::{Error, Result, Run};
use inlay_corpus::{Reading, Source};
use inlay_formats::Names;
use inlay_formats::safetensors::{Dtype, Kind, Part, Reader, save};
use serde::{Deserialize, Serialize};

use crate::counting::{Counted, Counting, Numbering, Rows};
use crate::hashing;
use crate::placing::Placing;
use crate::sparse::SparseMatrix;
use crate::terms::{Analysis, Terms};
use crate::vocabulary::{Limits, NONE, choose};
use crate::weighting::Weighting;

const KIND: Kind = Kind { name: "vectorizer", what: "a vectorizer", version: 1 };

/// Columns that terms are hashed into, at most.
const MOST_HASHED: u32 = 1 << 30;
/// Units of a term, at most.
const LONGEST: usize = 100;

/// Terms between two questions whether the run goes on.
const STEP: usize = 4096;

/// What decides a vectorizer, but for the text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Which terms a text has.
    pub analysis: Analysis,
    /// What they weigh.
    pub weighting: Weighting,
    /// Columns that terms are hashed into instead of a vocabulary, and whether half of them count
    /// as negative.
    pub hashed: Option<(u32, bool)>,
}

/// Texts as sparse rows: how often each term of a vocabulary is in them, or what it weighs.
#[derive(Debug, Clone)]
pub struct Vectorizer(Arc<Content>);

#[derive(Debug)]
struct Content {
    options: Options,
    /// By column, in the order of their bytes; none where terms are hashed.
    names: Arc<Names>,
    /// By column: documents that have the term; empty where that is not counted.
    document_frequencies: Vec<u32>,
    documents: u64,
    /// By column; empty where all are 1.
    idf: Vec<f64>,
}

/// What a file says of a vectorizer beside its tensors.
#[derive(Serialize, Deserialize)]
pub(crate) struct Header {
    options: Options,
    documents: u64,
}

impl Vectorizer {
    /// Chooses columns by a source, and gives its rows too if they are wanted. Nothing depends on the
    /// number of threads.
    ///
    /// # Errors
    /// - As `each_part`.
    /// - `InvalidInput`: no term is within the limits; `OutOfMemory`; `Aborted`.
    pub fn train(
        source: Source,
        reading: Reading,
        (options, limits): (&Options, &Limits),
        rows: bool,
        run: &Run,
    ) -> Result<(Self, Option<SparseMatrix>)> {
        let name = source.name();
        let counting = Counting { analysis: &options.analysis, hashed: options.hashed, rows };
        let counted = counting.count(source, reading, run)?;
        let Counted { numberings, parts, documents } = counted;
        if documents == 0 {
            let problem = "holds no document".into();
            return Err(Error::InvalidInput { source: name, offset: None, problem });
        }
        let (names, document_frequencies, columns) = match options.hashed {
            Some((count, _)) => (Names::new::<&[u8]>([])?, summed(&numberings, count), Vec::new()),
            None => {
                let chosen = choose(&numberings, limits, (&name, documents), run)?;
                (chosen.names, chosen.document_frequencies, chosen.columns)
            }
        };
        let names = Arc::new(names);
        let trained = Self::new(options.clone(), names, document_frequencies, documents);
        let matrix = rows.then(|| trained.placing().matrix(&parts, &columns, run)).transpose()?;
        Ok((trained, matrix))
    }

    /// Of hashed terms that all weigh alike: nothing has to be counted.
    ///
    /// # Panics
    /// If terms are not hashed, or weigh by their documents.
    pub fn untrained(options: Options) -> Result<Self> {
        assert!(options.hashed.is_some() && !options.weighting.idf);
        let names = Arc::new(Names::new::<&[u8]>([])?);
        Ok(Self::new(options, names, Vec::new(), 0))
    }

    fn new(
        options: Options,
        names: Arc<Names>,
        document_frequencies: Vec<u32>,
        documents: u64,
    ) -> Self {
        let weighting = options.weighting;
        let idf = match weighting.idf {
            true => {
                document_frequencies.iter().map(|&df| weighting.idf_of(documents, df)).collect()
            }
            false => Vec::new(),
        };
        Self(Arc::new(Content { options, names, document_frequencies, documents, idf }))
    }

    /// How it was made.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// The terms by column; none where they are hashed.
    pub fn names(&self) -> &Arc<Names> {
        &self.0.names
    }

    /// Columns of its rows.
    pub fn columns(&self) -> usize {
        match self.0.options.hashed {
            Some((columns, _)) => columns as usize,
            None => self.0.names.len(),
        }
    }

    /// Documents that it was trained on.
    pub fn documents(&self) -> u64 {
        self.0.documents
    }

    /// By column, the documents that have its term; empty where nothing was counted.
    pub fn document_frequencies(&self) -> &[u32] {
        &self.0.document_frequencies
    }

    /// The inverse document frequency of each column; empty where all weigh alike.
    pub fn idf(&self) -> &[f64] {
        &self.0.idf
    }

    /// Bytes of memory.
    pub fn weight(&self) -> u64 {
        let Content { names, document_frequencies, idf, .. } = &*self.0;
        (names.bytes().len() + 20 * names.len() + 4 * document_frequencies.len() + 8 * idf.len())
            as u64
    }

    /// The rows of texts, in their order: phases "count" and "weigh". Terms without a column are
    /// passed over. A row does not depend on the other texts, nor on the number of threads.
    ///
    /// # Errors
    /// As `each_part`; `OutOfMemory`; `Aborted`.
    pub fn transform(&self, source: Source, reading: Reading, run: &Run) -> Result<SparseMatrix> {
        let Options { analysis, hashed, .. } = &self.0.options;
        let counting = Counting { analysis, hashed: *hashed, rows: true };
        let Counted { numberings, parts, .. } = counting.count(source, reading, run)?;
        let columns = match hashed {
            Some(_) => Vec::new(),
            None => {
                let found = numberings.iter().map(|numbering| self.columns_of(numbering, run));
                found.collect::<Result<_>>()?
            }
        };
        self.placing().matrix(&parts, &columns, run)
    }

    fn columns_of(&self, numbering: &Numbering<'_>, run: &Run) -> Result<Vec<u32>> {
        let Some(table) = &numbering.table else { return Ok(Vec::new()) };
        let mut columns = vec![NONE; table.end().max(1) as usize];
        for number in 1..table.end() {
            if (number as usize).is_multiple_of(STEP) {
                run.check()?;
            }
            columns[number as usize] = self.0.names.find(table.bytes(number)).unwrap_or(NONE);
        }
        Ok(columns)
    }

    fn placing(&self) -> Placing<'_> {
        let Content { options: Options { weighting, .. }, idf, .. } = &*self.0;
        Placing { weighting: *weighting, idf, columns: self.columns() }
    }

    /// The rows of a few short texts that are here, without threads.
    pub fn transform_now<T: AsRef<[u8]>>(&self, texts: &[T]) -> SparseMatrix {
        let Options { analysis, hashed, .. } = &self.0.options;
        let mut terms = Terms::new(analysis);
        let mut rows = Rows::default();
        let mut found: Vec<(u32, i32)> = Vec::new();
        for text in texts {
            terms.split(text.as_ref());
            found.clear();
            found.extend(terms.iter().filter_map(|term| match *hashed {
                None => self.0.names.find(term).map(|column| (column, 1)),
                Some((columns, signed)) => {
                    let (column, negative) = hashing::column(term, columns);
                    Some((column, if negative && signed { -1 } else { 1 }))
                }
            }));
            found.sort_unstable();
            let counted = found.chunk_by(|a, b| a.0 == b.0);
            let counted = counted.map(|same| (same[0].0, same.iter().map(|&(_, one)| one).sum()));
            rows.entries.extend(counted);
            rows.ends.push(rows.entries.len());
        }
        self.placing().matrix_now(rows)
    }

    /// Writes a file that `open` reads.
    ///
    /// # Errors
    /// `DiskFull`, `Io`.
    pub fn save(&self, path: &Path) -> Result<()> {
        let (key, header) = KIND.entry(&self.header())?;
        save(path, &[(key, &header)], self.parts())
    }

    /// Opens a file that `save` wrote; the terms are mapped.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` if it is no such file.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let header = KIND.read(&reader, path)?;
        Self::read(&reader, header, path)
    }

    pub(crate) fn header(&self) -> Header {
        let Content { options, documents, .. } = &*self.0;
        Header { options: options.clone(), documents: *documents }
    }

    /// As tensors of a file.
    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        let Content { names, document_frequencies, .. } = &*self.0;
        let mut parts = names.parts();
        if !document_frequencies.is_empty() {
            let bytes = bytemuck::cast_slice(document_frequencies);
            let shape = [document_frequencies.len()];
            parts.push(Part::bytes("document_frequencies", Dtype::U32, &shape, bytes));
        }
        parts
    }

    /// Of the tensors of a file.
    pub(crate) fn read(reader: &Reader, header: Header, path: &Path) -> Result<Self> {
        let invalid = |problem: &str| Error::invalid_file(path, None, problem);
        let Header { options, documents } = header;
        let names = Names::read(reader)?.ok_or_else(|| invalid("it has no vocabulary"))?;
        let columns = match options.hashed {
            Some((columns, _)) if !(1..=MOST_HASHED).contains(&columns) => {
                return Err(invalid("it has a number of columns that terms cannot be hashed into"));
            }
            Some((columns, _)) => columns as usize,
            None => names.len(),
        };
        let Analysis { shortest, longest, .. } = options.analysis;
        if shortest == 0 || longest < shortest || longest > LONGEST {
            return Err(invalid("its terms are of a length that cannot be"));
        }
        let document_frequencies = match reader.tensor("document_frequencies") {
            None => Vec::new(),
            Some(tensor) if tensor.dtype == Dtype::U32 && tensor.shape == [columns] => {
                tensor.bytes.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect()
            }
            Some(_) => return Err(invalid("`document_frequencies` is not a U32 for each column")),
        };
        if options.weighting.idf && document_frequencies.is_empty() && columns > 0 {
            return Err(invalid("there are no `document_frequencies`"));
        }
        if document_frequencies.iter().any(|&df| u64::from(df) > documents) {
            return Err(invalid("a term is in more documents than there are"));
        }
        Ok(Self::new(options, Arc::new(names), document_frequencies, documents))
    }
}

fn summed(numberings: &[Numbering<'_>], columns: u32) -> Vec<u32> {
    let mut sums = vec![0; columns as usize];
    for numbering in numberings {
        sums.iter_mut().zip(&numbering.document_frequencies).for_each(|(sum, df)| *sum += df);
    }
    sums
}

#[cfg(test)]
mod tests {
    use inlay_corpus::{Normalization, Tokenizer};

    use super::*;
    use crate::{Norm, Unit};

    /// Saves and opens a vectorizer of hashed terms.
    fn reopened(columns: u32, longest: usize) -> Result<Vectorizer> {
        let analysis = Analysis {
            unit: Unit::Words,
            shortest: 1,
            longest,
            tokenizer: Tokenizer::Whitespace,
            lowercase: false,
            normalization: Normalization::None,
            stop_words: Vec::new(),
        };
        let weighting = Weighting {
            binary: false,
            sublinear: false,
            idf: false,
            smooth: false,
            norm: Norm::None,
        };
        let hashed = Some((columns, false));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.safetensors");
        Vectorizer::untrained(Options { analysis, weighting, hashed })?.save(&path)?;
        Vectorizer::open(&path)
    }

    #[test]
    fn files_of_sizes_that_would_take_for_ever_or_all_memory_are_refused() {
        assert_eq!(reopened(MOST_HASHED, LONGEST).unwrap().columns(), MOST_HASHED as usize);
        for (columns, longest) in [(0, 1), (MOST_HASHED + 1, 1), (u32::MAX, 1), (8, LONGEST + 1)] {
            let error = reopened(columns, longest).unwrap_err();
            assert!(matches!(error, Error::InvalidInput { .. }), "{error:?}");
        }
        assert!(reopened(8, usize::MAX).is_err());
    }
}
