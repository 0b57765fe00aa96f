//! Truncated singular value decomposition by random projections (Halko, Martinsson and Tropp 2011,
//! "Finding structure with randomness", algorithms 4.4 and 5.1): of term weights, latent semantic
//! analysis (Deerwester et al. 1990).
//!
//! ```text
//! X ≈ U Σ Vᵀ          rows become X V: [rows, dimensions]
//! ```

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use inlay_base::{Error, Random, Result, Run, Workers, lock};
use inlay_formats::safetensors::{Dtype, Kind, Part, Reader, save};
use inlay_kernels::{Kernels, Simd, Task, axpy};
use inlay_vectors::symmetric_eigenvectors;
use serde::{Deserialize, Serialize};

use crate::sparse::SparseMatrix;

const KIND: Kind = Kind { name: "truncated-svd", what: "a truncated SVD", version: 1 };

/// Directions beyond the wanted ones: the more, the nearer what is found.
const SPARE: usize = 10;
/// Rows that one task works on. Sums of tasks are added in their order, whatever threads did them.
const TASK: usize = 1024;
/// Directions whose length is below this share of the longest are none.
const RANK: f64 = 1e-12;

/// The directions in which the rows of a matrix are longest.
#[derive(Debug, Clone)]
pub struct TruncatedSvd {
    /// V: [columns, dimensions].
    directions: Arc<[f32]>,
    columns: usize,
    /// Σ, largest first.
    singular_values: Vec<f64>,
}

/// How it is found.
#[derive(Debug, Clone, Copy)]
pub struct SvdOptions {
    /// Directions.
    pub dimensions: usize,
    /// Times that the matrix is multiplied to set the longest directions apart.
    pub iterations: usize,
}

#[derive(Serialize, Deserialize)]
struct Header {
    singular_values: Vec<f64>,
}

impl TruncatedSvd {
    /// Finds the directions: phase "decompose" in products. The same bytes for a seed and any number of
    /// threads.
    ///
    /// # Errors
    /// `InvalidOption`: more dimensions than the matrix has rows or columns; `OutOfMemory`; `Aborted`.
    pub fn train(matrix: &SparseMatrix, options: SvdOptions, run: &Run) -> Result<Self> {
        let SvdOptions { dimensions, iterations } = options;
        let most = matrix.rows().min(matrix.columns());
        if dimensions > most {
            return Err(Error::InvalidOption {
                option: "dimensions",
                expected: format!("at most {most}, the smaller side of the matrix"),
                got: dimensions.to_string(),
            });
        }
        run.phase("decompose", "products", 0, Some(2 * iterations as u64 + 2));
        let transposed = matrix.transpose()?;
        let width = most.min(dimensions + SPARE);
        let mut across = gaussian(matrix.columns(), width, run.seed())?;
        let product = |matrix: &SparseMatrix, dense: &[f32]| {
            run.check()?;
            let product = matrix.multiply(dense, width, run);
            run.advance(1);
            product
        };
        for _ in 0..iterations {
            let down = orthonormal(product(matrix, &across)?, width, run)?;
            across = orthonormal(product(&transposed, &down)?, width, run)?;
        }
        let down = orthonormal(product(matrix, &across)?, width, run)?;
        // B = Qᵀ X, as Bᵀ: its singular values are those of X, and its directions too.
        let across = product(&transposed, &down)?;
        let (values, vectors) = symmetric_eigenvectors(gram(&across, width, run)?, width);
        let singular: Vec<f64> = values.iter().map(|&value| value.max(0.0).sqrt()).collect();
        let least = singular[0] * RANK.sqrt();
        let turn: Vec<f32> = turned(&vectors, width, dimensions, |k| {
            if singular[k] > least { 1.0 / singular[k] } else { 0.0 }
        });
        let mut directions = times(&across, &turn, (width, dimensions), run)?;
        face_up(&mut directions, dimensions);
        Ok(Self {
            directions: directions.into(),
            columns: matrix.columns(),
            singular_values: singular[..dimensions].to_vec(),
        })
    }

    /// Values of a row.
    pub fn dimensions(&self) -> usize {
        self.singular_values.len()
    }

    /// Columns that a matrix must have.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How much of the matrix each direction has, largest first.
    pub fn singular_values(&self) -> &[f64] {
        &self.singular_values
    }

    /// V, a row for each column of the matrix: [columns, dimensions].
    pub fn directions(&self) -> &Arc<[f32]> {
        &self.directions
    }

    /// Bytes of memory.
    pub fn weight(&self) -> u64 {
        4 * self.directions.len() as u64
    }

    /// The rows of a matrix along the directions: [rows, dimensions].
    ///
    /// # Errors
    /// `InvalidInput`: a matrix of other columns; what the workers fail with.
    pub fn transform(&self, matrix: &SparseMatrix, workers: &dyn Workers) -> Result<Vec<f32>> {
        if matrix.columns() != self.columns {
            let problem = format!("has {} columns, not {}", matrix.columns(), self.columns);
            let source = "matrix".into();
            return Err(Error::InvalidInput { source, offset: None, problem });
        }
        matrix.multiply(&self.directions, self.dimensions(), workers)
    }

    /// Writes a file that `open` reads.
    ///
    /// # Errors
    /// `DiskFull`, `Io`.
    pub fn save(&self, path: &Path) -> Result<()> {
        let header = Header { singular_values: self.singular_values.clone() };
        let (key, header) = KIND.entry(&header)?;
        let bytes = bytemuck::cast_slice(&self.directions);
        let part = Part::bytes("directions", Dtype::F32, &[self.columns, self.dimensions()], bytes);
        save(path, &[(key, &header)], vec![part])
    }

    /// Opens a file that `save` wrote.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` if it is no such file.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let Header { singular_values } = KIND.read(&reader, path)?;
        let invalid = |problem: &str| Error::invalid_file(path, None, problem);
        let tensor = reader.tensor("directions").filter(|tensor| tensor.dtype == Dtype::F32);
        let tensor = tensor.ok_or_else(|| invalid("it has no `directions`"))?;
        let &[columns, dimensions] = &tensor.shape[..] else {
            return Err(invalid("`directions` is no matrix"));
        };
        if dimensions != singular_values.len() || dimensions == 0 {
            return Err(invalid("it has not a singular value for each direction"));
        }
        let values = tensor.bytes.chunks_exact(4).map(bytemuck::pod_read_unaligned::<f32>);
        let directions: Arc<[f32]> = values.collect();
        if !directions.iter().all(|value| value.is_finite()) {
            return Err(invalid("`directions` holds a value that is not finite"));
        }
        Ok(Self { directions, columns, singular_values })
    }
}

fn gaussian(rows: usize, width: usize, seed: u64) -> Result<Vec<f32>> {
    let room = rows.checked_mul(width).filter(|&room| room <= isize::MAX as usize / 4);
    let room = room.ok_or(Error::OutOfMemory { asked: u64::MAX, free: None })?;
    let mut random = Random::new(seed, 0);
    // Box and Muller 1958; never the logarithm of 0.
    let mut normal = || {
        let radius = (-2.0 * f64::from(1.0 - random.unit()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * f64::from(random.unit())).cos()) as f32
    };
    Ok((0..room).map(|_| normal()).collect())
}

/// The same space by directions of length 1 that are square to each other; where there are fewer of
/// them, zeros.
fn orthonormal(rows: Vec<f32>, width: usize, run: &Run) -> Result<Vec<f32>> {
    let (values, vectors) = symmetric_eigenvectors(gram(&rows, width, run)?, width);
    let least = values[0] * RANK;
    let turn = turned(&vectors, width, width, |k| {
        if values[k] > least { 1.0 / values[k].sqrt() } else { 0.0 }
    });
    times(&rows, &turn, (width, width), run)
}

/// The first `count` eigenvectors (columns of `vectors`) as columns of a matrix, each by its scale.
fn turned(vectors: &[f64], width: usize, count: usize, scale: impl Fn(usize) -> f64) -> Vec<f32> {
    let row = |i: usize| (0..count).map(move |k| (i, k));
    (0..width).flat_map(row).map(|(i, k)| (vectors[i * width + k] * scale(k)) as f32).collect()
}

/// Aᵀ A: [width, width].
fn gram(rows: &[f32], width: usize, run: &Run) -> Result<Vec<f64>> {
    let tasks: Vec<&[f32]> = rows.chunks(TASK * width).collect();
    let sums: Vec<Mutex<Vec<f64>>> = tasks.iter().map(|_| Mutex::default()).collect();
    run.each(tasks.len(), &|task| {
        run.check()?;
        let mut sum = vec![0.0; width * width];
        for row in tasks[task].chunks(width) {
            for (i, &a) in row.iter().enumerate() {
                let a = f64::from(a);
                let to = &mut sum[i * width..(i + 1) * width];
                to.iter_mut().zip(row).for_each(|(to, &b)| *to += a * f64::from(b));
            }
        }
        *lock(&sums[task]) = sum;
        Ok(())
    })?;
    let mut total = vec![0.0; width * width];
    for sum in sums {
        let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
        total.iter_mut().zip(&sum).for_each(|(total, value)| *total += value);
    }
    Ok(total)
}

/// A product of dense matrices: [rows, width] by [width, count].
fn times(rows: &[f32], turn: &[f32], shape: (usize, usize), run: &Run) -> Result<Vec<f32>> {
    let (width, count) = shape;
    let mut product = vec![0.0; rows.len() / width * count];
    let tasks: Vec<Mutex<&mut [f32]>> = product.chunks_mut(TASK * count).map(Mutex::new).collect();
    run.each(tasks.len(), &|task| {
        run.check()?;
        let mut sums = lock(&tasks[task]);
        let from = task * TASK * width;
        let rows = &rows[from..from + sums.len() / count * width];
        Kernels::get().run(Times { rows, turn, shape, sums: &mut sums });
        Ok(())
    })?;
    drop(tasks);
    Ok(product)
}

struct Times<'a> {
    rows: &'a [f32],
    turn: &'a [f32],
    shape: (usize, usize),
    sums: &'a mut [f32],
}

impl Task for Times<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (width, count) = self.shape;
        for (row, sums) in self.rows.chunks(width).zip(self.sums.chunks_mut(count)) {
            for (&value, other) in row.iter().zip(self.turn.chunks(count)) {
                axpy(simd, value, other, sums);
            }
        }
    }
}

/// Directions have a sign of choice: the value farthest from 0 becomes positive.
fn face_up(directions: &mut [f32], dimensions: usize) {
    for k in 0..dimensions {
        let column = directions.iter().skip(k).step_by(dimensions);
        let farthest =
            column.fold(0.0f32, |far, &value| if value.abs() > far.abs() { value } else { far });
        if farthest < 0.0 {
            directions.iter_mut().skip(k).step_by(dimensions).for_each(|value| *value = -*value);
        }
    }
}
