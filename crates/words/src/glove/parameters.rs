use inlay_base::{Random, Result, Run, SharedMatrix};
use inlay_kernels::Layout;

/// What is trained: a row for each word as word, then one for each as context, each with its vector,
/// bias and their squares.
pub struct Parameters {
    pub matrix: SharedMatrix,
    pub layout: Layout,
    pub words: usize,
}

impl Parameters {
    /// Vectors and biases are uniform in ±0.5 / dimensions, squares 1, as in the C tool.
    pub fn new(words: usize, dimensions: usize, run: &Run) -> Result<Self> {
        let layout = Layout { dimensions };
        let matrix = SharedMatrix::zeros(2 * words, layout.columns())?;
        let mut random = Random::new(run.seed(), 0);
        let mut row = vec![0.0; layout.columns()];
        row[layout.squares()..].fill(1.0);
        let scale = 1.0 / dimensions as f32;
        for number in 0..2 * words as u32 {
            if number.is_multiple_of(1 << 12) {
                run.check()?;
            }
            row[..=dimensions].fill_with(|| (random.unit() - 0.5) * scale);
            matrix.write(number, &row);
        }
        Ok(Self { matrix, layout, words })
    }

    /// Copies a word's vector, as word or as context, and then its bias out.
    pub fn vector(&self, word: usize, context: bool, row: &mut [f32], into: &mut [f32]) {
        self.matrix.read((word + if context { self.words } else { 0 }) as u32, row);
        into.copy_from_slice(&row[..into.len()]);
    }
}

/// Bytes that a training needs at most beside `memory` for its pairs, which lie in temporary files:
/// vectors of words and contexts with their squares, the vectors of the model, the vocabulary.
pub fn estimate_memory(vocabulary: usize, dimensions: usize, chosen: super::Chosen) -> u64 {
    let trained = 2 * 4 * Layout { dimensions }.columns() as u64;
    let matrices = if chosen == super::Chosen::Both { 3 } else { 2 };
    let row = dimensions as u64 * 4;
    // A word of 16 bytes, its offset, count, two index cells; two biases.
    let word = 16 + 8 + 8 + 16 + 8;
    vocabulary as u64 * (trained + matrices * row + word) + (4 << 20)
}
