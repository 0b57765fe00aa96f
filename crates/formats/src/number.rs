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
    match fast(text) {
        Some(value) => Some(value),
        None => slow(text),
    }
}

#[cold]
fn slow(text: &[u8]) -> Option<f32> {
    // `inf`, `nan` and numbers beyond f32 parse too: the test refuses them.
    std::str::from_utf8(text).ok()?.parse().ok().filter(|value: &f32| value.is_finite())
}

/// A number whose digits fit f64 exactly and whose power of ten is exact: one f64 operation rounds
/// once. `None` where that is not enough, and for what is no number.
#[inline]
fn fast(text: &[u8]) -> Option<f32> {
    let (negative, mut rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut digits = 0u64;
    let mut count = 0;
    let mut decimals = 0i32;
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        count += 1;
        rest = tail;
    }
    if let [b'.', tail @ ..] = rest {
        rest = tail;
        while let [digit @ b'0'..=b'9', tail @ ..] = rest {
            digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            decimals += 1;
            rest = tail;
        }
        count += decimals;
    }
    let mut exponent = -decimals;
    if let [b'e' | b'E', tail @ ..] = rest {
        let (falls, tail) = match tail {
            [b'-', tail @ ..] => (true, tail),
            [b'+', tail @ ..] => (false, tail),
            tail => (false, tail),
        };
        let value = match tail {
            [a @ b'0'..=b'9'] => i32::from(a - b'0'),
            [a @ b'0'..=b'9', b @ b'0'..=b'9'] => i32::from(a - b'0') * 10 + i32::from(b - b'0'),
            _ => return None,
        };
        exponent += if falls { -value } else { value };
        rest = &[];
    }
    if !rest.is_empty() || count == 0 || count > 19 || digits > 1 << 53 {
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
    value.is_finite().then_some(if negative { -value } else { value })
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
            fast_ones += u32::from(fast(text.as_bytes()).is_some());
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
