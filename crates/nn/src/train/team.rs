mod gradients;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use inlay_base::{Barrier, Error, Result, Run, lock};
use inlay_kernels::{Desk, Kernels};

use super::set::Set;
use super::sparse::Sparse;
use super::stream::Given;
use super::{Examples, Training};
use crate::data::Window;
use crate::description::wrong;
use crate::layer::{Mode, Pass, Stretch};
use crate::losses::{Judged, Loss, Room, Targets};
use crate::meeting::Meeting;
use crate::network::{Network, fill};
use crate::optimizers::{State, Step};
use crate::plan::{Node, Plan, Work};
use crate::shard::Shard;

/// Says what is next.
pub(super) trait Conduct<'a>: Send {
    /// Takes in what the last batch gave, and says what is next; `job.set` is `None` at the end.
    fn next(&mut self, team: &Team<'a>, job: &mut Job) -> Result<()>;

    /// Saves how far it was before the batch at hand, by whose loss the parameters are known to be good.
    fn save(&self, _team: &Team<'a>) -> Result<()> {
        Ok(())
    }
}

/// What all threads do next.
pub(super) struct Job {
    /// None: go home.
    pub(super) set: Option<usize>,
    /// A portion of a batch, and how many of its items came before.
    pub(super) items: Vec<usize>,
    pub(super) begin: usize,
    /// Where each thread's items begin, and where the last one's end.
    pub(super) cuts: Vec<usize>,
    /// Which rows of the items.
    pub(super) window: Window,
    pub(super) stretch: Stretch,
    /// What the losses of the batch are divided by, and what of it belongs to these items.
    pub(super) share: f64,
    pub(super) count: f64,
    pub(super) learn: bool,
    /// Whether gradients begin anew, and whether a step follows.
    pub(super) fresh: bool,
    pub(super) step: Option<Step>,
    pub(super) number: u64,
    /// Whether the state before this batch is to be saved.
    pub(super) save: bool,
}

/// Everything that the threads of a training, or an examination, share.
pub(super) struct Team<'a> {
    pub(super) network: &'a Network,
    plan: &'a Plan,
    /// What is learnt from, and validation examples.
    sets: Vec<RwLock<Set<'a>>>,
    /// Of each set: the fewest examples that a batch may have.
    pub(super) least: Vec<usize>,
    pub(super) loss: &'a Loss,
    /// None: nothing is learnt.
    how: Option<&'a Training>,
    /// Whether items may come in windows.
    pub(super) windows: bool,
    /// Values that lie between layers in a portion of a batch, about: where nothing is learnt, and while learning.
    portions: [usize; 2],
    /// Who hears of it, and may stop it.
    pub(super) run: &'a Run,
    /// What the threads look at: the same, unless a stop has to wait for the batch at hand.
    workers: &'a Run,
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
    /// In an examination: see `Loss::right`.
    pub(super) right: Option<[u64; 2]>,
}

/// What a thread works in; grows and stays.
#[derive(Default)]
struct Own {
    desk: Desk,
    /// Of a gradient that is followed at once.
    passing: Vec<f32>,
    /// Of one that is nothing almost everywhere.
    sparse: Sparse,
    /// Of a lesson.
    room: Vec<f32>,
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
impl Default for Job {
    fn default() -> Self {
        Self {
            set: None,
            items: Vec::new(),
            begin: 0,
            cuts: Vec::new(),
            window: Window::ALL,
            stretch: Stretch::Whole,
            share: 0.0,
            count: 0.0,
            learn: false,
            fresh: false,
            step: None,
            number: 0,
            save: false,
        }
    }
}

impl<'a> Team<'a> {
    pub(super) fn new(
        network: &'a Network,
        plan: &'a Plan,
        sets: Vec<Set<'a>>,
        loss: &'a Loss,
        (run, workers): (&'a Run, &'a Run),
    ) -> Self {
        let threads = run.threads();
        let least = sets.iter().map(|set| loss.least_examples(set.parts())).collect();
        Self {
            network,
            plan,
            least,
            sets: sets.into_iter().map(RwLock::new).collect(),
            loss,
            how: None,
            windows: plan.windows().is_ok(),
            portions: match loss.parts() == (1..=1) {
                true => [false, true].map(|learning| plan.portion(threads, learning)),
                false => [usize::MAX; 2],
            },
            run,
            workers,
            kernels: Kernels::get(),
            shards: (0..threads).map(|_| RwLock::default()).collect(),
            tasks: Vec::new(),
            job: RwLock::default(),
            barrier: Barrier::new(threads),
            meeting: Meeting::new(threads),
            next: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// A team that learns.
    ///
    /// # Errors
    /// `InvalidInput` if there is nothing to learn, or no window where one is wanted, or too few examples.
    pub(super) fn learning(self, how: &'a Training) -> Result<Self> {
        let Self { network, plan, .. } = self;
        let mut least = self.least.clone();
        least[0] = least_examples(plan, &self.set(0), how)?;
        if let Some(&least) = least.get(1)
            && (1..least).contains(&self.set(1).items())
        {
            return Err(wrong("has a loss over pairs of several items: one came for validation"));
        }
        if how.truncate.is_some()
            && let Err(why) = plan.windows()
        {
            return Err(wrong(format!("cannot learn in windows (`truncate`): {why}")));
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
        Ok(Self { how: Some(how), least, tasks, ..self })
    }

    /// How many of these items are worked on at a time.
    pub(super) fn portion(&self, set: &Set<'_>, items: &[usize], learning: bool) -> usize {
        let mut left = self.portions[usize::from(learning)];
        if left == usize::MAX {
            return items.len();
        }
        let widths = self.plan.slots.iter().map(|slot| slot.shape.width);
        let values = |item: usize| -> usize {
            set.rows(item, 0).iter().zip(widths.clone()).map(|(rows, width)| rows * width).sum()
        };
        let within = items.iter().take_while(|&&item| {
            let (here, values) = (left > 0, values(item));
            left = left.saturating_sub(values);
            here
        });
        within.count()
    }

    /// A set of examples.
    pub(super) fn set(&self, number: usize) -> RwLockReadGuard<'_, Set<'a>> {
        self.sets[number].read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many sets there are.
    pub(super) fn sets(&self) -> usize {
        self.sets.len()
    }

    /// Another block of what is learnt from.
    ///
    /// # Errors
    /// `InvalidInput` if its examples do not fit, or are too few.
    pub(super) fn replace(&self, block: Examples) -> Result<()> {
        let target = self.loss.target(&self.plan.slots[self.plan.output].shape).map_err(wrong)?;
        let set = Set::new(Given::Block(block), self.plan, self.loss, target.as_ref())?;
        if let Some(how) = self.how {
            least_examples(self.plan, &set, how)?;
        }
        *self.sets[0].write().unwrap_or_else(PoisonError::into_inner) = set;
        Ok(())
    }

    pub(super) fn work(&self, worker: usize, conductor: &Mutex<impl Conduct<'a>>) -> Result<()> {
        let mut own = Own::default();
        loop {
            if worker == 0 {
                let mut job = self.job.write().unwrap_or_else(PoisonError::into_inner);
                let mut conductor = lock(conductor);
                conductor.next(self, &mut job)?;
                self.next.store(0, Relaxed);
            }
            self.barrier.wait(self.workers)?;
            let job = self.job.read().unwrap_or_else(PoisonError::into_inner);
            let Some(set) = job.set else { return Ok(()) };
            self.pass(worker, &job, &self.set(set), &mut own.desk)?;
            self.barrier.wait(self.workers)?;
            self.is_finite("loss")?;
            if job.save {
                if worker == 0 {
                    lock(conductor).save(self)?;
                }
                self.barrier.wait(self.workers)?;
            }
            if !job.learn {
                continue;
            }
            self.gradients(&job, &mut own)?;
            self.barrier.wait(self.workers)?;
            self.is_finite("gradient")?;
            if job.step.is_some() && self.how.is_some_and(|how| how.clip.is_some()) {
                if worker == 0 {
                    self.next.store(0, Relaxed);
                }
                self.barrier.wait(self.workers)?;
                self.clipped(&job)?;
                self.barrier.wait(self.workers)?;
            }
        }
    }

    /// What the optimizer keeps beside each parameter, piece after piece.
    pub(super) fn moments(&self) -> Vec<State> {
        let mut all: Vec<State> = Vec::new();
        all.resize_with(self.network.parameters.len(), State::default);
        for task in self.tasks_in_order() {
            let growth = lock(&task.growth);
            all[task.global].first.extend(&growth.state.first);
            all[task.global].second.extend(&growth.state.second);
        }
        all
    }

    /// Gives the optimizer what it kept; `false`: that is not what it keeps.
    #[must_use]
    pub(super) fn remember(&self, moments: impl Fn(&str) -> State) -> bool {
        let mut all: Vec<State> =
            self.network.parameters.iter().map(|parameter| moments(&parameter.name)).collect();
        for task in self.tasks_in_order().into_iter().rev() {
            let size = self.network.parameters[task.global].piece(task.piece).values.len();
            let mut growth = lock(&task.growth);
            let State { first, second } = &mut all[task.global];
            let own = &mut growth.state;
            for (from, to) in [(first, &mut own.first), (second, &mut own.second)] {
                if !from.is_empty() {
                    let Some(begin) = from.len().checked_sub(size) else { return false };
                    *to = from.split_off(begin);
                }
            }
        }
        all.iter().all(|state| state.first.is_empty() && state.second.is_empty())
    }

    fn tasks_in_order(&self) -> Vec<&Task> {
        let mut tasks: Vec<&Task> = self.tasks.iter().collect();
        tasks.sort_by_key(|task| (task.global, task.piece));
        tasks
    }

    /// What the items of the batch at hand carry, by nodes.
    pub(super) fn carried(&self) -> Vec<(usize, Vec<f32>)> {
        let mut all: Vec<(usize, Vec<f32>)> =
            (0..self.plan.nodes.len()).map(|node| (node, Vec::new())).collect();
        for part in &self.shards {
            let mut part = part.write().unwrap_or_else(PoisonError::into_inner);
            for (node, carried) in &mut all {
                carried.extend_from_slice(part.shard.carried(*node));
            }
        }
        all.retain(|(_, carried)| !carried.is_empty());
        all
    }

    /// How many numbers an item carries, by the nodes where it does.
    pub(super) fn carries(&self) -> Vec<(usize, usize)> {
        let of = |(number, node): (usize, &Node)| match &node.work {
            Work::Layer { layer, .. } => (number, layer.carries()),
            _ => (number, 0),
        };
        let all = self.plan.nodes.iter().enumerate().map(of);
        all.filter(|&(_, numbers)| numbers > 0).collect()
    }

    /// Gives each shard what its items carry.
    pub(super) fn carry(&self, carried: &[(usize, Vec<f32>)], job: &Job) {
        for (part, ends) in self.shards.iter().zip(job.cuts.windows(2)) {
            let mut part = part.write().unwrap_or_else(PoisonError::into_inner);
            for (node, all) in carried {
                let each = all.len() / job.items.len().max(1);
                *part.shard.carried(*node) = all[ends[0] * each..ends[1] * each].to_vec();
            }
        }
    }

    fn is_finite(&self, what: &str) -> Result<()> {
        if !self.broken.load(Relaxed) {
            return Ok(());
        }
        let what = match self.how {
            None => "the loss of the examples is no finite number".into(),
            Some(_) => format!(
                "the {what} is no longer finite: a smaller `learningRate` or `clip` may help"
            ),
        };
        Err(Error::Diverged { what })
    }

    /// A shard's way forward and, in a step, backward.
    fn pass(&self, worker: usize, job: &Job, set: &Set<'_>, desk: &mut Desk) -> Result<()> {
        let mut part = self.shards[worker].write().unwrap_or_else(PoisonError::into_inner);
        let Part { shard, targets, room, losses, right } = &mut *part;
        let first = job.cuts[worker];
        let items = &job.items[first..job.cuts[worker + 1]];
        let (window, parts, plan) = (job.window, set.parts(), self.plan);
        shard.begin(plan, items.len() * parts, job.stretch, |item, slot| {
            match plan.is_there(slot, job.learn) {
                true => window.rows(set.rows(items[item / parts], item % parts)[slot]),
                false => 0,
            }
        });
        fill(shard, self.plan, &set.examples.inputs, items.iter().copied(), window);
        targets.ids.clear();
        targets.values.clear();
        for &item in items {
            set.targets().append(item, window, &mut targets.values, &mut targets.ids);
        }
        let first = (job.begin + first) * parts;
        let mode = match job.learn {
            true => Mode::Train { seed: self.run.seed(), step: job.number, first, node: 0 },
            false => Mode::Encode,
        };
        let (network, kernels) = (self.network, self.kernels);
        let seat = &self.meeting.seat(worker, self.workers);
        let wanted = &targets.ids;
        let pass = Pass { kernels, mode, seat, share: job.share, first, wanted, run: None };
        losses.clear();
        losses.resize(items.len() * parts, 0.0);
        shard.forward(plan, network, &pass, losses, desk);
        self.workers.check()?;
        let over = job.learn && self.loss.is_row_by_row() && plan.is_spent();
        let (output, gradient) = match over {
            true => shard.output_as_gradient(plan),
            false => shard.output(plan),
        };
        let judged = Judged { output, parts, gradient, losses };
        self.loss.apply(&pass, targets, judged, room, desk);
        if losses.iter().any(|loss| !loss.is_finite()) {
            self.broken.store(true, Relaxed);
        }
        *right = None;
        if job.learn {
            shard.backward(plan, network, &pass, desk);
        } else if self.how.is_none() {
            *right = self.loss.right(shard.rows(plan, plan.output), targets);
        }
        self.workers.check()
    }
}

/// The fewest examples of a batch that all layers and the loss can learn from.
fn least_examples(plan: &Plan, set: &Set<'_>, how: &Training) -> Result<usize> {
    let parts = set.parts().max(1);
    let mut least = (how.loss.least_examples(parts), "its loss".to_string());
    for node in &plan.nodes {
        let Work::Layer { name, layer, still: false, .. } = &node.work else { continue };
        let items = layer.least_items(&plan.slots[node.inputs[0]].shape);
        let examples = items.div_ceil(parts);
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
    Ok(least)
}
