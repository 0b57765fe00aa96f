use std::sync::PoisonError;

use inlay_base::{Random, Result};

use super::set::Set;
use super::team::Team;
use super::{Epoch, Training};
use crate::optimizers::Step;

/// What all threads do next.
#[derive(Default)]
pub(super) struct Job {
    /// None: go home.
    pub(super) set: Option<usize>,
    pub(super) items: Vec<usize>,
    /// Where each thread's items begin, and where the last one's end.
    pub(super) cuts: Vec<usize>,
    pub(super) share: f64,
    pub(super) learn: bool,
    /// Whether gradients begin anew, and whether a step follows.
    pub(super) fresh: bool,
    pub(super) step: Option<Step>,
    pub(super) number: u64,
}
/// What the first thread decides between two batches.
pub(super) struct Conductor<'a> {
    how: &'a Training,
    pub(super) history: Vec<Epoch>,
    pub(super) best: Option<(f64, Vec<Vec<f32>>)>,
    epoch: usize,
    order: Vec<usize>,
    /// Items of the epoch that have been given out.
    given: usize,
    step: u64,
    steps: u64,
    accumulated: usize,
    sums: Sums,
    learnt: f64,
    validating: bool,
    idle: usize,
}

#[derive(Default)]
struct Sums {
    loss: f64,
    share: f64,
}

impl<'a> Conductor<'a> {
    pub(super) fn new(team: &Team<'a>) -> Self {
        let how = team.how;
        let items = team.sets[0].items();
        let left = items % how.batch;
        let batches = items / how.batch + usize::from(left >= team.least[0]);
        let batches = batches.div_ceil(how.accumulate) as u64;
        team.run.phase("train", "items", 0, Some((items * how.epochs) as u64));
        Self {
            how,
            history: Vec::new(),
            best: None,
            epoch: 0,
            order: Vec::new(),
            given: 0,
            step: 0,
            steps: batches * how.epochs as u64,
            accumulated: 0,
            sums: Sums::default(),
            learnt: 0.0,
            validating: false,
            idle: 0,
        }
    }

    /// Takes in what the last batch gave, and says what is next.
    pub(super) fn next(&mut self, team: &Team<'a>, job: &mut Job) -> Result<()> {
        if job.set.is_some() {
            self.take_in(team, job);
        }
        let (train, items) = (&team.sets[0], team.sets[0].items());
        job.set = None;
        if items == 0 || self.epoch == self.how.epochs {
            return Ok(());
        }
        if !self.validating && self.given == self.order.len() && !self.order.is_empty() {
            // The epoch is over.
            self.learnt = self.sums.loss / self.sums.share.max(f64::MIN_POSITIVE);
            self.sums = Sums::default();
            self.given = 0;
            match team.sets.len() {
                1 => self.close(None),
                _ => {
                    self.validating = true;
                    self.order = (0..team.sets[1].items()).collect();
                }
            }
        }
        if self.validating && self.given == self.order.len() {
            let loss = self.sums.loss / self.sums.share.max(f64::MIN_POSITIVE);
            self.sums = Sums::default();
            (self.given, self.validating) = (0, false);
            self.close(Some(loss));
            self.keep_the_best(team, loss);
            self.order.clear();
        }
        if self.epoch == self.how.epochs || self.idle >= self.how.patience.unwrap_or(usize::MAX) {
            return Ok(());
        }
        if !self.validating && self.given == 0 {
            self.order = (0..items).collect();
            if self.how.shuffle {
                shuffle(&mut self.order, &mut Random::new(team.run.seed(), self.epoch as u64));
            }
        }
        let set = if self.validating { &team.sets[1] } else { train };
        self.hand_out(team, set, job);
        Ok(())
    }

    fn close(&mut self, validation: Option<f64>) {
        self.history.push(Epoch { loss: self.learnt, validation });
        self.epoch += 1;
        if validation.is_none() {
            self.order.clear();
        }
    }

    fn keep_the_best(&mut self, team: &Team<'_>, loss: f64) {
        if self.best.as_ref().is_none_or(|(best, _)| loss < *best) {
            self.idle = 0;
            if self.how.patience.is_some() {
                let values = team.network.parameters.iter().map(|parameter| parameter.get());
                self.best = Some((loss, values.collect()));
            }
        } else {
            self.idle += 1;
        }
    }

    fn take_in(&mut self, team: &Team<'_>, job: &Job) {
        let mut loss = 0.0;
        for part in &team.shards {
            let part = part.read().unwrap_or_else(PoisonError::into_inner);
            part.losses.iter().for_each(|item| loss += item);
        }
        self.sums.loss += loss;
        self.sums.share += job.share;
        if job.learn {
            let epoch = self.epoch as u32 + 1;
            team.run.lose(epoch, loss, job.share.round() as u64);
            team.run.advance(job.items.len() as u64);
        }
    }

    /// The next batch.
    fn hand_out(&mut self, team: &Team<'_>, set: &Set<'_>, job: &mut Job) {
        let mut end = self.order.len().min(self.given + self.how.batch);
        // What is left of an epoch and too little to learn from goes with the batch before it.
        if self.order.len() - end < team.least[usize::from(self.validating)] {
            end = self.order.len();
        }
        job.items.clear();
        job.items.extend_from_slice(&self.order[self.given..end]);
        self.given = end;
        job.set = Some(usize::from(self.validating));
        job.learn = !self.validating;
        job.share = self.how.loss.share(set.targets(), &job.items);
        cut(&mut job.cuts, team.shards.len(), &job.items, |item| set.load(item));
        job.step = None;
        if job.learn {
            job.fresh = self.accumulated == 0;
            self.accumulated += 1;
            job.number += 1;
            if self.accumulated == self.how.accumulate || end == self.order.len() {
                self.accumulated = 0;
                self.step += 1;
                let rate = self.how.schedule.rate(self.step - 1, self.steps);
                job.step = Some(Step { rate, number: self.step, clip: 1.0 });
            }
        }
    }
}
/// Cuts a batch into as many shards of about as many rows as there are threads.
fn cut(cuts: &mut Vec<usize>, threads: usize, items: &[usize], rows: impl Fn(usize) -> usize) {
    let total: usize = items.iter().map(|&item| rows(item) + 1).sum();
    cuts.clear();
    cuts.push(0);
    let mut seen = 0;
    for (at, &item) in items.iter().enumerate() {
        while cuts.len() < threads && seen * threads >= total * cuts.len() {
            cuts.push(at);
        }
        seen += rows(item) + 1;
    }
    cuts.resize(threads + 1, items.len());
}

/// Fisher and Yates.
fn shuffle(order: &mut [usize], random: &mut Random) {
    for last in (1..order.len()).rev() {
        order.swap(last, random.below(last as u32 + 1) as usize);
    }
}
