//! Vectors of length 1, and the way back through them: u = x / |x|, dx = (du - u·(u·du)) / |x|.

/// Puts x / |x| into `unit` and gives |x|; a vector of zeros stays one.
pub(crate) fn direct(x: &[f32], unit: &mut [f32]) -> f32 {
    let length = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    unit.iter_mut().zip(x).for_each(|(unit, &x)| *unit = (f64::from(x) * scale) as f32);
    length as f32
}

/// The gradient by `unit` as that by x, of this length; what has no direction has no gradient.
pub(crate) fn direct_back(unit: &[f32], length: f32, slope: &[f32], to: &mut [f32]) {
    let along: f64 = unit.iter().zip(slope).map(|(&u, &s)| f64::from(u) * f64::from(s)).sum();
    let scale = if length > 0.0 { 1.0 / f64::from(length) } else { 0.0 };
    for ((to, &unit), &slope) in to.iter_mut().zip(unit).zip(slope) {
        *to = ((f64::from(slope) - f64::from(unit) * along) * scale) as f32;
    }
}
