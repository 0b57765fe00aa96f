//! How many channels become how many.

use inlay_base::{Error, Result};

/// What becomes of the channels of a file.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    from: usize,
    to: usize,
}

impl Mix {
    /// All to one, which is their mean; one to several, which are copies of it; or as they are.
    ///
    /// # Errors
    /// `InvalidOption` for anything else: which of several channels are to make which others cannot be known.
    pub fn new(from: usize, wanted: Option<u32>) -> Result<Self> {
        let to = wanted.map_or(from, |wanted| wanted as usize);
        if to == from || to == 1 || from == 1 {
            return Ok(Self { from, to });
        }
        let expected = format!("1 or {from}, of {from} channels");
        Err(Error::InvalidOption { option: "channels", expected, got: to.to_string() })
    }

    /// Channels that come out.
    pub fn channels(&self) -> usize {
        self.to
    }

    /// Channels of what is resampled: as few as can be.
    pub fn resampled(&self) -> usize {
        self.from.min(self.to)
    }

    /// Before: several become their mean.
    pub fn reduce(&self, samples: &mut Vec<f32>) {
        if self.from <= self.to {
            return;
        }
        let share = 1.0 / self.from as f32;
        let moments = samples.len() / self.from;
        for moment in 0..moments {
            let begin = moment * self.from;
            samples[moment] = samples[begin..begin + self.from].iter().sum::<f32>() * share;
        }
        samples.truncate(moments);
    }

    /// After: one becomes several.
    pub fn spread(&self, samples: &[f32], to: &mut Vec<f32>) {
        if self.from >= self.to {
            to.extend_from_slice(samples);
        } else {
            to.extend(samples.iter().flat_map(|&sample| std::iter::repeat_n(sample, self.to)));
        }
    }
}
