//! Words beside a matrix: one on each line.

use std::path::Path;

use inlay_base::{AtomicFile, Error, Map, Result};

use crate::word2vec::refuse;
use crate::words::Words;
use crate::{Names, ReadOptions};

/// Reads one word a line, for `rows` rows. With one line more than rows the first is a heading, as
/// the projector wants it over several columns; of several columns, separated by tabs, the first
/// holds the words.
///
/// # Errors
/// `InvalidInput` if the lines are fewer or more than the rows.
pub fn read(path: &Path, rows: usize, options: &ReadOptions) -> Result<Names> {
    let map = Map::open(path)?;
    let mut lines = lines(&map);
    let count = lines.clone().count();
    if count == rows.saturating_add(1) {
        lines.next();
    } else if count != rows {
        let problem = format!("has {count} words, the matrix has {rows} rows");
        return Err(Error::invalid_file(path, None, problem));
    }
    let mut words = Words::default();
    for (number, line) in lines.take(options.limited(rows)).enumerate() {
        let offset = line.as_ptr() as usize - map.as_ptr() as usize;
        let word = line.split(|&byte| byte == b'\t').next().unwrap_or_default();
        words.push(word, options.invalid_utf8, path, number, offset)?;
    }
    words.into_names()
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let ended = text.strip_suffix(b"\n");
    let text = ended.unwrap_or(text);
    let lines = text.split(|&byte| byte == b'\n').take(if text.is_empty() && ended.is_none() {
        0
    } else {
        usize::MAX
    });
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Makes the file of words, to be committed with its matrix: one word a line.
///
/// # Errors
/// `Unsupported` for a word with a line break, a tab or a last carriage return.
pub(crate) fn write(path: &Path, names: &Names) -> Result<AtomicFile> {
    refuse(names, path, b'\n', "a line break", "a list of words")?;
    refuse(names, path, b'\r', "a carriage return", "a list of words")?;
    refuse(names, path, b'\t', "a tab", "a list of words")?;
    let mut file = AtomicFile::create(path)?;
    for name in names.iter() {
        file.write(name)?;
        file.write(b"\n")?;
    }
    Ok(file)
}

/// Writes one word a line.
pub fn save(path: &Path, names: &Names) -> Result<()> {
    write(path, names)?.commit()
}
