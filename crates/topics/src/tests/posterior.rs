//! Both samplers against the posterior itself, which a text of a few words lets one write down.

use std::collections::HashMap;

use inlay_base::Run;

use super::{corpus, options, planted, words};
use crate::grid::{Grid, Nothing};
use crate::priors::Priors;
use crate::sampler::{Dense, Sampler, Sparse};
use crate::sweep::State;

/// ln Γ(x + n) - ln Γ(x)
fn rise(x: f64, n: u32) -> f64 {
    (0..n).map(|below| (x + f64::from(below)).ln()).sum()
}

/// ln p(w, z) but for a constant, of (document, word, topic).
fn log_joint(tokens: &[(u32, u32, u32)], topics: u32, vocabulary: u32, priors: &Priors) -> f64 {
    let count = |keep: &dyn Fn(&(u32, u32, u32)) -> bool| {
        tokens.iter().filter(|&token| keep(token)).count() as u32
    };
    let documents = tokens.iter().map(|token| token.0).max().unwrap_or(0) + 1;
    let mut sum = 0.0;
    for t in 0..topics {
        for d in 0..documents {
            sum += rise(priors.alpha[t as usize], count(&|token| (token.0, token.2) == (d, t)));
        }
        for w in 0..vocabulary {
            sum += rise(priors.beta, count(&|token| (token.1, token.2) == (w, t)));
        }
        sum -= rise(priors.beta * f64::from(vocabulary), count(&|token| token.2 == t));
    }
    sum
}

/// How far the shares of states in many sweeps are from the posterior: half the sum of differences.
fn distance<D: Sampler>() -> f64 {
    // Each word once, so that totals are never older than a draw.
    let text = [words("a b"), words("c d e")];
    let tokens = [(0, 0), (0, 1), (1, 2), (1, 3), (1, 4)];
    let topics = 3u32;
    let priors = Priors { alpha: vec![0.3, 0.5, 0.9], beta: 0.4 };
    let run = Run::quiet(1, 7);
    let grid = Grid::new(&corpus(&text), topics as usize, &Nothing, &run).unwrap();
    grid.scatter(topics as usize, &run).unwrap();
    let mut state: State<D> = State::new(grid, &[0; 3], tokens.len(), &run).unwrap();
    let mut seen: HashMap<Vec<u16>, u32> = HashMap::new();
    let (sweeps, mut now) = (60_000, Vec::new());
    for sweep in 0..sweeps {
        state.sweep(sweep, &priors, 1, &run).unwrap();
        state.grid.topics(&mut now);
        *seen.entry(now.clone()).or_default() += 1;
    }
    let states: Vec<Vec<u16>> = (0..topics.pow(tokens.len() as u32))
        .map(|number| {
            (0..tokens.len()).map(|i| (number / topics.pow(i as u32) % topics) as u16).collect()
        })
        .collect();
    let weight = |z: &Vec<u16>| {
        let all: Vec<_> = tokens.iter().zip(z).map(|(&(d, w), &t)| (d, w, u32::from(t))).collect();
        log_joint(&all, topics, tokens.len() as u32, &priors).exp()
    };
    let sum: f64 = states.iter().map(weight).sum();
    let differences = states.iter().map(|z| {
        let share = f64::from(seen.get(z).copied().unwrap_or(0)) / sweeps as f64;
        (share - weight(z) / sum).abs()
    });
    differences.sum::<f64>() / 2.0
}

#[test]
fn topics_are_drawn_from_the_posterior() {
    // 243 states and 60,000 sweeps: 0.025 is what chance alone makes.
    let dense = distance::<Dense>();
    assert!(dense < 0.04, "dense: {dense}");
    let sparse = distance::<Sparse>();
    assert!(sparse < 0.04, "sparse: {sparse}");
}

/// All counts, counted anew from the topics of the occurrences.
fn agrees<D: Sampler>(state: &State<D>, topics: usize) {
    let mut totals = vec![0i64; topics];
    for block in 0..state.grid.size() {
        let mut of_documents: HashMap<(usize, u32), u32> = HashMap::new();
        for column in 0..state.grid.size() {
            let held = state.grid.words(column);
            for place in 0..held.len() {
                let mut counts = vec![0.0; topics];
                held.counts_of(place, &mut counts);
                let all: f32 = counts.iter().sum();
                let occurrences: usize =
                    (0..state.grid.size()).map(|block| held.cell(place, block).len()).sum();
                assert_eq!(all as usize, occurrences);
                for at in held.cell(place, block) {
                    let key = (held.documents[at] as usize, u32::from(held.topics[at]));
                    *of_documents.entry(key).or_default() += 1;
                    totals[usize::from(held.topics[at])] += 1;
                }
            }
        }
        let documents = state.documents(block);
        for document in 0..state.grid.lengths_of(block).len() {
            for (topic, count) in documents.counts(document) {
                assert_eq!(of_documents.remove(&(document, topic)), Some(count));
            }
        }
        assert!(of_documents.is_empty());
    }
    assert_eq!(totals, state.totals);
}

fn counts_stay_right<D: Sampler>(topics: usize) {
    let corpus = corpus(&planted(2000, 12, 5));
    let run = Run::quiet(2, 3);
    let grid = Grid::new(&corpus, topics, &Nothing, &run).unwrap();
    assert!(grid.size() > 1, "a text of one cell would prove little");
    grid.scatter(topics, &run).unwrap();
    let mut state: State<D> =
        State::new(grid, &vec![0; topics], corpus.names().len(), &run).unwrap();
    let priors = Priors { alpha: vec![0.1; topics], beta: 0.01 };
    for sweep in 0..4 {
        state.sweep(sweep, &priors, 64, &run).unwrap();
        agrees(&state, topics);
    }
}

#[test]
fn counts_are_what_counting_anew_gives() {
    counts_stay_right::<Dense>(20);
    counts_stay_right::<Sparse>(20);
    counts_stay_right::<Sparse>(1);
    counts_stay_right::<Dense>(1);
    counts_stay_right::<Sparse>(700);
}

#[test]
fn the_loss_falls() {
    for topics in [12, 350] {
        let corpus = corpus(&planted(500, 12, 5));
        let start = crate::Start::default();
        let model = crate::train(&corpus, &options(topics, 30), &start, &Run::quiet(1, 1)).unwrap();
        let losses = model.losses();
        assert_eq!(losses.len(), 30);
        assert!(losses[29] < 0.8 * losses[0], "{topics}: {losses:?}");
    }
}
