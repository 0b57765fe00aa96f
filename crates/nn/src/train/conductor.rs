use inlay_base::{Error, Random, Result};

use super::checkpoint::{Exact, Keeper, Kept, Place, Standing};
use super::round::Round;
use super::set::Set;
use super::stream::{Stream, order};
use super::team::{Conduct, Job, Team};
use super::{Epoch, Training};
use crate::optimizers::Step;

/// Rows that are examined at once where items may come in windows.
const EXAMINED: usize = 4096;

/// What the first thread decides between two batches of a training.
pub(super) struct Conductor<'a> {
    how: &'a Training,
    pub(super) history: Vec<Epoch>,
    pub(super) best: Option<(f64, Vec<Vec<f32>>)>,
    epoch: usize,
    round: Option<Round>,
    step: u64,
    steps: u64,
    accumulated: usize,
    learnt: f64,
    validating: bool,
    idle: usize,
    number: u64,
    /// Of what progress counts.
    done: u64,
    /// Of examples that come block by block.
    stream: Option<Stream<'a>>,
    keeper: Option<Keeper<'a>>,
    /// Before the validation that is under way.
    before: Option<Standing>,
    /// What is to be saved.
    standing: Option<Standing>,
    /// What the items of the batch that a checkpoint was in the middle of carry.
    carried: Vec<(usize, Vec<f32>)>,
}

impl<'a> Conductor<'a> {
    /// From the start, or from where a checkpoint has kept it.
    pub(super) fn new(
        how: &'a Training,
        team: &Team<'a>,
        stream: Option<Stream<'a>>,
        keeper: Option<Keeper<'a>>,
        kept: Option<Kept>,
    ) -> Result<Self> {
        let mut conductor = Self::begin(how, team);
        conductor.stream = stream;
        if let (Some(keeper), Some(kept)) = (&keeper, kept) {
            if !team.remember(|parameter| kept.moments(parameter)) {
                return Err(keeper.damaged("does not hold what its optimizer keeps"));
            }
            conductor.resume(team, keeper, kept)?;
        }
        conductor.keeper = keeper;
        let (unit, each) = team.set(0).measure(how.truncate.is_some());
        let held = conductor.stream.is_none().then_some(each * how.epochs as u64);
        let of_step = (how.batch * how.accumulate) as u64;
        let total = held.or(how.steps.map(|steps| steps.saturating_mul(of_step)));
        team.run.phase("train", unit, conductor.done, total);
        Ok(conductor)
    }

    fn begin(how: &'a Training, team: &Team<'a>) -> Self {
        Self {
            how,
            history: Vec::new(),
            best: None,
            epoch: 0,
            round: None,
            step: 0,
            steps: how
                .steps
                .unwrap_or_else(|| steps(how, &team.set(0), team.least[0], team.run.seed())),
            accumulated: 0,
            learnt: 0.0,
            validating: false,
            idle: 0,
            number: 0,
            done: 0,
            stream: None,
            keeper: None,
            before: None,
            standing: None,
            carried: Vec::new(),
        }
    }

    fn resume(&mut self, team: &Team<'a>, keeper: &Keeper<'a>, kept: Kept) -> Result<()> {
        let Standing { epoch, step, number, done, idle, learnt, best, history, .. } = kept.standing;
        let Standing { place, carried, taken, seen, .. } = kept.standing;
        (self.epoch, self.step, self.number, self.done) = (epoch, step, number, done);
        (self.idle, self.learnt, self.carried) = (idle, learnt.0, carried);
        let told = |(loss, validation): (Exact, Option<Exact>)| Epoch {
            loss: loss.0,
            validation: validation.map(|loss| loss.0),
        };
        self.history = history.into_iter().map(told).collect();
        self.best = best.map(|best| best.0).zip(kept.best);
        let items = team.set(0).items();
        let mut order = self.order(items, team);
        if let Some(stream) = &mut self.stream {
            while stream.taken < taken {
                if let Some((block, of_block)) = stream.next(self.how.shuffle, team.run)? {
                    order = of_block;
                    team.replace(block)?;
                }
            }
            if stream.seen.text() != seen {
                return Err(keeper.other_stream());
            }
        }
        let window = self.how.truncate.unwrap_or(usize::MAX);
        let items = match &place {
            Some(place) if !Round::fits(&order, place, &team.set(0), window) => None,
            // What is carried belongs to the windows of a batch.
            Some(Place { batch, row, longest, .. }) if row < longest && *row > 0 => {
                Some(batch.len())
            }
            _ => Some(0),
        };
        let carried = |items: usize| {
            let all = team.carries().into_iter().map(|(node, numbers)| (node, items * numbers));
            all.filter(|&(_, numbers)| numbers > 0).collect::<Vec<_>>()
        };
        let mut found: Vec<_> =
            self.carried.iter().map(|(node, numbers)| (*node, numbers.len())).collect();
        found.sort_unstable();
        let past = self.epoch > self.how.epochs || self.epoch != self.history.len();
        if past || items.is_none_or(|items| carried(items) != found) {
            return Err(keeper.damaged("is at a place that its training does not have"));
        }
        self.round = place.map(|place| Round::resume(order, &place));
        Ok(())
    }

    /// Of an epoch, where all items are at hand.
    fn order(&self, items: usize, team: &Team<'_>) -> Vec<usize> {
        let mut random = Random::new(team.run.seed(), self.epoch as u64);
        order(items, self.how.shuffle, &mut random)
    }

    /// What comes next in the epoch: of a stream its next block, after `round`; else all items, once.
    fn go_on(&mut self, team: &Team<'a>, round: Option<Round>) -> Result<Option<Round>> {
        let Some(stream) = &mut self.stream else {
            let items = team.set(0).items();
            return Ok(round.is_none().then(|| Round::new(self.order(items, team))));
        };
        match stream.next(self.how.shuffle, team.run) {
            Ok(None) => Ok(None),
            Ok(Some((block, order))) => {
                team.replace(block)?;
                Ok(Some(round.unwrap_or_default().with(order)))
            }
            Err(error) => {
                // Whoever stops the run while it waits finds all that was learnt.
                self.round = round;
                if error == Error::Aborted && self.keeper.is_some() {
                    self.standing = Some(self.stand(team));
                    self.write(team)?;
                }
                Err(error)
            }
        }
    }

    /// How far it has come, at a step.
    fn stand(&self, team: &Team<'_>) -> Standing {
        let told = |epoch: &Epoch| (Exact(epoch.loss), epoch.validation.map(Exact));
        let between = self.round.as_ref().is_some_and(Round::is_between_windows);
        Standing {
            epoch: self.epoch,
            step: self.step,
            number: self.number,
            done: self.done,
            taken: self.stream.as_ref().map_or(0, |stream| stream.taken),
            seen: self.stream.as_ref().map_or_else(String::new, |stream| stream.seen.text()),
            idle: self.idle,
            learnt: Exact(self.learnt),
            best: self.best.as_ref().map(|(loss, _)| Exact(*loss)),
            history: self.history.iter().map(told).collect(),
            place: self.round.as_ref().map(Round::place),
            carried: match between {
                false => Vec::new(),
                true if self.carried.is_empty() => team.carried(),
                // They have not been given out yet.
                true => self.carried.clone(),
            },
        }
    }

    /// Looks whether somebody wants the run to stop, and whether it is time to save: only at a step, and
    /// while validating only to stop.
    fn look_up(&mut self, team: &Team<'a>, job: &mut Job) -> Result<()> {
        job.save = false;
        let within = self.round.as_ref().is_some_and(Round::is_within_batch);
        if within || self.accumulated > 0 || self.keeper.is_none() {
            return Ok(());
        }
        let stopped = team.run.stopped();
        if !self.validating {
            let due = self.keeper.as_mut().is_some_and(Keeper::is_due);
            job.save = due && !stopped;
            self.standing = (due || stopped).then(|| self.stand(team));
        } else if stopped {
            self.standing = self.before.take();
        }
        if stopped {
            self.write(team)?;
            return team.run.check();
        }
        Ok(())
    }

    fn write(&self, team: &Team<'a>) -> Result<()> {
        let best = self.best.as_ref().map(|(_, best)| &best[..]);
        match (&self.keeper, &self.standing) {
            (Some(keeper), Some(standing)) => keeper.write(team, standing, best),
            _ => Ok(()),
        }
    }

    /// The end of a training, good or bad: one that came to its end is saved as such.
    pub(super) fn end(&mut self, team: &Team<'a>, outcome: Result<()>) -> Result<()> {
        let Some(keeper) = &self.keeper else { return outcome };
        outcome.map_err(|error| keeper.keeps_the_good(error))?;
        self.standing = Some(self.stand(team));
        self.write(team)
    }

    /// What follows when a round is over.
    fn turn_over(&mut self, team: &Team<'a>, round: Round) {
        let loss = round.sums.loss();
        if self.validating {
            self.validating = false;
            self.close(Some(loss));
            self.keep_the_best(team, loss);
            return;
        }
        self.learnt = loss;
        if team.sets() == 1 {
            self.close(None);
            return;
        }
        if self.keeper.is_some() {
            let place = Some(round.place());
            self.before = Some(Standing { place, ..self.stand(team) });
        }
        self.validating = true;
        self.round = Some(Round::new((0..team.set(1).items()).collect()));
    }

    fn close(&mut self, validation: Option<f64>) {
        self.history.push(Epoch { loss: self.learnt, validation });
        self.epoch += 1;
    }

    fn keep_the_best(&mut self, team: &Team<'_>, loss: f64) {
        if self.best.as_ref().is_none_or(|(best, _)| loss < *best) {
            self.idle = 0;
            let values = team.network.parameters.iter().map(|parameter| parameter.get());
            self.best = Some((loss, values.collect()));
        } else {
            self.idle += 1;
        }
    }

    fn is_over(&self) -> bool {
        self.epoch == self.how.epochs || self.idle >= self.how.patience.unwrap_or(usize::MAX)
    }
}

impl<'a> Conduct<'a> for Conductor<'a> {
    fn next(&mut self, team: &Team<'a>, job: &mut Job) -> Result<()> {
        if job.set.take().is_some()
            && let Some(round) = &mut self.round
        {
            let loss = round.take_in(team, job);
            if job.learn {
                team.run.lose(self.epoch as u32 + 1, loss, job.count.round() as u64);
                let done = round.done(&team.set(0), job, self.how.truncate.is_some());
                self.done += done;
                team.run.advance(done);
            }
        }
        while let Some(round) = self.round.take_if(|round| round.is_over()) {
            // The last place of an epoch is kept while its end is not known yet.
            let place = round.place();
            match self.validating {
                true => self.turn_over(team, round),
                false => match self.go_on(team, Some(round))? {
                    Some(round) => self.round = Some(round),
                    None => self.turn_over(team, Round::resume(Vec::new(), &place)),
                },
            }
        }
        let nothing = self.stream.is_none() && team.set(0).items() == 0;
        if nothing || self.is_over() {
            return Ok(());
        }
        self.look_up(team, job)?;
        if self.round.is_none() {
            self.round = self.go_on(team, None)?;
        }
        let Some(round) = &mut self.round else { return Ok(()) };
        job.set = Some(usize::from(self.validating));
        job.learn = !self.validating;
        job.step = None;
        if self.validating {
            examine(round, team, 1, self.how.batch, job);
            return Ok(());
        }
        let window = self.how.truncate.unwrap_or(usize::MAX);
        round.hand_out(team, 0, self.how.batch, |_| window, job);
        team.carry(&std::mem::take(&mut self.carried), job);
        job.fresh = self.accumulated == 0 && job.begin == 0;
        self.number += u64::from(job.begin == 0);
        job.number = self.number;
        if round.is_within_batch() {
            return Ok(());
        }
        self.accumulated += 1;
        if self.accumulated == self.how.accumulate || round.is_over() {
            self.accumulated = 0;
            self.step += 1;
            let rate = self.how.schedule.rate(self.step - 1, self.steps);
            job.step = Some(Step { rate, number: self.step, clip: 1.0 });
        }
        Ok(())
    }

    fn save(&self, team: &Team<'a>) -> Result<()> {
        self.write(team)
    }
}

/// What the first thread decides between two batches of an examination, which learns nothing.
pub(super) struct Examiner {
    pub(super) round: Round,
    batch: usize,
}

impl Examiner {
    pub(super) fn new(team: &Team<'_>, batch: usize) -> Self {
        let items = team.set(0).items();
        let (unit, total) = team.set(0).measure(team.windows);
        team.run.phase("evaluate", unit, 0, Some(total));
        Self { round: Round::new((0..items).collect()), batch }
    }
}

impl<'a> Conduct<'a> for Examiner {
    fn next(&mut self, team: &Team<'a>, job: &mut Job) -> Result<()> {
        if job.set.take().is_some() {
            self.round.take_in(team, job);
            team.run.advance(self.round.done(&team.set(0), job, team.windows));
        }
        if !self.round.is_over() {
            job.set = Some(0);
            examine(&mut self.round, team, 0, self.batch, job);
        }
        Ok(())
    }
}

/// The next batch of a round that learns nothing: as many rows as are worked on well, whatever the
/// length of items.
fn examine(round: &mut Round, team: &Team<'_>, set: usize, batch: usize, job: &mut Job) {
    let windows = team.windows;
    let rows = |items: usize| if windows { EXAMINED / items.max(1) } else { usize::MAX };
    round.hand_out(team, set, batch, rows, job);
}

/// Steps of a whole training: an epoch's last one may be of fewer batches, a batch has as many windows
/// as its longest item. What is too little to learn from goes with the batch before it.
fn steps(how: &Training, set: &Set<'_>, least: usize, seed: u64) -> u64 {
    let items = set.items();
    let Some(window) = how.truncate else {
        let batches = items / how.batch + usize::from(items % how.batch >= least);
        return batches.div_ceil(how.accumulate) as u64 * how.epochs as u64;
    };
    let windows = |item: usize| set.rows(item, 0)[0].div_ceil(window).max(1);
    let of_epoch = |epoch: usize| {
        let order = order(items, how.shuffle, &mut Random::new(seed, epoch as u64));
        let batches = order.chunks(how.batch);
        let of_batch = |batch: &[usize]| batch.iter().map(|&item| windows(item)).max();
        batches.filter_map(of_batch).sum::<usize>().div_ceil(how.accumulate) as u64
    };
    // Where all items have as many, or keep their order, one epoch is as another.
    if !how.shuffle || (1..items).all(|item| windows(item) == windows(0)) {
        return of_epoch(0) * how.epochs as u64;
    }
    (0..how.epochs).map(of_epoch).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use inlay_base::Run;
    use serde_json::json;

    use super::*;
    use crate::plan::Purpose;
    use crate::train::stream::Given;
    use crate::{Cells, Column, Examples, Network};

    #[test]
    fn steps_are_counted_before_they_are_made() {
        let description = json!({
            "inputs": [{"content": "values", "positions": null}],
            "layers": [{"kind": "gru", "units": 1}],
        });
        let mut network = Network::new(&description.to_string(), 1).unwrap();
        let plan = network.plan(Purpose::Train, &[]).unwrap();
        let shape = &plan.slots[0].shape;
        let run = Run::quiet(2, 1);
        for (lengths, truncate) in
            [(&[9, 1, 40, 0, 17][..], Some(4)), (&[9, 1, 40, 0, 17], None), (&[8, 8, 8], Some(3))]
        {
            for (batch, accumulate, shuffle) in [(1, 1, true), (2, 3, true), (2, 2, false)] {
                let values = Cells::Values(vec![0.5; lengths.iter().sum::<u32>() as usize]);
                let column = Column::new("x", values, Some(lengths), shape).unwrap();
                let examples = Examples { inputs: vec![column], targets: None };
                let how = json!({
                    "loss": {"kind": "squared-error"},
                    "optimizer": {"kind": "sgd", "momentum": 0.0, "decay": 0.0, "nesterov": false},
                    "schedule": {"rate": 0.1, "warmup": 0, "shape": {"kind": "constant"}},
                    "epochs": 3, "batch": batch, "accumulate": accumulate, "clip": null,
                    "shuffle": shuffle, "frozen": [], "patience": null, "truncate": truncate,
                });
                let how: Training = serde_json::from_value(how).unwrap();
                network
                    .parameters
                    .iter_mut()
                    .for_each(|p| p.prepare(inlay_kernels::Kernels::get(), true));
                let sets =
                    vec![Set::new(Given::Held(&examples), &plan, &how.loss, Some(shape)).unwrap()];
                let team = Team::new(&network, &plan, sets, &how.loss, (&run, &run))
                    .learning(&how)
                    .unwrap();
                let conductor = Mutex::new(Conductor::new(&how, &team, None, None, None).unwrap());
                run.workers(|worker| team.work(worker, &conductor)).unwrap();
                let conductor = conductor.into_inner().unwrap();
                assert_eq!((conductor.step, conductor.epoch), (conductor.steps, 3), "{how:?}");
                assert!(conductor.step > 0);
            }
        }
    }
}
