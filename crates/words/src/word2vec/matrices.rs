use inlay_base::{Error, Random, Result, Run, SharedMatrix};
use inlay_formats::{GiveRows, Names};

use super::{Frozen, Options, Scoring, Start, known};

/// What is trained: shapes [words, dimensions] and [words or inner nodes, dimensions].
pub struct Matrices {
    pub input: SharedMatrix,
    pub output: SharedMatrix,
    /// By word: its input row does not move; `None` if all move.
    pub frozen: Option<Vec<bool>>,
}

impl Matrices {
    /// Input rows are uniform in ±0.5 / dimensions, output rows zero, as in word2vec.c; then come
    /// the vectors that the caller has.
    pub fn new(
        names: &Names,
        nodes: usize,
        options: &Options,
        start: &Start,
        run: &Run,
    ) -> Result<Self> {
        let dimensions = options.dimensions;
        let mut random = Random::new(run.seed(), 0);
        let (input, given) = first_vectors(names, dimensions, start, &mut random)?;
        let output = SharedMatrix::zeros(nodes, dimensions)?;
        let mut row = vec![0.0; dimensions];
        if let (Some(model), Scoring::NegativeSampling) = (&start.model, options.objective)
            && let Some(learnt) = model.output()
        {
            for (word, name) in names.iter().enumerate() {
                if let Some(known) = learnt.names().find(name) {
                    learnt.rows().give(known as usize, &mut row);
                    output.write(word as u32, &row);
                }
            }
        }
        let frozen = frozen(names, &start.frozen, given);
        Ok(Self { input, output, frozen })
    }
}

/// The input vectors of words before the first step, and for which of them the caller had some.
pub fn first_vectors(
    names: &Names,
    dimensions: usize,
    start: &Start,
    random: &mut Random,
) -> Result<(SharedMatrix, Vec<bool>)> {
    let input = SharedMatrix::zeros(names.len(), dimensions)?;
    fill_at_random(&input, 0.5, random);
    let mut given = vec![false; names.len()];
    let mut row = vec![0.0; dimensions];
    let vectors = start.model.iter().map(|model| model.vectors()).chain(&start.initial);
    for vectors in vectors {
        if vectors.dimensions() != dimensions {
            return Err(Error::InvalidOption {
                option: "dimensions",
                expected: format!("{}, as the vectors to begin with", vectors.dimensions()),
                got: dimensions.to_string(),
            });
        }
        for (word, name) in names.iter().enumerate() {
            if let Some(known) = vectors.names().find(name) {
                vectors.rows().give(known as usize, &mut row);
                input.write(word as u32, &row);
                given[word] = true;
            }
        }
    }
    Ok((input, given))
}

/// Rows uniform in ±`most` / dimensions.
pub fn fill_at_random(matrix: &SharedMatrix, most: f32, random: &mut Random) {
    let dimensions = matrix.columns();
    let mut row = vec![0.0; dimensions];
    for number in 0..matrix.rows() as u32 {
        row.fill_with(|| (random.unit() - 0.5) * 2.0 * most / dimensions as f32);
        matrix.write(number, &row);
    }
}

/// By word: whether its input row does not move; `None` if all move. `given`: which words had a
/// vector.
pub fn frozen(names: &Names, frozen: &Frozen, given: Vec<bool>) -> Option<Vec<bool>> {
    match frozen {
        Frozen::None => None,
        Frozen::Given => Some(given),
        Frozen::Words(words) => {
            let mut frozen = vec![false; names.len()];
            known(names, words).into_iter().for_each(|word| frozen[word as usize] = true);
            Some(frozen)
        }
    }
}

/// Bytes that a training needs at most, the corpus' own memory-mapped file left out: both
/// matrices, noise and subsampling tables or Huffman paths, the vocabulary.
pub fn estimate_memory(vocabulary: usize, dimensions: usize, objective: Scoring) -> u64 {
    let row = dimensions.next_multiple_of(16) as u64 * 4;
    // A Huffman path is about as long as the vocabulary's entropy in bits: 20 steps are ample.
    let objective = match objective {
        Scoring::NegativeSampling => 8,
        Scoring::HierarchicalSoftmax => 4 + 4 * 20 + 12,
    };
    // A word of 16 bytes, its offset, count, two index cells, chance to be kept.
    let word = 16 + 8 + 8 + 16 + 4;
    vocabulary as u64 * (2 * row + objective + word) + (4 << 20)
}
