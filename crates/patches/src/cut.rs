//! Volumes to patches.

use std::sync::Mutex;

use inlay_base::{Result, Run, Workers, lock};
use inlay_kernels::{Kernels, Simd, Task};

use crate::{Cut, Edge, Element, Grid, Memory};

/// Values that a thread makes at once: they are in its cache while it does.
const TOGETHER: usize = 1 << 16;
/// Rows of a patch between two looks at whether the run has been stopped.
const LOOK: usize = 64;

/// What is cut: frames, each [height, width, channels].
pub struct Volume<'a, E> {
    /// For messages.
    pub name: &'a str,
    /// All of one size.
    pub frames: Vec<&'a [E]>,
    /// Rows of a frame.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Pixels from the beginning of a row to that of the next: more than `width` in a part of larger frames.
    pub pitch: usize,
}

impl<'a, E> Volume<'a, E> {
    /// Frames as a whole.
    pub fn whole(name: &'a str, frames: Vec<&'a [E]>, height: usize, width: usize) -> Self {
        Self { name, frames, height, width, pitch: width }
    }

    /// Frames, rows and columns.
    pub fn extent(&self) -> [usize; 3] {
        [self.frames.len(), self.height, self.width]
    }
}

/// Patches of volumes, those of each volume one after the other.
pub struct Tokens {
    /// [patches, width]: of each patch its frames, of these the rows, of these the pixels, of these the channels.
    pub values: Memory,
    /// [patches, 3]: the places of each along the axes of its volume, as `Grid` counts them.
    pub positions: Vec<u32>,
    /// How each volume was cut.
    pub grids: Vec<Grid>,
}

/// Cuts volumes, on all threads of the run. What lies behind their ends is as `Edge` says.
///
/// # Errors
/// `InvalidInput` for what `Cut::grid` refuses; `OutOfMemory`; `Aborted`.
///
/// # Panics
/// If a frame has fewer values than its volume's size says.
pub fn cut<E: Element>(
    volumes: &[Volume<'_, E>],
    cut: &Cut,
    scale: &E::Scale,
    run: &Run,
) -> Result<Tokens> {
    let width = cut.width()?;
    let mut grids = Vec::with_capacity(volumes.len());
    for volume in volumes {
        grids.push(cut.grid(volume.name, volume.extent())?);
        let size = (volume.height - 1) * volume.pitch + volume.width;
        assert!(volume.frames.iter().all(|frame| frame.len() >= size * cut.channels));
    }
    let patches = grids.iter().fold(0usize, |all, grid| all.saturating_add(grid.patches()));
    let mut values = Memory::new(patches, width)?;
    let mut positions = vec![0; 3 * patches];
    let each = (TOGETHER / width.max(1)).max(1);
    let (mut left, mut places) = (values.as_mut_slice(), &mut positions[..]);
    let mut tasks = Vec::new();
    for (volume, grid) in volumes.iter().zip(&grids) {
        for first in (0..grid.patches()).step_by(each) {
            let count = each.min(grid.patches() - first);
            let (own, rest) = left.split_at_mut(count * width);
            let (own_places, rest_places) = places.split_at_mut(3 * count);
            (left, places) = (rest, rest_places);
            tasks.push(Mutex::new(Lay {
                volume,
                grid,
                cut,
                scale,
                first,
                values: own,
                places: own_places,
                run,
            }));
        }
    }
    run.phase("cut", "patches", 0, Some(patches as u64));
    let kernels = Kernels::get();
    run.each(tasks.len(), &|task| {
        let mut task = lock(&tasks[task]);
        let done = task.places.len() / 3;
        kernels.run(&mut *task)?;
        run.advance(done as u64);
        Ok(())
    })?;
    drop(tasks);
    Ok(Tokens { values, positions, grids })
}

/// Some patches of a volume, one after the other.
struct Lay<'a, E: Element> {
    volume: &'a Volume<'a, E>,
    grid: &'a Grid,
    cut: &'a Cut,
    scale: &'a E::Scale,
    first: usize,
    values: &'a mut [f32],
    places: &'a mut [u32],
    run: &'a Run,
}

impl<E: Element> Task for &mut Lay<'_, E> {
    type Output = Result<()>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Result<()> {
        let (cut, volume) = (self.cut, self.volume);
        let row = cut.size[2] * cut.channels;
        let width = cut.size[0] * cut.size[1] * row;
        let repeats = cut.edge == Edge::Repeat;
        let patches = self.values.chunks_exact_mut(width).zip(self.places.chunks_exact_mut(3));
        for (number, (patch, position)) in patches.enumerate() {
            let place = self.grid.place(self.first + number);
            for (to, place) in position.iter_mut().zip(place) {
                *to = place as u32;
            }
            let start: [usize; 3] = std::array::from_fn(|axis| place[axis] * cut.stride[axis]);
            let columns = cut.size[2].min(volume.width - start[2]) * cut.channels;
            for (number, to) in patch.chunks_exact_mut(row).enumerate() {
                if number % LOOK == 0 {
                    self.run.check()?;
                }
                let (mut frame, mut line) =
                    (start[0] + number / cut.size[1], start[1] + number % cut.size[1]);
                if repeats {
                    (frame, line) =
                        (frame.min(volume.frames.len() - 1), line.min(volume.height - 1));
                }
                let Some(frame) = volume.frames.get(frame).filter(|_| line < volume.height) else {
                    to.fill(0.0);
                    continue;
                };
                let from = (line * volume.pitch + start[2]) * cut.channels;
                let (inside, behind) = to.split_at_mut(columns);
                E::widen(simd, self.scale, &frame[from..from + columns], inside);
                if repeats {
                    let last = &inside[columns - cut.channels..];
                    behind
                        .chunks_exact_mut(cut.channels)
                        .for_each(|pixel| pixel.copy_from_slice(last));
                } else {
                    behind.fill(0.0);
                }
            }
        }
        Ok(())
    }
}
