use inlay_base::{Error, Result, Run};

/// Samples between two looks at whether the run has been stopped.
const LOOK: usize = 1 << 18;

/// Samples from -1 to 1, those of each moment one after the other: [samples, channels].
pub struct Sound {
    /// For messages.
    pub name: String,
    /// All of them.
    pub samples: Vec<f32>,
    /// Values of a moment; at least 1.
    pub channels: usize,
}

impl Sound {
    /// Refuses samples that are no finite numbers, and a sound without any.
    ///
    /// # Errors
    /// `InvalidInput`, `Aborted`
    pub fn check(&self, run: &Run) -> Result<()> {
        let wrong =
            |problem| Err(Error::InvalidInput { source: self.name.clone(), offset: None, problem });
        if self.samples.is_empty() {
            return wrong("has no samples".into());
        }
        for (block, samples) in self.samples.chunks(LOOK).enumerate() {
            run.check()?;
            if let Some(at) = samples.iter().position(|sample| !sample.is_finite()) {
                let (number, sample) = (block * LOOK + at, samples[at]);
                return wrong(format!(
                    "has a sample that is not finite: number {number} is {sample}"
                ));
            }
        }
        Ok(())
    }

    /// The mean of all channels.
    ///
    /// # Errors
    /// `Aborted`
    pub fn mixed(self, run: &Run) -> Result<Vec<f32>> {
        if self.channels == 1 {
            return Ok(self.samples);
        }
        let mut mixed = Vec::with_capacity(self.samples.len() / self.channels);
        for block in self.samples.chunks(LOOK / self.channels * self.channels) {
            run.check()?;
            let moments = block.chunks_exact(self.channels);
            mixed.extend(moments.map(|moment| moment.iter().sum::<f32>() / self.channels as f32));
        }
        Ok(mixed)
    }
}

/// What becomes of a sound that is shorter than wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Short {
    /// Silence follows.
    Silence,
    /// It is heard as often as it fits as a whole, and silence follows.
    RepeatWhole,
    /// It is heard again and again.
    Repeat,
}

/// A sound of `length` samples: of a longer one, those in its middle. One without samples is silence.
pub fn fit(mut samples: Vec<f32>, length: usize, short: Short) -> Vec<f32> {
    let own = samples.len();
    if own >= length {
        samples.drain(..(own - length) / 2);
        samples.truncate(length);
        return samples;
    }
    let times = match short {
        _ if own == 0 => 0,
        Short::Silence => 1,
        Short::RepeatWhole => length / own,
        Short::Repeat => length.div_ceil(own),
    };
    let mut fitted = Vec::with_capacity(length);
    for _ in 0..times {
        let rest = length - fitted.len();
        fitted.extend_from_slice(&samples[..own.min(rest)]);
    }
    fitted.resize(length, 0.0);
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sounds_become_as_long_as_is_wanted() {
        let of = |own: usize, length, short| {
            fit((1..=own).map(|sample| sample as f32).collect(), length, short)
        };
        assert_eq!(of(3, 8, Short::Silence), [1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(of(3, 8, Short::RepeatWhole), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 0.0, 0.0]);
        assert_eq!(of(3, 8, Short::Repeat), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0, 2.0]);
        for short in [Short::Silence, Short::RepeatWhole, Short::Repeat] {
            assert_eq!(of(4, 4, short), [1.0, 2.0, 3.0, 4.0]);
            assert_eq!(of(9, 4, short), [3.0, 4.0, 5.0, 6.0]);
            assert_eq!(of(8, 4, short), [3.0, 4.0, 5.0, 6.0]);
            assert_eq!(of(0, 2, short), [0.0, 0.0]);
        }
    }
}
