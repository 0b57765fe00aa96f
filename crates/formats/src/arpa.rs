//! ARPA files of n-gram models, as SRILM and KenLM write them: counts, then a section of each order with
//! a line of log10 probability, words and log10 back-off for each n-gram.

use std::path::Path;

use inlay_base::{Error, Result};

use crate::number;

pub use crate::shortest::append as append_number;

/// The highest order that is read.
pub const HIGHEST: usize = 10;
/// The longest line that is read, in bytes.
const LINE: usize = 1 << 20;
/// Bytes that are asked for at once.
const BLOCK: usize = 1 << 18;

/// Appends text to a buffer, at most so many bytes, and says how many: none at the end.
pub type Fill<'a> = Box<dyn FnMut(&mut Vec<u8>, usize) -> Result<usize> + 'a>;

/// One n-gram of a file.
#[derive(Debug)]
pub struct Ngram<'a> {
    /// Its words, oldest first.
    pub words: &'a [&'a [u8]],
    /// log10, not above 0.
    pub probability: f32,
    /// log10; 0 where the line has none.
    pub backoff: f32,
    /// Where its line begins.
    pub offset: u64,
}

/// What becomes of a file as it is read.
pub trait Take {
    /// How many n-grams of each order the file promises, from order 1 on. Nothing proves it yet.
    fn counts(&mut self, counts: &[u64]) -> Result<()>;
    /// The next n-gram; orders rise.
    fn ngram(&mut self, ngram: &Ngram<'_>) -> Result<()>;
    /// All n-grams of an order have come.
    fn end_of_order(&mut self, order: usize) -> Result<()>;
}

/// Reads a file from beginning to end.
///
/// # Errors
/// `InvalidInput` with the offset of the line: a line of another form, a probability above 1, fewer or
/// more n-grams than promised, no end; whatever `fill` and `take` meet.
pub fn read(path: &Path, fill: Fill<'_>, take: &mut impl Take) -> Result<()> {
    let mut lines = Lines { fill, buffer: Vec::new(), at: 0, before: 0, path };
    // Comments may stand before it.
    while lines.next()?.ok_or_else(|| lines.no_end())?.1 != b"\\data\\" {}
    let mut counts = Vec::new();
    let mut line;
    loop {
        line = lines.filled()?;
        let Some(text) = line.1.strip_prefix(b"ngram ") else { break };
        let count =
            count(text, counts.len() + 1).filter(|_| counts.len() < HIGHEST).ok_or_else(|| {
                lines.invalid(line.0, "is not `ngram ORDER=COUNT`, orders rising to 10")
            })?;
        counts.push(count);
    }
    if counts.is_empty() {
        return Err(lines.invalid(line.0, "stands where `ngram 1=COUNT` should"));
    }
    take.counts(&counts)?;
    for (order, &promised) in (1..).zip(&counts) {
        if line.1 != format!("\\{order}-grams:").as_bytes() {
            let problem = format!("stands where `\\{order}-grams:` should");
            return Err(lines.invalid(line.0, problem));
        }
        let mut found = 0;
        line = loop {
            let next = lines.filled()?;
            if next.1.first() == Some(&b'\\') {
                break next;
            }
            let highest = order == counts.len();
            ngram(&next.1, order, highest, next.0, take).map_err(|problem| {
                problem.unwrap_or_else(|| lines.no_ngram(next.0, order, highest))
            })?;
            found += 1;
        };
        if found != promised {
            let problem = format!("ends {found} n-grams of order {order}, {promised} are promised");
            return Err(lines.invalid(line.0, problem));
        }
        take.end_of_order(order)?;
    }
    match line.1 == b"\\end\\" {
        true => Ok(()),
        false => Err(lines.invalid(line.0, "stands where `\\end\\` should")),
    }
}

fn count(text: &[u8], order: usize) -> Option<u64> {
    let (number, count) = std::str::from_utf8(text).ok()?.split_once('=')?;
    (number.trim().parse() == Ok(order)).then(|| count.trim().parse().ok())?
}

/// Takes a line; fails with `None` if it has another form.
fn ngram(
    line: &[u8],
    order: usize,
    highest: bool,
    offset: u64,
    take: &mut impl Take,
) -> std::result::Result<(), Option<Error>> {
    let mut fields =
        line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|field| !field.is_empty());
    let mut number = || fields.next().and_then(number::parse);
    let probability = number().filter(|&value| value <= 0.0).ok_or(None)?;
    let mut words: [&[u8]; HIGHEST] = [b""; HIGHEST];
    for word in &mut words[..order] {
        *word = fields.next().ok_or(None)?;
    }
    let backoff = match fields.next() {
        None => 0.0,
        Some(_) if highest => return Err(None),
        Some(field) => number::parse(field).ok_or(None)?,
    };
    if fields.next().is_some() {
        return Err(None);
    }
    let words = &words[..order];
    take.ngram(&Ngram { words, probability, backoff, offset }).map_err(Some)
}

/// A line without its end, and where it begins.
type Line = (u64, Vec<u8>);

struct Lines<'a> {
    fill: Fill<'a>,
    buffer: Vec<u8>,
    /// Where the next line begins in the buffer.
    at: usize,
    /// Bytes before the buffer.
    before: u64,
    path: &'a Path,
}

impl Lines<'_> {
    /// The next line, without white space around it.
    fn next(&mut self) -> Result<Option<Line>> {
        let mut searched = self.at;
        loop {
            let rest = &self.buffer[searched..];
            if let Some(length) = rest.iter().position(|&byte| byte == b'\n') {
                let end = searched + length;
                let line =
                    (self.before + self.at as u64, self.buffer[self.at..end].trim_ascii().to_vec());
                self.at = end + 1;
                return Ok(Some(line));
            }
            if self.buffer.len() - self.at > LINE {
                let problem = format!("is a line of more than {LINE} bytes");
                return Err(self.invalid(self.before + self.at as u64, problem));
            }
            self.buffer.drain(..self.at);
            self.before += self.at as u64;
            (self.at, searched) = (0, self.buffer.len());
            if (self.fill)(&mut self.buffer, BLOCK)? == 0 {
                let last = std::mem::take(&mut self.buffer);
                let line = (self.before, last.trim_ascii().to_vec());
                self.before += last.len() as u64;
                return Ok((!last.is_empty()).then_some(line));
            }
        }
    }

    /// The next line that is not empty.
    fn filled(&mut self) -> Result<Line> {
        loop {
            let line = self.next()?.ok_or_else(|| self.no_end())?;
            if !line.1.is_empty() {
                return Ok(line);
            }
        }
    }

    fn no_ngram(&self, offset: u64, order: usize, highest: bool) -> Error {
        let words = if order == 1 { "a word".to_string() } else { format!("{order} words") };
        let more = if highest { "" } else { " and log10 back-off" };
        self.invalid(offset, format!("is not log10 probability, {words}{more}"))
    }

    fn no_end(&self) -> Error {
        self.invalid(self.before, "ends before the line `\\end\\`")
    }

    fn invalid(&self, offset: u64, problem: impl Into<String>) -> Error {
        Error::invalid_file(self.path, Some(offset), problem)
    }
}
