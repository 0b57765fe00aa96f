//! How fast a text is split and counted: ours on one thread and on several, and a plain
//! `HashMap`, taking turns in one process, their results compared.
//!
//!     cargo run --release -p inlay-corpus --example count -- FILE [THREADS] [ROUNDS]

#![allow(clippy::print_stdout)]

use std::collections::HashMap;
use std::error::Error;
use std::time::Instant;

use inlay_base::Run;
use inlay_corpus::{Corpus, Options, Source, count};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let file = arguments.first().ok_or("usage: count FILE [THREADS] [ROUNDS]")?;
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |n| n.parse());
    let threads = number(1, std::thread::available_parallelism()?.get())?;
    let rounds = number(2, 5)?.max(1);

    let bytes = std::fs::read(file)?.len() as f64;
    let options = Options::default();
    let source = || Source::Files(vec![file.clone()]);
    let names = [
        "std split + HashMap, 1 thread".to_string(),
        "count, 1 thread".to_string(),
        format!("count, {threads} threads"),
        "text to ids, 1 thread".to_string(),
        format!("text to ids, {threads} threads"),
    ];
    let mut rates = vec![Vec::new(); names.len()];
    let mut results = Vec::new();
    for _ in 0..rounds {
        results.clear();
        let mut round = 0;
        let mut time = |work: &mut dyn FnMut() -> Result<(u64, u64), Box<dyn Error>>| {
            let start = Instant::now();
            results.push(work()?);
            rates[round].push(bytes / start.elapsed().as_secs_f64() / 1e6);
            round += 1;
            Ok::<(), Box<dyn Error>>(())
        };
        time(&mut || plain(file))?;
        for threads in [1, threads] {
            time(&mut || {
                let counted = count(source(), &options, &Run::quiet(threads, 1))?;
                let dropped = counted.dropped;
                Ok((counted.names.len() as u64 + dropped.words, counted.tokens + dropped.tokens))
            })?;
        }
        for threads in [1, threads] {
            time(&mut || {
                let corpus = Corpus::read(source(), &options, &Run::quiet(threads, 1))?;
                let (words, dropped) = (corpus.names().len() as u64, corpus.dropped());
                Ok((words + dropped.words, corpus.tokens() + dropped.tokens))
            })?;
        }
        if results.iter().any(|result| *result != results[0]) {
            return Err(format!("types and words differ: {results:?}").into());
        }
    }
    println!("{} types, {} words, {:.1} MB", results[0].0, results[0].1, bytes / 1e6);
    let median = |rates: &[f64]| {
        let mut rates = rates.to_vec();
        rates.sort_by(f64::total_cmp);
        (rates[rates.len() / 2], rates[0], rates[rates.len() - 1])
    };
    let (plain, ..) = median(&rates[0]);
    for (name, rates) in names.iter().zip(&rates) {
        let (middle, least, most) = median(rates);
        let ratio = middle / plain;
        println!("{name:<30} {middle:>7.0} MB/s ({least:.0} to {most:.0})  {ratio:>5.1}x");
    }
    Ok(())
}

/// What a program without this library would do.
fn plain(file: &str) -> Result<(u64, u64), Box<dyn Error>> {
    let text = std::fs::read_to_string(file)?;
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for word in text.split_ascii_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    Ok((counts.len() as u64, counts.values().sum()))
}
