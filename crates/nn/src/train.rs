//! Training, from start to end: epochs of batches, each of which goes forward, backward and into the
//! parameters, on threads that stay together.
//!
//! ```text
//! each thread its shard:   inputs -> forward -> loss -> backward          |
//! all together:            gradients of pieces of parameters, and         | a step
//!                          unless their common length must be known,      |
//!                          the step of the optimizer at once              |
//! ```

mod conductor;
mod set;
mod team;

use std::sync::{Mutex, PoisonError};

use inlay_base::{Result, Run};
use inlay_kernels::Kernels;
use serde::Deserialize;

use self::conductor::Conductor;
use self::team::Team;
use crate::data::Column;
use crate::losses::Loss;
use crate::network::Network;
use crate::optimizers::Optimizer;
use crate::plan::Purpose;
use crate::schedule::Schedule;

/// How a network is trained.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Training {
    /// What is to become small.
    pub loss: Loss,
    /// How parameters follow their gradients.
    pub optimizer: Optimizer,
    /// Learning rates.
    pub schedule: Schedule,
    /// Passes over the examples.
    pub epochs: usize,
    /// Items of a batch.
    pub batch: usize,
    /// Batches whose gradients are added up before a step.
    pub accumulate: usize,
    /// The longest that all gradients together may be; longer ones are made as long as this.
    pub clip: Option<f64>,
    /// Whether each epoch has its own order of items.
    pub shuffle: bool,
    /// Names of layers that stay as they are.
    pub frozen: Vec<String>,
    /// Epochs without a better loss on the validation examples after which training ends; the best
    /// parameters are kept.
    pub patience: Option<usize>,
}

/// Examples: what goes in, and what is wanted.
pub struct Examples {
    /// A column for each input of the network. For a loss over pairs, as many columns of what is like each
    /// item come behind them, and then perhaps as many of what is not.
    pub inputs: Vec<Column>,
    /// What is wanted; `None`: what goes into the first input. A loss over pairs wants nothing else.
    pub targets: Option<Column>,
}

/// What became of an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Mean loss of the examples, each at the moment when it was met.
    pub loss: f64,
    /// Mean loss of the validation examples afterwards.
    pub validation: Option<f64>,
}

impl Network {
    /// Trains on examples. Same bytes for a seed, whatever the number of threads.
    ///
    /// # Errors
    /// `InvalidInput` for examples that do not fit; `Diverged` when a loss is no longer finite, with the
    /// parameters as they were before that step; `Aborted`, with those of the last step.
    pub fn train(
        &mut self,
        examples: &Examples,
        validation: Option<&Examples>,
        how: &Training,
        run: &Run,
    ) -> Result<Vec<Epoch>> {
        let plan = self.plan(Purpose::Train, &how.frozen)?;
        let kernels = Kernels::get();
        for parameter in &mut self.parameters {
            parameter.prepare(kernels, true);
        }
        let team = Team::new(self, &plan, examples, validation, how, run)?;
        let mut conductor = Mutex::new(Conductor::new(&team));
        let outcome = run.workers(|worker| team.work(worker, &conductor));
        let conductor = conductor.get_mut().unwrap_or_else(PoisonError::into_inner);
        let history = std::mem::take(&mut conductor.history);
        let best = std::mem::take(&mut conductor.best);
        drop(team);
        if let Some((_, best)) = best {
            for (parameter, values) in self.parameters.iter_mut().zip(best) {
                parameter.set(&values);
            }
        }
        self.prepare();
        outcome.map(|_| history)
    }
}
