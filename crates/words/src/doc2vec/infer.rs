//! Vectors of documents that the model has not seen: a tag of their own learns, all else stays.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use inlay_base::{Error, Random, Result, Run, SharedMatrix};
use inlay_corpus::{Corpus, SENTENCE_END};
use inlay_kernels::Kernels;

use super::around::{Alone, Around, EndToEnd, Sums};
use super::lockstep::{ABREAST, Desk, Lane, Pass};
use super::model::{Model, Still, Words};
use super::tags::Tags;
use super::{Combine, REACH};
use crate::objective::{HierarchicalSoftmax, NegativeSampling, Objective};
use crate::shards::{firsts, shards};
use crate::view::{Turns, View};
use crate::{Curve, NoiseTable, Schedule, Subsample};

/// Shards that a thread takes at once, at most.
const TOGETHER: usize = 8;

/// How vectors are inferred.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inference {
    /// Passes over each document.
    pub epochs: usize,
    /// In the first pass.
    pub learning_rate: f64,
    /// In the last pass.
    pub final_learning_rate: f64,
}

impl Model {
    /// A vector for each document of a corpus that was read with this model's vocabulary, closed:
    /// [documents, dimensions]. It depends on the document's words, the settings and the seed of the
    /// run alone: neither on other documents nor on threads. A document without a known word has
    /// zeros.
    ///
    /// # Errors
    /// `Unsupported` for `Concatenation` of several tags; `OutOfMemory`; `Aborted`.
    pub fn infer(&self, corpus: &Corpus, how: Inference, run: &Run) -> Result<Vec<f32>> {
        assert_eq!(corpus.names().len(), self.names.len(), "the model's own vocabulary");
        let documents = Tags::numbered(corpus.sentences())?.documents();
        let found = SharedMatrix::zeros(documents, self.options.dimensions)?;
        let still = self.still()?;
        let asked = Asked { model: self, still, corpus, how, found, run };
        match &self.tree {
            Some(tree) => asked.with(&HierarchicalSoftmax { tree })?,
            None => {
                let noise = NoiseTable::new(&self.counts, self.options.negative_exponent);
                let negative = self.options.negative;
                asked.with(&NegativeSampling {
                    noise: &noise,
                    negative,
                    weight: 1.0,
                    reach: REACH,
                })?;
            }
        }
        let mut values = vec![0.0; asked.found.rows() * asked.found.columns()];
        for (row, values) in (0..).zip(values.chunks_mut(asked.found.columns())) {
            asked.found.read(row, values);
        }
        Ok(values)
    }
}

/// All that the combinations of architecture and objective have in common.
struct Asked<'a> {
    model: &'a Model,
    still: &'a Still,
    corpus: &'a Corpus,
    how: Inference,
    /// Each new document has a tag of its own.
    found: SharedMatrix,
    run: &'a Run,
}

impl Asked<'_> {
    fn with(&self, objective: &impl Objective) -> Result<()> {
        let options = self.model.options();
        let window = options.window;
        let Still { input, beyond, output } = self.still;
        let mean = options.combine == Combine::Mean;
        match input {
            Words::Apart => self.and(&Alone, objective),
            Words::Rows(input) => {
                if output.columns() != (1 + 2 * window) * options.dimensions {
                    let what = "inference where each document has several tags and \
                                `combine: 'concatenation'`: a new document would have one";
                    return Err(Error::Unsupported { what: what.into() });
                }
                self.and(&EndToEnd { input, beyond, window }, objective)
            }
            Words::Narrow(input) => self.and(&Sums { input, window, mean }, objective),
            Words::Wide(input) => self.and(&Sums { input, window, mean }, objective),
        }
    }

    fn and(&self, around: &impl Around, objective: &impl Objective) -> Result<()> {
        let Self { model, corpus, run, still, .. } = *self;
        let shards = shards(corpus.ids(), true);
        let firsts = firsts(corpus.ids(), &shards);
        let subsample = &Subsample::new(model.counts(), model.options().subsample);
        // The more documents there are to choose from, the more of them are of a kind.
        let together = (shards.len() / (4 * run.threads())).clamp(1, TOGETHER);
        let next = AtomicUsize::new(0);
        run.phase("infer", "documents", 0, Some(corpus.sentences()));
        run.workers(|_| {
            // No output moves, so there is nothing to join and nobody to wait for.
            let turns = Turns::usual();
            let output = &View::new(&still.output, &turns, 1)?;
            let mut desk = Desk::new(around, still.output.stride());
            let mut drawn = Vec::new();
            while let Some((shards, &first)) = {
                let at = next.fetch_add(1, Relaxed) * together;
                shards.get(at..).and_then(|left| left.chunks(together).next()).zip(firsts.get(at))
            } {
                let ends = shards.first().zip(shards.last());
                let shard = ends.map_or(0..0, |(first, last)| first.start..last.end);
                let ids = &corpus.ids()[shard.clone()];
                let ids = ids.strip_suffix(&[SENTENCE_END]).unwrap_or(ids);
                let documents = ids.split(|&id| id == SENTENCE_END);
                let mut lanes: Vec<_> =
                    (first..).zip(documents).map(|(number, ids)| self.lane(number, ids)).collect();
                // Those of a group should end together.
                lanes.sort_by_key(|lane| lane.ids.len());
                for lanes in lanes.chunk_by_mut(|a, b| a.kin() == b.kin()) {
                    let longest = lanes.last().map_or(0, |lane| lane.ids.len());
                    for (epoch, rate) in self.rates() {
                        drawn.clear();
                        let stream = epoch << 8 | u64::from(lanes[0].kin());
                        let random = &mut Random::new(run.seed(), stream);
                        objective.draw_words(longest * objective.shares(), random, &mut drawn);
                        for lanes in lanes.chunks_mut(ABREAST) {
                            run.check()?;
                            Kernels::get().run(Pass {
                                around,
                                objective,
                                tags: &self.found,
                                output,
                                reach: model.options().reach(),
                                rate,
                                subsample,
                                drawn: &drawn,
                                lanes,
                                desk: &mut desk,
                                run,
                            });
                        }
                    }
                    run.check()?;
                    run.advance(lanes.len() as u64);
                }
                corpus.release(shard);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// The learning rate of each pass.
    fn rates(&self) -> impl Iterator<Item = (u64, f32)> {
        let Inference { epochs, learning_rate: first, final_learning_rate: last } = self.how;
        let schedule = Schedule { curve: Curve::Linear, first, last };
        let steps = (epochs.max(2) - 1) as f64;
        (0..epochs as u64).map(move |epoch| (epoch, schedule.rate(epoch as f64 / steps)))
    }

    /// A document before its first pass. The same words have the same random numbers, whoever is
    /// asked about beside them.
    fn lane<'c>(&self, number: usize, ids: &'c [u32]) -> Lane<'c> {
        let Self { found, run, .. } = self;
        let mut random = Random::new(run.seed(), fingerprint(ids));
        if !ids.is_empty() {
            let mut row = vec![0.0; found.columns()];
            row.fill_with(|| (random.unit() - 0.5) / found.columns() as f32);
            found.write(number as u32, &row);
        }
        Lane { number, ids, random }
    }
}

/// FNV-1a over the words of a document.
fn fingerprint(ids: &[u32]) -> u64 {
    let add = |hash: u64, &id: &u32| (hash ^ u64::from(id)).wrapping_mul(0x0100_0000_01b3);
    ids.iter().fold(0xcbf2_9ce4_8422_2325, add)
}
