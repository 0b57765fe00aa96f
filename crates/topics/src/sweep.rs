//! One pass over all occurrences: each gets a topic drawn anew (Griffiths, Steyvers 2004, equation 5).

use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

use inlay_base::{Random, Result, Run, Workers, lock};
use inlay_kernels::{Aligned, Kernels, Simd, Task};

use crate::grid::{Grid, Words};
use crate::priors::Priors;
use crate::rounds::{Rounds, Turn};
use crate::sampler::{Sampler, Terms, Word, padded};

/// Draws between two looks at the signal.
const STEP: usize = 512;
/// One in so many draws adds to the loss.
const HEARD: usize = 15;
/// An occurrence is asked for so long before its turn.
const AHEAD: usize = 2;

/// Draws after which the totals of the topics are looked at again: as many as pay for it. More often
/// was not better by anything that was measured.
pub fn refresh_after(topics: usize) -> usize {
    (topics / 4).max(64)
}

/// The state of a training.
pub struct State<D> {
    /// The text and the topics of its occurrences.
    pub grid: Grid,
    /// Counts of each block of documents.
    documents: Vec<Mutex<D>>,
    /// n_t.
    pub totals: Vec<i64>,
    /// Words of the vocabulary: V.
    pub vocabulary: usize,
}

/// What a cell changes beside its own.
struct Outcome {
    changes: Vec<i32>,
    loss: f64,
    heard: u64,
}

impl<D: Sampler> State<D> {
    /// Counts a grid whose occurrences have topics.
    pub fn new(grid: Grid, before: &[i64], vocabulary: usize, run: &Run) -> Result<Self> {
        let topics = before.len();
        let size = grid.size();
        let documents =
            (0..size).map(|block| D::new(grid.lengths_of(block), topics).map(Mutex::new));
        let documents = documents.collect::<Result<Vec<_>>>()?;
        let sums: Vec<_> = (0..size).map(|_| Mutex::new(vec![0; topics])).collect();
        run.each(size, &|row| {
            let (mut documents, mut sums) = (lock(&documents[row]), lock(&sums[row]));
            // Each begins at other words, so that nobody waits for long.
            for words in (0..size).map(|round| grid.words((row + round) % size)) {
                for place in 0..words.len() {
                    for at in words.cell(place, row) {
                        let topic = words.topics[at];
                        documents.add(words.documents[at] as usize, topic.into());
                        sums[usize::from(topic)] += 1;
                    }
                }
                run.check()?;
            }
            Ok(())
        })?;
        let mut totals = before.to_vec();
        for sums in &sums {
            totals.iter_mut().zip(&*lock(sums)).for_each(|(total, sum)| *total += sum);
        }
        Ok(Self { grid, documents, totals, vocabulary })
    }

    /// The counts of a block of documents, for whoever works on them alone.
    pub fn documents(&self, block: usize) -> MutexGuard<'_, D> {
        lock(&self.documents[block])
    }

    /// Draws all topics anew, and gives the mean loss: -ln of the probability that a word had beside
    /// all others, over one in `HEARD` of the words. Within a cell the totals of the topics are looked
    /// at again after `refresh` draws.
    pub fn sweep(
        &mut self,
        number: usize,
        priors: &Priors,
        refresh: usize,
        run: &Run,
    ) -> Result<f64> {
        let size = self.grid.size();
        let alpha = priors.padded_alpha();
        let rounds = Rounds::new(size, &self.totals);
        let losses: Vec<_> = (0..size * size).map(|_| Mutex::new((0.0, 0))).collect();
        let state = &*self;
        run.workers(|worker| {
            // No more cells than that can be drawn at once.
            while worker < size
                && let Some(turn) = rounds.take(run)?
            {
                let stream = (number * size + turn.round) * size + turn.row;
                let random = Random::new(run.seed(), stream as u64);
                let outcome = state.cell(&turn, (&alpha, priors), refresh, random, run)?;
                run.lose(number as u32 + 1, outcome.loss, outcome.heard);
                *lock(&losses[turn.round * size + turn.row]) = (outcome.loss, outcome.heard);
                rounds.end(&turn, &outcome.changes);
            }
            Ok(())
        })?;
        self.totals.copy_from_slice(&rounds.totals());
        let losses = losses.into_iter().map(|cell| *lock(&cell));
        let (loss, heard) = losses.fold((0.0, 0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
        Ok(loss / heard.max(1) as f64)
    }

    fn cell(
        &self,
        turn: &Turn,
        (alpha, priors): (&[f32], &Priors),
        refresh: usize,
        random: Random,
        run: &Run,
    ) -> Result<Outcome> {
        let mut words = self.grid.words(turn.column);
        let mut documents = self.documents(turn.row);
        if turn.round == 0 {
            documents.settle();
        }
        let topics = self.totals.len();
        let beta = priors.beta as f32;
        let room = documents.room(topics);
        let smoothing = beta * self.vocabulary as f32;
        let base: Vec<f32> = turn.totals.iter().map(|&total| total as f32 + smoothing).collect();
        let mut cell = Cell {
            words: &mut words,
            documents: &mut *documents,
            lengths: self.grid.lengths_of(turn.row),
            column: turn.row,
            terms: Terms { alpha, beta, inverse: Aligned::new(0.0, padded(topics)) },
            alphas: priors.alpha.iter().sum::<f64>() as f32,
            base,
            sums: Aligned::new(0.0, room),
            outcome: Outcome { changes: vec![0; topics], loss: 0.0, heard: 0 },
            refresh,
            random,
            run,
        };
        Kernels::get().run(Draws(&mut cell));
        let outcome = cell.outcome;
        run.check()?;
        Ok(outcome)
    }
}

/// A block of words in a block of documents.
struct Cell<'a, D> {
    words: &'a mut Words,
    documents: &'a mut D,
    /// Words in each document.
    lengths: &'a [u32],
    /// Which block of documents it is.
    column: usize,
    terms: Terms<'a>,
    /// Σ α_t.
    alphas: f32,
    /// n_t + Vβ at the start.
    base: Vec<f32>,
    sums: Aligned<f32>,
    outcome: Outcome,
    /// Draws after which the totals of the topics are looked at again.
    refresh: usize,
    random: Random,
    run: &'a Run,
}

/// A word that is being drawn, and where it still occurs.
struct OpenWord {
    word: Word,
    row: Option<usize>,
    left: Range<usize>,
}

struct Draws<'c, 'a, D>(&'c mut Cell<'a, D>);

impl<D: Sampler> Task for Draws<'_, '_, D> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let cell = self.0;
        let topics = cell.base.len();
        let mut next = 0;
        let (mut drawn, mut fresh) = (0usize, 0usize);
        cell.invert();
        let mut open = OpenWord { word: D::word(topics), row: None, left: 0..0 };
        while cell.begin(simd, &mut next, &mut open) {
            while !open.left.is_empty() {
                cell.draw(simd, &mut open, drawn);
                drawn += 1;
                if drawn.is_multiple_of(STEP) {
                    cell.run.advance(STEP as u64);
                    if cell.run.stopped() {
                        return;
                    }
                }
            }
            if drawn - fresh >= cell.refresh {
                cell.invert();
                fresh = drawn;
            }
        }
        cell.run.advance((drawn % STEP) as u64);
    }
}

impl<D: Sampler> Cell<'_, D> {
    /// Works 1 / (n_t + Vβ) out anew.
    #[inline(always)]
    fn invert(&mut self) {
        let totals = self.base.iter().zip(&self.outcome.changes);
        for (inverse, (base, &change)) in self.terms.inverse.iter_mut().zip(totals) {
            *inverse = 1.0 / (base + change as f32);
        }
    }

    /// Begins the next word that occurs here; false if there is none.
    #[inline(always)]
    fn begin<S: Simd>(&mut self, simd: S, next: &mut usize, open: &mut OpenWord) -> bool {
        while *next < self.words.len() {
            let place = *next;
            *next += 1;
            let occurrences = self.words.cell(place, self.column);
            if !occurrences.is_empty() {
                self.words.counts_of(place, &mut open.word.counts);
                D::begin(simd, &mut open.word, &self.terms);
                (open.row, open.left) = (self.words.row(place), occurrences);
                return true;
            }
        }
        false
    }

    /// Draws for the next occurrence of a word.
    #[inline(always)]
    fn draw<S: Simd>(&mut self, simd: S, open: &mut OpenWord, drawn: usize) {
        let at = open.left.start;
        open.left.start += 1;
        if let Some(&ahead) = self.words.documents.get(at + AHEAD) {
            // It may be of another block of documents, which does no harm.
            if (ahead as usize) < self.lengths.len() {
                self.documents.prefetch(simd, ahead as usize);
            }
        }
        let document = self.words.documents[at] as usize;
        let old = usize::from(self.words.topics[at]);
        let Self { documents, terms, sums, random, .. } = self;
        let (new, total) =
            documents.redraw(simd, (document, old), &mut open.word, terms, sums, random);
        // Also where nothing changes: whether it does could not be foretold.
        self.words.set(at, new, open.row);
        self.outcome.changes[old] -= 1;
        self.outcome.changes[new] += 1;
        if drawn.is_multiple_of(HEARD) {
            let others = (self.lengths[document] - 1) as f32 + self.alphas;
            self.outcome.loss -= f64::from((total / others).ln());
            self.outcome.heard += 1;
        }
    }
}
