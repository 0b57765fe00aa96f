use std::path::Path;

use inlay_base::{AtomicFile, Error, Result, Run};

use super::field::Put;
use super::{Args, Dictionary, MAGIC, Quantized, VERSION};
use crate::GiveRows;
use crate::rows::rows_a_block;

/// A matrix to be written.
pub enum Rows<'a> {
    /// With all its values, given a block of rows at a time.
    Dense(&'a dyn GiveRows),
    /// As codes.
    Quantized(&'a Quantized),
}

/// Writes a model that fastText reads, whole or not at all: version 12.
///
/// # Errors
/// `Unsupported` for a name with a byte 0 in it, or a number that the format cannot hold; `Aborted`,
/// `DiskFull`, `Io`.
///
/// # Panics
/// If the output is quantized and the input is not.
pub fn write(
    path: &Path,
    args: &Args,
    dictionary: &Dictionary,
    input: &Rows<'_>,
    output: &Rows<'_>,
    run: &Run,
) -> Result<()> {
    let is_quantized = |rows: &Rows<'_>| matches!(rows, Rows::Quantized(_));
    assert!(is_quantized(input) || !is_quantized(output), "fastText has no such model");
    check(path, args, dictionary, &[input, output])?;
    let rows = rows_of(input) + rows_of(output);
    run.phase("write", "rows", 0, Some(rows as u64));
    let mut file = AtomicFile::create(path)?;
    let mut put = Put::default();
    put.i32(MAGIC);
    put.i32(VERSION);
    args.write(&mut put);
    dictionary.write(&mut put);
    file.write(&put.take())?;
    for rows in [input, output] {
        put.flag(is_quantized(rows));
        match rows {
            Rows::Dense(rows) => write_dense(*rows, &mut put, &mut file, run)?,
            Rows::Quantized(quantized) => {
                quantized.write_head(&mut put);
                file.write(&put.take())?;
                file.write(&quantized.codes)?;
                quantized.write_tail(&mut put);
                file.write(&put.take())?;
                run.advance(quantized.rows as u64);
            }
        }
    }
    file.commit()
}

fn write_dense(rows: &dyn GiveRows, put: &mut Put, file: &mut AtomicFile, run: &Run) -> Result<()> {
    let dimensions = rows.dimensions();
    put.i64(rows.rows() as i64);
    put.i64(dimensions as i64);
    file.write(&put.take())?;
    let block = rows_a_block(dimensions);
    let mut values = vec![0.0f32; block.min(rows.rows()) * dimensions];
    for first in (0..rows.rows()).step_by(block) {
        run.check()?;
        let count = block.min(rows.rows() - first);
        let values = &mut values[..count * dimensions];
        rows.give(first, values);
        file.write(bytemuck::cast_slice(values))?;
        run.advance(count as u64);
    }
    Ok(())
}

fn rows_of(rows: &Rows<'_>) -> usize {
    match rows {
        Rows::Dense(rows) => rows.rows(),
        Rows::Quantized(quantized) => quantized.rows,
    }
}

/// The format counts in 31 bits and ends words with a byte 0.
fn check(path: &Path, args: &Args, dictionary: &Dictionary, rows: &[&Rows<'_>]) -> Result<()> {
    let unsupported = |problem: String| {
        Err(Error::Unsupported { what: format!("{}: {problem}", path.display()) })
    };
    if let Some(name) = dictionary.names.iter().find(|name| name.contains(&0)) {
        let name = String::from_utf8_lossy(name);
        return unsupported(format!(
            "{name:?} has a byte 0, which ends a word in fastText's files"
        ));
    }
    let numbers = [
        args.window,
        args.epochs,
        args.min_count,
        args.negative,
        args.word_ngrams,
        args.bucket,
        args.minn,
        args.maxn,
        args.learning_rate_update,
    ];
    let counts = [args.dimensions, dictionary.names.len()];
    let codes = rows.iter().map(|rows| match rows {
        Rows::Quantized(quantized) => quantized.codes.len(),
        Rows::Dense(_) => 0,
    });
    let all = numbers.iter().map(|&number| number as usize).chain(counts).chain(codes);
    match all.max().filter(|&most| most > i32::MAX as usize) {
        Some(most) => unsupported(format!("fastText's files cannot hold a number like {most}")),
        None => Ok(()),
    }
}
