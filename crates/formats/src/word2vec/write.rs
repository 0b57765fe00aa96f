use std::path::Path;
use std::sync::Mutex;

use inlay_base::{AtomicFile, Error, Result, Run, Workers, lock};

use crate::rows::rows_a_block;
use crate::words::shown;
use crate::{GiveRows, Names};

/// Writes `rows dimensions` and then each word and its values, in as many digits as tell each
/// float from every other. gensim, fastText and word2vec's own tools read it.
///
/// # Errors
/// `Unsupported` for a word with a new line in it, which text cannot hold.
pub fn write_text(path: &Path, names: &Names, rows: &dyn GiveRows, run: &Run) -> Result<()> {
    refuse(names, path, b'\n', "a line break", "word2vec's text format")?;
    write(path, names, rows, run, &text_row)
}

/// Writes each word and its values, without a first line, as GloVe's C tool does.
///
/// # Errors
/// `Unsupported` for a word with a space or a new line in it: without the number of values, nobody
/// could tell where it ends.
pub fn write_glove_text(path: &Path, names: &Names, rows: &dyn GiveRows, run: &Run) -> Result<()> {
    refuse(names, path, b'\n', "a line break", "GloVe's text format")?;
    refuse(names, path, b' ', "a space", "GloVe's text format")?;
    let mut file = AtomicFile::create(path)?;
    write_rows(&mut file, names, rows, run, &text_row)?;
    file.commit()
}

fn text_row(name: &[u8], values: &[f32], line: &mut Vec<u8>) {
    line.extend_from_slice(name);
    values.iter().for_each(|&value| digits(value, line));
    line.push(b'\n');
}

/// Writes word2vec.c's binary format, each row with the line end that word2vec.c writes and
/// gensim reads.
///
/// # Errors
/// `Unsupported` for a word with a space in it, or a line break as its first byte, which this
/// format cannot hold.
pub fn write_binary(path: &Path, names: &Names, rows: &dyn GiveRows, run: &Run) -> Result<()> {
    refuse(names, path, b' ', "a space", "word2vec's binary format")?;
    refuse(names, path, b'\n', "a line break", "word2vec's binary format")?;
    write(path, names, rows, run, &|name, values, line| {
        line.extend_from_slice(name);
        line.push(b' ');
        line.extend_from_slice(bytemuck::cast_slice(values));
        line.push(b'\n');
    })
}

pub(crate) fn refuse(names: &Names, path: &Path, byte: u8, what: &str, format: &str) -> Result<()> {
    match names.iter().find(|name| name.contains(&byte)) {
        None => Ok(()),
        Some(name) => Err(Error::Unsupported {
            what: format!(
                "{}: the word {} has {what} in it, which {format} cannot hold; safetensors can",
                path.display(),
                shown(name)
            ),
        }),
    }
}

/// A space and the shortest digits that give the same float back.
fn digits(value: f32, line: &mut Vec<u8>) {
    line.push(b' ');
    number(value, line);
}

/// JSON's spelling of a float is everybody's, and its printer is three times as fast as `format!`.
pub(crate) fn number(value: f32, line: &mut Vec<u8>) {
    if value.is_finite() {
        serde_json::to_writer(line, &value).expect("memory takes all that is written");
    } else {
        line.extend_from_slice(if value.is_nan() { b"nan" } else { b"inf" });
    }
}

type Row<'a> = &'a (dyn Fn(&[u8], &[f32], &mut Vec<u8>) + Sync);

fn write(path: &Path, names: &Names, rows: &dyn GiveRows, run: &Run, row: Row<'_>) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write(format!("{} {}\n", rows.rows(), rows.dimensions()).as_bytes())?;
    write_rows(&mut file, names, rows, run, row)?;
    file.commit()
}

/// Makes blocks of lines on all threads and writes them in order.
pub(crate) fn write_rows(
    file: &mut AtomicFile,
    names: &Names,
    rows: &dyn GiveRows,
    run: &Run,
    row: Row<'_>,
) -> Result<()> {
    let (count, dimensions) = (rows.rows(), rows.dimensions());
    let block = rows_a_block(dimensions);
    let wave = run.threads() * 4;
    let lines: Vec<Mutex<Vec<u8>>> = (0..wave).map(|_| Mutex::default()).collect();
    run.phase("write", "rows", 0, Some(count as u64));
    for start in (0..count).step_by(block * wave) {
        let blocks = (count - start).div_ceil(block).min(wave);
        run.each(blocks, &|task| {
            let first = start + task * block;
            let here = block.min(count - first);
            let mut values = vec![0.0; here * dimensions];
            rows.give(first, &mut values);
            let mut lines = lock(&lines[task]);
            lines.clear();
            for i in 0..here {
                let values = &values[i * dimensions..][..dimensions];
                row(names.get((first + i) as u32), values, &mut lines);
            }
            run.advance(here as u64);
            Ok(())
        })?;
        for lines in &lines[..blocks] {
            file.write(&lock(lines))?;
        }
    }
    Ok(())
}
