//! GloVe as a whole: counting against a plain map, training, checkpoints, files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use inlay_base::{Error, Random, Result, Run};
use inlay_corpus::{Batch, Corpus, Source};
use inlay_formats::glove::{Record, fields, record};
use inlay_vectors::WordVectors;
use inlay_words::Checkpoint;
use inlay_words::glove::{Chosen, Cooccurrence, Counting, Model, Options, Room, train};

const AMPLE: u64 = 64 << 20;

fn corpus_of(sentences: &[Vec<i64>], min_count: u64) -> Corpus {
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    let mut sentence_ends = Vec::new();
    let mut values = Vec::new();
    for sentence in sentences {
        values.extend_from_slice(sentence);
        sentence_ends.push(values.len());
    }
    send.send(Batch::Integers { values, sentence_ends }).unwrap();
    drop(send);
    let options = inlay_corpus::Options { min_count, ..Default::default() };
    Corpus::read(Source::Stream(receive), &options, &Run::quiet(1, 1)).unwrap()
}

/// Sentences of random words, of which few are frequent.
fn random_text(words: usize, vocabulary: u32, seed: u64) -> Vec<Vec<i64>> {
    let mut random = Random::new(seed, 0);
    let mut sentences = Vec::new();
    let mut left = words;
    while left > 0 {
        let length = (1 + random.below(40) as usize).min(left);
        let word = |random: &mut Random| {
            let most = 1 + random.below(vocabulary);
            i64::from(random.below(most))
        };
        sentences.push((0..length).map(|_| word(&mut random)).collect());
        left -= length;
    }
    sentences
}

fn counting(window: usize, symmetric: bool, distance_weighting: bool, memory: u64) -> Counting {
    let room = Room { memory, directory: None };
    Counting { window, symmetric, distance_weighting, room }
}

/// The definition, word by word: counts by (word, context), in f64.
fn plain(corpus: &Corpus, counting: &Counting) -> BTreeMap<(u32, u32), f64> {
    let mut counts = BTreeMap::new();
    for sentence in corpus.ids().split(|&id| id == inlay_corpus::SENTENCE_END) {
        for (place, &right) in sentence.iter().enumerate() {
            for distance in 1..=counting.window.min(place) {
                let left = sentence[place - distance];
                let weight = if counting.distance_weighting { 1.0 / distance as f64 } else { 1.0 };
                *counts.entry((left, right)).or_insert(0.0) += weight;
                if counting.symmetric {
                    *counts.entry((right, left)).or_insert(0.0) += weight;
                }
            }
        }
    }
    counts
}

fn saved(pairs: &Cooccurrence) -> Vec<Record> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cooccurrence.bin");
    pairs.save(&path, None, &Run::quiet(1, 1)).unwrap();
    let bytes = std::fs::read(path).unwrap();
    bytes.chunks_exact(16).map(bytemuck::pod_read_unaligned).collect()
}

#[test]
fn counts_are_those_of_a_plain_map_with_much_memory_and_with_hardly_any() {
    let corpus = corpus_of(&random_text(30_000, 300, 5), 3);
    for (window, symmetric, weighted) in
        [(15, true, true), (4, false, true), (1, true, false), (60, false, false)]
    {
        let wanted = plain(&corpus, &counting(window, symmetric, weighted, AMPLE));
        let mut first: Option<Vec<Record>> = None;
        for (memory, threads) in [(AMPLE, 1), (AMPLE, 3), (4096, 1), (30_000, 2)] {
            let counting = counting(window, symmetric, weighted, memory);
            let run = Run::quiet(threads, 1);
            let pairs = Cooccurrence::count(&corpus, &counting, &run).unwrap();
            let records = saved(&pairs);
            assert_eq!(records.len(), wanted.len());
            assert_eq!(pairs.pairs(), wanted.len() as u64);
            for &record in &records {
                let (word, context, count) = fields(record);
                let exact = wanted[&(word, context)];
                assert!((count / exact - 1.0).abs() < 1e-8, "{word} {context}: {count} {exact}");
            }
            let same = *first.get_or_insert_with(|| records.clone()) == records;
            assert!(same, "other bytes with {memory} bytes on {threads} threads");
        }
    }
}

#[test]
fn a_sentence_longer_than_a_shard_of_work_is_whole() {
    let corpus = corpus_of(&[(0..40_000).map(|i| i % 7).collect()], 1);
    let counting = counting(3, true, true, AMPLE);
    let wanted = plain(&corpus, &counting);
    let pairs = Cooccurrence::count(&corpus, &counting, &Run::quiet(2, 1)).unwrap();
    for record in saved(&pairs) {
        let (word, context, count) = fields(record);
        assert!((count / wanted[&(word, context)] - 1.0).abs() < 1e-8);
    }
}

#[test]
fn words_that_never_meet_are_an_error() {
    let corpus = corpus_of(&[vec![1], vec![2], vec![1]], 1);
    let counted = Cooccurrence::count(&corpus, &counting(5, true, true, AMPLE), &Run::quiet(1, 1));
    assert_eq!(counted.err().map(|error| error.code()), Some("INVALID_INPUT"));
}

fn options() -> Options {
    Options {
        dimensions: 24,
        epochs: 15,
        learning_rate: 0.05,
        x_max: 100.0,
        alpha: 0.75,
        vectors: Chosen::Both,
        unknown: false,
    }
}

fn room() -> Room {
    Room { memory: AMPLE, directory: None }
}

/// Sentences of ten words about one of two topics, words 0..10 and 10..20, that meet now and then.
fn topics(sentences: usize, seed: u64) -> Vec<Vec<i64>> {
    let mut random = Random::new(seed, 0);
    let word = |topic: u32, random: &mut Random| {
        let other = random.below(20) == 0;
        i64::from((topic ^ u32::from(other)) * 10 + random.below(10))
    };
    (0..sentences).map(|i| (0..10).map(|_| word(i as u32 % 2, &mut random)).collect()).collect()
}

fn pairs_of(sentences: usize, seed: u64) -> Cooccurrence {
    let corpus = corpus_of(&topics(sentences, seed), 1);
    Cooccurrence::count(&corpus, &counting(5, true, true, AMPLE), &Run::quiet(1, 1)).unwrap()
}

fn fit(pairs: &Cooccurrence, options: &Options) -> Model {
    train(pairs, options, &room(), None, &Run::quiet(1, 1)).unwrap()
}

fn cosine(vectors: &WordVectors, a: u32, b: u32) -> f64 {
    let row = |word: u32| vectors.vector(word.to_string().as_bytes()).unwrap();
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    };
    let (a, b) = (row(a), row(b));
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

#[test]
fn words_of_one_topic_come_together_and_the_loss_falls_on_one_thread_and_on_three() {
    let pairs = pairs_of(3000, 7);
    for threads in [1, 3] {
        let run = Run::quiet(threads, 1);
        let options = Options { epochs: 60, ..options() };
        let model = train(&pairs, &options, &room(), None, &run).unwrap();
        let (near, far) = (cosine(model.vectors(), 1, 2), cosine(model.vectors(), 1, 12));
        assert!(near > far + 0.3, "{near} {far}");
        let losses = model.losses();
        assert!(losses.len() == 60 && losses[59] < 0.2 * losses[0], "{losses:?}");
    }
}

#[test]
fn one_thread_and_one_seed_give_the_same_bytes_another_seed_others() {
    let corpus = corpus_of(&topics(300, 1), 1);
    let with = |seed, threads, memory| {
        let counting = counting(5, true, true, memory);
        let pairs = Cooccurrence::count(&corpus, &counting, &Run::quiet(threads, 9)).unwrap();
        let run = Run::quiet(1, seed);
        let model = train(&pairs, &options(), &room(), None, &run).unwrap();
        (model.vectors().matrix(), model.context().matrix(), model.losses().to_vec())
    };
    assert!(with(1, 1, AMPLE) == with(1, 3, 8192));
    assert!(with(1, 1, AMPLE).0 != with(2, 1, AMPLE).0);
}

#[test]
fn every_option_changes_the_vectors() {
    let corpus = corpus_of(&topics(300, 1), 1);
    let first = options();
    let vectors = |counting: &Counting, options: &Options| {
        let pairs = Cooccurrence::count(&corpus, counting, &Run::quiet(1, 1)).unwrap();
        fit(&pairs, options).vectors().matrix()
    };
    let before = vectors(&counting(5, true, true, AMPLE), &first);
    for other in [(4, true, true), (5, false, true), (5, true, false)] {
        let counting = counting(other.0, other.1, other.2, AMPLE);
        assert!(vectors(&counting, &first) != before, "{other:?}");
    }
    let changes = [
        Options { epochs: 14, ..first.clone() },
        Options { learning_rate: 0.04, ..first.clone() },
        Options { x_max: 10.0, ..first.clone() },
        Options { alpha: 0.5, ..first.clone() },
        Options { vectors: Chosen::Word, ..first.clone() },
        Options { vectors: Chosen::Context, ..first.clone() },
        Options { unknown: true, ..first.clone() },
    ];
    for options in changes {
        assert!(vectors(&counting(5, true, true, AMPLE), &options) != before, "{options:?}");
    }
}

#[test]
fn the_vectors_of_both_are_sums_and_unknown_is_the_mean_of_the_rarest() {
    let model = fit(&pairs_of(200, 1), &Options { unknown: true, ..options() });
    let (word, context) = (model.word().matrix(), model.context().matrix());
    for (i, sum) in model.vectors().matrix().iter().enumerate() {
        assert_eq!(*sum, word[i] + context[i]);
    }
    assert_eq!(model.vectors().len(), 21);
    let unknown = model.context().vector(b"<unk>").unwrap();
    for (i, value) in unknown.iter().enumerate() {
        let mean = (0..20).map(|row| context[row * 24 + i]).sum::<f32>() / 20.0;
        assert!((value - mean).abs() < 1e-6);
    }
}

fn checkpoint(folder: &Path, every: Duration) -> Checkpoint {
    Checkpoint { path: folder.join("checkpoint.safetensors"), every }
}

/// A run that is stopped from outside at its n-th event.
fn stopped_at(event: u32) -> Run {
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, events) = (Arc::clone(&stop), AtomicU32::new(0));
    let sink = move |progress: inlay_base::Progress| {
        let training = progress.phase == "train";
        if training && events.fetch_add(1, Relaxed) + 1 == event {
            flag.store(true, Relaxed);
        }
    };
    Run::new(1, 1, stop, Box::new(sink))
}

#[test]
fn a_training_in_slices_or_aborted_gives_the_bytes_of_an_unbroken_one() {
    let corpus = corpus_of(&random_text(20_000, 300, 5), 1);
    let pairs =
        Cooccurrence::count(&corpus, &counting(5, true, true, AMPLE), &Run::quiet(2, 1)).unwrap();
    let unbroken = fit(&pairs, &options());
    let run = Run::quiet(1, 1);
    let go = |file: &Checkpoint, run: &Run| train(&pairs, &options(), &room(), Some(file), run);
    let folder = tempfile::tempdir().unwrap();
    let sliced = go(&checkpoint(folder.path(), Duration::from_millis(1)), &run).unwrap();
    assert!(unbroken.vectors().matrix() == sliced.vectors().matrix());

    let folder = tempfile::tempdir().unwrap();
    let file = checkpoint(folder.path(), Duration::from_secs(3600));
    assert_eq!(go(&file, &stopped_at(1)).err(), Some(Error::Aborted));
    let resumed = go(&file, &run).unwrap();
    assert!(unbroken.vectors().matrix() == resumed.vectors().matrix());
    assert!(unbroken.biases() == resumed.biases());
    for (a, b) in unbroken.losses().iter().zip(resumed.losses()) {
        assert!((a - b).abs() < 1e-9 * a, "summed in another order at most");
    }
    // A finished one is there at once, with other vectors of it if they are asked for.
    let word = Options { vectors: Chosen::Word, ..options() };
    let again = train(&pairs, &word, &room(), Some(&file), &run).unwrap();
    assert!(unbroken.word().matrix() == again.vectors().matrix());
}

fn refusal<T>(outcome: Result<T>) -> String {
    outcome.err().map(|error| format!("{} {error}", error.code())).unwrap_or_default()
}

#[test]
fn a_checkpoint_of_another_training_or_a_damaged_one_is_refused() {
    let pairs = pairs_of(100, 1);
    let folder = tempfile::tempdir().unwrap();
    let file = checkpoint(folder.path(), Duration::from_secs(3600));
    let go = |pairs: &Cooccurrence, options: &Options, seed| {
        train(pairs, options, &room(), Some(&file), &Run::quiet(1, seed))
    };
    go(&pairs, &options(), 1).unwrap();
    let other = refusal(go(&pairs, &Options { dimensions: 25, ..options() }, 1));
    assert!(other.contains("dimensions 25, this one has 24"), "{other}");
    assert!(refusal(go(&pairs, &options(), 2)).contains("seed 2"));
    assert!(refusal(go(&pairs_of(101, 1), &options(), 1)).contains("the same text"));
    let whole = std::fs::read(&file.path).unwrap();
    for length in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&file.path, &whole[..length]).unwrap();
        let refused = refusal(go(&pairs, &options(), 1));
        assert!(refused.starts_with("INVALID_INPUT"), "cut to {length}: {refused}");
    }
    let mut random = Random::new(5, 0);
    for _ in 0..200 {
        let mut damaged = whole.clone();
        for _ in 0..3 {
            let at = random.below(damaged.len().min(3000) as u32) as usize;
            damaged[at] = random.bits() as u8;
        }
        std::fs::write(&file.path, &damaged).unwrap();
        let refused = refusal(go(&pairs, &options(), 1));
        assert!(!refused.starts_with("INTERNAL"), "{refused}");
    }
}

#[test]
fn a_learning_rate_that_explodes_is_diverged() {
    let run = Run::quiet(1, 1);
    let wild = Options { learning_rate: 1e30, epochs: 50, ..options() };
    let refused = refusal(train(&pairs_of(100, 1), &wild, &room(), None, &run));
    assert!(refused.starts_with("DIVERGED"), "{refused}");
}

#[test]
fn saved_pairs_train_to_the_same_bytes_and_hostile_files_are_one_clear_error() {
    let pairs = pairs_of(200, 1);
    let folder = tempfile::tempdir().unwrap();
    let (records, vocabulary) = (folder.path().join("c.bin"), folder.path().join("vocab.txt"));
    pairs.save(&records, Some(&vocabulary), &Run::quiet(1, 1)).unwrap();
    let opened = Cooccurrence::open(&records, &vocabulary).unwrap();
    assert_eq!(opened.counts(), pairs.counts());
    assert!(opened.names().iter().eq(pairs.names().iter()));
    let (before, after) = (fit(&pairs, &options()), fit(&opened, &options()));
    assert!(before.vectors().matrix() == after.vectors().matrix());

    let train_on = |bytes: &[u8]| {
        std::fs::write(&records, bytes).unwrap();
        let pairs = Cooccurrence::open(&records, &vocabulary)?;
        train(&pairs, &options(), &room(), None, &Run::quiet(1, 1))
    };
    let good = record(0, 1, 2.0);
    let with = |bad: Record| bytemuck::cast_slice(&[good, bad]).to_vec();
    let wrong = [
        (Vec::new(), "no records"),
        (with(good)[..31].to_vec(), "31 bytes"),
        (with(record(20, 0, 1.0)), "byte 16: the pair 21, 1 of a vocabulary of 20"),
        (with([1 << 32, 1.0f64.to_bits()]), "byte 16: the pair 0, 1"),
        (with([0xffff_fffe_0000_0001, 1.0f64.to_bits()]), "byte 16: the pair 1, -2"),
        (with(record(1, 0, 0.0)), "meets 0 times"),
        (with(record(1, 0, -1.0)), "meets -1 times"),
        (with(record(1, 0, f64::NAN)), "meets NaN times"),
        (with(record(1, 0, f64::INFINITY)), "meets inf times"),
        (with(record(1, 0, 1e300)), "times"),
    ];
    for (bytes, problem) in wrong {
        let refused = refusal(train_on(&bytes));
        let clear = refused.starts_with("INVALID_INPUT") && refused.contains(problem);
        assert!(clear, "{problem}: {refused}");
    }
    let words = |text: &[u8]| {
        std::fs::write(&vocabulary, text).unwrap();
        refusal(Cooccurrence::open(&records, &vocabulary))
    };
    assert!(words(b"").contains("has no words"));
    assert!(words(b"a 3\nb\n").contains("byte 4: line 2 is not"));
    assert!(words(b"a 3\nb -1\n").contains("line 2"));
    assert!(words(b"a 3\n 1\n").contains("line 2"));
    assert!(words(b"a b 3\n").contains("line 1"));
    assert!(words(b"a 99999999999999999999999\n").contains("line 1"));
    assert!(words(b"a 3\na 2\n").contains("`a` is there twice"));
}

#[test]
fn a_model_comes_back_from_its_file_and_from_a_dump_of_its_parameters() {
    let pairs = pairs_of(200, 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let run = Run::quiet(2, 1);
    for vectors in [Chosen::Both, Chosen::Word, Chosen::Context] {
        for unknown in [false, true] {
            let model = fit(&pairs, &Options { vectors, unknown, ..options() });
            model.save(&path, &run).unwrap();
            let again = Model::open(&path).unwrap();
            for matrix in [Model::vectors, Model::word, Model::context] {
                assert!(matrix(&model).matrix() == matrix(&again).matrix());
                assert!(matrix(&model).names().iter().eq(matrix(&again).names().iter()));
            }
            assert_eq!(model.biases(), again.biases());
            assert_eq!(model.losses(), again.losses());
            assert_eq!(model.options(), again.options());

            let (dump, vocabulary) = (folder.path().join("d.bin"), folder.path().join("v.txt"));
            model.save_parameters(&dump, Some(&vocabulary), &run).unwrap();
            assert_eq!(std::fs::metadata(&dump).unwrap().len(), 2 * 20 * 25 * 8);
            let dumped = Model::open_parameters(&dump, &vocabulary, &run).unwrap();
            let known = 20 * 24;
            assert!(model.word().matrix()[..known] == dumped.word().matrix()[..]);
            assert!(model.context().matrix()[..known] == dumped.context().matrix()[..]);
            assert_eq!(model.biases()[1][..20], dumped.biases()[1][..]);
            let text = std::fs::read(&dump).unwrap();
            std::fs::write(&dump, &text[..text.len() - 8]).unwrap();
            let cut = refusal(Model::open_parameters(&dump, &vocabulary, &run));
            assert!(cut.starts_with("INVALID_INPUT"), "{cut}");
        }
    }
}

#[test]
fn a_damaged_model_is_never_more_than_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    fit(&pairs_of(50, 1), &options()).save(&path, &Run::quiet(1, 1)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut random = Random::new(5, 0);
    for round in 0..300 {
        let mut damaged = whole.clone();
        for _ in 0..3 {
            let at = random.below(damaged.len().min(3000) as u32) as usize;
            damaged[at] = random.bits() as u8;
        }
        if round % 3 == 0 {
            damaged.truncate(random.below(whole.len() as u32) as usize);
        }
        std::fs::write(&path, &damaged).unwrap();
        let refused = refusal(Model::open(&path));
        assert!(!refused.starts_with("INTERNAL"), "{refused}");
    }
}
