//! The angles by which queries and keys turn (see `inlay_kernels::rotate`).

/// Turns of places, made once and kept from batch to batch: value i of n/2 of place p turns by p·base^(-2i/n).
pub(super) fn turns(kept: &mut Vec<f32>, base: f32, width: usize, rows: usize) {
    let half = width / 2;
    for place in kept.len() / width.max(1)..rows {
        let angle = |i: usize| {
            let share = (2 * i) as f32 / width as f32;
            // In single precision, as those that trained with it have it.
            place as f32 * (1.0 / base.powf(share))
        };
        kept.extend((0..half).map(|i| angle(i).cos()));
        kept.extend((0..half).map(|i| angle(i).sin()));
    }
}
