//! A long spectrogram as CLAP's fusion takes it (Wu et al. 2022, arXiv:2211.06687, section 3.3).

/// Four views of so many frames each, of a spectrogram [frames, bands] that has more: all of it, shrunk, and three parts from its
/// front, its middle and its back. Of each third of the places where a part may begin it is the middle one.
///
/// # Panics
/// If there are not more frames than that.
pub fn views(values: &[f32], bands: usize, frames: usize) -> Vec<f32> {
    let all = values.len() / bands;
    assert!(all > frames && frames > 0);
    let mut found = Vec::with_capacity(4 * frames * bands);
    shrink(values, bands, (all, frames), &mut found);
    let places = all - frames + 1;
    let mut begin = 0;
    for third in 0..3 {
        let count = places / 3 + usize::from(third < places % 3);
        let first = if count == 0 { 0 } else { begin + (count - 1) / 2 };
        begin += count;
        found.extend_from_slice(&values[first * bands..][..frames * bands]);
    }
    found
}

/// Each frame from the two that are nearest to its place, whose edges stay where they are: `F.interpolate` of PyTorch, in single
/// precision as there.
fn shrink(values: &[f32], bands: usize, (all, frames): (usize, usize), to: &mut Vec<f32>) {
    let scale = all as f32 / frames as f32;
    for frame in 0..frames {
        let place = (scale * (frame as f32 + 0.5) - 0.5).max(0.0);
        let before = (place as usize).min(all - 1);
        let share = (place - before as f32).clamp(0.0, 1.0);
        let row = |number: usize| &values[number.min(all - 1) * bands..][..bands];
        let pairs = row(before).iter().zip(row(before + 1));
        to.extend(pairs.map(|(a, b)| (1.0 - share) * a + share * b));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_spectrogram_is_shrunk_and_cut_three_times() {
        // Frame i is [i, -i].
        let of = |all: usize, frames: usize| {
            let values: Vec<f32> = (0..all).flat_map(|i| [i as f32, -(i as f32)]).collect();
            let found = views(&values, 2, frames);
            assert!(found.chunks(2).all(|frame| frame[0] == -frame[1]));
            found.into_iter().step_by(2).collect::<Vec<f32>>()
        };
        // Places 0 to 9: of 0 to 3 it is 1, of 4 to 6 it is 5, of 7 to 9 it is 8.
        assert_eq!(of(12, 3), [1.5, 5.5, 9.5, 1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
        // Places 0 and 1: the last third has none.
        assert_eq!(of(3, 2), [0.25, 1.75, 0.0, 1.0, 1.0, 2.0, 0.0, 1.0]);
    }
}
