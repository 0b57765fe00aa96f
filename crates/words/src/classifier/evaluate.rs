use std::sync::{Mutex, PoisonError};

use inlay_base::{Result, Run, Workers, lock};
use inlay_corpus::Corpus;

use super::lines::{Line, Lines};
use super::metric::Judged;
use super::model::Model;

/// How a label, or all of them, came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often lines had it.
    pub expected: u64,
    /// How often it was predicted.
    pub predicted: u64,
    /// How often it was predicted for a line that had it.
    pub right: u64,
}

/// What a model predicts of lines whose labels are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// Lines that have a label and a feature known to the model.
    pub examples: u64,
    /// By label.
    pub labels: Vec<Tally>,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.expected += other.expected;
        self.predicted += other.predicted;
        self.right += other.right;
    }
}

impl Tally {
    /// Right ones among those that were predicted; not a number where none was.
    pub fn precision(&self) -> f64 {
        self.right as f64 / self.predicted as f64
    }

    /// Right ones among those that were expected; not a number where none was.
    pub fn recall(&self) -> f64 {
        self.right as f64 / self.expected as f64
    }

    /// The harmonic mean of both; not a number where nothing was predicted or expected.
    pub fn f1(&self) -> f64 {
        2.0 * self.right as f64 / (self.expected + self.predicted) as f64
    }
}

impl Evaluation {
    /// All labels together.
    pub fn overall(&self) -> Tally {
        self.labels.iter().fold(Tally::default(), |mut sum, &tally| {
            sum += tally;
            sum
        })
    }
}

impl Model {
    /// Predicts at most `top` labels of each line, none below `threshold`, and compares. The corpus
    /// was read with every word, as for training.
    pub fn evaluate(
        &self,
        corpus: &Corpus,
        top: usize,
        threshold: f32,
        run: &Run,
    ) -> Result<Evaluation> {
        self.look_at(corpus, top, threshold, run, &|_| ())
    }

    /// As `evaluate`; hears of the predictions of many lines at a time, in any order.
    pub(super) fn look_at(
        &self,
        corpus: &Corpus,
        top: usize,
        threshold: f32,
        run: &Run,
        hear: &(dyn Fn(&[Judged]) + Sync),
    ) -> Result<Evaluation> {
        let lines = Lines::new(corpus, &self.features, &self.dictionary, &self.label_prefix, run)?;
        let shards = lines.shards();
        let labels = self.dictionary.labels();
        let total = Mutex::new(Evaluation { examples: 0, labels: vec![Tally::default(); labels] });
        run.phase("evaluate", "words", 0, Some(lines.words()));
        run.each(shards.len(), &|shard| {
            let mut own = Evaluation { examples: 0, labels: vec![Tally::default(); labels] };
            let mut line = Line::default();
            let mut all = Vec::new();
            let mut position = shards[shard].start;
            while position < shards[shard].end {
                run.check()?;
                let (next, words) =
                    lines.read(position, shards[shard].end, &self.features, &mut line);
                position = next;
                run.advance(words);
                if line.labels.is_empty() || line.found.count() == 0 {
                    continue;
                }
                own.examples += 1;
                line.labels.iter().for_each(|&label| own.labels[label as usize].expected += 1);
                for (label, probability) in self.predict_found(&line.found, top, threshold)? {
                    let is_right = line.labels.contains(&label);
                    let tally = &mut own.labels[label as usize];
                    tally.predicted += 1;
                    tally.right += u64::from(is_right);
                    all.push(Judged { label, probability, is_right });
                }
            }
            hear(&all);
            let mut total = lock(&total);
            total.examples += own.examples;
            total.labels.iter_mut().zip(own.labels).for_each(|(sum, own)| *sum += own);
            Ok(())
        })?;
        Ok(total.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}
