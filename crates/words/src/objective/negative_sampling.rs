use inlay_base::{Random, SharedRow};
use inlay_kernels::{Output, Simd, Step, exchange};

use super::Objective;
use crate::NoiseTable;
use crate::view::View;

/// Negative sampling: Mikolov et al. 2013, "Distributed Representations of Words and Phrases",
/// equation 4. For a hidden vector h, a target t and k noise words n drawn from
/// P(w) ∝ count(w)^exponent:
///
/// ```text
/// loss = -ln σ(u_t·h) - Σ ln σ(-u_n·h)
/// ```
///
/// u has one row for each word: [vocabulary, dimensions].
pub struct NegativeSampling<'a> {
    /// Where noise words come from.
    pub noise: &'a NoiseTable,
    /// k: noise words for each prediction.
    pub negative: usize,
}

impl Objective for NegativeSampling<'_> {
    #[inline(always)]
    fn outputs<'v>(
        &self,
        target: u32,
        rows: &'v View<'_>,
        random: &mut Random,
        outputs: &mut Vec<Output<'v>>,
    ) {
        outputs.clear();
        outputs.push(Output { row: rows.row(target), sign: 1.0, weight: 1.0 });
        for _ in 0..self.negative {
            let noise = self.noise.draw(random);
            // Skipped, not drawn again: a vocabulary of one word would draw for ever.
            if noise == target {
                continue;
            }
            let row = rows.row(noise);
            // A tile reads its rows before it writes them: a row twice would lose a step.
            match outputs.iter_mut().find(|output| output.row.as_ptr() == row.as_ptr()) {
                Some(output) => output.weight += 1.0,
                None => outputs.push(Output { row, sign: -1.0, weight: 1.0 }),
            }
        }
    }

    /// A draw of noise for each four words: 9 rows to be read rather than 24.
    const TOGETHER: usize = 4;

    /// All targets share their noise words, which count once for each.
    #[inline(always)]
    fn outputs_together<'v>(
        &self,
        targets: &[u32],
        rows: &'v View<'_>,
        random: &mut Random,
        outputs: &mut Vec<Output<'v>>,
    ) {
        outputs.clear();
        let mut add = |word: u32, sign: f32, weight: f32| {
            let row = rows.row(word);
            match outputs.iter_mut().find(|output| output.row.as_ptr() == row.as_ptr()) {
                Some(output) => output.weight += weight,
                None => outputs.push(Output { row, sign, weight }),
            }
        };
        targets.iter().for_each(|&target| add(target, 1.0, 1.0));
        for _ in 0..self.negative {
            let noise = self.noise.draw(random);
            if !targets.contains(&noise) {
                add(noise, -1.0, targets.len() as f32);
            }
        }
    }

    #[inline(always)]
    fn exchange<S: Simd>(
        simd: S,
        inputs: &[SharedRow<'_>],
        outputs: &[Output<'_>],
        rate: f32,
    ) -> f32 {
        exchange(simd, inputs, outputs, Step { rate, reach: Self::REACH })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use inlay_base::SharedMatrix;

    use super::*;

    #[test]
    fn noise_is_never_the_target_and_counts_as_often_as_it_is_drawn() {
        let output = SharedMatrix::zeros(3, 4).unwrap();
        let noise = NoiseTable::new(&[10, 10, 10], 0.75);
        let turn = Mutex::new(());
        let rows = View::new(&output, &turn, 1).unwrap();
        let objective = NegativeSampling { noise: &noise, negative: 30 };
        let mut random = Random::new(1, 0);
        let mut outputs = Vec::new();
        let mut weight = 0.0;
        for _ in 0..1000 {
            objective.outputs(1, &rows, &mut random, &mut outputs);
            assert!(outputs.len() <= 3);
            assert_eq!(outputs[0].row.as_ptr(), output.row(1).as_ptr());
            assert_eq!((outputs[0].sign, outputs[0].weight), (1.0, 1.0));
            for noise in &outputs[1..] {
                assert!(noise.sign == -1.0 && noise.row.as_ptr() != output.row(1).as_ptr());
                weight += noise.weight;
            }
        }
        assert!((weight / 1000.0 - 20.0).abs() < 1.0, "two thirds of 30 are not the target");
    }
}
