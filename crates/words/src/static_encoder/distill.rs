//! A table of a Transformer's own vectors of tokens, each read by itself (Tulkens, van Dongen 2024, "Model2Vec"): along
//! the directions in which they vary most, and the more common a token is by its place, the shorter:
//!
//! ```text
//!     row(token) = a / (a + p) · Pᵀ (v(token) - mean)        p ∝ 1 / (place + 2), by Zipf's law; a / (a + p) is SIF
//! ```

use std::sync::Arc;

use inlay_base::{Result, Run};
use inlay_corpus::Lesson;
use inlay_vectors::Rows;

use super::{Rule, StaticEncoder, Table};

/// What rows are multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weights {
    /// 1.
    Equal,
    /// a / (a + p).
    Zipf(f64),
}

/// An encoder of a lesson's tokens, whose vectors are `values`: [tokens, width].
///
/// # Errors
/// `InvalidInput` for values that are not finite; `Aborted`.
///
/// # Panics
/// If there is not a vector for each token.
pub fn distill(
    lesson: Lesson,
    values: &[f32],
    dimensions: usize,
    weights: Weights,
    rule: Rule,
    run: &Run,
) -> Result<StaticEncoder> {
    let Lesson { subwords, tokens, .. } = lesson;
    let width = values.len() / tokens.len().max(1);
    assert_eq!(values.len(), width * tokens.len());
    run.phase("reduce", "tokens", 0, Some(tokens.len() as u64));
    let points =
        Rows::from_values(values, width)?.principal_components(dimensions, tokens.len(), run)?;
    // Tokens without a part have rows of zeros.
    let mut rows = vec![0.0; subwords.numbers() * dimensions];
    let total: f64 = (0..tokens.len()).map(|place| 1.0 / (place + 2) as f64).sum();
    for (place, (&token, point)) in tokens.iter().zip(points.chunks_exact(dimensions)).enumerate() {
        // It does not count: where another library counts it, it adds nothing.
        if subwords.unknown() == Some(token) {
            continue;
        }
        let weight = match weights {
            Weights::Equal => 1.0,
            Weights::Zipf(a) => a / (a + 1.0 / (place + 2) as f64 / total),
        };
        let row = &mut rows[token as usize * dimensions..][..dimensions];
        row.iter_mut().zip(point).for_each(|(to, &value)| *to = (f64::from(value) * weight) as f32);
    }
    run.advance(tokens.len() as u64);
    Ok(StaticEncoder::new(Arc::new(subwords), Table::new(rows, dimensions), rule))
}
