//! Product quantization (Jégou et al. 2011): a row is cut into parts of a few values, and each part
//! is one byte, the number of the nearest of 256 centroids.

use inlay_base::Result;

use super::field::{Fields, Put};
use super::matrix::read_shape;
use crate::Array;

/// Centroids of a part: as many as a byte can number.
pub const CENTROIDS: usize = 256;

/// A quantized matrix.
#[derive(Debug)]
pub struct Quantized {
    /// How many rows there are.
    pub rows: usize,
    /// A code for each part of each row.
    pub codes: Array<u8>,
    /// What the codes mean.
    pub codebook: Codebook,
    /// The length of each row, where rows were quantized at length 1.
    pub norms: Option<Norms>,
}

/// The lengths of rows, quantized by themselves.
#[derive(Debug)]
pub struct Norms {
    /// A code for each row.
    pub codes: Array<u8>,
    /// Of one column.
    pub codebook: Codebook,
}

/// The centroids of every part.
#[derive(Debug, Clone, PartialEq)]
pub struct Codebook {
    columns: usize,
    width: usize,
    centroids: Vec<f32>,
}

impl Codebook {
    /// Centroids for rows of `columns` values in parts of `width`, the last one shorter where they
    /// do not come out even: 256 centroids of the first part end to end, then those of the next.
    ///
    /// # Panics
    /// If there is no column, no width, or another number of values.
    pub fn new(columns: usize, width: usize, centroids: Vec<f32>) -> Self {
        assert!(columns > 0 && width > 0 && centroids.len() == columns * CENTROIDS);
        Self { columns, width, centroids }
    }

    /// Values of a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Values of a part.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Parts of a row.
    pub fn parts(&self) -> usize {
        self.columns.div_ceil(self.width)
    }

    /// All centroids of a part, end to end, and how many values each has.
    #[inline]
    pub fn part(&self, part: usize) -> (&[f32], usize) {
        let first = part * self.width;
        let width = self.width.min(self.columns - first);
        (&self.centroids[first * CENTROIDS..(first + width) * CENTROIDS], width)
    }

    /// Adds `scale` times the row that codes stand for.
    ///
    /// # Panics
    /// If `codes` are not a row's, or `sum` has another length.
    #[inline]
    pub fn add(&self, codes: &[u8], scale: f32, sum: &mut [f32]) {
        assert!(codes.len() == self.parts() && sum.len() == self.columns);
        // A width that the compiler knows needs no inner loop.
        match self.width {
            1 => return self.add_even::<1>(codes, scale, sum),
            2 if self.columns.is_multiple_of(2) => return self.add_even::<2>(codes, scale, sum),
            4 if self.columns.is_multiple_of(4) => return self.add_even::<4>(codes, scale, sum),
            _ => {}
        }
        let first = self.width * CENTROIDS;
        for (part, (&code, sum)) in codes.iter().zip(sum.chunks_mut(self.width)).enumerate() {
            // The last part may be narrower than the others, as its piece of the sum is.
            let centroid = &self.centroids[part * first + usize::from(code) * sum.len()..];
            sum.iter_mut().zip(centroid).for_each(|(sum, value)| *sum += scale * value);
        }
    }

    /// As `add`, where all parts have `WIDTH` values.
    #[inline]
    fn add_even<const WIDTH: usize>(&self, codes: &[u8], scale: f32, sum: &mut [f32]) {
        let parts = self.centroids.chunks_exact(WIDTH * CENTROIDS);
        for ((&code, sum), part) in codes.iter().zip(sum.chunks_exact_mut(WIDTH)).zip(parts) {
            let centroid = &part[usize::from(code) * WIDTH..][..WIDTH];
            for i in 0..WIDTH {
                sum[i] += scale * centroid[i];
            }
        }
    }

    fn read(fields: &mut Fields<'_>, columns: usize) -> Result<Self> {
        let at = fields.at();
        let given = [
            fields.count("the columns of a codebook")?,
            fields.count("the parts of a codebook")?,
            fields.count("the width of a part")?,
            fields.count("the width of the last part")?,
        ];
        let width = given[2];
        let fits = width > 0 && {
            let last = (columns - 1) % width + 1;
            given == [columns, columns.div_ceil(width), width, last]
        };
        if !fits {
            let [columns_given, parts, _, last] = given;
            let problem = format!(
                "a codebook of {columns_given} columns in {parts} parts of {width}, the last of \
                 {last}, for rows of {columns}"
            );
            return Err(fields.invalid(at, problem));
        }
        let at = fields.at();
        let length = columns.checked_mul(CENTROIDS).and_then(|values| values.checked_mul(4));
        let range = fields.range(length, "the centroids")?;
        let centroids: Vec<f32> =
            fields.map()[range].chunks_exact(4).map(bytemuck::pod_read_unaligned).collect();
        if let Some(place) = centroids.iter().position(|value| !value.is_finite()) {
            let problem = format!("a centroid holds {}", centroids[place]);
            return Err(fields.invalid(at + 4 * place, problem));
        }
        Ok(Self { columns, width, centroids })
    }

    fn write(&self, put: &mut Put) {
        put.count(self.columns);
        put.count(self.parts());
        put.count(self.width);
        put.count((self.columns - 1) % self.width + 1);
        put.bytes(bytemuck::cast_slice(&self.centroids));
    }
}

impl Quantized {
    /// Adds a row to a sum.
    ///
    /// # Panics
    /// If there is no such row, or `sum` has another length.
    pub fn add_row(&self, row: usize, sum: &mut [f32]) {
        let parts = self.codebook.parts();
        let codes = &self.codes[row * parts..(row + 1) * parts];
        let norm = self.norms.as_ref().map_or(1.0, |norms| norms.of(row));
        self.codebook.add(codes, norm, sum);
    }

    pub(super) fn read(fields: &mut Fields<'_>, dimensions: usize, name: &str) -> Result<Self> {
        let has_norms = fields.flag("whether norms are quantized by themselves")?;
        let (rows, columns) = read_shape(fields, dimensions, name)?;
        let at = fields.at();
        let count = fields.count("the number of codes")?;
        // The width of a part follows the codes: they must be a whole number for each row.
        let parts = count.checked_div(rows).unwrap_or(0);
        if parts.checked_mul(rows) != Some(count) || parts > columns || (rows > 0 && parts == 0) {
            let problem = format!("{count} codes for {rows} rows of {columns} values");
            return Err(fields.invalid(at, problem));
        }
        let codes = fields.range(Some(count), "the codes")?;
        let book = fields.at();
        let codebook = Codebook::read(fields, columns)?;
        if rows > 0 && codebook.parts() != parts {
            let problem = format!("{} parts of a row, {parts} codes", codebook.parts());
            return Err(fields.invalid(book, problem));
        }
        let norms = if has_norms {
            let codes = fields.range(Some(rows), "the codes of the norms")?;
            let codebook = Codebook::read(fields, 1)?;
            Some(Norms { codes: bytes(fields, codes)?, codebook })
        } else {
            None
        };
        Ok(Self { rows, codes: bytes(fields, codes)?, codebook, norms })
    }

    pub(super) fn write_head(&self, put: &mut Put) {
        put.flag(self.norms.is_some());
        put.i64(self.rows as i64);
        put.i64(self.codebook.columns as i64);
        put.count(self.codes.len());
    }

    pub(super) fn write_tail(&self, put: &mut Put) {
        self.codebook.write(put);
        if let Some(norms) = &self.norms {
            put.bytes(&norms.codes);
            norms.codebook.write(put);
        }
    }
}

impl Norms {
    fn of(&self, row: usize) -> f32 {
        self.codebook.centroids[usize::from(self.codes[row])]
    }
}

fn bytes(fields: &Fields<'_>, range: std::ops::Range<usize>) -> Result<Array<u8>> {
    let at = range.start;
    Array::mapped(fields.map(), range)
        .ok_or_else(|| fields.invalid(at, "codes beyond the file's end"))
}
