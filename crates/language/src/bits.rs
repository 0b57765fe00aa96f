//! Numbers of a few bits, and rows of zeros between ones, found by their number.

use std::ops::{Deref, Range};

use inlay_formats::Array;

/// Numbers of so many bits each, end to end, the lowest bits first; a word of 64 bits more than they take.
pub struct Bits {
    words: Array<u64>,
    width: u32,
}

/// Numbers that are being packed.
pub struct BitsMaker {
    words: Vec<u64>,
    width: u32,
    /// Bits that are taken.
    end: usize,
}

fn words_for(width: u32, len: usize) -> Option<usize> {
    len.checked_mul(width as usize)?.div_ceil(64).checked_add(1)
}

impl BitsMaker {
    /// For so many numbers below 2^width; `width` is 62 at most.
    pub fn new(width: u32, len: usize) -> Self {
        let words = vec![0; words_for(width, len).expect("they are in memory already")];
        Self { words, width, end: 0 }
    }

    /// The next number.
    pub fn push(&mut self, number: u64) {
        let (word, shift) = (self.end / 64, self.end % 64);
        self.words[word] |= number << shift;
        self.words[word + 1] |= number >> 1 >> (63 - shift);
        self.end += self.width as usize;
    }

    /// All of them.
    pub fn made(self) -> Bits {
        Bits { words: self.words.into(), width: self.width }
    }
}

impl Bits {
    /// Those of a file, if it has so many.
    pub fn mapped(words: Array<u64>, width: u32, len: usize) -> Option<Self> {
        (words_for(width, len) == Some(words.len())).then_some(Self { words, width })
    }

    /// # Panics
    /// If there is no such number.
    #[inline(always)]
    pub fn get(&self, at: usize) -> u64 {
        let start = at * self.width as usize;
        let (word, shift) = (start / 64, start % 64);
        let found = self.words[word] >> shift | self.words[word + 1] << 1 << (63 - shift);
        found & ((1 << self.width) - 1)
    }

    /// For a file.
    pub fn words(&self) -> &[u64] {
        &self.words
    }
}

/// Ones between one of which where it lies is written down.
const SAMPLE: usize = 64;

/// Rows of zeros, a one behind each: a row is found by its number. Behind the bits, the place of every
/// 64th one.
pub struct Marks {
    words: Array<u64>,
    /// Rows.
    ones: usize,
    /// Of all rows.
    zeros: usize,
}

impl Marks {
    /// Rows by how many zeros there are up to the end of each.
    pub fn of(ends: &[u64]) -> Self {
        let (ones, zeros) = (ends.len(), ends.last().map_or(0, |&end| end as usize));
        let bits = (ones + zeros).div_ceil(64);
        let mut words = vec![0; bits];
        for (row, &end) in ends.iter().enumerate() {
            let place = end as usize + row;
            words[place / 64] |= 1 << (place % 64);
            if row.is_multiple_of(SAMPLE) {
                words.push(place as u64);
            }
        }
        Self { words: words.into(), ones, zeros }
    }

    /// Those of a file, if it has as many bits and places.
    pub fn mapped(words: Array<u64>, ones: usize, zeros: usize) -> Option<Self> {
        let bits = ones.checked_add(zeros)?.div_ceil(64);
        let wanted = bits.checked_add(ones.div_ceil(SAMPLE))?;
        (words.len() == wanted).then_some(Self { words, ones, zeros })
    }

    /// Which zeros are those of a row; `None` if there is no such row, or the file is damaged.
    #[inline]
    pub fn zeros(&self, row: usize) -> Option<Range<usize>> {
        if row >= self.ones {
            return None;
        }
        // From the one before to that of the row itself.
        let start = match row {
            0 => 0,
            row => self.place(row - 1)? + 1,
        };
        let end = self.next_one(start)?;
        let range = start.checked_sub(row)?..end.checked_sub(row)?;
        (range.end <= self.zeros).then_some(range)
    }

    /// The row of each zero, in order.
    pub fn owners(&self) -> impl Iterator<Item = u32> + '_ {
        let mut row = 0u32;
        (0..self.ones + self.zeros).filter_map(move |place| {
            let is_one = self.bits()[place / 64] >> (place % 64) & 1 == 1;
            row += u32::from(is_one);
            (!is_one && (row as usize) < self.ones).then_some(row)
        })
    }

    /// For a file.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    fn bits(&self) -> &[u64] {
        &self.words.deref()[..(self.ones + self.zeros).div_ceil(64)]
    }

    /// Where a one lies.
    #[inline]
    fn place(&self, row: usize) -> Option<usize> {
        let bits = self.bits();
        let from = usize::try_from(self.words[bits.len() + row / SAMPLE]).ok()?;
        let mut more = row % SAMPLE;
        let mut word = from / 64;
        // The sampled one itself is the first that is counted.
        let mut rest = bits.get(word)? & u64::MAX << (from % 64);
        loop {
            let ones = rest.count_ones() as usize;
            if more < ones {
                (0..more).for_each(|_| rest &= rest - 1);
                return Some(64 * word + rest.trailing_zeros() as usize);
            }
            more -= ones;
            word += 1;
            rest = *bits.get(word)?;
        }
    }

    /// The first one from a place on.
    #[inline]
    fn next_one(&self, from: usize) -> Option<usize> {
        let bits = self.bits();
        let mut word = from / 64;
        let mut rest = bits.get(word)? & u64::MAX << (from % 64);
        while rest == 0 {
            word += 1;
            rest = *bits.get(word)?;
        }
        Some(64 * word + rest.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;

    use super::*;

    #[test]
    fn numbers_of_all_widths_are_what_was_pushed() {
        let mut random = Random::new(1, 0);
        for width in 1..=62 {
            let numbers: Vec<u64> = (0..200).map(|_| random.bits() >> (64 - width)).collect();
            let mut maker = BitsMaker::new(width, numbers.len());
            numbers.iter().for_each(|&number| maker.push(number));
            let bits = maker.made();
            for (at, &number) in numbers.iter().enumerate() {
                assert_eq!(bits.get(at), number, "{width}");
            }
            let words = bits.words().to_vec();
            assert!(Bits::mapped(words.clone().into(), width, 200).is_some());
            assert!(Bits::mapped(words[1..].to_vec().into(), width, 200).is_none());
            assert!(Bits::mapped(words.into(), width, usize::MAX).is_none());
        }
    }

    #[test]
    fn rows_are_found_by_their_number_and_zeros_know_theirs() {
        let mut random = Random::new(2, 0);
        for rows in [0, 1, 63, 64, 65, 1000] {
            let lengths: Vec<u64> = (0..rows)
                .map(|_| u64::from(random.below(4) * random.below(3) * random.below(30)))
                .collect();
            let mut end = 0;
            let ends: Vec<u64> = lengths
                .iter()
                .map(|length| {
                    end += length;
                    end
                })
                .collect();
            let marks = Marks::of(&ends);
            let mut owners = Vec::new();
            for (row, (&end, &length)) in ends.iter().zip(&lengths).enumerate() {
                let range = (end - length) as usize..end as usize;
                assert_eq!(marks.zeros(row), Some(range));
                owners.extend((0..length).map(|_| row as u32));
            }
            assert_eq!(marks.zeros(rows), None);
            assert_eq!(marks.owners().collect::<Vec<_>>(), owners);
            let words = marks.words().to_vec();
            assert!(Marks::mapped(words.clone().into(), rows, end as usize).is_some());
            assert!(Marks::mapped(words.into(), rows + 64, end as usize).is_none());
        }
    }

    #[test]
    fn damaged_marks_say_nothing_or_something_inside() {
        let mut random = Random::new(3, 0);
        let ends: Vec<u64> = (0..500).map(|row| row * 3).collect();
        let good = Marks::of(&ends).words().to_vec();
        for _ in 0..200 {
            let mut words = good.clone();
            for _ in 0..3 {
                let at = random.below(words.len() as u32) as usize;
                words[at] ^= random.bits();
            }
            let marks = Marks::mapped(words.into(), 500, 1497).unwrap();
            let inside = |row| marks.zeros(row).is_none_or(|range| range.end <= 1497);
            assert!((0..501).all(inside));
            assert!(marks.owners().all(|row| row < 500));
        }
    }
}
