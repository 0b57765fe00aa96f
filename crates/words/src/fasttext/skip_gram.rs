//! Skip-gram over subwords: the mean of a word's rows predicts each word around it, and the whole
//! gradient goes to each of the rows, as in fastText.
//!
//! The rows (about twenty) are gathered and written once for a centre word. Between, its hidden vector h
//! moves as the rows would have moved it: if every row gains g, so does their mean.

use inlay_base::SharedMatrix;
use inlay_kernels::{Output, Simd, Step, add_to_rows, learn, mean_of_rows, prefetch};

use super::rows::WordRows;
use super::table::Table;
use crate::NoiseTable;
use crate::lesson::{Lesson, Now, Place, Taught};
use crate::objective::Objective;

/// Noise words of a centre for each that a prediction would have of its own. Here one hidden vector
/// meets all of them once, where a tile of Word2Vec's meets them with every context: five for all
/// contexts were too few (10 points of analogies), fifteen score as thirty of their own.
const SHARED: usize = 3;

/// The rows of words, and what they are scored by.
pub struct Rows<'a> {
    /// Words first, then n-grams.
    pub input: &'a SharedMatrix,
    /// Which rows make a word.
    pub table: &'a Table,
    /// Rows that words are scored by.
    pub output: &'a SharedMatrix,
    /// Words on each side, at most.
    pub window: usize,
}

/// Each context is a prediction of its own.
pub struct SkipGram<'a, O> {
    /// The rows.
    pub rows: Rows<'a>,
    /// How a prediction is scored.
    pub objective: &'a O,
}

/// All contexts and one set of noise words at once.
pub struct SharedSkipGram<'a> {
    /// The rows.
    pub rows: Rows<'a>,
    /// Where noise words come from.
    pub noise: &'a NoiseTable,
    /// Noise words for each prediction.
    pub negative: usize,
}

/// What a thread keeps from sentence to sentence.
pub struct Desk<'a> {
    centre: WordRows<'a>,
    next: WordRows<'a>,
    outputs: Vec<Output<'a>>,
    noise: Vec<u32>,
    next_noise: Vec<u32>,
    hidden: Vec<f32>,
    gradient: Vec<f32>,
    sum: Vec<f32>,
}

impl<'a> Desk<'a> {
    fn new(padded: usize) -> Self {
        let zeros = || vec![0.0; padded];
        Self {
            centre: WordRows::default(),
            next: WordRows::default(),
            outputs: Vec::new(),
            noise: Vec::new(),
            next_noise: Vec::new(),
            hidden: zeros(),
            gradient: zeros(),
            sum: zeros(),
        }
    }

    /// The rows of the centre become those that were asked for a word ago; the next ones are.
    #[inline(always)]
    fn turn<S: Simd>(&mut self, simd: S, rows: &Rows<'a>, place: Place, now: &Now<'a, '_>) {
        std::mem::swap(&mut self.centre, &mut self.next);
        if let Some(&next) = now.ids.get(place.centre + 1) {
            self.next.find(rows.input, rows.table.rows(next));
            self.next.prefetch(simd);
        }
    }

    #[inline(always)]
    fn hide<S: Simd>(&mut self, simd: S) {
        let rows = self.centre.rows();
        mean_of_rows(simd, rows, 1.0 / rows.len() as f32, &mut self.hidden);
    }
}

impl<O: Objective> Lesson for SkipGram<'_, O> {
    type Desk<'a>
        = Desk<'a>
    where
        Self: 'a;

    fn input(&self) -> &SharedMatrix {
        self.rows.input
    }

    fn output(&self) -> &SharedMatrix {
        self.rows.output
    }

    fn desk<'a>(&'a self, _spare: &'a SharedMatrix) -> Desk<'a> {
        Desk::new(self.rows.input.stride())
    }

    #[inline(always)]
    fn begin<'a, S: Simd>(&'a self, _simd: S, now: &mut Now<'a, '_>, desk: &mut Desk<'a>) {
        if let Some(&first) = now.ids.first() {
            desk.next.find(self.rows.input, self.rows.table.rows(first));
        }
    }

    #[inline(always)]
    fn learn<'a, S: Simd>(
        &'a self,
        simd: S,
        place: Place,
        now: &mut Now<'a, '_>,
        desk: &mut Desk<'a>,
    ) -> Taught {
        desk.turn(simd, &self.rows, place, now);
        if place.is_alone() {
            return Taught::default();
        }
        desk.hide(simd);
        desk.sum.fill(0.0);
        let step = self.objective.step(now.rate);
        let mut taught = Taught::default();
        for at in place.around() {
            self.objective.outputs(now.ids[at], now.output, now.random, &mut desk.outputs);
            let Desk { hidden, outputs, gradient, sum, .. } = &mut *desk;
            let loss = learn(simd, hidden, outputs, step, gradient);
            for ((h, s), g) in hidden.iter_mut().zip(sum).zip(gradient) {
                *h += *g;
                *s += *g;
            }
            taught += Taught { loss: f64::from(loss), predictions: 1 };
        }
        add_to_rows(simd, desk.centre.rows(), 1.0, &desk.sum);
        taught
    }
}

impl SharedSkipGram<'_> {
    fn draw(&self, now: &mut Now<'_, '_>, noise: &mut Vec<u32>) {
        noise.clear();
        noise.extend((0..SHARED * self.negative).map(|_| self.noise.draw(now.random)));
    }
}

impl Lesson for SharedSkipGram<'_> {
    type Desk<'a>
        = Desk<'a>
    where
        Self: 'a;

    fn input(&self) -> &SharedMatrix {
        self.rows.input
    }

    fn output(&self) -> &SharedMatrix {
        self.rows.output
    }

    fn desk<'a>(&'a self, _spare: &'a SharedMatrix) -> Desk<'a> {
        Desk::new(self.rows.input.stride())
    }

    #[inline(always)]
    fn begin<'a, S: Simd>(&'a self, _simd: S, now: &mut Now<'a, '_>, desk: &mut Desk<'a>) {
        if let Some(&first) = now.ids.first() {
            desk.next.find(self.rows.input, self.rows.table.rows(first));
            self.draw(now, &mut desk.next_noise);
        }
    }

    #[inline(always)]
    fn learn<'a, S: Simd>(
        &'a self,
        simd: S,
        place: Place,
        now: &mut Now<'a, '_>,
        desk: &mut Desk<'a>,
    ) -> Taught {
        desk.turn(simd, &self.rows, place, now);
        std::mem::swap(&mut desk.noise, &mut desk.next_noise);
        if place.centre + 1 < now.ids.len() {
            self.draw(now, &mut desk.next_noise);
            desk.next_noise.iter().for_each(|&word| prefetch(simd, now.output.row(word)));
        }
        if let Some(&entering) = now.ids.get(place.centre + 1 + self.rows.window) {
            prefetch(simd, now.output.row(entering));
        }
        if place.is_alone() {
            return Taught::default();
        }
        let Desk { outputs, noise, .. } = &mut *desk;
        outputs.clear();
        let mut add = |word: u32, sign: f32, weight: f32| {
            let row = now.output.row(word);
            // A row twice would lose a step; noise that is a context is none.
            match outputs.iter_mut().find(|output| output.row.as_ptr() == row.as_ptr()) {
                Some(output) if output.sign == sign => output.weight += weight,
                Some(_) => {}
                None => outputs.push(Output { row, sign, weight }),
            }
        };
        let contexts = place.end - place.start - 1;
        place.around().for_each(|at| add(now.ids[at], 1.0, 1.0));
        let weight = contexts as f32 / SHARED as f32;
        noise.iter().for_each(|&word| add(word, -1.0, weight));
        desk.hide(simd);
        let Desk { centre, outputs, hidden, gradient, .. } = &mut *desk;
        let step = Step { rate: now.rate, reach: f32::INFINITY };
        let loss = learn(simd, hidden, outputs, step, gradient);
        add_to_rows(simd, centre.rows(), 1.0, gradient);
        Taught { loss: f64::from(loss), predictions: contexts as u64 }
    }
}
