//! Every format written and opened again, reduced precision, limits, and damaged files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inlay_base::{Error, Random, Run};
use inlay_formats::safetensors::{Dtype, Part, save};
use inlay_formats::{Format, InvalidUtf8, Names};
use inlay_vectors::{OpenOptions, Precision, Rows, SaveOptions, WordVectors};

const WORDS: [&str; 6] = ["king", "__proto__", "r\u{e9}sum\u{e9}", "", "constructor", "10"];

fn sample(words: &[&str], dimensions: usize) -> WordVectors {
    let mut random = Random::new(4, 0);
    let values: Vec<f32> = (0..words.len() * dimensions).map(|_| random.unit() - 0.5).collect();
    let rows = Rows::from_values(&values, dimensions).unwrap();
    let counts = (0..words.len() as u64).rev().collect();
    WordVectors::with_counts(Arc::new(Names::new(words).unwrap()), rows, Some(counts))
}

fn open(path: &Path, options: &OpenOptions) -> inlay_base::Result<WordVectors> {
    WordVectors::open(path, options, &Run::quiet(2, 1))
}

fn equal(a: &WordVectors, b: &WordVectors) {
    assert!(a.names().iter().eq(b.names().iter()));
    assert_eq!(a.matrix(), b.matrix());
}

#[test]
fn every_format_opens_as_it_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::quiet(2, 1);
    for dimensions in [1, 3, 100] {
        let vectors = sample(&WORDS, dimensions);
        for name in ["a.safetensors", "a.txt", "a.vec", "a.bin", "a.npy", "a.tsv"] {
            let path = folder.path().join(name);
            vectors.save(&path, &SaveOptions::default(), &run).unwrap();
            equal(&open(&path, &OpenOptions::default()).unwrap(), &vectors);
            let some = OpenOptions { limit: Some(4), ..Default::default() };
            let some = open(&path, &some).unwrap();
            assert_eq!(some.matrix(), vectors.matrix()[..4 * dimensions], "{name}");
            assert!(some.names().iter().eq(vectors.names().iter().take(4)));
            // The content tells the format: the name does not.
            if name == "a.bin" || name == "a.txt" || name == "a.safetensors" {
                let odd = folder.path().join("b.jpeg");
                std::fs::copy(&path, &odd).unwrap();
                equal(&open(&odd, &OpenOptions::default()).unwrap(), &vectors);
            }
        }
    }
}

#[test]
fn our_own_files_are_mapped_and_keep_counts_and_any_word() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::quiet(2, 1);
    let path = folder.path().join("a.safetensors");
    let words = ["New York", "a\nb", "c\td", "\0", "", " "];
    for precision in [Precision::Float32, Precision::Float16, Precision::Int8] {
        let vectors = sample(&words, 7).with_precision(precision, &run).unwrap();
        vectors.save(&path, &SaveOptions::default(), &run).unwrap();
        let back = open(&path, &OpenOptions::default()).unwrap();
        equal(&back, &vectors);
        assert_eq!(back.counts(), vectors.counts());
        assert_eq!(back.precision(), precision);
        assert!(back.rows().is_mapped());
        for word in words {
            assert!(back.names().find(word.as_bytes()).is_some(), "{word:?}");
        }
    }
}

#[test]
fn padded_rows_are_saved_without_their_padding() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::quiet(1, 1);
    let dense = sample(&WORDS, 10);
    let mut pages = inlay_base::Pages::zeroed(WORDS.len() * 16).unwrap();
    for (to, from) in pages.as_mut_slice().chunks_mut(16).zip(dense.matrix().chunks(10)) {
        to[..10].copy_from_slice(from);
    }
    let rows = Rows::from_pages(pages, WORDS.len(), 10, 16);
    let padded = WordVectors::new(Arc::clone(dense.names()), rows);
    for name in ["a.safetensors", "a.bin"] {
        let path = folder.path().join(name);
        padded.save(&path, &SaveOptions::default(), &run).unwrap();
        equal(&open(&path, &OpenOptions::default()).unwrap(), &dense);
    }
}

#[test]
fn precision_can_be_reduced_on_the_way_in_and_out() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::quiet(2, 1);
    let vectors = sample(&WORDS, 20);
    for precision in [Precision::Float16, Precision::Int8] {
        let expected = vectors.with_precision(precision, &run).unwrap();
        for name in ["a.safetensors", "a.txt", "a.bin", "a.npy"] {
            let path = folder.path().join(name);
            vectors.save(&path, &SaveOptions::default(), &run).unwrap();
            let options = OpenOptions { precision: Some(precision), ..Default::default() };
            let opened = open(&path, &options).unwrap();
            assert_eq!(opened.precision(), precision);
            equal(&opened, &expected);
        }
        let path = folder.path().join("b.safetensors");
        let options = SaveOptions { precision: Some(precision), format: None };
        vectors.save(&path, &options, &run).unwrap();
        equal(&open(&path, &OpenOptions::default()).unwrap(), &expected);
        let outcome = vectors.save(&folder.path().join("b.bin"), &options, &run);
        assert!(matches!(outcome, Err(Error::InvalidOption { option: "precision", .. })));
    }
}

#[test]
fn a_name_without_a_known_ending_wants_a_format() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::quiet(1, 1);
    let path = folder.path().join("vectors");
    let outcome = sample(&WORDS, 2).save(&path, &SaveOptions::default(), &run);
    assert!(matches!(outcome, Err(Error::InvalidOption { option: "format", .. })));
    let options = SaveOptions { format: Some(Format::Word2VecText), precision: None };
    sample(&WORDS, 2).save(&path, &options, &run).unwrap();
    equal(&open(&path, &OpenOptions::default()).unwrap(), &sample(&WORDS, 2));
}

#[test]
fn words_of_an_array_lie_beside_it_or_where_the_caller_says() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::quiet(1, 1);
    let path = folder.path().join("a.npy");
    let vectors = sample(&WORDS, 3);
    vectors.save(&path, &SaveOptions::default(), &run).unwrap();
    let words = folder.path().join("words");
    std::fs::rename(folder.path().join("a.vocabulary.txt"), &words).unwrap();
    let outcome = open(&path, &OpenOptions::default()).err();
    assert!(matches!(outcome, Some(Error::NotFound { .. })), "{outcome:?}");
    let options = OpenOptions { vocabulary: Some(words.clone()), ..Default::default() };
    equal(&open(&path, &options).unwrap(), &vectors);
    std::fs::write(&words, "too\nfew\n").unwrap();
    let outcome = open(&path, &options).err();
    assert!(matches!(outcome, Some(Error::InvalidInput { .. })), "{outcome:?}");
}

#[test]
fn words_of_our_files_are_judged_when_that_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let names = Names::new([&b"ok"[..], b"\xff"]).unwrap();
    let vectors = WordVectors::new(Arc::new(names), Rows::from_values(&[1.0, 2.0], 1).unwrap());
    vectors.save(&path, &SaveOptions::default(), &Run::quiet(1, 1)).unwrap();
    let judged = |invalid_utf8| open(&path, &OpenOptions { invalid_utf8, ..Default::default() });
    assert_eq!(judged(InvalidUtf8::Keep).unwrap().names().get(1), b"\xff");
    assert_eq!(judged(InvalidUtf8::Replace).unwrap().names().get(1), "\u{fffd}".as_bytes());
    assert!(matches!(judged(InvalidUtf8::Error).err(), Some(Error::InvalidInput { .. })));
}

#[test]
fn files_of_the_reference_tool_open_with_its_numbers() {
    let golden =
        |name: &str| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = open(&golden("gensim.txt"), &OpenOptions::default()).unwrap();
    let binary = open(&golden("gensim.bin"), &OpenOptions::default()).unwrap();
    let words: Vec<_> = text.names().iter().map(String::from_utf8_lossy).collect();
    assert_eq!(words, ["king", "queen", "caf\u{e9}", "__proto__", "\u{6587}\u{5b57}"]);
    equal(&text, &binary);
    for line in std::fs::read_to_string(golden("expected.txt")).unwrap().lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let expected: f64 = fields[3].parse().unwrap();
        let [a, b] = [fields[1].as_bytes(), fields[2].as_bytes()];
        let got = match fields[0] {
            "similarity" => f64::from(text.similarity(a, b).unwrap()),
            "rank" => text.rank(a, b, &Run::quiet(1, 1)).unwrap() as f64,
            other => panic!("{other}"),
        };
        assert!((got - expected).abs() < 1e-6, "{line}: {got}");
    }
}

#[test]
fn damaged_files_of_ours_are_one_clear_error_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let names = Names::new(["a", "b"]).unwrap();
    let zeros = [0u8; 64];
    let tensor = |name: &'static str, dtype: Dtype, shape: &[usize]| {
        let size = dtype.size() * shape.iter().product::<usize>();
        Part::bytes(name, dtype, shape, &zeros[..size])
    };
    let cases: Vec<(&str, bool, Vec<Part<'_>>)> = vec![
        ("no vectors", true, vec![]),
        ("no vocabulary", false, vec![tensor("vectors", Dtype::F32, &[2, 3])]),
        ("fewer rows", true, vec![tensor("vectors", Dtype::F32, &[1, 3])]),
        ("three axes", true, vec![tensor("vectors", Dtype::F32, &[2, 3, 1])]),
        ("no dimensions", true, vec![tensor("vectors", Dtype::F32, &[2, 0])]),
        ("whole numbers", true, vec![tensor("vectors", Dtype::I32, &[2, 3])]),
        ("bytes without scales", true, vec![tensor("vectors", Dtype::I8, &[2, 3])]),
        (
            "scales that are too few",
            true,
            vec![tensor("vectors", Dtype::I8, &[2, 3]), tensor("scales", Dtype::F32, &[1])],
        ),
    ];
    for (what, named, mut parts) in cases {
        if named {
            parts.extend(names.parts());
        }
        save(&path, &[], parts).unwrap();
        let error = open(&path, &OpenOptions::default()).map(|_| ()).expect_err(what);
        assert!(matches!(error, Error::InvalidInput { .. } | Error::Unsupported { .. }), "{error}");
        assert_eq!(error.to_string().lines().count(), 1);
    }
    let outcome = open(folder.path(), &OpenOptions::default()).err();
    assert!(matches!(outcome, Some(Error::InvalidInput { .. } | Error::Io { .. })), "{outcome:?}");
    let outcome = open(&folder.path().join("missing"), &OpenOptions::default()).err();
    assert!(matches!(outcome, Some(Error::NotFound { .. })));
}

#[test]
fn mutations_of_our_files_never_panic_and_what_opens_can_be_searched() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::quiet(1, 1);
    let path = folder.path().join("a.safetensors");
    let mut random = Random::new(8, 0);
    let mut opened = 0;
    for precision in [Precision::Float32, Precision::Float16, Precision::Int8] {
        let vectors = sample(&WORDS, 3).with_precision(precision, &run).unwrap();
        vectors.save(&path, &SaveOptions::default(), &run).unwrap();
        let good = std::fs::read(&path).unwrap();
        for _ in 0..700 {
            let mut bytes = good.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len() as u32) as usize;
                bytes[at] = random.bits() as u8;
            }
            std::fs::write(&path, bytes).unwrap();
            let Ok(vectors) = open(&path, &OpenOptions::default()) else { continue };
            opened += 1;
            let query = [inlay_vectors::Query::vector(&[1.0, 2.0, 3.0])];
            let found = vectors.nearest(&query, &Default::default(), &run);
            let found = found.unwrap_or_else(|error| {
                assert!(matches!(error, Error::InvalidInput { .. }), "{error}");
                vec![Vec::new()]
            });
            assert!(found[0].iter().all(|answer| answer.similarity.is_finite()));
        }
    }
    assert!(opened > 100, "{opened}");
}
