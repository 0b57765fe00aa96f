//! Documents as sentences, and the rows of their sentences as one row each.

use std::sync::{Arc, Mutex, PoisonError};

use inlay_base::{Result, Workers, lock};
use inlay_corpus::{Splitter, Words, sentences};

use super::{DocumentFrequencies, Encoded};

/// Documents that one task splits, or makes rows of.
const TASK: usize = 16;

/// What a sentence weighs in its document.
#[derive(Debug, Clone)]
pub enum SentenceWeights {
    /// As much as any other.
    Equal,
    /// Its words.
    Length,
    /// 1 / its place from 1: what comes first says what it is about.
    Position,
    /// The sum of its words' inverse document frequencies.
    TfIdf(Arc<DocumentFrequencies>),
}

/// Sentences of documents, and what they weigh.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct SplitDocuments {
    /// All sentences.
    pub sentences: Vec<String>,
    /// Where the sentences of each document end.
    pub ends: Vec<u32>,
    /// One for each sentence.
    pub weights: Vec<f32>,
}

/// Splits documents: at Unicode's ends of sentences (UAX #29), or at the ends of lines.
pub fn split(
    documents: &[String],
    lines: bool,
    weights: &SentenceWeights,
    splitter: Splitter,
    workers: &dyn Workers,
) -> Result<SplitDocuments> {
    let tasks: Vec<_> = documents.chunks(TASK).collect();
    let parts: Vec<Mutex<SplitDocuments>> = tasks.iter().map(|_| Mutex::default()).collect();
    workers.each(tasks.len(), &|task| {
        let mut words = Words::new(splitter);
        let mut here = SplitDocuments::default();
        for document in tasks[task] {
            let mut place = 0.0;
            sentences(document, lines, |range| {
                let sentence = &document[range];
                place += 1.0;
                here.weights.push(weight(sentence, place, weights, &mut words));
                here.sentences.push(sentence.to_string());
            });
            here.ends.push(here.sentences.len() as u32);
        }
        *lock(&parts[task]) = here;
        Ok(())
    })?;
    let mut all = SplitDocuments::default();
    for part in parts {
        let part = part.into_inner().unwrap_or_else(PoisonError::into_inner);
        let before = all.sentences.len() as u32;
        all.ends.extend(part.ends.iter().map(|end| before + end));
        all.sentences.extend(part.sentences);
        all.weights.extend(part.weights);
    }
    Ok(all)
}

fn weight(sentence: &str, place: f32, weights: &SentenceWeights, words: &mut Words) -> f32 {
    match weights {
        SentenceWeights::Equal => 1.0,
        SentenceWeights::Position => 1.0 / place,
        SentenceWeights::Length => {
            words.split(sentence.as_bytes());
            words.len() as f32
        }
        SentenceWeights::TfIdf(documents) => {
            words.split(sentence.as_bytes());
            words.iter().map(|word| documents.idf(word)).sum::<f64>() as f32
        }
    }
}

/// For each group of rows their weighted mean, and how many of them are not zeros; of a group without rows, or without weight, zeros.
/// Rows of zeros say nothing and are left out, whatever they weigh. Group i ends before row `ends[i]`.
///
/// # Panics
/// If `ends` does not rise to the number of rows, or the weights are not as many.
pub fn means_of_rows(
    rows: &[f32],
    dimensions: usize,
    weights: &[f32],
    ends: &[u32],
    workers: &dyn Workers,
) -> Result<Encoded> {
    assert_eq!(rows.len(), weights.len() * dimensions, "a weight for each row");
    assert!(ends.is_sorted() && ends.last().copied().unwrap_or(0) as usize == weights.len());
    let mut means = vec![0.0; ends.len() * dimensions];
    let mut known = vec![0; ends.len()];
    let tasks = means.chunks_mut(TASK * dimensions).zip(known.chunks_mut(TASK));
    let tasks: Vec<_> = tasks.map(Mutex::new).collect();
    workers.each(tasks.len(), &|task| {
        let mut task_rows = lock(&tasks[task]);
        let (means, known) = &mut *task_rows;
        for (i, (mean, known)) in means.chunks_mut(dimensions).zip(known.iter_mut()).enumerate() {
            let group = task * TASK + i;
            let start = if group == 0 { 0 } else { ends[group - 1] as usize };
            let (mut sums, mut total) = (vec![0.0f64; dimensions], 0.0);
            for at in start..ends[group] as usize {
                let row = &rows[at * dimensions..(at + 1) * dimensions];
                if row.iter().all(|&value| value == 0.0) {
                    continue;
                }
                let weight = f64::from(weights[at]);
                sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += weight * f64::from(x));
                total += weight;
                *known += 1;
            }
            if total > 0.0 {
                mean.iter_mut().zip(&sums).for_each(|(mean, sum)| *mean = (sum / total) as f32);
            }
        }
        Ok(())
    })?;
    drop(tasks);
    Ok(Encoded { values: means, known })
}
