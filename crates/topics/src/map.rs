//! A map of the topics: near one another where they have like words (Sievert, Shirley 2014, "LDAvis").
//!
//! The distance of two topics is the Jensen-Shannon divergence of their words; the plane is the best one by
//! classical scaling (Torgerson 1952): the two first eigenvectors of the distances, squared and centred.

use std::collections::HashMap;

use inlay_base::{Error, Random, Result, Run};

use crate::model::Model;

/// Topics that a map can show: distances are kept for each pair.
pub const MOST_TOPICS: usize = 2000;
/// Steps towards the eigenvectors.
const STEPS: usize = 200;
/// Weights of a word's probability against its lift, for which its first words are in the map.
const WEIGHTS: [f64; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
/// Words between two looks at the signal.
const STEP: usize = 1 << 8;

/// Where the topics lie, and the words that may stand first in each.
pub struct TopicMap {
    /// Two for each topic; the widest extent is from -1 to 1.
    pub places: Vec<[f64; 2]>,
    /// Of each topic: words with p(word | topic), most likely first.
    pub words: Vec<Vec<(u32, f64)>>,
}

impl Model {
    /// Draws the map. `count` words of each topic stand first at each weight of relevance.
    ///
    /// # Errors
    /// `Unsupported`: more than `MOST_TOPICS` topics; `Aborted`.
    pub fn map(&self, count: usize, run: &Run) -> Result<TopicMap> {
        if self.topics() > MOST_TOPICS {
            let what = format!("a map of {} topics: {MOST_TOPICS} at most", self.topics());
            return Err(Error::Unsupported { what });
        }
        run.phase("map", "words", 0, Some(self.names().len() as u64));
        let distances = self.distances(run)?;
        let places = scale(distances, self.topics(), run)?;
        Ok(TopicMap { places, words: self.relevant_words(count) })
    }

    /// The divergence of each pair of topics, row by row. With p and q of two topics in a word,
    ///
    /// ```text
    /// JSD = ln 2 + ½ Σ p ln (p / (p + q)) + q ln (q / (p + q))
    /// ```
    ///
    /// over the words that both have: where one has none, its term is part of the ln 2.
    fn distances(&self, run: &Run) -> Result<Vec<f64>> {
        let topics = self.topics();
        let shares: Vec<f64> =
            self.totals().iter().map(|&total| 1.0 / total.max(1) as f64).collect();
        let mut distances = vec![std::f64::consts::LN_2; topics * topics];
        let mut row: Vec<(usize, f64)> = Vec::new();
        for word in 0..self.words().rows() {
            if word.is_multiple_of(STEP) {
                run.check()?;
                run.advance(STEP as u64);
            }
            row.clear();
            row.extend(self.words().row(word).map(|(topic, count)| {
                (usize::from(topic), f64::from(count) * shares[usize::from(topic)])
            }));
            for (i, &(one, p)) in row.iter().enumerate() {
                for &(other, q) in &row[i + 1..] {
                    let both = p + q;
                    let term = 0.5 * (p * (p / both).ln() + q * (q / both).ln());
                    distances[one * topics + other] += term;
                    distances[other * topics + one] += term;
                }
            }
        }
        (0..topics).for_each(|topic| distances[topic * topics + topic] = 0.0);
        Ok(distances)
    }

    /// For each topic the words that are among the first `count` by their relevance at any weight λ:
    /// λ ln p(w|t) + (1 - λ) ln (p(w|t) / p(w)).
    fn relevant_words(&self, count: usize) -> Vec<Vec<(u32, f64)>> {
        let all: f64 = self.totals().iter().map(|&total| total as f64).sum();
        let of_word = |word: usize| -> f64 {
            self.words().row(word).map(|(_, count)| f64::from(count)).sum::<f64>() / all
        };
        // Of each topic: word, p(w|t), p(w).
        let mut lists: Vec<Vec<(u32, f64, f64)>> = vec![Vec::new(); self.topics()];
        for word in 0..self.words().rows() {
            let alone = of_word(word);
            for (topic, count) in self.words().row(word) {
                let topic = usize::from(topic);
                let share = f64::from(count) / self.totals()[topic] as f64;
                lists[topic].push((word as u32, share, alone));
            }
        }
        let chosen = |mut list: Vec<(u32, f64, f64)>| {
            let mut kept: HashMap<u32, f64> = HashMap::new();
            for weight in WEIGHTS {
                let relevance =
                    |&(_, share, alone): &(u32, f64, f64)| share.ln() - (1.0 - weight) * alone.ln();
                list.sort_by(|a, b| {
                    relevance(b).total_cmp(&relevance(a)).then_with(|| a.0.cmp(&b.0))
                });
                kept.extend(list.iter().take(count).map(|&(word, share, _)| (word, share)));
            }
            let mut kept: Vec<_> = kept.into_iter().collect();
            kept.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            kept
        };
        lists.into_iter().map(chosen).collect()
    }
}

/// Places in the plane whose distances are as near as can be to those given.
fn scale(distances: Vec<f64>, size: usize, run: &Run) -> Result<Vec<[f64; 2]>> {
    // B = -½ J D² J, J the centring matrix.
    let mut products = distances;
    products.iter_mut().for_each(|distance| *distance = -0.5 * *distance * *distance);
    let means: Vec<f64> =
        products.chunks(size).map(|row| row.iter().sum::<f64>() / size as f64).collect();
    let mean = means.iter().sum::<f64>() / size as f64;
    for (row, own) in products.chunks_mut(size).zip(&means) {
        row.iter_mut().zip(&means).for_each(|(value, other)| *value += mean - own - other);
    }
    let mut axes: Vec<Vec<f64>> = Vec::new();
    let mut random = Random::new(1, 0);
    for _ in 0..2 {
        let mut axis: Vec<f64> = (0..size).map(|_| f64::from(random.unit()) - 0.5).collect();
        let mut length = 0.0;
        for _ in 0..STEPS {
            run.check()?;
            apart(&mut axis, &axes);
            let norm = product(&axis, &axis).sqrt();
            if norm > 0.0 {
                axis.iter_mut().for_each(|value| *value /= norm);
            }
            let next: Vec<f64> = products.chunks(size).map(|row| product(row, &axis)).collect();
            length = product(&next, &axis);
            axis = next;
        }
        apart(&mut axis, &axes);
        // `axis` is λ times the eigenvector, which a place has √λ times.
        let factor = if length > 0.0 { 1.0 / length.sqrt() } else { 0.0 };
        axes.push(axis.into_iter().map(|value| value * factor).collect());
    }
    let widest = axes.iter().flatten().fold(0.0f64, |widest, value| widest.max(value.abs()));
    let scale = if widest > 0.0 { 1.0 / widest } else { 0.0 };
    Ok((0..size).map(|i| [axes[0][i] * scale, axes[1][i] * scale]).collect())
}

/// Takes out of a vector what lies along others.
fn apart(vector: &mut [f64], others: &[Vec<f64>]) {
    for other in others {
        let norm = product(other, other);
        if norm > 0.0 {
            let along = product(vector, other) / norm;
            vector.iter_mut().zip(other).for_each(|(value, other)| *value -= along * other);
        }
    }
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_plane_are_found_again_but_for_turns() {
        let points = [[0.0, 0.0], [3.0, 0.0], [3.0, 1.0], [-2.0, 0.5], [0.5, -0.7]];
        let distance = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
        let of = |points: &[[f64; 2]]| -> Vec<f64> {
            points.iter().flat_map(|&a| points.iter().map(move |&b| distance(a, b))).collect()
        };
        let wanted = of(&points);
        let found = of(&scale(wanted.clone(), 5, &Run::quiet(1, 1)).unwrap());
        let ratio = wanted[1] / found[1];
        for (wanted, found) in wanted.iter().zip(found) {
            assert!((wanted - ratio * found).abs() < 1e-6, "{wanted} {found}");
        }
    }

    #[test]
    fn one_point_and_points_at_one_place_lie_in_the_middle() {
        for size in [1, 4] {
            let places = scale(vec![0.0; size * size], size, &Run::quiet(1, 1)).unwrap();
            assert_eq!(places, vec![[0.0, 0.0]; size]);
        }
    }
}
