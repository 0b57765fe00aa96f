//! IDX, the format of MNIST and its kin (LeCun, Cortes and Burges): two zeros, the type of the numbers, how many
//! axes there are and how long each is, and the numbers, the first byte first. Packed by gzip or not.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use inlay_base::{Error, Result};

use crate::Check;

/// Bytes that are read at once.
const BLOCK: usize = 1 << 20;
/// A byte of gzip becomes at most so many (deflate: 258 bytes of two bits).
const GZIP_RATIO: u64 = 1032;

/// An array from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Idx {
    /// How long each axis is, at least one: items first.
    pub shape: Vec<u32>,
    /// All numbers, item after item.
    pub values: Values,
}

/// Numbers of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Where the file has bytes from 0 to 255.
    Bytes(Vec<u8>),
    /// Of all other types.
    Numbers(Vec<f64>),
}

/// What numbers are, by the third byte of a file.
#[derive(Clone, Copy)]
enum Type {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Type {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            0x08 => Self::U8,
            0x09 => Self::I8,
            0x0b => Self::I16,
            0x0c => Self::I32,
            0x0d => Self::F32,
            0x0e => Self::F64,
            _ => return None,
        })
    }

    fn width(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Appends the numbers of whole rows of bytes.
    fn append(self, bytes: &[u8], numbers: &mut Vec<f64>) {
        fn all<const N: usize>(
            bytes: &[u8],
            read: fn([u8; N]) -> f64,
        ) -> impl Iterator<Item = f64> {
            bytes.as_chunks::<N>().0.iter().map(move |&number| read(number))
        }
        match self {
            Self::U8 => numbers.extend(all(bytes, |[byte]: [u8; 1]| f64::from(byte))),
            Self::I8 => numbers.extend(all(bytes, |b| f64::from(i8::from_be_bytes(b)))),
            Self::I16 => numbers.extend(all(bytes, |b| f64::from(i16::from_be_bytes(b)))),
            Self::I32 => numbers.extend(all(bytes, |b| f64::from(i32::from_be_bytes(b)))),
            Self::F32 => numbers.extend(all(bytes, |b| f64::from(f32::from_be_bytes(b)))),
            Self::F64 => numbers.extend(all(bytes, f64::from_be_bytes)),
        }
    }
}

/// Reads a file. `check` is asked for every megabyte whether to go on.
///
/// # Errors
/// `NotFound`, `Io`; `InvalidInput` the file is no such array, has more or fewer numbers than its header says, or is
/// damaged.
pub fn read(path: &Path, check: Check<'_>) -> Result<Idx> {
    let file = File::open(path).map_err(|error| Error::io("open", path, &error))?;
    let length = file.metadata().map_err(|error| Error::io("read", path, &error))?.len();
    let mut bytes = BufReader::new(file);
    let start = bytes.fill_buf().map_err(|error| Error::io("read", path, &error))?;
    if start.starts_with(&[0x1f, 0x8b]) {
        let most = length.saturating_mul(GZIP_RATIO);
        Reader { bytes: MultiGzDecoder::new(bytes), path, check, packed: true }.read(most)
    } else {
        Reader { bytes, path, check, packed: false }.read(length)
    }
}

struct Reader<'a, R> {
    bytes: R,
    path: &'a Path,
    check: Check<'a>,
    packed: bool,
}

impl<R: Read> Reader<'_, R> {
    /// `most`: the bytes that can come.
    fn read(mut self, most: u64) -> Result<Idx> {
        let [zero, also_zero, kind, axes] = self.header()?;
        let kind = Type::of(kind).filter(|_| zero == 0 && also_zero == 0 && axes > 0);
        let kind = kind.ok_or_else(|| self.invalid("is no IDX array".into()))?;
        let mut shape = Vec::with_capacity(axes.into());
        for _ in 0..axes {
            shape.push(u32::from_be_bytes(self.header()?));
        }
        let numbers =
            shape.iter().try_fold(1u64, |product, &axis| product.checked_mul(axis.into()));
        let wanted = numbers.and_then(|numbers| numbers.checked_mul(kind.width() as u64));
        let start = 4 + 4 * u64::from(axes);
        let wanted =
            wanted.filter(|bytes| bytes.saturating_add(start) <= most).ok_or_else(|| {
                self.invalid("has fewer bytes than the numbers that its header promises".into())
            })?;
        let values = self.values(kind, wanted)?;
        Ok(Idx { shape, values })
    }

    fn header(&mut self) -> Result<[u8; 4]> {
        let mut found = Vec::with_capacity(4);
        self.append(&mut found, 4)?;
        found.try_into().map_err(|_| self.invalid("is no IDX array".into()))
    }

    fn values(&mut self, kind: Type, wanted: u64) -> Result<Values> {
        let (mut bytes, mut numbers) = (Vec::new(), Vec::new());
        let mut came = 0;
        while came < wanted {
            (self.check)()?;
            let found = self.append(&mut bytes, BLOCK.min((wanted - came) as usize))?;
            if found == 0 {
                let problem = format!("has {came} bytes of numbers, and {wanted} by its header");
                return Err(self.invalid(problem));
            }
            came += found as u64;
            if !matches!(kind, Type::U8) {
                let whole = bytes.len() / kind.width() * kind.width();
                kind.append(&bytes[..whole], &mut numbers);
                bytes.drain(..whole);
            }
        }
        if self.append(&mut Vec::new(), 1)? > 0 {
            let problem = format!("has more than the {wanted} bytes of numbers of its header");
            return Err(self.invalid(problem));
        }
        Ok(match kind {
            Type::U8 => Values::Bytes(bytes),
            _ => Values::Numbers(numbers),
        })
    }

    /// Appends up to so many bytes, fewer only at the end, and says how many.
    fn append(&mut self, to: &mut Vec<u8>, most: usize) -> Result<usize> {
        let read = self.bytes.by_ref().take(most as u64).read_to_end(to);
        read.map_err(|error| match self.packed {
            true => self.invalid(format!("is damaged gzip: {error}")),
            false => Error::io("read", self.path, &error),
        })
    }

    fn invalid(&self, problem: String) -> Error {
        Error::InvalidInput { source: self.path.display().to_string(), offset: None, problem }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    /// Two pictures of 2 x 3 bytes.
    const PICTURES: [u8; 28] =
        [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255];

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn of(bytes: &[u8]) -> Result<Idx> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        read(file.path(), &|| Ok(()))
    }

    #[test]
    fn bytes_stay_bytes_packed_or_not() {
        let wanted = Idx { shape: vec![2, 2, 3], values: Values::Bytes(PICTURES[16..].to_vec()) };
        assert_eq!(of(&PICTURES).unwrap(), wanted);
        assert_eq!(of(&packed(&PICTURES)).unwrap(), wanted);
        let halves = [packed(&PICTURES[..9]), packed(&PICTURES[9..])].concat();
        assert_eq!(of(&halves).unwrap(), wanted);
        let none = Idx { shape: vec![0, 28, 28], values: Values::Bytes(Vec::new()) };
        assert_eq!(of(&[0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28]).unwrap(), none);
    }

    #[test]
    fn numbers_of_other_types_are_what_they_say() {
        let number = |kind: u8, bytes: &[u8]| {
            let header = [0, 0, kind, 1, 0, 0, 0, 1];
            match of(&[&header, bytes].concat()).unwrap().values {
                Values::Numbers(numbers) => numbers,
                Values::Bytes(_) => panic!("bytes"),
            }
        };
        assert_eq!(number(0x09, &[0xff]), [-1.0]);
        assert_eq!(number(0x0b, &[0xff, 0xfe]), [-2.0]);
        assert_eq!(number(0x0c, &[0, 1, 0, 0]), [65_536.0]);
        assert_eq!(number(0x0d, &[0x3f, 0x80, 0, 0]), [1.0]);
        assert_eq!(number(0x0e, &[0xbf, 0xf0, 0, 0, 0, 0, 0, 0]), [-1.0]);
        // More than is read at once, and blocks that end within a number.
        let count = (BLOCK / 8 + 77) as u32;
        let mut bytes = vec![0, 0, 0x0e, 1];
        bytes.extend(count.to_be_bytes());
        bytes.extend((0..count).flat_map(|i| f64::from(i).to_be_bytes()));
        let Values::Numbers(numbers) = of(&packed(&bytes)).unwrap().values else { panic!("bytes") };
        assert!(numbers.iter().zip(0u32..).all(|(&found, i)| found == f64::from(i)));
        assert_eq!(numbers.len(), count as usize);
    }

    #[test]
    fn what_is_no_such_file_is_refused_before_memory_is_asked_for() {
        let refused = |bytes: &[u8], wanted: &str| {
            let error = of(bytes).unwrap_err();
            assert!(matches!(error, Error::InvalidInput { .. }), "{error:?}");
            assert!(error.to_string().contains(wanted), "{error}, not {wanted}");
        };
        for length in 0..16 {
            refused(&PICTURES[..length], "is no IDX array");
        }
        refused(&[0, 0, 7, 1, 0, 0, 0, 0], "is no IDX array");
        refused(&[0, 1, 8, 1, 0, 0, 0, 0], "is no IDX array");
        refused(&[0, 0, 8, 0], "is no IDX array");
        for length in 16..28 {
            refused(&PICTURES[..length], "fewer bytes than the numbers");
            refused(&packed(&PICTURES[..length]), "bytes of numbers, and 12 by its header");
        }
        refused(&[PICTURES, PICTURES].concat(), "more than the 12 bytes of numbers");
        let mut huge = vec![0, 0, 0x0e, 255];
        huge.extend([255; 4 * 255]);
        refused(&huge, "fewer bytes than the numbers");
        let large = [0, 0, 8, 2, 0, 255, 255, 255, 0, 255, 255, 255];
        refused(&large, "fewer bytes than the numbers");
        refused(&packed(&large), "fewer bytes than the numbers");
        let whole = packed(&PICTURES);
        for length in 2..whole.len() {
            assert!(matches!(of(&whole[..length]), Err(Error::InvalidInput { .. })), "{length}");
        }
        let missing = read(Path::new("/nowhere/at-all"), &|| Ok(())).unwrap_err();
        assert!(matches!(missing, Error::NotFound { .. }), "{missing:?}");
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&PICTURES).unwrap();
        assert_eq!(read(file.path(), &|| Err(Error::Aborted)), Err(Error::Aborted));
    }
}
