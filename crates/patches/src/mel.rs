//! Bands of the mel scale: triangles over the bins of a Fourier transform, each from the middle of the band before it to
//! the middle of the one behind it.

/// How the ear's scale is approximated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MelScale {
    /// Straight up to 1000 Hz, a logarithm from there (Slaney 1998, "Auditory Toolbox").
    Slaney,
    /// 2595 · log10(1 + f / 700) (Young et al., "The HTK Book").
    Htk,
}

/// Bands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mel {
    /// How many.
    pub bands: usize,
    /// On which scale their middles are as far from each other.
    pub scale: MelScale,
    /// Whether all bands have the same area (divided by half their width in Hz) or the same height of 1.
    pub even: bool,
    /// Where the first one begins, in Hz.
    pub lowest: f64,
    /// Where the last one ends, in Hz.
    pub highest: f64,
}

/// From there the scale of Slaney is a logarithm: Hz, mel, and what a mel makes of the logarithm.
const BEND: (f64, f64) = (1000.0, 15.0);

impl MelScale {
    fn mel(self, hertz: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 * (1.0 + hertz / 700.0).log10(),
            Self::Slaney if hertz < BEND.0 => hertz * 3.0 / 200.0,
            Self::Slaney => BEND.1 + (hertz / BEND.0).ln() / slaney_step(),
        }
    }

    fn hertz(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
            Self::Slaney if mel < BEND.1 => mel * 200.0 / 3.0,
            Self::Slaney => BEND.0 * ((mel - BEND.1) * slaney_step()).exp(),
        }
    }
}

fn slaney_step() -> f64 {
    6.4f64.ln() / 27.0
}

/// A band: what it takes of the bins from one on; of all others it takes nothing.
pub(crate) struct Band {
    start: usize,
    weights: Vec<f32>,
}

impl Band {
    /// Σ weight · bin
    pub(crate) fn of(&self, bins: &[f32]) -> f32 {
        self.weights.iter().zip(&bins[self.start..]).map(|(weight, bin)| weight * bin).sum()
    }
}

/// The bands over the bins of a transform of so many samples.
pub(crate) fn bands(mel: &Mel, rate: f64, transform: usize) -> Vec<Band> {
    let (first, last) = (mel.scale.mel(mel.lowest), mel.scale.mel(mel.highest));
    let step = (last - first) / (mel.bands + 1) as f64;
    let edge = |number: usize| mel.scale.hertz(first + number as f64 * step);
    let frequencies: Vec<f64> =
        (0..=transform / 2).map(|bin| bin as f64 * rate / transform as f64).collect();
    let band = |number: usize| {
        let [low, middle, high] = [edge(number), edge(number + 1), edge(number + 2)];
        let height = if mel.even { 2.0 / (high - low) } else { 1.0 };
        let weight = |&frequency: &f64| {
            let up = (frequency - low) / (middle - low);
            let down = (high - frequency) / (high - middle);
            (height * up.min(down).max(0.0)) as f32
        };
        let weights: Vec<f32> = frequencies.iter().map(weight).collect();
        let start = weights.iter().position(|&weight| weight > 0.0).unwrap_or(0);
        let end = weights.iter().rposition(|&weight| weight > 0.0).map_or(start, |end| end + 1);
        Band { start, weights: weights[start..end].to_vec() }
    };
    (0..mel.bands).map(band).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scales_have_the_values_of_their_definitions_and_a_way_back() {
        for scale in [MelScale::Slaney, MelScale::Htk] {
            for hertz in [0.0, 1.0, 440.0, 999.9, 1000.0, 4000.0, 96_000.0] {
                assert!((scale.hertz(scale.mel(hertz)) - hertz).abs() < 1e-8 * (1.0 + hertz));
            }
        }
        assert!((MelScale::Slaney.mel(6400.0) - 42.0).abs() < 1e-12);
        assert!((MelScale::Htk.mel(1000.0) - 999.985_537).abs() < 1e-5);
    }

    #[test]
    fn bands_of_one_height_add_up_to_one_between_the_first_and_the_last_middle() {
        let mel =
            Mel { bands: 20, scale: MelScale::Htk, even: false, lowest: 0.0, highest: 8000.0 };
        let found = bands(&mel, 16_000.0, 2048);
        for bin in 30..850 {
            let mut bins = vec![0.0; 1025];
            bins[bin] = 1.0;
            let sum: f32 = found.iter().map(|band| band.of(&bins)).sum();
            assert!((sum - 1.0).abs() < 1e-5, "{bin} {sum}");
        }
        let even = bands(&Mel { even: true, ..mel }, 16_000.0, 2048);
        for band in &even {
            let area = band.of(&[1.0; 1025]) * 16_000.0 / 2048.0;
            assert!((area - 1.0).abs() < 0.05, "{area}");
        }
    }

    #[test]
    fn a_band_between_two_bins_takes_nothing() {
        let mel =
            Mel { bands: 40, scale: MelScale::Slaney, even: true, lowest: 0.0, highest: 500.0 };
        let found = bands(&mel, 16_000.0, 64);
        assert!(found.iter().any(|band| band.of(&[1.0; 33]) == 0.0));
    }
}
