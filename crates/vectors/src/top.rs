use std::cmp::Ordering;

/// A row and how similar it is to a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// The row, and the number of its name.
    pub row: u32,
    /// Cosine, from -1 to 1; 0 for rows of zeros.
    pub similarity: f32,
}

impl Neighbour {
    /// Most similar first; of equals the lower row.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        other.similarity.total_cmp(&self.similarity).then(self.row.cmp(&other.row))
    }
}

/// The best so many of the rows that are offered in rising order.
pub(crate) struct Top {
    count: usize,
    /// Below this nothing gets in any more.
    threshold: f32,
    /// Up to twice `count`, cut back when full: two comparisons a row, and no heap to keep.
    found: Vec<Neighbour>,
}

impl Top {
    pub(crate) fn new(count: usize) -> Self {
        let threshold = if count == 0 { f32::INFINITY } else { f32::NEG_INFINITY };
        Self { count, threshold, found: Vec::new() }
    }

    /// An empty one that need not find what this one would not take. Its rows may be lower ones,
    /// which go first among equals: what equals the threshold gets in.
    pub(crate) fn heir(&self) -> Self {
        Self { threshold: self.threshold.next_down(), ..Self::new(self.count) }
    }

    /// Nothing that is not more similar gets in.
    pub(crate) fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Whether a row of this similarity could get in.
    #[inline(always)]
    pub(crate) fn wants(&self, similarity: f32) -> bool {
        similarity > self.threshold
    }

    pub(crate) fn push(&mut self, row: u32, similarity: f32) {
        self.found.push(Neighbour { row, similarity });
        if self.found.len() >= 2 * self.count.max(8) {
            self.cut();
        }
    }

    /// Adds what another one found, of rows in any order.
    pub(crate) fn join(&mut self, mut other: Self) {
        other.cut();
        self.found.append(&mut other.found);
        self.cut();
    }

    fn cut(&mut self) {
        if self.found.len() > self.count {
            self.found.select_nth_unstable_by(self.count.max(1) - 1, Neighbour::order);
            self.found.truncate(self.count);
            if let Some(last) = self.found.last() {
                self.threshold = last.similarity;
            }
        }
    }

    /// What was found, best first.
    pub(crate) fn take_sorted(&mut self) -> Vec<Neighbour> {
        self.cut();
        let mut found = std::mem::take(&mut self.found);
        found.sort_unstable_by(Neighbour::order);
        found
    }
}
