//! Tensors by name, whatever the file that they are in.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use half::{bf16, f16};
use inlay_base::{Map, Result};

use crate::array::Array;
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
    /// Where in the file they are, if they lie so there.
    pub range: Option<Range<usize>>,
    /// The file.
    pub map: &'a Arc<Map>,
}

impl Found<'_> {
    /// Real numbers as f32: in place if the file has them so and aligned, else a copy. `None` if it has others.
    pub fn array(&self) -> Option<Array<f32>> {
        match &self.range {
            Some(range) if self.dtype == Dtype::F32 => Array::mapped(self.map, range.clone()),
            _ => self.floats().map(Array::from),
        }
    }

    /// Real numbers as f32; `None` if it has others.
    pub fn floats(&self) -> Option<Vec<f32>> {
        let each = |size: usize, read: fn(&[u8]) -> f32| {
            Some(self.bytes.chunks_exact(size).map(read).collect())
        };
        match self.dtype {
            Dtype::F32 => each(4, bytemuck::pod_read_unaligned::<f32>),
            Dtype::F64 => each(8, |bytes| bytemuck::pod_read_unaligned::<f64>(bytes) as f32),
            Dtype::I64 => each(8, |bytes| bytemuck::pod_read_unaligned::<i64>(bytes) as f32),
            Dtype::F16 => each(2, |bytes| bytemuck::pod_read_unaligned::<f16>(bytes).to_f32()),
            Dtype::BF16 => each(2, |bytes| bytemuck::pod_read_unaligned::<bf16>(bytes).to_f32()),
            _ => None,
        }
    }

    /// Whole numbers; `None` if it has others.
    pub fn integers(&self) -> Option<Vec<i64>> {
        match self.dtype {
            Dtype::I64 => {
                Some(self.bytes.chunks_exact(8).map(bytemuck::pod_read_unaligned).collect())
            }
            Dtype::I32 => {
                let read = |bytes| i64::from(bytemuck::pod_read_unaligned::<i32>(bytes));
                Some(self.bytes.chunks_exact(4).map(read).collect())
            }
            _ => None,
        }
    }
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
        let (range, map) = (Some(found.range), self.map());
        Some(Found { dtype: found.dtype, shape, bytes, range, map })
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
