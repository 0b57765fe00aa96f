//! The loop of every word model: shards of the corpus, sentence by sentence, on all threads.

use std::ops::Range;
use std::time::{Duration, Instant};

use inlay_base::{Error, Random, Result, Run, SharedMatrix};
use inlay_corpus::SENTENCE_END;
use inlay_kernels::Kernels;

use crate::lesson::{Lesson, Now, Reach, Sentence, Taught};
use crate::progress::{Part, Progress, Standing};
use crate::shards::{ends, firsts, shards};
use crate::view::{Turns, View};
use crate::{Drawn, Schedule, Subsample};

/// Words of a sentence that are looked at together; a longer one is cut, as in word2vec.c.
const LONGEST_SENTENCE: usize = 1000;
/// Words between two looks at the clock, the signal and the learning rate.
const TOGETHER: u64 = 1000;

/// What is trained on, and how often.
pub struct Course<'a> {
    /// Word ids in text order, `SENTENCE_END` after each sentence.
    pub ids: &'a [u32],
    /// Ids are below this.
    pub vocabulary: usize,
    /// Words among the ids.
    pub tokens: u64,
    /// Told which ids are not needed for now.
    pub release: &'a (dyn Fn(Range<usize>) + Sync),
    /// How often the corpus is read.
    pub epochs: usize,
    /// The learning rate over all of it.
    pub schedule: Schedule,
    /// Which words are left out at random.
    pub subsample: &'a Subsample,
    /// How far the window of a word reaches.
    pub reach: Reach,
    /// Whether sentences are documents: however long, they are not cut, and they have numbers.
    pub documents: bool,
}

/// What is to happen between slices of work, while no thread works.
pub struct Pause<'a> {
    /// The time from one to the next.
    pub every: Duration,
    /// Called with how far the training has come; also after an abort and at the end.
    pub save: &'a mut dyn FnMut(&Standing) -> Result<()>,
}

/// Trains from `standing` to the end and returns the mean loss of each epoch. With `pause`, an
/// abort finishes the thousand words under way, so that what is saved can be continued exactly.
pub fn train<L: Lesson>(
    course: &Course<'_>,
    lesson: &L,
    standing: Standing,
    mut pause: Option<Pause<'_>>,
    run: &Run,
) -> Result<Vec<f64>> {
    let shards = shards(course.ids, course.documents);
    let firsts = if course.documents { firsts(course.ids, &shards) } else { Vec::new() };
    let total = shards.len() * course.epochs;
    let words = course.tokens * course.epochs as u64;
    for part in &standing.unfinished {
        let shard = shards.get(part.number % shards.len().max(1));
        let inside = shard.is_some_and(|shard| (shard.start..=shard.end).contains(&part.position));
        if part.number >= total || !inside {
            let problem = "the state to go on from is of another corpus".into();
            return Err(Error::InvalidInput { source: "checkpoint".into(), offset: None, problem });
        }
    }
    run.phase("train", "words", standing.done, Some(words));
    let progress = Progress::new(standing);
    let exact = pause.is_some();
    let turns = Turns::usual();
    let work = Work {
        course,
        lesson,
        shards: &shards,
        firsts: &firsts,
        progress: &progress,
        words,
        exact,
        turns,
        run,
    };
    while !progress.finished(total) {
        let slice = pause.as_ref().map_or(Duration::from_secs(30), |pause| pause.every);
        let deadline = Instant::now() + slice;
        run.workers(|_| work.until(deadline))?;
        for learnt in std::iter::once(lesson.input()).chain(lesson.company()) {
            check_finite(learnt)?;
        }
        if let Some(pause) = &mut pause {
            (pause.save)(&progress.standing())?;
        }
        run.check()?;
    }
    let mean = |&(loss, predictions): &(f64, u64)| loss / predictions.max(1) as f64;
    Ok(progress.standing().losses.iter().map(mean).collect())
}

/// What a thread needs for a sentence.
#[derive(Default)]
struct Room {
    sentence: Vec<u32>,
    drawn: Drawn,
}

struct Work<'a, L> {
    course: &'a Course<'a>,
    lesson: &'a L,
    shards: &'a [Range<usize>],
    /// The number of each shard's first document; empty if sentences are none.
    firsts: &'a [usize],
    progress: &'a Progress,
    /// In all epochs.
    words: u64,
    exact: bool,
    /// Whose turn it is to join what was learnt on hot rows.
    turns: Turns,
    run: &'a Run,
}

impl<L: Lesson> Work<'_, L> {
    /// Works on shards until the deadline or an abort; what is not finished is laid aside.
    fn until(&self, deadline: Instant) -> Result<()> {
        let begin = |number: usize| {
            let position = self.shards[number % self.shards.len()].start;
            // Stream 0 made the first vectors.
            Part { number, position, random: Random::new(self.run.seed(), 1 + number as u64) }
        };
        let spare = SharedMatrix::zeros(self.lesson.spares(), self.lesson.input().columns())?;
        let output = View::new(self.lesson.output(), &self.turns, self.run.threads())?;
        let mut desk = self.lesson.desk(&spare);
        let mut room = Room::default();
        let total = self.shards.len() * self.course.epochs;
        while let Some(mut part) = self.progress.claim(total, begin) {
            if !self.shard(&mut part, deadline, &output, &mut desk, &mut room)? {
                self.progress.lay_aside(part);
                break;
            }
        }
        output.join();
        Ok(())
    }

    /// Learns from one shard; false where time was up before its end.
    fn shard<'d>(
        &'d self,
        part: &mut Part,
        deadline: Instant,
        output: &'d View<'d>,
        desk: &mut L::Desk<'d>,
        Room { sentence, drawn }: &mut Room,
    ) -> Result<bool> {
        let epoch = part.number / self.shards.len();
        let shard = &self.shards[part.number % self.shards.len()];
        let kernels = Kernels::get();
        let first = self.firsts.get(part.number % self.shards.len());
        let mut number =
            first.map_or(0, |first| first + ends(&self.course.ids[shard.start..part.position]));
        let mut finished = true;
        let mut taught = Taught::default();
        while part.position < shard.end && finished {
            // A pause only here: then a training that was continued tells its words by the same
            // thousands, and its rates are the same.
            let rate = self.rate();
            let mut words = 0;
            let mut lately = Taught::default();
            while part.position < shard.end && words < TOGETHER {
                words += self.read(part, shard.end, sentence)?;
                lately += kernels.run(Sentence {
                    lesson: self.lesson,
                    reach: self.course.reach,
                    now: Now {
                        ids: sentence,
                        sentence: number,
                        output,
                        rate,
                        random: &mut part.random,
                        drawn,
                    },
                    desk,
                    run: (!self.exact).then_some(self.run),
                });
                number += usize::from(first.is_some());
            }
            self.progress.advance(words);
            self.run.lose(epoch as u32 + 1, lately.loss, lately.predictions);
            self.run.advance(words);
            taught += lately;
            finished = !self.run.stopped() && Instant::now() < deadline;
        }
        self.progress.lose(epoch, taught.loss, taught.predictions);
        finished |= part.position == shard.end;
        if finished {
            (self.course.release)(shard.clone());
        }
        Ok(finished)
    }

    fn rate(&self) -> f32 {
        self.course.schedule.rate(self.progress.done() as f64 / self.words.max(1) as f64)
    }

    /// Reads a sentence, without what subsampling leaves out; returns how many words were read.
    fn read(&self, part: &mut Part, end: usize, sentence: &mut Vec<u32>) -> Result<u64> {
        let vocabulary = self.course.vocabulary;
        let longest = if self.course.documents { usize::MAX } else { LONGEST_SENTENCE };
        let mut words = 0;
        sentence.clear();
        for &id in &self.course.ids[part.position..end] {
            part.position += 1;
            if id == SENTENCE_END {
                break;
            }
            if id as usize >= vocabulary {
                let problem = format!("word {id} of a vocabulary of {vocabulary}");
                return Err(Error::InvalidInput { source: "corpus".into(), offset: None, problem });
            }
            words += 1;
            if self.course.subsample.keeps(id, &mut part.random) {
                sentence.push(id);
                if sentence.len() == longest {
                    break;
                }
            }
        }
        Ok(words)
    }
}

/// Fails if a value is not finite. A step too large shows up here, not in the loss, whose score is
/// held within what f32 can take.
pub(crate) fn check_finite(matrix: &SharedMatrix) -> Result<()> {
    let mut values = vec![0.0; matrix.columns()];
    for row in 0..matrix.rows() as u32 {
        matrix.read(row, &mut values);
        if !values.iter().all(|value| value.is_finite()) {
            let what = "the vectors are no longer finite: lower `learningRate`".into();
            return Err(Error::Diverged { what });
        }
    }
    Ok(())
}
