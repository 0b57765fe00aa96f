use std::collections::BTreeMap;
use std::path::Path;

use inlay_base::{AtomicFile, Result};
use serde_json::{Map, Value, json};

use super::{Dtype, Spec};

/// Data begins at a multiple of this, so that a mapped first tensor starts on a cache line.
const ALIGNMENT: usize = 64;

/// Streams a file of known shapes. Tensors are written in the order of their specs, in pieces of
/// any size; the file appears under its name with `finish`, whole.
pub struct Writer {
    file: AtomicFile,
    remaining: usize,
}

impl Writer {
    /// Writes the header. A value should never lie across its natural border, so tensors with
    /// wider values come first: `save` sorts them.
    ///
    /// # Panics
    /// If two tensors have one name, if one is longer than memory can be, or if one of narrow
    /// values leaves a later one of wide values unaligned.
    pub fn create(path: &Path, metadata: &[(&str, &str)], specs: &[Spec<'_>]) -> Result<Self> {
        let (mut header, end) = header(metadata, specs);
        header.resize((8 + header.len()).next_multiple_of(ALIGNMENT) - 8, b' ');
        let mut file = AtomicFile::create(path)?;
        file.write(&(header.len() as u64).to_le_bytes())?;
        file.write(&header)?;
        Ok(Self { file, remaining: end })
    }

    /// Appends values, as little-endian bytes.
    ///
    /// # Panics
    /// If they are more than the specs promised.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.remaining = self.remaining.checked_sub(bytes.len()).expect("as many as promised");
        self.file.write(bytes)
    }

    /// Makes the file appear.
    ///
    /// # Panics
    /// If there are fewer values than the specs promised.
    pub fn finish(self) -> Result<()> {
        assert_eq!(self.remaining, 0, "bytes are missing");
        self.file.commit()
    }
}

/// What the header says of tensors that lie one after the other, and where the last one ends.
///
/// # Panics
/// As `Writer::create`.
pub(super) fn header(metadata: &[(&str, &str)], specs: &[Spec<'_>]) -> (Vec<u8>, usize) {
    let mut end = 0;
    let mut entries = BTreeMap::new();
    for spec in specs {
        let start: usize = end;
        assert!(start.is_multiple_of(spec.dtype.size()), "{} is not aligned", spec.name);
        end = spec.size().and_then(|size| start.checked_add(size)).expect("sizes fit memory");
        let entry = json!({
            "dtype": spec.dtype.name(),
            "shape": spec.shape,
            "data_offsets": [start, end],
        });
        assert!(entries.insert(spec.name, entry).is_none(), "{} comes twice", spec.name);
    }
    let mut header = Map::new();
    if !metadata.is_empty() {
        let texts = metadata.iter().map(|&(key, text)| (key.to_string(), text.into()));
        header.insert("__metadata__".into(), Value::Object(texts.collect()));
    }
    header.extend(entries.into_iter().map(|(name, entry)| (name.to_string(), entry)));
    (Value::Object(header).to_string().into_bytes(), end)
}

type Write<'a> = Box<dyn FnOnce(&mut Writer) -> Result<()> + 'a>;

/// A tensor and how to write it.
pub struct Part<'a> {
    spec: Spec<'a>,
    write: Write<'a>,
}

impl<'a> Part<'a> {
    /// A tensor that `write` writes in pieces.
    pub fn streamed(
        name: &'a str,
        dtype: Dtype,
        shape: &[usize],
        write: impl FnOnce(&mut Writer) -> Result<()> + 'a,
    ) -> Self {
        Self { spec: Spec::new(name, dtype, shape), write: Box::new(write) }
    }

    /// A tensor that lies in memory.
    pub fn bytes(name: &'a str, dtype: Dtype, shape: &[usize], bytes: &'a [u8]) -> Self {
        Self::streamed(name, dtype, shape, move |writer| writer.write(bytes))
    }
}

/// Writes a whole file. Tensors with wider values come first, else in the order given, so that
/// every one is aligned when the file is mapped.
pub fn save(path: &Path, metadata: &[(&str, &str)], mut parts: Vec<Part<'_>>) -> Result<()> {
    parts.sort_by_key(|part| std::cmp::Reverse(part.spec.dtype.size()));
    let specs: Vec<_> = parts.iter().map(|part| part.spec.clone()).collect();
    let mut writer = Writer::create(path, metadata, &specs)?;
    for part in parts {
        (part.write)(&mut writer)?;
    }
    writer.finish()
}
