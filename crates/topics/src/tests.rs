//! What is promised of topics, on texts that one can read here or that a seed makes.

mod files;
mod learning;
mod posterior;

use std::sync::mpsc;

use inlay_base::{Random, Run};
use inlay_corpus::{Base, Batch, Corpus, Source};

use crate::{Model, Options};

/// A corpus of documents of words; with a base, only its words are known.
fn read(documents: &[Vec<String>], base: Option<Base>, closed: bool) -> Corpus {
    let (mut bytes, mut word_ends, mut sentence_ends) = (Vec::new(), Vec::new(), Vec::new());
    for document in documents {
        for word in document {
            bytes.extend_from_slice(word.as_bytes());
            word_ends.push(bytes.len());
        }
        sentence_ends.push(word_ends.len());
    }
    let (sender, receiver) = mpsc::channel();
    sender.send(Batch::Words { bytes, word_ends, sentence_ends }).unwrap();
    drop(sender);
    let options =
        inlay_corpus::Options { min_count: 1, documents: true, base, closed, ..Default::default() };
    Corpus::read(Source::Stream(receiver), &options, &Run::quiet(1, 1)).unwrap()
}

fn corpus(documents: &[Vec<String>]) -> Corpus {
    read(documents, None, false)
}

/// Documents in the words of a model.
fn known_to(model: &Model, documents: &[Vec<String>]) -> Corpus {
    read(documents, Some(model.base()), true)
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Documents of two of `topics` topics each, with ten words of their own a topic.
fn planted(documents: usize, topics: u32, seed: u64) -> Vec<Vec<String>> {
    let mut random = Random::new(seed, 0);
    let document = |_| {
        let own = [random.below(topics), random.below(topics)];
        let word = |_| format!("t{}w{}", own[random.below(2) as usize], random.below(10));
        (0..40).map(word).collect()
    };
    (0..documents).map(document).collect()
}

fn options(topics: usize, iterations: usize) -> Options {
    Options {
        topics,
        iterations,
        alpha: vec![0.1],
        beta: 0.01,
        optimize_every: 0,
        optimize_beta: false,
    }
}
