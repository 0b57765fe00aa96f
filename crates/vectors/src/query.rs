//! Nearest neighbours of words, of vectors, and of sums of them.

use inlay_base::{Error, Result, Workers};

use crate::WordVectors;
use crate::search::{Ready, inverse_norm};
use crate::top::Neighbour;

/// A term of a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A word: its vector, made 1 long. It is not among the answers.
    Word(Vec<u8>),
    /// A vector, as it is.
    Vector(Vec<f32>),
}

/// What to be near to and what to be far from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// Terms that are added.
    pub positive: Vec<Item>,
    /// Terms that are subtracted.
    pub negative: Vec<Item>,
}

impl Query {
    /// Near one word.
    pub fn word(word: &[u8]) -> Self {
        Self { positive: vec![Item::Word(word.into())], negative: Vec::new() }
    }

    /// Near one vector.
    pub fn vector(vector: &[f32]) -> Self {
        Self { positive: vec![Item::Vector(vector.into())], negative: Vec::new() }
    }

    /// a is to b as c is to what? Levy, Goldberg 2014, equation 1 (3CosAdd): near b - a + c.
    pub fn analogy(a: &[u8], b: &[u8], c: &[u8]) -> Self {
        Self {
            positive: vec![Item::Word(b.into()), Item::Word(c.into())],
            negative: vec![Item::Word(a.into())],
        }
    }
}

/// Which answers are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchOptions {
    /// How many; fewer where there are no more rows.
    pub top_k: usize,
    /// Only among the first so many rows: the most frequent words.
    pub restrict: Option<usize>,
    /// Words that are not answers; unknown ones do no harm.
    pub exclude: Vec<Vec<u8>>,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self { top_k: 10, restrict: None, exclude: Vec::new() }
    }
}

impl WordVectors {
    /// The rows most similar by cosine to each query, most similar first, of equals the lower row;
    /// exact, on all workers. Words of the query itself are left out, all rows of a name that
    /// comes twice but the first stay in.
    ///
    /// # Errors
    /// `NotFound` for a word, `InvalidInput` for a query without terms, a vector of another length
    /// or of numbers that are not finite.
    pub fn nearest(
        &self,
        queries: &[Query],
        options: &SearchOptions,
        workers: &dyn Workers,
    ) -> Result<Vec<Vec<Neighbour>>> {
        let exclude: Vec<u32> =
            options.exclude.iter().filter_map(|word| self.names().find(word)).collect();
        let ready = queries.iter().map(|query| self.ready(query, &exclude));
        let ready = ready.collect::<Result<Vec<_>>>()?;
        let rows = options.restrict.unwrap_or(usize::MAX);
        self.best(&ready, options.top_k, rows, workers)
    }

    /// The direction of a query: the sum of its terms, words as unit vectors.
    fn ready(&self, query: &Query, exclude: &[u32]) -> Result<Ready> {
        let invalid = |problem: String| {
            Err(Error::InvalidInput { source: "query".into(), offset: None, problem })
        };
        if query.positive.is_empty() && query.negative.is_empty() {
            return invalid("has neither positive nor negative terms".into());
        }
        let mut sum = vec![0.0f64; self.dimensions()];
        let mut excluded = exclude.to_vec();
        for (items, sign) in [(&query.positive, 1.0), (&query.negative, -1.0)] {
            for item in items {
                match item {
                    Item::Word(word) => {
                        let row = self.index_of(word)?;
                        excluded.push(row);
                        let values = self.rows().row(row as usize);
                        add(&mut sum, &values, sign * f64::from(inverse_norm(&values)));
                    }
                    Item::Vector(values) => {
                        if values.len() != self.dimensions() {
                            let (given, wanted) = (values.len(), self.dimensions());
                            return invalid(format!(
                                "has a vector of {given} values, the rows have {wanted}"
                            ));
                        }
                        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                            return invalid(format!("has a vector that holds {value}"));
                        }
                        add(&mut sum, values, sign);
                    }
                }
            }
        }
        excluded.sort_unstable();
        Ok(Ready { direction: unit(&sum), excluded })
    }
}

pub(crate) fn add(sum: &mut [f64], values: &[f32], factor: f64) {
    sum.iter_mut().zip(values).for_each(|(sum, &value)| *sum += factor * f64::from(value));
}

/// The vector of length 1, or zeros.
pub(crate) fn unit(vector: &[f64]) -> Vec<f32> {
    let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    if !length.is_finite() || length == 0.0 {
        return vec![0.0; vector.len()];
    }
    vector.iter().map(|value| (value / length) as f32).collect()
}
