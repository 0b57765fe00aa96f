//! Sparse matrices as SciPy's `save_npz` writes them: a zip archive of NumPy arrays, `data`, `indices`
//! and `indptr` of the matrix by rows (CSR), its `shape` and its `format`.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use half::f16;
use inlay_base::{AtomicFile, Error, Result, Run};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::npy::{preamble, split};

/// Bytes that are written between two questions whether the run goes on.
const STEP: usize = 1 << 20;
/// What deflate makes of nothing but zeros: bytes of text for one of file.
const DENSEST: u64 = 1032;

/// A sparse matrix by rows, as a file has it: nothing of it is checked but that lengths fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Csr {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Where rows begin and end: one more than rows.
    pub offsets: Vec<u64>,
    /// Columns of the values.
    pub indices: Vec<u32>,
    /// Values.
    pub values: Vec<f32>,
}

/// A matrix to be written.
#[derive(Debug, Clone, Copy)]
pub struct CsrParts<'a> {
    /// Columns.
    pub columns: usize,
    /// Where rows begin and end: one more than rows.
    pub offsets: &'a [u64],
    /// Columns of the values.
    pub indices: &'a [u32],
    /// Values.
    pub values: &'a [f32],
}

/// Writes a matrix, uncompressed. `indices` are 32 bits wide, as SciPy has them, unless the matrix is
/// too large for that.
///
/// # Errors
/// `DiskFull`, `Io`, `Aborted`.
pub fn save(path: &Path, matrix: CsrParts<'_>, run: &Run) -> Result<()> {
    let CsrParts { columns, offsets, indices, values } = matrix;
    let mut file = AtomicFile::create(path)?;
    let mut through = Through { file: &mut file, failure: None };
    run.phase("write", "values", 0, Some(values.len() as u64));
    let written = (|| {
        let mut zip = ZipWriter::new_stream(&mut through);
        let rows = offsets.len() as i64 - 1;
        let wide = i32::try_from(values.len().max(columns)).is_err();
        member(&mut zip, "format", "|S3", "()", b"csr", run)?;
        member(&mut zip, "shape", "<i8", "(2,)", bytes(&[rows, columns as i64]), run)?;
        let shape = format!("({},)", offsets.len());
        if wide {
            member(&mut zip, "indptr", "<i8", &shape, bytes(offsets), run)?;
        } else {
            let narrow: Vec<i32> = offsets.iter().map(|&offset| offset as i32).collect();
            member(&mut zip, "indptr", "<i4", &shape, bytes(&narrow), run)?;
        }
        let shape = format!("({},)", values.len());
        if wide {
            let indices: Vec<i64> = indices.iter().map(|&index| i64::from(index)).collect();
            member(&mut zip, "indices", "<i8", &shape, bytes(&indices), run)?;
        } else {
            member(&mut zip, "indices", "<i4", &shape, bytes(indices), run)?;
        }
        member(&mut zip, "data", "<f4", &shape, bytes(values), run)?;
        zip.finish()?;
        Ok::<(), zip::result::ZipError>(())
    })();
    if let Some(failure) = through.failure.take() {
        return Err(failure);
    }
    run.check()?;
    written.map_err(|error| Error::Internal(format!("a zip archive that cannot be: {error}")))?;
    file.commit()
}

fn bytes<T: bytemuck::NoUninit>(values: &[T]) -> &[u8] {
    bytemuck::cast_slice(values)
}

fn member<W: Write>(
    zip: &mut ZipWriter<zip::write::StreamWriter<W>>,
    name: &str,
    descr: &str,
    shape: &str,
    values: &[u8],
    run: &Run,
) -> zip::result::ZipResult<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .large_file(values.len() > 0xFF00_0000);
    zip.start_file(format!("{name}.npy"), options)?;
    zip.write_all(&preamble(descr, shape))?;
    for step in values.chunks(STEP) {
        run.check().map_err(|_| io::Error::other("stopped"))?;
        zip.write_all(step)?;
    }
    Ok(())
}

/// A file of ours for whoever writes as the standard library does; keeps what went wrong.
struct Through<'a> {
    file: &'a mut AtomicFile,
    failure: Option<Error>,
}

impl Write for Through<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.write(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                self.failure.get_or_insert(error);
                Err(io::Error::other("not written"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a matrix that `save`, or SciPy, wrote.
///
/// # Errors
/// `NotFound`; `InvalidInput` for a damaged file; `Unsupported` for a matrix of another form (CSC, COO,
/// ...) or of complex numbers.
pub fn open(path: &Path, run: &Run) -> Result<Csr> {
    let file = File::open(path).map_err(|error| Error::io("open", path, &error))?;
    let length = file.metadata().map_err(|error| Error::io("open", path, &error))?.len();
    let mut archive = Archive {
        zip: ZipArchive::new(BufReader::new(file))
            .map_err(|error| Error::invalid_file(path, None, format!("is no .npz: {error}")))?,
        path,
        length,
        run,
    };
    let (_, _, format) = archive.array("format")?;
    let format: String =
        format.iter().filter(|&&byte| byte != 0).map(|&byte| char::from(byte)).collect();
    if format != "csr" {
        let name = path.display();
        let what = format!(
            "{name}: a sparse matrix of the form `{format}`; `tocsr()` makes one that is read"
        );
        return Err(Error::Unsupported { what });
    }
    let invalid = |problem: &str| Error::invalid_file(path, None, problem);
    let shape = archive.integers("shape")?;
    let &[rows, columns] = shape.as_slice() else {
        return Err(invalid("its shape is not two sizes"));
    };
    let columns = u32::try_from(columns).map_err(|_| invalid("it has too many columns"))? as usize;
    let offsets = archive.integers("indptr")?;
    if rows.checked_add(1) != Some(offsets.len() as u64) {
        return Err(invalid("`indptr` is not one longer than there are rows"));
    }
    let narrow = |index: u64| {
        u32::try_from(index).map_err(|_| invalid("`indices` holds a column beyond the last"))
    };
    let indices =
        archive.integers("indices")?.into_iter().map(narrow).collect::<Result<Vec<_>>>()?;
    let values = archive.values("data")?;
    if indices.len() != values.len() {
        return Err(invalid("`indices` and `data` are not of one length"));
    }
    Ok(Csr { rows: rows as usize, columns, offsets, indices, values })
}

/// A file that is being read.
struct Archive<'a> {
    zip: ZipArchive<BufReader<File>>,
    path: &'a Path,
    length: u64,
    run: &'a Run,
}

impl Archive<'_> {
    /// Type, shape and bytes of an array.
    fn array(&mut self, name: &str) -> Result<(String, Vec<usize>, Vec<u8>)> {
        let (path, run) = (self.path, self.run);
        let invalid = |problem: String| Error::invalid_file(path, None, problem);
        let mut member = self
            .zip
            .by_name(&format!("{name}.npy"))
            .map_err(|error| invalid(format!("it has no `{name}` of a sparse matrix ({error})")))?;
        let size = member.size();
        if size > self.length.saturating_mul(DENSEST) {
            return Err(invalid(format!("`{name}` promises {size} bytes, more than it can hold")));
        }
        let mut array = Vec::new();
        loop {
            run.check()?;
            let mut step = member.by_ref().take(STEP as u64);
            let read = step
                .read_to_end(&mut array)
                .map_err(|error| invalid(format!("`{name}` is damaged: {error}")))?;
            if read == 0 {
                break;
            }
            if array.len() as u64 > size {
                return Err(invalid(format!("`{name}` is longer than it says")));
            }
        }
        let (header, _, data) =
            split(&array).map_err(|(_, problem)| invalid(format!("`{name}` {problem}")))?;
        if header.fortran_order && header.shape.len() > 1 {
            return Err(invalid(format!("`{name}` is in Fortran order")));
        }
        let values = array.split_off(data);
        Ok((header.descr, header.shape, values))
    }

    fn of_length(&mut self, name: &str) -> Result<(String, Vec<u8>)> {
        let (descr, shape, bytes) = self.array(name)?;
        let size = descr.get(2..).and_then(|size| size.parse().ok()).unwrap_or(0usize);
        let (&[count], 1..) = (shape.as_slice(), size) else {
            return Err(Error::invalid_file(self.path, None, format!("`{name}` is no list")));
        };
        if count.checked_mul(size) != Some(bytes.len()) {
            let problem = format!("`{name}` is not as long as it says");
            return Err(Error::invalid_file(self.path, None, problem));
        }
        Ok((descr, bytes))
    }

    fn integers(&mut self, name: &str) -> Result<Vec<u64>> {
        let (descr, bytes) = self.of_length(name)?;
        let values: Option<Vec<u64>> = match descr.as_str() {
            "<i4" => numbers::<i32>(&bytes).map(|value| u64::try_from(value).ok()).collect(),
            "<i8" => numbers::<i64>(&bytes).map(|value| u64::try_from(value).ok()).collect(),
            "<u4" => Some(numbers::<u32>(&bytes).map(u64::from).collect()),
            "<u8" => Some(numbers::<u64>(&bytes).collect()),
            _ => return Err(self.unsupported(name, &descr)),
        };
        values.ok_or_else(|| {
            Error::invalid_file(self.path, None, format!("`{name}` holds a number below 0"))
        })
    }

    fn values(&mut self, name: &str) -> Result<Vec<f32>> {
        let (descr, bytes) = self.of_length(name)?;
        Ok(match descr.as_str() {
            "<f2" => numbers::<f16>(&bytes).map(f16::to_f32).collect(),
            "<f4" => numbers::<f32>(&bytes).collect(),
            "<f8" => numbers::<f64>(&bytes).map(|value| value as f32).collect(),
            "<i4" => numbers::<i32>(&bytes).map(|value| value as f32).collect(),
            "<i8" => numbers::<i64>(&bytes).map(|value| value as f32).collect(),
            "<u4" => numbers::<u32>(&bytes).map(|value| value as f32).collect(),
            "<u8" => numbers::<u64>(&bytes).map(|value| value as f32).collect(),
            "|i1" => numbers::<i8>(&bytes).map(f32::from).collect(),
            "|u1" | "|b1" => bytes.iter().map(|&value| f32::from(value)).collect(),
            _ => return Err(self.unsupported(name, &descr)),
        })
    }

    fn unsupported(&self, name: &str, descr: &str) -> Error {
        let what = format!("{}: `{name}` is of the type `{descr}`", self.path.display());
        Error::Unsupported { what }
    }
}

fn numbers<T: bytemuck::AnyBitPattern>(bytes: &[u8]) -> impl Iterator<Item = T> + '_ {
    bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned)
}
