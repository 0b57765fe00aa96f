//! N-grams that one line alone has, once: most n-grams of words are such. All that a line has learn the same, so while
//! a model is trained their sum stands for them, and a line reads and writes one row instead of many.
//!
//! ```text
//! every row += step        sum += count · step
//! ```

use inlay_base::{Result, Run, SharedMatrix, Workers};

/// Sums that are worked out at a time.
const BLOCK: usize = 256;

/// Which rows are alone with a line. Those of a line follow one another, two at least.
pub(super) struct Lone {
    /// Rows from here on are.
    first: u32,
    /// By row from `first`: its sum.
    sum: Vec<u32>,
    /// Where each sum's rows begin, counted from `first`, and the end of the last.
    starts: Vec<u32>,
}

/// The sum that stands for rows of a line, and how many they are.
#[derive(Clone, Copy)]
pub(super) struct Stand {
    pub sum: u32,
    pub count: u32,
}

impl Lone {
    /// Rows from `first` on, for so many of which each sum stands.
    pub fn new(first: u32, counts: &[u32]) -> Self {
        let sum = (0..).zip(counts).flat_map(|(sum, &count)| (0..count).map(move |_| sum));
        let ends = counts.iter().scan(0, |end, &count| {
            *end += count;
            Some(*end)
        });
        let starts = std::iter::once(0).chain(ends).collect();
        Self { first, sum: sum.collect(), starts }
    }

    /// No row is.
    pub fn none() -> Self {
        Self::new(u32::MAX, &[])
    }

    /// Takes those out of the rows of a line.
    #[inline(always)]
    pub fn take(&self, rows: &mut Vec<u32>) -> Option<Stand> {
        let (mut kept, mut lone) = (0, self.first);
        for at in 0..rows.len() {
            let row = rows[at];
            rows[kept] = row;
            // No branch: nobody foretells which it is.
            kept += usize::from(row < self.first);
            lone = lone.max(row);
        }
        let count = (rows.len() - kept) as u32;
        rows.truncate(kept);
        (count > 0).then(|| Stand { sum: self.sum[(lone - self.first) as usize], count })
    }

    /// The sums, of first vectors.
    pub fn sums(&self, rows: &SharedMatrix, run: &Run) -> Result<SharedMatrix> {
        let sums = SharedMatrix::zeros(self.starts.len() - 1, rows.columns())?;
        self.each(run, &|number, of_sum| {
            let mut values = vec![0.0; rows.columns()];
            add_up(rows, of_sum, &mut values);
            sums.write(number as u32, &values);
        })?;
        Ok(sums)
    }

    /// Gives each row what its sum has learnt.
    pub fn spread(&self, sums: &SharedMatrix, rows: &SharedMatrix, run: &Run) -> Result<()> {
        self.each(run, &|number, of_sum| {
            let [mut before, mut learnt] = [0, 1].map(|_| vec![0.0; rows.columns()]);
            add_up(rows, of_sum.clone(), &mut before);
            sums.read(number as u32, &mut learnt);
            let share = 1.0 / of_sum.len() as f32;
            for (learnt, before) in learnt.iter_mut().zip(&before) {
                *learnt = (*learnt - before) * share;
            }
            let mut values = before;
            for row in of_sum {
                rows.read(row, &mut values);
                values.iter_mut().zip(&learnt).for_each(|(value, learnt)| *value += learnt);
                rows.write(row, &values);
            }
        })
    }

    /// Each sum and its rows, on all threads.
    fn each(&self, run: &Run, work: &(dyn Fn(usize, std::ops::Range<u32>) + Sync)) -> Result<()> {
        let count = self.starts.len() - 1;
        run.each(count.div_ceil(BLOCK), &|block| {
            for sum in block * BLOCK..count.min((block + 1) * BLOCK) {
                work(sum, self.first + self.starts[sum]..self.first + self.starts[sum + 1]);
            }
            Ok(())
        })
    }
}

fn add_up(rows: &SharedMatrix, which: std::ops::Range<u32>, sum: &mut [f32]) {
    let mut values = vec![0.0; sum.len()];
    for row in which {
        rows.read(row, &mut values);
        sum.iter_mut().zip(&values).for_each(|(sum, value)| *sum += value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_stands_for_the_rows_of_a_line_and_others_stay() {
        let lone = Lone::new(10, &[2, 3]);
        let take = |rows: &[u32]| {
            let mut rows = rows.to_vec();
            let stand = lone.take(&mut rows).map(|Stand { sum, count }| (sum, count));
            (rows, stand)
        };
        assert_eq!(take(&[3, 11, 9, 10, 3]), (vec![3, 9, 3], Some((0, 2))));
        assert_eq!(take(&[12, 13, 14]), (vec![], Some((1, 3))));
        assert_eq!(take(&[0, 9]), (vec![0, 9], None));
        assert_eq!(take(&[]), (vec![], None));
        let mut rows = vec![7, u32::MAX - 1];
        assert!(Lone::none().take(&mut rows).is_none() && rows.len() == 2);
    }

    #[test]
    fn rows_gain_what_their_sum_gains_in_equal_parts() {
        let rows = SharedMatrix::zeros(6, 3).unwrap();
        (0..6).for_each(|row| rows.write(row, &[row as f32, 1.0, -1.0]));
        let lone = Lone::new(1, &[2, 3]);
        let run = Run::quiet(2, 1);
        let sums = lone.sums(&rows, &run).unwrap();
        let row = |matrix: &SharedMatrix, row| {
            let mut values = [0.0; 3];
            matrix.read(row, &mut values);
            values
        };
        assert_eq!(row(&sums, 0), [3.0, 2.0, -2.0]);
        assert_eq!(row(&sums, 1), [12.0, 3.0, -3.0]);
        sums.write(0, &[4.0, 2.0, 0.0]);
        lone.spread(&sums, &rows, &run).unwrap();
        assert_eq!(row(&rows, 0), [0.0, 1.0, -1.0]);
        assert_eq!(row(&rows, 1), [1.5, 1.0, 0.0]);
        assert_eq!(row(&rows, 2), [2.5, 1.0, 0.0]);
        assert_eq!(row(&rows, 3), [3.0, 1.0, -1.0]);
    }
}
