//! The files of the C tool of GloVe (Pennington et al. 2014): `vocab.txt`, the records of
//! `cooccurrence.bin`, and the dump of all parameters that its `-binary` writes. Its text of vectors
//! is in `word2vec`.

use std::path::Path;

use inlay_base::{AtomicFile, Error, Map, Result};

use crate::word2vec::refuse;
use crate::words::{Words, shown};
use crate::{Names, ReadOptions};

/// A pair of words and how often they meet, as 16 bytes of `cooccurrence.bin`: the numbers of word
/// and context from 1, as i32, and the count as f64. Here the first 8 bytes are one number.
pub type Record = [u64; 2];

/// Makes a record of numbers from 0.
#[inline(always)]
pub fn record(word: u32, context: u32, count: f64) -> Record {
    let (word, context) = (u64::from(word) + 1, u64::from(context) + 1);
    [context << 32 | word, count.to_bits()]
}

/// Word, context and count of a record, numbers from 0. One that stands for no word (0 or negative
/// in the file) has a number beyond every vocabulary.
#[inline(always)]
pub fn fields([pair, count]: Record) -> (u32, u32, f64) {
    let number = |one: u32| one.wrapping_sub(1);
    (number(pair as u32), number((pair >> 32) as u32), f64::from_bits(count))
}

/// Opens `cooccurrence.bin`: sorted or shuffled, it is all the same here. The records are checked
/// by whoever reads them (`check`).
///
/// # Errors
/// `InvalidInput` if the file is empty or its length is no multiple of 16.
pub fn open_records(path: &Path) -> Result<Map> {
    let map = Map::open(path)?;
    if map.is_empty() {
        return Err(Error::invalid_file(path, None, "has no records"));
    }
    if !map.len().is_multiple_of(size_of::<Record>()) {
        let problem = format!("{} bytes are no whole number of records of 16", map.len());
        return Err(Error::invalid_file(path, None, problem));
    }
    Ok(map)
}

/// What is wrong with a record among so many words, if anything is.
#[inline]
pub fn check(record: Record, words: usize) -> std::result::Result<(), String> {
    let (word, context, count) = fields(record);
    if word as usize >= words || context as usize >= words {
        let [word, context] = [word, context].map(|number| number.wrapping_add(1) as i32);
        return Err(format!("the pair {word}, {context} of a vocabulary of {words}"));
    }
    // Below, the logarithm in f32 would not be a number.
    if !(count >= f64::from(f32::MIN_POSITIVE) && count <= f64::from(f32::MAX)) {
        return Err(format!("a pair that meets {count} times"));
    }
    Ok(())
}

/// Reads `vocab.txt`: a word, a space and its count on each line, most frequent first.
///
/// # Errors
/// `InvalidInput` with the byte offset: a line of another form, a word that is there twice, no
/// word at all.
pub fn read_vocabulary(path: &Path, options: &ReadOptions) -> Result<(Names, Vec<u64>)> {
    let map = Map::open(path)?;
    let (mut words, mut counts) = (Words::default(), Vec::new());
    let mut at = 0;
    while at < map.len() {
        let rest = &map[at..];
        let length = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        let line = rest[..length].strip_suffix(b"\r").unwrap_or(&rest[..length]);
        let invalid = || {
            let problem = format!("line {} is not a word, a space and a count", counts.len() + 1);
            Error::invalid_file(path, Some(at as u64), problem)
        };
        let space = line.iter().rposition(|&byte| byte == b' ').ok_or_else(invalid)?;
        let (word, digits) = (&line[..space], &line[space + 1..]);
        let digits = std::str::from_utf8(digits).ok();
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
        let count = digits.and_then(|digits| digits.parse().ok()).ok_or_else(invalid)?;
        if word.is_empty() || word.contains(&b' ') {
            return Err(invalid());
        }
        words.push(word, options.invalid_utf8, path, counts.len(), at)?;
        counts.push(count);
        at += length + 1;
    }
    if counts.is_empty() {
        return Err(Error::invalid_file(path, None, "has no words"));
    }
    let names = words.into_names()?;
    for (number, name) in names.iter().enumerate() {
        if names.find(name) != Some(number as u32) {
            let problem = format!("the word {} is there twice", shown(name));
            return Err(Error::invalid_file(path, None, problem));
        }
    }
    Ok((names, counts))
}

/// Writes `vocab.txt`.
///
/// # Errors
/// `Unsupported` for a word with white space, at which the C tool would cut it.
pub fn write_vocabulary(path: &Path, names: &Names, counts: &[u64]) -> Result<()> {
    let spaces =
        [(b' ', "a space"), (b'\n', "a line break"), (b'\t', "a tab"), (b'\r', "a return")];
    for (byte, what) in spaces {
        refuse(names, path, byte, what, "GloVe's vocabulary")?;
    }
    let mut file = AtomicFile::create(path)?;
    for (name, count) in names.iter().zip(counts) {
        file.write(name)?;
        file.write(format!(" {count}\n").as_bytes())?;
    }
    file.commit()
}

/// What the C tool's `-binary 1` writes: for each word as word, then for each as context, its
/// vector and its bias, as f64.
pub struct Parameters {
    map: Map,
    words: usize,
    dimensions: usize,
}

impl Parameters {
    /// Opens a dump of so many words.
    ///
    /// # Errors
    /// `InvalidInput` if the file's length is not that of two vectors and biases a word.
    pub fn open(path: &Path, words: usize) -> Result<Self> {
        let map = Map::open(path)?;
        let row = words.checked_mul(16).filter(|&row| row > 0 && map.len() % row == 0);
        let values = row.map(|row| map.len() / row).filter(|&values| values >= 2);
        let Some(values) = values else {
            let problem = format!(
                "{} bytes are not two vectors and biases of f64 for each of {words} words",
                map.len()
            );
            return Err(Error::invalid_file(path, None, problem));
        };
        Ok(Self { map, words, dimensions: values - 1 })
    }

    /// Values of a vector.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Copies the vector of a word as word, or as context, out and returns its bias.
    ///
    /// # Errors
    /// `InvalidInput` with the byte offset for a value that is not finite.
    ///
    /// # Panics
    /// If there is no such word or `into` is not a vector long.
    pub fn give(&self, word: usize, context: bool, into: &mut [f32]) -> Result<f32> {
        assert!(word < self.words && into.len() == self.dimensions);
        let row = word + if context { self.words } else { 0 };
        let start = row * (self.dimensions + 1) * 8;
        let value = |place: usize| {
            let at = start + place * 8;
            let value: f64 = bytemuck::pod_read_unaligned(&self.map[at..at + 8]);
            let value = value as f32;
            if !value.is_finite() {
                let problem = format!("word {word} (from 0) has the value {value}");
                return Err(Error::invalid_file(self.map.path(), Some(at as u64), problem));
            }
            Ok(value)
        };
        for (place, into) in into.iter_mut().enumerate() {
            *into = value(place)?;
        }
        value(self.dimensions)
    }
}

/// Gives the vector of a word, as a context if the flag says so, and then its bias.
pub type GiveRow<'a> = dyn FnMut(usize, bool, &mut [f32]) -> Result<()> + 'a;

/// Writes a dump.
pub fn write_parameters(
    path: &Path,
    (words, dimensions): (usize, usize),
    row: &mut GiveRow<'_>,
) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    let mut values = vec![0.0f32; dimensions + 1];
    let mut wide = vec![0.0f64; dimensions + 1];
    for context in [false, true] {
        for word in 0..words {
            row(word, context, &mut values)?;
            wide.iter_mut().zip(&values).for_each(|(wide, &value)| *wide = f64::from(value));
            file.write(bytemuck::cast_slice(&wide))?;
        }
    }
    file.commit()
}
