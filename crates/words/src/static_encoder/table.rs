//! A row for each token: as a file of model2vec or of sentence-transformers has them, in place.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use half::f16;
use half::slice::HalfFloatSliceExt;
use inlay_base::{Error, Map, Result};
use inlay_formats::safetensors::{Dtype, Part, Reader, save};
use inlay_formats::{Found, Tensors};
use inlay_kernels::{Kernels, Simd, Task};

/// Rows that are added at once: the sum is read and written once for all of them.
const TOGETHER: usize = 4;

/// Rows of tokens.
pub struct Table {
    values: Values,
    rows: usize,
    dimensions: usize,
    /// What each token's row is multiplied by; nothing: 1.
    weights: Vec<f32>,
    /// Which row each token has; nothing: its own.
    mapping: Vec<u32>,
}

enum Values {
    Own(Vec<f32>),
    Mapped(Arc<Map>, Range<usize>, Kind),
}

#[derive(Clone, Copy)]
enum Kind {
    Float32,
    Float16,
    Int8,
}

impl Table {
    /// Rows that lie end to end, one for each token.
    pub fn new(values: Vec<f32>, dimensions: usize) -> Self {
        let rows = values.len() / dimensions.max(1);
        let (weights, mapping) = (Vec::new(), Vec::new());
        Self { values: Values::Own(values), rows, dimensions, weights, mapping }
    }

    /// The rows of a file for `tokens` tokens: `embeddings` or `embedding.weight`, and where they are there `weights`
    /// (Tulkens, van Dongen 2024, model2vec) and `mapping`.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` if a token has no row, or a tensor is of another shape or type.
    pub fn open(path: &Path, tokens: usize) -> Result<Self> {
        let reader = Reader::open(path)?;
        let invalid = |problem: String| Error::invalid_file(path, None, problem);
        let tensor = ["embeddings", "embedding.weight"]
            .iter()
            .find_map(|name| Some((*name, reader.tensor(name)?)));
        let (name, tensor) = tensor.ok_or_else(|| {
            invalid("has neither a tensor `embeddings` nor one `embedding.weight`".into())
        })?;
        let &[rows, dimensions] = &tensor.shape[..] else {
            let problem = format!("`{name}` is {:?} and should be a matrix", tensor.shape);
            return Err(invalid(problem));
        };
        if rows == 0 || dimensions == 0 || u32::try_from(rows.max(dimensions)).is_err() {
            return Err(invalid(format!("`{name}` is {:?}", tensor.shape)));
        }
        let values = values(&reader, name, tensor.dtype, tensor.range)
            .ok_or_else(|| invalid(format!("`{name}` is of type {}", tensor.dtype.name())))?;
        let optional = |name: &str| {
            let found = Tensors::tensor(&reader, name);
            match found.filter(|found| found.shape.len() != 1 || found.shape[0] < tokens) {
                Some(found) => Err(invalid(format!(
                    "`{name}` is {:?} and should have a value for each of {tokens} tokens",
                    found.shape
                ))),
                None => Ok(Tensors::tensor(&reader, name)),
            }
        };
        let wrong = |name: &str, found: &Found<'_>| {
            invalid(format!("`{name}` is of type {}", found.dtype.name()))
        };
        let weights = match optional("weights")? {
            Some(found) => found.floats().ok_or_else(|| wrong("weights", &found))?,
            None => Vec::new(),
        };
        let mapping = match optional("mapping")? {
            Some(found) => {
                let mapping = found.integers().ok_or_else(|| wrong("mapping", &found))?;
                let row = |row: i64| usize::try_from(row).ok().filter(|&row| row < rows);
                let row = |to| row(to).map(|row| row as u32);
                mapping.iter().map(|&to| row(to)).collect::<Option<Vec<_>>>().ok_or_else(|| {
                    invalid(format!("`mapping` names a row that is none of {rows}"))
                })?
            }
            None if rows < tokens => {
                return Err(invalid(format!("`{name}` has {rows} rows for {tokens} tokens")));
            }
            None => Vec::new(),
        };
        Ok(Self { values, rows, dimensions, weights, mapping })
    }

    /// Values of a row.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Bytes of memory or of a mapped file, and those of memory among them.
    pub fn weight(&self) -> (u64, u64) {
        let beside = size_of_val(&self.weights[..]) + size_of_val(&self.mapping[..]);
        let (all, own) = match &self.values {
            Values::Own(values) => (size_of_val(&values[..]), size_of_val(&values[..])),
            Values::Mapped(_, range, _) => (range.len(), 0),
        };
        ((all + beside) as u64, (own + beside) as u64)
    }

    /// All that it holds, as bytes.
    pub fn parts(&self) -> [Cow<'_, [u8]>; 3] {
        let values = match &self.values {
            Values::Own(values) => bytemuck::cast_slice(values),
            Values::Mapped(map, range, _) => &map[range.clone()],
        };
        [values, bytemuck::cast_slice(&self.weights), bytemuck::cast_slice(&self.mapping)]
            .map(Cow::Borrowed)
    }

    /// Writes it to a file, the rows under this name, of 16 bits if they are `half`; bytes stay bytes.
    ///
    /// # Errors
    /// `InvalidInput` for a value beyond what 16 bits can hold; `DiskFull`, `Io`.
    pub fn save(&self, path: &Path, name: &str, half: bool) -> Result<()> {
        let [values, weights, _] = self.parts();
        let (mut dtype, mut bytes) = (self.dtype(), values);
        if half && dtype == Dtype::F32 {
            let wide: &[f32] = bytemuck::cast_slice(&bytes);
            let narrow: Vec<f16> = wide.iter().map(|&value| f16::from_f32(value)).collect();
            if wide
                .iter()
                .zip(&narrow)
                .any(|(wide, narrow)| wide.is_finite() && !narrow.is_finite())
            {
                let problem = "hold a value that float16 cannot hold".into();
                return Err(Error::InvalidInput { source: "rows".into(), offset: None, problem });
            }
            (dtype, bytes) = (Dtype::F16, bytemuck::cast_slice(&narrow).to_vec().into());
        }
        let shape = [self.rows, self.dimensions];
        let mapping: Vec<i64> = self.mapping.iter().map(|&row| i64::from(row)).collect();
        let mut parts = vec![Part::bytes(name, dtype, &shape, &bytes)];
        if !self.weights.is_empty() {
            parts.push(Part::bytes("weights", Dtype::F32, &[self.weights.len()], &weights));
        }
        if !mapping.is_empty() {
            let bytes = bytemuck::cast_slice(&mapping);
            parts.push(Part::bytes("mapping", Dtype::I64, &[mapping.len()], bytes));
        }
        save(path, &[], parts)
    }

    fn dtype(&self) -> Dtype {
        match &self.values {
            Values::Own(_) | Values::Mapped(_, _, Kind::Float32) => Dtype::F32,
            Values::Mapped(_, _, Kind::Float16) => Dtype::F16,
            Values::Mapped(_, _, Kind::Int8) => Dtype::I8,
        }
    }

    /// sum += Σ weight · row over tokens, of each row its first values. `room` is for rows that are not f32.
    pub fn add(&self, tokens: &[u32], sum: &mut [f32], room: &mut Vec<f32>) {
        let width = sum.len();
        room.resize(TOGETHER * width, 0.0);
        for tokens in tokens.chunks(TOGETHER) {
            let mut weights = [0.0; TOGETHER];
            let mut starts = [0; TOGETHER];
            for (i, &token) in tokens.iter().enumerate() {
                let token = token as usize;
                weights[i] = self.weights.get(token).copied().unwrap_or(1.0);
                let row = self.mapping.get(token).map_or(token, |&row| row as usize);
                starts[i] = row * self.dimensions;
            }
            let (starts, weights) = (&starts[..tokens.len()], &weights[..tokens.len()]);
            let kernels = Kernels::get();
            match &self.values {
                Values::Own(values) => kernels.run(AddRows { values, starts, weights, sum }),
                Values::Mapped(map, range, kind) => {
                    let bytes = &map[range.clone()];
                    match kind {
                        Kind::Float32 => {
                            let values = bytemuck::cast_slice(bytes);
                            kernels.run(AddRows { values, starts, weights, sum });
                        }
                        Kind::Float16 => {
                            let values: &[f16] = bytemuck::cast_slice(bytes);
                            for (to, &at) in room.chunks_mut(width).zip(starts) {
                                values[at..at + width].convert_to_f32_slice(to);
                            }
                            add_room(kernels, room, weights, sum);
                        }
                        Kind::Int8 => {
                            let values: &[i8] = bytemuck::cast_slice(bytes);
                            for (to, &at) in room.chunks_mut(width).zip(starts) {
                                let row = to.iter_mut().zip(&values[at..at + width]);
                                row.for_each(|(to, &value)| *to = f32::from(value));
                            }
                            add_room(kernels, room, weights, sum);
                        }
                    }
                }
            }
        }
    }
}

fn add_room(kernels: Kernels, room: &[f32], weights: &[f32], sum: &mut [f32]) {
    let starts: [usize; TOGETHER] = std::array::from_fn(|i| i * sum.len());
    kernels.run(AddRows { values: room, starts: &starts[..weights.len()], weights, sum });
}

/// The values of a tensor, in place where they can be read so; `None` for types that are none of rows.
fn values(reader: &Reader, name: &str, dtype: Dtype, range: Range<usize>) -> Option<Values> {
    let map = reader.map();
    let (kind, aligned) = match dtype {
        Dtype::F32 => {
            (Kind::Float32, bytemuck::try_cast_slice::<u8, f32>(&map[range.clone()]).is_ok())
        }
        Dtype::F16 => {
            (Kind::Float16, bytemuck::try_cast_slice::<u8, f16>(&map[range.clone()]).is_ok())
        }
        Dtype::I8 => (Kind::Int8, true),
        _ => (Kind::Float32, false),
    };
    if aligned {
        return Some(Values::Mapped(Arc::clone(map), range, kind));
    }
    match dtype {
        Dtype::F32 | Dtype::F64 | Dtype::F16 | Dtype::BF16 => {
            Some(Values::Own(Tensors::tensor(reader, name)?.floats()?))
        }
        _ => None,
    }
}

/// sum += Σ weight · row, for `TOGETHER` rows at most, each of which begins at a start.
struct AddRows<'a> {
    values: &'a [f32],
    starts: &'a [usize],
    weights: &'a [f32],
    sum: &'a mut [f32],
}

impl Task for AddRows<'_> {
    type Output = ();

    /// Plain code: entered for an instruction set, the loops use its registers.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { values, starts, weights, sum } = self;
        let width = sum.len();
        if let (&[a, b, c, d], &[wa, wb, wc, wd]) = (starts, weights) {
            let [a, b, c, d] = [a, b, c, d].map(|start| &values[start..start + width]);
            for i in 0..width {
                sum[i] += (wa * a[i] + wb * b[i]) + (wc * c[i] + wd * d[i]);
            }
        } else {
            for (&start, &weight) in starts.iter().zip(weights) {
                let row = &values[start..start + width];
                sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
            }
        }
    }
}
