//! The lessons against the formulas of fastText, one pair after the other in f64. With hierarchical
//! softmax and windows of one width nothing is left to chance.

use inlay_base::{Random, SharedMatrix};
use inlay_formats::Names;
use inlay_kernels::Kernels;

use super::cbow::Cbow;
use super::ring::Rows;
use super::skip_gram::SkipGram;
use super::table::{Table, first_values};
use crate::lesson::{Lesson, Now, Reach, Sentence, Taught};
use crate::objective::{HierarchicalSoftmax, NegativeSampling};
use crate::subwords::Ngrams;
use crate::view::{Turns, View};
use crate::{Drawn, Huffman, NoiseTable};

const DIMENSIONS: usize = 20;
const RATE: f32 = 0.1;
const WINDOW: usize = 2;
const SENTENCE: [u32; 9] = [0, 1, 2, 3, 4, 5, 6, 2, 0];

struct Stage {
    input: SharedMatrix,
    output: SharedMatrix,
    table: Table,
    tree: Huffman,
}

impl Stage {
    /// Words without an n-gram in common: what two words in reach share is moved by both at once.
    fn new() -> Self {
        let words = ["abc", "defg", "hij", "klmno", "pqr", "stu", "vwxyz"];
        let offsets = words.iter().scan(0, |end, word| {
            *end += word.len() as u64;
            Some(*end)
        });
        let offsets = [0].into_iter().chain(offsets).collect();
        let names = Names::from_parts(words.concat().into_bytes(), offsets).unwrap();
        let ngrams = Ngrams { minn: 3, maxn: 4, words: 1, bucket: 100_000 };
        let table = Table::new(&names, ngrams).unwrap();
        let tree = Huffman::new(&[9, 8, 7, 6, 5, 4, 3]).unwrap();
        let input = SharedMatrix::zeros(table.len(), DIMENSIONS).unwrap();
        let output = SharedMatrix::zeros(7, DIMENSIONS).unwrap();
        let mut random = Random::new(3, 0);
        for matrix in [&input, &output] {
            for row in 0..matrix.rows() as u32 {
                let values: Vec<f32> = (0..DIMENSIONS).map(|_| random.unit() - 0.5).collect();
                matrix.write(row, &values);
            }
        }
        Self { input, output, table, tree }
    }

    fn rows(&self) -> Rows<'_> {
        let Self { input, output, table, .. } = self;
        Rows { input, table, output, window: WINDOW }
    }

    fn teach(&self, lesson: &impl Lesson) -> Taught {
        let turns = Turns::usual();
        let output = View::new(&self.output, &turns, 1).unwrap();
        let spare = SharedMatrix::zeros(lesson.spares(), DIMENSIONS).unwrap();
        let mut desk = lesson.desk(&spare);
        let mut random = Random::new(1, 1);
        Kernels::get().run(Sentence {
            lesson,
            reach: Reach { window: WINDOW, shrinks: false },
            now: Now {
                ids: &SENTENCE,
                sentence: 0,
                output: &output,
                rate: RATE,
                random: &mut random,
                drawn: &mut Drawn::default(),
            },
            desk: &mut desk,
            run: None,
        })
    }

    fn values(matrix: &SharedMatrix) -> Vec<Vec<f64>> {
        let mut values = vec![0.0; DIMENSIONS];
        let row = |row| {
            matrix.read(row, &mut values);
            values.iter().map(|&value| f64::from(value)).collect()
        };
        (0..matrix.rows() as u32).map(row).collect()
    }
}

/// What the lessons do, in the simplest order.
struct Plain {
    input: Vec<Vec<f64>>,
    output: Vec<Vec<f64>>,
    loss: f64,
}

impl Plain {
    fn new(stage: &Stage) -> Self {
        let (input, output) = (Stage::values(&stage.input), Stage::values(&stage.output));
        Self { input, output, loss: 0.0 }
    }

    /// The mean of input rows predicts a word; each row gains the whole gradient.
    fn predict(&mut self, rows: &[u32], target: u32, tree: &Huffman) {
        let mean = |i: usize| -> f64 {
            rows.iter().map(|&row| self.input[row as usize][i]).sum::<f64>() / rows.len() as f64
        };
        let hidden: Vec<f64> = (0..DIMENSIONS).map(mean).collect();
        let mut gradient = [0.0; DIMENSIONS];
        for branch in tree.path(target) {
            let node = &mut self.output[branch.node as usize];
            let sign = if branch.right { -1.0 } else { 1.0 };
            let score: f64 = node.iter().zip(&hidden).map(|(u, h)| u * h).sum();
            let missed = 1.0 / (1.0 + (sign * score).exp());
            self.loss += (-sign * score).exp().ln_1p();
            let step = f64::from(RATE) * sign * missed;
            for i in 0..DIMENSIONS {
                gradient[i] += step * node[i];
                node[i] += step * hidden[i];
            }
        }
        for &row in rows {
            self.input[row as usize].iter_mut().zip(gradient).for_each(|(x, g)| *x += g);
        }
    }

    fn compare(&self, stage: &Stage, taught: Taught) {
        assert!((taught.loss - self.loss).abs() < 1e-4 * self.loss, "{taught:?} {}", self.loss);
        for (wanted, got) in [(&self.input, &stage.input), (&self.output, &stage.output)] {
            for (wanted, got) in wanted.iter().flatten().zip(Stage::values(got).iter().flatten()) {
                assert!((wanted - got).abs() < 1e-5, "{wanted} {got}");
            }
        }
    }
}

fn around(centre: usize) -> impl Iterator<Item = usize> {
    let reach = centre.saturating_sub(WINDOW)..SENTENCE.len().min(centre + WINDOW + 1);
    reach.filter(move |&at| at != centre)
}

#[test]
fn skip_gram_is_one_pair_after_the_other_though_rows_are_written_later() {
    for shared_noise in [true, false] {
        let stage = Stage::new();
        let mut plain = Plain::new(&stage);
        for (centre, &word) in SENTENCE.iter().enumerate() {
            for at in around(centre) {
                plain.predict(stage.table.rows(SENTENCE[at]), word, &stage.tree);
            }
        }
        let objective = HierarchicalSoftmax { tree: &stage.tree };
        let rows = stage.rows();
        let taught = stage.teach(&SkipGram { rows, objective: &objective, shared_noise });
        assert_eq!(taught.predictions, 30);
        plain.compare(&stage, taught);
    }
}

#[test]
fn cbow_is_one_centre_after_the_other_though_rows_are_written_later() {
    let stage = Stage::new();
    let mut plain = Plain::new(&stage);
    for (centre, &word) in SENTENCE.iter().enumerate() {
        let rows: Vec<u32> =
            around(centre).flat_map(|at| stage.table.rows(SENTENCE[at]).to_vec()).collect();
        plain.predict(&rows, word, &stage.tree);
    }
    let objective = HierarchicalSoftmax { tree: &stage.tree };
    let taught = stage.teach(&Cbow { rows: stage.rows(), objective: &objective });
    assert_eq!(taught.predictions, 9);
    plain.compare(&stage, taught);
}

#[test]
fn shared_noise_weighs_as_much_as_noise_of_ones_own() {
    // Where all is zero nothing moves and every score loses ln 2: 30 targets, and the noise, which is
    // always word 6, but for the four predictions of that word.
    let stage = Stage::new();
    for matrix in [&stage.input, &stage.output] {
        (0..matrix.rows() as u32).for_each(|row| matrix.write(row, &[0.0; DIMENSIONS]));
    }
    let noise = NoiseTable::new(&[0, 0, 0, 0, 0, 0, 1_000_000_000], 10.0);
    for (negative, weight, shared_noise) in [(4, 1.0, false), (4, 1.0, true), (6, 4.0 / 6.0, true)]
    {
        let objective = NegativeSampling { noise: &noise, negative, weight, reach: f32::INFINITY };
        let rows = stage.rows();
        let taught = stage.teach(&SkipGram { rows, objective: &objective, shared_noise });
        let scores = taught.loss / std::f64::consts::LN_2;
        assert!((scores - 30.0 - 26.0 * 4.0).abs() < 1e-3, "{taught:?}");
    }
}

#[test]
fn words_have_their_own_row_first_and_only_met_buckets_have_rows() {
    let stage = Stage::new();
    // <ab abc bc> <abc abc>
    assert_eq!(stage.table.rows(0).len(), 1 + 3 + 2);
    assert_eq!(stage.table.rows(0)[0], 0);
    let all: usize = (0..7).map(|word| stage.table.rows(word).len()).sum();
    assert_eq!(all, stage.table.len(), "no n-gram in common");
    assert!(stage.table.buckets().is_sorted());
}

#[test]
fn a_bucket_begins_by_seed_and_number_alone() {
    let values = |seed, bucket| {
        let mut values = [0.0; DIMENSIONS];
        first_values(seed, bucket, &mut values);
        values
    };
    assert_eq!(values(1, 5), values(1, 5));
    assert_ne!(values(1, 5), values(2, 5));
    assert_ne!(values(1, 5), values(1, 6));
    let limit = 1.0 / DIMENSIONS as f32;
    assert!(values(1, 5).iter().all(|value| value.abs() <= limit && *value != 0.0));
}
