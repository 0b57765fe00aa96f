use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use inlay_base::{Error, Map, Result};

use super::Dtype;
use super::header::Header;

/// The longest header that is read: the limit of the format's own library.
const LONGEST_HEADER: u64 = 100_000_000;
/// The deepest shape that is read.
const MOST_AXES: usize = 16;

/// A safetensors file, mapped and checked: tensors cover the data exactly, without overlap or gap,
/// each as long as its shape says; no name comes twice. Nothing is allocated on a header's word.
#[derive(Debug)]
pub struct Reader {
    map: Arc<Map>,
    metadata: Vec<(String, String)>,
    /// By name.
    tensors: Vec<Described>,
}

#[derive(Debug)]
struct Described {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    range: Range<usize>,
}

/// One tensor of a file.
#[derive(Debug, Clone)]
pub struct Tensor<'a> {
    /// What its values are.
    pub dtype: Dtype,
    /// Its sizes, outermost first.
    pub shape: Vec<usize>,
    /// Its values, as they lie in the file.
    pub bytes: &'a [u8],
    /// Where they lie in `Reader::map`.
    pub range: Range<usize>,
}

impl Reader {
    /// Opens and checks a file.
    ///
    /// # Errors
    /// `InvalidInput` with the place of whatever is not as the format wants it.
    pub fn open(path: &Path) -> Result<Self> {
        Self::of(Arc::new(Map::open(path)?))
    }

    /// Checks a file that is mapped already.
    pub fn of(map: Arc<Map>) -> Result<Self> {
        let invalid = |offset: usize, problem: String| {
            Error::invalid_file(map.path(), Some(offset as u64), problem)
        };
        let Some(length) = map.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes)) else {
            return Err(invalid(0, "too short for a safetensors file".into()));
        };
        if length > LONGEST_HEADER || length > map.len() as u64 - 8 {
            let problem = format!(
                "the header should have {length} bytes, the file has {} after its length",
                map.len() - 8
            );
            return Err(invalid(0, problem));
        }
        let data = 8 + length as usize;
        let json = &map[8..data];
        let header: Header = serde_json::from_slice(json).map_err(|error| {
            let line = json.split(|&byte| byte == b'\n').take(error.line().saturating_sub(1));
            let before: usize = line.map(|line| line.len() + 1).sum();
            let problem = format!("the header is not one of safetensors: {}", place_cut(&error));
            invalid(8 + before + error.column().saturating_sub(1), problem)
        })?;
        let mut tensors = Vec::with_capacity(header.tensors.len());
        for (name, entry) in header.tensors {
            let dtype = Dtype::named(&entry.dtype).ok_or_else(|| {
                invalid(8, format!("tensor `{name}` has values of unknown type `{}`", entry.dtype))
            })?;
            let size = entry
                .shape
                .iter()
                .try_fold(dtype.size() as u64, |size, &axis| size.checked_mul(axis))
                .filter(|_| entry.shape.len() <= MOST_AXES)
                .ok_or_else(|| invalid(8, format!("tensor `{name}` has an impossible shape")))?;
            let [start, end] = entry.data_offsets;
            if start > end || end > (map.len() - data) as u64 {
                let problem = format!(
                    "tensor `{name}` lies at {start}..{end}, the data has {} bytes",
                    map.len() - data
                );
                return Err(invalid(8, problem));
            }
            if end - start != size {
                let problem =
                    format!("tensor `{name}` has {} bytes, its shape wants {size}", end - start);
                return Err(invalid(8, problem));
            }
            // A tensor of no values may claim any other axis: it must still be a `usize`.
            let shape = entry.shape.iter().map(|&axis| usize::try_from(axis));
            let shape = shape.collect::<std::result::Result<_, _>>();
            let shape = shape
                .map_err(|_| invalid(8, format!("tensor `{name}` has an impossible shape")))?;
            let range = data + start as usize..data + end as usize;
            tensors.push(Described { name, dtype, shape, range });
        }
        tensors.sort_by_key(|tensor| (tensor.range.start, tensor.range.end));
        let mut covered = data;
        for tensor in &tensors {
            if tensor.range.start != covered {
                let what =
                    if tensor.range.start < covered { "overlaps" } else { "leaves a gap after" };
                let problem = format!("tensor `{}` {what} the one before it", tensor.name);
                return Err(invalid(tensor.range.start, problem));
            }
            covered = tensor.range.end;
        }
        if covered != map.len() {
            let problem = format!("{} bytes belong to no tensor", map.len() - covered);
            return Err(invalid(covered, problem));
        }
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = tensors.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(invalid(8, format!("tensor `{}` comes twice", pair[0].name)));
        }
        let mut metadata = header.metadata;
        metadata.sort();
        if let Some(pair) = metadata.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(invalid(8, format!("metadata `{}` comes twice", pair[0].0)));
        }
        Ok(Self { map, metadata, tensors })
    }

    /// A text of the header's `__metadata__`.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let found = self.metadata.binary_search_by(|(name, _)| name.as_str().cmp(key));
        found.ok().map(|at| self.metadata[at].1.as_str())
    }

    /// A tensor by name.
    pub fn tensor(&self, name: &str) -> Option<Tensor<'_>> {
        let found = self.tensors.binary_search_by(|tensor| tensor.name.as_str().cmp(name));
        let Described { dtype, shape, range, .. } = &self.tensors[found.ok()?];
        let (shape, range) = (shape.clone(), range.clone());
        Some(Tensor { dtype: *dtype, shape, bytes: &self.map[range.clone()], range })
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.tensors.iter().map(|tensor| tensor.name.as_str())
    }

    /// The file.
    pub fn map(&self) -> &Arc<Map> {
        &self.map
    }
}

/// What serde_json says without its line and column, which stand as a byte offset.
fn place_cut(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_string()
}
