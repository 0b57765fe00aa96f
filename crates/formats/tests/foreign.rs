//! Files of other tools: round trips, dialects, and damaged files, one clear error each.

use std::path::{Path, PathBuf};

use inlay_base::{Error, Map, Random, Result, Run};
use inlay_formats::{
    Format, GiveRows, InvalidUtf8, Matrix, Names, ReadOptions, npy, projector, safetensors, sniff,
    vocabulary, word2vec,
};

fn open(path: &Path, options: &ReadOptions) -> Result<(Format, Names, Matrix)> {
    let map = Map::open(path)?;
    let run = Run::quiet(2, 1);
    let mut matrix = Matrix::default();
    let format = sniff(&map)?;
    let names = match format {
        Format::Safetensors => {
            let reader = safetensors::Reader::open(path)?;
            Names::read(&reader)?.unwrap_or(Names::new::<&[u8]>([])?)
        }
        Format::Word2VecText | Format::GloveText => {
            word2vec::read_text(&map, options, &run, &mut matrix)?
        }
        Format::Word2VecBinary => word2vec::read_binary(&map, options, &run, &mut matrix)?,
        Format::Npy => {
            npy::read(&map, options, &run, &mut matrix)?;
            Names::new((0..matrix.rows).map(|row| row.to_string()))?
        }
        Format::Projector => {
            let rows = {
                projector::read(&map, &ReadOptions::default(), &run, &mut matrix)?;
                matrix.rows
            };
            projector::read(&map, options, &run, &mut matrix)?;
            vocabulary::read(&projector::metadata_path(path), rows, options)?
        }
    };
    Ok((format, names, matrix))
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn read(&self, bytes: impl AsRef<[u8]>) -> Result<(Format, Names, Matrix)> {
        open(&self.file("vectors", bytes), &ReadOptions::default())
    }
}

fn words(names: &Names) -> Vec<String> {
    names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

/// Numbers of every size, so that digits and exponents are met.
fn sample(rows: usize, dimensions: usize) -> Matrix {
    let mut random = Random::new(3, 0);
    let values = (0..rows * dimensions)
        .map(|i| (random.unit() - 0.5) * 10f32.powi((i % 60) as i32 - 30))
        .collect();
    Matrix { values, rows, dimensions }
}

const PLAIN: [&[u8]; 7] =
    [b"king", b"__proto__", b"\xff\xfe", "r\u{e9}sum\u{e9}".as_bytes(), b"", b"10", b"\xc2\xa0x"];
const WITH_SPACES: [&[u8]; 4] = [b"New York", b" lead", b"trail ", b". . . 1 2"];

#[test]
fn every_format_gives_back_what_it_was_given() {
    let folder = Folder::new();
    let run = Run::quiet(2, 1);
    let path = folder.0.path().join("vectors.x");
    for dimensions in [1, 2, 3, 17, 300] {
        let spaced = Names::new(PLAIN.iter().chain(&WITH_SPACES)).unwrap();
        let plain = Names::new(PLAIN).unwrap();
        let (some, all) = (sample(plain.len(), dimensions), sample(spaced.len(), dimensions));

        word2vec::write_text(&path, &spaced, &all, &run).unwrap();
        let (format, names, matrix) = open(&path, &ReadOptions::default()).unwrap();
        assert_eq!((format, &matrix), (Format::Word2VecText, &all), "{dimensions}");
        assert!(names.iter().eq(spaced.iter()), "{:?}", words(&names));

        word2vec::write_binary(&path, &plain, &some, &run).unwrap();
        let (format, names, matrix) = open(&path, &ReadOptions::default()).unwrap();
        assert_eq!((format, &matrix), (Format::Word2VecBinary, &some));
        assert!(names.iter().eq(plain.iter()));

        npy::write(&path, &all, &run).unwrap();
        let (format, _, matrix) = open(&path, &ReadOptions::default()).unwrap();
        assert_eq!((format, &matrix), (Format::Npy, &all));
        assert_eq!(npy::layout(&Map::open(&path).unwrap()).unwrap().range.start % 64, 0);

        projector::write(&path, &spaced, &all, &run).unwrap();
        let (format, names, matrix) = open(&path, &ReadOptions::default()).unwrap();
        assert_eq!((format, &matrix), (Format::Projector, &all));
        assert!(names.iter().eq(spaced.iter()));
    }
}

#[test]
fn many_blocks_on_two_threads_are_read_in_order() {
    let folder = Folder::new();
    let run = Run::quiet(2, 1);
    let path = folder.0.path().join("vectors.x");
    let matrix = sample(5000, 100);
    let names = Names::new((0..matrix.rows).map(|row| format!("w {row}"))).unwrap();
    type Write = fn(&Path, &Names, &dyn GiveRows, &Run) -> Result<()>;
    for write in [word2vec::write_text as Write, projector::write] {
        write(&path, &names, &matrix, &run).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() > 5 << 20);
        for limit in [None, Some(0), Some(1), Some(2500), Some(4999), Some(5000), Some(9999)] {
            let options = ReadOptions { limit, ..Default::default() };
            let (_, read, part) = open(&path, &options).unwrap();
            let rows = limit.unwrap_or(usize::MAX).min(5000);
            assert_eq!((read.len(), part.rows), (rows, rows));
            assert!(read.iter().eq(names.iter().take(rows)));
            assert_eq!(part.values, matrix.values[..rows * 100]);
        }
    }
}

#[test]
fn both_dialects_of_the_binary_format_are_read() {
    let row = |word: &[u8], values: [f32; 2], end: &[u8]| {
        [word, b" ", bytemuck::cast_slice(&values), end].concat()
    };
    for end in [&b""[..], b"\n"] {
        // The second value's bytes hold spaces and line ends: 0x20202020, 0x0a0a0a0a.
        let odd = [f32::from_bits(0x2020_2020), f32::from_bits(0x0a0a_0a0a)];
        let bytes = [&b"2 2\n"[..], &row(b"a", odd, end), &row(b"\xff", [1.0, -2.0], end)].concat();
        let (format, names, matrix) = Folder::new().read(bytes).unwrap();
        assert_eq!(format, Format::Word2VecBinary);
        assert!(names.iter().eq([&b"a"[..], b"\xff"]));
        assert_eq!(matrix.values, [odd[0], odd[1], 1.0, -2.0]);
    }
}

#[test]
fn text_of_many_tools_is_read() {
    type Case = (&'static str, &'static [u8], &'static [&'static str], &'static [f32]);
    let cases: [Case; 12] = [
        ("gensim", b"2 2\na 1 2\nb 3.5 -4e-3\n", &["a", "b"], &[1.0, 2.0, 3.5, -0.004]),
        ("word2vec.c", b"2 2\na 1.0 2.0 \nb 3.0 4.0 \n", &["a", "b"], &[1.0, 2.0, 3.0, 4.0]),
        ("GloVe", b"the 1 2\n. . 3 4\n", &["the", ". ."], &[1.0, 2.0, 3.0, 4.0]),
        ("GloVe of one number", b"10 .5\n20 6\n", &["10", "20"], &[0.5, 6.0]),
        ("GloVe of numbers", b"10 5 7\n20 6 8\n", &["10", "20"], &[5.0, 7.0, 6.0, 8.0]),
        ("tabs", b"a\t1\t2\nb\t3\t4", &["a", "b"], &[1.0, 2.0, 3.0, 4.0]),
        ("Windows", b"2 2\r\na 1 2\r\nb 3 4\r\n", &["a", "b"], &[1.0, 2.0, 3.0, 4.0]),
        ("a mark", b"\xef\xbb\xbf1 2\na 1 2\n", &["a"], &[1.0, 2.0]),
        ("blank lines at the end", b"1 2\na 1 2\n\n\r\n\n", &["a"], &[1.0, 2.0]),
        ("no word at all", b"0 100\n", &[], &[]),
        ("an empty word", b"2 2\n 1 2\nb 3 4\n", &["", "b"], &[1.0, 2.0, 3.0, 4.0]),
        ("a word twice", b"2 1\na 1\na 2\n", &["a", "a"], &[1.0, 2.0]),
    ];
    for (what, bytes, expected, values) in cases {
        let (format, names, matrix) =
            Folder::new().read(bytes).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(format, Format::Word2VecText, "{what}");
        assert_eq!(words(&names), expected, "{what}");
        assert_eq!(matrix.values, values, "{what}");
    }
}

#[test]
fn bytes_that_are_no_text_are_kept_refused_or_replaced() {
    let folder = Folder::new();
    let binary = [&b"2 1\nok "[..], &[0, 0, 128, 63], b"\xffx ", &[0, 0, 128, 63]].concat();
    for (bytes, at) in [(&b"2 1\nok 1\n\xffx 2\n"[..], 9), (&binary, 11)] {
        let path = folder.file("v", bytes);
        let read = |invalid_utf8| {
            open(&path, &ReadOptions { invalid_utf8, ..Default::default() })
                .map(|(_, names, _)| names.get(1).to_vec())
        };
        assert_eq!(read(InvalidUtf8::Keep).unwrap(), b"\xffx");
        assert_eq!(read(InvalidUtf8::Replace).unwrap(), "\u{fffd}x".as_bytes());
        let Err(Error::InvalidInput { offset, problem, .. }) = read(InvalidUtf8::Error) else {
            panic!("not refused")
        };
        assert_eq!(offset, Some(at));
        assert!(problem.contains("word 1"), "{problem}");
    }
}

#[test]
fn words_that_a_format_cannot_hold_are_refused_when_writing() {
    let folder = Folder::new();
    let run = Run::quiet(1, 1);
    let path = folder.0.path().join("v.tsv");
    type Write = fn(&Path, &Names, &dyn GiveRows, &Run) -> Result<()>;
    let cases: [(&[u8], Write); 5] = [
        (b"a b", word2vec::write_binary),
        (b"\na", word2vec::write_binary),
        (b"a\nb", word2vec::write_text),
        (b"a\tb", projector::write),
        (b"a\nb", projector::write),
    ];
    for (word, write) in cases {
        let names = Names::new([word]).unwrap();
        let error = write(&path, &names, &sample(1, 2), &run).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn arrays_of_halves_and_doubles_are_read() {
    let header = |version: u8, descr: &str, shape: &str, order: &str| {
        let text =
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let mut bytes = [b"\x93NUMPY", &[version, 0][..]].concat();
        match version {
            1 => bytes.extend_from_slice(&(text.len() as u16).to_le_bytes()),
            _ => bytes.extend_from_slice(&(text.len() as u32).to_le_bytes()),
        }
        [bytes, text.into_bytes()].concat()
    };
    let folder = Folder::new();
    let doubles = bytemuck::cast_slice(&[1.5f64, -2.0]);
    let halves = [0x00, 0x3e, 0x00, 0xc0];
    for version in [1, 2, 3] {
        for (descr, data) in [("<f8", doubles), ("<f2", &halves[..])] {
            let bytes = [&header(version, descr, "(1, 2)", "False"), data].concat();
            assert_eq!(folder.read(bytes).unwrap().2.values, [1.5, -2.0]);
        }
    }
    for (descr, shape, order) in [
        (">f4", "(1, 1)", "False"),
        ("<i4", "(1, 1)", "False"),
        ("|O", "(1, 1)", "False"),
        ("<f4", "(1,)", "False"),
        ("<f4", "()", "False"),
        ("<f4", "(2, 2)", "True"),
    ] {
        let error = folder.read(header(1, descr, shape, order)).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{descr} {shape}: {error}");
    }
}

/// Damaged files and a part of the sentence that each one gets.
fn hostile() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let npy = |header: &str, data: usize| {
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &vec![0; data]].concat()
    };
    let binary = |tail: &[u8]| [&b"2 1\na "[..], &1f32.to_le_bytes(), tail].concat();
    let inf = [b"b ", &f32::INFINITY.to_le_bytes()[..]].concat();
    vec![
        ("nothing", b"".to_vec(), "empty"),
        ("huge header", b"99999999999 99999999\n".to_vec(), "promises"),
        ("header beyond 64 bits", b"99999999999999999999999 2\na 1 2\n".to_vec(), "promises"),
        ("header that wraps", b"4611686018427387904 4\na 1 2 3 4\n".to_vec(), "promises"),
        ("huge dimensions", b"1 9223372036854775807\na 1\n".to_vec(), "promises"),
        ("negative header", [&b"-5 10\nabc "[..], &[0; 40]].concat(), "line 2"),
        ("no dimensions", b"2 0\na\nb\n".to_vec(), "promises"),
        ("short binary", [&b"10 10\nabc "[..], &[0; 40]].concat(), "promises"),
        ("binary cut in a row", binary(b"b \0\0\x80"), "promises"),
        ("binary without a space", binary(b"bbbbbbb"), "cut short"),
        ("binary with more rows", binary(b"b \0\0\x80\x3fc \0\0\x80\x3f"), "follow"),
        ("binary with infinity", binary(&inf), "holds inf"),
        ("nan", b"2 2\na nan 1\nb 1 2\n".to_vec(), "line 2: `nan` is not a finite number"),
        ("infinity", b"1 2\na 1 inf\n".to_vec(), "not a finite number"),
        ("beyond f32", b"1 2\na 1 1e39\n".to_vec(), "not a finite number"),
        ("ragged", b"2 3\na 1 2 3\nb 1 2\n".to_vec(), "line 3: a word and 3 values"),
        ("ragged first row", b"2 3\na 1 2\nb 1 2 3\n".to_vec(), "line 2: a word and 3 values"),
        ("ragged GloVe", b"a 1 2 3\nb 1 2\n".to_vec(), "line 2: a word and 3 values"),
        ("letters", b"2 3\na 1 x 3\nb 1 2 3\n".to_vec(), "line 2: `x` is not a finite number"),
        ("no word", b"2 2\na 1 2\n1 2\n".to_vec(), "line 3: a word and 2 values"),
        ("a blank line", b"a 1 2\n\nb 1 2\n".to_vec(), "line 2: a word and 2 values"),
        ("fewer rows", b"3 2\na 1.25 2\nb 1.25 2\n".to_vec(), "promises 3 rows, the file holds 2"),
        ("more rows", b"1 2\na 1 2\nb 1 2\n".to_vec(), "promises 1 rows, the file holds 2"),
        ("zeros", vec![0; 100], "no format"),
        ("prose", b"It was the best of times,\nit was the worst\n".to_vec(), "no format"),
        ("a long line", vec![b'a'; 5 << 20], "no format"),
        ("gzip", b"\x1f\x8b\x08\0\0\0".to_vec(), "unpack it first"),
        ("zstd", b"\x28\xb5\x2f\xfd\0\0".to_vec(), "unpack it first"),
        ("pickle", b"\x80\x04\x95\0\0".to_vec(), "can run code"),
        ("fastText", b"\xba\x16\x4f\x2f\x0c\0\0\0".to_vec(), "fastText"),
        ("npy cut", b"\x93NUMPY".to_vec(), "cut short"),
        ("npy header cut", [&b"\x93NUMPY\x01\x00\xff\xff"[..], &[b'x'; 20]].concat(), "cut short"),
        ("npy version", b"\x93NUMPY\x09\x00\x02\x00{}".to_vec(), "version 9"),
        ("npy header of nothing", npy("{}", 0), "lacks"),
        ("npy header without end", npy("{'descr': '<f4", 0), "without an end"),
        ("npy twice", npy("{'shape': (1, 1), 'shape': (1, 1)}", 4), "has the key `shape` twice"),
        ("npy code", npy("__import__('os')", 0), "lacks a `{`"),
        (
            "npy that wraps",
            npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387905, 4)}", 16),
            "promises",
        ),
        (
            "npy too short",
            npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}", 20),
            "promises 3 rows",
        ),
        (
            "npy too long",
            npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}", 25),
            "promises 3 rows",
        ),
        (
            "npy of nothing",
            npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 0)}", 0),
            "no values",
        ),
        ("projector, ragged", b"1\t2\n3\n".to_vec(), "line 2: 2 values are wanted"),
        ("projector, letters", b"1\t2\n3\tx\n".to_vec(), "line 2: `x` is not a finite number"),
        ("projector alone", b"1\t2\n3\t4\n".to_vec(), "not found"),
    ]
}

#[test]
fn damaged_files_are_one_clear_error_each() {
    let folder = Folder::new();
    for (what, bytes, expected) in hostile() {
        let error = folder.read(&bytes).map(|(format, ..)| format).expect_err(what);
        let text = error.to_string();
        assert!(text.contains(expected), "{what}: {text}");
        assert!(
            text.contains("vectors") || text.contains("metadata"),
            "{what} names the file: {text}"
        );
        assert_eq!(text.lines().count(), 1, "{what}: {text}");
        if let Error::InvalidInput { offset: Some(offset), .. } = error {
            assert!(offset <= bytes.len() as u64, "{what}: {text}");
        }
    }
}

#[test]
fn the_place_of_a_mistake_is_its_byte() {
    let Err(Error::InvalidInput { offset, .. }) = Folder::new().read(b"2 3\na 1 2 3\nb 1 x 3\n")
    else {
        panic!("not refused")
    };
    assert_eq!(offset, Some(16));
}

#[test]
fn noise_is_refused_or_read_but_never_panics() {
    let folder = Folder::new();
    let mut random = Random::new(5, 0);
    for _ in 0..500 {
        let length = random.below(4000);
        let bytes: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
        assert!(folder.read(bytes).is_err());
    }
}

#[test]
fn mutations_of_small_files_never_panic() {
    let folder = Folder::new();
    let run = Run::quiet(1, 1);
    let path = folder.0.path().join("w.tsv");
    let names = Names::new(["a", "bc", "New", "\u{e9}"]).unwrap();
    let matrix = sample(4, 3);
    let mut seeds = vec![b"4 3\na 1 2 3\nbc 1 2 3\nNew York 1 2 3\nx 0.1 -2e-5 3\n".to_vec()];
    type Write = fn(&Path, &Names, &dyn GiveRows, &Run) -> Result<()>;
    for write in [word2vec::write_text as Write, word2vec::write_binary, projector::write] {
        write(&path, &names, &matrix, &run).unwrap();
        seeds.push(std::fs::read(&path).unwrap());
    }
    npy::write(&path, &matrix, &run).unwrap();
    seeds.push(std::fs::read(&path).unwrap());
    vocabulary::save(&folder.0.path().join("metadata"), &names).unwrap();
    let mut random = Random::new(9, 0);
    let mut outcomes = [0; 2];
    for round in 0..7000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() as u32) as usize;
            match random.below(5) {
                0 => bytes[at] = random.bits() as u8,
                1 => bytes[at] ^= 1 << random.below(8),
                2 => bytes.insert(at, b" \n\t9-.e\0"[random.below(8) as usize]),
                3 if bytes.len() > 1 => drop(bytes.remove(at)),
                _ if random.below(4) == 0 => bytes.truncate(at + 1),
                _ => bytes.swap(at, 0),
            }
        }
        match folder.read(bytes) {
            Ok((_, names, matrix)) => {
                assert!(names.len() == matrix.rows || matrix.rows == 0);
                outcomes[0] += 1;
            }
            Err(Error::Internal(message)) => panic!("{message}"),
            Err(_) => outcomes[1] += 1,
        }
    }
    assert!(outcomes.iter().all(|&count| count > 300), "{outcomes:?}");
}
