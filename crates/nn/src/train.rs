//! Training, from start to end: epochs of batches, each of which goes forward, backward and into the
//! parameters, on threads that stay together.
//!
//! ```text
//! each thread its shard:   inputs -> forward -> loss -> backward          |
//! all together:            gradients of pieces of parameters, and         | a step
//!                          unless their common length must be known,      |
//!                          the step of the optimizer at once              |
//! ```

mod checkpoint;
mod conductor;
mod round;
mod set;
mod sparse;
mod stream;
mod team;

use std::sync::{Mutex, PoisonError};

use inlay_base::{Error, Result, Run};
use inlay_kernels::Kernels;
use serde::{Deserialize, Serialize};

pub use self::checkpoint::Checkpoint;
use self::checkpoint::Keeper;
use self::conductor::{Conductor, Examiner};
use self::set::Set;
pub use self::stream::Blocks;
use self::stream::{Given, Source, Stream};
use self::team::Team;
use crate::data::Column;
use crate::description::wrong;
use crate::losses::Loss;
use crate::network::Network;
use crate::optimizers::Optimizer;
use crate::plan::{Plan, Purpose};
use crate::schedule::{Curve, Schedule};

/// How a network is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Epochs without a better loss on the validation examples after which training ends.
    pub patience: Option<usize>,
    /// Rows of a window: items are learnt from window by window, and no gradient goes from one into the
    /// one before (Williams and Peng 1990).
    #[serde(default)]
    pub truncate: Option<usize>,
    /// Of a stream, whose end is not known: the steps along which the rate falls; the end of the training, if it is as long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// A file that training goes on from if it is there, and writes its state to.
    #[serde(default, skip_serializing)]
    pub checkpoint: Option<Checkpoint>,
}

/// Examples: what goes in, and what is wanted.
pub struct Examples {
    /// A column for each input of the network. For a loss over pairs, as many columns of what is like each
    /// item come behind them, and then perhaps as many of what is not.
    pub inputs: Vec<Column>,
    /// What is wanted; `None`: what goes into the first input. A loss over pairs wants nothing else.
    pub targets: Option<Column>,
}

/// How well a network does on examples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Mean loss.
    pub loss: f64,
    /// Share of the wanted classes that had the highest score; `None` where no classes are wanted.
    pub accuracy: Option<f64>,
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
    /// Trains on examples. Same bytes for a seed, whatever the number of threads. With validation
    /// examples the parameters of the epoch with their lowest loss are kept.
    ///
    /// # Errors
    /// `InvalidInput` for examples that do not fit; `InvalidOption` for a checkpoint of something else;
    /// `Diverged` when a loss is no longer finite, with the parameters as they were before that step;
    /// `Aborted`, with those of the last step.
    pub fn train(
        &mut self,
        examples: &Examples,
        validation: Option<&Examples>,
        how: &Training,
        run: &Run,
    ) -> Result<Vec<Epoch>> {
        self.learn(Source::Held(examples), validation, how, run)
    }

    /// Trains on examples that come block by block, each in an order of its own. The same bytes for a seed
    /// and the same blocks; where one block holds all, those of `train`.
    ///
    /// # Errors
    /// As for `train`; `InvalidInput` for an epoch without examples, and a rate that depends on how many
    /// there will be.
    pub fn train_on_stream(
        &mut self,
        blocks: &mut dyn Blocks,
        validation: Option<&Examples>,
        how: &Training,
        run: &Run,
    ) -> Result<Vec<Epoch>> {
        if how.schedule.shape != Curve::Constant && how.steps.is_none() {
            return Err(wrong(
                "cannot learn from a stream by a rate that falls until its end without the number of its steps",
            ));
        }
        self.learn(Source::Stream(blocks), validation, how, run)
    }

    fn learn(
        &mut self,
        source: Source<'_>,
        validation: Option<&Examples>,
        how: &Training,
        run: &Run,
    ) -> Result<Vec<Epoch>> {
        let mut plan = self.plan(Purpose::Train, &how.frozen)?;
        plan.hand_over(&how.loss)?;
        let target = how.loss.target(&plan.slots[plan.output].shape).map_err(wrong)?;
        let (held, stream) = match source {
            Source::Held(examples) => (Some(examples), None),
            Source::Stream(blocks) => (None, Some(Stream::new(blocks, run.seed()))),
        };
        let first = match held {
            Some(examples) => Set::new(Given::Held(examples), &plan, &how.loss, target.as_ref())?,
            None => Set::none(),
        };
        let validation_set = validation
            .map(|examples| Set::new(Given::Held(examples), &plan, &how.loss, target.as_ref()))
            .transpose()?;
        let sets = std::iter::once(first).chain(validation_set).collect();
        let keeper = how
            .checkpoint
            .as_ref()
            .map(|checkpoint| Keeper::new(checkpoint, self, how, (held, validation), run.seed()));
        let keeper = keeper.transpose()?;
        let kept = match &keeper {
            Some(keeper) => keeper.read(self)?,
            None => None,
        };
        let kernels = Kernels::get();
        self.make_ready(&plan, kernels);
        // With a checkpoint, whoever stops the run waits for the batch at hand, and its threads do not see
        // it: only the conductor does.
        let finishing = keeper.is_some().then(|| Run::quiet(run.threads(), run.seed()));
        let workers = finishing.as_ref().unwrap_or(run);
        let team = Team::new(self, &plan, sets, &how.loss, (run, workers)).learning(how)?;
        let mut conductor = Mutex::new(Conductor::new(how, &team, stream, keeper, kept)?);
        let outcome = workers.workers(|worker| team.work(worker, &conductor));
        let conductor = conductor.get_mut().unwrap_or_else(PoisonError::into_inner);
        let outcome = conductor.end(&team, outcome.map(drop));
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

    /// Packs what products of a training read.
    pub(crate) fn make_ready(&mut self, plan: &Plan, kernels: Kernels) {
        let (first, count) = plan.handed_over().unwrap_or_default();
        for (number, parameter) in self.parameters.iter_mut().enumerate() {
            match (first..first + count).contains(&number) {
                true => parameter.unpack(),
                false => parameter.prepare(kernels, true),
            }
        }
    }

    /// The loss on examples, `batch` of them at a time; long sequences in windows where no layer has to
    /// see them as a whole, so that memory stays bounded. The same for any number of threads.
    ///
    /// # Errors
    /// `InvalidInput` for examples that do not fit, or none; `Diverged` if the loss is no finite number;
    /// `Aborted`.
    pub fn evaluate(
        &self,
        examples: &Examples,
        loss: &Loss,
        batch: usize,
        run: &Run,
    ) -> Result<Evaluation> {
        let plan = self.plan(Purpose::Encode(None), &[])?;
        let target = loss.target(&plan.slots[plan.output].shape).map_err(wrong)?;
        let sets = vec![Set::new(Given::Held(examples), &plan, loss, target.as_ref())?];
        let team = Team::new(self, &plan, sets, loss, (run, run));
        let given = team.set(0).items().min(batch);
        if (1..team.least[0]).contains(&given) {
            return Err(wrong(format!(
                "has a loss over {} examples at a time or more: a batch has {given}",
                team.least[0]
            )));
        }
        let mut examiner = Mutex::new(Examiner::new(&team, batch));
        run.workers(|worker| team.work(worker, &examiner))?;
        let examiner = examiner.get_mut().unwrap_or_else(PoisonError::into_inner);
        let sums = &examiner.round.sums;
        if sums.is_empty() {
            let (source, problem) = ("the examples".into(), "have nothing that is wanted".into());
            return Err(Error::InvalidInput { source, offset: None, problem });
        }
        let [right, wanted] = sums.right.map(|count| count as f64);
        let accuracy = (wanted > 0.0).then_some(right / wanted);
        Ok(Evaluation { loss: sums.loss(), accuracy })
    }
}
