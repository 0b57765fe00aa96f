//! N-grams as lines of an ARPA file. It is most of the work of a training that ends with such a file:
//! names and numbers are copied sixteen bytes at a time, and numbers that came a moment ago are not made
//! into text again.

use inlay_formats::Names;
use inlay_formats::arpa::append_number;

/// Bytes that are copied at once.
const PIECE: usize = 16;
/// Numbers that are remembered; a power of two.
const KEPT: usize = 1 << 12;

/// The names of a vocabulary, with room for a piece behind the last.
pub struct Spelled {
    bytes: Vec<u8>,
    offsets: Vec<usize>,
}

impl Spelled {
    pub fn new(names: &Names) -> Self {
        let mut bytes = names.bytes().to_vec();
        bytes.extend([0; PIECE]);
        Self { bytes, offsets: names.offsets().iter().map(|&offset| offset as usize).collect() }
    }
}

/// A number as text: its bits, its length and its bytes.
#[derive(Clone, Copy)]
struct Number {
    bits: u32,
    length: usize,
    text: [u8; PIECE],
}

/// Lines that are being written.
pub struct Lines<'a> {
    spelled: &'a Spelled,
    /// Longer than what is written.
    text: Vec<u8>,
    length: usize,
    numbers: Vec<Number>,
    number: Vec<u8>,
}

impl<'a> Lines<'a> {
    pub fn new(spelled: &'a Spelled) -> Self {
        let zero = Number { bits: 0, length: 1, text: *b"0               " };
        Self { spelled, text: Vec::new(), length: 0, numbers: vec![zero; KEPT], number: Vec::new() }
    }

    /// Adds a line.
    ///
    /// # Panics
    /// If there is no such word.
    #[inline]
    pub fn push(&mut self, words: &[u32], probability: f32, backoff: Option<f32>) {
        let Spelled { offsets, .. } = self.spelled;
        let length = |&word: &u32| offsets[word as usize + 1] - offsets[word as usize];
        let most: usize = words.iter().map(|word| length(word) + 1).sum();
        let most = self.length + most + 4 * PIECE;
        if self.text.len() < most {
            self.text.resize(2 * most, 0);
        }
        self.push_number(probability);
        let mut before = b'\t';
        for word in words {
            self.push_byte(before);
            self.push_name(*word as usize);
            before = b' ';
        }
        if let Some(backoff) = backoff {
            self.push_byte(b'\t');
            self.push_number(backoff);
        }
        self.push_byte(b'\n');
    }

    /// All lines.
    pub fn text(&self) -> &[u8] {
        &self.text[..self.length]
    }

    /// Forgets all lines.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    #[inline(always)]
    fn push_byte(&mut self, byte: u8) {
        self.text[self.length] = byte;
        self.length += 1;
    }

    #[inline(always)]
    fn push_piece(&mut self, piece: &[u8; PIECE], length: usize) {
        self.text[self.length..self.length + PIECE].copy_from_slice(piece);
        self.length += length;
    }

    #[inline(always)]
    fn push_name(&mut self, word: usize) {
        let Spelled { bytes, offsets } = self.spelled;
        let (start, end) = (offsets[word], offsets[word + 1]);
        match bytes[start..].first_chunk::<PIECE>() {
            Some(piece) if end - start <= PIECE => self.push_piece(piece, end - start),
            _ => {
                let to = self.length + end - start;
                self.text[self.length..to].copy_from_slice(&bytes[start..end]);
                self.length = to;
            }
        }
    }

    #[inline(always)]
    fn push_number(&mut self, value: f32) {
        let bits = value.to_bits();
        let place = (bits.wrapping_mul(0x9E37_79B1) >> 20) as usize % KEPT;
        if self.numbers[place].bits != bits {
            self.number.clear();
            append_number(value, &mut self.number);
            let mut text = [b' '; PIECE];
            let length = self.number.len().min(PIECE);
            text[..length].copy_from_slice(&self.number[..length]);
            self.numbers[place] = Number { bits, length, text };
        }
        let Number { length, text, .. } = self.numbers[place];
        self.push_piece(&text, length);
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;

    use super::*;

    #[test]
    fn lines_are_those_of_plain_formatting_whatever_the_lengths() {
        let names: Vec<String> = (0..60).map(|length| "x".repeat(length * length / 9)).collect();
        let spelled = Spelled::new(&Names::new(&names).unwrap());
        let (mut lines, mut wanted) = (Lines::new(&spelled), String::new());
        let mut random = Random::new(4, 0);
        for round in 0..3000u32 {
            let words: Vec<u32> = (0..1 + round % 5).map(|_| random.below(60)).collect();
            let number = |random: &mut Random| -(random.below(40) as f32) * 0.37;
            let (p, backoff) = (number(&mut random), number(&mut random));
            let backoff = (round % 3 > 0).then_some(backoff);
            lines.push(&words, p, backoff);
            let spelled: Vec<&str> = words.iter().map(|&word| &*names[word as usize]).collect();
            wanted += &format!("{p}\t{}", spelled.join(" "));
            wanted += &backoff.map(|backoff| format!("\t{backoff}")).unwrap_or_default();
            wanted += "\n";
        }
        assert!(lines.text() == wanted.as_bytes());
        lines.clear();
        lines.push(&[1], f32::MIN_POSITIVE, Some(-f32::MAX));
        assert_eq!(lines.text(), b"1.1754944e-38\t\t-3.4028235e38\n");
    }
}
