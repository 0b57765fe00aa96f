//! Training, from start to end: epochs of batches, each of which goes forward, backward and into the
//! parameters, on threads that stay together.
//!
//! ```text
//! each thread its shard:   inputs -> forward -> loss -> backward          |
//! all together:            gradients of pieces of parameters, and         | a step
//!                          unless their common length must be known,      |
//!                          the step of the optimizer at once              |
//! ```

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, RwLock};

use inlay_base::{Barrier, Error, Random, Result, Run};
use inlay_kernels::{Desk, Kernels, square_sum};
use serde::Deserialize;

use crate::data::Column;
use crate::description::wrong;
use crate::layer::{Lesson, Mode};
use crate::losses::{Loss, Targets};
use crate::network::{Fitted, Network, fill};
use crate::optimizers::{Optimizer, State, Step};
use crate::plan::{Plan, Purpose, Work};
use crate::schedule::Schedule;
use crate::shard::Shard;

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
    /// A column for each input of the network.
    pub inputs: Vec<Column>,
    /// What is wanted; `None`: what goes into the first input.
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

/// Everything that the threads of a training share.
struct Team<'a> {
    network: &'a Network,
    plan: &'a Plan,
    sets: Vec<Set<'a>>,
    how: &'a Training,
    run: &'a Run,
    kernels: Kernels,
    shards: Vec<RwLock<Part>>,
    tasks: Vec<Task>,
    job: RwLock<Job>,
    barrier: Barrier,
    next: AtomicUsize,
    broken: AtomicBool,
}

/// Examples that have been checked.
struct Set<'a> {
    examples: &'a Examples,
    rows: Fitted,
}

impl Set<'_> {
    fn targets(&self) -> &Column {
        self.examples.targets.as_ref().unwrap_or(&self.examples.inputs[0])
    }
}

/// A thread's part of a batch.
#[derive(Default)]
struct Part {
    shard: Shard,
    targets: Targets,
    /// Of each item.
    losses: Vec<f64>,
}

/// A piece of a parameter, and what is kept beside it.
struct Task {
    node: usize,
    /// Among the layer's parameters, and among the network's.
    local: usize,
    global: usize,
    piece: usize,
    growth: Mutex<Growth>,
}

#[derive(Default)]
struct Growth {
    gradient: Vec<f32>,
    state: State,
    square: f64,
}

/// What all threads do next.
#[derive(Default)]
struct Job {
    /// None: go home.
    set: Option<usize>,
    items: Vec<usize>,
    /// Where each thread's items begin, and where the last one's end.
    cuts: Vec<usize>,
    share: f64,
    learn: bool,
    /// Whether gradients begin anew, and whether a step follows.
    fresh: bool,
    step: Option<Step>,
    number: u64,
}

impl<'a> Team<'a> {
    fn new(
        network: &'a Network,
        plan: &'a Plan,
        examples: &'a Examples,
        validation: Option<&'a Examples>,
        how: &'a Training,
        run: &'a Run,
    ) -> Result<Self> {
        let output = &plan.slots[plan.output].shape;
        let target = how.loss.target(output).map_err(wrong)?;
        let sets = std::iter::once(examples).chain(validation).map(|examples| {
            let rows = Fitted::new(plan, &examples.inputs)?;
            let set = Set { examples, rows };
            check_targets(&set, plan, &target)?;
            Ok(set)
        });
        let sets = sets.collect::<Result<Vec<_>>>()?;
        let mut tasks = Vec::new();
        for (node, found) in plan.nodes.iter().enumerate() {
            let Work::Layer { name, parameters: (first, count), .. } = &found.work else {
                continue;
            };
            if how.frozen.contains(name) {
                continue;
            }
            for local in 0..*count {
                let global = first + local;
                for piece in 0..network.parameters[global].pieces() {
                    tasks.push(Task { node, local, global, piece, growth: Mutex::default() });
                }
            }
        }
        if tasks.is_empty() {
            return Err(wrong("has nothing to learn"));
        }
        // The large ones first, so that no thread is left with one at the end.
        let size = |task: &Task| network.parameters[task.global].piece(task.piece).values.len();
        tasks.sort_by_key(|task| std::cmp::Reverse(size(task)));
        let threads = run.threads();
        Ok(Self {
            network,
            plan,
            sets,
            how,
            run,
            kernels: Kernels::get(),
            shards: (0..threads).map(|_| RwLock::default()).collect(),
            tasks,
            job: RwLock::default(),
            barrier: Barrier::new(threads),
            next: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        })
    }

    fn work(&self, worker: usize, conductor: &Mutex<Conductor<'a>>) -> Result<()> {
        let mut desk = Desk::default();
        loop {
            if worker == 0 {
                let mut job = self.job.write().unwrap_or_else(PoisonError::into_inner);
                let mut conductor = conductor.lock().unwrap_or_else(PoisonError::into_inner);
                conductor.next(self, &mut job)?;
                self.next.store(0, Relaxed);
            }
            self.barrier.wait(self.run)?;
            let job = self.job.read().unwrap_or_else(PoisonError::into_inner);
            let Some(set) = job.set else { return Ok(()) };
            self.pass(worker, &job, &self.sets[set], &mut desk)?;
            self.barrier.wait(self.run)?;
            if !job.learn {
                continue;
            }
            self.is_finite("loss")?;
            self.gradients(&job, &mut desk)?;
            self.barrier.wait(self.run)?;
            self.is_finite("gradient")?;
            if job.step.is_some() && self.how.clip.is_some() {
                if worker == 0 {
                    self.next.store(0, Relaxed);
                }
                self.barrier.wait(self.run)?;
                self.clipped(&job)?;
                self.barrier.wait(self.run)?;
            }
        }
    }

    fn is_finite(&self, what: &str) -> Result<()> {
        if !self.broken.load(Relaxed) {
            return Ok(());
        }
        let what =
            format!("the {what} is no longer finite: a smaller `learningRate` or `clip` may help");
        Err(Error::Diverged { what })
    }

    /// A shard's way forward and, in a step, backward.
    fn pass(&self, worker: usize, job: &Job, set: &Set<'_>, desk: &mut Desk) -> Result<()> {
        let mut part = self.shards[worker].write().unwrap_or_else(PoisonError::into_inner);
        let Part { shard, targets, losses } = &mut *part;
        let first = job.cuts[worker];
        let items = &job.items[first..job.cuts[worker + 1]];
        shard.begin(self.plan, items.len(), |item| set.rows.of(items[item]));
        fill(shard, &set.examples.inputs, items.iter().copied());
        targets.ids.clear();
        targets.values.clear();
        for &item in items {
            set.targets().append(item, &mut targets.values, &mut targets.ids);
        }
        let mode = match job.learn {
            true => Mode::Train { seed: self.run.seed(), step: job.number, first, node: 0 },
            false => Mode::Encode,
        };
        let (plan, parameters) = (self.plan, &self.network.parameters[..]);
        shard.forward(plan, parameters, mode, self.kernels, desk);
        self.run.check()?;
        losses.clear();
        let (output, gradient) = shard.output(plan);
        self.how.loss.apply(self.kernels, output, targets, job.share, gradient, losses);
        if losses.iter().any(|loss| !loss.is_finite()) {
            self.broken.store(true, Relaxed);
        }
        if job.learn {
            shard.backward(plan, parameters, mode, self.kernels, desk);
        }
        self.run.check()
    }

    /// The gradients of all pieces, and a step for each where nothing stands in the way.
    fn gradients(&self, job: &Job, desk: &mut Desk) -> Result<()> {
        let shards: Vec<_> = self
            .shards
            .iter()
            .map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner))
            .collect();
        while let Some(task) = self.tasks.get(self.next.fetch_add(1, Relaxed)) {
            self.run.check()?;
            let mut growth = task.growth.lock().unwrap_or_else(PoisonError::into_inner);
            let Growth { gradient, square, .. } = &mut *growth;
            let parameter = &self.network.parameters[task.global];
            let (first, count) = {
                let piece = parameter.piece(task.piece);
                gradient.resize(piece.values.len(), 0.0);
                (piece.first, piece.count)
            };
            if job.fresh {
                gradient.fill(0.0);
            }
            let Work::Layer { layer, .. } = &self.plan.nodes[task.node].work else { continue };
            layer.learn(&mut Lesson {
                kernels: self.kernels,
                desk,
                parameter: task.local,
                first,
                count,
                shards: &mut shards.iter().map(|part| part.shard.known(self.plan, task.node)),
                gradient,
            });
            *square = square_sum(self.kernels, gradient);
            let reach = square.sqrt() * f64::from(job.step.map_or(1.0, |step| step.rate).max(1.0));
            if reach.is_nan() || reach > f64::from(f32::MAX) {
                // The parameter stays as it is: a step by this gradient would ruin it.
                self.broken.store(true, Relaxed);
                continue;
            }
            if let (Some(step), None) = (job.step, self.how.clip) {
                self.follow(task, &mut growth, step);
            }
        }
        Ok(())
    }

    /// The steps, when the length of all gradients together is known.
    fn clipped(&self, job: &Job) -> Result<()> {
        let (Some(limit), Some(step)) = (self.how.clip, job.step) else { return Ok(()) };
        let square =
            |task: &Task| task.growth.lock().unwrap_or_else(PoisonError::into_inner).square;
        let length = self.tasks.iter().map(square).sum::<f64>().sqrt();
        let clip = if length > limit { (limit / length) as f32 } else { 1.0 };
        while let Some(task) = self.tasks.get(self.next.fetch_add(1, Relaxed)) {
            let mut growth = task.growth.lock().unwrap_or_else(PoisonError::into_inner);
            self.follow(task, &mut growth, Step { clip, ..step });
        }
        Ok(())
    }

    fn follow(&self, task: &Task, growth: &mut Growth, step: Step) {
        let parameter = &self.network.parameters[task.global];
        let mut piece = parameter.piece_mut(task.piece);
        let Growth { gradient, state, .. } = growth;
        let decays = parameter.blueprint.decays;
        self.how.optimizer.follow(self.kernels, step, decays, &mut piece.values, gradient, state);
        piece.refresh(self.kernels);
    }
}

fn check_targets(set: &Set<'_>, plan: &Plan, target: &crate::shape::Shape) -> Result<()> {
    let name = "the targets";
    let problem =
        |problem: String| Error::InvalidInput { source: name.into(), offset: None, problem };
    let column = set.targets();
    if column.items() != set.rows.items() {
        let (targets, items) = (column.items(), set.rows.items());
        return Err(problem(format!("are {targets}, of {items} items")));
    }
    let ids = matches!(column.cells, crate::data::Cells::Ids(_));
    if ids != (target.content == crate::shape::Content::Ids) || column.width != target.width {
        return Err(problem(format!("are not what the loss takes: {target}")));
    }
    for item in 0..column.items() {
        let (given, wanted) = (column.rows(item), set.rows.of(item)[plan.output]);
        if given != wanted {
            return Err(problem(format!(
                "of item {item} have {given} rows, its output has {wanted}"
            )));
        }
    }
    column.below(name, plan.slots[plan.output].shape.width, true)
}

/// What the first thread decides between two batches.
struct Conductor<'a> {
    how: &'a Training,
    history: Vec<Epoch>,
    best: Option<(f64, Vec<Vec<f32>>)>,
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
    fn new(team: &Team<'a>) -> Self {
        let how = team.how;
        let items = team.sets[0].rows.items();
        let batches = items.div_ceil(how.batch).div_ceil(how.accumulate) as u64;
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
    fn next(&mut self, team: &Team<'a>, job: &mut Job) -> Result<()> {
        if job.set.is_some() {
            self.take_in(team, job);
        }
        let (train, items) = (&team.sets[0], team.sets[0].rows.items());
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
                    self.order = (0..team.sets[1].rows.items()).collect();
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
        let end = self.order.len().min(self.given + self.how.batch);
        job.items.clear();
        job.items.extend_from_slice(&self.order[self.given..end]);
        self.given = end;
        job.set = Some(usize::from(self.validating));
        job.learn = !self.validating;
        job.share = self.how.loss.share(set.targets(), &job.items);
        cut(&mut job.cuts, team.shards.len(), &job.items, |item| set.rows.of(item)[0]);
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
