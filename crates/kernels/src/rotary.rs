//! Rotary positions (Su et al. 2021, arXiv:2104.09864): value i of a head and value i + n/2 turn together, by an angle
//! that grows with the place of their row, so that a product of two rows depends on how far they are from each other.

use crate::{Kernels, Simd, Task};

/// Turns the first `heads` pieces of each row of `row` values. Of each place `turns` has the cosines of n/2 angles and
/// then their sines: [rows, n]. `back`: the other way round.
///
/// # Panics
/// If the lengths do not fit.
pub fn rotate(
    kernels: Kernels,
    rows: &mut [f32],
    row: usize,
    heads: usize,
    turns: &[f32],
    back: bool,
) {
    let count = rows.len() / row.max(1);
    let width = turns.len() / count.max(1);
    assert_eq!((rows.len(), turns.len()), (count * row, count * width));
    assert!(heads * width <= row && width.is_multiple_of(2));
    if count > 0 {
        kernels.run(Rotate { rows, row, heads, turns, width, back });
    }
}

struct Rotate<'a> {
    rows: &'a mut [f32],
    row: usize,
    heads: usize,
    turns: &'a [f32],
    width: usize,
    back: bool,
}

impl Task for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { rows, row, heads, turns, width, back } = self;
        let way = if back { -1.0 } else { 1.0 };
        for (row, turn) in rows.chunks_exact_mut(row).zip(turns.chunks_exact(width)) {
            let (cosines, sines) = turn.split_at(width / 2);
            for head in row[..heads * width].chunks_exact_mut(width) {
                let (first, second) = head.split_at_mut(width / 2);
                let pairs = first.iter_mut().zip(second).zip(cosines.iter().zip(sines));
                for ((x, y), (cosine, sine)) in pairs {
                    let (a, b, sine) = (*x, *y, way * sine);
                    *x = a * cosine - b * sine;
                    *y = b * cosine + a * sine;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_turn_there_and_back_on_every_set() {
        let (heads, width, row, count) = (2, 38, 90, 5);
        let angle = |place: usize, i: usize| place as f64 * 0.7 / (i + 1) as f64;
        let half = 0..width / 2;
        let turns: Vec<f32> = (0..count)
            .flat_map(|place| {
                let cosines = half.clone().map(move |i| angle(place, i).cos() as f32);
                cosines.chain(half.clone().map(move |i| angle(place, i).sin() as f32))
            })
            .collect();
        let before: Vec<f32> =
            (0..row * count).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
        for set in Kernels::available() {
            let mut rows = before.clone();
            rotate(set, &mut rows, row, heads, &turns, false);
            for (at, &found) in rows.iter().enumerate() {
                let (place, i) = (at / row, at % row);
                let wanted = if i < heads * width {
                    let (piece, i) = (place * row + i / width * width, i % width);
                    let [x, y] = [0, width / 2]
                        .map(|half| f64::from(before[piece + i % (width / 2) + half]));
                    let (sine, cosine) = angle(place, i % (width / 2)).sin_cos();
                    if i < width / 2 { x * cosine - y * sine } else { y * cosine + x * sine }
                } else {
                    f64::from(before[at])
                };
                assert!((f64::from(found) - wanted).abs() < 1e-6, "{} {at}", set.name());
            }
            rotate(set, &mut rows, row, heads, &turns, true);
            for (found, wanted) in rows.iter().zip(&before) {
                assert!((found - wanted).abs() < 1e-6, "{}", set.name());
            }
        }
        rotate(Kernels::get(), &mut [], row, heads, &[], false);
    }
}
