//! The distribution of the next word, and words drawn from it.

use inlay_base::{Random, Result, Run};

use crate::model::Model;
use crate::query::{Scorer, State};
use crate::text::{BEGIN, END, UNKNOWN};

/// Words between two questions whether the run goes on.
const STEP: usize = 1 << 14;

/// How texts are made.
#[derive(Debug, Clone, Copy)]
pub struct Drawing {
    /// Words of a text at most.
    pub most: usize,
    /// Probabilities are raised to 1 / temperature: below 1 likely words become likelier.
    pub temperature: f64,
}

/// What comes before a word.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Whether the sentence begins with it.
    pub begin: bool,
    /// Its words.
    pub words: &'a [u32],
}

impl Scorer<'_> {
    /// Where a context leads.
    ///
    /// # Panics
    /// If the vocabulary lacks one of its words.
    pub fn after(&self, context: Context<'_>) -> State {
        let mut state = if context.begin { self.begin() } else { State::EMPTY };
        for &word in context.words {
            self.step(&mut state, word);
        }
        state
    }

    /// log10 of the probability of each word after those of a state; of `<s>`, which nothing is
    /// followed by, minus infinity.
    pub fn distribution(&self, state: &State, into: &mut Vec<f32>, run: &Run) -> Result<()> {
        into.clear();
        let all = self.words() as u32;
        for from in (0..all).step_by(STEP) {
            run.check()?;
            let words = from..all.min(from + STEP as u32);
            into.extend(words.map(|word| self.step(&mut state.clone(), word).probability));
        }
        into[BEGIN as usize] = f32::NEG_INFINITY;
        Ok(())
    }
}

impl Model {
    /// Makes tables if so many distributions pay for them.
    fn prepare_for(&self, distributions: usize, run: &Run) -> Result<()> {
        let words = (distributions as u64).saturating_mul(self.names().len() as u64);
        self.prepare(words, run, &|_| run.check())
    }

    /// The likeliest words after a context, likeliest first, with log10 of their probability.
    pub fn likeliest(
        &self,
        context: Context<'_>,
        most: usize,
        run: &Run,
    ) -> Result<Vec<(u32, f32)>> {
        self.prepare_for(1, run)?;
        let (scorer, mut all) = (Scorer::new(self), Vec::new());
        scorer.distribution(&scorer.after(context), &mut all, run)?;
        let mut words: Vec<(u32, f32)> =
            (0..).zip(all).filter(|&(word, _)| word != BEGIN).collect();
        words.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        words.truncate(most);
        Ok(words)
    }

    /// Draws a text that goes on from a context, up to `</s>`, which is not part of it. `<unk>` is never
    /// drawn: it is no word.
    pub fn draw(
        &self,
        context: Context<'_>,
        drawing: Drawing,
        random: &mut Random,
        run: &Run,
    ) -> Result<Vec<u32>> {
        self.prepare_for(drawing.most, run)?;
        let scorer = Scorer::new(self);
        let mut state = scorer.after(context);
        let (mut words, mut all) = (Vec::new(), Vec::new());
        while words.len() < drawing.most {
            scorer.distribution(&state, &mut all, run)?;
            all[UNKNOWN as usize] = f32::NEG_INFINITY;
            let top = all.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let weight = |log: f32| {
                (f64::from(log - top) / drawing.temperature * std::f64::consts::LN_10).exp()
            };
            let total: f64 = all.iter().map(|&log| weight(log)).sum();
            let unit = (random.bits() >> 11) as f64 / (1u64 << 53) as f64;
            let mut left = unit * total;
            let mut drawn = END;
            for (word, &log) in (0..).zip(&all) {
                let weight = weight(log);
                if weight > 0.0 {
                    drawn = word;
                    left -= weight;
                    if left < 0.0 {
                        break;
                    }
                }
            }
            if drawn == END {
                break;
            }
            words.push(drawn);
            scorer.step(&mut state, drawn);
        }
        Ok(words)
    }
}
