use inlay_base::Random;

use super::*;
use crate::{Kernels, Task};

/// Topics of a word and a document in f64, and the padded values that kernels take.
struct Case {
    topics: usize,
    document: Vec<f32>,
    alpha: Vec<f32>,
    counts: Vec<f32>,
    inverse: Vec<f32>,
}

const BETA: f32 = 0.01;

impl Case {
    fn new(topics: usize, random: &mut Random) -> Self {
        let padded = topics.next_multiple_of(DRAW_WIDTH);
        let mut values = |value: &mut dyn FnMut(&mut Random) -> f32| -> Vec<f32> {
            (0..padded).map(|t| if t < topics { value(random) } else { 0.0 }).collect()
        };
        let few = &mut |random: &mut Random| random.below(3) as f32;
        Self {
            topics,
            document: values(few),
            counts: values(&mut |random| random.below(50) as f32),
            alpha: values(&mut |random| 0.01 + random.unit()),
            inverse: values(&mut |random| 1.0 / (10.0 + random.below(1000) as f32)),
        }
    }

    fn weight(&self, t: usize) -> f64 {
        let share = (f64::from(self.counts[t]) + f64::from(BETA)) * f64::from(self.inverse[t]);
        f64::from(self.document[t] + self.alpha[t]) * share
    }

    /// The document as a padded list.
    fn list(&self) -> (Vec<u32>, Vec<f32>) {
        let own = (0..self.topics).filter(|&t| self.document[t] > 0.0);
        let (mut topics, mut counts): (Vec<u32>, Vec<f32>) =
            own.map(|t| (t as u32, self.document[t])).unzip();
        let padded = (topics.len() + 1).next_multiple_of(DRAW_WIDTH);
        topics.resize(padded, u32::MAX);
        counts.resize(padded, 0.0);
        (topics, counts)
    }
}

/// Draws many times, densely or sparsely, and counts.
struct Draws<'a> {
    case: &'a Case,
    dense: bool,
    times: usize,
}

impl Task for Draws<'_> {
    type Output = (Vec<u32>, f32);
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Self::Output {
        let Case { topics, document, alpha, counts, inverse } = self.case;
        let padded = inverse.len();
        let mut shares = vec![0.0; padded];
        // Begin with one topic wrong and put it right, so that changes are tried as well.
        let mut before = counts.clone();
        before[topics / 2] += 5.0;
        share_word(simd, &before, BETA, inverse, &mut shares);
        let mut tree = Tree::new(padded);
        weigh_word(simd, alpha, &shares, &mut tree);
        let change = (topics / 2, -5.0);
        share_word_at(simd, (&mut before, &mut shares), BETA, inverse, change);
        weigh_word_at(simd, alpha, &shares, &mut tree, topics / 2);
        assert_eq!(&before, counts);
        let (own, times) = self.case.list();
        let list = List { topics: &own, counts: &times };
        let mut sums = vec![0.0; padded.max(own.len())];
        let mut random = Random::new(9, 0);
        let (mut found, mut total) = (vec![0; padded], 0.0);
        for _ in 0..self.times {
            let topic;
            if self.dense {
                let sums = &mut sums[..padded];
                let values = (&document[..], &alpha[..]);
                (topic, total) = draw_dense(simd, values, &shares, sums, random.unit());
            } else {
                let units = (random.unit(), random.unit());
                let place;
                (topic, place, total) = draw_sparse(simd, list, &shares, &tree, &mut sums, units);
                assert!(place.is_none_or(|place| own[place] as usize == topic));
            }
            found[topic] += 1;
        }
        (found, total)
    }
}

#[test]
fn topics_are_drawn_in_proportion_to_their_weights_on_every_set() {
    let mut random = Random::new(4, 0);
    for set in Kernels::available() {
        for topics in [1, 2, 15, 16, 17, 40, 300] {
            let case = Case::new(topics, &mut random);
            let weights: Vec<f64> = (0..topics).map(|t| case.weight(t)).collect();
            let sum: f64 = weights.iter().sum();
            for dense in [true, false] {
                let times = 20_000;
                let (found, total) = set.run(Draws { case: &case, dense, times });
                let about = format!("{} {topics} topics, dense {dense}", set.name());
                assert!((f64::from(total) / sum - 1.0).abs() < 1e-5, "{about}: {total} {sum}");
                let mut chi2 = 0.0;
                for (&found, weight) in found.iter().zip(&weights) {
                    let wanted = weight / sum * times as f64;
                    chi2 += (f64::from(found) - wanted).powi(2) / wanted;
                }
                let freedom = topics as f64 - 1.0;
                assert!(chi2 <= freedom + 5.0 * (2.0 * freedom).sqrt(), "{about}: {chi2}");
                assert!(found[topics..].iter().all(|&found| found == 0), "{about}");
            }
        }
    }
}

struct Primitives<'a>(&'a [f32], &'a [u32]);

impl Task for Primitives<'_> {
    type Output = (Vec<f32>, Vec<usize>, Vec<f32>, Vec<u32>);
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Self::Output {
        let Self(values, places) = self;
        let mut results = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut lanes = [0.0f32; 16];
        for first in (0..16).step_by(S::LANES) {
            // SAFETY: 16 values are there, and hold the lanes of any set.
            let v = unsafe { simd.load(values.as_ptr().add(first)) };
            // SAFETY: as above.
            unsafe { simd.store(lanes.as_mut_ptr(), simd.prefix_sums(v)) };
            results.0.extend_from_slice(&lanes[..S::LANES]);
            for limit in [-1.0, values[first], 3.0, 1e9] {
                let above = values[first..first + S::LANES].iter().position(|&x| x > limit);
                results.1.push(simd.first_above(v, limit) - above.unwrap_or(S::LANES));
            }
            let gathered = simd.gather(values, &places[first..]);
            // SAFETY: as above.
            unsafe { simd.store(lanes.as_mut_ptr(), gathered) };
            results.2.extend_from_slice(&lanes[..S::LANES]);
            for wanted in [0, 3, u32::MAX] {
                let bits = places[first..first + S::LANES].iter().rev();
                let bits = bits.fold(0, |bits, &x| bits << 1 | u32::from(x == wanted));
                results.3.push(simd.matches(&places[first..], wanted) ^ bits);
            }
        }
        results
    }
}

#[test]
fn the_sets_sum_search_and_gather_as_the_definition_says() {
    let values: Vec<f32> = (0..16).map(|i| (i * 7 % 16) as f32).collect();
    let places: Vec<u32> = (0..16).map(|i| if i % 5 == 4 { u32::MAX } else { i / 2 }).collect();
    for set in Kernels::available() {
        let (prefix, above, gathered, matched) = set.run(Primitives(&values, &places));
        let lanes = 16 / (above.len() / 4);
        for (chunk, sums) in values.chunks(lanes).zip(prefix.chunks(lanes)) {
            let mut sum = 0.0;
            for (value, &got) in chunk.iter().zip(sums) {
                sum += value;
                assert_eq!(got, sum, "{}", set.name());
            }
        }
        assert!(above.iter().all(|&off| off == 0), "{}: {above:?}", set.name());
        let wanted = places.iter().map(|&at| values[(at as usize).min(15)]);
        assert!(gathered.iter().copied().eq(wanted), "{}: {gathered:?}", set.name());
        assert!(matched.iter().all(|&off| off == 0), "{}: {matched:?}", set.name());
    }
}

struct AddAt<'a>(&'a mut [f32], usize);
impl Task for AddAt<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        add_at(simd, self.0, self.1, 2.5);
    }
}

#[test]
fn one_value_is_added_to_and_no_other() {
    for set in Kernels::available() {
        for at in 0..48 {
            let mut values: Vec<f32> = (0..48).map(|i| i as f32).collect();
            set.run(AddAt(&mut values, at));
            for (i, &value) in values.iter().enumerate() {
                let wanted = i as f32 + if i == at { 2.5 } else { 0.0 };
                assert_eq!(value, wanted, "{}", set.name());
            }
        }
    }
}
