//! Latents of films in a safetensors file: `values` [times, rows, columns, channels], float32, and the `times` of the frames
//! that they stand for, in seconds, float64; `pieces` [pieces, 2], uint32, how many steps and frames came together; the width
//! and height of the frames are in the header.

use std::ops::Range;
use std::path::Path;

use inlay_base::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::safetensors::{Dtype, Growing, Kind, Reader, Spec};

const KIND: Kind = Kind { name: "video-latent", what: "a latent of a film", version: 1 };

/// What is said of a latent beside its numbers.
#[derive(Serialize, Deserialize)]
struct About {
    width: u32,
    height: u32,
}

/// A file that is being written, piece by piece.
pub struct LatentWriter {
    file: Growing,
    /// Values of a step of time.
    step: usize,
    times: Vec<f64>,
    /// Steps and frames of each piece.
    pieces: Vec<[u32; 2]>,
    size: (u32, u32),
}

impl LatentWriter {
    /// A latent of so many rows, columns and channels, of frames of so many pixels.
    ///
    /// # Errors
    /// `InvalidInput` for a shape without values; as for any file that is written.
    pub fn create(path: &Path, place: [usize; 3], size: (u32, u32)) -> Result<Self> {
        let step = place.iter().try_fold(1usize, |all, &axis| all.checked_mul(axis));
        let step = step.filter(|&step| step > 0).ok_or_else(|| {
            Error::invalid_file(path, None, "would hold a latent of an impossible shape")
        })?;
        let file = Growing::create(path, "values", Dtype::F32, &place)?;
        Ok(Self { file, step, times: Vec::new(), pieces: Vec::new(), size })
    }

    /// Appends steps of time and the times of their frames.
    ///
    /// # Errors
    /// `InvalidInput` for values that are no whole steps; `DiskFull`, `Io`.
    pub fn write(&mut self, values: &[f32], times: &[f64]) -> Result<()> {
        if !values.len().is_multiple_of(self.step) {
            let problem = format!("has {} values, no whole steps of {}", values.len(), self.step);
            return Err(Error::InvalidInput { source: "the latent".into(), offset: None, problem });
        }
        self.times.extend(times);
        self.pieces.push([values.len() / self.step, times.len()].map(|count| count as u32));
        self.file.write(bytemuck::cast_slice(values))
    }

    /// Makes the file appear.
    pub fn finish(mut self) -> Result<()> {
        let (width, height) = self.size;
        let (key, text) = KIND.entry(&About { width, height })?;
        let mut others = Vec::new();
        // Times are to lie at a border of theirs.
        if !self.file.len().is_multiple_of(8) {
            others.push((Spec::new("padding", Dtype::F32, &[1]), &[0; 4][..]));
        }
        let times: Vec<u8> = self.times.drain(..).flat_map(f64::to_le_bytes).collect();
        others.push((Spec::new("times", Dtype::F64, &[times.len() / 8]), &times));
        let pieces: Vec<u8> =
            self.pieces.iter().flatten().flat_map(|count| count.to_le_bytes()).collect();
        others.push((Spec::new("pieces", Dtype::U32, &[pieces.len() / 8, 2]), &pieces));
        self.file.finish(&[(key, &text)], &others)
    }
}

/// A file that `LatentWriter` wrote, mapped.
pub struct Latents {
    reader: Reader,
    /// Steps of time, rows, columns, channels.
    pub shape: [usize; 4],
    /// Of the frames, in pixels.
    pub width: u32,
    /// Of the frames, in pixels.
    pub height: u32,
    /// Of each frame, in seconds.
    pub times: Vec<f64>,
    /// Steps and frames of each piece, which are all that there are.
    pub pieces: Vec<[u32; 2]>,
}

impl Latents {
    /// Opens a file.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` for another file, or a damaged one.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let About { width, height } = KIND.read(&reader, path)?;
        let wrong = |problem: &str| Error::invalid_file(path, None, problem);
        let no_values = || wrong("has no `values` of four axes, none of them empty");
        let values = reader.tensor("values").filter(|found| found.dtype == Dtype::F32);
        let shape: [usize; 4] =
            values.and_then(|found| found.shape.try_into().ok()).ok_or_else(no_values)?;
        let times = reader.tensor("times").filter(|found| found.dtype == Dtype::F64);
        let times = times.ok_or_else(|| wrong("has no `times`"))?;
        let times: Vec<f64> =
            times.bytes.chunks_exact(8).map(bytemuck::pod_read_unaligned).collect();
        if shape.contains(&0) || width == 0 || height == 0 {
            return Err(no_values());
        }
        if times.is_empty() || !times.iter().all(|time| time.is_finite()) {
            return Err(wrong("has `times` that are no times of frames"));
        }
        let pieces = reader.tensor("pieces").filter(|found| found.dtype == Dtype::U32);
        let pieces = pieces.map_or(&[][..], |found| found.bytes).chunks_exact(8);
        let pieces: Vec<[u32; 2]> = pieces.map(bytemuck::pod_read_unaligned).collect();
        let all = |part: usize| pieces.iter().map(|piece| piece[part] as usize).sum::<usize>();
        if pieces.iter().any(|piece| piece.contains(&0))
            || (all(0), all(1)) != (shape[0], times.len())
        {
            return Err(wrong("has `pieces` that are not those of its values and times"));
        }
        Ok(Self { reader, shape, width, height, times, pieces })
    }

    /// The values of some steps, as far as there are so many.
    ///
    /// # Errors
    /// `InvalidInput` for one that is not finite.
    pub fn steps(&self, steps: Range<usize>) -> Result<Vec<f32>> {
        let step = self.shape[1..].iter().product::<usize>() * size_of::<f32>();
        let (begin, end) = (steps.start.min(self.shape[0]), steps.end.min(self.shape[0]));
        let all = self.reader.tensor("values").map_or(&[][..], |values| values.bytes);
        let some = all.get(begin * step..end.max(begin) * step).unwrap_or_default();
        let values: Vec<f32> = some.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect();
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => {
                let problem =
                    format!("has a value at step {begin} or behind it that is not finite");
                Err(Error::invalid_file(self.reader.map().path(), None, problem))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(channels: usize) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("film.safetensors");
        let mut writer = LatentWriter::create(&path, [1, 3, channels], (20, 7)).expect("a file");
        for (steps, times) in [(2, &[0.0, 0.5][..]), (3, &[1.0, 1.5, 2.0])] {
            let values: Vec<f32> = (0..steps * 3 * channels).map(|at| at as f32 + 0.5).collect();
            writer.write(&values, times).expect("a piece");
        }
        assert!(writer.write(&[1.0; 2], &[]).is_err());
        writer.finish().expect("a file");
        (folder, path)
    }

    #[test]
    fn what_came_in_pieces_is_read_in_others() {
        for channels in [1, 2] {
            let (_folder, path) = written(channels);
            let found = Latents::open(&path).expect("a latent");
            assert_eq!((found.shape, found.width, found.height), ([5, 1, 3, channels], 20, 7));
            assert_eq!(found.times, [0.0, 0.5, 1.0, 1.5, 2.0]);
            assert_eq!(found.pieces, [[2, 2], [3, 3]]);
            let step = 3 * channels;
            let wanted: Vec<f32> =
                (0..2 * step).chain(0..3 * step).map(|at| at as f32 + 0.5).collect();
            assert_eq!(found.steps(0..5).expect("values"), wanted);
            assert_eq!(found.steps(1..3).expect("values"), wanted[step..3 * step]);
            assert_eq!(found.steps(4..9).expect("values"), wanted[4 * step..]);
            assert!(found.steps(7..9).expect("nothing").is_empty());
        }
    }

    #[test]
    fn other_files_and_damaged_ones_are_refused() {
        let (_folder, path) = written(1);
        let whole = std::fs::read(&path).expect("bytes");
        for (from, to) in [
            ("video-latent", "video-patent"),
            ("F64", "I64"),
            ("[5,1,3,1]", "[5,3,1]  "),
            ("\"pieces\"", "\"peaces\""),
        ] {
            let text = String::from_utf8_lossy(&whole[..4096]).replace(from, to);
            let bytes = [text.as_bytes(), &whole[4096..]].concat();
            std::fs::write(&path, bytes).expect("a file");
            let found = Latents::open(&path);
            assert!(matches!(found, Err(Error::InvalidInput { .. })), "{from}");
        }
        let mut bytes = whole.clone();
        bytes[4096..4100].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(&path, bytes).expect("a file");
        let found = Latents::open(&path).expect("a latent");
        assert!(found.steps(0..1).is_err() && found.steps(1..2).is_ok());
    }
}
