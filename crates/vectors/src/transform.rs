//! Copies of vectors that were changed as a whole. Each shares nothing with what it was made from
//! but the names, and keeps the precision.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use inlay_base::{Result, Workers, lock};
use inlay_formats::{GiveRows, TakeRows};

use crate::rows::{Precision, RowsBuilder};
use crate::search::{Tasks, inverse_norm};
use crate::{WordVectors, components};

impl WordVectors {
    /// Every row less the mean of all.
    pub fn centered(&self, workers: &dyn Workers) -> Result<Self> {
        let mean = components::mean(self.rows(), self.len(), workers)?;
        self.changed(self.precision(), workers, &|row| subtract(row, &mean))
    }

    /// Every row 1 long; rows of zeros stay.
    pub fn normalized(&self, workers: &dyn Workers) -> Result<Self> {
        self.changed(self.precision(), workers, &|row| {
            let inverse = inverse_norm(row);
            row.iter_mut().for_each(|value| *value *= inverse);
        })
    }

    /// Every row less the mean and less its part along the `n` directions in which the rows vary
    /// most (Mu, Viswanath 2018, "All-but-the-Top"): what all words share says little of each.
    pub fn without_top_components(&self, n: usize, workers: &dyn Workers) -> Result<Self> {
        let (mean, directions) = components::top(self.rows(), self.len(), n, workers)?;
        self.changed(self.precision(), workers, &|row| {
            subtract(row, &mean);
            for direction in directions.chunks(row.len()) {
                let along: f64 = row.iter().zip(direction).map(|(&x, &d)| f64::from(x) * d).sum();
                for (value, d) in row.iter_mut().zip(direction) {
                    *value = (f64::from(*value) - along * d) as f32;
                }
            }
        })
    }

    /// The same rows kept otherwise.
    ///
    /// # Errors
    /// `InvalidInput` for a value beyond what float16 can hold.
    pub fn with_precision(&self, precision: Precision, workers: &dyn Workers) -> Result<Self> {
        self.changed(precision, workers, &|_| ())
    }

    /// The first rows as points of `n` coordinates, those along which they vary most, widest
    /// first: `[rows, n]` end to end. Each coordinate's sign makes its direction's largest value
    /// positive, so equal rows give equal maps.
    pub fn principal_components(
        &self,
        n: usize,
        restrict: Option<usize>,
        workers: &dyn Workers,
    ) -> Result<Vec<f32>> {
        let rows = restrict.map_or(self.len(), |rows| rows.min(self.len()));
        self.rows().principal_components(n, rows, workers)
    }

    fn changed(
        &self,
        precision: Precision,
        workers: &dyn Workers,
        change: &(dyn Fn(&mut [f32]) + Sync),
    ) -> Result<Self> {
        let dimensions = self.dimensions();
        let mut builder = RowsBuilder::new(precision, Path::new("vectors"));
        builder.start(self.len(), dimensions)?;
        let builder = Mutex::new(builder);
        let tasks = Tasks::over(self.rows(), self.len());
        workers.each(tasks.count, &|task| {
            let range = tasks.range(task);
            let mut values = vec![0.0; range.len() * dimensions];
            self.rows().give(range.start, &mut values);
            values.chunks_mut(dimensions).for_each(change);
            lock(&builder).take(range.start, &values)
        })?;
        let rows = builder.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
        Ok(Self::with_counts(Arc::clone(self.names()), rows, self.counts().cloned()))
    }
}

fn subtract(row: &mut [f32], mean: &[f64]) {
    row.iter_mut().zip(mean).for_each(|(value, mean)| *value = (f64::from(*value) - mean) as f32);
}
