use std::sync::{Arc, Mutex, OnceLock};

use inlay_base::{Result, Run, Workers, lock};
use inlay_corpus::{Corpus, Normalization, Splitter, Tokenizer};
use inlay_formats::{Array, Names};
use serde::{Deserialize, Serialize};

use crate::estimate::{Estimate, Smoothing, estimate};
use crate::fill::Went;
use crate::indexed;
use crate::packed::{Packed, Unpacked};
use crate::room::{Numbers, Room};
use crate::sorted::Sorted;
use crate::table::Table;
use crate::text::{SPECIAL, Text, UNKNOWN, Vocabulary};

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
pub(crate) struct About {
    /// N-grams of each order.
    pub ngrams: Vec<u64>,
    pub spelling: Spelling,
    pub estimation: Option<Estimation>,
    /// Bits of a value, if it has fewer than 32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization: Option<u32>,
}

/// An n-gram language model. Nothing in it changes.
pub struct Model {
    pub(crate) names: Arc<Names>,
    /// log10 probability and log10 back-off of each word.
    pub(crate) unigrams: Unigrams,
    pub(crate) orders: Orders,
    pub(crate) about: About,
}

pub(crate) enum Unigrams {
    Made(Numbers),
    Mapped(Array<u32>),
}

/// The n-grams from order 2 on.
pub(crate) enum Orders {
    /// Of a text.
    Sorted(Indexed),
    /// Of a file; `listed` are the cells of each table in the order of that.
    Hashed { tables: Vec<Table>, listed: Option<Vec<Numbers>> },
    /// Of a file that was quantized.
    Packed(Vec<Packed>),
}

/// N-grams in suffix order, and tables of them once somebody asks for much: an ARPA file takes none.
pub(crate) struct Indexed {
    pub orders: Vec<Sorted>,
    pub room: Room,
    making: Mutex<()>,
    tables: OnceLock<Vec<Table>>,
}

/// What searches go to.
pub(crate) enum Searched<'a> {
    Sorted(&'a [Sorted]),
    Hashed(&'a [Table]),
    Packed(&'a [Packed]),
}

/// An n-gram, and where it lies.
pub(crate) struct Placed {
    pub slot: u32,
    /// Where its context lies in the order below.
    pub context: u32,
    pub word: u32,
    pub values: [f32; 2],
}

impl Indexed {
    fn tables(&self, workers: &dyn Workers, went: Went<'_>) -> Result<&[Table]> {
        let _making = lock(&self.making);
        if let Some(tables) = self.tables.get() {
            return Ok(tables);
        }
        let made = indexed::tables(&self.orders, self.room.open(), workers, went);
        self.room.close();
        let made = made?;
        Ok(self.tables.get_or_init(|| made))
    }
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
        let mut text = Text::read(corpus, vocabulary, room, run)?;
        let made = estimate(&mut text, smoothing, room.open(), run);
        room.close();
        let Estimate { unigrams, orders, discounts } = made?;
        let estimation = Estimation {
            prune: smoothing.thresholds.clone(),
            discounts: discounts.iter().map(|discounts| discounts.values()).collect(),
            min_count: vocabulary.min_count,
            max_vocabulary: vocabulary.most.map(|most| most as u64),
        };
        let ngrams = std::iter::once(text.names.len()).chain(orders.iter().map(|order| order.len));
        let ngrams = ngrams.map(|count| count as u64).collect();
        let about = About { ngrams, spelling, estimation: Some(estimation), quantization: None };
        let (making, tables) = (Mutex::default(), OnceLock::new());
        let orders = Orders::Sorted(Indexed { orders, room: room.clone(), making, tables });
        let (names, unigrams) = (Arc::new(text.names), Unigrams::Made(unigrams));
        Ok(Self { names, unigrams, orders, about })
    }

    /// Of a file: `listed` are the cells of its n-grams from order 2 on, in its order.
    pub(crate) fn of_file(
        names: Names,
        unigrams: Numbers,
        tables: Vec<Table>,
        listed: Vec<Numbers>,
        spelling: Spelling,
    ) -> Self {
        let ngrams = std::iter::once(names.len()).chain(tables.iter().map(|table| table.len));
        let ngrams = ngrams.map(|count| count as u64).collect();
        let about = About { ngrams, spelling, estimation: None, quantization: None };
        let orders = Orders::Hashed { tables, listed: Some(listed) };
        let (names, unigrams) = (Arc::new(names), Unigrams::Made(unigrams));
        Self { names, unigrams, orders, about }
    }

    /// Words of the longest n-gram.
    pub fn order(&self) -> usize {
        self.about.ngrams.len()
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
        matches!(self.unigrams, Unigrams::Mapped(_))
    }

    /// Bits of each probability and back-off, if they were quantized.
    pub fn quantization(&self) -> Option<u32> {
        self.about.quantization
    }

    /// Bytes of memory or of the mapped file.
    pub fn weight(&self) -> u64 {
        let of_tables =
            |tables: &[Table]| tables.iter().map(|table| size_of_val(table.lines())).sum::<usize>();
        let orders = match &self.orders {
            Orders::Sorted(Indexed { orders, tables, .. }) => {
                let tables = tables.get().map_or(0, |tables| of_tables(tables));
                tables + orders.iter().map(Sorted::weight).sum::<usize>()
            }
            Orders::Hashed { tables, listed } => {
                let listed = listed.iter().flatten().map(|numbers| size_of_val(&**numbers));
                of_tables(tables) + listed.sum::<usize>()
            }
            Orders::Packed(orders) => orders.iter().map(Packed::weight).sum(),
        };
        (orders + size_of_val(self.unigrams())) as u64
    }

    /// The number of a word; that of `<unk>` if it is not in the vocabulary. What marks sentences is
    /// no word.
    #[inline]
    pub fn number(&self, word: &[u8]) -> u32 {
        let number = self.names.find(word).unwrap_or(UNKNOWN);
        if number < SPECIAL.len() as u32 { UNKNOWN } else { number }
    }

    /// By word.
    pub(crate) fn unigrams(&self) -> &[[f32; 2]] {
        match &self.unigrams {
            Unigrams::Made(numbers) => bytemuck::cast_slice(numbers.reals()),
            Unigrams::Mapped(array) => bytemuck::cast_slice(array),
        }
    }

    /// What searches go to now.
    pub(crate) fn searched(&self) -> Searched<'_> {
        match &self.orders {
            Orders::Sorted(Indexed { orders, tables, .. }) => match tables.get() {
                Some(tables) => Searched::Hashed(tables),
                None => Searched::Sorted(orders),
            },
            Orders::Hashed { tables, .. } => Searched::Hashed(tables),
            Orders::Packed(orders) => Searched::Packed(orders),
        }
    }

    /// What an estimation or an ARPA file left; tables of the former do not count.
    pub(crate) fn stored(&self) -> Searched<'_> {
        match &self.orders {
            Orders::Sorted(Indexed { orders, .. }) => Searched::Sorted(orders),
            _ => self.searched(),
        }
    }

    /// The cells of an order's n-grams from 2 on as they are listed, if they are in a table.
    pub(crate) fn listed(&self, order: usize) -> Option<&[u32]> {
        match &self.orders {
            Orders::Hashed { listed: Some(listed), .. } => Some(&listed[order - 2]),
            _ => None,
        }
    }

    /// Makes tables if so many words will be asked for that it pays.
    ///
    /// # Errors
    /// `OutOfMemory`, `DiskFull`, `Io`, and those of `went`, which hears how many n-grams are done.
    pub(crate) fn prepare(&self, words: u64, workers: &dyn Workers, went: Went<'_>) -> Result<()> {
        // A search in sorted n-grams takes some microseconds, a place in a table a fraction of one.
        const PAYS: u64 = 16;
        let ngrams = self.ngrams().iter().sum::<u64>();
        match &self.orders {
            Orders::Sorted(indexed) if words.saturating_mul(PAYS) >= ngrams => {
                indexed.tables(workers, went).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// The n-grams of an order from 2 on, as they lie.
    pub(crate) fn placed(&self, order: usize) -> Box<dyn Iterator<Item = Placed> + '_> {
        let below = order - 2;
        match self.stored() {
            Searched::Sorted(orders) => {
                let sorted = &orders[below];
                Box::new((0..).zip(sorted.words(0..sorted.len)).map(|(slot, word)| {
                    let entry = slot as usize;
                    let values = [sorted.probabilities.reals()[entry], sorted.backoff(entry)];
                    Placed { slot, context: sorted.context[entry], word, values }
                }))
            }
            Searched::Hashed(tables) => {
                let table = &tables[below];
                Box::new((0..table.slots() as u32).filter_map(|slot| {
                    let (context, word, probability, backoff) = table.get(slot)?;
                    Some(Placed { slot, context, word, values: [probability, backoff] })
                }))
            }
            Searched::Packed(orders) => {
                Box::new((0..).zip(orders[below].all()).map(|(slot, ngram)| {
                    let Unpacked { context, word, probability, backoff } = ngram;
                    Placed { slot, context, word, values: [probability, backoff] }
                }))
            }
        }
    }
}
