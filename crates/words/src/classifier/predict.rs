//! What a model says of a text, in fastText's numbers: it adds 1e-5 to each probability before it
//! takes the logarithm, and looks the sigmoid up in a table of 512 places; so do we, or labels near
//! a threshold would differ.

use std::sync::OnceLock;

use inlay_base::{Error, Result, Workers, lock};
use inlay_kernels::{Kernels, Simd, Task, axpy, dot};

use super::features::Found;
use super::model::{Input, Model};
use super::tree::Child;
use crate::subwords::{END_OF_LINE, hash};
use inlay_formats::fasttext::{Loss, Matrix};

/// Texts that a thread takes at a time.
const BLOCK: usize = 64;
/// The table of the sigmoid reaches so far to both sides.
const REACH: f32 = 8.0;
const PLACES: usize = 512;

/// A label by its number, and its probability.
pub type Said = (u32, f32);

impl Model {
    /// The likeliest labels of a text, at most `top`, none below `threshold`. Nothing for a text
    /// without known words or n-grams. Labels in the text are left out; a line break counts as a
    /// space.
    ///
    /// # Errors
    /// `InvalidInput`: the model holds numbers that are not finite.
    pub fn predict(&self, text: &[u8], top: usize, threshold: f32) -> Result<Vec<Said>> {
        let mut found = Found::default();
        self.features_of(text, &mut found);
        self.predict_found(&found, top, threshold)
    }

    /// As `predict`, for many texts.
    pub fn predict_all(
        &self,
        texts: &[Vec<u8>],
        top: usize,
        threshold: f32,
        workers: &dyn Workers,
    ) -> Result<Vec<Vec<Said>>> {
        use std::sync::Mutex;
        let mut said = vec![Vec::new(); texts.len()];
        let blocks: Vec<_> = said.chunks_mut(BLOCK).map(Mutex::new).collect();
        workers.each(blocks.len(), &|block| {
            let mut said = lock(&blocks[block]);
            for (said, text) in said.iter_mut().zip(&texts[block * BLOCK..]) {
                *said = self.predict(text, top, threshold)?;
            }
            Ok(())
        })?;
        drop(blocks);
        Ok(said)
    }

    /// The mean of the rows of a text's words and n-grams; zeros where it has none.
    pub fn sentence_vector(&self, text: &[u8]) -> Vec<f32> {
        let mut found = Found::default();
        self.features_of(text, &mut found);
        self.hidden(&found)
    }

    fn features_of(&self, text: &[u8], found: &mut Found) {
        let words = self.features.words;
        let mut hashes = Vec::with_capacity(text.len() / 4 + 2);
        let separator = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 11 | 12 | 0);
        let parts = text.split(separator).filter(|word| !word.is_empty());
        for word in parts.chain([END_OF_LINE]) {
            match self.dictionary.names.find(word) {
                Some(id) if id >= words => continue,
                None if word.starts_with(&self.label_prefix) => continue,
                id => self.features.word(id, word, found),
            }
            hashes.push(hash(word));
            if word == END_OF_LINE {
                break;
            }
        }
        self.features.line(&hashes, found);
    }

    fn hidden(&self, found: &Found) -> Vec<f32> {
        let mut hidden = vec![0.0; self.args.dimensions];
        match &self.input {
            Input::Touched(rows) => {
                let rows = found.rows.iter().map(|&row| rows.row(row as usize));
                Kernels::get().run(Sum { rows, sum: &mut hidden });
            }
            Input::Rows(Matrix::Dense(rows)) => {
                for &row in &found.rows {
                    let values = rows.row(row as usize);
                    hidden.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                }
            }
            Input::Rows(Matrix::Quantized(rows)) => {
                found.rows.iter().for_each(|&row| rows.add_row(row as usize, &mut hidden));
            }
        }
        let share = 1.0 / found.count().max(1) as f32;
        hidden.iter_mut().for_each(|value| *value *= share);
        hidden
    }

    pub(super) fn predict_found(
        &self,
        found: &Found,
        top: usize,
        threshold: f32,
    ) -> Result<Vec<Said>> {
        let mut best = Best { top, found: Vec::with_capacity(top.min(64) + 1) };
        if found.count() == 0 || top == 0 {
            return Ok(Vec::new());
        }
        let hidden = self.hidden(found);
        let output = &self.output.dense;
        let damaged = || Error::InvalidInput {
            source: "the model".into(),
            offset: None,
            problem: "holds numbers that are not finite".into(),
        };
        if let Some(tree) = &self.tree {
            // 1e-5 is added to a threshold too: what is less likely than that is never said.
            let least = logarithm(threshold);
            // Nodes still to be entered, with the score of the way there.
            let mut open = vec![(tree.root(), 0.0f32)];
            while let Some((child, score)) = open.pop() {
                if score < least || best.is_beyond(score) {
                    continue;
                }
                match child {
                    Child::Label(label) => best.offer(label, score),
                    Child::Node(node) => {
                        let row = output.row(node as usize);
                        let product = Kernels::get().run(Product { row, hidden: &hidden });
                        if !product.is_finite() {
                            return Err(damaged());
                        }
                        let right = 1.0 / (1.0 + (-product).exp());
                        let [on_left, on_right] = tree.children(node);
                        // The last one is entered first: fastText goes left first.
                        open.push((on_right, score + logarithm(right)));
                        open.push((on_left, score + logarithm(1.0 - right)));
                    }
                }
            }
            return Ok(best.finish());
        }
        let rows = (0..self.dictionary.labels()).map(|label| output.row(label));
        let mut scores = Kernels::get().run(Products { rows, hidden: &hidden });
        if !scores.iter().all(|score| score.is_finite()) {
            return Err(damaged());
        }
        match self.args.loss {
            Loss::Softmax => softmax(&mut scores),
            _ => scores.iter_mut().for_each(|score| *score = sigmoid(*score)),
        }
        for (label, &probability) in (0..).zip(&scores) {
            if probability >= threshold {
                let score = logarithm(probability);
                if !best.is_beyond(score) {
                    best.offer(label, score);
                }
            }
        }
        Ok(best.finish())
    }
}

/// The best labels so far, the worst of them last; of equal ones the first found.
struct Best {
    top: usize,
    found: Vec<(u32, f32)>,
}

impl Best {
    /// Whether nothing of this score can be among the best.
    fn is_beyond(&self, score: f32) -> bool {
        self.found.len() == self.top && self.found.last().is_some_and(|worst| score <= worst.1)
    }

    fn offer(&mut self, label: u32, score: f32) {
        let place = self.found.partition_point(|other| other.1 >= score);
        self.found.insert(place, (label, score));
        self.found.truncate(self.top);
    }

    fn finish(self) -> Vec<Said> {
        let probability = |score: f32| score.exp().min(1.0);
        self.found.into_iter().map(|(label, score)| (label, probability(score))).collect()
    }
}

/// ln (x + 1e-5)
fn logarithm(x: f32) -> f32 {
    (f64::from(x) + 1e-5).ln() as f32
}

fn softmax(scores: &mut [f32]) {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - highest).exp();
        sum += *score;
    }
    scores.iter_mut().for_each(|score| *score /= sum);
}

fn sigmoid(x: f32) -> f32 {
    static TABLE: OnceLock<Vec<f32>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let value = |place: usize| {
            let x = (place * 2 * REACH as usize) as f32 / PLACES as f32 - REACH;
            (1.0 / (1.0 + f64::from((-x).exp()))) as f32
        };
        (0..=PLACES).map(value).collect()
    });
    match x {
        x if x < -REACH => 0.0,
        x if x > REACH => 1.0,
        x => table[((x + REACH) * PLACES as f32 / REACH / 2.0) as usize],
    }
}

struct Sum<'a, 's, I: Iterator<Item = &'a [f32]>> {
    rows: I,
    sum: &'s mut [f32],
}

impl<'a, I: Iterator<Item = &'a [f32]>> Task for Sum<'a, '_, I> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for row in self.rows {
            axpy(simd, 1.0, row, self.sum);
        }
    }
}

struct Product<'a> {
    row: &'a [f32],
    hidden: &'a [f32],
}

impl Task for Product<'_> {
    type Output = f32;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        dot(simd, self.row, self.hidden)
    }
}

struct Products<'a, 'h, I: Iterator<Item = &'a [f32]>> {
    rows: I,
    hidden: &'h [f32],
}

impl<'a, I: Iterator<Item = &'a [f32]>> Task for Products<'a, '_, I> {
    type Output = Vec<f32>;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<f32> {
        let mut products = Vec::with_capacity(self.rows.size_hint().0);
        for row in self.rows {
            products.push(dot(simd, row, self.hidden));
        }
        products
    }
}
