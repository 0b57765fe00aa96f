use serde::{Deserialize, Serialize};

/// How the learning rate changes from the first word to the last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The curve.
    pub curve: Curve,
    /// At the first word.
    pub first: f64,
    /// At the last word; a constant rate does not have it.
    pub last: f64,
}

/// The shape of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Curve {
    /// In equal steps, as word2vec.c.
    Linear,
    /// Half a cosine: slow at both ends (Loshchilov, Hutter 2017, arXiv:1608.03983).
    Cosine,
    /// The first rate throughout.
    Constant,
}

impl Schedule {
    /// The rate after this part of the work, from 0 to 1.
    pub fn rate(&self, progress: f64) -> f32 {
        let progress = progress.clamp(0.0, 1.0);
        let fallen = match self.curve {
            Curve::Linear => progress,
            Curve::Cosine => 0.5 - 0.5 * (std::f64::consts::PI * progress).cos(),
            Curve::Constant => 0.0,
        };
        (self.first + (self.last - self.first) * fallen) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_go_from_the_first_to_the_last() {
        for (curve, half) in [(Curve::Linear, 0.6), (Curve::Cosine, 0.6), (Curve::Constant, 1.0)] {
            let schedule = Schedule { curve, first: 1.0, last: 0.2 };
            assert_eq!(schedule.rate(-1.0), 1.0);
            assert!((schedule.rate(0.5) - half).abs() < 1e-6);
            let end = if curve == Curve::Constant { 1.0 } else { 0.2 };
            assert!((schedule.rate(2.0) - end).abs() < 1e-6);
        }
    }
}
