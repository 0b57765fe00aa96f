//! The embedding projector's files (TensorBoard, projector.tensorflow.org): values separated by
//! tabs, and in a file beside them the words, without a heading as long as there is one column.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use inlay_base::{AtomicFile, Error, Map, Result, Run, Workers, lock};

use crate::words::shown;
use crate::{GiveRows, Names, ReadOptions, TakeRows, number, vocabulary};

/// Text that one task parses.
const BLOCK: usize = 1 << 20;

/// Where the words of a file of values lie: `metadata.tsv` beside `vectors.tsv`, and
/// `NAME.metadata.tsv` beside `NAME.tsv`.
pub fn metadata_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.contains("vectors") {
        return path.with_file_name(name.replace("vectors", "metadata"));
    }
    path.with_extension("metadata.tsv")
}

/// How many rows there are.
pub fn rows(map: &Map) -> usize {
    let end = map.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |at| at + 1);
    map[..end].iter().filter(|&&byte| byte == b'\n').count() + usize::from(end > 0)
}

/// Reads the values: numbers separated by tabs, one row a line, without a heading.
///
/// # Errors
/// `InvalidInput` with line and byte offset: rows of unequal length, a field that is not a finite
/// number.
pub fn read(map: &Map, options: &ReadOptions, run: &Run, sink: &mut dyn TakeRows) -> Result<()> {
    let end = map.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |at| at + 1);
    let text = &map[..end];
    let line_end = |from: usize| {
        text[from..].iter().position(|&byte| byte == b'\n').map_or(end, |length| from + length + 1)
    };
    let first = &text[..line_end(0)];
    let dimensions = first.split(|&byte| byte == b'\t').count();
    let limit = options.limit.unwrap_or(usize::MAX);
    // Line counts first, so that every block knows where its rows go.
    let (mut blocks, mut rows, mut at) = (Vec::new(), 0, 0);
    while at < end && rows < limit {
        run.check()?;
        let stop = line_end((at + BLOCK).min(end - 1));
        blocks.push((at..stop, rows));
        rows +=
            text[at..stop].iter().filter(|&&byte| byte == b'\n').count() + usize::from(stop == end);
        at = stop;
    }
    rows = rows.min(limit);
    sink.start(rows, dimensions)?;
    run.phase("read", "bytes", 0, Some(at as u64));
    let sink = Mutex::new(sink);
    run.each(blocks.len(), &|task| {
        let (range, first) = &blocks[task];
        let block = &text[range.clone()];
        let block = block.strip_suffix(b"\n").unwrap_or(block);
        let mut values = Vec::new();
        let mut place = range.start;
        for (i, line) in block.split(|&byte| byte == b'\n').enumerate().take(rows - first) {
            let offset = place;
            place += line.len() + 1;
            let invalid = |at: usize, problem: String| {
                let problem = format!("line {}: {problem}", first + i + 1);
                Error::invalid_file(map.path(), Some((offset + at) as u64), problem)
            };
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let before = values.len();
            let mut at = 0;
            for field in line.split(|&byte| byte == b'\t') {
                let value = number::parse(field).ok_or_else(|| {
                    invalid(at, format!("{} is not a finite number", shown(field)))
                })?;
                values.push(value);
                at += field.len() + 1;
            }
            if values.len() - before != dimensions {
                let found = values.len() - before;
                let problem = format!("{dimensions} values are wanted, there are {found}");
                return Err(invalid(0, problem));
            }
        }
        lock(&sink).take(*first, &values)?;
        map.release(range.clone());
        run.advance(range.len() as u64);
        Ok(())
    })
}

/// Writes the values to `path` and the words to `metadata_path(path)`.
///
/// # Errors
/// `Unsupported` for a word with a tab or a line break in it.
pub fn write(path: &Path, names: &Names, rows: &dyn GiveRows, run: &Run) -> Result<()> {
    let words = vocabulary::write(&metadata_path(path), names)?;
    let mut file = AtomicFile::create(path)?;
    crate::word2vec::write_rows(&mut file, names, rows, run, &|_, values, line| {
        for (i, &value) in values.iter().enumerate() {
            if i > 0 {
                line.push(b'\t');
            }
            crate::word2vec::number(value, line);
        }
        line.push(b'\n');
    })?;
    file.commit()?;
    words.commit()
}
