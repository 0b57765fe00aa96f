use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;

use inlay_base::{Error, Map, Result, Run, Workers, lock};

use super::{fields, header, line, mark};
use crate::words::{Words, shown};
use crate::{Names, ReadOptions, TakeRows, number};

/// Text that one task parses.
const BLOCK: usize = 1 << 21;

/// Where the rows are and what they look like.
struct Layout {
    /// What the header promises, if there is one.
    promised: Option<usize>,
    dimensions: usize,
    /// Of the rows, without blank lines at the end of the file.
    range: Range<usize>,
}

/// Reads text: a word and its values on each line, separated by spaces or tabs, after a line
/// `rows dimensions` (word2vec.c, gensim, fastText's .vec) or without one (GloVe: the first line
/// tells the dimensions). The last `dimensions` fields of a line are its values and all before
/// them is the word, spaces included; one separator stands between the two. All threads of the run
/// parse. A word that comes twice keeps both rows; its name finds the first.
///
/// # Errors
/// `InvalidInput` with line and byte offset: a row that is too short or blank, a field that is not
/// a finite number, more or fewer rows than the header promises.
pub fn read(map: &Map, options: &ReadOptions, run: &Run, sink: &mut dyn TakeRows) -> Result<Names> {
    let path = map.path();
    let layout = layout(map)?;
    let dimensions = layout.dimensions;
    run.phase("count", "bytes", 0, None);
    let (blocks, rows) = blocks(map, &layout, options, run)?;
    if let Some(promised) = layout.promised
        && options.limited(promised) != rows
    {
        let found = if options.limit.is_some() { "fewer".into() } else { rows.to_string() };
        let problem = format!("the header promises {promised} rows, the file holds {found}");
        return Err(Error::invalid_file(path, Some(0), problem));
    }
    sink.start(rows, dimensions)?;
    let total = blocks.last().map_or(layout.range.start, |block| block.range.end);
    run.phase("read", "bytes", layout.range.start as u64, Some(total as u64));
    let words: Vec<Mutex<Words>> = blocks.iter().map(|_| Mutex::default()).collect();
    let sink = Mutex::new(sink);
    run.each(blocks.len(), &|task| {
        let block = &blocks[task];
        let mut parsed = Parsed::default();
        parse(map, block, &layout, options, run, &mut parsed)?;
        lock(&sink).take(block.first, &parsed.values)?;
        *lock(&words[task]) = parsed.words;
        map.release(block.range.clone());
        run.advance(block.range.len() as u64);
        Ok(())
    })?;
    let mut all = Words::default();
    words.into_iter().for_each(|words| {
        all.append(&words.into_inner().unwrap_or_else(PoisonError::into_inner));
    });
    all.into_names()
}

fn layout(map: &Map) -> Result<Layout> {
    let invalid = |offset: usize, problem: String| {
        Error::invalid_file(map.path(), Some(offset as u64), problem)
    };
    let end =
        map.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    if let Some(head) = header(map) {
        let range = head.end.min(end)..end;
        // The shortest row: no word, and for each value a separator and a digit.
        let least = head.dimensions.checked_mul(2).and_then(|row| row.checked_mul(head.rows));
        if head.dimensions == 0 || least.is_none_or(|least| least > range.len()) {
            let problem = format!(
                "the header promises {} rows of {} values, the file has {} bytes for them",
                head.rows,
                head.dimensions,
                range.len()
            );
            return Err(invalid(0, problem));
        }
        return Ok(Layout { promised: Some(head.rows), dimensions: head.dimensions, range });
    }
    let start = mark(map);
    let (first, _) = line(map, start);
    let dimensions = fields(first).count().saturating_sub(1);
    if dimensions == 0 {
        return Err(invalid(start, "line 1: a word and its values are missing".into()));
    }
    Ok(Layout { promised: None, dimensions, range: start..end.max(start) })
}

struct Block {
    range: Range<usize>,
    /// Number of its first row.
    first: usize,
}

/// Cuts the file into blocks of whole lines and counts the rows before each.
fn blocks(
    map: &Map,
    layout: &Layout,
    options: &ReadOptions,
    run: &Run,
) -> Result<(Vec<Block>, usize)> {
    let Range { mut start, end } = layout.range;
    if start == end || options.limit == Some(0) {
        return Ok((Vec::new(), 0));
    }
    let mut ranges = Vec::new();
    let mut known = 0;
    let mut left = options.limit;
    while start < end && left != Some(0) {
        run.check()?;
        let near = end.min(start.saturating_add(BLOCK));
        let mut stop = next_line(map, near, end);
        if let Some(left) = &mut left {
            // With a limit the lines are counted at once, so that the rest is not read at all.
            let lines = lines_in(&map[start..stop]);
            if lines > *left {
                let mut ends = map[start..stop].iter().enumerate().filter(|(_, b)| **b == b'\n');
                stop = start + ends.nth(*left - 1).map_or(stop - start, |(at, _)| at + 1);
            }
            *left -= lines.min(*left);
        }
        ranges.push(start..stop);
        start = stop;
    }
    let counts: Vec<Mutex<usize>> = ranges.iter().map(|_| Mutex::new(0)).collect();
    run.each(ranges.len(), &|task| {
        let lines = lines_in(&map[ranges[task].clone()]);
        *lock(&counts[task]) = lines;
        Ok(())
    })?;
    let blocks = ranges.into_iter().zip(counts).map(|(range, count)| {
        let first = known;
        known += count.into_inner().unwrap_or_else(PoisonError::into_inner);
        Block { range, first }
    });
    let blocks = blocks.collect();
    Ok((blocks, known))
}

/// Where the line that follows the one at `near` begins.
fn next_line(map: &Map, near: usize, end: usize) -> usize {
    match map[near..end].iter().position(|&byte| byte == b'\n') {
        Some(length) => near + length + 1,
        None => end,
    }
}

/// Lines of whole-line text; the last may lack its end.
fn lines_in(text: &[u8]) -> usize {
    // Sums of a byte each are vectorised, and 255 of them do not overflow.
    let ends: usize = text
        .chunks(255)
        .map(|part| usize::from(part.iter().map(|&byte| u8::from(byte == b'\n')).sum::<u8>()))
        .sum();
    ends + usize::from(text.last().is_some_and(|&byte| byte != b'\n'))
}

#[derive(Default)]
struct Parsed {
    words: Words,
    values: Vec<f32>,
}

fn parse(
    map: &Map,
    block: &Block,
    layout: &Layout,
    options: &ReadOptions,
    run: &Run,
    parsed: &mut Parsed,
) -> Result<()> {
    let header_lines = usize::from(layout.promised.is_some());
    let mut at = block.range.start;
    while at < block.range.end {
        let row = block.first + parsed.words.len();
        if row.is_multiple_of(64) {
            run.check()?;
        }
        let rest = &map[at..block.range.end];
        let length = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        let text = rest[..length].strip_suffix(b"\r").unwrap_or(&rest[..length]);
        let word = values(text, layout.dimensions, &mut parsed.values).map_err(|problem| {
            let line = row + header_lines + 1;
            let place = (at + problem.at) as u64;
            Error::invalid_file(map.path(), Some(place), format!("line {line}: {}", problem.what))
        })?;
        parsed.words.push(word, options.invalid_utf8, map.path(), row, at)?;
        at += length + 1;
    }
    Ok(())
}

struct Problem {
    /// Where in the line.
    at: usize,
    what: String,
}

/// Adds the values of a line and returns its word.
fn values<'a>(
    line: &'a [u8],
    dimensions: usize,
    into: &mut Vec<f32>,
) -> std::result::Result<&'a [u8], Problem> {
    let before = into.len();
    // Nearly every line is a word without spaces and single separators: one pass.
    let separator = |byte: &u8| matches!(byte, b' ' | b'\t');
    if let Some(word) = line.iter().position(separator) {
        let mut at = word;
        let mut count = 0;
        while at < line.len() && count < dimensions {
            let Some((value, length)) = number::field(&line[at + 1..]) else { break };
            into.push(value);
            count += 1;
            at += 1 + length;
        }
        if count == dimensions && line[at..].iter().all(separator) {
            return Ok(&line[..word]);
        }
        into.truncate(before);
    }
    from_the_end(line, dimensions, into).inspect_err(|_| into.truncate(before))
}

/// The last fields are the values, whatever the word before them holds.
fn from_the_end<'a>(
    line: &'a [u8],
    dimensions: usize,
    into: &mut Vec<f32>,
) -> std::result::Result<&'a [u8], Problem> {
    let separator = |byte: &u8| matches!(byte, b' ' | b'\t');
    let before = into.len();
    let mut end = line.len();
    for left in (0..dimensions).rev() {
        end = line[..end].iter().rposition(|byte| !separator(byte)).map_or(0, |last| last + 1);
        let start = line[..end].iter().rposition(separator).map_or(0, |space| space + 1);
        let too_short = || Problem {
            at: 0,
            what: format!(
                "a word and {dimensions} values are wanted, there are {} fields",
                fields(line).count()
            ),
        };
        if start == end {
            return Err(too_short());
        }
        let field = &line[start..end];
        let Some(value) = number::parse(field) else {
            // The word itself stands where a value should: the line lacks values.
            let too_few = fields(line).count() <= dimensions;
            let what = format!("{} is not a finite number", shown(field));
            return Err(if too_few { too_short() } else { Problem { at: start, what } });
        };
        into.push(value);
        if start == 0 {
            return Err(too_short()); // no separator: the word is missing
        }
        end = if left == 0 { start - 1 } else { start };
    }
    into[before..].reverse();
    Ok(&line[..end])
}
