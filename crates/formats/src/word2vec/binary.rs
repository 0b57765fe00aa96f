use inlay_base::{Error, Map, Result, Run};

use super::header;
use crate::rows::rows_a_block;
use crate::words::Words;
use crate::{Names, ReadOptions, TakeRows};

/// Reads word2vec.c's binary format: the line `rows dimensions`, then for each row the word, a
/// space, and its values as 4-byte floats. word2vec.c ends each row with a new line, gensim does
/// not: both are read. A word that comes twice keeps both rows; its name finds the first.
///
/// # Errors
/// `InvalidInput` with the byte offset: a header that promises more than the file holds, a row cut
/// short, a value that is not finite, bytes after the last row.
pub fn read(map: &Map, options: &ReadOptions, run: &Run, sink: &mut dyn TakeRows) -> Result<Names> {
    let path = map.path();
    let invalid =
        |offset: usize, problem: String| Error::invalid_file(path, Some(offset as u64), problem);
    let head = header(map)
        .ok_or_else(|| invalid(0, "does not begin with the line `rows dimensions`".into()))?;
    let dimensions = head.dimensions;
    let rows = options.limited(head.rows);
    let remaining = map.len() - head.end;
    let row_bytes = dimensions.checked_mul(4).filter(|_| dimensions > 0);
    let least = row_bytes.and_then(|bytes| bytes.checked_add(1)?.checked_mul(rows));
    let (Some(row_bytes), Some(_)) = (row_bytes, least.filter(|&least| least <= remaining)) else {
        let problem = format!(
            "the header promises {} rows of {dimensions} values, the file has {remaining} bytes \
             for them",
            head.rows
        );
        return Err(invalid(0, problem));
    };
    sink.start(rows, dimensions)?;
    run.phase("read", "bytes", head.end as u64, Some(map.len() as u64));
    let mut words = Words::default();
    let mut at = head.end;
    let block = rows_a_block(dimensions).min(rows);
    let mut values = Vec::with_capacity(block * dimensions);
    for first in (0..rows).step_by(block.max(1)) {
        run.check()?;
        let start = at;
        values.clear();
        for row in first..rows.min(first + block) {
            at += usize::from(map.get(at) == Some(&b'\n'));
            let rest = &map[at..];
            let space = rest.iter().position(|&byte| byte == b' ').ok_or_else(|| {
                invalid(
                    at,
                    format!("the header promises {} rows, row {row} is cut short", head.rows),
                )
            })?;
            words.push(&rest[..space], options.invalid_utf8, path, row, at)?;
            let data = rest.get(space + 1..space + 1 + row_bytes).ok_or_else(|| {
                invalid(
                    at,
                    format!("the header promises {} rows, row {row} is cut short", head.rows),
                )
            })?;
            let numbers = data.chunks_exact(4);
            values.extend(
                numbers.map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
            );
            at += space + 1 + row_bytes;
        }
        if let Some(wrong) = values.iter().position(|value| !value.is_finite()) {
            let row = first + wrong / dimensions;
            return Err(invalid(start, not_finite(row, values[wrong])));
        }
        sink.take(first, &values)?;
        map.release(start..at);
        run.advance((at - start) as u64);
    }
    if rows == head.rows && !map[at..].iter().all(u8::is_ascii_whitespace) {
        return Err(invalid(at, trailing(map, head.rows, at)));
    }
    words.into_names()
}

fn not_finite(row: usize, value: f32) -> String {
    format!("row {row} (from 0), in the block of rows that begins here, holds {value}")
}

fn trailing(map: &Map, rows: usize, at: usize) -> String {
    format!("the header promises {rows} rows, {} bytes follow them", map.len() - at)
}
