//! The files of word2vec.c and gensim (`rows dimensions`, then a row for each word, in text or in
//! bytes) and of GloVe (text without the first line).

mod binary;
mod text;
mod write;

use inlay_base::{Error, Map, Result};

pub use binary::read as read_binary;
pub use text::read as read_text;
pub(crate) use write::{number, refuse, write_rows};
pub use write::{write_binary, write_glove_text, write_text};

/// How far the first lines are looked into.
const PEEK: usize = 1 << 22;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Text,
    Binary,
    /// Tab-separated numbers without words.
    Projector,
}

/// The first line `rows dimensions`, and where the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    rows: usize,
    dimensions: usize,
    end: usize,
}

/// The bytes without a byte order mark: how many to skip.
fn mark(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }
}

/// The first line from `start`, without its end, and where the next one begins.
fn line(bytes: &[u8], start: usize) -> (&[u8], usize) {
    let rest = &bytes[start..];
    let rest = &rest[..rest.len().min(PEEK)];
    let length = rest.iter().position(|&byte| byte == b'\n');
    let end = length.unwrap_or(rest.len());
    let text = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
    (text, start + end + usize::from(length.is_some()))
}

/// The fields of a line: parts between spaces and tabs, empty ones left out.
fn fields(line: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|field| !field.is_empty())
}

/// Reads `rows dimensions`; `None` if the first line is something else. Two whole numbers with a
/// space between them are always a header, never a word of digits with its one value.
fn header(bytes: &[u8]) -> Option<Header> {
    let (first, end) = line(bytes, mark(bytes));
    if first.contains(&b'\t') {
        return None;
    }
    let mut fields = fields(first).map(|field| {
        let digits = !field.is_empty() && field.iter().all(u8::is_ascii_digit);
        // A number too long for usize is a header all the same: it promises too much.
        digits.then(|| {
            std::str::from_utf8(field).map_or(usize::MAX, |n| n.parse().unwrap_or(usize::MAX))
        })
    });
    let (rows, dimensions) = (fields.next()??, fields.next()??);
    fields.next().is_none().then_some(Header { rows, dimensions, end })
}

/// How many of the last fields of a line are numbers.
fn trailing_numbers(line: &[u8]) -> usize {
    fields(line).rev().take_while(|field| crate::number::parse(field).is_some()).count()
}

pub(crate) fn dialect(map: &Map) -> Result<Dialect> {
    let (first, after) = line(map, mark(map));
    let Some(header) = header(map) else {
        let tabs_only = !first.contains(&b' ') && !first.is_empty();
        let count = fields(first).count();
        if tabs_only && count > 0 && trailing_numbers(first) == count {
            return Ok(Dialect::Projector);
        }
        // A word and a number at least; a row with one bad number is still a row.
        let numbers = fields(first).filter(|field| crate::number::parse(field).is_some()).count();
        let printable = !first.iter().any(|byte| matches!(byte, 0..8 | 14..27));
        if count >= 2 && printable && 2 * numbers + 2 >= count && numbers > 0 {
            return Ok(Dialect::Text);
        }
        let problem = "is in no format that is known here: safetensors, word2vec or GloVe text, \
                       word2vec binary, NumPy, projector TSV";
        return Err(Error::invalid_file(map.path(), None, problem));
    };
    let (second, _) = line(map, after);
    let is_row = fields(second).count() >= header.dimensions;
    if is_row && trailing_numbers(second) >= header.dimensions {
        return Ok(Dialect::Text);
    }
    // The first rows as binary ones: values in bytes are hardly ever all printable.
    let text = |&byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    let data_bytes = header.dimensions.saturating_mul(4).min(PEEK);
    let mut row = &map[header.end..];
    for _ in 0..16 {
        let space = row.iter().take(PEEK).position(|&byte| byte == b' ');
        let Some(space) = space.filter(|_| data_bytes > 0) else { break };
        let data = &row[space + 1..];
        let data = &data[..data.len().min(data_bytes)];
        if !data.iter().all(text) {
            return Ok(Dialect::Binary);
        }
        row = &row[space + 1 + data.len()..];
    }
    Ok(Dialect::Text)
}
