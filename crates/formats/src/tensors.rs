//! Tensors by name, whatever the file that they are in.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use inlay_base::{Map, Result};

use crate::safetensors::{Dtype, Reader};
use crate::state_dict::StateDict;

/// A tensor of a file.
#[derive(Debug, Clone)]
pub struct Found<'a> {
    /// What its values are.
    pub dtype: Dtype,
    /// Its sizes, outermost first.
    pub shape: Cow<'a, [usize]>,
    /// Its values, the last axis fastest: as they lie in the file, if they lie so there.
    pub bytes: Cow<'a, [u8]>,
}

/// A file of tensors that has been checked.
pub trait Tensors {
    /// A tensor by name.
    fn tensor(&self, name: &str) -> Option<Found<'_>>;
    /// Names and shapes of all tensors, by name.
    fn shapes(&self) -> Vec<(&str, Vec<usize>)>;
}

impl Tensors for Reader {
    fn tensor(&self, name: &str) -> Option<Found<'_>> {
        let found = Reader::tensor(self, name)?;
        let (shape, bytes) = (Cow::Owned(found.shape), Cow::Borrowed(found.bytes));
        Some(Found { dtype: found.dtype, shape, bytes })
    }

    fn shapes(&self) -> Vec<(&str, Vec<usize>)> {
        let shape = |name| Reader::tensor(self, name).map_or_else(Vec::new, |found| found.shape);
        self.names().map(|name| (name, shape(name))).collect()
    }
}

/// Opens a safetensors file or one that PyTorch's `torch.save` wrote, told apart by content.
///
/// # Errors
/// Those of [`Reader::open`] and [`StateDict::of`].
pub fn open(path: &Path) -> Result<Box<dyn Tensors>> {
    let map = Arc::new(Map::open(path)?);
    Ok(if StateDict::is_one(&map) {
        Box::new(StateDict::of(map)?)
    } else {
        Box::new(Reader::of(map)?)
    })
}
