//! Word2Vec as a whole: what every combination of architecture and objective must hold.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use inlay_base::{Error, Random, Result, Run};
use inlay_corpus::{Base, Batch, Corpus, Source};
use inlay_vectors::WordVectors;
use inlay_words::word2vec::{Architecture, Frozen, Model, Options, Scoring, Start, train};
use inlay_words::{Checkpoint, Curve};

const ALL: [(Architecture, Scoring); 4] = [
    (Architecture::SkipGram, Scoring::NegativeSampling),
    (Architecture::SkipGram, Scoring::HierarchicalSoftmax),
    (Architecture::Cbow, Scoring::NegativeSampling),
    (Architecture::Cbow, Scoring::HierarchicalSoftmax),
];

fn options((architecture, objective): (Architecture, Scoring)) -> Options {
    Options {
        architecture,
        objective,
        dimensions: 24,
        window: 3,
        shrink_window: true,
        negative: 5,
        negative_exponent: 0.75,
        shared_negatives: true,
        cbow_mean: true,
        epochs: 3,
        learning_rate: 0.05,
        final_learning_rate: 5e-6,
        schedule: Curve::Linear,
        subsample: 0.0,
    }
}

fn corpus_of(sentences: &[Vec<i64>], base: Option<Base>) -> Corpus {
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    let mut sentence_ends = Vec::new();
    let mut values = Vec::new();
    for sentence in sentences {
        values.extend_from_slice(sentence);
        sentence_ends.push(values.len());
    }
    send.send(Batch::Integers { values, sentence_ends }).unwrap();
    drop(send);
    let options = inlay_corpus::Options { min_count: 1, base, ..Default::default() };
    Corpus::read(Source::Stream(receive), &options, &Run::quiet(1, 1)).unwrap()
}

/// Sentences of ten words about one of two topics, words 0..10 and 10..20, that never meet.
fn topics(sentences: usize, seed: u64) -> Vec<Vec<i64>> {
    let mut random = Random::new(seed, 0);
    (0..sentences)
        .map(|i| (0..10).map(|_| (i % 2 * 10) as i64 + i64::from(random.below(10))).collect())
        .collect()
}

fn fit(corpus: &Corpus, options: &Options) -> Model {
    train(corpus, options, &Start::default(), None, &Run::quiet(1, 1)).unwrap()
}

fn cosine(vectors: &WordVectors, a: u32, b: u32) -> f64 {
    let row = |word: u32| vectors.vector(word.to_string().as_bytes()).unwrap();
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    };
    let (a, b) = (row(a), row(b));
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

fn outputs(model: &Model) -> Vec<f32> {
    model.output().map(WordVectors::matrix).unwrap_or_default()
}

#[test]
fn words_of_one_topic_come_together_and_the_loss_falls() {
    let corpus = corpus_of(&topics(4000, 7), None);
    for kind in ALL {
        for shared_negatives in [true, false] {
            let options = Options { shared_negatives, ..options(kind) };
            let model = fit(&corpus, &options);
            let (near, far) = (cosine(model.vectors(), 1, 2), cosine(model.vectors(), 1, 12));
            assert!(near > far + 0.5, "{kind:?}: {near} {far}");
            // Of vectors that know nothing: see the next test.
            let untrained = if kind.1 == Scoring::NegativeSampling { 3.9 } else { 2.99 };
            let losses = model.losses();
            assert!(losses.len() == 3 && losses[2] < untrained * 0.8, "{kind:?}: {losses:?}");
        }
    }
}

#[test]
fn the_loss_of_vectors_that_know_nothing_is_the_formula() {
    // Outputs of zeros give every score 0 and every branch ln 2; a rate near zero keeps it so.
    let corpus = corpus_of(&topics(3000, 3), None);
    let still = |kind| Options {
        learning_rate: 1e-12,
        final_learning_rate: 1e-12,
        negative_exponent: 1.0,
        epochs: 2,
        ..options(kind)
    };
    let total: f64 = corpus.counts().iter().map(|&count| count as f64).sum();
    let share = |&count: &u64| count as f64 / total;
    for kind in ALL {
        let model = fit(&corpus, &still(kind));
        let wanted = match kind.1 {
            // The target, and k noise words less those that hit the target.
            Scoring::NegativeSampling => {
                let hits: f64 = corpus.counts().iter().map(|count| share(count).powi(2)).sum();
                (1.0 + 5.0 * (1.0 - hits)) * std::f64::consts::LN_2
            }
            // The path's length, between the entropy and one bit more.
            Scoring::HierarchicalSoftmax => {
                let bits: f64 =
                    corpus.counts().iter().map(|count| -share(count) * share(count).log2()).sum();
                bits * std::f64::consts::LN_2
            }
        };
        for &loss in model.losses() {
            let bound = if kind.1 == Scoring::NegativeSampling { 0.01 } else { 0.05 };
            assert!((loss / wanted - 1.0).abs() < bound, "{kind:?}: {loss}, wanted {wanted}");
        }
    }
}

#[test]
fn one_thread_and_one_seed_give_the_same_bytes_another_seed_others() {
    let corpus = corpus_of(&topics(500, 1), None);
    for kind in ALL {
        let options = Options { subsample: 0.01, ..options(kind) };
        let with = |seed| {
            let run = Run::quiet(1, seed);
            let model = train(&corpus, &options, &Start::default(), None, &run).unwrap();
            (model.vectors().matrix(), outputs(&model), model.losses().to_vec())
        };
        assert!(with(1) == with(1), "{kind:?}");
        assert!(with(1).0 != with(2).0, "{kind:?}");
    }
}

#[test]
fn every_option_changes_the_vectors() {
    let corpus = corpus_of(&topics(300, 1), None);
    let (sg, cbow) = (options(ALL[0]), options(ALL[2]));
    let changes = [
        (sg.clone(), Options { window: 2, ..sg.clone() }),
        (sg.clone(), Options { shrink_window: false, ..sg.clone() }),
        (sg.clone(), Options { negative: 4, ..sg.clone() }),
        (sg.clone(), Options { negative_exponent: -0.5, ..sg.clone() }),
        (sg.clone(), Options { shared_negatives: false, ..sg.clone() }),
        (sg.clone(), Options { epochs: 2, ..sg.clone() }),
        (sg.clone(), Options { learning_rate: 0.04, ..sg.clone() }),
        (sg.clone(), Options { final_learning_rate: 0.01, ..sg.clone() }),
        (sg.clone(), Options { schedule: Curve::Cosine, ..sg.clone() }),
        (sg.clone(), Options { schedule: Curve::Constant, ..sg.clone() }),
        (sg.clone(), Options { subsample: 0.01, ..sg.clone() }),
        (cbow.clone(), Options { cbow_mean: false, ..cbow.clone() }),
    ];
    for (before, after) in changes {
        let vectors = |options| fit(&corpus, options).vectors().matrix();
        assert!(vectors(&before) != vectors(&after), "{after:?}");
    }
}

fn checkpoint(folder: &Path, every: Duration) -> Checkpoint {
    Checkpoint { path: folder.join("checkpoint.safetensors"), every }
}

#[test]
fn a_training_that_is_cut_into_slices_gives_the_bytes_of_an_unbroken_one() {
    let corpus = corpus_of(&topics(2000, 1), None);
    for kind in ALL {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { subsample: 0.02, ..options(kind) };
        let unbroken = fit(&corpus, &options);
        let often = checkpoint(folder.path(), Duration::ZERO);
        let run = Run::quiet(1, 1);
        let sliced = train(&corpus, &options, &Start::default(), Some(&often), &run).unwrap();
        assert!(unbroken.vectors().matrix() == sliced.vectors().matrix(), "{kind:?}");
        assert!(outputs(&unbroken) == outputs(&sliced), "{kind:?}");
    }
}

/// A run that is stopped from outside at its n-th event.
fn stopped_at(event: u32) -> Run {
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, events) = (Arc::clone(&stop), AtomicU32::new(0));
    let sink = move |_| {
        if events.fetch_add(1, Relaxed) + 1 == event {
            flag.store(true, Relaxed);
        }
    };
    Run::new(1, 1, stop, Box::new(sink))
}

#[test]
fn an_aborted_training_goes_on_from_its_checkpoint_with_the_same_bytes() {
    let corpus = corpus_of(&topics(2000, 1), None);
    let folder = tempfile::tempdir().unwrap();
    let options = options(ALL[0]);
    let unbroken = fit(&corpus, &options);
    let file = checkpoint(folder.path(), Duration::from_secs(3600));
    let aborted = train(&corpus, &options, &Start::default(), Some(&file), &stopped_at(1));
    assert_eq!(aborted.err(), Some(Error::Aborted));
    let run = Run::quiet(1, 1);
    let resumed = train(&corpus, &options, &Start::default(), Some(&file), &run).unwrap();
    assert!(unbroken.vectors().matrix() == resumed.vectors().matrix());
    assert!(outputs(&unbroken) == outputs(&resumed));
    for (a, b) in unbroken.losses().iter().zip(resumed.losses()) {
        assert!((a - b).abs() < 1e-9 * a, "summed in another order at most");
    }
    // A finished one is there at once, and its vectors open like any others.
    let again = train(&corpus, &options, &Start::default(), Some(&file), &run).unwrap();
    assert!(unbroken.vectors().matrix() == again.vectors().matrix());
}

fn refusal(outcome: Result<Model>) -> String {
    outcome.err().map(|error| format!("{} {error}", error.code())).unwrap_or_default()
}

#[test]
fn a_checkpoint_of_another_training_is_refused_by_what_differs() {
    let corpus = corpus_of(&topics(100, 1), None);
    let folder = tempfile::tempdir().unwrap();
    let file = checkpoint(folder.path(), Duration::ZERO);
    let first = options(ALL[0]);
    let go = |corpus: &Corpus, options: &Options, seed| {
        let run = Run::quiet(1, seed);
        train(corpus, options, &Start::default(), Some(&file), &run)
    };
    go(&corpus, &first, 1).unwrap();
    let other = refusal(go(&corpus, &Options { dimensions: 25, ..first.clone() }, 1));
    assert!(other.starts_with("INVALID_OPTION `checkpoint`"), "{other}");
    assert!(other.contains("dimensions 25, this one has 24"), "{other}");
    assert!(refusal(go(&corpus, &first, 2)).contains("seed 2"));
    let text = refusal(go(&corpus_of(&topics(101, 1), None), &first, 1));
    assert!(text.contains("the same corpus"), "{text}");
}

#[test]
fn a_damaged_checkpoint_is_one_clear_error() {
    let corpus = corpus_of(&topics(100, 1), None);
    let folder = tempfile::tempdir().unwrap();
    let file = checkpoint(folder.path(), Duration::ZERO);
    let run = Run::quiet(1, 1);
    let go = || train(&corpus, &options(ALL[0]), &Start::default(), Some(&file), &run);
    go().unwrap();
    let whole = std::fs::read(&file.path).unwrap();
    for length in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&file.path, &whole[..length]).unwrap();
        assert!(refusal(go()).starts_with("INVALID_INPUT"), "cut to {length}: {}", refusal(go()));
    }
    let mut random = Random::new(5, 0);
    for _ in 0..300 {
        let mut damaged = whole.clone();
        for _ in 0..3 {
            let at = random.below(damaged.len().min(3000) as u32) as usize;
            damaged[at] = random.bits() as u8;
        }
        std::fs::write(&file.path, &damaged).unwrap();
        let refused = refusal(go());
        assert!(!refused.starts_with("INTERNAL"), "{refused}");
    }
}

#[test]
fn frozen_words_stay_and_the_others_move() {
    let corpus = corpus_of(&topics(300, 1), None);
    for kind in ALL {
        let before = Arc::new(fit(&corpus, &options(kind)));
        let words = vec![b"3".to_vec(), b"no such word".to_vec()];
        let start = |frozen| Start { model: Some(Arc::clone(&before)), frozen, initial: None };
        let run = Run::quiet(1, 2);
        let after =
            train(&corpus, &options(kind), &start(Frozen::Words(words)), None, &run).unwrap();
        for word in 0..20u32 {
            let name = word.to_string();
            let vector = |model: &Model| model.vectors().vector(name.as_bytes()).unwrap();
            assert_eq!(vector(&before) == vector(&after), word == 3, "{kind:?} {word}");
        }
        let all = train(&corpus, &options(kind), &start(Frozen::Given), None, &run).unwrap();
        assert!(before.vectors().matrix() == all.vectors().matrix());
        assert!(kind.1 == Scoring::HierarchicalSoftmax || outputs(&before) != outputs(&all));
    }
}

#[test]
fn a_model_goes_on_with_new_words() {
    let first = corpus_of(&topics(2000, 1), None);
    for kind in ALL {
        let before = Arc::new(fit(&first, &options(kind)));
        // Word 99 takes the place of word 13.
        let mut sentences = topics(2000, 2);
        sentences.iter_mut().flatten().filter(|word| **word == 13).for_each(|word| *word = 99);
        let names = Arc::clone(before.vectors().names());
        let base = Base { names, counts: before.counts().to_vec() };
        let corpus = corpus_of(&sentences, Some(base));
        let start = Start { model: Some(Arc::clone(&before)), ..Start::default() };
        let run = Run::quiet(1, 1);
        let after = train(&corpus, &options(kind), &start, None, &run).unwrap();
        assert_eq!(after.vectors().len(), 21);
        let (near, far) = (cosine(after.vectors(), 99, 12), cosine(after.vectors(), 99, 2));
        assert!(near > far + 0.3, "{kind:?}: {near} {far}");
        let total: u64 = after.counts().iter().sum();
        assert_eq!(total, 40_000, "counts of both texts");
    }
}

#[test]
fn initial_vectors_of_other_dimensions_are_refused() {
    let corpus = corpus_of(&topics(50, 1), None);
    let initial = Some(fit(&corpus, &options(ALL[0])).vectors().clone());
    let start = Start { initial, ..Start::default() };
    let wider = Options { dimensions: 30, ..options(ALL[0]) };
    let refused = refusal(train(&corpus, &wider, &start, None, &Run::quiet(1, 1)));
    assert!(refused.contains("`dimensions` must be 24") && refused.contains("got 30"), "{refused}");
}

#[test]
fn predictions_are_probabilities_and_know_the_topic() {
    let corpus = corpus_of(&topics(3000, 1), None);
    let words = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect();
    for kind in ALL {
        let model = fit(&corpus, &options(kind));
        let context: Vec<Vec<u8>> = words(&["1", "2", "unknown", "3"]);
        let workers = Run::quiet(2, 1);
        let all = model.predict(&context, 100, &workers).unwrap();
        assert_eq!(all.len(), 20);
        let sum: f64 = all.iter().map(|(_, probability)| probability).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{kind:?}: {sum}");
        assert!(all.is_sorted_by(|a, b| a.1 >= b.1));
        for &(word, _) in &all[..5] {
            let name = String::from_utf8(model.vectors().names().get(word).to_vec()).unwrap();
            assert!(name.parse::<u32>().unwrap() < 10, "{kind:?}: {name} of the other topic");
        }
        assert_eq!(model.predict(&context, 3, &workers).unwrap(), all[..3]);
        let unknown: Vec<Vec<u8>> = words(&["nobody"]);
        let refused = model.predict(&unknown, 3, &workers).unwrap_err();
        assert_eq!(refused.code(), "NOT_FOUND");
    }
}

#[test]
fn a_sentence_scores_what_its_predictions_say() {
    let corpus = corpus_of(&topics(2000, 1), None);
    let sentence: Vec<Vec<u8>> =
        ["1", "2", "3"].iter().map(|word| word.as_bytes().to_vec()).collect();
    let model = fit(&corpus, &options((Architecture::Cbow, Scoring::HierarchicalSoftmax)));
    let mut wanted = 0.0;
    for centre in 0..3 {
        let mut context = sentence.clone();
        let word = model.vectors().names().find(&context.remove(centre)).unwrap();
        let all = model.predict(&context, 20, &Run::quiet(1, 1)).unwrap();
        wanted += all.iter().find(|(other, _)| *other == word).unwrap().1.ln();
    }
    let score = model.score(&sentence).unwrap();
    assert!((score - wanted).abs() < 1e-5, "{score} {wanted}");
    let mixed: Vec<Vec<u8>> =
        ["1", "12", "3"].iter().map(|word| word.as_bytes().to_vec()).collect();
    assert!(score > model.score(&mixed).unwrap() + 1.0);
    let sampled = fit(&corpus, &options(ALL[0]));
    assert_eq!(sampled.score(&sentence).unwrap_err().code(), "UNSUPPORTED");
}

#[test]
fn a_model_comes_back_from_its_file() {
    let corpus = corpus_of(&topics(300, 1), None);
    let folder = tempfile::tempdir().unwrap();
    for kind in ALL {
        let model = fit(&corpus, &options(kind));
        let path = folder.path().join("model.safetensors");
        model.save(&path, &Run::quiet(1, 1)).unwrap();
        let back = Model::open(&path).unwrap();
        assert!(back.vectors().matrix() == model.vectors().matrix());
        assert!(outputs(&back) == outputs(&model));
        assert_eq!((back.counts(), back.losses()), (model.counts(), model.losses()));
        assert_eq!(back.options(), model.options());
        let context = [b"1".to_vec()];
        let predicted = |model: &Model| model.predict(&context, 5, &Run::quiet(1, 1)).unwrap();
        assert_eq!(predicted(&back), predicted(&model));
    }
}

#[test]
fn steps_that_are_too_large_are_an_error_not_garbage() {
    let corpus = corpus_of(&topics(300, 1), None);
    let wild = Options { learning_rate: 1e30, final_learning_rate: 1e30, ..options(ALL[0]) };
    let refused = refusal(train(&corpus, &wild, &Start::default(), None, &Run::quiet(1, 1)));
    assert!(refused.starts_with("DIVERGED") && refused.contains("learningRate"), "{refused}");
}

#[test]
fn a_vocabulary_of_one_word_and_vectors_of_any_width_train() {
    let one = corpus_of(&[vec![7; 50], vec![7], vec![7, 7]], None);
    let two = corpus_of(&topics(20, 1), None);
    for kind in ALL {
        assert_eq!(fit(&one, &options(kind)).vectors().len(), 1);
        for dimensions in [1, 2, 15, 16, 17, 1536, 4096] {
            let model = fit(&two, &Options { dimensions, epochs: 1, ..options(kind) });
            let matrix = model.vectors().matrix();
            assert_eq!(matrix.len(), 20 * dimensions);
            assert!(matrix.iter().all(|value| value.is_finite()));
        }
    }
}

#[test]
fn two_threads_learn_the_same_topics() {
    let corpus = corpus_of(&topics(8000, 7), None);
    for kind in ALL {
        let run = Run::quiet(2, 1);
        let model = train(&corpus, &options(kind), &Start::default(), None, &run).unwrap();
        let (near, far) = (cosine(model.vectors(), 1, 2), cosine(model.vectors(), 1, 12));
        assert!(near > far + 0.5, "{kind:?}: {near} {far}");
    }
}
