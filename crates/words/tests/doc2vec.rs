//! Doc2Vec as a whole: what every combination of architecture and objective must hold.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use inlay_base::{Error, Random, Result, Run};
use inlay_corpus::{Base, Batch, Corpus, Source};
use inlay_vectors::WordVectors;
use inlay_words::doc2vec::{
    Architecture, Combine, Inference, Model, Options, Reading, Tags, TagsBuilder, train,
};
use inlay_words::word2vec::{Frozen, Scoring, Start};
use inlay_words::{Checkpoint, Curve};

/// Every way of learning: PV-DBOW without and with words, PV-DM three times.
const WAYS: [(Architecture, Combine, bool); 5] = [
    (Architecture::DistributedBagOfWords, Combine::Mean, false),
    (Architecture::DistributedBagOfWords, Combine::Mean, true),
    (Architecture::DistributedMemory, Combine::Mean, false),
    (Architecture::DistributedMemory, Combine::Sum, false),
    (Architecture::DistributedMemory, Combine::Concatenation, false),
];
const OBJECTIVES: [Scoring; 2] = [Scoring::NegativeSampling, Scoring::HierarchicalSoftmax];

fn all() -> impl Iterator<Item = Options> {
    WAYS.into_iter().flat_map(|way| OBJECTIVES.map(|objective| options(way, objective)))
}

fn options(
    (architecture, combine, word_training): (Architecture, Combine, bool),
    objective: Scoring,
) -> Options {
    Options {
        architecture,
        combine,
        word_training,
        objective,
        dimensions: 20,
        window: 1,
        shrink_window: true,
        negative: 5,
        negative_exponent: 0.75,
        shared_negatives: true,
        epochs: 20,
        learning_rate: 0.05,
        final_learning_rate: 5e-6,
        schedule: Curve::Linear,
        subsample: 0.0,
        reading: Reading {
            tokenizer: "whitespace".into(),
            lowercase: false,
            normalization: "none".into(),
            phrases: false,
        },
    }
}

fn corpus_of(documents: &[Vec<i64>], model: Option<&Model>) -> Corpus {
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    let (mut sentence_ends, mut values) = (Vec::new(), Vec::new());
    for document in documents {
        values.extend_from_slice(document);
        sentence_ends.push(values.len());
    }
    send.send(Batch::Integers { values, sentence_ends }).unwrap();
    drop(send);
    let base = model
        .map(|model| Base { names: Arc::clone(model.names()), counts: model.counts().to_vec() });
    let closed = base.is_some();
    let options =
        inlay_corpus::Options { min_count: 1, base, closed, documents: true, ..Default::default() };
    Corpus::read(Source::Stream(receive), &options, &Run::quiet(1, 1)).unwrap()
}

/// Documents of forty words about one of two topics, words 0..10 and 10..20, in turn; every fifth is
/// empty. Every other word is about nothing, so that within a window of 1 only the document can tell
/// what a word of its topic will be.
fn topics(documents: usize, seed: u64) -> Vec<Vec<i64>> {
    let mut random = Random::new(seed, 0);
    (0..documents)
        .map(|i| {
            let length = if i % 5 == 4 { 0 } else { 40 };
            let about = |at: usize| if at.is_multiple_of(2) { 20 } else { 10 * topic(i) as i64 };
            (0..length).map(|at| about(at) + i64::from(random.below(10))).collect()
        })
        .collect()
}

fn topic(document: usize) -> usize {
    document % 2
}

fn numbered(corpus: &Corpus) -> Tags {
    Tags::numbered(corpus.sentences()).unwrap()
}

fn go(corpus: &Corpus, options: &Options, file: Option<&Checkpoint>, run: &Run) -> Result<Model> {
    train((corpus, &numbered(corpus)), options, &Start::default(), file, run)
}

fn fit(corpus: &Corpus, options: &Options) -> Model {
    go(corpus, options, None, &Run::quiet(1, 1)).unwrap()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Mean cosines of documents of one topic and of two.
fn nearness(rows: &[f32], dimensions: usize) -> (f64, f64) {
    let rows: Vec<&[f32]> = rows.chunks(dimensions).collect();
    let (mut same, mut other) = ((0.0, 0.0), (0.0, 0.0));
    for a in (0..rows.len()).filter(|a| a % 5 != 4) {
        for b in (0..a).filter(|b| b % 5 != 4) {
            let sum = if topic(a) == topic(b) { &mut same } else { &mut other };
            *sum = (sum.0 + cosine(rows[a], rows[b]), sum.1 + 1.0);
        }
    }
    (same.0 / same.1, other.0 / other.1)
}

fn words(model: &Model) -> Vec<f32> {
    model.vectors().map(WordVectors::matrix).unwrap_or_default()
}

#[test]
fn documents_of_two_topics_come_apart_and_the_loss_falls() {
    let corpus = corpus_of(&topics(200, 7), None);
    assert_eq!(corpus.sentences(), 200);
    for options in all() {
        let model = fit(&corpus, &options);
        assert_eq!(model.tags().len(), 200);
        let (same, other) = nearness(&model.tags().matrix(), 20);
        assert!(same > other + 0.4, "{options:?}: {same} {other}");
        let losses = model.losses();
        assert!(losses.len() == 20 && losses[19] < losses[0] * 0.99, "{options:?}: {losses:?}");
        let trained = options.word_training || options.architecture == WAYS[2].0;
        assert_eq!(model.vectors().is_some(), trained);
    }
}

#[test]
fn the_loss_of_vectors_that_know_nothing_is_the_formula() {
    let corpus = corpus_of(&topics(200, 3), None);
    let counts = corpus.counts();
    let total: f64 = counts.iter().map(|&count| count as f64).sum();
    let hits: f64 = counts.iter().map(|&count| (count as f64 / total).powi(2)).sum();
    for way in WAYS {
        let still = Options {
            learning_rate: 1e-12,
            final_learning_rate: 1e-12,
            negative_exponent: 1.0,
            // Noise that is one of several targets is left out for all of them.
            shared_negatives: false,
            epochs: 2,
            ..options(way, Scoring::NegativeSampling)
        };
        let wanted = (1.0 + 5.0 * (1.0 - hits)) * std::f64::consts::LN_2;
        for &loss in fit(&corpus, &still).losses() {
            assert!((loss / wanted - 1.0).abs() < 0.01, "{way:?}: {loss}, wanted {wanted}");
        }
    }
}

#[test]
fn one_thread_and_one_seed_give_the_same_bytes_another_seed_others() {
    let corpus = corpus_of(&topics(60, 1), None);
    for options in all() {
        let options = Options { subsample: 0.01, epochs: 2, ..options };
        let with = |seed| {
            let model = go(&corpus, &options, None, &Run::quiet(1, seed)).unwrap();
            (model.tags().matrix(), words(&model), model.losses().to_vec())
        };
        assert!(with(1) == with(1), "{options:?}");
        assert!(with(1).0 != with(2).0, "{options:?}");
    }
}

#[test]
fn every_option_changes_the_vectors() {
    let corpus = corpus_of(&topics(60, 1), None);
    let few = |way: usize| Options { epochs: 3, ..options(WAYS[way], OBJECTIVES[0]) };
    let (bag, words, mean, whole) = (few(0), few(1), few(2), few(4));
    let changes = [
        (bag.clone(), words.clone()),
        (mean.clone(), Options { combine: Combine::Sum, ..mean.clone() }),
        (mean.clone(), Options { window: 2, ..mean.clone() }),
        (whole.clone(), Options { window: 2, ..whole.clone() }),
        (mean.clone(), Options { shrink_window: false, ..mean.clone() }),
        (mean.clone(), Options { shared_negatives: false, ..mean.clone() }),
        (words.clone(), Options { shared_negatives: false, ..words.clone() }),
        (bag.clone(), Options { shared_negatives: false, ..bag.clone() }),
        (bag.clone(), Options { negative: 4, ..bag.clone() }),
        (bag.clone(), Options { negative_exponent: -0.5, ..bag.clone() }),
        (bag.clone(), Options { epochs: 2, ..bag.clone() }),
        (bag.clone(), Options { learning_rate: 0.04, ..bag.clone() }),
        (bag.clone(), Options { final_learning_rate: 0.01, ..bag.clone() }),
        (bag.clone(), Options { schedule: Curve::Cosine, ..bag.clone() }),
        (bag.clone(), Options { subsample: 0.01, ..bag.clone() }),
    ];
    for (before, after) in changes {
        let vectors = |options| fit(&corpus, options).tags().matrix();
        assert!(vectors(&before) != vectors(&after), "{after:?}");
    }
}

#[test]
fn tags_are_shared_and_a_document_may_have_several() {
    let documents = topics(100, 1);
    let corpus = corpus_of(&documents, None);
    let mut builder = TagsBuilder::default();
    for number in 0..100 {
        let (own, shared) = (format!("document {number}"), ["even", "odd"][topic(number)]);
        builder.add([own.as_bytes(), shared.as_bytes()]);
    }
    let tags = builder.finish().unwrap();
    for options in all() {
        let run = Run::quiet(1, 1);
        let model = train((&corpus, &tags), &options, &Start::default(), None, &run).unwrap();
        assert_eq!(model.tags().len(), 102);
        assert_eq!(model.tags().counts().unwrap()[1], 50);
        if options.combine == Combine::Concatenation {
            continue; // the second tag has outputs of its own: nothing makes it like a first one
        }
        let row = |tag: &str| model.tags().vector(tag.as_bytes()).unwrap();
        // Of what the two tags of a document share, each has a part: of one topic they are alike.
        let own = |topic: usize| -> f64 {
            let of_topic = (0..100).filter(|i| i % 5 != 4 && i % 2 == topic);
            of_topic.map(|i| cosine(&row(&format!("document {i}")), &row("even"))).sum()
        };
        assert!(own(0) > own(1) + 1.0, "{options:?}: {} {}", own(0), own(1));
    }
}

#[test]
fn concatenation_wants_the_same_number_of_tags_and_tags_a_document_each() {
    let corpus = corpus_of(&topics(3, 1), None);
    let with = |lists: &[&[&str]]| {
        let mut builder = TagsBuilder::default();
        lists.iter().for_each(|tags| builder.add(tags.iter().map(|tag| tag.as_bytes())));
        let tags = builder.finish().unwrap();
        let options = Options { epochs: 1, ..options(WAYS[4], OBJECTIVES[0]) };
        train((&corpus, &tags), &options, &Start::default(), None, &Run::quiet(1, 1))
    };
    assert_eq!(with(&[&["a", "b"], &["c", "d"], &["e", "f"]]).unwrap().output_width(), 4 * 20);
    assert!(refusal(with(&[&["a"], &["b", "c"], &["d"]])).contains("document 1 has another"));
    assert!(refusal(with(&[&["a"], &["b"]])).contains("3 documents, but tags for 2"));
}

#[test]
fn a_document_longer_than_a_sentence_may_be_is_one_document() {
    let mut random = Random::new(1, 0);
    let mut long = |topic: i64, length: usize| -> Vec<i64> {
        (0..length).map(|_| topic * 10 + i64::from(random.below(10))).collect()
    };
    let documents = vec![long(0, 5000), long(1, 5000), long(0, 5000), long(1, 3)];
    let corpus = corpus_of(&documents, None);
    for options in all() {
        let model = fit(&corpus, &Options { epochs: 3, window: 3, ..options });
        let rows = model.tags().matrix();
        let row = |number: usize| &rows[number * 20..][..20];
        let (same, other) = (cosine(row(0), row(2)), cosine(row(0), row(1)));
        assert!(same > other + 0.3, "{same} {other}");
    }
}

fn checkpoint(folder: &Path, every: Duration) -> Checkpoint {
    Checkpoint { path: folder.join("checkpoint.safetensors"), every }
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
fn a_training_goes_on_from_its_checkpoint_with_the_same_bytes() {
    let corpus = corpus_of(&topics(300, 1), None);
    for options in all() {
        let options = Options { subsample: 0.02, epochs: 3, ..options };
        let unbroken = fit(&corpus, &options);
        let folder = tempfile::tempdir().unwrap();
        let often = checkpoint(folder.path(), Duration::ZERO);
        let sliced = go(&corpus, &options, Some(&often), &Run::quiet(1, 1)).unwrap();
        assert!(unbroken.tags().matrix() == sliced.tags().matrix(), "{options:?}");
        assert!(words(&unbroken) == words(&sliced), "{options:?}");

        let folder = tempfile::tempdir().unwrap();
        let file = checkpoint(folder.path(), Duration::from_secs(3600));
        let aborted = go(&corpus, &options, Some(&file), &stopped_at(1));
        assert_eq!(aborted.err(), Some(Error::Aborted));
        let resumed = go(&corpus, &options, Some(&file), &Run::quiet(1, 1)).unwrap();
        assert!(unbroken.tags().matrix() == resumed.tags().matrix(), "{options:?}");
    }
}

fn refusal(outcome: Result<Model>) -> String {
    outcome.err().map(|error| format!("{} {error}", error.code())).unwrap_or_default()
}

#[test]
fn a_checkpoint_of_another_training_is_refused_by_what_differs() {
    let corpus = corpus_of(&topics(50, 1), None);
    let folder = tempfile::tempdir().unwrap();
    let file = checkpoint(folder.path(), Duration::ZERO);
    let first = Options { epochs: 1, ..options(WAYS[2], OBJECTIVES[0]) };
    let run = Run::quiet(1, 1);
    go(&corpus, &first, Some(&file), &run).unwrap();
    let other = Options { combine: Combine::Sum, ..first.clone() };
    let refused = refusal(go(&corpus, &other, Some(&file), &run));
    assert!(refused.contains("combine \"sum\", this one has \"mean\""), "{refused}");
    let mut builder = TagsBuilder::default();
    (0..50).for_each(|_| builder.add([&b"one"[..]]));
    let tags = builder.finish().unwrap();
    let tagged = train((&corpus, &tags), &first, &Start::default(), Some(&file), &run);
    assert!(refusal(tagged).contains("documents with the same tags"));
}

#[test]
fn frozen_words_stay_and_tags_move() {
    let corpus = corpus_of(&topics(60, 1), None);
    for way in [WAYS[1], WAYS[2], WAYS[4]] {
        let options = Options { epochs: 2, ..options(way, OBJECTIVES[0]) };
        let values: Vec<f32> = (0..2 * 20).map(|i| i as f32 / 100.0).collect();
        let names = Arc::new(inlay_formats::Names::new(["3", "12"]).unwrap());
        let rows = inlay_vectors::Rows::from_values(&values, 20).unwrap();
        let initial = WordVectors::new(names, rows);
        let start = Start { initial: Some(initial), frozen: Frozen::Given, ..Start::default() };
        let run = Run::quiet(1, 1);
        let model = train((&corpus, &numbered(&corpus)), &options, &start, None, &run).unwrap();
        let vectors = model.vectors().unwrap();
        assert_eq!(vectors.vector(b"3").unwrap(), values[..20], "{way:?}");
        assert_eq!(vectors.vector(b"12").unwrap(), values[20..], "{way:?}");
        let free = fit(&corpus, &options);
        assert!(free.tags().matrix() != model.tags().matrix());
    }
}

const HOW: Inference = Inference { epochs: 20, learning_rate: 0.05, final_learning_rate: 5e-6 };

#[test]
fn an_inferred_document_lies_with_its_topic() {
    let corpus = corpus_of(&topics(200, 7), None);
    let new = topics(40, 8);
    for options in all() {
        let model = fit(&corpus, &options);
        let before = (model.tags().matrix(), words(&model));
        let asked = corpus_of(&new, Some(&model));
        let found = model.infer(&asked, HOW, &Run::quiet(1, 1)).unwrap();
        assert_eq!(found.len(), 40 * 20);
        let (same, other) = nearness(&found, 20);
        assert!(same > other + 0.4, "{options:?}: {same} {other}");
        // Beside the tags of the training, too.
        let tags: Vec<f32> = before.0[..40 * 20].to_vec();
        for (number, row) in found.chunks(20).enumerate().filter(|(number, _)| number % 5 != 4) {
            let to = |topic: usize| -> f64 {
                let of_topic = (0..40).filter(|i| i % 5 != 4 && i % 2 == topic);
                of_topic.map(|i| cosine(row, &tags[i * 20..][..20])).sum()
            };
            let (own, others) = (to(topic(number)), to(1 - topic(number)));
            assert!(own > others, "{options:?} {number}: {own} {others}");
        }
        assert!(found[4 * 20..5 * 20].iter().all(|&value| value == 0.0), "an empty document");
        assert!((model.tags().matrix(), words(&model)) == before, "nothing else moves");
    }
}

#[test]
fn an_inference_depends_on_the_document_and_the_seed_alone() {
    let corpus = corpus_of(&topics(100, 7), None);
    let new = topics(300, 8);
    let reversed: Vec<Vec<i64>> = new.iter().rev().cloned().collect();
    for options in all() {
        let model = fit(&corpus, &Options { epochs: 2, subsample: 0.02, ..options });
        let infer = |documents: &[Vec<i64>], threads, seed| {
            let asked = corpus_of(documents, Some(&model));
            model.infer(&asked, HOW, &Run::quiet(threads, seed)).unwrap()
        };
        let found = infer(&new, 1, 1);
        assert!(found == infer(&new, 3, 1), "threads");
        assert!(found != infer(&new, 1, 2), "seed");
        let backwards = infer(&reversed, 2, 1);
        let turned: Vec<f32> = backwards.chunks(20).rev().flatten().copied().collect();
        assert!(found == turned, "company and order");
        assert!(found[20..40] == infer(&new[1..2], 1, 1)[..], "alone");
    }
}

#[test]
fn unknown_words_are_passed_over_and_a_document_of_them_is_zero() {
    let corpus = corpus_of(&topics(50, 7), None);
    let model = fit(&corpus, &options(WAYS[0], OBJECTIVES[0]));
    let infer = |documents: &[Vec<i64>]| {
        model.infer(&corpus_of(documents, Some(&model)), HOW, &Run::quiet(1, 1)).unwrap()
    };
    assert!(infer(&[vec![1, 777, 2]]) == infer(&[vec![1, 2]]));
    assert!(infer(&[vec![777, 778], vec![]]).iter().all(|&value| value == 0.0));
    assert!(infer(&[]).is_empty());
}

#[test]
fn what_is_saved_opens_and_infers_the_same() {
    let corpus = corpus_of(&topics(60, 7), None);
    let new = topics(20, 9);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let run = Run::quiet(1, 1);
    for options in all() {
        let model = fit(&corpus, &Options { epochs: 2, ..options });
        model.save(&path, &run).unwrap();
        let opened = Model::open(&path).unwrap();
        assert_eq!(opened.options(), model.options());
        assert_eq!(opened.losses(), model.losses());
        assert!(opened.tags().matrix() == model.tags().matrix());
        assert_eq!(opened.tags().counts(), model.tags().counts());
        assert!(words(&opened) == words(&model));
        let infer = |model: &Model| model.infer(&corpus_of(&new, Some(model)), HOW, &run).unwrap();
        assert!(infer(&opened) == infer(&model));
    }
}

#[test]
fn a_damaged_model_is_one_clear_error() {
    let corpus = corpus_of(&topics(30, 7), None);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let options = Options { epochs: 1, ..options(WAYS[4], OBJECTIVES[1]) };
    fit(&corpus, &options).save(&path, &Run::quiet(1, 1)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let refused = refusal(Model::open(&path));
        assert!(refused.starts_with("INVALID_INPUT"), "cut to {length}: {refused}");
    }
    let mut random = Random::new(5, 0);
    for _ in 0..500 {
        let mut damaged = whole.clone();
        for _ in 0..3 {
            let at = random.below(damaged.len().min(3000) as u32) as usize;
            damaged[at] = random.bits() as u8;
        }
        std::fs::write(&path, &damaged).unwrap();
        let refused = refusal(Model::open(&path));
        assert!(!refused.starts_with("INTERNAL"), "{refused}");
    }
}
