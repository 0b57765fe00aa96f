//! Classifiers: what fastText says of its own models (`formats/tests/golden/fasttext/make.py`), and
//! what is learnt here.

use std::path::{Path, PathBuf};

use inlay_base::{Error, Result, Run};
use inlay_corpus::{Corpus, Options as CorpusOptions, Source};
use inlay_words::classifier::{
    Cutoff, Figure, Loss, Metric, Model, Options, Quantization, Retraining, check_validation, train,
};
use serde_json::Value;

const PREFIX: &[u8] = b"__label__";

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../formats/tests/golden/fasttext").join(name)
}

fn corpus(text: &str) -> Corpus {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.txt");
    std::fs::write(&path, text).unwrap();
    let options = CorpusOptions { min_count: 1, ..Default::default() };
    let files = Source::Files(vec![path.to_str().unwrap().into()]);
    Corpus::read(files, &options, &Run::quiet(1, 1)).unwrap()
}

fn options(loss: Loss) -> Options {
    Options {
        loss,
        dimensions: 10,
        epochs: 20,
        learning_rate: 0.5,
        word_ngrams: 2,
        minn: 2,
        maxn: 3,
        bucket: 1000,
        min_count: 1,
        min_count_label: 0,
        negative: 3,
        label_prefix: PREFIX.to_vec(),
        class_weights: Vec::new(),
    }
}

const LOSSES: [Loss; 4] =
    [Loss::Softmax, Loss::HierarchicalSoftmax, Loss::NegativeSampling, Loss::OneVsAll];

fn text() -> String {
    std::fs::read_to_string(golden("text.txt")).unwrap()
}

fn learn(options: &Options, run: &Run) -> Result<Model> {
    train(&corpus(&text()), options, None, run)
}

#[test]
fn golden_models_say_what_fasttext_says_of_them() {
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(golden("expected.json")).unwrap()).unwrap();
    let mut compared = 0;
    for (file, said) in expected.as_object().unwrap() {
        let Some(texts) = said["texts"].as_array() else { continue };
        let model = Model::open(&golden(file), PREFIX).unwrap();
        let names: Vec<&[u8]> = model.labels().collect();
        for wanted in texts {
            let text = wanted["text"].as_str().unwrap();
            let got = model.predict(text.as_bytes(), 6, 0.0).unwrap();
            let probabilities = wanted["probabilities"].as_array().unwrap();
            let labels = wanted["labels"].as_array().unwrap();
            assert_eq!(got.len(), labels.len(), "{file}: {text}");
            for (place, &(label, probability)) in got.iter().enumerate() {
                let theirs = probabilities[place].as_f64().unwrap().min(1.0);
                let (label, near) =
                    (names[label as usize], (f64::from(probability) - theirs).abs() < 1e-5);
                assert!(near, "{file}: {text}: {probability}, not {theirs}");
                // Equal probabilities come in any order.
                let tie = |other: usize| {
                    probabilities.get(other).is_some_and(|p| p == &probabilities[place])
                };
                if place + 1 < got.len() && !tie(place + 1) && (place == 0 || !tie(place - 1)) {
                    let name = String::from_utf8_lossy(label);
                    let wanted = labels[place].as_str().unwrap();
                    assert_eq!(format!("__label__{name}"), wanted, "{file}: {text}");
                }
                compared += 1;
            }
            let vector = model.sentence_vector(text.as_bytes());
            for (ours, theirs) in vector.iter().zip(wanted["vector"].as_array().unwrap()) {
                assert!(
                    (f64::from(*ours) - theirs.as_f64().unwrap()).abs() < 1e-5,
                    "{file}: {text}"
                );
            }
        }
    }
    assert!(compared > 200, "{compared}");
    assert!(matches!(
        Model::open(&golden("skip-gram.bin"), PREFIX),
        Err(Error::Unsupported { .. })
    ));
}

#[test]
fn every_loss_learns_and_a_saved_model_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for loss in LOSSES {
        let run = Run::quiet(1, 1);
        let model = learn(&options(loss), &run).unwrap();
        let losses = model.losses();
        assert_eq!(losses.len(), 20);
        assert!(losses[19] < losses[0] / 1.5, "{loss:?}: {losses:?}");
        let labels: Vec<&[u8]> = model.labels().collect();
        let best = |model: &Model, text: &str| {
            labels[model.predict(text.as_bytes(), 1, 0.0).unwrap()[0].0 as usize].to_vec()
        };
        for (text, label) in
            [("red the green", "colour"), ("ham café", "food"), ("cat mouse of", "animal")]
        {
            assert_eq!(best(&model, text), label.as_bytes(), "{loss:?}");
        }
        let evaluation = model.evaluate(&corpus(&text()), 1, 0.0, &run).unwrap();
        assert_eq!(evaluation.examples, 60);
        assert!(evaluation.overall().precision() > 0.9, "{loss:?}: {evaluation:?}");

        let path = folder.path().join("model.bin");
        model.save(&path, &run).unwrap();
        let again = Model::open(&path, PREFIX).unwrap();
        // Words that nobody knows have subwords, and n-grams that nothing touched count as zeros.
        for text in ["red the green", "unknown words", "cat cat mouse", ""] {
            let (a, b) =
                (model.predict(text.as_bytes(), 8, 0.0), again.predict(text.as_bytes(), 8, 0.0));
            for (a, b) in a.unwrap().iter().zip(&b.unwrap()) {
                assert!((a.1 - b.1).abs() < 1e-6, "{loss:?} {text}");
            }
        }
        assert!(again.labels().eq(model.labels()));
    }
}

#[test]
fn the_same_bytes_for_one_thread_and_a_seed_others_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |seed| {
        let path = folder.path().join("model.bin");
        let run = Run::quiet(1, seed);
        learn(&options(Loss::NegativeSampling), &run).unwrap().save(&path, &run).unwrap();
        std::fs::read(path).unwrap()
    };
    let first = bytes(1);
    assert!(first == bytes(1));
    assert!(first != bytes(2));
}

#[test]
fn several_threads_learn_as_well() {
    let many = text().repeat(40);
    for loss in LOSSES {
        let run = Run::quiet(3, 1);
        let options = Options { epochs: 3, ..options(loss) };
        let model = train(&corpus(&many), &options, None, &run).unwrap();
        let evaluation = model.evaluate(&corpus(&text()), 1, 0.0, &run).unwrap();
        assert!(evaluation.overall().precision() > 0.9, "{loss:?}: {evaluation:?}");
    }
}

#[test]
fn a_quantized_model_keeps_what_it_knows_and_cutoff_keeps_the_longest_rows() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::quiet(2, 1);
    let model = learn(&options(Loss::Softmax), &run).unwrap();
    for (cutoff, norms) in [(None, false), (None, true), (Some(300), false), (Some(300), true)] {
        let cutoff = cutoff.map(Cutoff::Rows);
        let how = Quantization { cutoff, width: 2, norms, output: false };
        let small = model.quantize(&how, None, &run).unwrap();
        assert!(small.is_quantized());
        let evaluation = small.evaluate(&corpus(&text()), 1, 0.0, &run).unwrap();
        assert!(evaluation.overall().precision() > 0.9, "{how:?}: {evaluation:?}");
        let path = folder.path().join("model.ftz");
        small.save(&path, &run).unwrap();
        let again = Model::open(&path, PREFIX).unwrap();
        for text in ["red the green", "unknown words", "cat cat mouse"] {
            assert_eq!(
                small.predict(text.as_bytes(), 8, 0.0).unwrap(),
                again.predict(text.as_bytes(), 8, 0.0).unwrap()
            );
        }
        assert!(matches!(small.quantize(&how, None, &run), Err(Error::Unsupported { .. })));
    }
    let how = Quantization { cutoff: None, width: 2, norms: false, output: true };
    assert!(matches!(model.quantize(&how, None, &run), Err(Error::Unsupported { .. })), "8 labels");
}

/// Lines of words that are all needed: what pruning takes away is missed.
fn needy() -> String {
    let word = |label: usize, i: usize| format!("w{}", label * 97 + i * 31 % 97);
    let line = |i: usize| {
        let label = i % 12;
        let words: Vec<_> = (0..4).map(|k| word(label, i / 12 + 7 * k)).collect();
        format!("__label__{label} {}\n", words.join(" "))
    };
    (0..2400).map(line).collect()
}

#[test]
fn rows_that_pruning_has_left_are_trained_further() {
    let folder = tempfile::tempdir().unwrap();
    let lines = corpus(&needy());
    for loss in LOSSES {
        let run = Run::quiet(1, 1);
        let options = Options { epochs: 8, dimensions: 8, minn: 0, maxn: 0, ..options(loss) };
        let model = train(&lines, &options, None, &run).unwrap();
        let how =
            Quantization { cutoff: Some(Cutoff::Rows(400)), width: 1, norms: true, output: false };
        let retraining = Retraining { corpus: &lines, epochs: None, learning_rate: None };
        let precision =
            |model: &Model| model.evaluate(&lines, 1, 0.0, &run).unwrap().overall().precision();
        let plain = model.quantize(&how, None, &run).unwrap();
        let further = model.quantize(&how, Some(&retraining), &run).unwrap();
        let (before, after) = (precision(&plain), precision(&further));
        assert!(after > before + 0.01 || after == 1.0, "{loss:?}: {before} {after}");
        assert_eq!(further.losses().len(), 8, "as many epochs as the model had");
        assert!(further.losses() != model.losses() && plain.losses() == model.losses());

        // The same bytes again; other epochs and rates give others.
        let bytes = |model: &Model| {
            let path = folder.path().join("model.ftz");
            model.save(&path, &run).unwrap();
            std::fs::read(path).unwrap()
        };
        let first = bytes(&further);
        assert!(first == bytes(&model.quantize(&how, Some(&retraining), &run).unwrap()));
        for other in [
            Retraining { epochs: Some(3), ..retraining },
            Retraining { learning_rate: Some(0.01), ..retraining },
        ] {
            assert!(first != bytes(&model.quantize(&how, Some(&other), &run).unwrap()));
        }

        // A model that was opened has no learning rate of its own: it has fastText's.
        let path = folder.path().join("model.bin");
        model.save(&path, &run).unwrap();
        let opened = Model::open(&path, PREFIX).unwrap();
        let rate = Retraining { learning_rate: Some(0.1), ..retraining };
        let [ours, theirs] = [(&model, &rate), (&opened, &retraining)].map(|(model, how_long)| {
            precision(&model.quantize(&how, Some(how_long), &run).unwrap())
        });
        assert!((ours - theirs).abs() < 0.02, "{loss:?}: {ours} {theirs}");
    }
}

#[test]
fn nothing_to_train_further_on_is_an_error_and_nothing_left_out_needs_no_training() {
    let run = Run::quiet(1, 1);
    let model = learn(&options(Loss::Softmax), &run).unwrap();
    let strange = corpus("__label__strange red\n");
    let retraining = Retraining { corpus: &strange, epochs: None, learning_rate: None };
    let how = |rows| Quantization {
        cutoff: Some(Cutoff::Rows(rows)),
        width: 2,
        norms: false,
        output: false,
    };
    let outcome = model.quantize(&how(300), Some(&retraining), &run);
    assert!(matches!(outcome, Err(Error::InvalidInput { .. })));
    let all = model.quantize(&how(5000), Some(&retraining), &run).unwrap();
    assert_eq!(all.losses(), model.losses());
    assert!(matches!(model.quantize(&how(255), None, &run), Err(Error::Unsupported { .. })));
}

#[test]
fn a_file_is_never_larger_than_was_asked_for_and_hardly_smaller() {
    let folder = tempfile::tempdir().unwrap();
    let lines = corpus(&needy());
    let run = Run::quiet(1, 1);
    let path = folder.path().join("model.ftz");
    let size = |model: &Model| {
        model.save(&path, &run).unwrap();
        std::fs::metadata(&path).unwrap().len()
    };
    for (loss, ngrams) in [(Loss::Softmax, 1), (Loss::HierarchicalSoftmax, 2)] {
        let options =
            Options { epochs: 1, dimensions: 7, maxn: 0, word_ngrams: ngrams, ..options(loss) };
        let model = train(&lines, &options, None, &run).unwrap();
        for (width, norms) in [(1, true), (2, false), (3, true)] {
            let how = |bytes| {
                let cutoff = Some(Cutoff::Bytes(bytes));
                Quantization { cutoff, width, norms, output: false }
            };
            let all = size(&model.quantize(&how(1 << 40), None, &run).unwrap());
            assert_eq!(size(&model.quantize(&how(all), None, &run).unwrap()), all, "all rows fit");
            let mut made = 0;
            for bytes in (all - 4000..all).step_by(333) {
                let Ok(small) = model.quantize(&how(bytes), None, &run) else { continue };
                let got = size(&small);
                // The next row would have needed at most so many more.
                assert!(got <= bytes && got + 30 > bytes, "{bytes} asked, {got} made");
                made += 1;
            }
            assert!(made > 3, "{made}");
            assert!(matches!(
                model.quantize(&how(100), None, &run),
                Err(Error::Unsupported { .. })
            ));
            let tight = model.quantize(&how(9000), None, &run);
            assert!(matches!(tight, Err(Error::Unsupported { .. })), "no room for 256 rows");
        }
    }
}

#[test]
fn a_score_is_of_all_labels_or_of_one() {
    let run = Run::quiet(2, 1);
    let model = learn(&options(Loss::Softmax), &run).unwrap();
    let lines = corpus(&text());
    let evaluation = model.evaluate(&lines, 8, 0.0, &run).unwrap();
    let score = |figure, label: Option<&[u8]>| {
        let metric = Metric { figure, label: label.map(<[u8]>::to_vec), top: 8 };
        model.score(&lines, &metric, &run)
    };
    assert_eq!(score(Figure::F1, None).unwrap(), evaluation.overall().f1());
    let colour = model.labels().position(|label| label == b"colour").unwrap();
    assert_eq!(score(Figure::F1, Some(b"colour")).unwrap(), evaluation.labels[colour].f1());
    // All labels for each line, few of them right: a threshold leaves the others out.
    assert!(score(Figure::F1, None).unwrap() < 0.5);
    for label in [None, Some(&b"colour"[..])] {
        assert!(score(Figure::PrecisionAtRecall(0.5), label).unwrap() > 0.9);
        assert!(score(Figure::RecallAtPrecision(0.9), label).unwrap() > 0.5);
    }
    assert!(matches!(score(Figure::F1, Some(b"sound")), Err(Error::InvalidInput { .. })));
    let other = corpus("__label__sound bang\n");
    let metric = Metric { figure: Figure::F1, label: None, top: 1 };
    assert!(matches!(model.score(&other, &metric, &run), Err(Error::InvalidInput { .. })));

    let check = |validation: &Corpus, least, label| {
        check_validation(&lines, validation, PREFIX, least, label, &run)
    };
    assert_eq!(check(&lines, 1, None).unwrap(), 8);
    assert_eq!(check(&lines, 1, Some(b"colour")).unwrap(), 8);
    for (validation, least, label) in
        [(&other, 1, None), (&lines, 1000, None), (&lines, 1, Some(&b"sound"[..]))]
    {
        assert!(matches!(check(validation, least, label), Err(Error::InvalidInput { .. })));
    }
}

#[test]
fn labels_without_a_line_and_lines_without_a_label_are_left_out() {
    let run = Run::quiet(1, 1);
    let plain = corpus("no label here\nnor here\n");
    assert!(matches!(
        train(&plain, &options(Loss::Softmax), None, &run),
        Err(Error::InvalidInput { .. })
    ));
    let rare = Options { min_count_label: 2, ..options(Loss::Softmax) };
    let model = train(&corpus("__label__a x y\n__label__b z\n__label__a x\n"), &rare, None, &run);
    let model = model.unwrap();
    assert_eq!(model.labels().collect::<Vec<_>>(), [b"a"]);
    // What the dropped label's line holds is still a word.
    assert!(model.words().unwrap().find(b"z").is_some());
    let one = model.predict(b"x", 5, 0.0).unwrap();
    assert!(one.len() == 1 && one[0].1 == 1.0);
}

#[test]
fn class_weights_move_what_cannot_be_told_apart() {
    let run = Run::quiet(1, 1);
    let both = corpus(&"__label__a x\n__label__b x\n".repeat(200));
    let probability = |loss, weight: f32| {
        let class_weights = vec![(b"b".to_vec(), weight)];
        let options = Options { class_weights, learning_rate: 0.05, ..options(loss) };
        let model = train(&both, &options, None, &run).unwrap();
        let b = model.labels().position(|label| label == b"b").unwrap() as u32;
        let said = model.predict(b"x", 2, 0.0).unwrap();
        said.iter().find(|said| said.0 == b).map_or(0.0, |said| said.1)
    };
    for loss in LOSSES {
        assert!(probability(loss, 3.0) > probability(loss, 1.0) + 0.1, "{loss:?}");
        // Of negative sampling's three noise labels each is the other one.
        let even = if loss == Loss::NegativeSampling { 0.25 } else { 0.5 };
        assert!((probability(loss, 1.0) - even).abs() < 0.15, "{loss:?}");
    }
    let class_weights = vec![(b"c".to_vec(), 2.0)];
    let unknown = Options { class_weights, ..options(Loss::Softmax) };
    assert!(matches!(train(&both, &unknown, None, &run), Err(Error::NotFound { .. })));
}

#[test]
fn what_diverges_is_an_error() {
    let run = Run::quiet(1, 1);
    let wild = Options { learning_rate: 1e30, ..options(Loss::Softmax) };
    assert!(matches!(learn(&wild, &run), Err(Error::Diverged { .. })));
}

#[test]
fn thresholds_and_the_number_of_labels() {
    let run = Run::quiet(1, 1);
    for loss in LOSSES {
        let model = learn(&options(loss), &run).unwrap();
        let all = model.predict(b"red the green", 8, 0.0).unwrap();
        assert!(all.len() > 5, "{loss:?}");
        assert!(all.is_sorted_by(|a, b| a.1 >= b.1));
        for top in 1..all.len() {
            assert_eq!(model.predict(b"red the green", top, 0.0).unwrap(), all[..top], "{loss:?}");
        }
        let some = model.predict(b"red the green", 8, 0.1).unwrap();
        assert!(
            !some.is_empty() && some.len() < all.len() && some == all[..some.len()],
            "{loss:?}"
        );
    }
}
