//! The angles by which queries and keys turn (see `inlay_kernels::rotate`).

use serde::Deserialize;

/// Places up to here have turns that are made once.
const KEPT: usize = 4096;

/// How the pairs of a head turn.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Rotary {
    /// Pair i of n at place p by p·base^(-i/n).
    Base(f32),
    /// Each in a way of its own.
    Speeds(Speeds),
}

/// Of a model that was stretched to longer texts than it began with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Speeds {
    /// By how much each pair turns from one place to the next.
    speeds: Vec<f32>,
    /// What turns becomes so many times as long (Peng et al. 2023, arXiv:2309.00071, section 3.4).
    #[serde(default = "one")]
    scale: f32,
}

fn one() -> f32 {
    1.0
}

impl Rotary {
    /// What is wrong with it for heads of so many values.
    pub fn problem(&self, head: usize) -> Option<String> {
        let wrong = |expected: &str, got: String| Some(format!("expects {expected}, got {got}"));
        match self {
            _ if !head.is_multiple_of(2) => {
                wrong("heads of two halves where they turn", format!("heads of {head} values"))
            }
            Self::Base(base) if !(*base > 0.0 && base.is_finite()) => {
                wrong("a rotary base above 0", base.to_string())
            }
            Self::Speeds(Speeds { speeds, .. }) if speeds.len() != head / 2 => {
                let pairs = format!("a speed for each of {} pairs of a head", head / 2);
                wrong(&pairs, speeds.len().to_string())
            }
            Self::Speeds(Speeds { speeds, scale }) => {
                let finite = speeds.iter().all(|speed| speed.is_finite());
                let fits = finite && *scale > 0.0 && scale.is_finite();
                if fits {
                    None
                } else {
                    wrong(
                        "speeds that are numbers, and a scale above 0",
                        format!("{speeds:?} and {scale}"),
                    )
                }
            }
            Self::Base(_) => None,
        }
    }

    /// Turns of places by their numbers, made once and kept from batch to batch, for heads of so many values.
    pub fn turns(&self, kept: &mut Vec<f32>, head: usize, places: usize) {
        match self {
            Self::Base(base) => turns(kept, &speeds(*base, &[head / 2]), 1.0, places),
            Self::Speeds(Speeds { speeds, scale }) => turns(kept, speeds, *scale, places),
        }
    }
}

fn turns(kept: &mut Vec<f32>, speeds: &[f32], scale: f32, places: usize) {
    for place in kept.len() / (2 * speeds.len()).max(1)..places {
        // In single precision, as those that trained with it have it.
        kept.extend(speeds.iter().map(|speed| scale * (place as f32 * speed).cos()));
        kept.extend(speeds.iter().map(|speed| scale * (place as f32 * speed).sin()));
    }
}

/// Turns of rows whose places [rows, axes] are known, each axis with pairs of its own: those of pictures in Wang et al. 2024,
/// arXiv:2409.12191. `kept` is as in `Rotary::turns`.
pub(super) fn turns_of_places(
    found: &mut Vec<f32>,
    kept: &mut Vec<f32>,
    base: f32,
    pairs: &[usize],
    places: &[u32],
) {
    let half = pairs.iter().sum::<usize>();
    let furthest = places.iter().max().map_or(0, |&place| (place as usize + 1).min(KEPT));
    let speeds = speeds(base, pairs);
    turns(kept, &speeds, 1.0, furthest);
    found.resize(places.len() / pairs.len() * 2 * half, 0.0);
    for (turns, row) in found.chunks_exact_mut(2 * half).zip(places.chunks_exact(pairs.len())) {
        let (cosines, sines) = turns.split_at_mut(half);
        let mut begin = 0;
        for (&place, &count) in row.iter().zip(pairs) {
            let pairs = begin..begin + count;
            begin = pairs.end;
            if let Some(kept) = kept.chunks_exact(2 * half).nth(place as usize) {
                cosines[pairs.clone()].copy_from_slice(&kept[pairs.clone()]);
                sines[pairs.clone()].copy_from_slice(&kept[half..][pairs]);
                continue;
            }
            for pair in pairs {
                let angle = place as f32 * speeds[pair];
                (cosines[pair], sines[pair]) = (angle.cos(), angle.sin());
            }
        }
    }
}

/// By how much each pair turns from one place to the next.
fn speeds(base: f32, pairs: &[usize]) -> Vec<f32> {
    let of_axis =
        |&count: &usize| (0..count).map(move |pair| 1.0 / base.powf(pair as f32 / count as f32));
    pairs.iter().flat_map(of_axis).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_are_too_far_to_be_kept_turn_as_the_others_do() {
        let (mut found, mut kept) = (Vec::new(), Vec::new());
        let places = [3, 7, u32::MAX, 5000, 4095, 4096, 0, 0];
        turns_of_places(&mut found, &mut kept, 100.0, &[2, 3], &places);
        assert_eq!(kept.len(), KEPT * 10);
        for (turns, place) in found.chunks(10).zip(places.chunks(2)) {
            for pair in 0..5 {
                let (axis, share) = match pair {
                    0 | 1 => (0, pair as f32 / 2.0),
                    _ => (1, (pair - 2) as f32 / 3.0),
                };
                let angle = place[axis] as f32 * (1.0 / 100f32.powf(share));
                assert_eq!((turns[pair], turns[5 + pair]), (angle.cos(), angle.sin()));
            }
        }
    }
}
