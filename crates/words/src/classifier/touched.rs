//! Which rows the n-grams of a corpus have.

use inlay_base::{Result, Run};
use inlay_corpus::{Corpus, SENTENCE_END};

use super::features::ABSENT;
use super::lone::Lone;
use crate::shards::shards;
use crate::subwords::{END_OF_LINE, Ngrams, hash};

/// Words between two looks at the signal.
const TOGETHER: usize = 1024;

/// The line of a bucket that several have, or one twice.
const SEVERAL: u32 = u32::MAX;

/// The buckets that a corpus touches.
pub(super) struct Touched {
    /// By bucket: rows, counted after those of words, in the order in which they are first met; those that are alone with a
    /// line come last.
    pub rows: Vec<u32>,
    /// How many rows there are.
    pub count: usize,
    /// Those that are alone, counted among all rows.
    pub lone: Lone,
}

/// Buckets in the order in which they are first met, and where.
struct Met {
    /// By bucket: which it is in `lines`.
    places: Vec<u32>,
    buckets: Vec<u32>,
    lines: Vec<u32>,
}

impl Met {
    #[inline(always)]
    fn meet(&mut self, bucket: u32, line: u32) {
        match &mut self.places[bucket as usize] {
            place @ &mut ABSENT => {
                *place = self.lines.len() as u32;
                self.buckets.push(bucket);
                self.lines.push(line);
            }
            place => self.lines[*place as usize] = SEVERAL,
        }
    }
}

impl Touched {
    /// `words` rows are those of words.
    ///
    /// # Errors
    /// `Aborted`.
    pub fn by(
        corpus: &Corpus,
        ngrams: Ngrams,
        label_prefix: &[u8],
        words: usize,
        run: &Run,
    ) -> Result<Self> {
        let places = vec![ABSENT; ngrams.bucket as usize];
        let mut met = Met { places, buckets: Vec::new(), lines: Vec::new() };
        let is_label: Vec<bool> =
            corpus.names().iter().map(|name| name.starts_with(label_prefix)).collect();
        let mut hashes = Vec::with_capacity(is_label.len());
        for (number, (word, is_label)) in corpus.names().iter().zip(&is_label).enumerate() {
            if number.is_multiple_of(TOGETHER) {
                run.check()?;
            }
            hashes.push(hash(word));
            if !is_label {
                ngrams.of_word(word, |bucket| met.meet(bucket, SEVERAL));
            }
        }
        let (end, spelled_end) = (hash(END_OF_LINE), corpus.names().find(END_OF_LINE));
        let is_end = |id: &u32| *id == SENTENCE_END || Some(*id) == spelled_end;
        let shards = shards(corpus.ids(), false);
        let lines =
            shards.into_iter().flat_map(|shard| corpus.ids()[shard].split_inclusive(is_end));
        let mut line = Vec::new();
        for (number, ids) in (0u64..).zip(lines) {
            let words = ids.iter().filter(|id| !is_end(id) && !is_label[**id as usize]);
            line.clear();
            line.extend(words.map(|&id| hashes[id as usize]));
            line.push(end);
            // Of lines without number nothing is known to be alone.
            let number = u32::try_from(number).unwrap_or(SEVERAL);
            ngrams.of_line(&line, |bucket| met.meet(bucket, number));
            if run.stopped() {
                run.check()?;
            }
        }
        Ok(met.numbered(words))
    }
}

impl Met {
    fn numbered(self, words: usize) -> Touched {
        let Self { places: mut rows, buckets, lines } = self;
        let alone: Vec<u32> = lines.iter().copied().filter(|&line| line != SEVERAL).collect();
        // A line with one of them gains nothing by a sum.
        let runs = alone.chunk_by(|a, b| a == b).filter(|run| run.len() > 1);
        let sums: Vec<(u32, u32)> = runs.map(|run| (run[0], run.len() as u32)).collect();
        let counts: Vec<u32> = sums.iter().map(|&(_, count)| count).collect();
        let of_sums: usize = counts.iter().map(|&count| count as usize).sum();
        let count = buckets.len();
        let (mut shared, mut lone) = (0, (count - of_sums) as u32);
        let first = words as u32 + lone;
        let mut sums = sums.into_iter().map(|(line, _)| line).peekable();
        for (bucket, line) in buckets.into_iter().zip(lines) {
            while line != SEVERAL && sums.next_if(|&sum| sum < line).is_some() {}
            let next = if sums.peek() == Some(&line) { &mut lone } else { &mut shared };
            rows[bucket as usize] = *next;
            *next += 1;
        }
        Touched { rows, count, lone: Lone::new(first, &counts) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(buckets: &[(u32, u32)]) -> Touched {
        let mut met = Met { places: vec![ABSENT; 20], buckets: Vec::new(), lines: Vec::new() };
        buckets.iter().for_each(|&(bucket, line)| met.meet(bucket, line));
        met.numbered(100)
    }

    #[test]
    fn rows_that_are_alone_with_a_line_come_last_line_by_line() {
        // Bucket 3 is in two lines, 4 twice in one, 9 is the only one of its line, 5 belongs to a word.
        let met = [(5, SEVERAL), (1, 0), (3, 0), (2, 0), (9, 1), (4, 2), (4, 2), (7, 2), (3, 2)];
        let more = [(8, 2), (6, 2)];
        let touched = numbered(&[&met[..], &more].concat());
        assert_eq!(touched.count, 9);
        let row = |bucket: usize| touched.rows[bucket];
        assert_eq!([5, 3, 9, 4].map(row), [0, 1, 2, 3]);
        assert_eq!([1, 2, 7, 8, 6].map(row), [4, 5, 6, 7, 8]);
        assert_eq!(row(0), ABSENT);
        let take = |bucket| touched.lone.take(&mut vec![100 + row(bucket)]).map(|stand| stand.sum);
        assert_eq!([5, 3, 9, 4].map(take), [None; 4]);
        assert_eq!([1, 2, 7, 8, 6].map(take), [0, 0, 1, 1, 1].map(Some));
    }

    #[test]
    fn a_corpus_without_n_grams_has_no_rows() {
        let touched = numbered(&[]);
        assert!(touched.count == 0 && touched.rows.iter().all(|&row| row == ABSENT));
        assert!(touched.lone.take(&mut vec![0, 99]).is_none());
    }
}
