//! Classifier files that were damaged or made to harm: one error, or a model that answers; never a
//! panic, and no more memory than the file is worth.

use std::path::{Path, PathBuf};

use inlay_base::{Error, Random, Run};
use inlay_formats::fasttext::{self, Matrix, Rows};
use inlay_words::classifier::{Cutoff, Model, Quantization};

const PREFIX: &[u8] = b"__label__";
const FILES: [&str; 6] = [
    "softmax.bin",
    "hierarchical.bin",
    "negative.bin",
    "one-vs-all.bin",
    "quantized.ftz",
    "pruned.ftz",
];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../formats/tests/golden/fasttext").join(name)
}

/// Buckets and their rows.
type Pairs = Vec<(u32, u32)>;

/// What became of damaged files.
#[derive(Default)]
struct Outcome {
    answered: usize,
    refused: usize,
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn path(&self) -> PathBuf {
        self.0.path().join("model")
    }

    /// Opens the file and asks all that can be asked of a model.
    fn ask(&self, what: &str, bytes: &[u8], outcome: &mut Outcome) {
        std::fs::write(self.path(), bytes).unwrap();
        let model = match Model::open(&self.path(), PREFIX) {
            Ok(model) => model,
            Err(Error::InvalidInput { source, offset, .. }) => {
                assert!(source.ends_with("model") && offset.is_some(), "{what}");
                outcome.refused += 1;
                return;
            }
            Err(Error::Unsupported { .. }) => {
                outcome.refused += 1;
                return;
            }
            Err(error) => panic!("{what}: {error}"),
        };
        outcome.answered += 1;
        assert!(model.labels().len() > 0 && model.words().is_ok_and(|words| words.len() < 10_000));
        for text in ["red the green", "unheard of 文字 __label__colour", "</s> cat </s>", "", "\0"]
        {
            for (top, threshold) in [(1, 0.0), (usize::MAX, 0.0), (3, 0.4)] {
                match model.predict(text.as_bytes(), top, threshold) {
                    Ok(said) => assert!(
                        said.iter().all(|said| (0.0..=1.0).contains(&said.1)),
                        "{what}: {said:?}"
                    ),
                    Err(Error::InvalidInput { .. }) => {}
                    Err(error) => panic!("{what}: {error}"),
                }
            }
            assert!(!model.sentence_vector(text.as_bytes()).is_empty());
        }
    }
}

/// Bytes of address space that the process has ever had.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

/// Runs `work` and holds that it asked for little. A size that a file makes up is billions of rows.
fn modestly(work: impl FnOnce()) {
    let before = peak();
    work();
    assert!(peak() - before < 1 << 30, "{} bytes asked for", peak() - before);
}

fn folder() -> Folder {
    Folder(tempfile::tempdir().unwrap())
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let (folder, mut outcome) = (folder(), Outcome::default());
    for name in FILES {
        let bytes = std::fs::read(golden(name)).unwrap();
        let step = bytes.len() / 400 + 1;
        for length in (0..bytes.len()).filter(|length| *length < 300 || length % step == 0) {
            folder.ask(name, &bytes[..length], &mut outcome);
        }
        folder.ask(name, &bytes[..bytes.len() - 1], &mut outcome);
    }
    assert_eq!(outcome.answered, 0);
}

#[test]
fn any_bytes_changed_at_random_are_an_error_or_a_model_that_answers() {
    modestly(|| {
        let (folder, mut outcome) = (folder(), Outcome::default());
        for (stream, name) in (0..).zip(FILES) {
            let mut random = Random::new(11, stream);
            let bytes = std::fs::read(golden(name)).unwrap();
            for _ in 0..1200 {
                let mut damaged = bytes.clone();
                // Half of the changes in the head, where sizes are.
                for _ in 0..1 + random.below(3) {
                    let reach = if random.below(2) == 0 { 800 } else { bytes.len() };
                    let place = random.below(reach.min(bytes.len()) as u32) as usize;
                    damaged[place] = random.below(256) as u8;
                }
                folder.ask(name, &damaged, &mut outcome);
            }
        }
        assert!(outcome.answered > 1000 && outcome.refused > 1000);
    });
}

#[test]
fn any_number_made_extreme_is_an_error_or_a_model_that_answers() {
    modestly(|| {
        let (folder, mut outcome) = (folder(), Outcome::default());
        for name in FILES {
            let bytes = std::fs::read(golden(name)).unwrap();
            let step = bytes.len() / 300 + 1;
            // Where numbers lie is not asked: nothing in the file is aligned.
            let places = |width: usize| {
                (0..=bytes.len() - width).filter(move |place| *place < 200 || place % step == 0)
            };
            for place in places(4) {
                for number in [i32::MAX, i32::MIN, -1, 0, 1 << 30] {
                    let mut damaged = bytes.clone();
                    damaged[place..place + 4].copy_from_slice(&number.to_le_bytes());
                    folder.ask(name, &damaged, &mut outcome);
                }
            }
            for place in places(8) {
                for number in [i64::MAX, i64::MIN, 1 << 40] {
                    let mut damaged = bytes.clone();
                    damaged[place..place + 8].copy_from_slice(&number.to_le_bytes());
                    folder.ask(name, &damaged, &mut outcome);
                }
            }
        }
        assert!(outcome.answered > 1000 && outcome.refused > 1000);
    });
}

#[test]
fn counts_of_labels_may_be_anything() {
    let (folder, mut outcome) = (folder(), Outcome::default());
    for name in FILES {
        for count in [0, 1, i64::MAX.cast_unsigned()] {
            let fasttext::Model { args, mut dictionary, input, output } =
                fasttext::open(&golden(name)).unwrap();
            dictionary.counts.fill(count);
            let (input, output) = (rows(&input), rows(&output));
            fasttext::write(&folder.path(), &args, &dictionary, &input, &output, &Run::quiet(1, 1))
                .unwrap();
            let bytes = std::fs::read(folder.path()).unwrap();
            folder.ask(name, &bytes, &mut outcome);
        }
    }
    assert_eq!(outcome.answered, 18);
}

#[test]
fn pruned_buckets_beyond_the_table_are_refused_or_never_asked_for() {
    let (folder, mut outcome) = (folder(), Outcome::default());
    let model = fasttext::open(&golden("pruned.ftz")).unwrap();
    let (pruned, words) = (model.dictionary.pruned.unwrap(), model.dictionary.words);
    let flat = |pairs: &[(u32, u32)]| -> Vec<u8> {
        pairs
            .iter()
            .flat_map(|pair| [pair.0.to_le_bytes(), pair.1.to_le_bytes()])
            .flatten()
            .collect()
    };
    let bytes = std::fs::read(golden("pruned.ftz")).unwrap();
    let (all, beyond) = (flat(&pruned), (model.input.rows() - words) as u32);
    let place = bytes.windows(all.len()).position(|window| window == all).unwrap();
    let mut with = |change: &dyn Fn(&mut Pairs, u32)| {
        let (mut pairs, mut bytes) = (pruned.clone(), bytes.clone());
        change(&mut pairs, beyond);
        bytes[place..place + all.len()].copy_from_slice(&flat(&pairs));
        let before = outcome.answered;
        folder.ask("pruned.ftz", &bytes, &mut outcome);
        outcome.answered > before
    };
    assert!(with(&|_, _| ()));
    assert!(!with(&|pairs, beyond| pairs[3].1 = beyond), "a row that is not there");
    assert!(!with(&|pairs, _| pairs[3].1 = 1 << 31), "a row below zero");
    assert!(!with(&|pairs, _| pairs[3].0 = u32::MAX), "a bucket below zero");
    assert!(with(&|pairs, _| pairs[3].0 = i32::MAX.cast_unsigned()), "a bucket of no n-gram");
    assert!(with(&|pairs, _| pairs.iter_mut().for_each(|pair| pair.0 = 7)), "one bucket");
}

#[test]
fn numbers_that_are_not_finite_are_one_error_wherever_they_lie() {
    let folder = folder();
    let run = Run::quiet(1, 1);
    for name in ["softmax.bin", "hierarchical.bin", "one-vs-all.bin"] {
        let bytes = std::fs::read(golden(name)).unwrap();
        for wrong in [f32::NAN, f32::INFINITY] {
            let mut damaged = bytes.clone();
            // The last rows of the file are those of labels; a tree's last one is never used.
            let model = fasttext::open(&golden(name)).unwrap();
            let tail = 4 * model.output.rows() * model.args.dimensions;
            let start = damaged.len() - tail;
            damaged[start..].chunks_exact_mut(4).for_each(|value| {
                value.copy_from_slice(&wrong.to_le_bytes());
            });
            std::fs::write(folder.path(), damaged).unwrap();
            let model = Model::open(&folder.path(), PREFIX).unwrap();
            let said = model.predict(b"red the green", 1, 0.0);
            assert!(matches!(said, Err(Error::InvalidInput { .. })), "{name}: {said:?}");
        }
        // The input's: where pruning looks at the lengths of rows.
        let model = fasttext::open(&golden(name)).unwrap();
        let tail = 17 + 4 * model.output.rows() * model.args.dimensions;
        let mut damaged = bytes.clone();
        let end = damaged.len() - tail;
        damaged[end - 4..end].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(folder.path(), damaged).unwrap();
        let model = Model::open(&folder.path(), PREFIX).unwrap();
        let how =
            Quantization { cutoff: Some(Cutoff::Rows(30)), width: 2, norms: false, output: false };
        let outcome = model.quantize(&how, None, &run);
        assert!(matches!(outcome, Err(Error::InvalidInput { .. })), "{name}");
    }
}

fn rows(matrix: &Matrix) -> Rows<'_> {
    match matrix {
        Matrix::Dense(_) => Rows::Dense(matrix),
        Matrix::Quantized(quantized) => Rows::Quantized(quantized),
    }
}
