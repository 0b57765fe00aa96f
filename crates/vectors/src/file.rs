//! Vectors from files and to files. Our own are mapped and open in milliseconds; all others are
//! read once, block by block, into the precision that is wanted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inlay_base::{Error, Map, Result, Run};
use inlay_formats::safetensors::{self, Dtype, Part, Reader};
use inlay_formats::{
    Format, GiveRows, InvalidUtf8, Names, ReadOptions, TakeRows, npy, projector, sniff, vocabulary,
    word2vec,
};

use crate::WordVectors;
use crate::rows::{Precision, Rows, RowsBuilder};

/// How to open a file.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// Read as this format instead of the one that the content tells.
    pub format: Option<Format>,
    /// Only the first so many rows.
    pub limit: Option<usize>,
    /// Keep values so; by default as the file has them, and float32 for text.
    pub precision: Option<Precision>,
    /// The words of a .npy or projector file, one a line; by default the file beside it,
    /// `NAME.vocabulary.txt` or `metadata.tsv`.
    pub vocabulary: Option<PathBuf>,
    /// What becomes of a word whose bytes are not UTF-8.
    pub invalid_utf8: InvalidUtf8,
}

/// How to write a file.
#[derive(Debug, Clone, Copy, Default)]
pub struct SaveOptions {
    /// By default what the ending of the name says (`Format::by_extension`).
    pub format: Option<Format>,
    /// For safetensors only; by default as the rows are kept.
    pub precision: Option<Precision>,
}

/// Where the words of a .npy file lie.
fn vocabulary_path(path: &Path) -> PathBuf {
    path.with_extension("vocabulary.txt")
}

impl WordVectors {
    /// Opens a file of any known format, told by its content. Safetensors of ours, and .npy of
    /// float32, are mapped: nothing is read until it is needed, and processes share it. A value
    /// that is not finite is refused in every file that is read whole; in a mapped one it makes
    /// the row's similarities 0.
    ///
    /// # Errors
    /// `NotFound`, `Io`, `InvalidInput` with the place of what is wrong, `Unsupported` for formats
    /// that are recognised and not read, `OutOfMemory`, `Aborted`.
    pub fn open(path: &Path, options: &OpenOptions, run: &Run) -> Result<Self> {
        let map = Arc::new(Map::open(path)?);
        let format = match options.format {
            Some(format) => format,
            None => sniff(&map)?,
        };
        let read = ReadOptions { limit: options.limit, invalid_utf8: options.invalid_utf8 };
        let mut builder = RowsBuilder::new(options.precision.unwrap_or_default(), path);
        let names = match format {
            Format::Safetensors => return open_safetensors(map, options, run),
            Format::Word2VecText | Format::GloveText => {
                word2vec::read_text(&map, &read, run, &mut builder)?
            }
            Format::Word2VecBinary => word2vec::read_binary(&map, &read, run, &mut builder)?,
            Format::Npy => {
                let layout = npy::layout(&map)?;
                let words = options.vocabulary.clone().unwrap_or_else(|| vocabulary_path(path));
                let names = Arc::new(vocabulary::read(&words, layout.rows, &read)?);
                let whole = options.limit.is_none_or(|limit| limit >= layout.rows);
                let float32 = options.precision.unwrap_or_default() == Precision::Float32;
                if layout.kind == npy::Kind::F32 && whole && float32 {
                    let form = (layout.rows, layout.dimensions);
                    let rows = Rows::mapped(&map, form, Precision::Float32, layout.range, 0..0)?;
                    return Ok(Self::new(names, rows));
                }
                npy::read(&map, &read, run, &mut builder)?;
                return Ok(Self::new(names, builder.finish()));
            }
            Format::Projector => {
                let mut counted = Counted { builder, rows: 0 };
                projector::read(&map, &read, run, &mut counted)?;
                let Counted { builder, rows } = counted;
                let words = options.vocabulary.clone();
                let words = words.unwrap_or_else(|| projector::metadata_path(path));
                let all = if options.limit.is_some() { projector::rows(&map) } else { rows };
                let names = vocabulary::read(&words, all, &read)?;
                return Ok(Self::new(Arc::new(names), builder.finish()));
            }
        };
        Ok(Self::new(Arc::new(names), builder.finish()))
    }

    /// Writes a file; it appears whole or not at all.
    ///
    /// # Errors
    /// `InvalidOption` for a name whose ending says no format, or a precision that the format
    /// lacks; `Unsupported` for a word that the format cannot hold; `DiskFull`, `Io`, `Aborted`.
    pub fn save(&self, path: &Path, options: &SaveOptions, run: &Run) -> Result<()> {
        let format = options.format.or_else(|| Format::by_extension(path));
        let format = format.ok_or_else(|| Error::InvalidOption {
            option: "format",
            expected:
                "given for a file whose name does not end in .safetensors, .txt, .vec, .bin, \
                       .npy or .tsv"
                    .into(),
            got: path.display().to_string(),
        })?;
        let (names, rows) = (self.names(), &**self.rows());
        if format != Format::Safetensors
            && let Some(precision) = options.precision
            && precision != Precision::Float32
        {
            return Err(Error::InvalidOption {
                option: "precision",
                expected: format!("float32 for {}", format.name()),
                got: precision.name().into(),
            });
        }
        match format {
            Format::Safetensors => match options.precision {
                Some(precision) if precision != self.precision() => {
                    self.with_precision(precision, run)?.save_safetensors(path, run)
                }
                _ => self.save_safetensors(path, run),
            },
            Format::Word2VecText => word2vec::write_text(path, names, rows, run),
            Format::GloveText => word2vec::write_glove_text(path, names, rows, run),
            Format::Word2VecBinary => word2vec::write_binary(path, names, rows, run),
            Format::Npy => {
                npy::write(path, rows, run)?;
                vocabulary::save(&vocabulary_path(path), names)
            }
            Format::Projector => projector::write(path, names, rows, run),
        }?;
        run.finish();
        Ok(())
    }

    fn save_safetensors(&self, path: &Path, run: &Run) -> Result<()> {
        let metadata = serde_json::json!({ "kind": "word-vectors", "version": 1 }).to_string();
        let mut parts = self.names().parts();
        parts.extend(self.parts(run));
        if let Some(counts) = self.counts() {
            let bytes = bytemuck::cast_slice(counts);
            parts.push(Part::bytes("counts", Dtype::U64, &[counts.len()], bytes));
        }
        safetensors::save(path, &[("inlay", &metadata)], parts)
    }

    /// The rows as tensors of a file, for models that hold more: `vectors`, and `scales` where the
    /// values are bytes.
    pub fn parts<'a>(&'a self, run: &'a Run) -> Vec<Part<'a>> {
        let rows = &**self.rows();
        let (count, dimensions) = (self.len(), self.dimensions());
        let dtype = match self.precision() {
            Precision::Float32 => Dtype::F32,
            Precision::Float16 => Dtype::F16,
            Precision::Int8 => Dtype::I8,
        };
        let shape = [count, dimensions];
        let vectors = Part::streamed("vectors", dtype, &shape, move |writer| {
            run.phase("write", "rows", 0, Some(count as u64));
            let block = ((1 << 20) / rows.row_bytes().max(1)).max(1);
            // Only rows of float32 are ever padded.
            let mut values =
                vec![0.0f32; if rows.bytes().is_none() { block * dimensions } else { 0 }];
            for first in (0..count).step_by(block) {
                run.check()?;
                let here = block.min(count - first);
                match rows.bytes() {
                    Some((bytes, _)) => {
                        let row = rows.row_bytes();
                        writer.write(&bytes[first * row..(first + here) * row])?;
                    }
                    None => {
                        let values = &mut values[..here * dimensions];
                        rows.give(first, values);
                        writer.write(bytemuck::cast_slice(values))?;
                    }
                }
                run.advance(here as u64);
            }
            Ok(())
        });
        let mut parts = vec![vectors];
        if let Some((_, scales)) = rows.bytes().filter(|_| dtype == Dtype::I8) {
            parts.push(Part::bytes("scales", Dtype::F32, &[count], scales));
        }
        parts
    }
}

/// A builder that also tells how many rows it was promised.
struct Counted<'a> {
    builder: RowsBuilder<'a>,
    rows: usize,
}

impl TakeRows for Counted<'_> {
    fn start(&mut self, rows: usize, dimensions: usize) -> Result<()> {
        self.rows = rows;
        self.builder.start(rows, dimensions)
    }

    fn take(&mut self, first: usize, values: &[f32]) -> Result<()> {
        self.builder.take(first, values)
    }
}

fn open_safetensors(map: Arc<Map>, options: &OpenOptions, run: &Run) -> Result<WordVectors> {
    let reader = Reader::of(map)?;
    let map = reader.map();
    let path = map.path();
    let invalid =
        |offset: usize, problem: String| Error::invalid_file(path, Some(offset as u64), problem);
    let missing = |tensor: &str| {
        let names: Vec<_> = reader.names().take(8).collect();
        invalid(8, format!("holds no tensor `{tensor}`; it holds {}", names.join(", ")))
    };
    let names = Names::read(&reader)?.ok_or_else(|| missing("vocabulary.bytes"))?;
    let vectors = reader.tensor("vectors").ok_or_else(|| missing("vectors"))?;
    let precision = match vectors.dtype {
        Dtype::F32 => Precision::Float32,
        Dtype::F16 => Precision::Float16,
        Dtype::I8 => Precision::Int8,
        other => {
            let what = format!("{}: vectors of {other:?} are not read", path.display());
            return Err(Error::Unsupported { what });
        }
    };
    let at = vectors.range.start;
    let &[rows, dimensions] = vectors.shape.as_slice() else {
        return Err(invalid(at, format!("`vectors` has {} axes, not two", vectors.shape.len())));
    };
    if dimensions == 0 || rows != names.len() {
        let problem =
            format!("`vectors` has {rows} rows of {dimensions} values for {} words", names.len());
        return Err(invalid(at, problem));
    }
    let mut scales = 0..0;
    if precision == Precision::Int8 {
        let tensor = reader.tensor("scales").ok_or_else(|| missing("scales"))?;
        if tensor.dtype != Dtype::F32 || tensor.shape != [rows] {
            return Err(invalid(
                tensor.range.start,
                format!("`scales` is not a list of {rows} F32"),
            ));
        }
        scales = tensor.range;
    }
    let counts = reader
        .tensor("counts")
        .filter(|counts| counts.dtype == Dtype::U64 && counts.shape == [rows])
        .map(|counts| counts.bytes.chunks_exact(8).map(bytemuck::pod_read_unaligned).collect());
    let names = judged(names, options, path)?;
    let matrix = Rows::mapped(map, (rows, dimensions), precision, vectors.range, scales)?;
    let limit = options.limit.filter(|&limit| limit < rows);
    let wanted = options.precision.unwrap_or(precision);
    if limit.is_none() && wanted == precision {
        return Ok(WordVectors::with_counts(Arc::new(names), matrix, counts));
    }
    let rows = limit.unwrap_or(rows);
    let mut builder = RowsBuilder::new(wanted, path);
    builder.start(rows, dimensions)?;
    run.phase("read", "rows", 0, Some(rows as u64));
    let block = ((1 << 16) / dimensions).max(1);
    let mut values = vec![0.0; block * dimensions];
    for first in (0..rows).step_by(block) {
        run.check()?;
        let here = block.min(rows - first);
        matrix.give(first, &mut values[..here * dimensions]);
        builder.take(first, &values[..here * dimensions])?;
        run.advance(here as u64);
    }
    let names = if limit.is_some() { Names::new(names.iter().take(rows))? } else { names };
    let counts = counts.map(|counts: Arc<[u64]>| counts[..rows].into());
    Ok(WordVectors::with_counts(Arc::new(names), builder.finish(), counts))
}

/// The names, when their bytes are to be looked at.
fn judged(names: Names, options: &OpenOptions, path: &Path) -> Result<Names> {
    let wrong = match options.invalid_utf8 {
        InvalidUtf8::Keep => None,
        _ => names.iter().position(|name| std::str::from_utf8(name).is_err()),
    };
    match (wrong, options.invalid_utf8) {
        (None, _) | (_, InvalidUtf8::Keep) => Ok(names),
        (Some(number), InvalidUtf8::Error) => {
            let problem = format!("word {number} (from 0) is not UTF-8");
            Err(Error::invalid_file(path, None, problem))
        }
        (Some(_), InvalidUtf8::Replace) => {
            Names::new(names.iter().map(|name| String::from_utf8_lossy(name).into_owned()))
        }
    }
}
