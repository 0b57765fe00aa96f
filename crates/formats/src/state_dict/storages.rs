//! The form before PyTorch 1.6: pickles of a magic number, a version and the machine's sizes; the pickle of
//! tensors; the pickle of the keys of storages; then each storage, its length before it.

use std::collections::HashMap;
use std::ops::Range;

use inlay_base::{Error, Map, Result};

use super::pickle::{self, Built, Name, Value, Wrong};

/// What the first pickle holds.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Reads what stands before the pickle of tensors: where that begins.
pub fn preamble(map: &Map) -> Result<usize> {
    let invalid =
        |(offset, problem): Wrong| Error::invalid_file(map.path(), Some(offset as u64), problem);
    if !map.get(2..).is_some_and(|rest| rest.starts_with(MAGIC)) {
        return Err(invalid((0, "a pickle that is none of PyTorch's".into())));
    }
    let (_, version, end) = pickle::read(map, 2 + MAGIC.len()).map_err(invalid)?;
    if version != Value::Int(1001) {
        return Err(invalid((2 + MAGIC.len(), "a file of PyTorch's of an unknown version".into())));
    }
    let (built, sizes, end) = pickle::read(map, end).map_err(invalid)?;
    let Value::Dict(sizes) = sizes else {
        return Err(invalid((end, "a file of PyTorch's without its machine's sizes".into())));
    };
    let mut pairs = built.items(sizes).chunks_exact(2);
    if pairs.any(|pair| pair == [Value::Text("little_endian"), Value::Bool(false)]) {
        let what = format!("{}: written by a big-endian machine", map.path().display());
        return Err(Error::Unsupported { what });
    }
    Ok(end)
}

/// Where the storages of a file lie, by key.
pub struct Storages(pub(super) HashMap<String, Range<usize>>);

impl Storages {
    /// Walks along what stands behind the pickle of tensors.
    pub fn after(map: &Map, end: usize, built: &Built<'_>) -> std::result::Result<Self, Wrong> {
        let sizes = sizes(built);
        let (keys, root, mut at) = pickle::read(map, end)?;
        let Value::List(list) = root else {
            return Err((end, "a file of PyTorch's without a list of its storages".into()));
        };
        let mut storages = HashMap::new();
        for key in keys.items(list) {
            let Value::Text(key) = key else {
                return Err((end, "a storage whose key is no text".into()));
            };
            let Some(&size) = sizes.get(key) else {
                return Err((end, format!("the storage `{key}` belongs to no tensor")));
            };
            let length = map.get(at..).and_then(|rest| rest.first_chunk::<8>());
            let length = length.map(|bytes| u64::from_le_bytes(*bytes));
            let start = at + 8;
            let bytes = length
                .and_then(|length| usize::try_from(length).ok()?.checked_mul(size))
                .filter(|&bytes| start.checked_add(bytes).is_some_and(|end| end <= map.len()));
            let Some(bytes) = bytes else {
                return Err((at, format!("the storage `{key}` goes beyond the end of the file")));
            };
            storages.insert((*key).to_owned(), start..start + bytes);
            at = start + bytes;
        }
        Ok(Self(storages))
    }

    pub fn find(&self, key: &str, size: usize) -> std::result::Result<Range<usize>, String> {
        let found = self.0.get(key);
        let range = found.ok_or_else(|| format!("has the storage `{key}`, which is not there"))?;
        if size > range.len() {
            return Err(format!(
                "has a storage of {size} bytes, of which {} are there",
                range.len()
            ));
        }
        Ok(range.start..range.start + size)
    }
}

/// Bytes of a value of each storage, by key.
fn sizes<'a>(built: &Built<'a>) -> HashMap<&'a str, usize> {
    let size = |items: &[Value<'a>]| match items {
        [Value::Text("storage"), Value::Name(Name::Storage(dtype)), Value::Text(key), ..] => {
            Some((*key, dtype.size()))
        }
        _ => None,
    };
    built.all().filter_map(size).collect()
}
