//! fastText's files, made by fastText itself (`golden/fasttext/make.py`): read, written again byte
//! for byte, and damaged in every place.

use std::path::{Path, PathBuf};

use inlay_base::{Error, Run};
use inlay_formats::GiveRows;
use inlay_formats::fasttext::{Loss, Matrix, Model, Rows, Task, is_model, open, write};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/fasttext").join(name)
}

const FILES: [&str; 7] = [
    "softmax.bin",
    "hierarchical.bin",
    "negative.bin",
    "one-vs-all.bin",
    "skip-gram.bin",
    "quantized.ftz",
    "pruned.ftz",
];

fn rows(matrix: &Matrix) -> Rows<'_> {
    match matrix {
        Matrix::Dense(_) => Rows::Dense(matrix),
        Matrix::Quantized(quantized) => Rows::Quantized(quantized),
    }
}

fn save(model: &Model, path: &Path) -> inlay_base::Result<()> {
    let Model { args, dictionary, input, output } = model;
    write(path, args, dictionary, &rows(input), &rows(output), &Run::quiet(1, 1))
}

#[test]
fn what_is_read_is_written_again_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    for name in FILES {
        let path = folder.path().join(name);
        save(&open(&golden(name)).unwrap(), &path).unwrap();
        let (theirs, ours) = (std::fs::read(golden(name)).unwrap(), std::fs::read(path).unwrap());
        assert!(theirs == ours, "{name}");
    }
}

#[test]
fn what_the_files_say() {
    let model = open(&golden("softmax.bin")).unwrap();
    assert_eq!((model.args.task, model.args.loss), (Task::Supervised, Loss::Softmax));
    assert_eq!((model.args.dimensions, model.args.word_ngrams, model.args.bucket), (5, 2, 50));
    let names: Vec<_> = model.dictionary.names.iter().collect();
    assert_eq!(names[0], b"</s>", "once on each line: the most frequent word");
    assert_eq!((model.dictionary.words, model.dictionary.labels()), (16, 8));
    assert_eq!(model.dictionary.counts[0], 60);
    assert!(names[16..].iter().all(|name| name.starts_with(b"__label__")));
    assert_eq!((model.input.rows(), model.output.rows()), (66, 8));

    let model = open(&golden("pruned.ftz")).unwrap();
    assert_eq!(model.args.loss, Loss::HierarchicalSoftmax);
    let pruned = model.dictionary.pruned.unwrap();
    assert_eq!(model.dictionary.words + pruned.len(), 270);
    assert!(matches!(&model.input, Matrix::Quantized(input) if input.norms.is_some()));
    assert!(matches!(&model.output, Matrix::Quantized(output) if output.rows == 257));

    let model = open(&golden("skip-gram.bin")).unwrap();
    assert_eq!((model.args.task, model.args.maxn), (Task::SkipGram, 3));
    assert_eq!(model.output.rows(), model.dictionary.words);
}

#[test]
fn rows_come_one_by_one_and_in_blocks_alike() {
    for name in ["softmax.bin", "pruned.ftz"] {
        let model = open(&golden(name)).unwrap();
        let mut block = vec![0.0; 3 * 5];
        model.input.give(2, &mut block);
        for row in 0..3 {
            let mut sum = vec![1.0; 5];
            model.input.add_row(2 + row, &mut sum);
            let wanted: Vec<_> = block[5 * row..][..5].iter().map(|value| value + 1.0).collect();
            assert_eq!(sum, wanted, "{name}");
        }
        assert!(block.iter().any(|value| *value != 0.0));
    }
}

#[test]
fn a_file_cut_short_anywhere_is_one_error_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    for name in ["softmax.bin", "quantized.ftz"] {
        let bytes = std::fs::read(golden(name)).unwrap();
        for length in (0..bytes.len()).filter(|length| *length < 700 || length % 97 == 0) {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let Err(Error::InvalidInput { source, offset, .. }) = open(&path) else {
                panic!("{name}, {length} bytes: no error, or another")
            };
            assert!(source.ends_with("model") && offset.is_some_and(|at| at <= length as u64));
        }
        std::fs::write(&path, [&bytes[..], b"!"].concat()).unwrap();
        let Err(error) = open(&path) else { panic!("a byte too many") };
        assert!(error.to_string().contains("1 bytes follow"), "{error}");
    }
}

#[test]
fn a_file_with_any_byte_changed_is_read_or_one_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let (mut read, mut refused) = (0, 0);
    for name in ["softmax.bin", "quantized.ftz", "pruned.ftz"] {
        let bytes = std::fs::read(golden(name)).unwrap();
        for place in (0..bytes.len()).filter(|place| *place < 700 || place % 251 == 0) {
            for flip in [0x01, 0x80] {
                let mut damaged = bytes.clone();
                damaged[place] ^= flip;
                std::fs::write(&path, damaged).unwrap();
                match open(&path) {
                    Ok(model) => {
                        read += 1;
                        // Whatever was read can be asked for all its rows.
                        let mut sum = vec![0.0; model.args.dimensions];
                        (0..model.input.rows()).for_each(|row| model.input.add_row(row, &mut sum));
                        (0..model.output.rows())
                            .for_each(|row| model.output.add_row(row, &mut sum));
                    }
                    Err(Error::InvalidInput { source, offset, .. }) => {
                        refused += 1;
                        assert!(source.ends_with("model") && offset.is_some());
                    }
                    Err(Error::Unsupported { .. }) => refused += 1,
                    Err(error) => panic!("{name}, byte {place}: {error}"),
                }
            }
        }
    }
    assert!(read > 300 && refused > 300, "{read} read, {refused} refused");
}

#[test]
fn sizes_beyond_the_file_are_refused_before_anything_is_allocated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let bytes = std::fs::read(golden("softmax.bin")).unwrap();
    assert!(is_model(&bytes));
    // The dimensions, the number of entries and of words.
    for places in [vec![8], vec![64, 68]] {
        let mut damaged = bytes.clone();
        for place in places {
            damaged[place..place + 4].copy_from_slice(&i32::MAX.to_le_bytes());
        }
        std::fs::write(&path, damaged).unwrap();
        assert!(matches!(open(&path), Err(Error::InvalidInput { .. })));
    }
}

#[test]
fn names_that_the_format_cannot_hold_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = open(&golden("negative.bin")).unwrap();
    let mut names: Vec<_> = model.dictionary.names.iter().map(<[u8]>::to_vec).collect();
    names[3].push(0);
    model.dictionary.names = inlay_formats::Names::new(names).unwrap().into();
    let path = folder.path().join("model.bin");
    assert!(matches!(save(&model, &path), Err(Error::Unsupported { .. })));
    assert!(!path.exists());
}
