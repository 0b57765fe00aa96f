use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, RwLock};

use inlay_base::{Barrier, Error, Result, Run};
use inlay_kernels::{Desk, Kernels, square_sum};

use super::conductor::{Conductor, Job};
use super::set::Set;
use super::{Examples, Training};
use crate::description::wrong;
use crate::layer::{Lesson, Mode};
use crate::losses::Targets;
use crate::network::{Network, fill};
use crate::optimizers::{State, Step};
use crate::plan::{Plan, Work};
use crate::shard::Shard;

/// Everything that the threads of a training share.
pub(super) struct Team<'a> {
    pub(super) network: &'a Network,
    plan: &'a Plan,
    pub(super) sets: Vec<Set<'a>>,
    pub(super) how: &'a Training,
    pub(super) run: &'a Run,
    kernels: Kernels,
    pub(super) shards: Vec<RwLock<Part>>,
    tasks: Vec<Task>,
    job: RwLock<Job>,
    barrier: Barrier,
    next: AtomicUsize,
    broken: AtomicBool,
}
/// A thread's part of a batch.
#[derive(Default)]
pub(super) struct Part {
    shard: Shard,
    targets: Targets,
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
        let sets =
            sets.map(|examples| Set::new(examples, plan, &target)).collect::<Result<Vec<_>>>()?;
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
