//! What pruning has left is trained further: rows that are gone leave sums that were meant to have
//! them.

use inlay_base::{Error, Result, Run, SharedMatrix};
use inlay_corpus::Corpus;
use inlay_formats::GiveRows;
use inlay_formats::fasttext::Dictionary;

use super::examples::Examples;
use super::features::Features;
use super::lines::Lines;
use super::lone::Lone;
use super::model::{Dense, Model, turned};
use super::objective::Objective;
use super::train::{Course, objective};

/// What a model that was not trained here is trained with: fastText's default.
const LEARNING_RATE: f64 = 0.1;

/// How rows that pruning has left are trained further.
#[derive(Clone, Copy)]
pub struct Retraining<'a> {
    /// Lines with labels, read as for training.
    pub corpus: &'a Corpus,
    /// Passes over them; `None`: as many as the model's own.
    pub epochs: Option<usize>,
    /// At the first word; `None`: the model's own, 0.1 where that is not known.
    pub learning_rate: Option<f64>,
}

/// What a training is done with and no file says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Manner {
    pub learning_rate: f64,
    /// Of each label; `None` where all are 1.
    pub weights: Option<Vec<f32>>,
}

/// What a training further has made.
pub(super) struct Retrained {
    pub input: Dense,
    /// Nodes of a tree in fastText's order.
    pub output: Dense,
    pub losses: Vec<f64>,
}

impl Model {
    /// Trains `rows`, which are those of `dictionary` and `features`, and a copy of the labels' rows.
    pub(super) fn retrain(
        &self,
        retraining: &Retraining<'_>,
        rows: &dyn GiveRows,
        dictionary: &Dictionary,
        features: &Features,
        run: &Run,
    ) -> Result<Retrained> {
        let lines = Lines::new(retraining.corpus, features, dictionary, &self.label_prefix, run)?;
        if !lines.have_labels() {
            return Err(Error::InvalidInput {
                source: "the text to train further on".into(),
                offset: None,
                problem: "has no line with a label that the model knows".into(),
            });
        }
        let objective = objective(&self.args, dictionary)?;
        let is_tree = matches!(objective, Objective::Tree(_));
        let known = self.manner.as_ref();
        let input = shared(rows)?;
        let output = match is_tree {
            true => shared(&turned(&self.output.dense)?)?,
            false => shared(&self.output.dense)?,
        };
        let learning_rate = known.map_or(LEARNING_RATE, |manner| manner.learning_rate);
        let lone = Lone::none();
        let examples = Examples::new(retraining.corpus, &lines, features, &lone, run)?;
        let course = Course {
            examples: &examples,
            objective: &objective,
            weights: known.and_then(|manner| manner.weights.as_deref()),
            input: &input,
            output: &output,
            epochs: retraining.epochs.unwrap_or(self.args.epochs as usize),
            learning_rate: retraining.learning_rate.unwrap_or(learning_rate),
        };
        let losses = course.train(run)?;
        let output = Dense::from(output);
        let output = if is_tree { turned(&output)? } else { output };
        Ok(Retrained { input: input.into(), output, losses })
    }
}

fn shared(rows: &dyn GiveRows) -> Result<SharedMatrix> {
    let matrix = SharedMatrix::zeros(rows.rows(), rows.dimensions())?;
    let mut values = vec![0.0; rows.dimensions()];
    for row in 0..rows.rows() {
        rows.give(row, &mut values);
        matrix.write(row as u32, &values);
    }
    Ok(matrix)
}
