use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use inlay_base::{Error, Result, Run};
use inlay_corpus::Corpus;

use super::{corpus, options, planted};
use crate::{Checkpoint, Model, Options, Start, train};

fn start(path: &Path) -> Start {
    let checkpoint = Checkpoint::new(path.into(), Duration::ZERO);
    Start { checkpoint: Some(checkpoint), ..Start::default() }
}

/// A run that is stopped after so many reports of progress on a phase.
fn stopped_at(losses: u64) -> Run {
    let stop = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&stop);
    let count = AtomicU64::new(0);
    let sink = Box::new(move |progress: inlay_base::Progress| {
        if progress.phase == "train" && count.fetch_add(1, Relaxed) >= losses {
            heard.store(true, Relaxed);
        }
    });
    Run::new(2, 1, stop, sink)
}

fn fitted(topics: usize, iterations: usize) -> Options {
    Options { optimize_every: 3, optimize_beta: true, ..options(topics, iterations) }
}

#[test]
fn a_training_that_was_stopped_goes_on_to_the_same_topics() {
    let corpus = corpus(&planted(2000, 12, 5));
    let folder = tempfile::tempdir().unwrap();
    for topics in [12, 350] {
        let whole = train(&corpus, &fitted(topics, 20), &Start::default(), &Run::quiet(1, 1));
        let whole = whole.unwrap();
        // Stopped in the middle of a sweep, and made longer after its end.
        for stop in [true, false] {
            let path = folder.path().join(format!("{topics}-{stop}"));
            if stop {
                let stopped = train(&corpus, &fitted(topics, 20), &start(&path), &stopped_at(0));
                assert!(matches!(stopped, Err(Error::Aborted)));
            } else {
                let run = Run::quiet(2, 1);
                train(&corpus, &fitted(topics, 6), &start(&path), &run).unwrap();
            }
            assert!(path.exists());
            let run = Run::quiet(2, 1);
            let resumed = train(&corpus, &fitted(topics, 20), &start(&path), &run).unwrap();
            assert!(resumed.words() == whole.words(), "{topics} topics, stopped {stop}");
            assert!(resumed.priors() == whole.priors() && resumed.losses() == whole.losses());
        }
    }
}

#[test]
fn a_checkpoint_of_another_training_is_refused_by_name() {
    let corpus_of = |seed| corpus(&planted(50, 4, seed));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let attempt = |corpus: &Corpus, options: &Options, seed| -> Result<Model> {
        train(corpus, options, &start(&path), &Run::quiet(1, seed))
    };
    let first = corpus_of(1);
    attempt(&first, &options(4, 2), 1).unwrap();
    let differs = |outcome: Result<Model>, part: &str| match outcome {
        Err(Error::InvalidOption { option: "checkpoint", expected, .. }) => {
            assert!(expected.contains(part), "{expected}");
        }
        other => panic!("{:?}", other.err()),
    };
    differs(attempt(&first, &options(5, 2), 1), "topics 5, this one has 4");
    differs(attempt(&first, &options(4, 2), 2), "seed 2");
    differs(attempt(&corpus_of(2), &options(4, 2), 1), "same corpus");
    std::fs::write(&path, "no checkpoint").unwrap();
    assert!(matches!(attempt(&first, &options(4, 2), 1), Err(Error::InvalidInput { .. })));
}

#[test]
fn a_model_comes_back_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let run = Run::quiet(1, 1);
    let model =
        train(&corpus(&planted(100, 4, 1)), &fitted(5, 10), &Start::default(), &run).unwrap();
    model.save(&path, &run).unwrap();
    let opened = Model::open(&path).unwrap();
    assert!(opened.names().iter().eq(model.names().iter()) && opened.counts() == model.counts());
    assert!(opened.words() == model.words() && opened.documents() == model.documents());
    assert!(opened.priors() == model.priors() && opened.losses() == model.losses());
    assert!(opened.options() == model.options() && opened.totals() == model.totals());
}

#[test]
fn damaged_files_are_errors_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let run = Run::quiet(1, 1);
    let text = corpus(&planted(20, 2, 1));
    let model = train(&text, &options(3, 2), &Start::default(), &run).unwrap();
    model.save(&path, &run).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let damaged = folder.path().join("damaged");
    let open = |bytes: &[u8]| {
        std::fs::write(&damaged, bytes).unwrap();
        Model::open(&damaged)
    };
    for length in (0..whole.len()).step_by(whole.len() / 97) {
        assert!(open(&whole[..length]).is_err(), "cut to {length}");
    }
    // A bit flipped anywhere: an error, or a model whose every row can be asked for.
    for at in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        let Ok(model) = open(&bytes) else { continue };
        model.top_words(3);
        model.word_topics(&run).unwrap();
        model.mixtures(&run).unwrap();
    }
}
