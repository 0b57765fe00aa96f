//! Safetensors files: what is written is read, what is damaged is refused with its place.

use std::path::PathBuf;

use inlay_base::{Error, Random};
use inlay_formats::Names;
use inlay_formats::safetensors::{Dtype, Part, Reader, Spec, Writer, save};

fn file(folder: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn with_header(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 7);
    bytes
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let names = Names::new(["king", "__proto__", "New York", "", "\u{212b}"]).unwrap();
    let mut parts = vec![
        Part::bytes("small", Dtype::I8, &[3], &[1, 2, 3]),
        Part::streamed("vectors", Dtype::F32, &[5, 1], |writer| {
            (0..5).try_for_each(|i| writer.write(&(i as f32).to_le_bytes()))
        }),
    ];
    parts.extend(names.parts());
    save(&path, &[("inlay", "{\"kind\":\"test\"}")], parts).unwrap();

    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.metadata("inlay"), Some("{\"kind\":\"test\"}"));
    assert_eq!(reader.metadata("other"), None);
    let vectors = reader.tensor("vectors").unwrap();
    assert_eq!((vectors.dtype, &vectors.shape[..]), (Dtype::F32, &[5, 1][..]));
    let values: Vec<f32> = bytemuck::cast_slice(vectors.bytes).to_vec();
    assert_eq!(values, [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!(reader.tensor("small").unwrap().bytes, [1, 2, 3]);

    let back = Names::read(&reader).unwrap().unwrap();
    assert!(back.iter().eq(names.iter()));
    assert_eq!((back.seed(), back.index()), (names.seed(), names.index()));
    for (number, name) in names.iter().enumerate() {
        assert_eq!(back.find(name), Some(number as u32));
    }
}

#[test]
fn data_starts_on_a_cache_line() {
    let folder = tempfile::tempdir().unwrap();
    for length in 1..80 {
        let path = folder.path().join("model.safetensors");
        let name = "x".repeat(length);
        let mut writer = Writer::create(&path, &[], &[Spec::new(&name, Dtype::U8, &[1])]).unwrap();
        writer.write(&[9]).unwrap();
        writer.finish().unwrap();
        let reader = Reader::open(&path).unwrap();
        assert_eq!(reader.tensor(&name).unwrap().range.start % 64, 0);
    }
}

#[test]
fn hostile_headers_are_one_error_each() {
    let tensor = |name: &str, shape: &str, offsets: &str| {
        format!(r#""{name}":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}"#)
    };
    let one = |shape: &str, offsets: &str, data| {
        with_header(&format!("{{{}}}", tensor("a", shape, offsets)), data)
    };
    let two = |first: &str, second: &str| {
        let (a, b) = (tensor("a", "[1]", first), tensor("b", "[1]", second));
        with_header(&format!("{{{a},{b}}}"), 8)
    };
    let twice = format!("{{{0},{0}}}", tensor("a", "[0]", "[0,0]"));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("seven bytes", vec![0; 7]),
        ("a huge length", [&(1u64 << 62).to_le_bytes()[..], b"{}"].concat()),
        ("the greatest length", [&u64::MAX.to_le_bytes()[..], b"{}"].concat()),
        ("one byte more than there is", [&3u64.to_le_bytes()[..], b"{}"].concat()),
        ("cut JSON", with_header("{\"a\":", 0)),
        ("no JSON", with_header("\u{1}\u{2}", 0)),
        ("a list", with_header("[]", 0)),
        ("deep JSON", with_header(&"[".repeat(100_000), 0)),
        ("deep JSON inside", with_header(&format!("{{\"a\":{}", "{\"a\":".repeat(50_000)), 0)),
        ("a wrapping shape", one("[1099511627776,1048576]", "[0,8]", 8)),
        ("a shape that wraps to its size", one("[4611686018427387905,4]", "[0,16]", 16)),
        ("a negative axis", one("[-1]", "[0,4]", 4)),
        ("a fraction", one("[1.5]", "[0,4]", 4)),
        ("offsets that fall", one("[1,2]", "[8,0]", 8)),
        ("offsets beyond the file", one("[2]", "[0,8]", 4)),
        ("huge offsets", one("[2]", "[18446744073709551607,18446744073709551615]", 8)),
        ("a wrong length", one("[3]", "[0,8]", 8)),
        ("data of no tensor", one("[1]", "[0,4]", 8)),
        ("a gap in front", one("[1]", "[4,8]", 8)),
        ("an overlap", two("[0,4]", "[0,4]")),
        ("half an overlap", two("[0,4]", "[2,6]")),
        ("a gap", two("[0,4]", "[8,12]")),
        ("a name twice", with_header(&twice, 0)),
        ("metadata twice", with_header(r#"{"__metadata__":{"a":"1","a":"2"}}"#, 0)),
        ("metadata objects twice", with_header(r#"{"__metadata__":{},"__metadata__":{}}"#, 0)),
        ("metadata of numbers", with_header(r#"{"__metadata__":{"a":1}}"#, 0)),
        (
            "an unknown type",
            with_header(r#"{"a":{"dtype":"Q4","shape":[],"data_offsets":[0,0]}}"#, 0),
        ),
        (
            "an unknown key",
            with_header(r#"{"a":{"dtype":"U8","x":1,"shape":[0],"data_offsets":[0,0]}}"#, 0),
        ),
        ("a missing key", with_header(r#"{"a":{"dtype":"U8","shape":[0]}}"#, 0)),
        ("a long shape", one(&format!("[{}1]", "1,".repeat(100)), "[0,4]", 4)),
        ("bytes after the header's end", with_header("{} {}", 0)),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (what, bytes) in cases {
        let error = Reader::open(&file(&folder, &bytes)).expect_err(what);
        let Error::InvalidInput { source, offset: Some(offset), .. } = &error else {
            panic!("{what}: {error:?}")
        };
        assert!(source.ends_with("model.safetensors"), "{what}");
        assert!(*offset <= bytes.len() as u64, "{what}: {error}");
        assert_eq!(error.to_string().lines().count(), 1, "{what}: {error}");
    }
}

#[test]
fn hostile_vocabularies_are_errors() {
    let write = |offsets: &[u64], index: &[u32]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let (o, i) = (bytemuck::cast_slice(offsets), bytemuck::cast_slice(index));
        let parts = vec![
            Part::bytes("vocabulary.bytes", Dtype::U8, &[3], b"abc"),
            Part::bytes("vocabulary.offsets", Dtype::U64, &[offsets.len()], o),
            Part::bytes("vocabulary.seed", Dtype::U64, &[1], &[0; 8]),
            Part::bytes("vocabulary.index", Dtype::U32, &[index.len()], i),
        ];
        save(&path, &[], parts).unwrap();
        Names::read(&Reader::open(&path).unwrap())
    };
    let empty = u32::MAX;
    assert!(write(&[0, 1, 3], &[0, 1, empty, empty]).is_ok());
    assert!(write(&[], &[0, 1, empty, empty]).is_err());
    assert!(write(&[0, 1, 4], &[0, 1, empty, empty]).is_err());
    assert!(write(&[0, 1, 2], &[0, 1, empty, empty]).is_err());
    assert!(write(&[0, 3, 1, 3], &[0, 1, empty, empty]).is_err());
    assert!(write(&[0, u64::MAX, 3], &[0, 1, empty, empty]).is_err());
    assert!(write(&[0, 1, 3], &[0, 2, empty, empty]).is_err(), "beyond the names");
    assert!(write(&[0, 1, 3], &[0, 1, empty]).is_err(), "not a power of two");
    assert!(write(&[0, 1, 3], &[]).is_err());
    // A table without an empty cell ends every search all the same.
    let full = write(&[0, 1, 3], &[0; 4]).unwrap().unwrap();
    assert_eq!((full.find(b"zzz"), full.find(b"a")), (None, Some(0)));
}

#[test]
fn mutations_of_a_small_file_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let names = Names::new(["a", "bc", "def"]).unwrap();
    let mut parts = names.parts();
    parts.push(Part::bytes("vectors", Dtype::F32, &[3, 1], &[0; 12]));
    save(&path, &[("inlay", "{}")], parts).unwrap();
    let good = std::fs::read(&path).unwrap();
    let mut random = Random::new(1, 0);
    let mut refused = 0;
    for _ in 0..3000 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() as u32) as usize;
            bytes[at] = random.bits() as u8;
        }
        if random.below(4) == 0 {
            bytes.truncate(random.below(bytes.len() as u32) as usize);
        }
        let outcome = Reader::open(&file(&folder, &bytes)).and_then(|reader| Names::read(&reader));
        match outcome {
            Ok(Some(names)) => {
                assert!(names.iter().filter_map(|name| names.find(name)).all(|name| name < 3));
            }
            Ok(None) => {}
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 500, "only {refused} of 3000 damaged files were refused");
}
