use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, RwLock};

use inlay_base::{Barrier, Error, Result, Run};
use inlay_kernels::{Desk, Kernels, square_sum};

use super::conductor::{Conductor, Job};
use super::set::Set;
use super::{Examples, Training};
use crate::description::wrong;
use crate::layer::{Lesson, Mode, Pass};
use crate::losses::{Judged, Room, Targets};
use crate::meeting::Meeting;
use crate::network::{Network, fill};
use crate::optimizers::{State, Step};
use crate::plan::{Plan, Work};
use crate::shard::Shard;

/// Everything that the threads of a training share.
pub(super) struct Team<'a> {
    pub(super) network: &'a Network,
    plan: &'a Plan,
    pub(super) sets: Vec<Set<'a>>,
    /// Of training and of validation: the fewest examples that a batch may have.
    pub(super) least: [usize; 2],
    pub(super) how: &'a Training,
    pub(super) run: &'a Run,
    kernels: Kernels,
    pub(super) shards: Vec<RwLock<Part>>,
    tasks: Vec<Task>,
    job: RwLock<Job>,
    barrier: Barrier,
    /// Within a pass.
    meeting: Meeting,
    next: AtomicUsize,
    broken: AtomicBool,
}
/// A thread's part of a batch.
#[derive(Default)]
pub(super) struct Part {
    shard: Shard,
    targets: Targets,
    room: Room,
    /// Of each item.
    pub(super) losses: Vec<f64>,
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
impl<'a> Team<'a> {
    pub(super) fn new(
        network: &'a Network,
        plan: &'a Plan,
        examples: &'a Examples,
        validation: Option<&'a Examples>,
        how: &'a Training,
        run: &'a Run,
    ) -> Result<Self> {
        let output = &plan.slots[plan.output].shape;
        let target = how.loss.target(output).map_err(wrong)?;
        let sets = std::iter::once(examples).chain(validation);
        let sets = sets.map(|examples| Set::new(examples, plan, &how.loss, target.as_ref()));
        let sets = sets.collect::<Result<Vec<_>>>()?;
        let least = least_examples(plan, &sets[0], how)?;
        if let Some(set) = sets.get(1)
            && (1..least[1]).contains(&set.items())
        {
            return Err(wrong("has a loss over pairs of several items: one came for validation"));
        }
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
            least,
            how,
            run,
            kernels: Kernels::get(),
            shards: (0..threads).map(|_| RwLock::default()).collect(),
            tasks,
            job: RwLock::default(),
            barrier: Barrier::new(threads),
            meeting: Meeting::new(threads),
            next: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        })
    }

    pub(super) fn work(&self, worker: usize, conductor: &Mutex<Conductor<'a>>) -> Result<()> {
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
        let Part { shard, targets, room, losses } = &mut *part;
        let first = job.cuts[worker];
        let items = &job.items[first..job.cuts[worker + 1]];
        let parts = set.parts();
        let rows = |item: usize| set.rows(items[item / parts], item % parts);
        shard.begin(self.plan, items.len() * parts, rows);
        fill(shard, self.plan, &set.examples.inputs, items.iter().copied());
        targets.ids.clear();
        targets.values.clear();
        for &item in items {
            set.targets().append(item, &mut targets.values, &mut targets.ids);
        }
        let first = first * parts;
        let mode = match job.learn {
            true => Mode::Train { seed: self.run.seed(), step: job.number, first, node: 0 },
            false => Mode::Encode,
        };
        let (plan, network, kernels) = (self.plan, self.network, self.kernels);
        let seat = &self.meeting.seat(worker, self.run);
        let pass = Pass { kernels, mode, seat, share: job.share, first };
        losses.clear();
        losses.resize(items.len() * parts, 0.0);
        shard.forward(plan, network, &pass, losses, desk);
        self.run.check()?;
        let (output, gradient) = shard.output(plan);
        let judged = Judged { output, parts, gradient, losses };
        self.how.loss.apply(&pass, targets, judged, room, desk);
        if losses.iter().any(|loss| !loss.is_finite()) {
            self.broken.store(true, Relaxed);
        }
        if job.learn {
            shard.backward(plan, network, &pass, desk);
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
            if parameter.blueprint.kept {
                self.keep(task, &shards[0], gradient);
                continue;
            }
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

    /// What a layer keeps of a batch, unless it is no number.
    fn keep(&self, task: &Task, first: &Part, values: &mut Vec<f32>) {
        let Work::Layer { layer, .. } = &self.plan.nodes[task.node].work else { return };
        let mut piece = self.network.parameters[task.global].piece_mut(task.piece);
        values.clear();
        values.extend_from_slice(&piece.values);
        layer.keep(task.local, first.shard.known(self.plan, task.node).memo, values);
        if values.iter().all(|value| value.is_finite()) {
            piece.values.copy_from_slice(values);
        } else {
            self.broken.store(true, Relaxed);
        }
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
        if parameter.blueprint.kept {
            return;
        }
        let mut piece = parameter.piece_mut(task.piece);
        let Growth { gradient, state, .. } = growth;
        let decays = parameter.blueprint.decays;
        self.how.optimizer.follow(self.kernels, step, decays, &mut piece.values, gradient, state);
        piece.refresh(self.kernels);
    }
}

/// The fewest examples of a batch that all layers and the loss can learn from, and of one that is only
/// looked at.
fn least_examples(plan: &Plan, set: &Set<'_>, how: &Training) -> Result<[usize; 2]> {
    let of_loss = how.loss.least_examples(set.parts());
    let mut least = (of_loss, "its loss".to_string());
    for node in &plan.nodes {
        let Work::Layer { name, layer, still: false, .. } = &node.work else { continue };
        let items = layer.least_items(&plan.slots[node.inputs[0]].shape);
        let examples = items.div_ceil(set.parts());
        if examples > least.0 {
            least = (examples, format!("`{name}`"));
        }
    }
    let (least, who) = least;
    let given = set.items().min(how.batch);
    if (1..least).contains(&given) {
        return Err(wrong(format!(
            "learns from {least} examples at a time or more, which {who} compares: a batch has {given}"
        )));
    }
    Ok([least, of_loss])
}
