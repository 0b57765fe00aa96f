use std::path::{Path, PathBuf};

use inlay_formats::safetensors::{Dtype, Part, save};
use tempfile::TempDir;

use super::*;

const TOKENIZER: &str = r###"{
    "version": "1.0", "truncation": {"direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0},
    "padding": null, "added_tokens": [], "normalizer": {"type": "BertNormalizer", "clean_text": true,
        "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null, "decoder": null,
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "cat": 1, "##s": 2, "a": 3, "hat": 4}}
}"###;

/// 21 values: a row is no whole number of registers.
const WIDTH: usize = 21;

fn value(row: usize, column: usize) -> f32 {
    (row * 31 + column * 7 % 13) as f32 - 40.5
}

struct Files(TempDir);

impl Files {
    fn with(parts: Vec<Part<'_>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tokenizer.json"), TOKENIZER).unwrap();
        save(&folder.path().join("model.safetensors"), &[], parts).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self, limit: Option<usize>, model2vec: bool) -> Result<StaticEncoder> {
        let (tokenizer, rows) = (self.path("tokenizer.json"), self.path("model.safetensors"));
        StaticEncoder::open(&tokenizer, &rows, limit, model2vec)
    }
}

fn matrix(rows: usize) -> Vec<f32> {
    (0..rows).flat_map(|row| (0..WIDTH).map(move |column| value(row, column))).collect()
}

fn encoded(encoder: &StaticEncoder, texts: &[&str], normalize: bool) -> Encoded {
    let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
    let wanted = Wanted { dimensions: encoder.table().dimensions(), normalize };
    encoder.encode_now(&texts, wanted, &Run::quiet(1, 1)).unwrap()
}

/// The mean of rows with weights, by its formula.
fn mean(rows: &[(usize, f32)], of: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let sum = |column| rows.iter().map(|&(row, w)| f64::from(w) * of(row, column)).sum::<f64>();
    (0..WIDTH).map(|column| sum(column) / rows.len().max(1) as f64).collect()
}

fn close(found: &[f32], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((f64::from(*found) - wanted).abs() < 1e-4, "{found} {wanted}");
    }
}

#[test]
fn a_text_is_the_mean_of_its_rows_whatever_their_type() {
    let values = matrix(5);
    let halves: Vec<half::f16> = values.iter().map(|&value| half::f16::from_f32(value)).collect();
    let bytes: Vec<i8> = values.iter().map(|&value| value as i8).collect();
    let wide: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
    let exact = |row: usize, column: usize| f64::from(value(row, column));
    let whole = |row: usize, column: usize| f64::from(value(row, column) as i8);
    type Of<'a> = &'a dyn Fn(usize, usize) -> f64;
    let cases: [(Dtype, &[u8], Of<'_>); 4] = [
        (Dtype::F32, bytemuck::cast_slice(&values), &exact),
        (Dtype::F16, bytemuck::cast_slice(&halves), &exact),
        (Dtype::F64, bytemuck::cast_slice(&wide), &exact),
        (Dtype::I8, bytemuck::cast_slice(&bytes), &whole),
    ];
    for (dtype, bytes, of) in cases {
        let files = Files::with(vec![Part::bytes("embeddings", dtype, &[5, WIDTH], bytes)]);
        let encoder = files.open(Some(usize::MAX), true).unwrap();
        let texts = ["a cat", "", "Cats hats dog a hat cats", "dog"];
        let found = encoded(&encoder, &texts, false);
        assert_eq!(found.tokens, [2, 0, 9, 1]);
        assert_eq!(found.known, [2, 0, 8, 0]);
        assert!(found.truncated.is_empty());
        close(&found.values[..WIDTH], &mean(&[(3, 1.0), (1, 1.0)], of));
        close(&found.values[WIDTH..2 * WIDTH], &[0.0; WIDTH]);
        let long = [1, 2, 4, 2, 3, 4, 1, 2].map(|row| (row, 1.0));
        close(&found.values[2 * WIDTH..3 * WIDTH], &mean(&long, of));
        close(&found.values[3 * WIDTH..], &[0.0; WIDTH]);
        let directions = encoded(&encoder, &texts, true);
        let length = |row: &[f32]| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let lengths: Vec<f64> = directions.values.chunks(WIDTH).map(length).collect();
        close(&[1.0, 0.0, 1.0, 0.0], &lengths);
    }
}

#[test]
fn rows_are_shared_and_weighed_by_token() {
    let (values, weights) = (matrix(2), [9.0f64, 0.5, 2.0, 1.0, 3.0]);
    let mapping: [i64; 5] = [0, 1, 0, 1, 1];
    let files = Files::with(vec![
        Part::bytes("embeddings", Dtype::F32, &[2, WIDTH], bytemuck::cast_slice(&values)),
        Part::bytes("weights", Dtype::F64, &[5], bytemuck::cast_slice(&weights)),
        Part::bytes("mapping", Dtype::I64, &[5], bytemuck::cast_slice(&mapping)),
    ]);
    let encoder = files.open(None, true).unwrap();
    let found = encoded(&encoder, &["cats hat"], false);
    let wanted = mean(&[(1, 0.5), (0, 2.0), (1, 3.0)], |row, i| f64::from(value(row, i)));
    close(&found.values, &wanted);
    let again = files.path("again.safetensors");
    encoder.table().save(&again, "embeddings", false).unwrap();
    let other = StaticEncoder::open(&files.path("tokenizer.json"), &again, None, true).unwrap();
    assert_eq!(encoded(&other, &["cats hat"], false), found);
    assert_eq!(other.table().parts(), encoder.table().parts());
}

#[test]
fn rows_are_saved_in_half_of_the_bytes() {
    let values = matrix(5);
    let of = |values: &[f32]| {
        Files::with(vec![Part::bytes(
            "embeddings",
            Dtype::F32,
            &[5, WIDTH],
            bytemuck::cast_slice(values),
        )])
    };
    let files = of(&values);
    let half = files.path("half.safetensors");
    files.open(None, true).unwrap().table().save(&half, "embedding.weight", true).unwrap();
    let tokenizer = files.path("tokenizer.json");
    let other = StaticEncoder::open(&tokenizer, &half, None, true).unwrap();
    assert_eq!(other.table().weight().0, (5 * WIDTH * 2) as u64);
    let texts = ["cats a hat", "cat"];
    let wanted = encoded(&files.open(None, true).unwrap(), &texts, false);
    assert_eq!(encoded(&other, &texts, false), wanted, "halves hold these values");
    let far = of(&vec![1e6; 5 * WIDTH]).open(None, true).unwrap();
    let error = far.table().save(&half, "embeddings", true).unwrap_err();
    assert!(error.to_string().contains("float16 cannot hold"), "{error}");
}

#[test]
fn texts_are_cut_as_each_library_cuts_them() {
    let values = matrix(5);
    let part = || {
        vec![Part::bytes(
            "embedding.weight",
            Dtype::F32,
            &[5, WIDTH],
            bytemuck::cast_slice(&values),
        )]
    };
    let files = Files::with(part());
    let of = |row: usize, column: usize| f64::from(value(row, column));
    // What the tokenizer's file says; the unknown word counts.
    let plain = files.open(None, false).unwrap();
    let found = encoded(&plain, &["dog cats hats a", "a"], false);
    assert_eq!((&found.tokens[..], &found.truncated[..]), (&[6, 1][..], &[0][..]));
    assert_eq!(found.known, [5, 1]);
    close(&found.values[..WIDTH], &mean(&[0, 1, 2, 4, 2].map(|row| (row, 1.0)), of));
    // A token of middling length has three characters: twelve are read.
    let model2vec = files.open(Some(4), true).unwrap();
    let found =
        encoded(&model2vec, &["a a a a a a ca", "dog cats hats a", "a  a      a     a"], false);
    assert_eq!(found.tokens, [7, 6, 4]);
    assert_eq!(found.truncated, [0, 1, 2]);
    assert_eq!(found.known, [4, 3, 3]);
    close(&found.values[WIDTH..2 * WIDTH], &mean(&[1, 2, 4].map(|row| (row, 1.0)), of));
    // "é" is two bytes and one character.
    let found = encoded(&model2vec, &["ééééééééééééé a"], false);
    assert_eq!(found.truncated, [0]);
}

#[test]
fn vectors_do_not_depend_on_company_or_threads_and_may_be_cut() {
    let values = matrix(5);
    let part = Part::bytes("embeddings", Dtype::F32, &[5, WIDTH], bytemuck::cast_slice(&values));
    let encoder = Files::with(vec![part]).open(Some(512), true).unwrap();
    let texts: Vec<String> = (0..2000).map(|i| "cats a hat ".repeat(i % 7) + "cat").collect();
    let wanted = Wanted { dimensions: 9, normalize: false };
    let stream = |threads: usize| {
        let (sender, receiver) = std::sync::mpsc::sync_channel(2);
        let ends = texts.iter().scan(0, |end, text| {
            *end += text.len();
            Some(*end)
        });
        let bytes = texts.concat().into_bytes();
        sender.send(inlay_corpus::Batch::Texts { bytes, ends: ends.collect() }).unwrap();
        drop(sender);
        encoder.encode(Source::Stream(receiver), wanted, &Run::quiet(threads, 1)).unwrap()
    };
    let all = stream(1);
    assert_eq!(stream(3), all);
    assert_eq!(encoder.encode_now(&texts, wanted, &Run::quiet(2, 1)).unwrap(), all);
    let alone = encoder.encode_now(&texts[1999..], wanted, &Run::quiet(1, 1)).unwrap();
    assert_eq!(alone.values, all.values[1999 * 9..]);
    let whole = encoded(&encoder, &[&texts[5]], false);
    assert_eq!(whole.values[..9], all.values[5 * 9..6 * 9]);
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let values = vec![0.0f32; 5 * WIDTH];
    let bytes = bytemuck::cast_slice::<f32, u8>(&values);
    let rows = |name, shape: &[usize]| {
        Part::bytes(name, Dtype::F32, shape, &bytes[..shape.iter().product::<usize>() * 4])
    };
    let (far, few) = ([0i64, 0, 0, 0, 7], [1.0f32; 4]);
    let cases: [(Vec<Part<'_>>, &str); 8] = [
        (vec![rows("other", &[5, WIDTH])], "has neither a tensor"),
        (vec![rows("embeddings", &[5 * WIDTH])], "should be a matrix"),
        (vec![rows("embeddings", &[4, WIDTH])], "has 4 rows for 5 tokens"),
        (vec![rows("embeddings", &[5, 0])], "[5, 0]"),
        (vec![Part::bytes("embeddings", Dtype::I32, &[5, 1], &bytes[..20])], "of type I32"),
        (
            vec![
                rows("embeddings", &[5, WIDTH]),
                Part::bytes("mapping", Dtype::I64, &[5], bytemuck::cast_slice(&far)),
            ],
            "names a row that is none of 5",
        ),
        (
            vec![
                rows("embeddings", &[5, WIDTH]),
                Part::bytes("weights", Dtype::F32, &[4], bytemuck::cast_slice(&few)),
            ],
            "should have a value for each of 5 tokens",
        ),
        (
            vec![
                rows("embeddings", &[5, WIDTH]),
                Part::bytes("mapping", Dtype::F32, &[5], &bytes[..20]),
            ],
            "of type F32",
        ),
    ];
    for (parts, problem) in cases {
        let error = Files::with(parts).open(None, true).err().unwrap();
        assert_eq!(error.code(), "INVALID_INPUT");
        assert!(error.to_string().contains(problem), "{error}");
    }
    let missing = StaticEncoder::open(Path::new("none"), Path::new("none"), None, true);
    assert_eq!(missing.err().unwrap().code(), "NOT_FOUND");
}

#[test]
fn a_table_is_distilled_along_the_widest_directions() {
    let files = Files::with(vec![]);
    let teacher = Subwords::open_unlimited(&files.path("tokenizer.json")).unwrap();
    let run = Run::quiet(1, 1);
    let lesson = teacher.lesson(&["hatter".to_owned()], &run).unwrap();
    // Six tokens that vary along one direction only, by their number.
    let values: Vec<f32> =
        (0..6).flat_map(|token| [token as f32 * 3.0, token as f32 * 4.0, 7.0]).collect();
    let rule = Rule { limit: 512, model2vec: true };
    let encoder = distill(lesson, &values, 2, Weights::Zipf(0.5), rule, &run).unwrap();
    let total: f64 = (2..8).map(|place| 1.0 / f64::from(place)).sum();
    for (word, place) in [("cat", 1.0), ("hat", 4.0), ("hatter", 5.0)] {
        let found = encoded(&encoder, &[word], false);
        let weight = 0.5 / (0.5 + 1.0 / (place + 2.0) / total);
        let along = (place - 2.5) * 5.0 * weight;
        let [x, y] = found.values[..] else { panic!() };
        assert!((f64::from(x) - along).abs() < 1e-4 && y.abs() < 1e-4, "{word} {x} {along} {y}");
    }
}
