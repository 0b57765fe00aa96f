use std::path::Path;
use std::sync::Arc;

use inlay_base::{Error, Result, Run};
use inlay_corpus::{Corpus, Normalization, Splitter, Tokenizer};
use inlay_formats::safetensors::{self, Dtype, Kind, Part, Reader};
use inlay_formats::{Array, Names, arpa};
use serde::{Deserialize, Serialize};

use crate::estimate::{Estimate, Smoothing, estimate};
use crate::room::{Numbers, Room};
use crate::table::{Cells, Table, width};
use crate::text::{SPECIAL, Text, UNKNOWN, Vocabulary};

const KIND: Kind =
    Kind { name: "n-gram language model", what: "an n-gram language model", version: 1 };
/// Values that are written at once.
const BLOCK: usize = 1 << 16;

/// How sentences become words.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spelling {
    /// What is a word.
    pub tokenizer: Tokenizer,
    /// Whether words become lower case.
    pub lowercase: bool,
    /// The Unicode form of words.
    pub normalization: Normalization,
}

/// How a model was estimated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimation {
    /// What n-grams of each order must occur more often than.
    pub prune: Vec<u32>,
    /// What is taken from counts of 1, 2, and 3 and more, by order.
    pub discounts: Vec<[f32; 3]>,
    /// Words that occur less often are `<unk>`.
    pub min_count: u64,
    /// So many words have numbers of their own at most.
    pub max_vocabulary: Option<u64>,
}

/// What the file says beside its tensors.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct About {
    /// N-grams of each order.
    ngrams: Vec<u64>,
    spelling: Spelling,
    estimation: Option<Estimation>,
}

/// An n-gram language model. Nothing in it changes.
pub struct Model {
    names: Arc<Names>,
    /// log10 probability and log10 back-off of each word.
    unigrams: Cells,
    /// From order 2 on.
    tables: Vec<Table>,
    /// For each table, its n-grams in the order of the text or file that they come from.
    sorted: Option<Vec<Numbers>>,
    about: About,
}

impl Model {
    /// Estimates a model of a corpus, which must have all its words: interpolated modified Kneser-Ney
    /// (see `estimate`). The result does not depend on the number of threads.
    ///
    /// # Errors
    /// - `InvalidInput`: a text without discounts; `<s>` or `</s>` in the text; no sentence.
    /// - `Unsupported`: more than 2^31 words.
    /// - `OutOfMemory`, `DiskFull`, `Io`, `Aborted`.
    pub fn estimate(
        corpus: &Corpus,
        vocabulary: Vocabulary,
        smoothing: &Smoothing,
        spelling: Spelling,
        room: &Room,
        run: &Run,
    ) -> Result<Self> {
        let text = Text::read(corpus, vocabulary, room, run)?;
        let made = estimate(&text, smoothing, room, run)?;
        let estimation = Estimation {
            prune: smoothing.thresholds.clone(),
            discounts: made.discounts.iter().map(|discounts| discounts.values()).collect(),
            min_count: vocabulary.min_count,
            max_vocabulary: vocabulary.most.map(|most| most as u64),
        };
        Ok(Self::of(text.names, made, spelling, Some(estimation)))
    }

    pub(crate) fn of(
        names: Names,
        made: Estimate,
        spelling: Spelling,
        estimation: Option<Estimation>,
    ) -> Self {
        let Estimate { unigrams, tables, sorted, .. } = made;
        let ngrams = std::iter::once(names.len()).chain(tables.iter().map(|table| table.len));
        let ngrams = ngrams.map(|count| count as u64).collect();
        let about = About { ngrams, spelling, estimation };
        let unigrams = Cells::Made(unigrams);
        Self { names: Arc::new(names), unigrams, tables, sorted: Some(sorted), about }
    }

    /// Words of the longest n-gram.
    pub fn order(&self) -> usize {
        self.tables.len() + 1
    }

    /// `<unk>`, `<s>`, `</s>`, then the words as they first occurred.
    pub fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// N-grams of each order, from 1 on.
    pub fn ngrams(&self) -> &[u64] {
        &self.about.ngrams
    }

    /// How sentences become words.
    pub fn spelling(&self) -> Spelling {
        self.about.spelling
    }

    /// How it was estimated; a foreign file does not say.
    pub fn estimation(&self) -> Option<&Estimation> {
        self.about.estimation.as_ref()
    }

    /// What splits sentences as the text was.
    pub fn splitter(&self) -> Splitter {
        let Spelling { tokenizer, lowercase, normalization } = self.about.spelling;
        Splitter::new(tokenizer, lowercase, normalization)
    }

    /// Whether it lies in a mapped file rather than in memory.
    pub fn is_mapped(&self) -> bool {
        matches!(self.unigrams, Cells::Mapped(_))
    }

    /// Bytes of memory or of the mapped file.
    pub fn weight(&self) -> u64 {
        let cells = self.tables.iter().map(|table| size_of_val(table.cells())).sum::<usize>();
        let sorted = self.sorted.iter().flatten().map(|numbers| size_of_val(&**numbers));
        (cells + size_of_val(&*self.unigrams) + sorted.sum::<usize>()) as u64
    }

    /// The number of a word; that of `<unk>` if it is not in the vocabulary. What marks sentences is
    /// no word.
    #[inline]
    pub fn number(&self, word: &[u8]) -> u32 {
        let number = self.names.find(word).unwrap_or(UNKNOWN);
        if number < SPECIAL.len() as u32 { UNKNOWN } else { number }
    }

    #[inline(always)]
    pub(crate) fn unigram(&self, word: u32) -> (f32, f32) {
        let [probability, backoff] = self.unigrams()[word as usize];
        (probability, backoff)
    }

    /// By word.
    pub(crate) fn unigrams(&self) -> &[[f32; 2]] {
        bytemuck::cast_slice(&self.unigrams)
    }

    #[inline(always)]
    pub(crate) fn tables(&self) -> &[Table] {
        &self.tables
    }

    pub(crate) fn sorted(&self) -> Option<&[Numbers]> {
        self.sorted.as_deref()
    }

    /// Writes a file that `open` reads. Phase "write" in bytes.
    ///
    /// # Errors
    /// `DiskFull`, `Io`, `Aborted`.
    pub fn save(&self, path: &Path, run: &Run) -> Result<()> {
        let (key, header) = KIND.entry(&self.about)?;
        let names: Vec<String> = (2..=self.order()).map(table_name).collect();
        let all: usize = self.tables.iter().map(|table| size_of_val(table.cells())).sum();
        run.phase("write", "bytes", 0, Some((all + size_of_val(&*self.unigrams)) as u64));
        let mut parts = self.names.parts();
        parts.push(cells_part("unigrams", Dtype::F32, &self.unigrams, 2, run));
        for (m, (table, name)) in (2..).zip(self.tables.iter().zip(&names)) {
            let width = width(m == self.order());
            parts.push(cells_part(name, Dtype::U32, table.cells(), width, run));
        }
        safetensors::save(path, &[(key, &header)], parts)
    }

    /// Opens a file that `save` wrote. It is mapped, not read.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput`: the file is no n-gram language model, or damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let damaged = |problem: &str| Error::invalid_file(path, None, problem);
        let about: About = KIND.read(&reader, path)?;
        let names = Names::read(&reader)?.ok_or_else(|| damaged("has no vocabulary"))?;
        let special = |(number, name): (u32, &&str)| {
            names.len() > number as usize && names.get(number) == name.as_bytes()
        };
        if !(0..).zip(&SPECIAL).all(special) {
            return Err(damaged("does not begin its vocabulary with <unk>, <s>, </s>"));
        }
        let order = about.ngrams.len();
        if !(1..=arpa::HIGHEST).contains(&order) || about.ngrams[0] != names.len() as u64 {
            return Err(damaged("does not say how many n-grams it has"));
        }
        let cells = |name: &str, dtype: Dtype, width: usize| {
            let tensor = reader.tensor(name);
            let tensor =
                tensor.filter(|t| t.dtype == dtype && t.shape.get(1..) == Some(&[width][..]));
            let array = tensor.and_then(|tensor| Array::mapped(reader.map(), tensor.range));
            array.ok_or_else(|| damaged("lacks n-grams of an order"))
        };
        let unigrams = cells("unigrams", Dtype::F32, 2)?;
        if unigrams.len() != 2 * names.len() {
            return Err(damaged("does not have a unigram for each word"));
        }
        let mut tables = Vec::new();
        for (m, &ngrams) in (1..=order).zip(&about.ngrams).skip(1) {
            let highest = m == order;
            let cells = cells(&table_name(m), Dtype::U32, width(highest))?;
            let ngrams = usize::try_from(ngrams).ok();
            let table = ngrams.and_then(|ngrams| Table::mapped(cells, highest, ngrams));
            tables.push(table.ok_or_else(|| damaged("has more n-grams than cells"))?);
        }
        let (names, unigrams) = (Arc::new(names), Cells::Mapped(unigrams));
        Ok(Self { names, unigrams, tables, sorted: None, about })
    }
}

fn table_name(order: usize) -> String {
    format!("ngrams.{order}")
}

fn cells_part<'a>(
    name: &'a str,
    dtype: Dtype,
    cells: &'a [u32],
    width: usize,
    run: &'a Run,
) -> Part<'a> {
    Part::streamed(name, dtype, &[cells.len() / width, width], move |writer| {
        for block in cells.chunks(BLOCK) {
            run.check()?;
            writer.write(bytemuck::cast_slice(block))?;
            run.advance(size_of_val(block) as u64);
        }
        Ok(())
    })
}
