//! Rows of numbers of terms become rows of columns, in their order, where they stay.

use std::sync::Mutex;

use inlay_base::{Result, Run, Workers, lock};

use crate::counting::Rows;
use crate::sparse::SparseMatrix;
use crate::vocabulary::NONE;
use crate::weighting::Weighting;

/// Entries of the longest row whose order is counted and not sorted: all pairs are fewer branches to guess wrong.
const SHORT: usize = 48;
/// Columns that are compared at once.
const LANES: usize = 8;

/// What terms weigh, and how many columns there are.
pub struct Placing<'a> {
    pub weighting: Weighting,
    /// By column; empty where all weigh alike.
    pub idf: &'a [f64],
    pub columns: usize,
}

/// Where some rows go.
struct Place<'a> {
    indices: &'a mut [u32],
    values: &'a mut [f32],
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Placing<'_> {
    /// A matrix of rows, part by part. `columns` has those of the numbers of each thread, or `NONE`; where there are none of
    /// a thread, numbers are columns. Phase "weigh" in documents.
    pub fn matrix(&self, parts: &[Rows], columns: &[Vec<u32>], run: &Run) -> Result<SparseMatrix> {
        let documents = parts.iter().map(|part| part.ends.len() as u64).sum();
        run.phase("weigh", "documents", 0, Some(documents));
        self.placed(parts, |places| {
            let places: Vec<_> = places.iter_mut().map(Mutex::new).collect();
            run.each(parts.len(), &|number| {
                let (part, place) = (&parts[number], &mut lock(&places[number]));
                self.place(part, columns.get(part.thread).map(Vec::as_slice), place);
                run.advance(part.ends.len() as u64);
                Ok(())
            })
        })
    }

    /// A matrix of a few rows whose numbers are columns, without threads.
    pub fn matrix_now(&self, rows: Rows) -> SparseMatrix {
        let rows = [rows];
        let placed = self.placed(&rows, |places| {
            self.place(&rows[0], None, &mut places[0]);
            Ok(())
        });
        placed.expect("nothing fails")
    }

    /// What `place` has put into a place for each part.
    fn placed(
        &self,
        parts: &[Rows],
        place: impl FnOnce(&mut [Place<'_>]) -> Result<()>,
    ) -> Result<SparseMatrix> {
        let most = parts.iter().map(|part| part.entries.len()).sum();
        let (mut indices, mut values) = (vec![0; most], vec![0.0; most]);
        let (mut free_indices, mut free_values) = (&mut indices[..], &mut values[..]);
        let mut places: Vec<_> = parts
            .iter()
            .map(|part| Place {
                indices: free_indices.split_off_mut(..part.entries.len()).expect("room for all"),
                values: free_values.split_off_mut(..part.entries.len()).expect("room for all"),
                ends: Vec::with_capacity(part.ends.len()),
            })
            .collect();
        place(&mut places)?;
        let ends: Vec<_> = places.into_iter().map(|place| place.ends).collect();
        let mut offsets = vec![0];
        let (mut start, mut end) = (0, 0);
        for (part, ends) in parts.iter().zip(&ends) {
            offsets.extend(ends.iter().map(|&of_row| (end + of_row) as u64));
            let count = ends.last().copied().unwrap_or(0);
            // Terms without a column have left a gap.
            if start > end {
                indices.copy_within(start..start + count, end);
                values.copy_within(start..start + count, end);
            }
            (start, end) = (start + part.entries.len(), end + count);
        }
        indices.truncate(end);
        values.truncate(end);
        Ok(SparseMatrix::of_rows(self.columns, offsets, indices, values))
    }

    fn place(&self, part: &Rows, columns: Option<&[u32]>, place: &mut Place<'_>) {
        let (mut row, mut start, mut free) = (Vec::new(), 0, 0);
        for &end in &part.ends {
            row.clear();
            row.extend(part.entries[start..end].iter().filter_map(|&(number, count)| {
                let column = columns.map_or(number, |columns| columns[number as usize]);
                let idf = self.idf.get(column as usize).copied().unwrap_or(1.0);
                let value = (self.weighting.tf(count) * idf) as f32;
                (column != NONE).then_some(u64::from(column) << 32 | u64::from(value.to_bits()))
            }));
            let range = free..free + row.len();
            let indices = &mut place.indices[range.clone()];
            let values = &mut place.values[range.clone()];
            if row.len() <= SHORT {
                put_by_rank(&row, indices, values);
            } else {
                row.sort_unstable();
                for (at, &entry) in row.iter().enumerate() {
                    (indices[at], values[at]) = (column(entry), f32::from_bits(entry as u32));
                }
            }
            self.weighting.normalize(values);
            place.ends.push(range.end);
            (start, free) = (end, range.end);
        }
    }
}

/// Puts each entry of a short row behind as many others as have a lower column. No column is there twice.
fn put_by_rank(row: &[u64], indices: &mut [u32], values: &mut [f32]) {
    // Signed, as vectors of the oldest processors compare; what fills the last vector is below nothing.
    let mut columns = [i32::MAX; SHORT];
    for (signed, &entry) in columns.iter_mut().zip(row) {
        *signed = column(entry) as i32 ^ i32::MIN;
    }
    let others = &columns[..row.len().next_multiple_of(LANES)];
    for (&entry, &own) in row.iter().zip(&columns) {
        let mut below = [0; LANES];
        for some in others.chunks_exact(LANES) {
            for (below, &other) in below.iter_mut().zip(some) {
                *below += i32::from(other < own);
            }
        }
        let rank = below.iter().sum::<i32>() as usize;
        (indices[rank], values[rank]) = (column(entry), f32::from_bits(entry as u32));
    }
}

fn column(entry: u64) -> u32 {
    (entry >> 32) as u32
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;

    use super::*;
    use crate::{Norm, Row};

    const PLAIN: Weighting =
        Weighting { binary: false, sublinear: false, idf: false, smooth: false, norm: Norm::None };

    /// Rows of some columns each, in any order.
    fn rows(random: &mut Random, count: usize, columns: u32) -> Rows {
        let mut rows = Rows::default();
        for _ in 0..count {
            let mut row: Vec<u32> = (0..random.below(80)).map(|_| random.below(columns)).collect();
            row.sort_unstable();
            row.dedup();
            row.reverse();
            rows.entries.extend(row.iter().map(|&column| (column, 1 + random.below(9) as i32)));
            rows.ends.push(rows.entries.len());
        }
        rows
    }

    #[test]
    fn rows_have_the_same_entries_in_the_order_of_their_columns() {
        let mut random = Random::new(3, 0);
        for (count, columns) in [(0, 5), (3, 50), (400, 1), (400, 2048), (300, 2049), (90, 1 << 30)]
        {
            let parts = [rows(&mut random, count, columns), rows(&mut random, 2 * count, columns)];
            let placing = Placing { weighting: PLAIN, idf: &[], columns: columns as usize };
            let matrix = placing.matrix(&parts, &[], &Run::quiet(2, 1)).unwrap();
            let mut at = 0;
            for part in &parts {
                let mut start = 0;
                for &end in &part.ends {
                    let mut wanted = part.entries[start..end].to_vec();
                    wanted.sort_unstable();
                    let Row { indices, values } = matrix.row(at);
                    let found = indices.iter().zip(values).map(|(&i, &v)| (i, v as i32));
                    assert_eq!(found.collect::<Vec<_>>(), wanted);
                    (start, at) = (end, at + 1);
                }
            }
            assert_eq!(matrix.rows(), at);
        }
    }

    #[test]
    fn terms_without_a_column_leave_no_gap() {
        let mut random = Random::new(4, 0);
        let parts = [rows(&mut random, 50, 100), rows(&mut random, 50, 100)];
        // Of a hundred numbers those below ten have columns, the other way round.
        let columns: Vec<u32> =
            (0..100).map(|number| if number < 10 { 9 - number } else { NONE }).collect();
        let placing = Placing { weighting: PLAIN, idf: &[2.0; 10], columns: 10 };
        let matrix = placing.matrix(&parts, &[columns], &Run::quiet(2, 1)).unwrap();
        let mut at = 0;
        for part in &parts {
            let mut start = 0;
            for &end in &part.ends {
                let kept = part.entries[start..end].iter().filter(|entry| entry.0 < 10);
                let mut wanted: Vec<(u32, i32)> =
                    kept.map(|&(number, count)| (9 - number, 2 * count)).collect();
                wanted.sort_unstable();
                let Row { indices, values } = matrix.row(at);
                let found = indices.iter().zip(values).map(|(&i, &v)| (i, v as i32));
                assert_eq!(found.collect::<Vec<_>>(), wanted);
                (start, at) = (end, at + 1);
            }
        }
    }
}
