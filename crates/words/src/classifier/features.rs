use super::buckets::Left;
use crate::subwords::Ngrams;

/// A bucket without a row.
pub(super) const ABSENT: u32 = u32::MAX;

/// Which rows words and n-grams have.
pub(super) struct Features {
    pub ngrams: Ngrams,
    /// Words come first: row `i` is word `i`.
    pub words: u32,
    pub buckets: Buckets,
}

/// The rows of buckets, counted after those of the words.
pub(super) enum Buckets {
    /// Bucket `i` has row `i`.
    All,
    /// By bucket; those that no training has touched are `ABSENT` and zero.
    Touched(Vec<u32>),
    /// Those that pruning has left; the others are no features.
    Left(Left),
}

/// The features of a line.
#[derive(Default)]
pub(super) struct Found {
    pub rows: Vec<u32>,
    /// Features whose row is zero: they count in the mean.
    pub zeros: u32,
}

impl Found {
    pub fn clear(&mut self) {
        self.rows.clear();
        self.zeros = 0;
    }

    /// What the sum of rows is divided by.
    pub fn count(&self) -> usize {
        self.rows.len() + self.zeros as usize
    }
}

impl Features {
    /// Adds a word, by its number if it is known, and its subwords.
    pub fn word(&self, id: Option<u32>, word: &[u8], found: &mut Found) {
        found.rows.extend(id);
        self.ngrams.of_word(word, |bucket| self.bucket(bucket, found));
    }

    /// Adds the word n-grams of a line.
    #[inline]
    pub fn line(&self, hashes: &[u32], found: &mut Found) {
        let Buckets::Touched(rows) = &self.buckets else {
            return self.ngrams.of_line(hashes, |bucket| self.bucket(bucket, found));
        };
        // All look-ups together, and no branch between them: the table is large.
        let start = found.rows.len();
        self.ngrams.of_line(hashes, |bucket| found.rows.push(bucket));
        let mut kept = start;
        for at in start..found.rows.len() {
            let row = rows[found.rows[at] as usize];
            found.rows[kept] = self.words.wrapping_add(row);
            kept += usize::from(row != ABSENT);
        }
        found.zeros += (found.rows.len() - kept) as u32;
        found.rows.truncate(kept);
    }

    #[inline]
    fn bucket(&self, bucket: u32, found: &mut Found) {
        match &self.buckets {
            Buckets::All => found.rows.push(self.words + bucket),
            Buckets::Touched(rows) => match rows[bucket as usize] {
                ABSENT => found.zeros += 1,
                row => found.rows.push(self.words + row),
            },
            Buckets::Left(rows) => {
                found.rows.extend(rows.get(bucket).map(|row| self.words + row));
            }
        }
    }
}
