//! Questions about a few words, answered in microseconds, and the rank of one among all.

use inlay_base::{Error, Result, Workers};

use crate::WordVectors;
use crate::query::{add, unit};
use crate::search::inverse_norm;

impl WordVectors {
    /// The cosine of two words; 0 where a vector is zeros.
    ///
    /// # Errors
    /// `NotFound`
    pub fn similarity(&self, a: &[u8], b: &[u8]) -> Result<f32> {
        Ok(cosine(&self.vector(a)?, &self.vector(b)?))
    }

    /// The cosine of the means of two lists of words.
    ///
    /// # Errors
    /// `NotFound` for a word, `InvalidInput` for a list without words.
    pub fn n_similarity(&self, a: &[Vec<u8>], b: &[Vec<u8>]) -> Result<f32> {
        let mean = |words: &[Vec<u8>]| -> Result<Vec<f32>> {
            some(words)?;
            let mut sum = vec![0.0; self.dimensions()];
            for word in words {
                add(&mut sum, &self.vector(word)?, 1.0);
            }
            Ok(unit(&sum))
        };
        Ok(cosine(&mean(a)?, &mean(b)?))
    }

    /// The word that is least similar to the mean of all, each as a unit vector; of equals the
    /// first. Gives its place in the list.
    ///
    /// # Errors
    /// `NotFound` for a word, `InvalidInput` for a list without words.
    pub fn doesnt_match(&self, words: &[Vec<u8>]) -> Result<usize> {
        some(words)?;
        let vectors = words.iter().map(|word| self.vector(word)).collect::<Result<Vec<_>>>()?;
        let mut sum = vec![0.0; self.dimensions()];
        for vector in &vectors {
            add(&mut sum, vector, f64::from(inverse_norm(vector)));
        }
        let mean = unit(&sum);
        let similarities = vectors.iter().map(|vector| cosine(vector, &mean));
        let least = similarities.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b));
        Ok(least.map_or(0, |(place, _)| place))
    }

    /// The place of `b` among the neighbours of `a`: 1 for the nearest.
    ///
    /// # Errors
    /// `NotFound`
    pub fn rank(&self, a: &[u8], b: &[u8], workers: &dyn Workers) -> Result<usize> {
        let (row, other) = (self.index_of(a)?, self.index_of(b)?);
        let mut sum = vec![0.0; self.dimensions()];
        add(&mut sum, &self.rows().row(row as usize), 1.0);
        let direction = unit(&sum);
        let similarity = self.similarity_of(&direction, other, workers)?;
        Ok(1 + self.count_above(&direction, similarity, row, workers)?)
    }
}

fn some(words: &[Vec<u8>]) -> Result<()> {
    if words.is_empty() {
        let problem = "has no words".into();
        return Err(Error::InvalidInput { source: "list".into(), offset: None, problem });
    }
    Ok(())
}

/// In f64, rounded once; 0 where a vector is zeros or not finite.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let sum = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    let cosine = sum(a, b) / (sum(a, a).sqrt() * sum(b, b).sqrt());
    if cosine.is_finite() { cosine.clamp(-1.0, 1.0) as f32 } else { 0.0 }
}
