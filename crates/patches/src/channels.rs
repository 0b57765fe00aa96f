//! Pixels of other channels.

/// Pixels of `from` channels as such of `to`: grey is all three colours, and they are its luma (ITU-R BT.601, as Pillow rounds
/// it); what had no transparency is opaque.
///
/// # Panics
/// If there is less room than pixels.
pub fn convert(bytes: &[u8], from: usize, to: usize, data: &mut [u8]) {
    if from == to {
        data.copy_from_slice(bytes);
        return;
    }
    for (pixel, data) in bytes.chunks_exact(from).zip(data.chunks_exact_mut(to)) {
        let colours = match *pixel {
            [red, green, blue, ..] => [red, green, blue, u8::MAX],
            _ => [pixel[0], pixel[0], pixel[0], u8::MAX],
        };
        match data {
            [grey] => *grey = luma(pixel),
            _ => data.copy_from_slice(&colours[..to]),
        }
    }
}

fn luma(pixel: &[u8]) -> u8 {
    let [red, green, blue, ..] = *pixel else { return pixel[0] };
    let weighted = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471;
    ((weighted + 0x8000) >> 16) as u8
}

/// The sum of squared differences between pixels of `channels` values and those of `other` ones, brought to as many.
pub fn squared_difference(pixels: &[u8], channels: usize, others: &[u8], other: usize) -> u64 {
    // Pixels that are compared at once; the sum of their squares fits 32 bits.
    const TOGETHER: usize = 1 << 12;
    let mut room = vec![0; TOGETHER * channels];
    let blocks = pixels.chunks(TOGETHER * channels).zip(others.chunks(TOGETHER * other));
    let differences = blocks.map(|(pixels, others)| {
        let room = &mut room[..pixels.len()];
        convert(others, other, channels, room);
        let squares = pixels.iter().zip(room).map(|(&a, &mut b)| u32::from(a.abs_diff(b)).pow(2));
        u64::from(squares.sum::<u32>())
    });
    differences.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_told_from_grey_and_grey_from_colours() {
        let converted = |pixels: &[u8], from, to| {
            let mut room = vec![0; pixels.len() / from * to];
            convert(pixels, from, to, &mut room);
            room
        };
        assert_eq!(converted(&[7, 9], 1, 3), [7, 7, 7, 9, 9, 9]);
        assert_eq!(converted(&[7], 1, 4), [7, 7, 7, 255]);
        assert_eq!(converted(&[1, 2, 3, 4], 4, 3), [1, 2, 3]);
        assert_eq!(converted(&[1, 2, 3], 3, 4), [1, 2, 3, 255]);
        // Pillow's convert('L').
        assert_eq!(
            converted(&[255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 200, 30], 3, 1),
            [76, 150, 29, 124]
        );
    }

    #[test]
    fn differences_are_summed_over_all_pixels_whatever_their_channels() {
        let grey: Vec<u8> = (0..9000).map(|i| (i * 31 % 256) as u8).collect();
        let colours: Vec<u8> = (0..27_000).map(|i| (i * 17 % 253) as u8).collect();
        let square = |at: usize| u64::from(colours[at].abs_diff(grey[at / 3])).pow(2);
        let wanted: u64 = (0..27_000).map(square).sum();
        assert_eq!(squared_difference(&colours, 3, &grey, 1), wanted);
        assert_eq!(squared_difference(&[0; 30_000], 3, &[255; 40_000], 4), 30_000 * 65_025);
    }
}
