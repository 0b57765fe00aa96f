//! Brightness and two differences of colour to red, green and blue, and back (ITU-R BT.601). A difference that stands for several
//! pixels holds for each of them; values of more than 8 bits are cut to 8.

use inlay_kernels::{Kernels, Simd, Task};

/// How many pixels a difference of colour stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampled {
    /// In a row.
    pub across: u32,
    /// In a column.
    pub down: u32,
}

impl Sampled {
    /// Values of a plane of differences.
    pub fn plane(&self, width: u32, height: u32) -> usize {
        width.div_ceil(self.across) as usize * height.div_ceil(self.down) as usize
    }
}

/// Which of 256 values are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// 16 is black and 235 white.
    Limited,
    /// 0 is black and 255 white.
    Full,
}

/// A frame: brightness row after row, then, but for grey ones, the blue and the red differences.
pub struct Planes<'a> {
    /// Of one byte a value, or of two, the lower one first, for more than 8 bits.
    pub bytes: &'a [u8],
    pub width: u32,
    pub height: u32,
    /// `None`: grey.
    pub sampled: Option<Sampled>,
    /// Of a value, 8 to 16.
    pub bits: u32,
    pub range: Range,
}

/// Bits behind the point of the weights.
const BITS: i32 = 16;
const HALF: i32 = 1 << (BITS - 1);

/// What values count, times 2^16.
struct Weights {
    black: i32,
    light: i32,
    red: i32,
    green: (i32, i32),
    blue: i32,
}

const LIMITED: Weights =
    Weights { black: 16, light: 76_309, red: 104_597, green: (-25_675, -53_279), blue: 132_201 };
const FULL: Weights =
    Weights { black: 0, light: 65_536, red: 91_881, green: (-22_554, -46_802), blue: 116_130 };

/// Red, green and blue of each pixel, row after row.
///
/// # Panics
/// If the bytes are fewer than the frame has.
pub fn to_rgb(planes: &Planes<'_>) -> Vec<u8> {
    let (width, height) = (planes.width as usize, planes.height as usize);
    let weights = if planes.range == Range::Full { &FULL } else { &LIMITED };
    let kernels = Kernels::get();
    let mut rgb = vec![0; 3 * width * height];
    let (mut light, mut blue, mut red) = (vec![0u8; width], vec![128u8; width], vec![128u8; width]);
    for (y, row) in rgb.chunks_exact_mut(3 * width).enumerate() {
        let narrow = |at: usize, count: usize, to: &mut [u8], each: usize| {
            spread(planes, at, count, each, to);
        };
        narrow(y * width, width, &mut light, 1);
        if let Some(sampled) = planes.sampled {
            let wide = planes.width.div_ceil(sampled.across) as usize;
            let plane = sampled.plane(planes.width, planes.height);
            let at = width * height + (y / sampled.down as usize) * wide;
            if y.is_multiple_of(sampled.down as usize) {
                narrow(at, wide, &mut blue, sampled.across as usize);
                narrow(at + plane, wide, &mut red, sampled.across as usize);
            }
        }
        kernels.run(Row { weights, light: &light, blue: &blue, red: &red, to: row });
    }
    rgb
}

/// Brightness, the blue and the red differences of each pixel, one plane after the other, all of 256 values in use. Pixels
/// have one value (grey) or three or more (red, green, blue, and what is left out).
///
/// # Panics
/// If a pixel has no value.
pub fn from_rgb(pixels: &[u8], channels: usize) -> Vec<u8> {
    let count = pixels.len() / channels;
    let mut planes = vec![128; 3 * count];
    let (light, differences) = planes.split_at_mut(count);
    if channels < 3 {
        light.iter_mut().zip(pixels.chunks_exact(channels)).for_each(|(to, from)| *to = from[0]);
        return planes;
    }
    let (blue, red) = differences.split_at_mut(count);
    Kernels::get().run(Planar { pixels, channels, light, blue, red });
    planes
}

/// As `Row`, the other way.
struct Planar<'a> {
    pixels: &'a [u8],
    channels: usize,
    light: &'a mut [u8],
    blue: &'a mut [u8],
    red: &'a mut [u8],
}

impl Task for Planar<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        // What red, green and blue count, times 2^16.
        const LIGHT: [i32; 3] = [19_595, 38_470, 7_471];
        const BLUE: [i32; 3] = [-11_058, -21_710, 32_768];
        const RED: [i32; 3] = [32_768, -27_439, -5_329];
        let Self { pixels, channels, light, blue, red } = self;
        let to = light.iter_mut().zip(blue).zip(red);
        for (from, ((light, blue), red)) in pixels.chunks_exact(channels).zip(to) {
            let sum = |[r, g, b]: [i32; 3]| {
                r * i32::from(from[0]) + g * i32::from(from[1]) + b * i32::from(from[2])
            };
            *light = byte(sum(LIGHT) + HALF);
            *blue = byte(sum(BLUE) + HALF + (128 << BITS));
            *red = byte(sum(RED) + HALF + (128 << BITS));
        }
    }
}

/// Some values from a place on, in 8 bits, each so many times.
fn spread(planes: &Planes<'_>, at: usize, count: usize, each: usize, to: &mut [u8]) {
    let values = |value: &mut dyn FnMut(usize, u8)| {
        if planes.bits == 8 {
            let values = &planes.bytes[at..at + count];
            values.iter().enumerate().for_each(|(x, &byte)| value(x, byte));
        } else {
            let pairs = planes.bytes[2 * at..2 * (at + count)].as_chunks::<2>().0;
            for (x, &pair) in pairs.iter().enumerate() {
                let most = (1u32 << planes.bits) - 1;
                let full = u32::from(u16::from_le_bytes(pair)).min(most);
                value(x, (full >> (planes.bits - 8)) as u8);
            }
        }
    };
    match (planes.bits, each) {
        (8, 1) => to.copy_from_slice(&planes.bytes[at..at + count]),
        (8, 2) => {
            let from = &planes.bytes[at..at + count];
            let (pairs, last) = to.as_chunks_mut::<2>();
            pairs.iter_mut().zip(from).for_each(|(pair, &value)| *pair = [value; 2]);
            last.fill(from[count - 1]);
        }
        _ => values(&mut |x, value| {
            let end = ((x + 1) * each).min(to.len());
            to[x * each..end].fill(value);
        }),
    }
}

/// A row of pixels, as the instruction set at hand does it: the loop is plain, and compiled for each of them.
struct Row<'a> {
    weights: &'a Weights,
    light: &'a [u8],
    blue: &'a [u8],
    red: &'a [u8],
    to: &'a mut [u8],
}

impl Task for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { weights, light, blue, red, to } = self;
        let pixels = to.as_chunks_mut::<3>().0.iter_mut();
        for (((to, &light), &blue), &red) in pixels.zip(light).zip(blue).zip(red) {
            let light = weights.light * (i32::from(light) - weights.black) + HALF;
            let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
            *to = [
                byte(light + weights.red * red),
                byte(light + weights.green.0 * blue + weights.green.1 * red),
                byte(light + weights.blue * blue),
            ];
        }
    }
}

#[inline(always)]
fn byte(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgb(
        bytes: &[u8],
        size: (u32, u32),
        sampled: Option<Sampled>,
        bits: u32,
        range: Range,
    ) -> Vec<u8> {
        to_rgb(&Planes { bytes, width: size.0, height: size.1, sampled, bits, range })
    }

    #[test]
    fn black_white_and_the_three_colours_are_those_of_bt_601() {
        let all = Some(Sampled { across: 1, down: 1 });
        // Black, white, and red, green and blue as the standard has them, rounded.
        let planes = [[16, 235, 81, 145, 41], [128, 128, 90, 54, 240], [128, 128, 240, 34, 110]];
        let found = rgb(&planes.concat(), (5, 1), all, 8, Range::Limited);
        let wanted = [[0; 3], [255; 3], [255, 0, 0], [0, 255, 0], [0, 0, 255]].concat();
        let far = found.iter().zip(&wanted).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(far <= Some(2), "{found:?}");
        let full = rgb(&[0, 255, 76, 128, 128, 85, 128, 128, 255], (3, 1), all, 8, Range::Full);
        assert_eq!(full[..6], [0, 0, 0, 255, 255, 255]);
        assert!(full[6] >= 253 && full[7] <= 1 && full[8] <= 1, "{full:?}");
    }

    #[test]
    fn pixels_come_back_from_their_planes() {
        let all = Some(Sampled { across: 1, down: 1 });
        let pixels: Vec<u8> =
            (0..3 * 5000).map(|i: u32| (i.wrapping_mul(40_503) >> 9) as u8).collect();
        let planes = from_rgb(&pixels, 3);
        let found = rgb(&planes, (50, 100), all, 8, Range::Full);
        let far = found.iter().zip(&pixels).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(far <= Some(2), "{far:?}");
        // Without what is behind the three colours; grey has none.
        let four: Vec<u8> =
            pixels.chunks(3).flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 77]).collect();
        assert_eq!(from_rgb(&four, 4), planes);
        assert_eq!(from_rgb(&[0, 90, 255], 1), [0, 90, 255, 128, 128, 128, 128, 128, 128]);
    }

    #[test]
    fn a_difference_of_colour_holds_for_all_its_pixels() {
        let two = Some(Sampled { across: 2, down: 2 });
        // 3 x 3 pixels: 2 x 2 differences.
        let bytes: Vec<u8> = [vec![120; 9], vec![90, 200, 60, 128], vec![128; 4]].concat();
        let found = rgb(&bytes, (3, 3), two, 8, Range::Limited);
        let blue = |x: usize, y: usize| found[3 * (3 * y + x) + 2];
        assert_eq!(blue(0, 0), blue(1, 1));
        assert_eq!(blue(2, 0), blue(2, 1));
        assert_eq!(blue(0, 2), blue(1, 2));
        assert!(blue(0, 0) < blue(2, 2) && blue(2, 2) < blue(2, 0) && blue(0, 2) < blue(0, 0));
    }

    #[test]
    fn values_of_more_bits_are_cut_to_8() {
        let eight = [50, 100, 150, 200, 90, 60];
        let ten: Vec<u8> =
            eight.iter().flat_map(|&value| (u16::from(value) << 2 | 3).to_le_bytes()).collect();
        let two = Some(Sampled { across: 2, down: 2 });
        let narrow = rgb(&eight, (2, 2), two, 8, Range::Limited);
        assert_eq!(rgb(&ten, (2, 2), two, 10, Range::Limited), narrow);
        assert_eq!(rgb(&eight[..4], (2, 2), None, 8, Range::Full)[..3], [50; 3]);
    }
}
