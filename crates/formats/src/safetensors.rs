//! Safetensors: eight bytes with the length of a JSON header, the header, then the tensors end to
//! end (https://github.com/huggingface/safetensors).

mod growing;
mod header;
mod kind;
mod reader;
mod writer;

pub use growing::Growing;
pub use kind::Kind;
pub use reader::{Reader, Tensor};
pub use writer::{Part, Writer, save};

/// What a tensor's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // each is what its name says, little endian
pub enum Dtype {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
}

impl Dtype {
    /// The name in files.
    pub fn name(self) -> &'static str {
        DTYPES.iter().find(|(_, dtype, _)| *dtype == self).expect("all are listed").0
    }

    /// Bytes of one value.
    pub fn size(self) -> usize {
        DTYPES.iter().find(|(_, dtype, _)| *dtype == self).expect("all are listed").2
    }

    fn named(name: &str) -> Option<Self> {
        DTYPES.iter().find(|(known, ..)| *known == name).map(|&(_, dtype, _)| dtype)
    }
}

const DTYPES: [(&str, Dtype, usize); 13] = [
    ("F64", Dtype::F64, 8),
    ("F32", Dtype::F32, 4),
    ("F16", Dtype::F16, 2),
    ("BF16", Dtype::BF16, 2),
    ("I64", Dtype::I64, 8),
    ("I32", Dtype::I32, 4),
    ("I16", Dtype::I16, 2),
    ("I8", Dtype::I8, 1),
    ("U64", Dtype::U64, 8),
    ("U32", Dtype::U32, 4),
    ("U16", Dtype::U16, 2),
    ("U8", Dtype::U8, 1),
    ("BOOL", Dtype::Bool, 1),
];

/// A tensor's name and form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec<'a> {
    /// Its name, once in a file.
    pub name: &'a str,
    /// Its values.
    pub dtype: Dtype,
    /// Its sizes, outermost first.
    pub shape: Vec<usize>,
}

impl<'a> Spec<'a> {
    /// A tensor of this name and form.
    pub fn new(name: &'a str, dtype: Dtype, shape: &[usize]) -> Self {
        Self { name, dtype, shape: shape.into() }
    }

    /// Bytes of the tensor; `None` beyond what can be addressed.
    fn size(&self) -> Option<usize> {
        self.shape.iter().try_fold(self.dtype.size(), |size, &axis| size.checked_mul(axis))
    }
}
