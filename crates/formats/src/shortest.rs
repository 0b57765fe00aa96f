//! `f32` to the shortest decimal text that reads back as the same number, in the form of KenLM's files:
//! `-0.30103`, `0`, `1e-7`. About as Ryu does it (Adams 2018), with integers of 128 bits for its tables.

const POWERS: [u64; 16] = {
    let mut powers = [1; 16];
    let mut i = 1;
    while i < 16 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// Appends a finite number.
pub fn append(value: f32, out: &mut Vec<u8>) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let value = value.abs();
    if value == 0.0 {
        return out.push(b'0');
    }
    let (digits, exponent) = match (1e-5..128.0).contains(&value) {
        true => shortest(value),
        false => by_standard_library(value),
    };
    write(digits, exponent, out);
}

/// Digits and the power of ten that they are to be multiplied by, of a number from 1e-5 to 128.
fn shortest(value: f32) -> (u32, i32) {
    let bits = value.to_bits();
    let mantissa = u64::from(bits & 0x7F_FFFF | 0x80_0000);
    // value = mantissa 2^(2 - shift) / 4
    let shift = 152 - (bits >> 23);
    // Nine digits tell all f32 apart: the value has as many, or ten, before the point.
    let decimals = 8 - POWERS_BELOW.iter().take_while(|&&power| value >= power).count() + 6;
    let scale = |quarters: u64| u128::from(quarters) * u128::from(POWERS[decimals]);
    // The border below a power of two is nearer: the numbers there are denser.
    let below = if mantissa == 0x80_0000 { 1 } else { 2 };
    let (least, most) = (scale(4 * mantissa - below), scale(4 * mantissa + 2));
    // Borders are rounded to the number if its last bit is 0.
    let even = mantissa % 2 == 0;
    let whole = |scaled: u128| ((scaled >> shift) as u64, scaled & ((1 << shift) - 1));
    let ((mut low, low_rest), (mut high, high_rest)) = (whole(least), whole(most));
    // From here on whatever is above `low` and not above `high` reads back.
    low = if even && low_rest == 0 { low.saturating_sub(1) } else { low };
    high -= u64::from(!even && high_rest == 0);
    let (middle, rest) = whole(scale(4 * mantissa));
    let mut dropped = 0;
    while high / 10 > low / 10 {
        (high, low) = (high / 10, low / 10);
        dropped += 1;
    }
    let unit = POWERS[dropped];
    let (mut digits, remainder) = (middle / unit, middle % unit);
    let (part, half) = match dropped {
        0 => (rest, 1u128 << (shift - 1)),
        _ => (u128::from(2 * remainder) << 1 | u128::from(rest != 0), u128::from(unit) << 1),
    };
    digits += u64::from(part > half || (part == half && digits % 2 == 1));
    let digits = digits.clamp(low + 1, high);
    (digits as u32, dropped as i32 - decimals as i32)
}

const POWERS_BELOW: [f32; 7] = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1];

#[cold]
fn by_standard_library(value: f32) -> (u32, i32) {
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let decimals = digits.len().saturating_sub(2);
    let digits = digits.replace('.', "").parse().unwrap_or(0);
    (digits, exponent.parse::<i32>().unwrap_or(0) - decimals as i32)
}

fn write(mut digits: u32, exponent: i32, out: &mut Vec<u8>) {
    let mut text = [0u8; 10];
    let mut start = text.len();
    while digits > 0 {
        start -= 1;
        text[start] = b'0' + (digits % 10) as u8;
        digits /= 10;
    }
    let text = &text[start..];
    // Digits before the point.
    let point = text.len() as i32 + exponent;
    match point {
        -5..=0 => {
            out.extend_from_slice(&b"0.00000"[..(2 - point) as usize]);
            out.extend_from_slice(text);
        }
        1..=21 if exponent < 0 => {
            let (before, after) = text.split_at(point as usize);
            out.extend_from_slice(before);
            out.push(b'.');
            out.extend_from_slice(after);
        }
        1..=21 => {
            out.extend_from_slice(text);
            out.resize(out.len() + exponent as usize, b'0');
        }
        _ => {
            out.push(text[0]);
            if text.len() > 1 {
                out.push(b'.');
                out.extend_from_slice(&text[1..]);
            }
            out.extend_from_slice(format!("e{}", point - 1).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;

    use super::*;

    fn text(value: f32) -> String {
        let mut out = Vec::new();
        append(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_in_the_form_of_kenlm() {
        for (value, wanted) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (-1.0, "-1"),
            (-0.30104, "-0.30104"),
            (-99.0, "-99"),
            (10.0, "10"),
            (-0.000001, "-0.000001"),
            (1e-7, "1e-7"),
            (-1.25e-7, "-1.25e-7"),
            (127.99999, "127.99999"),
            (1e20, "100000000000000000000"),
            (3e21, "3e21"),
            (0.1, "0.1"),
            (16_777_216.0, "16777216"),
            (f32::MIN_POSITIVE, "1.1754944e-38"),
        ] {
            assert_eq!(text(value), wanted);
        }
    }

    #[test]
    fn digits_are_the_shortest_that_read_back_and_those_of_the_standard_library() {
        let mut random = Random::new(3, 0);
        for round in 0..300_000u32 {
            let bits = random.bits() as u32 & 0x7FFF_FFFF;
            let value = match round % 4 {
                0 => f32::from_bits(bits),
                1 => 8.0 * random.unit(),
                2 => 2f32.powi((bits % 24) as i32 - 16),
                // From 2^-17 to 2^7.
                _ => f32::from_bits((110 + bits % 24) << 23 | bits >> 9),
            };
            if value.is_finite() {
                let text = text(value);
                assert_eq!(text.parse::<f32>().unwrap().to_bits(), value.to_bits(), "{text}");
                // Of two that are as near, the standard library takes the greater one.
                let other = format!("{value:e}");
                let digits = |text: &str| text.split('e').next().unwrap().replace('.', "");
                let digits = |text: &str| digits(text).trim_matches('0').len();
                assert_eq!(digits(&text), digits(&other), "{text} {other}");
                let away = |text: &str| (text.parse::<f64>().unwrap() - f64::from(value)).abs();
                assert!(away(&text) <= away(&other) * (1.0 + 1e-6), "{text} {other}");
            }
        }
    }
}
