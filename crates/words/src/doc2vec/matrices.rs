use inlay_base::{Random, Result, Run, SharedMatrix};
use inlay_formats::Names;

use super::{Architecture, Combine, Options, Tags};
use crate::word2vec::{Scoring, Start, fill_at_random, first_vectors, frozen};

/// What is trained.
pub struct Matrices {
    /// [words, dimensions]; no rows where windows have no words.
    pub input: SharedMatrix,
    /// [tags, dimensions]
    pub tags: SharedMatrix,
    /// What stands beyond the ends of a document: one row with `Concatenation`, else none.
    pub beyond: SharedMatrix,
    /// [words or inner nodes, dimensions]; with `Concatenation` that many values for each place.
    pub output: SharedMatrix,
    /// By word: its input row does not move; `None` if all move.
    pub frozen: Option<Vec<bool>>,
}

impl Matrices {
    /// Rows of tags are uniform in ±1 / dimensions, as in gensim 4: with half of that the vectors
    /// of PV-DBOW have fewer directions, and a classifier errs more often. Those of words are as in
    /// Word2Vec, the others zero.
    pub fn new(
        names: &Names,
        (nodes, tags): (usize, &Tags),
        options: &Options,
        start: &Start,
        run: &Run,
    ) -> Result<Self> {
        let dimensions = options.dimensions;
        let mut random = Random::new(run.seed(), 0);
        let (input, given) = match options.has_words() {
            true => first_vectors(names, dimensions, start, &mut random)?,
            false => (SharedMatrix::zeros(0, dimensions)?, Vec::new()),
        };
        let rows = SharedMatrix::zeros(tags.names().len(), dimensions)?;
        fill_at_random(&rows, 1.0, &mut random);
        let concatenates = options.concatenates();
        let places = if concatenates { tags.of_each()? + 2 * options.window } else { 1 };
        let output = SharedMatrix::zeros(nodes, places * dimensions)?;
        let beyond = SharedMatrix::zeros(usize::from(concatenates), dimensions)?;
        let frozen = match options.has_words() {
            true => frozen(names, &start.frozen, given),
            false => None,
        };
        Ok(Self { input, tags: rows, beyond, output, frozen })
    }
}

/// Bytes that a training needs at most, the corpus' own memory-mapped file left out: as
/// `word2vec::estimate_memory`, and for each tag its row, its name, and its places in lists.
/// `window` and one tag for each document count with `Concatenation` only.
pub fn estimate_memory(
    (vocabulary, tags): (usize, usize),
    (dimensions, window): (usize, usize),
    (architecture, combine): (Architecture, Combine),
    objective: Scoring,
) -> u64 {
    let row = |values: usize| values.next_multiple_of(16) as u64 * 4;
    let words = crate::word2vec::estimate_memory(vocabulary, dimensions, objective);
    let places = match (architecture, combine) {
        (Architecture::DistributedMemory, Combine::Concatenation) => 1 + 2 * window,
        _ => 1,
    };
    let wider = row(places * dimensions) - row(dimensions);
    // A name of 16 bytes in the list and, while it is gathered, in a table; offset, two index cells.
    let tag = row(dimensions) + 16 + 56 + 8 + 16 + 12;
    words + vocabulary as u64 * wider + tags as u64 * tag
}
