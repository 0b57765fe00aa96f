//! Sines and cosines of where a patch is (Vaswani et al. 2017, section 3.5, for three axes).
//!
//! Values come in pairs, and pairs go to time, row and column in turn. The k-th of the K pairs of an axis, for a place p:
//!
//! ```text
//! sin(p · 10000^(-k/K)), cos(p · 10000^(-k/K))
//! ```
//!
//! so that each axis has slow and fast ones whatever the number of values. Of an odd number, the last gets nothing.

use std::sync::Mutex;

use inlay_base::{Result, Run, Workers, lock};

/// The slowest sine's period is so many times the fastest's.
const BASE: f64 = 10_000.0;
/// Tokens of a task.
const TOGETHER: usize = 256;

/// Adds its place to each token: `values` are [tokens, width], `positions` [tokens, 3].
///
/// # Errors
/// `Aborted`
///
/// # Panics
/// If there are more or fewer positions than tokens.
pub fn add_places(values: &mut [f32], positions: &[u32], width: usize, run: &Run) -> Result<()> {
    assert_eq!(values.len(), positions.len() / 3 * width);
    let rates = rates(width);
    let parts = values.chunks_mut(TOGETHER * width).zip(positions.chunks(3 * TOGETHER));
    let parts: Vec<_> = parts.map(Mutex::new).collect();
    run.each(parts.len(), &|part| {
        let mut part = lock(&parts[part]);
        let (values, positions) = &mut *part;
        for (token, position) in values.chunks_exact_mut(width).zip(positions.chunks_exact(3)) {
            for (pair, &(axis, rate)) in token.chunks_exact_mut(2).zip(&rates) {
                let (sine, cosine) = (f64::from(position[axis]) * rate).sin_cos();
                pair[0] += sine as f32;
                pair[1] += cosine as f32;
            }
        }
        Ok(())
    })
}

/// Axis and rate of each pair.
fn rates(width: usize) -> Vec<(usize, f64)> {
    let pairs = width / 2;
    let of = |pair: usize| {
        let axis = pair % 3;
        let all = (pairs + 2 - axis) / 3;
        (axis, BASE.powf(-((pair / 3) as f64) / all as f64))
    };
    (0..pairs).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_go_to_the_axes_in_turn_each_from_fast_to_slow() {
        // Four pairs: two for time, one each for row and column.
        let mut values = [0.5; 18];
        add_places(&mut values, &[3, 1, 2, 0, 0, 0], 9, &Run::quiet(1, 1)).unwrap();
        let slow = 3.0 * BASE.powf(-0.5);
        let wanted = [
            3f64.sin(),
            3f64.cos(),
            1f64.sin(),
            1f64.cos(),
            2f64.sin(),
            2f64.cos(),
            slow.sin(),
            slow.cos(),
            0.0,
        ];
        for (value, wanted) in values.iter().zip(wanted) {
            assert!((f64::from(*value) - 0.5 - wanted).abs() < 1e-7, "{values:?}");
        }
        assert_eq!(values[9..], [0.5, 1.5, 0.5, 1.5, 0.5, 1.5, 0.5, 1.5, 0.5]);
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let positions: Vec<u32> = (0..3000).collect();
        let made = |threads| {
            let mut values = vec![0.0; 1000 * 7];
            add_places(&mut values, &positions, 7, &Run::quiet(threads, 1)).unwrap();
            values
        };
        assert_eq!(made(1), made(5));
    }
}
