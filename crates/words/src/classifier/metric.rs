//! One number for how good a model is, to choose between models by.

use std::sync::{Mutex, PoisonError};

use inlay_base::{Error, Result, Run, lock};
use inlay_corpus::Corpus;

use super::evaluate::Tally;
use super::model::Model;

/// What is measured, of all labels together or of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Which figure.
    pub figure: Figure,
    /// A label without its prefix; `None`: all.
    pub label: Option<Vec<u8>>,
    /// Labels that are predicted for a line, at most.
    pub top: usize,
}

/// A figure from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// The harmonic mean of precision and recall.
    F1,
    /// The highest precision with this recall at least.
    PrecisionAtRecall(f64),
    /// The highest recall with this precision at least.
    RecallAtPrecision(f64),
}

impl Model {
    /// What a model is worth on lines whose labels are known. 0 where nothing reaches what was asked
    /// for.
    ///
    /// # Errors
    /// `InvalidInput`: no line has a label, or the label, that the model knows.
    pub fn score(&self, corpus: &Corpus, metric: &Metric, run: &Run) -> Result<f64> {
        let wanted = match &metric.label {
            None => None,
            Some(label) => {
                let place = self.labels().position(|other| other == label);
                Some(place.ok_or_else(|| unusable(Some(label)))?)
            }
        };
        let said = Mutex::new(Vec::new());
        let evaluation = self.look_at(corpus, metric.top, 0.0, run, &|own| {
            let wanted = |label: u32| wanted.is_none_or(|wanted| wanted == label as usize);
            let own = own.iter().filter(|said| wanted(said.label)).copied();
            lock(&said).extend(own);
        })?;
        let tally = match wanted {
            Some(label) => evaluation.labels[label],
            None => evaluation.overall(),
        };
        if tally.expected == 0 {
            return Err(unusable(metric.label.as_deref()));
        }
        let said = said.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(match metric.figure {
            Figure::F1 => tally.f1(),
            Figure::PrecisionAtRecall(least) => {
                best(said, &tally, |at| (at.recall() >= least).then_some(at.precision()))
            }
            Figure::RecallAtPrecision(least) => {
                best(said, &tally, |at| (at.precision() >= least).then_some(at.recall()))
            }
        })
    }
}

/// The best of what the predictions give that are at least so likely, over all such thresholds.
fn best(mut said: Vec<Judged>, all: &Tally, worth: impl Fn(&Tally) -> Option<f64>) -> f64 {
    said.sort_unstable_by(|a, b| b.probability.total_cmp(&a.probability));
    let mut at = Tally { expected: all.expected, ..Tally::default() };
    let mut best = 0.0f64;
    for (place, judged) in said.iter().enumerate() {
        at.predicted += 1;
        at.right += u64::from(judged.is_right);
        // No threshold lies between those that are equally likely.
        let is_last = said.get(place + 1).is_none_or(|next| next.probability < judged.probability);
        if is_last {
            best = best.max(worth(&at).unwrap_or(0.0));
        }
    }
    best
}

/// A prediction, and whether the line has the label.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    pub label: u32,
    pub probability: f32,
    pub is_right: bool,
}

/// Whether the lines of a validation can tell one model of a training from another, before
/// anything is trained; returns how many labels a training will have.
///
/// # Errors
/// `InvalidInput`: no line of the training or the validation has a label, or not one that both have.
pub fn check_validation(
    training: &Corpus,
    validation: &Corpus,
    label_prefix: &[u8],
    min_count_label: u64,
    label: Option<&[u8]>,
    run: &Run,
) -> Result<usize> {
    let frequent = |place: usize| training.counts()[place] >= min_count_label;
    let mut labels = 0;
    for (place, name) in training.names().iter().enumerate() {
        run.check()?;
        labels += usize::from(name.starts_with(label_prefix) && frequent(place));
    }
    if labels == 0 {
        let problem = "no line has a label that is frequent enough".into();
        return Err(Error::InvalidInput {
            source: "the training text".into(),
            offset: None,
            problem,
        });
    }
    let is_known =
        |name: &[u8]| training.names().find(name).is_some_and(|place| frequent(place as usize));
    let name = label.map(|label| [label_prefix, label].concat());
    let is_usable = match &name {
        Some(name) => is_known(name) && validation.names().find(name).is_some(),
        None => {
            let mut names = validation.names().iter();
            names.any(|name| name.starts_with(label_prefix) && is_known(name))
        }
    };
    if is_usable { Ok(labels) } else { Err(unusable(label)) }
}

fn unusable(label: Option<&[u8]>) -> Error {
    let problem = match label {
        Some(label) => {
            let label = String::from_utf8_lossy(label);
            format!("the label `{label}` is not in both the training text and the validation")
        }
        None => "no line has a label that the training text has".into(),
    };
    Error::InvalidInput { source: "the validation".into(), offset: None, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_threshold_counts_and_ties_are_taken_together() {
        let said = |all: &[(f32, bool)]| -> Vec<Judged> {
            let judged = |&(probability, is_right)| Judged { label: 0, probability, is_right };
            all.iter().map(judged).collect()
        };
        let all = Tally { expected: 4, ..Tally::default() };
        // Right, wrong, right, right: precisions 1, 1/2, 2/3, 3/4; recalls 1/4, 1/4, 1/2, 3/4.
        let four = [(0.6, true), (0.9, true), (0.8, false), (0.7, true)];
        let precision = |least: f64, four: &[_]| {
            best(said(four), &all, |at| (at.recall() >= least).then_some(at.precision()))
        };
        let recall = |least: f64, four: &[_]| {
            best(said(four), &all, |at| (at.precision() >= least).then_some(at.recall()))
        };
        assert_eq!(precision(0.0, &four), 1.0);
        assert_eq!(precision(0.5, &four), 0.75);
        assert_eq!(precision(0.8, &four), 0.0, "out of reach");
        assert_eq!(recall(0.7, &four), 0.75);
        assert_eq!(recall(0.8, &four), 0.25);
        let tied = [(0.5, true), (0.5, false)];
        assert_eq!(precision(0.1, &tied), 0.5);
        assert_eq!(precision(0.0, &[]), 0.0);
    }
}
