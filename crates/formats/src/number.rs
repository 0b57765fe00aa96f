//! Decimal text to `f32`, as `str::parse` rounds it, about three times as fast for the numbers
//! that vector files hold.

/// The powers of ten that are exact in f64.
const EXACT: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The finite number that the whole of `text` spells, or `None`.
#[inline]
pub(crate) fn parse(text: &[u8]) -> Option<f32> {
    match first(text) {
        Some((value, length)) if length == text.len() => Some(value),
        _ => slow(text),
    }
}

/// The finite number at the beginning of `text`, which a space, a tab or the end follows, and its
/// length; `None` for what is no number.
#[inline]
pub(crate) fn field(text: &[u8]) -> Option<(f32, usize)> {
    let follows = |length: usize| matches!(text.get(length), None | Some(b' ' | b'\t'));
    match first(text) {
        Some((value, length)) if follows(length) => Some((value, length)),
        _ => slow_field(text),
    }
}

#[cold]
fn slow_field(text: &[u8]) -> Option<(f32, usize)> {
    let length = text.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(text.len());
    Some((slow(&text[..length])?, length))
}

#[cold]
fn slow(text: &[u8]) -> Option<f32> {
    // `inf`, `nan` and numbers beyond f32 parse too: the test refuses them.
    std::str::from_utf8(text).ok()?.parse().ok().filter(|value: &f32| value.is_finite())
}

/// The number at the beginning of `text` and its length, if its digits fit f64 exactly and its
/// power of ten is exact: one f64 operation rounds once. `None` where that is not enough, and for
/// what is no number.
#[inline(always)]
fn first(text: &[u8]) -> Option<(f32, usize)> {
    let mut at = usize::from(text.first() == Some(&b'-'));
    let negative = at == 1;
    let mut digits = 0u64;
    let start = at;
    at = read_digits(text, at, &mut digits);
    let mut count = at - start;
    let mut exponent = 0i32;
    if text.get(at) == Some(&b'.') {
        let decimals = at + 1;
        at = read_digits(text, decimals, &mut digits);
        exponent = -((at - decimals).min(1000) as i32);
        count += at - decimals;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        let falls = text.get(at) == Some(&b'-');
        at += usize::from(matches!(text.get(at), Some(b'-' | b'+')));
        let mut value = 0;
        let end = read_digits(text, at, &mut value);
        if !(1..=2).contains(&(end - at)) {
            return None;
        }
        exponent += if falls { -(value as i32) } else { value as i32 };
        at = end;
    }
    if count == 0 || count > 19 || digits > 1 << 53 {
        return None;
    }
    let power = EXACT.get(exponent.unsigned_abs() as usize)?;
    let value = if exponent < 0 { digits as f64 / power } else { digits as f64 * power };
    // Rounded twice, to f64 and to f32: the same as once, but on a tie of the second, and among
    // the subnormal numbers.
    let tie = value.to_bits() & 0x1FFF_FFFF == 0x1000_0000;
    if tie || (value < f64::from(f32::MIN_POSITIVE) && digits != 0) {
        return None;
    }
    let value = value as f32;
    value.is_finite().then_some((if negative { -value } else { value }, at))
}

/// Appends the digits from `at` on to a number and returns where they end. More than 19 wrap.
#[inline(always)]
fn read_digits(text: &[u8], mut at: usize, number: &mut u64) -> usize {
    // Eight at once: the bytes become four, two and one sum (Lemire 2018).
    while let Some(eight) = text.get(at..at + 8) {
        let bytes = u64::from_le_bytes(eight.try_into().expect("eight bytes"));
        let values = bytes.wrapping_sub(0x3030_3030_3030_3030);
        let above = values.wrapping_add(0x7676_7676_7676_7676);
        if (values | above) & 0x8080_8080_8080_8080 != 0 {
            break;
        }
        let pairs = values.wrapping_mul(10).wrapping_add(values >> 8) & 0x00FF_00FF_00FF_00FF;
        let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
        let all = fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF;
        *number = number.wrapping_mul(100_000_000).wrapping_add(all);
        at += 8;
    }
    while let Some(digit @ b'0'..=b'9') = text.get(at) {
        *number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use inlay_base::Random;

    fn std_parse(text: &str) -> Option<f32> {
        text.parse().ok().filter(|value: &f32| value.is_finite())
    }

    #[test]
    fn every_bit_is_as_the_standard_library_rounds_it() {
        let mut random = Random::new(5, 0);
        let mut fast_ones = 0;
        for round in 0..200_000 {
            let value = f32::from_bits(random.bits() as u32);
            let small = random.unit() - 0.5;
            let text = match round % 8 {
                0 => format!("{value:?}"),
                1 => format!("{value:e}"),
                2 => format!("{small:.6}"),
                3 => format!("{small:?}"),
                4 => format!("{:.9}", f64::from(small) * 1e-3),
                5 => format!("{:?}", f64::from_bits(random.bits())),
                6 => format!("{}.{}", random.below(1000), random.bits()),
                // Ties of f32: a number with 25 significant bits.
                _ => format!("{}", (f64::from(random.below(1 << 24)) + 0.5) * 2.0),
            };
            let expected = std_parse(&text).map(f32::to_bits);
            assert_eq!(parse(text.as_bytes()).map(f32::to_bits), expected, "{text}");
            fast_ones += u32::from(first(text.as_bytes()).is_some());
        }
        assert!(fast_ones > 80_000, "{fast_ones}");
    }

    #[test]
    fn what_is_no_finite_number_is_refused() {
        for text in [
            "", "-", "+", ".", "e", "e5", "1e", "1e+", "nan", "NaN", "inf", "-inf", "infinity",
            "1 ", " 1", "1.2.3", "0x10", "1_0", "1e999", "-1e39", "3.5e38", "１", "1\0", "--1",
            "1e1e1",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
        for text in ["+1", "1.", ".5", "-0", "1E5", "0e99", "00012", "1e-50"] {
            let expected = std_parse(text).map(f32::to_bits);
            assert_eq!(parse(text.as_bytes()).map(f32::to_bits), expected, "{text:?}");
        }
    }
}
