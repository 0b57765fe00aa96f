//! The angles by which queries and keys turn (see `inlay_kernels::rotate`).

/// Places up to here have turns that are made once.
const KEPT: usize = 4096;

/// Turns of places, made once and kept from batch to batch: pair i of the n of an axis turns at place p by p·base^(-i/n).
pub(super) fn turns(kept: &mut Vec<f32>, base: f32, pairs: &[usize], places: usize) {
    let speeds = speeds(base, pairs);
    for place in kept.len() / (2 * speeds.len()).max(1)..places {
        // In single precision, as those that trained with it have it.
        kept.extend(speeds.iter().map(|speed| (place as f32 * speed).cos()));
        kept.extend(speeds.iter().map(|speed| (place as f32 * speed).sin()));
    }
}

/// Turns of rows whose places [rows, axes] are known, each axis with pairs of its own: those of pictures in Wang et al. 2024,
/// arXiv:2409.12191. `kept` is as in `turns`.
pub(super) fn turns_of_places(
    found: &mut Vec<f32>,
    kept: &mut Vec<f32>,
    base: f32,
    pairs: &[usize],
    places: &[u32],
) {
    let half = pairs.iter().sum::<usize>();
    let furthest = places.iter().max().map_or(0, |&place| (place as usize + 1).min(KEPT));
    turns(kept, base, pairs, furthest);
    let speeds = speeds(base, pairs);
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
