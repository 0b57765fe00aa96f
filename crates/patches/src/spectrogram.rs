//! Sounds as what is in them at each moment: short stretches under a window, their Fourier transform, bands of it, and
//! logarithms of these.

use std::f64::consts::TAU;
use std::sync::{Arc, Mutex, PoisonError};

use inlay_base::{Error, Result, Run, Workers, lock};
use inlay_kernels::{Kernels, logarithms};
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::Memory;
use crate::mel::{Band, Mel, bands};

/// Frames of a task.
const TOGETHER: usize = 64;
/// What Whisper takes: logarithms to the base of 10 of at least 1e-10, of which nothing is more than 8 below the highest.
const WHISPER: (f32, f32) = (1e-10, 8.0);

/// What is heard around the first and the last sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// Nothing.
    Zero,
    /// The sound backwards, its last sample once.
    Reflect,
}

/// What becomes of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Logarithm {
    /// They stay.
    None,
    /// ln(max(value, floor))
    Natural {
        /// At least so much.
        floor: f32,
    },
    /// 10 · log10 of a power, 20 · log10 of a magnitude, of at least the floor.
    Decibels {
        /// At least so much.
        floor: f32,
        /// Nothing is further below the highest value of the sound.
        range: Option<f32>,
    },
    /// (max(log10(max(value, 1e-10)), highest - 8) + 4) / 4, and the last frame is left out (Radford et al. 2022,
    /// arXiv:2212.04356).
    Whisper,
}

/// How a sound becomes a spectrogram.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrogram {
    /// Samples of a second.
    pub rate: f64,
    /// Samples of a transform; at least 1.
    pub transform: usize,
    /// Samples of the window in its middle, a periodic Hann window; at most `transform`.
    pub window: usize,
    /// Samples from one frame to the next; at least 1.
    pub hop: usize,
    /// Whether frame i has sample i · hop in its middle; else at its beginning, and only frames that lie within the
    /// sound are made.
    pub centred: Option<Padding>,
    /// Whether values are magnitudes; else powers, their squares.
    pub magnitude: bool,
    /// Bands; without, the bins of the transform.
    pub mel: Option<Mel>,
    /// What becomes of the values.
    pub logarithm: Logarithm,
}

impl Spectrogram {
    /// Values of a frame.
    pub fn width(&self) -> usize {
        self.mel.map_or(self.transform / 2 + 1, |mel| mel.bands)
    }

    /// Frames of so many samples.
    pub fn frames(&self, samples: usize) -> usize {
        let frames = match self.centred {
            Some(_) => {
                let padded = samples + self.transform / 2 * 2;
                padded.checked_sub(self.transform).map_or(0, |over| over / self.hop + 1)
            }
            None => samples.checked_sub(self.transform).map_or(0, |over| over / self.hop + 1),
        };
        frames.saturating_sub(usize::from(self.logarithm == Logarithm::Whisper))
    }
}

/// The spectrogram of samples of one channel, [frames, width], on all threads of the run.
///
/// # Errors
/// `InvalidInput` for fewer samples than a frame has; `OutOfMemory`, `Aborted`
pub fn spectrogram(
    name: &str,
    samples: &[f32],
    settings: &Spectrogram,
    run: &Run,
) -> Result<Memory> {
    let (frames, width) = (settings.frames(samples.len()), settings.width());
    if samples.is_empty() || frames == 0 {
        let problem = format!(
            "has {} samples, fewer than a frame wants of {}",
            samples.len(),
            settings.transform
        );
        return Err(Error::InvalidInput { source: name.into(), offset: None, problem });
    }
    let mut values = Memory::new(frames, width)?;
    let work = Work::new(settings, samples);
    let parts: Vec<_> =
        values.as_mut_slice().chunks_mut(TOGETHER * width).map(Mutex::new).collect();
    run.phase("transform", "frames", 0, Some(frames as u64));
    let highest = Mutex::new(f32::NEG_INFINITY);
    run.each(parts.len(), &|part| {
        let mut values = lock(&parts[part]);
        work.fill(part * TOGETHER, &mut values, run)?;
        let own = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut highest = lock(&highest);
        *highest = highest.max(own);
        run.advance((values.len() / width) as u64);
        Ok(())
    })?;
    let highest = highest.into_inner().unwrap_or_else(PoisonError::into_inner);
    run.each(parts.len(), &|part| {
        let mut values = lock(&parts[part]);
        hold(settings.logarithm, highest, &mut values);
        Ok(())
    })?;
    drop(parts);
    Ok(values)
}

/// Holds logarithms near the highest.
fn hold(logarithm: Logarithm, highest: f32, values: &mut [f32]) {
    match logarithm {
        Logarithm::Decibels { range: Some(range), .. } => {
            values.iter_mut().for_each(|value| *value = value.max(highest - range));
        }
        Logarithm::Whisper => {
            let least = highest - WHISPER.1;
            values.iter_mut().for_each(|value| *value = (value.max(least) + 4.0) / 4.0);
        }
        _ => {}
    }
}

/// What all frames need.
struct Work<'a> {
    settings: &'a Spectrogram,
    samples: &'a [f32],
    /// In f64: what is loud in one band would be noise in a silent one.
    transform: Arc<dyn RealToComplex<f64>>,
    window: Vec<f64>,
    bands: Option<Vec<Band>>,
    kernels: Kernels,
}

impl<'a> Work<'a> {
    fn new(settings: &'a Spectrogram, samples: &'a [f32]) -> Self {
        let size = settings.window;
        let hann = |at| 0.5 - 0.5 * (TAU * at as f64 / size as f64).cos();
        Self {
            settings,
            samples,
            transform: RealFftPlanner::new().plan_fft_forward(settings.transform),
            window: (0..size).map(hann).collect(),
            bands: settings.mel.map(|mel| bands(&mel, settings.rate, settings.transform)),
            kernels: Kernels::get(),
        }
    }

    /// Some frames, from one on.
    fn fill(&self, first: usize, values: &mut [f32], run: &Run) -> Result<()> {
        let mut input = self.transform.make_input_vec();
        let mut output = self.transform.make_output_vec();
        let mut scratch = self.transform.make_scratch_vec();
        let mut bins = vec![0.0; output.len()];
        for (number, frame) in values.chunks_exact_mut(self.settings.width()).enumerate() {
            run.check()?;
            self.listen(first + number, &mut input);
            let transformed =
                self.transform.process_with_scratch(&mut input, &mut output, &mut scratch);
            transformed.map_err(|error| Error::Internal(error.to_string()))?;
            let magnitude = self.settings.magnitude;
            let Some(bands) = &self.bands else {
                measure(&output, magnitude, frame);
                continue;
            };
            measure(&output, magnitude, &mut bins);
            for (value, band) in frame.iter_mut().zip(bands) {
                *value = band.of(&bins);
            }
        }
        let tens = std::f32::consts::LN_10.recip();
        match self.settings.logarithm {
            Logarithm::None => {}
            Logarithm::Natural { floor } => logarithms(self.kernels, floor, 1.0, values),
            Logarithm::Decibels { floor, .. } => {
                let factor = if self.settings.magnitude { 20.0 } else { 10.0 };
                logarithms(self.kernels, floor, factor * tens, values);
            }
            Logarithm::Whisper => logarithms(self.kernels, WHISPER.0, tens, values),
        }
        Ok(())
    }

    /// What a frame hears, under the window.
    fn listen(&self, frame: usize, input: &mut [f64]) {
        let (size, window) = (input.len(), self.window.len());
        let before = (size - window) / 2;
        let outside = if self.settings.centred.is_some() { size / 2 } else { 0 };
        input.fill(0.0);
        let input = &mut input[before..before + window];
        let start = (frame * self.settings.hop + before) as i64 - outside as i64;
        let inside =
            usize::try_from(start).ok().and_then(|start| self.samples.get(start..start + window));
        if let Some(samples) = inside {
            for ((to, sample), weight) in input.iter_mut().zip(samples).zip(&self.window) {
                *to = f64::from(*sample) * weight;
            }
            return;
        }
        for ((to, weight), at) in input.iter_mut().zip(&self.window).zip(start..) {
            *to = f64::from(self.sample(at)) * weight;
        }
    }

    /// A sample, also before the first and behind the last one.
    fn sample(&self, at: i64) -> f32 {
        let length = self.samples.len() as i64;
        if (0..length).contains(&at) {
            return self.samples[at as usize];
        }
        if self.settings.centred != Some(Padding::Reflect) {
            return 0.0;
        }
        // There and back again, without either end twice.
        let around = at.rem_euclid((2 * (length - 1)).max(1));
        self.samples[around.min(2 * (length - 1) - around).max(0) as usize]
    }
}

fn measure(output: &[Complex<f64>], magnitude: bool, bins: &mut [f32]) {
    for (bin, number) in bins.iter_mut().zip(output) {
        *bin = number.norm_sqr() as f32;
    }
    if magnitude {
        bins.iter_mut().for_each(|bin| *bin = bin.sqrt());
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;

    use super::*;
    use crate::MelScale;

    fn plain(transform: usize, window: usize, hop: usize, centred: Option<Padding>) -> Spectrogram {
        let logarithm = Logarithm::None;
        Spectrogram {
            rate: 16_000.0,
            transform,
            window,
            hop,
            centred,
            magnitude: false,
            mel: None,
            logarithm,
        }
    }

    fn noise(length: usize) -> Vec<f32> {
        let mut random = Random::new(3, 0);
        (0..length).map(|_| random.unit() - 0.5).collect()
    }

    /// The padded sound, and the sum of the definition in f64.
    fn by_definition(samples: &[f32], settings: &Spectrogram) -> Vec<f64> {
        let outside = settings.centred.map_or(0, |_| settings.transform / 2);
        let length = samples.len() as i64;
        let padded: Vec<f64> = (-(outside as i64)..length + outside as i64)
            .map(|mut at| {
                if settings.centred == Some(Padding::Zero) && !(0..length).contains(&at) {
                    return 0.0;
                }
                while !(0..length).contains(&at) {
                    at = if at < 0 { -at } else { 2 * (length - 1) - at };
                }
                f64::from(samples[at as usize])
            })
            .collect();
        let mut powers = Vec::new();
        let before = (settings.transform - settings.window) / 2;
        for frame in padded.windows(settings.transform).step_by(settings.hop) {
            for bin in 0..=settings.transform / 2 {
                let (mut real, mut imaginary) = (0.0, 0.0);
                for (at, sample) in frame[before..before + settings.window].iter().enumerate() {
                    let hann = 0.5 - 0.5 * (TAU * at as f64 / settings.window as f64).cos();
                    let angle = TAU * bin as f64 * (before + at) as f64 / settings.transform as f64;
                    real += hann * sample * angle.cos();
                    imaginary -= hann * sample * angle.sin();
                }
                powers.push(real * real + imaginary * imaginary);
            }
        }
        powers
    }

    #[test]
    fn values_are_those_of_the_definition_for_any_length_and_padding() {
        for (transform, window, hop) in
            [(16, 16, 4), (20, 13, 7), (15, 15, 5), (1, 1, 1), (8, 3, 11)]
        {
            for length in [1, 2, 7, 19, 64, 1000] {
                for centred in [None, Some(Padding::Zero), Some(Padding::Reflect)] {
                    let settings = plain(transform, window, hop, centred);
                    let samples = noise(length);
                    let made = spectrogram("it", &samples, &settings, &Run::quiet(2, 1));
                    if length == 1 && centred == Some(Padding::Reflect) {
                        assert!(made.is_ok());
                        continue;
                    }
                    let wanted = by_definition(&samples, &settings);
                    if wanted.is_empty() {
                        assert_eq!(made.err().unwrap().code(), "INVALID_INPUT");
                        continue;
                    }
                    let made = made.unwrap();
                    assert_eq!(made.as_slice().len(), wanted.len(), "{settings:?} {length}");
                    for (value, wanted) in made.as_slice().iter().zip(&wanted) {
                        let bound = 2e-6 * (1.0 + wanted);
                        assert!(
                            (f64::from(*value) - wanted).abs() < bound,
                            "{settings:?} {length}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let mel =
            Mel { bands: 30, scale: MelScale::Slaney, even: true, lowest: 0.0, highest: 8000.0 };
        for logarithm in
            [Logarithm::Whisper, Logarithm::Decibels { floor: 1e-10, range: Some(30.0) }]
        {
            let settings = Spectrogram {
                mel: Some(mel),
                logarithm,
                ..plain(400, 400, 160, Some(Padding::Reflect))
            };
            let samples = noise(60_000);
            let made = |threads| {
                spectrogram("it", &samples, &settings, &Run::quiet(threads, 1))
                    .unwrap()
                    .as_slice()
                    .to_vec()
            };
            assert_eq!(made(1), made(5));
        }
    }

    #[test]
    fn logarithms_have_their_floor_and_their_range() {
        let settings = plain(64, 64, 32, None);
        let mut samples = noise(128);
        samples[..64].fill(0.0);
        let made = |logarithm| {
            let settings = Spectrogram { logarithm, ..settings.clone() };
            spectrogram("it", &samples, &settings, &Run::quiet(1, 1)).unwrap().as_slice().to_vec()
        };
        let natural = made(Logarithm::Natural { floor: 1e-6 });
        assert!((natural[0] - 1e-6f32.ln()).abs() < 1e-4);
        let decibels = made(Logarithm::Decibels { floor: 1e-10, range: Some(20.0) });
        let highest = decibels.iter().copied().fold(f32::MIN, f32::max);
        assert_eq!(decibels[0], highest - 20.0);
        let whisper = made(Logarithm::Whisper);
        assert_eq!(whisper.len(), 2 * 33);
        let highest = whisper.iter().copied().fold(f32::MIN, f32::max);
        assert!((whisper[0] - (highest - 2.0)).abs() < 1e-6);
    }
}
