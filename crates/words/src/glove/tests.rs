//! The loop against the C tool's, in plain Rust and f64, on the same records in the same order.

use std::time::Duration;

use inlay_base::{Random, Run};
use inlay_formats::Names;
use inlay_formats::glove::{Record, fields, record, write_vocabulary};

use super::parameters::Parameters;
use super::*;

/// Some of all pairs, each once, with random counts, through the files of the C tool.
fn random_pairs(words: u32, pairs: usize) -> Cooccurrence {
    let folder = tempfile::tempdir().unwrap();
    let (records, vocabulary) = (folder.path().join("c.bin"), folder.path().join("vocab.txt"));
    let names = Names::new((0..words).map(|word| format!("word{word}"))).unwrap();
    write_vocabulary(&vocabulary, &names, &vec![9; words as usize]).unwrap();
    let mut random = Random::new(11, 0);
    let numbers = 0..pairs as u32;
    let made: Vec<Record> = numbers
        .map(|i| record(i / words, i % words, 1.0 / f64::from(0.01 + random.unit())))
        .collect();
    std::fs::write(&records, bytemuck::cast_slice(&made)).unwrap();
    Cooccurrence::open(&records, &vocabulary).unwrap()
}

/// The C tool's loop over the records in the order of their training, in f64.
fn plain_training(
    records: &[Record],
    start: &[Vec<f64>],
    options: &Options,
) -> (Vec<f64>, Vec<Vec<f64>>) {
    let (mut rows, n) = (start.to_vec(), options.dimensions);
    let mut squares = vec![vec![1.0f64; n + 1]; rows.len()];
    let words = rows.len() / 2;
    let mut losses = Vec::new();
    for _ in 0..options.epochs {
        let mut cost = 0.0;
        for &record in records {
            let (word, context, x) = fields(record);
            let (w, c) = (word as usize, words + context as usize);
            let product: f64 = rows[w][..n].iter().zip(&rows[c][..n]).map(|(a, b)| a * b).sum();
            let difference = product + rows[w][n] + rows[c][n] - x.ln();
            let slope = (x / options.x_max).powf(options.alpha).min(1.0) * difference;
            cost += 0.5 * slope * difference;
            for i in 0..n {
                let step = slope * options.learning_rate;
                let (to_word, to_context) = (step * rows[c][i], step * rows[w][i]);
                rows[w][i] -= to_word / squares[w][i].sqrt();
                rows[c][i] -= to_context / squares[c][i].sqrt();
                squares[w][i] += to_word * to_word;
                squares[c][i] += to_context * to_context;
            }
            for row in [w, c] {
                rows[row][n] -= slope / squares[row][n].sqrt();
                squares[row][n] += slope * slope;
            }
        }
        losses.push(cost / records.len() as f64);
    }
    (losses, rows)
}

#[test]
fn losses_and_parameters_are_those_of_a_plain_loop_in_f64() {
    let pairs = random_pairs(50, 2000);
    let options = Options {
        dimensions: 21,
        epochs: 4,
        learning_rate: 0.05,
        x_max: 30.0,
        alpha: 0.75,
        vectors: Chosen::Both,
        unknown: false,
    };
    let (room, run) = (Room { memory: 1 << 20, directory: None }, Run::quiet(1, 1));
    let shuffled = shuffle::shuffle(&pairs, &room, &run).unwrap();
    let parameters = Parameters::new(50, options.dimensions, &run).unwrap();
    let rows = || -> Vec<Vec<f64>> {
        let row = |number: u32| {
            let mut row = vec![0.0; parameters.matrix.columns()];
            parameters.matrix.read(number, &mut row);
            row[..=options.dimensions].iter().map(|&value| f64::from(value)).collect()
        };
        (0..100).map(row).collect()
    };
    let (losses, learnt) = plain_training(shuffled.records(), &rows(), &options);
    let mut nothing = |_: &Standing| Ok(());
    // Slices of no time: a loss that a pause loses or counts twice would show.
    let pause = Some(Pause { every: Duration::ZERO, save: &mut nothing });
    let standing = Standing::start(options.epochs);
    let got = descent::train(&shuffled, &options, &parameters, standing, pause, &run).unwrap();
    for (loss, wanted) in got.iter().zip(&losses) {
        assert!((loss / wanted - 1.0).abs() < 1e-4, "{got:?} {losses:?}");
    }
    for (row, wanted) in rows().iter().flatten().zip(learnt.iter().flatten()) {
        assert!((row - wanted).abs() < 1e-3, "{row} {wanted}");
    }
}

#[test]
fn the_order_is_another_for_each_seed_and_the_same_whatever_the_memory_and_threads() {
    let pairs = random_pairs(200, 20_000);
    let order = |seed, threads, memory| {
        let room = Room { memory, directory: None };
        let shuffled = shuffle::shuffle(&pairs, &room, &Run::quiet(threads, seed)).unwrap();
        (shuffled.records().to_vec(), shuffled.fingerprint)
    };
    let first = order(1, 1, 1 << 30);
    for (threads, memory) in [(1, 1000), (3, 1 << 30), (2, 70_000)] {
        assert!(order(1, threads, memory) == first, "{threads} threads, {memory} bytes");
    }
    let other = order(2, 1, 1 << 30);
    assert!(other.0 != first.0 && other.1 == first.1);
    let sorted = |mut records: Vec<Record>| {
        records.sort_unstable();
        records
    };
    let all: Vec<Record> = (0..pairs.stretches().len())
        .flat_map(|number| pairs.stretches().get(number).to_vec())
        .collect();
    assert!(sorted(other.0) == sorted(all.clone()));
    // Not sorted by anything that the file was sorted by: neighbours share no word but by chance.
    let neighbours = first.0.windows(2);
    let alike = neighbours.filter(|two| fields(two[0]).0 == fields(two[1]).0).count();
    assert!(alike < 300, "{alike} of 20,000, where some 200 are expected");
}
