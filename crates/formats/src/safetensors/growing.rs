use std::path::Path;

use inlay_base::{AtomicFile, Result};

use super::writer::header;
use super::{Dtype, Spec};

/// Bytes that are kept for the header, which is written last.
const ROOM: usize = 1 << 12;

/// Streams a file with one tensor of which nobody knows how long its first axis will be, and small ones behind it. The
/// file appears under its name with `finish`, whole.
pub struct Growing {
    file: AtomicFile,
    name: &'static str,
    dtype: Dtype,
    /// The axes behind the first one.
    row: Vec<usize>,
    bytes: usize,
}

impl Growing {
    /// Begins a file whose tensor has rows of this shape.
    ///
    /// # Errors
    /// As for any file that is written.
    pub fn create(path: &Path, name: &'static str, dtype: Dtype, row: &[usize]) -> Result<Self> {
        let mut file = AtomicFile::create(path)?;
        file.write(&[0; ROOM])?;
        Ok(Self { file, name, dtype, row: row.into(), bytes: 0 })
    }

    /// Appends values, as little-endian bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len();
        self.file.write(bytes)
    }

    /// Bytes that have come.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Writes the small tensors and the header, and makes the file appear.
    ///
    /// # Panics
    /// If what was written are no whole rows, or if the header is too long.
    pub fn finish(mut self, metadata: &[(&str, &str)], others: &[(Spec<'_>, &[u8])]) -> Result<()> {
        let row = self.row.iter().product::<usize>() * self.dtype.size();
        assert!(row > 0 && self.bytes.is_multiple_of(row), "rows that are whole");
        let shape: Vec<usize> = [self.bytes / row].into_iter().chain(self.row).collect();
        let mut specs = vec![Spec::new(self.name, self.dtype, &shape)];
        specs.extend(others.iter().map(|(spec, _)| spec.clone()));
        let (mut header, end) = header(metadata, &specs);
        assert!(header.len() <= ROOM - 8, "a header for which there is room");
        header.resize(ROOM - 8, b' ');
        others.iter().try_for_each(|(_, bytes)| self.file.write(bytes))?;
        let written = others.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() + self.bytes;
        assert_eq!(written, end, "as many bytes as the shapes say");
        let length = ((ROOM - 8) as u64).to_le_bytes();
        self.file.rewrite_start(&[&length[..], &header].concat())?;
        self.file.commit()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;

    #[test]
    fn a_tensor_that_came_in_pieces_is_there_with_small_ones_behind_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("growing.safetensors");
        let mut writer = Growing::create(&path, "values", Dtype::F32, &[2, 1]).expect("a file");
        let rows: Vec<f32> = (0..6).map(|value| value as f32).collect();
        for piece in [&rows[..1], &rows[1..5], &rows[5..]] {
            writer.write(bytemuck::cast_slice(piece)).expect("a piece");
        }
        assert!(!path.exists());
        let times = Spec::new("times", Dtype::F64, &[2]);
        let bytes = [0.0f64, 0.5].map(f64::to_le_bytes).concat();
        writer.finish(&[("about", "rows")], &[(times, &bytes)]).expect("a file");
        let reader = Reader::open(&path).expect("a file that is right");
        let values = reader.tensor("values").expect("values");
        assert_eq!(values.shape, [3, 2, 1]);
        assert_eq!(values.bytes, bytemuck::cast_slice::<f32, u8>(&rows));
        assert_eq!(reader.tensor("times").expect("times").bytes, bytes);
        assert_eq!(reader.metadata("about"), Some("rows"));
    }

    #[test]
    fn a_file_that_is_not_finished_is_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("growing.safetensors");
        let mut writer = Growing::create(&path, "values", Dtype::F32, &[1]).expect("a file");
        writer.write(&[0; 4]).expect("a piece");
        drop(writer);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
}
