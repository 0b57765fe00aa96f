//! What predicts what: how the rows of a window and the output rows of its centre meet.

use inlay_base::SharedRow;
use inlay_kernels::{
    Ahead, Output, Simd, Step, add_to_row, add_to_rows, lay_row, learn, mean_of_rows,
};

use crate::objective::Objective;

/// One centre word and its window.
pub trait Context: Sync {
    /// Whether each row of the window is a prediction of its own, as in skip-gram.
    const PREDICTS_ALONE: bool;

    /// Learns from one centre: changes the window's rows and the outputs, returns the loss. Asks for the
    /// rows `ahead`.
    fn learn<S: Simd, O: Objective>(
        &self,
        simd: S,
        window: &[SharedRow<'_>],
        outputs: &[Output<'_>],
        step: Step,
        ahead: &[Output<'_>],
        scratch: &mut Scratch,
    ) -> f32;
}

/// Rows of a thread's own, as long as padded ones.
pub struct Scratch {
    hidden: Vec<f32>,
    gradient: Vec<f32>,
}

impl Scratch {
    /// For output rows of so many values, padding included.
    pub fn new(padded: usize) -> Self {
        Self { hidden: vec![0.0; padded], gradient: vec![0.0; padded] }
    }
}

/// Each word of the window alone predicts the centre: Mikolov et al. 2013, arXiv:1301.3781.
pub struct SkipGram;

impl Context for SkipGram {
    const PREDICTS_ALONE: bool = true;

    #[inline(always)]
    fn learn<S: Simd, O: Objective>(
        &self,
        simd: S,
        window: &[SharedRow<'_>],
        outputs: &[Output<'_>],
        step: Step,
        ahead: &[Output<'_>],
        _scratch: &mut Scratch,
    ) -> f32 {
        O::exchange(simd, window, outputs, step, ahead)
    }
}

/// How the rows of a window become one hidden vector, which predicts the centre.
pub trait Fold: Sync {
    /// Makes the hidden vector.
    fn gather<S: Simd>(&self, simd: S, window: &[SharedRow<'_>], hidden: &mut [f32]);

    /// Gives each row of the window its part of the change.
    fn scatter<S: Simd>(&self, simd: S, window: &[SharedRow<'_>], gradient: &[f32]);
}

impl<F: Fold> Context for F {
    const PREDICTS_ALONE: bool = false;

    #[inline(always)]
    fn learn<S: Simd, O: Objective>(
        &self,
        simd: S,
        window: &[SharedRow<'_>],
        outputs: &[Output<'_>],
        step: Step,
        ahead: &[Output<'_>],
        scratch: &mut Scratch,
    ) -> f32 {
        let mut ahead = Ahead::in_parts(ahead, 2);
        ahead.ask(simd);
        self.gather(simd, window, &mut scratch.hidden);
        let loss = learn(simd, &scratch.hidden, outputs, step, &mut scratch.gradient);
        ahead.ask(simd);
        self.scatter(simd, window, &scratch.gradient);
        loss
    }
}

/// The mean (or the sum) of the window predicts the centre: ibid.
pub struct Cbow {
    /// The mean, as in word2vec.c: its whole gradient goes to every word of the window. With the
    /// sum each word gets its share (gensim's `cbow_mean=0`).
    pub mean: bool,
}

impl Fold for Cbow {
    #[inline(always)]
    fn gather<S: Simd>(&self, simd: S, window: &[SharedRow<'_>], hidden: &mut [f32]) {
        let scale = if self.mean { 1.0 / window.len() as f32 } else { 1.0 };
        mean_of_rows(simd, window, scale, hidden);
    }

    #[inline(always)]
    fn scatter<S: Simd>(&self, simd: S, window: &[SharedRow<'_>], gradient: &[f32]) {
        let scale = if self.mean { 1.0 } else { 1.0 / window.len() as f32 };
        add_to_rows(simd, window, scale, gradient);
    }
}

/// The rows of the window end to end predict the centre, so each place has outputs of its own: Le
/// and Mikolov 2014, arXiv:1405.4053, section 2.2.
pub struct Concatenation {
    /// Values of a row, without padding.
    pub dimensions: usize,
}

impl Fold for Concatenation {
    /// What lies behind the last row stays as it is: zeros.
    #[inline(always)]
    fn gather<S: Simd>(&self, simd: S, window: &[SharedRow<'_>], hidden: &mut [f32]) {
        for (&row, to) in window.iter().zip(hidden.chunks_exact_mut(self.dimensions)) {
            lay_row(simd, row, to);
        }
    }

    #[inline(always)]
    fn scatter<S: Simd>(&self, simd: S, window: &[SharedRow<'_>], gradient: &[f32]) {
        for (&row, part) in window.iter().zip(gradient.chunks_exact(self.dimensions)) {
            add_to_row(simd, row, part);
        }
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::{Random, SharedMatrix};
    use inlay_kernels::{Kernels, Task};

    use super::*;
    use crate::objective::NegativeSampling;

    const DIMENSIONS: usize = 5;
    const RATE: f32 = 1e-3;
    const SIGNS: [f32; 3] = [1.0, -1.0, -1.0];

    struct Learn<'a> {
        fold: &'a Concatenation,
        window: &'a SharedMatrix,
        outputs: &'a SharedMatrix,
    }

    impl Task for Learn<'_> {
        type Output = f32;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> f32 {
            let Self { fold, window, outputs } = self;
            let window: Vec<_> = (0..window.rows() as u32).map(|row| window.row(row)).collect();
            let mut scratch = Scratch::new(outputs.stride());
            let outputs: Vec<_> = (0..)
                .zip(SIGNS)
                .map(|(row, sign)| Output { row: outputs.row(row), sign, weight: 1.0 })
                .collect();
            let step = Step { rate: RATE, reach: f32::INFINITY };
            fold.learn::<S, NegativeSampling<'_>>(simd, &window, &outputs, step, &[], &mut scratch)
        }
    }

    fn at_random(rows: usize, columns: usize, seed: u64) -> SharedMatrix {
        let (matrix, mut random) =
            (SharedMatrix::zeros(rows, columns).unwrap(), Random::new(seed, 0));
        for row in 0..rows as u32 {
            let values: Vec<f32> = (0..columns).map(|_| random.unit() * 2.0 - 1.0).collect();
            matrix.write(row, &values);
        }
        matrix
    }

    fn values(matrix: &SharedMatrix) -> Vec<f64> {
        let mut row = vec![0.0; matrix.columns()];
        (0..matrix.rows() as u32)
            .flat_map(|number| {
                matrix.read(number, &mut row);
                row.iter().map(|&value| f64::from(value)).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The loss of rows end to end, in f64.
    fn loss(window: &[f64], outputs: &[f64]) -> f64 {
        let score = |row: &[f64]| -> f64 { row.iter().zip(window).map(|(y, x)| x * y).sum() };
        let outputs = outputs.chunks(window.len()).zip(SIGNS);
        outputs.map(|(row, sign)| (-f64::from(sign) * score(row)).exp().ln_1p()).sum()
    }

    /// d loss / d values[at]
    fn slope(values: &[f64], at: usize, loss: impl Fn(&[f64]) -> f64) -> f64 {
        let moved = |by: f64| {
            let mut values = values.to_vec();
            values[at] += by;
            loss(&values)
        };
        (moved(1e-5) - moved(-1e-5)) / 2e-5
    }

    #[test]
    fn concatenation_steps_by_the_finite_difference_of_its_loss() {
        for set in Kernels::available() {
            for places in [1, 2, 5] {
                let window = at_random(places, DIMENSIONS, 1);
                let outputs = at_random(SIGNS.len(), places * DIMENSIONS, 2);
                let (x, y) = (values(&window), values(&outputs));
                let fold = &Concatenation { dimensions: DIMENSIONS };
                let (window, outputs) = (&window, &outputs);
                let got = set.run(Learn { fold, window, outputs });
                assert!((f64::from(got) - loss(&x, &y)).abs() < 1e-5, "{}", set.name());
                for (at, new) in values(window).into_iter().enumerate() {
                    let wanted = slope(&x, at, |x| loss(x, &y));
                    let got = (x[at] - new) / f64::from(RATE);
                    assert!((got - wanted).abs() < 2e-3, "{} x {at}: {got} {wanted}", set.name());
                }
                for (at, new) in values(outputs).into_iter().enumerate() {
                    let wanted = slope(&y, at, |y| loss(&x, y));
                    let got = (y[at] - new) / f64::from(RATE);
                    assert!((got - wanted).abs() < 2e-3, "{} y {at}: {got} {wanted}", set.name());
                }
            }
        }
    }
}
