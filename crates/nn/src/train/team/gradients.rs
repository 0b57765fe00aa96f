//! What comes after a pass: the gradients of all parameters, piece by piece on all threads, and the steps by them.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use inlay_base::{Result, lock};
use inlay_kernels::square_sum;

use super::{Growth, Job, Own, Part, Task, Team};
use crate::layer::Lesson;
use crate::optimizers::{State, Step};
use crate::plan::Work;
use crate::train::Training;

impl Team<'_> {
    /// The gradients of all pieces, and a step for each where nothing stands in the way: then they need no
    /// memory of their own, and lie one after the other in `passing`.
    pub(super) fn gradients(&self, job: &Job, own: &mut Own) -> Result<()> {
        let Some(how) = self.how else { return Ok(()) };
        let Own { desk, passing, sparse, room } = own;
        let pass = job.fresh && job.step.is_some() && how.clip.is_none();
        let shards: Vec<_> = self
            .shards
            .iter()
            .map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner))
            .collect();
        while let Some(task) = self.tasks.get(self.next.fetch_add(1, Relaxed)) {
            self.workers.check()?;
            let mut growth = lock(&task.growth);
            let Growth { gradient, square, state } = &mut *growth;
            let gradient = if pass { &mut *passing } else { gradient };
            let parameter = &self.network.parameters[task.global];
            if parameter.blueprint.kept {
                self.keep(task, &shards[0], gradient);
                continue;
            }
            let Work::Layer { layer, .. } = &self.plan.nodes[task.node].work else { continue };
            let known = || shards.iter().map(|part| part.shard.known(self.plan, task.node));
            let (first, count, alone) = {
                let piece = parameter.piece(task.piece);
                let alone = pass && how.optimizer.leaves_alone(parameter.blueprint.decays);
                let who = (&**layer, task.local);
                let alone = alone && sparse.begin(who, (parameter, &piece), known());
                if !alone {
                    gradient.resize(piece.values.len(), 0.0);
                }
                // What the step needs comes from afar, while the products before it have no use for the way there.
                let products = if pass && !alone { shards.len() } else { 0 };
                let moments = [&state.first[..], &state.second];
                desk.want(products, piece.held().chain(moments).filter(|_| products > 0));
                (piece.first, piece.count, alone)
            };
            let begins = job.fresh && !alone && layer.begins(task.local);
            if job.fresh && !alone && !begins {
                gradient.fill(0.0);
            }
            layer.learn(&mut Lesson {
                kernels: self.kernels,
                desk,
                room,
                parameter: task.local,
                first,
                count,
                shards: &mut known(),
                gradient: if alone { sparse.gradient() } else { gradient },
                fresh: begins,
            });
            // What no product asked for is not for those of the next pass.
            desk.want(0, []);
            *square = if alone { sparse.square() } else { square_sum(self.kernels, gradient) };
            let reach = square.sqrt() * f64::from(job.step.map_or(1.0, |step| step.rate).max(1.0));
            if reach.is_nan() || reach > f64::from(f32::MAX) {
                // The parameter stays as it is: a step by this gradient would ruin it.
                self.broken.store(true, Relaxed);
                if alone {
                    sparse.forget();
                }
                continue;
            }
            if let (true, Some(step)) = (alone, job.step) {
                sparse.end(step.rate, parameter.piece_mut(task.piece).values.to_mut());
            } else if let (Some(step), None) = (job.step, how.clip) {
                self.follow(how, task, (gradient, state), step);
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
            piece.values.to_mut().copy_from_slice(values);
        } else {
            self.broken.store(true, Relaxed);
        }
    }

    /// The steps, when the length of all gradients together is known.
    pub(super) fn clipped(&self, job: &Job) -> Result<()> {
        let Some(how) = self.how else { return Ok(()) };
        let (Some(limit), Some(step)) = (how.clip, job.step) else { return Ok(()) };
        let square = |task: &Task| lock(&task.growth).square;
        let length = self.tasks.iter().map(square).sum::<f64>().sqrt();
        let clip = if length > limit { (limit / length) as f32 } else { 1.0 };
        while let Some(task) = self.tasks.get(self.next.fetch_add(1, Relaxed)) {
            let mut growth = lock(&task.growth);
            let Growth { gradient, state, .. } = &mut *growth;
            self.follow(how, task, (gradient, state), Step { clip, ..step });
        }
        Ok(())
    }

    fn follow(
        &self,
        how: &Training,
        task: &Task,
        (gradient, state): (&[f32], &mut State),
        step: Step,
    ) {
        let parameter = &self.network.parameters[task.global];
        if parameter.blueprint.kept {
            return;
        }
        let mut piece = parameter.piece_mut(task.piece);
        let decays = parameter.blueprint.decays;
        how.optimizer.follow(self.kernels, step, decays, piece.values.to_mut(), gradient, state);
        piece.refresh(self.kernels);
    }
}
