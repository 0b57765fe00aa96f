use super::dictionary::ENTRY;
use super::quantized::CENTROIDS;

/// Bytes before the dictionary's entries: magic number, version, args, counts.
const HEAD: u64 = 8 + 56 + 28;
/// Bytes of a pruned pair.
const PAIR: u64 = 8;

/// What a quantized model takes in a file, to be known before it is made.
#[derive(Debug, Clone, Copy)]
pub struct QuantizedSize {
    /// Values of a row.
    pub dimensions: usize,
    /// Values in a part of an input row.
    pub width: usize,
    /// Whether lengths have bytes of their own.
    pub norms: bool,
    /// Rows of the output.
    pub labels: usize,
    /// The parts' width where the output is quantized as well.
    pub output: Option<usize>,
}

impl QuantizedSize {
    /// All but the dictionary's entries and the input's rows.
    pub fn frame(&self) -> u64 {
        let output = match self.output {
            Some(width) => 22 + self.books() + self.labels as u64 * self.codes(width),
            None => 17 + 4 * self.labels as u64 * self.dimensions as u64,
        };
        HEAD + 22 + self.books() + output
    }

    /// A word that has a row, or, without one, a label.
    pub fn entry(name: &[u8]) -> u64 {
        (name.len() + ENTRY) as u64
    }

    /// An input row.
    pub fn row(&self) -> u64 {
        self.codes(self.width)
    }

    /// The place of a bucket that pruning has left, without its row.
    pub fn pair(&self) -> u64 {
        PAIR
    }

    fn codes(&self, width: usize) -> u64 {
        (self.dimensions.div_ceil(width) + usize::from(self.norms)) as u64
    }

    /// The centroids of rows, and of their lengths.
    fn books(&self) -> u64 {
        let book = |columns: usize| (16 + 4 * CENTROIDS * columns) as u64;
        book(self.dimensions) + if self.norms { book(1) } else { 0 }
    }
}
