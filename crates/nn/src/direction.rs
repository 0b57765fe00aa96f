//! Vectors of length 1, and the way back through them: u = x / |x|, dx = (du - u·(u·du)) / |x|.

use inlay_base::{Result, Run};

/// Puts x / |x| into `unit` and gives |x|; a vector of zeros stays one.
pub(crate) fn direct(x: &[f32], unit: &mut [f32]) -> f32 {
    let length = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    unit.iter_mut().zip(x).for_each(|(unit, &x)| *unit = (f64::from(x) * scale) as f32);
    length as f32
}

/// Of each row of `width` values the first `kept`, and, if wanted, these divided by their length.
///
/// # Errors
/// `Aborted`.
pub fn beginnings(
    values: Vec<f32>,
    width: usize,
    kept: usize,
    unit: bool,
    run: &Run,
) -> Result<Vec<f32>> {
    if kept >= width && !unit {
        return Ok(values);
    }
    let kept = kept.min(width);
    let mut found = vec![0.0; values.len() / width.max(1) * kept];
    let rows = values.chunks_exact(width.max(1)).zip(found.chunks_exact_mut(kept.max(1)));
    for (number, (row, to)) in rows.enumerate() {
        if number % 1024 == 0 {
            run.check()?;
        }
        match unit {
            true => _ = direct(&row[..kept], to),
            false => to.copy_from_slice(&row[..kept]),
        }
    }
    Ok(found)
}

/// The gradient by `unit` as that by x, of this length; what has no direction has no gradient.
pub(crate) fn direct_back(unit: &[f32], length: f32, slope: &[f32], to: &mut [f32]) {
    let along: f64 = unit.iter().zip(slope).map(|(&u, &s)| f64::from(u) * f64::from(s)).sum();
    let scale = if length > 0.0 { 1.0 / f64::from(length) } else { 0.0 };
    for ((to, &unit), &slope) in to.iter_mut().zip(unit).zip(slope) {
        *to = ((f64::from(slope) - f64::from(unit) * along) * scale) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_first_values_and_get_the_length_of_one() {
        let run = &Run::quiet(1, 1);
        let rows = || vec![3.0, 4.0, 9.0, 0.0, 0.0, 7.0];
        assert_eq!(beginnings(rows(), 3, 9, false, run).unwrap(), rows());
        assert_eq!(beginnings(rows(), 3, 2, false, run).unwrap(), [3.0, 4.0, 0.0, 0.0]);
        assert_eq!(beginnings(rows(), 3, 2, true, run).unwrap(), [0.6, 0.8, 0.0, 0.0]);
        assert!(beginnings(Vec::new(), 3, 2, true, run).unwrap().is_empty());
    }
}
