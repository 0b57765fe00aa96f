//! Exact search: every row is looked at, by blocks on all threads; blocks are small enough to stay
//! in the cache while several queries look at them.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use inlay_base::{Result, Workers, lock};
use inlay_formats::GiveRows;
use inlay_kernels::{Kernels, Simd, Task, dot};

use crate::WordVectors;
use crate::rows::Rows;
use crate::top::{Neighbour, Top};

/// Bytes of rows for one task: many tasks, so that no thread waits for a slow one.
const TASK: usize = 1 << 20;
/// Bytes of rows that queries look at before the next: half of a small second-level cache.
const BLOCK: usize = 1 << 17;
/// Queries that share one pass over the rows.
const COMPANY: usize = 256;

/// One query, ready for the kernels.
pub(crate) struct Ready {
    /// Of length 1, or zeros.
    pub direction: Vec<f32>,
    /// Rows that are not answers, sorted.
    pub excluded: Vec<u32>,
}

impl WordVectors {
    /// The `count` best of the first `rows` rows for each query, best first.
    pub(crate) fn best(
        &self,
        queries: &[Ready],
        count: usize,
        rows: usize,
        workers: &dyn Workers,
    ) -> Result<Vec<Vec<Neighbour>>> {
        let norms = self.inverse_norms(workers)?;
        let rows = rows.min(self.len());
        let mut answers = Vec::with_capacity(queries.len());
        for company in queries.chunks(COMPANY) {
            let directions: Vec<f32> =
                company.iter().flat_map(|query| query.direction.iter().copied()).collect();
            let found: Vec<Mutex<Top>> =
                company.iter().map(|_| Mutex::new(Top::new(count))).collect();
            let found = |query: usize| lock(&found[query]);
            let tasks = Tasks::over(self.rows(), rows);
            workers.each(tasks.count, &|task| {
                // What others found already need not be beaten twice.
                let mut tops: Vec<Top> =
                    (0..company.len()).map(|query| found(query).heir()).collect();
                self.scan(&directions, tasks.range(task), norms, |query, rows| {
                    let top = &mut tops[query];
                    rows.above(top.threshold(), |row, similarity| {
                        let excluded = &company[query].excluded;
                        if top.wants(similarity) && excluded.binary_search(&row).is_err() {
                            top.push(row, similarity);
                        }
                    });
                });
                for (query, top) in tops.into_iter().enumerate() {
                    found(query).join(top);
                }
                Ok(())
            })?;
            answers.extend((0..company.len()).map(|query| found(query).take_sorted()));
        }
        Ok(answers)
    }

    /// How many rows but `except` are more similar to the direction than `similarity`.
    pub(crate) fn count_above(
        &self,
        direction: &[f32],
        similarity: f32,
        except: u32,
        workers: &dyn Workers,
    ) -> Result<usize> {
        let norms = self.inverse_norms(workers)?;
        let tasks = Tasks::over(self.rows(), self.len());
        let total = Mutex::new(0);
        workers.each(tasks.count, &|task| {
            let mut above = 0;
            self.scan(direction, tasks.range(task), norms, |_, rows| {
                rows.above(similarity, |row, other| {
                    above += usize::from(other > similarity && row != except);
                });
            });
            *lock(&total) += above;
            Ok(())
        })?;
        Ok(total.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// The similarity of a direction and one row, with the bits that a search gives it.
    pub(crate) fn similarity_of(
        &self,
        direction: &[f32],
        row: u32,
        workers: &dyn Workers,
    ) -> Result<f32> {
        let norms = self.inverse_norms(workers)?;
        let mut found = 0.0;
        let range = row as usize..row as usize + 1;
        self.scan(direction, range, norms, |_, rows| {
            rows.above(f32::NEG_INFINITY, |_, similarity| found = similarity);
        });
        Ok(found)
    }

    /// Calls `see(query, rows)` for all queries and blocks of rows of a range, rows rising.
    fn scan(
        &self,
        directions: &[f32],
        range: Range<usize>,
        norms: &[f32],
        mut see: impl FnMut(usize, Scored<'_>),
    ) {
        let rows = self.rows();
        let dimensions = self.dimensions();
        let block = (BLOCK / rows.row_bytes().max(1)).clamp(16, 4096);
        let mut scores = Vec::new();
        for start in range.clone().step_by(block) {
            let part = start..range.end.min(start + block);
            let queries = directions.len() / dimensions;
            scores.clear();
            scores.resize(queries * part.len(), 0.0);
            rows.scores(directions, part.clone(), &mut scores);
            for (query, scores) in scores.chunks(part.len()).enumerate() {
                let direction = &directions[query * dimensions..][..dimensions];
                see(query, Scored { rows, direction, start, scores, norms: &norms[part.clone()] });
            }
        }
    }
}

/// A block of rows and their products with one query.
struct Scored<'a> {
    rows: &'a Rows,
    direction: &'a [f32],
    start: usize,
    scores: &'a [f32],
    norms: &'a [f32],
}

impl Scored<'_> {
    /// Calls `see(row, similarity)` for all rows more similar than `threshold`, and perhaps some
    /// others, rows rising.
    #[inline(always)]
    fn above(&self, threshold: f32, mut see: impl FnMut(u32, f32)) {
        const TOGETHER: usize = 16;
        let together = self.scores.chunks(TOGETHER).zip(self.norms.chunks(TOGETHER));
        for (i, (scores, norms)) in together.enumerate() {
            // Nearly always none of them: one question for all. Not a number is above too.
            let below = |score: f32, norm: f32| {
                let similarity = score * norm;
                (similarity <= threshold) & (similarity > f32::NEG_INFINITY)
            };
            let pairs = || scores.iter().zip(norms);
            if pairs().fold(true, |all, (&score, &norm)| all & below(score, norm)) {
                continue;
            }
            for (j, (&score, &norm)) in pairs().enumerate() {
                let row = self.start + i * TOGETHER + j;
                // Adding zero makes -0 and 0 equal in the order of the answers.
                let mut similarity = score * norm + 0.0;
                if !similarity.is_finite() {
                    similarity = carefully(self.direction, &self.rows.row(row));
                }
                see(row as u32, similarity);
            }
        }
    }
}

/// The cosine in f64, where f32 overflowed; 0 for what is not finite even then.
#[cold]
fn carefully(direction: &[f32], row: &[f32]) -> f32 {
    let sum = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    let cosine = sum(direction, row) / sum(row, row).sqrt();
    if cosine.is_finite() { cosine as f32 } else { 0.0 }
}

/// Rows cut into tasks.
pub(crate) struct Tasks {
    pub count: usize,
    rows: usize,
    each: usize,
}

impl Tasks {
    pub(crate) fn over(matrix: &Rows, rows: usize) -> Self {
        let each = (TASK / matrix.row_bytes().max(1)).max(64);
        Self { count: rows.div_ceil(each), rows, each }
    }

    pub(crate) fn range(&self, task: usize) -> Range<usize> {
        task * self.each..self.rows.min((task + 1) * self.each)
    }
}

/// 1 / length of each row; 0 where that is no finite number.
pub(crate) fn inverse_norms(rows: &Rows, workers: &dyn Workers) -> Result<Vec<f32>> {
    let tasks = Tasks::over(rows, rows.rows());
    let parts: Vec<Mutex<Vec<f32>>> = (0..tasks.count).map(|_| Mutex::default()).collect();
    let dimensions = rows.dimensions();
    workers.each(tasks.count, &|task| {
        let range = tasks.range(task);
        let mut norms = Vec::with_capacity(range.len());
        let block = (BLOCK / 4 / dimensions.max(1)).clamp(16, 4096);
        let mut values = vec![0.0; block * dimensions];
        for start in range.clone().step_by(block) {
            let here = block.min(range.end - start);
            let values = &mut values[..here * dimensions];
            rows.give(start, values);
            Kernels::get().run(InverseNorms { values, dimensions, norms: &mut norms });
        }
        *lock(&parts[task]) = norms;
        Ok(())
    })?;
    let parts = parts.into_iter();
    Ok(parts.flat_map(|part| part.into_inner().unwrap_or_else(PoisonError::into_inner)).collect())
}

struct InverseNorms<'a> {
    values: &'a [f32],
    dimensions: usize,
    norms: &'a mut Vec<f32>,
}

impl Task for InverseNorms<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for row in self.values.chunks(self.dimensions) {
            let square = dot(simd, row, row);
            self.norms.push(if (1e-30..1e30).contains(&square) {
                1.0 / square.sqrt()
            } else {
                inverse_norm(row)
            });
        }
    }
}

/// Also for numbers whose squares f32 cannot hold.
#[cold]
pub(crate) fn inverse_norm(row: &[f32]) -> f32 {
    let square: f64 = row.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    let inverse = (1.0 / square.sqrt()) as f32;
    if inverse.is_finite() { inverse } else { 0.0 }
}
