use std::io::Write;
use std::sync::Arc;

use inlay_base::{Error, Map, Random};

use super::StateDict;
use super::pickle;
use crate::safetensors::Dtype;
use crate::tensors::Tensors;

const ZIP: &[u8] = include_bytes!("../../../../__test__/golden/tensors.pth");
const OLD: &[u8] = include_bytes!("../../../../__test__/golden/old.th");

fn open(bytes: &[u8]) -> Result<StateDict, Error> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    StateDict::of(Arc::new(Map::open(file.path()).unwrap()))
}

/// Asks for all that a file holds: what is not checked before would fail here.
fn read_all(dict: &StateDict) -> usize {
    let names: Vec<String> = dict.shapes().iter().map(|(name, _)| name.to_string()).collect();
    names.iter().map(|name| dict.tensor(name).unwrap().bytes.len()).sum()
}

fn floats(dict: &StateDict, name: &str) -> Vec<f32> {
    let bytes = dict.tensor(name).unwrap().bytes;
    bytes.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect()
}

fn problem(bytes: &[u8]) -> String {
    open(bytes).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn both_forms_hold_what_pytorch_wrote() {
    for bytes in [ZIP, OLD] {
        assert!(StateDict::is_one(bytes));
        let dict = open(bytes).unwrap();
        assert_eq!(dict.shapes().len(), 10);
        let weight = dict.tensor("0.weight").unwrap();
        assert_eq!((weight.dtype, &weight.shape[..]), (Dtype::F32, &[3, 4][..]));
        let rising: Vec<f32> = (0..12).map(|i| i as f32).collect();
        assert_eq!(floats(&dict, "0.weight"), rising);
        assert_eq!(floats(&dict, "0.bias"), [0.5, -1.5, 2.5]);
        let transposed = [0.0, 4.0, 8.0, 1.0, 5.0, 9.0, 2.0, 6.0, 10.0, 3.0, 7.0, 11.0];
        assert_eq!(floats(&dict, "transposed"), transposed);
        assert_eq!(&dict.tensor("transposed").unwrap().shape[..], [4, 3]);
        assert_eq!(floats(&dict, "row"), [4.0, 5.0, 6.0, 7.0]);
        assert_eq!(floats(&dict, "parameter"), [3.0]);
        assert_eq!(dict.tensor("half").unwrap().dtype, Dtype::F16);
        assert_eq!(dict.tensor("brain").unwrap().dtype, Dtype::BF16);
        assert_eq!(*dict.tensor("double").unwrap().bytes, 1e-3f64.to_le_bytes());
        let count = dict.tensor("count").unwrap();
        assert_eq!((&*count.bytes, &count.shape[..]), (&7i64.to_le_bytes()[..], &[][..]));
        assert_eq!(&dict.tensor("empty").unwrap().shape[..], [0, 4]);
        assert!(dict.tensor("other").is_none());
    }
}

#[test]
fn a_file_that_is_cut_short_anywhere_is_an_error() {
    for bytes in [ZIP, OLD] {
        for length in 0..bytes.len() {
            assert!(open(&bytes[..length]).is_err(), "{length}");
        }
    }
}

#[test]
fn no_changed_byte_makes_it_panic_or_hold_more_than_the_file() {
    let mut random = Random::new(1, 0);
    for bytes in [ZIP, OLD] {
        for _ in 0..3000 {
            let mut changed = bytes.to_vec();
            for _ in 0..=random.below(4) {
                let at = random.below(changed.len() as u32) as usize;
                changed[at] = random.below(256) as u8;
            }
            if let Ok(dict) = open(&changed) {
                let most = 10 * bytes.len();
                assert!(read_all(&dict) <= most);
            }
        }
    }
}

/// An old file whose third pickle is this one.
fn with_pickle(pickle: &[u8]) -> Vec<u8> {
    let start = super::storages::preamble(&{
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(OLD).unwrap();
        Map::open(file.path()).unwrap()
    });
    [&OLD[..start.unwrap()], pickle].concat()
}

#[test]
fn what_would_run_code_is_named_and_not_run() {
    let hostile = b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R.";
    let problem = problem(&with_pickle(hostile));
    assert!(
        problem.contains("`posix.system`") && problem.contains("nothing of it was run"),
        "{problem}"
    );
    for (pickle, operation) in [
        (&b"\x80\x02(i"[..], "0x69"),
        (b"\x80\x02(o", "0x6f"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "0x81"),
    ] {
        let problem = self::problem(&with_pickle(pickle));
        assert!(problem.contains(operation), "{problem}");
    }
    let called = self::problem(&with_pickle(b"\x80\x02ctorch\nFloatStorage\nK\x01\x85R."));
    assert!(called.contains("calls"), "{called}");
}

#[test]
fn depth_counts_and_memo_bombs_cost_nothing() {
    // A million lists, each in the next one.
    let mut deep = b"\x80\x02".to_vec();
    deep.extend(std::iter::repeat_n(b']', 1_000_000));
    deep.extend(std::iter::repeat_n(b'a', 999_999));
    deep.push(b'.');
    assert!(pickle::read(&deep, 0).is_ok());
    // Tuples of two of the one before: 2^200 leaves for whoever walks them.
    let mut bomb = b"\x80\x02K\x01q\x00".to_vec();
    for _ in 0..200 {
        bomb.extend(b"h\x00h\x00\x86q\x00");
    }
    bomb.push(b'.');
    assert!(pickle::read(&bomb, 0).is_ok());
    // A list that holds itself.
    assert!(pickle::read(b"\x80\x02]q\x00h\x00a.", 0).is_ok());
    // Texts of four gigabytes, operations without end, what was never built.
    for wrong in [
        &b"\x80\x02X\xff\xff\xff\xff"[..],
        b"\x80\x02h\x07.",
        b"\x80\x02t.",
        b"\x80\x02R.",
        b"\x80\x02(.",
    ] {
        assert!(pickle::read(wrong, 0).is_err());
    }
    let endless = vec![b'N'; 5_000_000];
    assert!(pickle::read(&endless, 0).unwrap_err().1.contains("operations"));
}

/// A pickle of one tensor: a storage of so many floats, an offset, one size and one stride.
fn one_tensor(length: u32, offset: u32, size: u32, stride: u32) -> Vec<u8> {
    let int = |number: u32| [&b"J"[..], &number.to_le_bytes()].concat();
    let storage =
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00kX\x03\x00\x00\x00cpu";
    let pickle = [
        &b"\x80\x02}X\x01\x00\x00\x00w"[..],
        b"ctorch._utils\n_rebuild_tensor_v2\n(",
        storage,
        &int(length),
        b"tQ",
        &int(offset),
        &int(size),
        b"\x85",
        &int(stride),
        b"\x85\x89}tRs.",
        // The key of the one storage, and this: two floats.
        b"\x80\x02]X\x01\x00\x00\x00ka.",
        &2u64.to_le_bytes(),
        &1.0f32.to_le_bytes(),
        &2.0f32.to_le_bytes(),
    ];
    with_pickle(&pickle.concat())
}

#[test]
fn sizes_strides_and_offsets_must_lie_within_what_is_there() {
    assert_eq!(floats(&open(&one_tensor(2, 0, 2, 1)).unwrap(), "w"), [1.0, 2.0]);
    assert_eq!(floats(&open(&one_tensor(2, 1, 1, 9)).unwrap(), "w"), [2.0]);
    assert_eq!(floats(&open(&one_tensor(2, 0, 2, 0)).unwrap(), "w"), [1.0, 1.0]);
    for (length, offset, size, stride, what) in [
        (3, 0, 2, 1, "12 bytes, of which 8"),
        (2, 1, 2, 1, "outside of its storage"),
        (2, 0, 2, 2, "outside of its storage"),
        (2, 0, 3, 0, "its storage 2 values"),
        (2, 0, 0x7fff_ffff, 0, "its storage 2 values"),
        (2, 0x7fff_ffff, 1, 1, "outside of its storage"),
        (2, 0, 0xffff_ffff, 1, "impossible"),
        (0xffff_fffe, 0, 1, 1, "impossible size"),
    ] {
        let problem = problem(&one_tensor(length, offset, size, stride));
        assert!(problem.contains(what), "{problem}");
    }
}

#[test]
fn a_file_without_tensors_says_what_it_has() {
    let problem = problem(&with_pickle(b"\x80\x02}X\x05\x00\x00\x00epochK\x03s.\x80\x02]."));
    assert!(problem.contains("no tensors by name; its keys are `epoch`"), "{problem}");
}
