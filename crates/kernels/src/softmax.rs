//! One step of softmax over all outputs. For a hidden vector h, outputs y and a target t:
//!
//! ```text
//! p = softmax(y·h)          loss = -ln p_t          g_i = rate · (1{i = t} - p_i)
//! gradient = Σ g_i·y_i      y_i += g_i·h            (both with the values before)
//! ```

use inlay_base::SharedRow;

use crate::{Simd, exp};

/// Outputs whose products are worked out at once.
const TOGETHER: usize = 4;
/// The room that `scores` needs beside one value for each output: a register.
pub const SCORES_BESIDE: usize = 16;

/// Returns the loss before the step; `gradient` is what h should change by, `scores` are p.
///
/// # Panics
/// If a length differs from that of the padded rows, there is no target, or `scores` is too short.
#[inline(always)]
pub fn learn_softmax<S: Simd>(
    simd: S,
    hidden: &[f32],
    outputs: &[SharedRow<'_>],
    target: usize,
    rate: f32,
    scores: &mut [f32],
    gradient: &mut [f32],
) -> f32 {
    let padded = hidden.len();
    assert!(gradient.len() == padded && target < outputs.len());
    assert!(outputs.iter().all(|output| output.padded() == padded));
    assert!(scores.len() >= outputs.len() + SCORES_BESIDE);
    for (block, rows) in outputs.chunks(TOGETHER).enumerate() {
        let mut sums = [simd.splat(0.0); TOGETHER];
        // The last row in the place of those that are missing: their sums are not looked at.
        let row = |k: usize| rows[k.min(rows.len() - 1)].as_ptr();
        let (a, b, c, d) = (row(0), row(1), row(2), row(3));
        for i in (0..padded).step_by(S::LANES) {
            // SAFETY: padded rows are a multiple of 16 long, `hidden` as long, `LANES` divides 16.
            unsafe {
                let h = simd.load(hidden.as_ptr().add(i));
                sums[0] = simd.fma(h, simd.load(a.add(i)), sums[0]);
                sums[1] = simd.fma(h, simd.load(b.add(i)), sums[1]);
                sums[2] = simd.fma(h, simd.load(c.add(i)), sums[2]);
                sums[3] = simd.fma(h, simd.load(d.add(i)), sums[3]);
            }
        }
        for (k, &sum) in sums.iter().enumerate().take(rows.len()) {
            scores[block * TOGETHER + k] = simd.sum(sum);
        }
    }
    let mut highest = f32::NEG_INFINITY;
    for &score in &scores[..outputs.len()] {
        highest = if score > highest { score } else { highest };
    }
    let loss_of_target = highest - scores[target];
    // What is beyond the outputs has no share: e⁻⁸⁷ is nothing beside the e⁰ of the highest.
    scores[outputs.len()..outputs.len() + SCORES_BESIDE].fill(f32::MIN);
    let mut total = simd.splat(0.0);
    for i in (0..outputs.len()).step_by(S::LANES) {
        // SAFETY: `scores` has a register's length beyond the outputs.
        unsafe {
            let at = scores.as_mut_ptr().add(i);
            let power = exp(simd, simd.sub(simd.load(at), simd.splat(highest)));
            simd.store(at, power);
            total = simd.add(total, power);
        }
    }
    let total = simd.sum(total);
    let share = 1.0 / total;
    scores[..outputs.len()].iter_mut().for_each(|score| *score *= share);

    gradient.fill(0.0);
    for (block, rows) in outputs.chunks(TOGETHER).enumerate() {
        let mut steps = [simd.splat(0.0); TOGETHER];
        for (k, step) in steps.iter_mut().enumerate().take(rows.len()) {
            let output = block * TOGETHER + k;
            let label = if output == target { 1.0 } else { 0.0 };
            *step = simd.splat(rate * (label - scores[output]));
        }
        let g = gradient.as_mut_ptr();
        // SAFETY: as above.
        unsafe {
            if let [a, b, c, d] = *rows {
                let rows = [a.as_ptr(), b.as_ptr(), c.as_ptr(), d.as_ptr()];
                for i in (0..padded).step_by(S::LANES) {
                    let h = simd.load(hidden.as_ptr().add(i));
                    let mut sum = simd.load(g.add(i));
                    for k in 0..TOGETHER {
                        let y = simd.load(rows[k].add(i));
                        sum = simd.fma(steps[k], y, sum);
                        simd.store(rows[k].add(i), simd.fma(steps[k], h, y));
                    }
                    simd.store(g.add(i), sum);
                }
            } else {
                for (k, row) in rows.iter().enumerate() {
                    for i in (0..padded).step_by(S::LANES) {
                        let h = simd.load(hidden.as_ptr().add(i));
                        let y = simd.load(row.as_ptr().add(i));
                        simd.store(g.add(i), simd.fma(steps[k], y, simd.load(g.add(i))));
                        simd.store(row.as_ptr().add(i), simd.fma(steps[k], h, y));
                    }
                }
            }
        }
    }
    loss_of_target + total.ln()
}

#[cfg(test)]
mod tests {
    use inlay_base::{Random, SharedMatrix};

    use super::*;
    use crate::{Kernels, Task};

    const COLUMNS: usize = 19;

    struct Step<'a> {
        hidden: &'a [f32],
        outputs: &'a SharedMatrix,
        target: usize,
        gradient: &'a mut [f32],
    }
    impl Task for Step<'_> {
        type Output = f32;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> f32 {
            let rows: Vec<_> =
                (0..self.outputs.rows() as u32).map(|row| self.outputs.row(row)).collect();
            let mut scores = vec![0.0; rows.len() + SCORES_BESIDE];
            let (hidden, target) = (self.hidden, self.target);
            learn_softmax(simd, hidden, &rows, target, 0.1, &mut scores, self.gradient)
        }
    }

    fn loss(hidden: &[f64], outputs: &[Vec<f64>], target: usize) -> f64 {
        let product = |row: &Vec<f64>| -> f64 { row.iter().zip(hidden).map(|(y, h)| y * h).sum() };
        let sum: f64 = outputs.iter().map(|row| product(row).exp()).sum();
        sum.ln() - product(&outputs[target])
    }

    #[test]
    fn a_step_is_the_finite_difference_of_the_loss() {
        for set in Kernels::available() {
            for count in 1..14 {
                let mut random = Random::new(5, count as u64);
                let mut value = || f64::from(random.unit() - 0.5);
                let mut hidden: Vec<f64> = (0..COLUMNS).map(|_| value()).collect();
                let mut rows: Vec<Vec<f64>> =
                    (0..count).map(|_| (0..COLUMNS).map(|_| value()).collect()).collect();
                let target = count / 2;
                let outputs = SharedMatrix::zeros(count, COLUMNS).unwrap();
                let narrow = |row: &Vec<f64>| row.iter().map(|&v| v as f32).collect::<Vec<_>>();
                for (number, row) in rows.iter().enumerate() {
                    outputs.write(number as u32, &narrow(row));
                }
                let mut padded = narrow(&hidden);
                padded.resize(outputs.stride(), 0.0);
                let mut gradient = vec![7.0; outputs.stride()];
                let step =
                    Step { hidden: &padded, outputs: &outputs, target, gradient: &mut gradient };
                let lost = set.run(step);
                assert!((f64::from(lost) - loss(&hidden, &rows, target)).abs() < 1e-5);
                assert!(gradient[COLUMNS..].iter().all(|&g| g == 0.0));

                let small = 1e-5;
                for i in 0..COLUMNS {
                    let mut moved = |by: f64| {
                        hidden[i] += by;
                        let lost = loss(&hidden, &rows, target);
                        hidden[i] -= by;
                        lost
                    };
                    let slope = (moved(small) - moved(-small)) / (2.0 * small);
                    assert!((f64::from(gradient[i]) + 0.1 * slope).abs() < 1e-5, "{}", set.name());
                }
                for row in 0..count {
                    let mut now = [0.0; COLUMNS];
                    outputs.read(row as u32, &mut now);
                    let mut moved = |by: f64| {
                        rows[row][3] += by;
                        let lost = loss(&hidden, &rows, target);
                        rows[row][3] -= by;
                        lost
                    };
                    let slope = (moved(small) - moved(-small)) / (2.0 * small);
                    let step = f64::from(now[3]) - rows[row][3];
                    assert!((step + 0.1 * slope).abs() < 1e-5, "{} {count}", set.name());
                }
            }
        }
    }
}
