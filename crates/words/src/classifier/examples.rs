//! Lines as a training sees them: which rows each is the mean of, and its labels.

use std::ops::Range;

use inlay_base::{Result, Run, gather};
use inlay_corpus::Corpus;

use super::features::Features;
use super::lines::{Line, Lines};
use super::lone::{Lone, Stand};

/// Bytes that lines may take which are kept from epoch to epoch. Of more text each is read anew.
const KEPT: u64 = 256 << 20;

/// A line that is learnt from.
#[derive(Default)]
pub(super) struct Example {
    /// Without the rows that are alone with it.
    pub line: Line,
    /// The part of the mean that each of its features is.
    pub share: f32,
    /// What stands for the rows that are alone with it.
    pub stand: Option<Stand>,
}

impl Example {
    /// Whether there is nothing to learn.
    pub fn is_empty(&self) -> bool {
        self.line.labels.is_empty() || (self.line.found.rows.is_empty() && self.stand.is_none())
    }
}

/// The lines of a corpus, shard by shard.
pub(super) struct Examples<'a> {
    lines: &'a Lines<'a>,
    features: &'a Features,
    /// Rows for which sums stand.
    pub lone: &'a Lone,
    shards: Vec<Range<usize>>,
    /// By shard; none of a text that is too long.
    kept: Vec<Kept>,
}

/// The lines of a shard, one after the other.
#[derive(Default)]
struct Kept {
    rows: Vec<u32>,
    labels: Vec<u32>,
    lines: Vec<KeptLine>,
}

struct KeptLine {
    /// Where its rows and labels end.
    ends: (u32, u32),
    words: u32,
    share: f32,
    stand: Option<Stand>,
}

/// A place in a shard.
pub(super) struct Place {
    shard: usize,
    /// Among the words of the corpus, where the shard ends and where the place is.
    end: usize,
    position: usize,
    /// Lines, rows and labels before it in the shard.
    line: usize,
    begin: (u32, u32),
}

impl Place {
    /// Whether the shard goes on.
    pub fn goes_on(&self) -> bool {
        self.position < self.end
    }
}

impl<'a> Examples<'a> {
    /// # Errors
    /// `Aborted`.
    pub fn new(
        corpus: &Corpus,
        lines: &'a Lines<'a>,
        features: &'a Features,
        lone: &'a Lone,
        run: &Run,
    ) -> Result<Self> {
        let shards = lines.shards();
        let all = Self { lines, features, lone, shards, kept: Vec::new() };
        let numbers = lines.most_rows(corpus.counts(), features) + lines.words();
        let each = size_of::<KeptLine>() as u64;
        if 4 * numbers + each * lines.most_lines(corpus) > KEPT {
            return Ok(all);
        }
        let kept = gather(run, all.shards.len(), |shard| {
            run.check()?;
            let (mut kept, mut example) = (Kept::default(), Example::default());
            let mut place = all.begin(shard);
            while place.goes_on() {
                let words = all.read_anew(&mut place, &mut example);
                kept.add(words, &example);
            }
            Ok(kept)
        })?;
        Ok(Self { kept, ..all })
    }

    /// How many words, labels and ends there are.
    pub fn words(&self) -> u64 {
        self.lines.words()
    }

    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Where a shard begins.
    pub fn begin(&self, shard: usize) -> Place {
        let Range { start: position, end } = self.shards[shard];
        Place { shard, end, position, line: 0, begin: (0, 0) }
    }

    /// Reads a line and moves on to the next; returns how many words the line has.
    // One copy for all instruction sets.
    #[inline(never)]
    pub fn read(&self, place: &mut Place, example: &mut Example) -> u64 {
        match self.kept.get(place.shard) {
            Some(kept) => kept.read(place, example),
            None => self.read_anew(place, example),
        }
    }

    fn read_anew(&self, place: &mut Place, example: &mut Example) -> u64 {
        let Example { line, share, stand } = example;
        let (next, words) = self.lines.read(place.position, place.end, self.features, line);
        place.position = next;
        *share = 1.0 / line.found.count() as f32;
        *stand = self.lone.take(&mut line.found.rows);
        words
    }
}

impl Kept {
    fn add(&mut self, words: u64, &Example { ref line, share, stand }: &Example) {
        self.rows.extend_from_slice(&line.found.rows);
        self.labels.extend_from_slice(&line.labels);
        // What is kept is less than that.
        let ends = (self.rows.len() as u32, self.labels.len() as u32);
        self.lines.push(KeptLine { ends, words: words as u32, share, stand });
    }

    fn read(&self, place: &mut Place, example: &mut Example) -> u64 {
        let &KeptLine { ends, words, share, stand } = &self.lines[place.line];
        let Line { found, labels, .. } = &mut example.line;
        found.rows.clear();
        found.rows.extend_from_slice(&self.rows[place.begin.0 as usize..ends.0 as usize]);
        labels.clear();
        labels.extend_from_slice(&self.labels[place.begin.1 as usize..ends.1 as usize]);
        (example.share, example.stand) = (share, stand);
        place.line += 1;
        place.begin = ends;
        place.position += words as usize;
        u64::from(words)
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::{Random, SharedMatrix};
    use inlay_corpus::{Batch, Options as Reading, Source};
    use inlay_formats::fasttext::Loss;

    use super::super::dictionary::dictionary;
    use super::super::features::Buckets;
    use super::super::objective::Objective;
    use super::super::touched::Touched;
    use super::super::train::{Course, first_vectors};
    use super::*;
    use crate::classifier::Options;
    use crate::subwords::Ngrams;

    /// Lines of words at random, some of them empty, some without a label, one very long.
    fn corpus() -> Corpus {
        let mut random = Random::new(3, 0);
        let mut text = String::new();
        for line in 0..300 {
            if line % 7 != 0 {
                text += if random.below(2) == 0 { "__label__a " } else { "__label__b " };
            }
            for _ in 0..if line == 150 { 9000 } else { random.below(12) } {
                text += &format!("w{} ", random.below(40));
            }
            text += "\n";
        }
        let (send, stream) = std::sync::mpsc::sync_channel(1);
        let ends = text.match_indices('\n').map(|(end, _)| end + 1).collect();
        send.send(Batch::Texts { bytes: text.into_bytes(), ends }).unwrap();
        drop(send);
        let reading = Reading { min_count: 1, ..Default::default() };
        Corpus::read(Source::Stream(stream), &reading, &Run::quiet(1, 1)).unwrap()
    }

    fn options() -> Options {
        Options {
            loss: Loss::Softmax,
            dimensions: 5,
            epochs: 3,
            learning_rate: 0.3,
            word_ngrams: 3,
            minn: 0,
            maxn: 0,
            bucket: 20_000,
            min_count: 1,
            min_count_label: 0,
            negative: 1,
            label_prefix: b"__label__".to_vec(),
            class_weights: Vec::new(),
        }
    }

    /// All rows after a training, and those that are alone.
    fn learnt(epochs: usize, with_sums: bool) -> (Vec<f32>, Range<usize>) {
        let (corpus, options, run) = (corpus(), options(), Run::quiet(1, 7));
        let dictionary = dictionary(&corpus, &options, None).unwrap();
        let ngrams = Ngrams { minn: 0, maxn: 0, words: 3, bucket: options.bucket };
        let prefix = &options.label_prefix;
        let touched = Touched::by(&corpus, ngrams, prefix, dictionary.words, &run).unwrap();
        let buckets = Buckets::Touched(touched.rows);
        let features = Features { ngrams, words: dictionary.words as u32, buckets };
        let rows = dictionary.words + touched.count;
        let input = first_vectors(&features, rows, 5, &dictionary, None, &run).unwrap();
        let output = SharedMatrix::zeros(2, 5).unwrap();
        let lines = Lines::new(&corpus, &features, &dictionary, prefix, &run).unwrap();
        let mut alone: Vec<u32> = (0..rows as u32).collect();
        while touched.lone.take(&mut alone).is_some() {}
        let none = Lone::none();
        let lone = if with_sums { &touched.lone } else { &none };
        let examples = Examples::new(&corpus, &lines, &features, lone, &run).unwrap();
        check_kept(&examples);
        let course = Course {
            examples: &examples,
            objective: &Objective::Softmax,
            weights: None,
            input: &input,
            output: &output,
            epochs,
            learning_rate: options.learning_rate,
        };
        course.train(&run).unwrap();
        let mut values = vec![0.0; rows * 5];
        for (row, values) in (0..).zip(values.chunks_exact_mut(5)) {
            input.read(row, values);
        }
        (values, alone.len() * 5..rows * 5)
    }

    /// What is kept of lines is what they say.
    fn check_kept(examples: &Examples<'_>) {
        assert!(examples.shards() > 1);
        for shard in 0..examples.shards() {
            let [mut kept, mut anew] = [0, 1].map(|_| (examples.begin(shard), Example::default()));
            while kept.0.goes_on() {
                let words = examples.read(&mut kept.0, &mut kept.1);
                assert_eq!(words, examples.read_anew(&mut anew.0, &mut anew.1));
                let [kept, anew] = [&kept.1, &anew.1].map(|example| {
                    let stand = example.stand.map(|stand| (stand.sum, stand.count));
                    (&example.line.found.rows, &example.line.labels, example.share, stand)
                });
                assert_eq!(kept, anew);
            }
            assert!(!anew.0.goes_on());
        }
    }

    #[test]
    fn sums_teach_each_row_what_it_would_have_learnt_alone() {
        let ((sums, alone), (rows, _), (first, _)) =
            (learnt(3, true), learnt(3, false), learnt(0, true));
        assert!(alone.len() > sums.len() / 10 && alone.start > 0, "{alone:?} of {}", sums.len());
        let steps = sums.iter().zip(&first).map(|(a, b)| (a - b).abs());
        assert!(steps.skip(alone.start).sum::<f32>() > 1.0);
        for (sum, row) in sums.iter().zip(&rows) {
            assert!((sum - row).abs() < 1e-4 * row.abs().max(1.0), "{sum} {row}");
        }
    }
}
