//! Patches back to volumes.

use std::sync::Mutex;

use inlay_base::{Result, Run, Workers, lock};
use inlay_kernels::{Kernels, Simd, Task};

use crate::{Cut, Element, Grid};

/// Values that a thread makes at once.
const TOGETHER: usize = 1 << 16;

/// The patches of one volume.
pub struct Pieces<'a> {
    /// [patches, width], as `cut` makes them.
    pub values: &'a [f32],
    /// How the volume was cut.
    pub grid: Grid,
}

/// The volumes that patches were cut from, each as its frames: what `Edge::Drop` left out is missing, and where patches
/// overlap, values are their mean, summed up in the order of the patches.
///
/// # Errors
/// `OutOfMemory`, `Aborted`
///
/// # Panics
/// If a volume has more or fewer values than its grid says.
pub fn restore<E: Element>(
    pieces: &[Pieces<'_>],
    cut: &Cut,
    scale: &E::Scale,
    run: &Run,
) -> Result<Vec<Vec<E::Room>>> {
    let width = cut.width()?;
    let mut volumes = Vec::with_capacity(pieces.len());
    for piece in pieces {
        assert_eq!(piece.values.len(), piece.grid.patches() * width);
        let [frames, rows, columns] = piece.grid.covered(cut);
        let frame = || E::room(rows * columns * cut.channels);
        volumes.push((0..frames).map(|_| frame()).collect::<Result<Vec<_>>>()?);
    }
    let mut tasks = Vec::new();
    for (piece, volume) in pieces.iter().zip(&mut volumes) {
        let row = piece.grid.covered(cut)[2] * cut.channels;
        // Whole rows of patches, so that each patch is read from end to end.
        let each = (TOGETHER / row.max(1)).next_multiple_of(cut.size[1]).max(1);
        for (frame, values) in volume.iter_mut().enumerate() {
            for (band, rows) in E::all(values).chunks_mut(each * row).enumerate() {
                let first = band * each;
                tasks.push(Mutex::new(Band { piece, cut, scale, frame, first, rows, run }));
            }
        }
    }
    run.phase("restore", "bands", 0, Some(tasks.len() as u64));
    let kernels = Kernels::get();
    run.each(tasks.len(), &|task| {
        let mut band = lock(&tasks[task]);
        kernels.run(&mut *band)?;
        run.advance(1);
        Ok(())
    })?;
    drop(tasks);
    Ok(volumes)
}

/// Some rows of a frame.
struct Band<'a, E: Element> {
    piece: &'a Pieces<'a>,
    cut: &'a Cut,
    scale: &'a E::Scale,
    frame: usize,
    first: usize,
    rows: &'a mut [E],
    run: &'a Run,
}

impl<E: Element> Task for &mut Band<'_, E> {
    type Output = Result<()>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Result<()> {
        if self.cut.overlaps() { self.mean(simd) } else { self.lay(simd) }
    }
}

impl<E: Element> Band<'_, E> {
    /// Of patches that share nothing: patch by patch.
    #[inline(always)]
    fn lay<S: Simd>(&mut self, simd: S) -> Result<()> {
        let (cut, pitch) = (self.cut, self.pitch());
        let [deep, high, wide] = cut.size;
        for (band, lines) in self.rows.chunks_mut(high * pitch).enumerate() {
            let place = [self.frame / deep, self.first / high + band];
            for across in 0..self.piece.grid.counts[2] {
                self.run.check()?;
                let start = across * wide * cut.channels;
                for (line, to) in lines.chunks_exact_mut(pitch).enumerate() {
                    let within = [self.frame % deep, line];
                    let values = run_of(self.piece, cut, [place[0], place[1], across], within);
                    E::narrow(simd, self.scale, values, &mut to[start..start + values.len()]);
                }
            }
        }
        Ok(())
    }

    /// Of patches that share pixels: row by row, in the order of the patches.
    #[inline(always)]
    fn mean<S: Simd>(&mut self, simd: S) -> Result<()> {
        let (grid, cut, pitch) = (&self.piece.grid, self.cut, self.pitch());
        let columns = 0..pitch / cut.channels;
        let shares: Vec<usize> =
            columns.map(|column| grid.covering(cut, 2, column).len()).collect();
        let mut sums = vec![0.0; pitch];
        for (number, to) in self.rows.chunks_exact_mut(pitch).enumerate() {
            let line = self.first + number;
            let (deep, high) = (grid.covering(cut, 0, self.frame), grid.covering(cut, 1, line));
            sums.fill(0.0);
            for (place, row) in
                deep.clone().flat_map(|deep| high.clone().map(move |high| (deep, high)))
            {
                self.run.check()?;
                let within = [self.frame - place * cut.stride[0], line - row * cut.stride[1]];
                for across in 0..grid.counts[2] {
                    let values = run_of(self.piece, cut, [place, row, across], within);
                    let start = across * cut.stride[2] * cut.channels;
                    for (sum, value) in sums[start..].iter_mut().zip(values) {
                        *sum += value;
                    }
                }
            }
            for (pixel, &share) in sums.chunks_exact_mut(cut.channels).zip(&shares) {
                let count = (deep.len() * high.len() * share) as f32;
                pixel.iter_mut().for_each(|sum| *sum /= count);
            }
            E::narrow(simd, self.scale, &sums, to);
        }
        Ok(())
    }

    /// Values of a row that is made.
    #[inline(always)]
    fn pitch(&self) -> usize {
        self.piece.grid.covered(self.cut)[2] * self.cut.channels
    }
}

/// A row of a patch, as far as it lies in its volume: of which patch, and of it which frame and row.
#[inline(always)]
fn run_of<'a>(piece: &Pieces<'a>, cut: &Cut, place: [usize; 3], within: [usize; 2]) -> &'a [f32] {
    let row = cut.size[2] * cut.channels;
    let start = (piece.grid.patch(place) * cut.size[0] + within[0]) * cut.size[1] + within[1];
    let columns = piece.grid.extent[2] - place[2] * cut.stride[2];
    &piece.values[start * row..][..cut.size[2].min(columns) * cut.channels]
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;
    use inlay_kernels::ChannelScale;

    use super::*;
    use crate::{Edge, Volume};

    /// Patches of a volume one value at a time, as the definition says.
    fn plainly(bytes: &[Vec<u8>], [rows, columns]: [usize; 2], cut: &Cut, grid: &Grid) -> Vec<f32> {
        let mut values = Vec::new();
        let ends = [bytes.len(), rows, columns];
        for patch in 0..grid.patches() {
            let place = grid.place(patch);
            for t in 0..cut.size[0] {
                for y in 0..cut.size[1] {
                    for x in 0..cut.size[2] {
                        let at = [t, y, x];
                        let mut at: [usize; 3] =
                            std::array::from_fn(|a| place[a] * cut.stride[a] + at[a]);
                        if cut.edge == Edge::Repeat {
                            at = std::array::from_fn(|a| at[a].min(ends[a] - 1));
                        }
                        for channel in 0..cut.channels {
                            let inside = at.iter().zip(ends).all(|(&at, end)| at < end);
                            values.push(if inside {
                                let from = (at[1] * columns + at[2]) * cut.channels + channel;
                                f32::from(bytes[at[0]][from]) / 255.0
                            } else {
                                0.0
                            });
                        }
                    }
                }
            }
        }
        values
    }

    #[test]
    fn any_volume_is_cut_as_defined_and_comes_back_bit_for_bit_on_any_number_of_threads() {
        let mut random = Random::new(7, 0);
        let mut draw = |most: u32| 1 + random.below(most) as usize;
        for round in 0..400 {
            let size = [draw(3), draw(9), draw(20)];
            let stride = if round % 2 == 0 { size } else { size.map(draw_below(&mut draw)) };
            let channels = draw(4);
            let edge = [Edge::Fill, Edge::Repeat, Edge::Drop][draw(3) - 1];
            let cut = Cut { size, stride, channels, edge };
            let (frames, rows, columns) = (draw(5), draw(30), draw(50));
            let frame: Vec<u8> = (0..rows * columns * channels).map(|_| draw(256) as u8).collect();
            let bytes: Vec<Vec<u8>> = (0..frames)
                .map(|at| frame.iter().map(|byte| byte.wrapping_mul(at as u8 + 1)).collect())
                .collect();
            let volume = || {
                let frames = bytes.iter().map(|frame| &frame[..]).collect();
                Volume::whole("it", frames, rows, columns)
            };
            let scale = ChannelScale::unit();
            let Ok(tokens) = crate::cut(&[volume(), volume()], &cut, &scale, &Run::quiet(3, 1))
            else {
                assert_eq!(edge, Edge::Drop);
                continue;
            };
            let grid = tokens.grids[0];
            let one = plainly(&bytes, [rows, columns], &cut, &grid);
            assert_eq!(tokens.values.as_slice(), [&one[..], &one].concat(), "{cut:?}");
            let pieces = || Pieces { values: &one, grid };
            for threads in [1, 4] {
                let run = Run::quiet(threads, 1);
                let back = restore::<u8>(&[pieces(), pieces()], &cut, &scale, &run).unwrap();
                let [deep, high, wide] = grid.covered(&cut);
                for frames in back {
                    assert_eq!(frames.len(), deep);
                    for (frame, bytes) in frames.iter().zip(&bytes) {
                        let frame = frame.as_slice();
                        for (row, of) in
                            frame.chunks(wide * channels).zip(bytes.chunks(columns * channels))
                        {
                            assert_eq!(row, &of[..wide * channels], "{cut:?}");
                        }
                        assert_eq!(frame.len(), high * wide * channels);
                    }
                }
            }
        }
    }

    #[test]
    fn a_part_of_larger_frames_is_cut_as_if_it_were_all() {
        let (rows, columns, channels, pitch) = (5, 7, 3, 12);
        let frame: Vec<u8> = (0..9 * pitch * channels).map(|i| (i * 37 % 251) as u8).collect();
        let first = (3 * pitch + 4) * channels;
        let part: Vec<u8> = (0..rows)
            .flat_map(|row| &frame[first + row * pitch * channels..][..columns * channels])
            .copied()
            .collect();
        for edge in [Edge::Fill, Edge::Repeat, Edge::Drop] {
            let cut = Cut { size: [1, 4, 4], stride: [1, 4, 4], channels, edge };
            let made = |volume| {
                let run = Run::quiet(1, 1);
                let found = crate::cut(&[volume], &cut, &ChannelScale::unit(), &run).unwrap();
                found.values.as_slice().to_vec()
            };
            // The last row ends where the frame does.
            let frames = vec![&frame[first..first + ((rows - 1) * pitch + columns) * channels]];
            let of = Volume { name: "it", frames, height: rows, width: columns, pitch };
            assert_eq!(made(of), made(Volume::whole("it", vec![&part], rows, columns)));
        }
    }

    fn draw_below(draw: &mut impl FnMut(u32) -> usize) -> impl FnMut(usize) -> usize {
        |size| draw(size as u32)
    }

    #[test]
    fn patches_that_overlap_and_differ_become_their_mean() {
        let cut = Cut { size: [1, 1, 2], stride: [1, 1, 1], channels: 1, edge: Edge::Refuse };
        let grid = cut.grid("it", [1, 1, 3]).unwrap();
        let pieces = [Pieces { values: &[1.0, 2.0, 4.0, 8.0], grid }];
        let back = restore::<f32>(&pieces, &cut, &(), &Run::quiet(2, 1)).unwrap();
        assert_eq!(back[0][0].as_slice(), [1.0, 3.0, 8.0]);
    }

    #[test]
    fn more_than_the_machine_has_is_an_error() {
        let cut = Cut {
            size: [1, 60_000, 60_000],
            stride: [1, 60_000, 60_000],
            channels: 4000,
            edge: Edge::Fill,
        };
        let bytes = vec![0u8; 4000];
        let volume = Volume::whole("it", vec![&bytes[..]], 1, 1);
        let made = crate::cut(&[volume], &cut, &ChannelScale::unit(), &Run::quiet(1, 1));
        assert_eq!(made.err().unwrap().code(), "OUT_OF_MEMORY");
    }
}
