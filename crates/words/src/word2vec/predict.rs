//! What a trained model says of a word among others.

use std::cmp::Reverse;
use std::sync::Mutex;

use inlay_base::{Error, Result, Workers, lock};
use inlay_formats::GiveRows;
use inlay_vectors::Rows;

use super::model::{Model, Output};
use super::{Architecture, known};
use crate::Huffman;

/// Rows that one task scores.
const BLOCK: usize = 4096;

impl Model {
    /// The words that are likely in the middle of `context`, most likely first, with their
    /// probabilities: the mean of the context's input vectors against every output. Probabilities
    /// are of the whole vocabulary. With hierarchical softmax they are what the model was trained
    /// to give; with negative sampling, the softmax of its scores, as in gensim.
    ///
    /// # Errors
    /// `NotFound`: the model knows no word of the context.
    pub fn predict(
        &self,
        context: &[Vec<u8>],
        top: usize,
        workers: &dyn Workers,
    ) -> Result<Vec<(u32, f64)>> {
        let context_ids = known(self.vectors().names(), context);
        if context_ids.is_empty() {
            let names: Vec<_> = context.iter().map(|word| String::from_utf8_lossy(word)).collect();
            return Err(Error::NotFound { what: "word of the context", name: names.join(", ") });
        }
        let share = match (self.options().architecture, self.options().cbow_mean) {
            (Architecture::Cbow, false) => 1.0,
            _ => 1.0 / context_ids.len() as f32,
        };
        let mut hidden = vec![0.0; self.options().dimensions];
        for id in context_ids {
            let row = self.row(id);
            hidden.iter_mut().zip(row).for_each(|(sum, value)| *sum += share * value);
        }
        let probabilities = match &self.output {
            Output::Words(vectors) => softmax(&products(vectors.rows(), &hidden, workers)?),
            Output::Nodes(rows, tree) => {
                let scores = products(rows, &hidden, workers)?;
                let words = 0..self.counts().len() as u32;
                words.map(|word| ln_probability(tree, word, &scores).exp()).collect()
            }
        };
        let mut words: Vec<(u32, f64)> = (0..).zip(probabilities).collect();
        let top = top.min(words.len());
        if top == 0 {
            return Ok(Vec::new());
        }
        let order = |&(word, probability): &(u32, f64)| (Reverse(probability.to_bits()), word);
        // Probabilities are not negative, so their bits are in their order.
        words.select_nth_unstable_by_key(top - 1, order);
        words.truncate(top);
        words.sort_unstable_by_key(order);
        Ok(words)
    }

    /// The sum of ln P(centre | its window) over the sentence, windows at their full width: for
    /// skip-gram over every word of every window, for CBOW over centres. Words that the model does
    /// not know are left out (Taddy 2015, arXiv:1504.07295).
    ///
    /// # Errors
    /// `Unsupported` for negative sampling, whose scores are no probabilities.
    pub fn score(&self, sentence: &[Vec<u8>]) -> Result<f64> {
        let Output::Nodes(nodes, tree) = &self.output else {
            let what = "sentence scores need `objective: 'hierarchical-softmax'`: negative sampling \
                        has no probabilities";
            return Err(Error::Unsupported { what: what.into() });
        };
        let words = known(self.vectors().names(), sentence);
        let window = self.options().window;
        let mut total = 0.0;
        for (centre, &word) in words.iter().enumerate() {
            let reach = centre.saturating_sub(window)..words.len().min(centre + window + 1);
            let around: Vec<Vec<f32>> =
                reach.filter(|&at| at != centre).map(|at| self.row(words[at])).collect();
            if around.is_empty() {
                continue;
            }
            let ln_given = |hidden: &[f32]| -> f64 {
                tree.path(word)
                    .map(|branch| {
                        let row = nodes.row(branch.node as usize);
                        ln_branch(product(hidden, &row), branch.right)
                    })
                    .sum()
            };
            total += match self.options().architecture {
                Architecture::SkipGram => around.iter().map(|row| ln_given(row)).sum(),
                Architecture::Cbow => {
                    let share = match self.options().cbow_mean {
                        true => 1.0 / around.len() as f32,
                        false => 1.0,
                    };
                    let sum = |i: usize| around.iter().map(|row| row[i]).sum::<f32>() * share;
                    let hidden: Vec<f32> = (0..self.options().dimensions).map(sum).collect();
                    ln_given(&hidden)
                }
            };
        }
        Ok(total)
    }

    fn row(&self, word: u32) -> Vec<f32> {
        self.vectors().rows().row(word as usize)
    }
}

/// The product of a vector with every row.
fn products(rows: &Rows, hidden: &[f32], workers: &dyn Workers) -> Result<Vec<f64>> {
    let mut scores = vec![0.0; rows.rows()];
    let blocks: Vec<Mutex<&mut [f64]>> = scores.chunks_mut(BLOCK).map(Mutex::new).collect();
    workers.each(blocks.len(), &|block| {
        let mut row = vec![0.0; hidden.len()];
        let mut scores = lock(&blocks[block]);
        for (i, score) in scores.iter_mut().enumerate() {
            rows.give(block * BLOCK + i, &mut row);
            *score = product(hidden, &row);
        }
        Ok(())
    })?;
    drop(blocks);
    Ok(scores)
}

fn product(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - highest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

fn ln_probability(tree: &Huffman, word: u32, scores: &[f64]) -> f64 {
    tree.path(word).map(|branch| ln_branch(scores[branch.node as usize], branch.right)).sum()
}

/// ln σ(score) to the left, ln σ(-score) to the right.
fn ln_branch(score: f64, right: bool) -> f64 {
    let score = if right { -score } else { score };
    // Either form overflows at one end.
    if score > 0.0 { -(-score).exp().ln_1p() } else { score - score.exp().ln_1p() }
}
