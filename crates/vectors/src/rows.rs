use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytemuck::Pod;
use half::f16;
use half::slice::HalfFloatSliceExt;
use inlay_base::{Error, Map, Pages, Result, Workers};
use inlay_formats::{GiveRows, TakeRows};
use inlay_kernels::{Kernels, Scores};

/// How values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 4 bytes a value.
    #[default]
    Float32,
    /// 2 bytes: 11 significant bits, up to 65504.
    Float16,
    /// 1 byte, and one f32 scale for each row: 1/127 of its largest value.
    Int8,
}

impl Precision {
    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Float32 => "float32",
            Precision::Float16 => "float16",
            Precision::Int8 => "int8",
        }
    }

    /// The precision of that name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Precision::Float32, Precision::Float16, Precision::Int8];
        all.into_iter().find(|precision| precision.name() == name)
    }

    /// Bytes of one value.
    pub fn size(self) -> usize {
        match self {
            Precision::Float32 => 4,
            Precision::Float16 => 2,
            Precision::Int8 => 1,
        }
    }
}

/// A matrix of rows in memory or in a mapped file, in one of three precisions.
pub struct Rows {
    rows: usize,
    dimensions: usize,
    /// Values from one row's start to the next one's.
    stride: usize,
    precision: Precision,
    values: Memory,
    /// One for each row of bytes; else empty.
    scales: Memory,
}

enum Memory {
    Own(Pages),
    Mapped(Arc<Map>, Range<usize>),
}

impl Memory {
    /// Bytes of a file, in place where they are aligned for values of `T`, else copied.
    fn mapped<T: Pod>(map: &Arc<Map>, range: Range<usize>) -> Result<Self> {
        let bytes = &map[range.clone()];
        if bytemuck::try_cast_slice::<u8, T>(bytes).is_ok() {
            return Ok(Memory::Mapped(Arc::clone(map), range));
        }
        let mut pages = Pages::zeroed(bytes.len().div_ceil(4))?;
        bytemuck::cast_slice_mut(pages.as_mut_slice())[..bytes.len()].copy_from_slice(bytes);
        Ok(Memory::Own(pages))
    }

    fn values<T: Pod>(&self) -> &[T] {
        match self {
            Memory::Own(pages) => bytemuck::cast_slice(pages.as_slice()),
            Memory::Mapped(map, range) => bytemuck::cast_slice(&map[range.clone()]),
        }
    }
}

impl Rows {
    /// Rows in memory, `stride` values from one's start to the next one's.
    ///
    /// # Panics
    /// If `pages` is shorter than the rows.
    pub fn from_pages(pages: Pages, rows: usize, dimensions: usize, stride: usize) -> Self {
        assert!(dimensions <= stride && rows * stride <= pages.as_slice().len());
        let (values, scales) = (Memory::Own(pages), Memory::Own(no_pages()));
        Self { rows, dimensions, stride, precision: Precision::Float32, values, scales }
    }

    /// Copies rows that lie end to end.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows.
    pub fn from_values(values: &[f32], dimensions: usize) -> Result<Self> {
        assert!(dimensions > 0 && values.len().is_multiple_of(dimensions));
        let mut pages = Pages::zeroed(values.len())?;
        pages.as_mut_slice().copy_from_slice(values);
        Ok(Self::from_pages(pages, values.len() / dimensions, dimensions, dimensions))
    }

    /// Rows in a mapped file, end to end, of values of this precision; `scales` for bytes only.
    ///
    /// # Panics
    /// If a range does not lie inside the file or has another length than the form says.
    pub fn mapped(
        map: &Arc<Map>,
        (rows, dimensions): (usize, usize),
        precision: Precision,
        values: Range<usize>,
        scales: Range<usize>,
    ) -> Result<Self> {
        assert_eq!(Some(values.len()), rows.checked_mul(dimensions * precision.size()));
        assert_eq!(scales.len(), if precision == Precision::Int8 { rows * 4 } else { 0 });
        let values = match precision {
            Precision::Float32 => Memory::mapped::<f32>(map, values)?,
            Precision::Float16 => Memory::mapped::<u16>(map, values)?,
            Precision::Int8 => Memory::mapped::<i8>(map, values)?,
        };
        let scales = Memory::mapped::<f32>(map, scales)?;
        Ok(Self { rows, dimensions, stride: dimensions, precision, values, scales })
    }

    /// How values are kept.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Whether the rows are read from a file in place.
    pub fn is_mapped(&self) -> bool {
        matches!(self.values, Memory::Mapped(..))
    }

    /// Bytes that a pass over one row reads.
    pub(crate) fn row_bytes(&self) -> usize {
        self.stride * self.precision.size()
    }

    /// The bytes of rows that lie end to end, as a file holds them; `None` if they are padded.
    pub(crate) fn bytes(&self) -> Option<(&[u8], &[u8])> {
        let values = self.rows * self.dimensions * self.precision.size();
        let scales = if self.precision == Precision::Int8 { self.rows * 4 } else { 0 };
        (self.stride == self.dimensions)
            .then(|| (&self.values.values()[..values], &self.scales.values()[..scales]))
    }

    /// The products of queries, end to end, with the rows `range`: those of a query together.
    pub(crate) fn scores(&self, queries: &[f32], range: Range<usize>, scores: &mut [f32]) {
        let (dimensions, stride, count) = (self.dimensions, self.stride, range.len());
        if count == 0 {
            return;
        }
        let part = range.start * stride..(range.end - 1) * stride + dimensions;
        let kernels = Kernels::get();
        match self.precision {
            Precision::Float32 => {
                let rows = &self.values.values::<f32>()[part];
                kernels.run(Scores { queries, dimensions, rows, stride, count, scores });
            }
            Precision::Float16 => {
                let rows = &self.values.values::<u16>()[part];
                kernels.run(Scores { queries, dimensions, rows, stride, count, scores });
            }
            Precision::Int8 => {
                let rows = &self.values.values::<i8>()[part];
                let scales = &self.scales.values::<f32>()[range];
                let out = &mut *scores;
                kernels.run(Scores { queries, dimensions, rows, stride, count, scores: out });
                for scores in scores.chunks_mut(count) {
                    scores.iter_mut().zip(scales).for_each(|(score, scale)| *score *= scale);
                }
            }
        }
    }

    /// The direction of length 1 along which the rows are longest: their first singular vector.
    pub fn common_direction(&self, workers: &dyn Workers) -> Result<Vec<f64>> {
        crate::components::common(self, workers)
    }

    /// One row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> Vec<f32> {
        let mut values = vec![0.0; self.dimensions];
        self.give(row, &mut values);
        values
    }
}

impl GiveRows for Rows {
    fn rows(&self) -> usize {
        self.rows
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn give(&self, first: usize, into: &mut [f32]) {
        let (dimensions, stride) = (self.dimensions, self.stride);
        for (i, into) in into.chunks_mut(dimensions.max(1)).enumerate() {
            let row = first + i;
            let part = row * stride..row * stride + dimensions;
            match self.precision {
                Precision::Float32 => into.copy_from_slice(&self.values.values::<f32>()[part]),
                Precision::Float16 => {
                    self.values.values::<f16>()[part].convert_to_f32_slice(into);
                }
                Precision::Int8 => {
                    let scale = self.scales.values::<f32>()[row];
                    let bytes = &self.values.values::<i8>()[part];
                    into.iter_mut().zip(bytes).for_each(|(to, &b)| *to = f32::from(b) * scale);
                }
            }
        }
    }
}

/// Makes rows of a precision from blocks of f32, so that the f32 form never exists as a whole.
pub struct RowsBuilder<'a> {
    source: &'a Path,
    precision: Precision,
    rows: usize,
    dimensions: usize,
    values: Pages,
    scales: Pages,
}

impl<'a> RowsBuilder<'a> {
    /// Nothing yet; `source` is for messages.
    pub fn new(precision: Precision, source: &'a Path) -> Self {
        let (values, scales) = (no_pages(), no_pages());
        Self { source, precision, rows: 0, dimensions: 0, values, scales }
    }

    /// The rows, when all blocks were taken.
    pub fn finish(self) -> Rows {
        let Self { rows, dimensions, precision, values, scales, .. } = self;
        let (values, scales) = (Memory::Own(values), Memory::Own(scales));
        Rows { rows, dimensions, stride: dimensions, precision, values, scales }
    }
}

impl TakeRows for RowsBuilder<'_> {
    fn start(&mut self, rows: usize, dimensions: usize) -> Result<()> {
        let bytes = rows.checked_mul(dimensions).and_then(|n| n.checked_mul(self.precision.size()));
        let bytes = bytes.ok_or(Error::OutOfMemory { asked: u64::MAX, free: None })?;
        self.values = Pages::zeroed(bytes.div_ceil(4))?;
        if self.precision == Precision::Int8 {
            self.scales = Pages::zeroed(rows)?;
        }
        (self.rows, self.dimensions) = (rows, dimensions);
        Ok(())
    }

    fn take(&mut self, first: usize, values: &[f32]) -> Result<()> {
        let range = first * self.dimensions..first * self.dimensions + values.len();
        match self.precision {
            Precision::Float32 => self.values.as_mut_slice()[range].copy_from_slice(values),
            Precision::Float16 => {
                if let Some(at) = values.iter().position(|value| value.abs() >= 65520.0) {
                    let (row, value) = (first + at / self.dimensions, values[at]);
                    let problem = format!("row {row} holds {value}, beyond what float16 can");
                    return Err(Error::invalid_file(self.source, None, problem));
                }
                let halves = bytemuck::cast_slice_mut::<f32, f16>(self.values.as_mut_slice());
                halves[range].convert_from_f32_slice(values);
            }
            Precision::Int8 => {
                let bytes = bytemuck::cast_slice_mut::<f32, i8>(self.values.as_mut_slice());
                let rows = bytes[range].chunks_mut(self.dimensions);
                let scales = &mut self.scales.as_mut_slice()[first..];
                for ((to, from), scale) in rows.zip(values.chunks(self.dimensions)).zip(scales) {
                    *scale = to_bytes(from, to);
                }
            }
        }
        Ok(())
    }
}

/// Rounds a row to bytes and returns the scale that gives it back.
fn to_bytes(row: &[f32], bytes: &mut [i8]) -> f32 {
    let largest = row.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    // A row smaller than f32 can divide is a row of zeros.
    let (scale, inverse) = (largest / 127.0, 127.0 / largest);
    if !inverse.is_finite() || scale == 0.0 {
        return 0.0;
    }
    for (byte, value) in bytes.iter_mut().zip(row) {
        *byte = (value * inverse).round() as i8;
    }
    scale
}

fn no_pages() -> Pages {
    Pages::zeroed(0).expect("nothing is always there")
}
