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
