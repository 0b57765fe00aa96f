//! The rows of a sparse matrix that are nearest to others by their cosine, exactly: a query adds up
//! what the columns that it has in common with the rows give.

use std::cmp::Ordering;
use std::sync::Mutex;

use inlay_base::{Result, Workers, lock};

use crate::sparse::{Row, SparseMatrix};

/// Queries that one task answers.
const TASK: usize = 16;

/// A row and how near it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// Its number.
    pub row: u32,
    /// Its cosine or score.
    pub score: f32,
}

/// The rows of a matrix by their columns, for scores.
#[derive(Debug)]
pub struct Inverted {
    by_column: SparseMatrix,
    /// 1 / the length of each row, 0 of one without values; empty where scores are products.
    scales: Vec<f32>,
}

impl Inverted {
    /// For cosines.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn cosines(matrix: &SparseMatrix) -> Result<Self> {
        let scales = (0..matrix.rows()).map(|row| inverse_length(matrix.row(row).values));
        Ok(Self { scales: scales.collect(), by_column: matrix.transpose()? })
    }

    /// For products as they are.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn products(matrix: &SparseMatrix) -> Result<Self> {
        Ok(Self { scales: Vec::new(), by_column: matrix.transpose()? })
    }

    /// Rows that can be found.
    pub fn rows(&self) -> usize {
        self.by_column.columns()
    }

    /// Bytes of memory.
    pub fn weight(&self) -> u64 {
        self.by_column.weight() + 4 * self.scales.len() as u64
    }

    /// For each query the `most` rows with the highest scores above 0, highest first; ties by row.
    /// Columns that this matrix lacks are passed over.
    ///
    /// # Errors
    /// What the workers fail with.
    pub fn nearest(
        &self,
        queries: &SparseMatrix,
        most: usize,
        workers: &dyn Workers,
    ) -> Result<Vec<Vec<Near>>> {
        let mut found: Vec<Vec<Near>> = vec![Vec::new(); queries.rows()];
        let tasks: Vec<Mutex<&mut [Vec<Near>]>> = found.chunks_mut(TASK).map(Mutex::new).collect();
        workers.each(tasks.len(), &|task| {
            let mut answers = lock(&tasks[task]);
            let mut scores = Scores { sums: vec![0.0; self.rows()], touched: Vec::new() };
            for (at, answer) in answers.iter_mut().enumerate() {
                *answer = self.answer(queries.row(task * TASK + at), most, &mut scores);
            }
            Ok(())
        })?;
        drop(tasks);
        Ok(found)
    }

    fn answer(&self, query: Row<'_>, most: usize, scores: &mut Scores) -> Vec<Near> {
        let scale = if self.scales.is_empty() { 1.0 } else { inverse_length(query.values) };
        for (&column, &value) in query.indices.iter().zip(query.values) {
            if (column as usize) < self.by_column.rows() {
                scores.add(self.by_column.row(column as usize), value);
            }
        }
        let near = scores.touched.drain(..).filter_map(|row| {
            let sum = std::mem::take(&mut scores.sums[row as usize]);
            let own = self.scales.get(row as usize).copied().unwrap_or(1.0);
            let score = sum * scale * own;
            (score > 0.0).then_some(Near { row, score })
        });
        let mut near: Vec<Near> = near.collect();
        let order = |a: &Near, b: &Near| {
            b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal).then(a.row.cmp(&b.row))
        };
        if most < near.len() {
            near.select_nth_unstable_by(most, order);
            near.truncate(most);
        }
        near.sort_unstable_by(order);
        near
    }
}

/// Sums by row, and which of them are not zero.
struct Scores {
    sums: Vec<f32>,
    touched: Vec<u32>,
}

impl Scores {
    fn add(&mut self, column: Row<'_>, weight: f32) {
        for (&row, &value) in column.indices.iter().zip(column.values) {
            let sum = &mut self.sums[row as usize];
            if *sum == 0.0 {
                self.touched.push(row);
            }
            // Never exactly 0 once it is touched, or a row would be there twice.
            *sum += weight * value;
            if *sum == 0.0 {
                *sum = f32::MIN_POSITIVE;
            }
        }
    }
}

fn inverse_length(values: &[f32]) -> f32 {
    let square: f64 = values.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    if square > 0.0 { (1.0 / square.sqrt()) as f32 } else { 0.0 }
}
