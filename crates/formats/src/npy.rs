//! NumPy arrays (format versions 1 to 3): a magic word, a header in Python's spelling, the values.

use std::ops::Range;
use std::path::Path;

use half::f16;
use inlay_base::{AtomicFile, Error, Map, Result, Run};

use crate::rows::rows_a_block;
use crate::{GiveRows, ReadOptions, TakeRows};

const MAGIC: &[u8] = b"\x93NUMPY";

/// What the values of an array are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `<f2`
    F16,
    /// `<f4`
    F32,
    /// `<f8`
    F64,
}

impl Kind {
    fn size(self) -> usize {
        match self {
            Kind::F16 => 2,
            Kind::F32 => 4,
            Kind::F64 => 8,
        }
    }
}

/// A matrix in a file: little-endian floats, row after row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The first axis.
    pub rows: usize,
    /// The second axis.
    pub dimensions: usize,
    /// The values.
    pub kind: Kind,
    /// Where they lie in the file, in bytes.
    pub range: Range<usize>,
}

/// Reads the header and checks it against the file's length.
///
/// # Errors
/// `InvalidInput` for a damaged header or a wrong length; `Unsupported` for arrays of other
/// values, big-endian ones, ones in Fortran order and ones that are no matrix.
pub fn layout(map: &Map) -> Result<Layout> {
    let path = map.path();
    let invalid =
        |offset: usize, problem: String| Error::invalid_file(path, Some(offset as u64), problem);
    let (header, start, data) = split(map).map_err(|(at, problem)| invalid(at, problem))?;
    let unsupported =
        |what: String| Error::Unsupported { what: format!("{}: {what}", path.display()) };
    let kind = match header.descr.as_str() {
        "<f2" => Kind::F16,
        "<f4" => Kind::F32,
        "<f8" => Kind::F64,
        other => {
            let what = format!("an array of `{other}`; `<f4`, `<f2` and `<f8` are read");
            return Err(unsupported(what));
        }
    };
    let &[rows, dimensions] = header.shape.as_slice() else {
        let axes = header.shape.len();
        return Err(unsupported(format!("an array of {axes} axes; a matrix has two")));
    };
    if header.fortran_order && rows > 1 && dimensions > 1 {
        let what = "an array in Fortran order; np.ascontiguousarray makes one that is read";
        return Err(unsupported(what.into()));
    }
    let bytes = rows.checked_mul(dimensions).and_then(|values| values.checked_mul(kind.size()));
    if bytes != Some(map.len() - data) {
        let problem = format!(
            "the header promises {rows} rows of {dimensions} values of {} bytes, {} bytes follow",
            kind.size(),
            map.len() - data
        );
        return Err(invalid(data, problem));
    }
    if dimensions == 0 {
        return Err(invalid(start, "the rows have no values".into()));
    }
    Ok(Layout { rows, dimensions, kind, range: data..map.len() })
}

/// The header of an array, where it begins, and where the values do.
pub(crate) fn split(array: &[u8]) -> Parsed<(Header, usize, usize)> {
    if !array.starts_with(MAGIC) {
        return Err((0, "is not a NumPy array".into()));
    }
    let cut = || (6, "the header is cut short".to_string());
    let version = *array.get(6).ok_or_else(cut)?;
    let (length, start) = match version {
        1 => {
            let bytes = array.get(8..10).ok_or_else(cut)?;
            (usize::from(u16::from_le_bytes([bytes[0], bytes[1]])), 10)
        }
        2 | 3 => {
            let bytes = array.get(8..12).ok_or_else(cut)?;
            let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            (length as usize, 12)
        }
        _ => return Err((6, format!("has format version {version}, 1 to 3 are known"))),
    };
    let data = start + length;
    let header = array.get(start..data).ok_or_else(cut)?;
    let header = parse_header(header)
        .map_err(|(at, problem)| (start + at, format!("the header {problem}")))?;
    Ok((header, start, data))
}

/// Reads a matrix of any of the three kinds as `f32`.
///
/// # Errors
/// As `layout`, and `InvalidInput` for a value that is not finite in `f32`.
pub fn read(map: &Map, options: &ReadOptions, run: &Run, sink: &mut dyn TakeRows) -> Result<()> {
    let layout = layout(map)?;
    let (dimensions, size) = (layout.dimensions, layout.kind.size());
    let rows = options.limited(layout.rows);
    sink.start(rows, dimensions)?;
    run.phase("read", "rows", 0, Some(rows as u64));
    let block = rows_a_block(dimensions);
    let mut values = Vec::new();
    for first in (0..rows).step_by(block) {
        run.check()?;
        let count = block.min(rows - first);
        let start = layout.range.start + first * dimensions * size;
        let range = start..start + count * dimensions * size;
        let bytes = &map[range.clone()];
        values.clear();
        match layout.kind {
            Kind::F32 => {
                values.extend(bytes.chunks_exact(4).map(bytemuck::pod_read_unaligned::<f32>))
            }
            Kind::F16 => values.extend(
                bytes.chunks_exact(2).map(|b| bytemuck::pod_read_unaligned::<f16>(b).to_f32()),
            ),
            Kind::F64 => values.extend(
                bytes.chunks_exact(8).map(|b| bytemuck::pod_read_unaligned::<f64>(b) as f32),
            ),
        }
        if let Some(wrong) = values.iter().position(|value| !value.is_finite()) {
            let problem =
                format!("row {} (from 0) holds {}", first + wrong / dimensions, values[wrong]);
            return Err(Error::invalid_file(
                map.path(),
                Some((start + wrong * size) as u64),
                problem,
            ));
        }
        sink.take(first, &values)?;
        map.release(range);
        run.advance(count as u64);
    }
    Ok(())
}

/// Writes a matrix as `<f4`.
pub fn write(path: &Path, rows: &dyn GiveRows, run: &Run) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    let (count, dimensions) = (rows.rows(), rows.dimensions());
    file.write(&preamble("<f4", &format!("({count}, {dimensions})")))?;
    run.phase("write", "rows", 0, Some(count as u64));
    let block = rows_a_block(dimensions);
    let mut values = vec![0.0f32; block * dimensions];
    for first in (0..count).step_by(block) {
        run.check()?;
        let here = block.min(count - first);
        rows.give(first, &mut values[..here * dimensions]);
        file.write(bytemuck::cast_slice(&values[..here * dimensions]))?;
        run.advance(here as u64);
    }
    file.commit()
}

/// What stands before the values of an array; `shape` is a tuple of Python.
pub(crate) fn preamble(descr: &str, shape: &str) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    while !(MAGIC.len() + 4 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let length = (header.len() as u16).to_le_bytes();
    [MAGIC, &[1, 0], &length, header.as_bytes()].concat()
}

/// What an array says of itself.
pub(crate) struct Header {
    pub descr: String,
    pub fortran_order: bool,
    pub shape: Vec<usize>,
}

pub(crate) type Parsed<T> = std::result::Result<T, (usize, String)>;

/// Reads the one dictionary that NumPy writes: three keys, each once, in any order.
fn parse_header(text: &[u8]) -> Parsed<Header> {
    let mut reader = Literal { text, at: 0 };
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    reader.expect(b'{')?;
    while !reader.accept(b'}') {
        let start = reader.at;
        let key = reader.string()?;
        reader.expect(b':')?;
        let twice = match key.as_str() {
            "descr" => descr.replace(reader.string()?).is_some(),
            "fortran_order" => fortran_order.replace(reader.boolean()?).is_some(),
            "shape" => shape.replace(reader.tuple()?).is_some(),
            _ => return Err((start, format!("has the unknown key `{}`", key.escape_debug()))),
        };
        if twice {
            return Err((start, format!("has the key `{key}` twice")));
        }
        if !reader.accept(b',') {
            reader.expect(b'}')?;
            break;
        }
    }
    reader.spaces();
    if reader.at != text.len() {
        return Err((reader.at, "goes on after its end".into()));
    }
    match (descr, fortran_order, shape) {
        (Some(descr), Some(fortran_order), Some(shape)) => {
            Ok(Header { descr, fortran_order, shape })
        }
        _ => Err((0, "lacks `descr`, `fortran_order` or `shape`".into())),
    }
}

/// A reader of Python's literals, as far as NumPy's headers need them.
struct Literal<'a> {
    text: &'a [u8],
    at: usize,
}

impl Literal<'_> {
    fn spaces(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn accept(&mut self, byte: u8) -> bool {
        self.spaces();
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Parsed<()> {
        if self.accept(byte) {
            return Ok(());
        }
        Err((self.at, format!("lacks a `{}`", byte as char)))
    }

    fn string(&mut self) -> Parsed<String> {
        let quote = if self.accept(b'"') { b'"' } else { b'\'' };
        if quote == b'\'' {
            self.expect(b'\'')?;
        }
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|&byte| byte == quote);
        let text = length.and_then(|length| std::str::from_utf8(&rest[..length]).ok());
        let text = text.ok_or((self.at, "has a text without an end".to_string()))?;
        self.at += text.len() + 1;
        Ok(text.into())
    }

    fn boolean(&mut self) -> Parsed<bool> {
        self.spaces();
        for (word, value) in [("True", true), ("False", false)] {
            if self.text[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err((self.at, "lacks True or False".into()))
    }

    fn tuple(&mut self) -> Parsed<Vec<usize>> {
        self.expect(b'(')?;
        let mut sizes = Vec::new();
        while !self.accept(b')') {
            let digits =
                self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let text =
                std::str::from_utf8(&self.text[self.at..self.at + digits]).unwrap_or_default();
            let size =
                text.parse().map_err(|_| (self.at, "has a shape that is none".to_string()))?;
            sizes.push(size);
            self.at += digits;
            self.accept(b'L'); // Python 2 wrote long integers so
            if !self.accept(b',') {
                self.expect(b')')?;
                break;
            }
        }
        Ok(sizes)
    }
}
