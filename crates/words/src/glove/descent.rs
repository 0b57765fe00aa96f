//! The loop: all pairs in their shuffled order, epoch after epoch, on all threads. They write to the
//! same rows without locks (Hogwild: Niu et al. 2011, arXiv:1106.5730).

use std::ops::Range;
use std::time::{Duration, Instant};

use inlay_base::{Error, Random, Result, Run};
use inlay_formats::glove::{self, Record};
use inlay_kernels::{Kernels, Layout, Pair, Simd, Task, descend, prefetch_to_write, weights};

use super::Options;
use super::parameters::Parameters;
use super::shuffle::Shuffled;
use crate::progress::{Part, Progress, Standing};
use crate::train::check_finite;

pub use crate::train::Pause;

/// Records of a shard, at most.
const SHARD: usize = 1 << 16;
/// Below this a shard is not worth a claim.
const SHORTEST: usize = 1 << 9;
/// A multiple of 16: records between two looks at the clock and the signal.
const BLOCK: usize = 512;
/// Rows are fetched so many records before they are used: a few hundred nanoseconds.
const AHEAD: usize = 4;

/// Trains from `standing` to the end and returns the mean loss of each epoch: f(x)·d²/2 before
/// each step, summed in f64, over the number of pairs.
pub fn train(
    pairs: &Shuffled,
    options: &Options,
    parameters: &Parameters,
    standing: Standing,
    mut pause: Option<Pause<'_>>,
    run: &Run,
) -> Result<Vec<f64>> {
    let count = pairs.records().len();
    let size = (count / 64).clamp(SHORTEST, SHARD);
    let shards: Vec<Range<usize>> =
        (0..count).step_by(size).map(|start| start..count.min(start + size)).collect();
    let total = shards.len() * options.epochs;
    for part in &standing.unfinished {
        let shard = &shards[part.number % shards.len()];
        if part.number >= total || !(shard.start..=shard.end).contains(&part.position) {
            let problem = "the state to go on from is of other pairs".into();
            return Err(Error::InvalidInput { source: "checkpoint".into(), offset: None, problem });
        }
    }
    run.phase("train", "pairs", standing.done, Some((count * options.epochs) as u64));
    let progress = Progress::new(standing);
    let work = Work { pairs, options, parameters, shards: &shards, progress: &progress, run };
    while !progress.finished(total) {
        let slice = pause.as_ref().map_or(Duration::from_secs(30), |pause| pause.every);
        let deadline = Instant::now() + slice;
        // More threads than shards would learn an epoch beside the one before it: few pairs are soon
        // learnt, and a thread that waits for its turn would find them known.
        run.workers(|worker| if worker < shards.len() { work.until(deadline) } else { Ok(()) })?;
        if pause.is_none() {
            run.check()?;
        }
        check_finite(&parameters.matrix)?;
        if let Some(pause) = &mut pause {
            (pause.save)(&progress.standing())?;
        }
        run.check()?;
    }
    let mean = |&(loss, pairs): &(f64, u64)| loss / pairs.max(1) as f64;
    Ok(progress.standing().losses.iter().map(mean).collect())
}

struct Work<'a> {
    pairs: &'a Shuffled,
    options: &'a Options,
    parameters: &'a Parameters,
    shards: &'a [Range<usize>],
    progress: &'a Progress,
    run: &'a Run,
}

impl Work<'_> {
    /// Works on shards until the deadline or an abort; what is not finished is laid aside.
    fn until(&self, deadline: Instant) -> Result<()> {
        let begin = |number: usize| {
            let position = self.shards[number % self.shards.len()].start;
            // The order is made before: nothing here is random.
            Part { number, position, random: Random::from_state([0; 4]) }
        };
        let total = self.shards.len() * self.options.epochs;
        let mut desk = Desk { logarithms: [0.0; BLOCK], weights: [0.0; BLOCK] };
        while let Some(mut part) = self.progress.claim(total, begin) {
            if !self.shard(&mut part, deadline, &mut desk)? {
                self.progress.lay_aside(part);
                break;
            }
        }
        Ok(())
    }

    /// Learns from one shard; false where time was up before its end.
    fn shard(&self, part: &mut Part, deadline: Instant, desk: &mut Desk) -> Result<bool> {
        let epoch = part.number / self.shards.len();
        let shard = &self.shards[part.number % self.shards.len()];
        let kernels = Kernels::get();
        let begun = part.position;
        let mut finished = true;
        let mut loss = 0.0;
        while part.position < shard.end && finished {
            let end = shard.end.min(part.position + BLOCK);
            let lost = kernels.run(Block {
                records: &self.pairs.records()[part.position..shard.end],
                count: end - part.position,
                options: self.options,
                parameters: self.parameters,
                desk,
            });
            if !lost.is_finite() {
                let what = "the loss is no longer finite: lower `learningRate`".into();
                return Err(Error::Diverged { what });
            }
            let count = (end - part.position) as u64;
            part.position = end;
            loss += lost;
            self.progress.advance(count);
            self.run.lose(epoch as u32 + 1, lost, count);
            self.run.advance(count);
            finished = !self.run.stopped() && Instant::now() < deadline;
        }
        self.progress.lose(epoch, loss, (part.position - begun) as u64);
        finished |= part.position == shard.end;
        if finished {
            self.pairs.release(shard.clone());
        }
        Ok(finished)
    }
}

/// What a thread keeps from block to block.
struct Desk {
    logarithms: [f32; BLOCK],
    weights: [f32; BLOCK],
}

/// The first `count` of some records, to be learnt one after the other; gives the sum of losses.
struct Block<'a> {
    records: &'a [Record],
    count: usize,
    options: &'a Options,
    parameters: &'a Parameters,
    desk: &'a mut Desk,
}

impl Task for Block<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f64 {
        let Self { records, count, options, parameters, desk } = self;
        let Parameters { matrix, layout, words } = parameters;
        let layout: Layout = *layout;
        let padded = count.next_multiple_of(16);
        let Desk { logarithms, weights: of_pairs } = desk;
        logarithms[count..padded].fill(1.0);
        for (value, &record) in logarithms.iter_mut().zip(&records[..count]) {
            *value = glove::fields(record).2 as f32;
        }
        let (x_max, alpha) = (options.x_max as f32, options.alpha as f32);
        weights(simd, &mut logarithms[..padded], &mut of_pairs[..padded], x_max, alpha);

        let rows = |record: Record| {
            let (word, context, _) = glove::fields(record);
            (matrix.row(word), matrix.row(*words as u32 + context))
        };
        let rate = options.learning_rate as f32;
        let mut loss = 0.0;
        for (at, &record) in records[..count].iter().enumerate() {
            if let Some(&next) = records.get(at + AHEAD) {
                let (word, context) = rows(next);
                prefetch_to_write(simd, word);
                prefetch_to_write(simd, context);
            }
            let (word, context) = rows(record);
            let pair = Pair { word, context, logarithm: logarithms[at], weight: of_pairs[at] };
            loss += f64::from(descend(simd, layout, pair, rate));
        }
        loss
    }
}
