//! Where patches begin, and how many there are.

use std::ops::Range;

use inlay_base::{Error, Result};

/// What becomes of the end of an axis that patches do not cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// One more patch, with zeros behind what there is.
    Fill,
    /// One more patch, with the last frame, row and column again behind what there is.
    Repeat,
    /// It is left out.
    Drop,
    /// It is an error.
    Refuse,
}

/// How volumes are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Frames, rows and columns of a patch; at least 1.
    pub size: [usize; 3],
    /// From one patch to the next; from 1 to the size.
    pub stride: [usize; 3],
    /// Values of a pixel; at least 1.
    pub channels: usize,
    /// The end of each axis.
    pub edge: Edge,
}

impl Cut {
    /// Values of a patch.
    ///
    /// # Errors
    /// `OutOfMemory` where no machine could hold one.
    pub fn width(&self) -> Result<usize> {
        let values = self.size.iter().try_fold(self.channels, |all, &size| all.checked_mul(size));
        values.ok_or(Error::OutOfMemory { asked: u64::MAX, free: None })
    }

    /// Whether patches share pixels.
    pub fn overlaps(&self) -> bool {
        self.stride != self.size
    }

    /// The patches of a volume of so many frames, rows and columns. `name` is for messages.
    ///
    /// # Errors
    /// `InvalidInput` for a volume without pixels, and for one that the patches do not cover as `edge` wants it.
    pub fn grid(&self, name: &str, extent: [usize; 3]) -> Result<Grid> {
        let wrong =
            |problem: String| Error::InvalidInput { source: name.into(), offset: None, problem };
        if extent.contains(&0) {
            let [frames, rows, columns] = extent;
            return Err(wrong(format!("is empty: {frames} x {rows} x {columns}")));
        }
        let mut counts = [0; 3];
        for (axis, count) in counts.iter_mut().enumerate() {
            let (length, size, stride) = (extent[axis], self.size[axis], self.stride[axis]);
            let over = length.saturating_sub(size);
            *count = match self.edge {
                Edge::Fill | Edge::Repeat => over.div_ceil(stride) + 1,
                _ if length < size => {
                    let problem = format!("has {length} of an axis of which a patch has {size}");
                    return Err(wrong(problem));
                }
                Edge::Refuse if over % stride != 0 => {
                    let problem = format!(
                        "has {length} of an axis that patches of {size} at steps of {stride} do not end with"
                    );
                    return Err(wrong(problem));
                }
                Edge::Drop | Edge::Refuse => over / stride + 1,
            };
        }
        Ok(Grid { extent, counts })
    }
}

/// The patches of a volume, the columns of a row one after the other, then the rows, then the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Frames, rows and columns of the volume.
    pub extent: [usize; 3],
    /// Patches along each axis.
    pub counts: [usize; 3],
}

impl Grid {
    /// Patches in all; as many as could be counted where that is too many.
    pub fn patches(&self) -> usize {
        self.counts.iter().fold(1, |all, &count| all.saturating_mul(count))
    }

    /// The place of a patch along each axis.
    pub fn place(&self, patch: usize) -> [usize; 3] {
        let [_, rows, columns] = self.counts;
        [patch / (rows * columns), patch / columns % rows, patch % columns]
    }

    /// The number of the patch at a place.
    pub fn patch(&self, [frame, row, column]: [usize; 3]) -> usize {
        (frame * self.counts[1] + row) * self.counts[2] + column
    }

    /// How much of the volume the patches cover.
    pub fn covered(&self, cut: &Cut) -> [usize; 3] {
        std::array::from_fn(|axis| {
            let end = (self.counts[axis] - 1) * cut.stride[axis] + cut.size[axis];
            end.min(self.extent[axis])
        })
    }

    /// The patches along an axis that have a place in them.
    pub fn covering(&self, cut: &Cut, axis: usize, place: usize) -> Range<usize> {
        let (size, stride) = (cut.size[axis], cut.stride[axis]);
        let first = (place + 1).saturating_sub(size).div_ceil(stride);
        first..(place / stride + 1).min(self.counts[axis])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn along(length: usize, size: usize, stride: usize, edge: Edge) -> Result<usize> {
        let cut = Cut { size: [1, size, 1], stride: [1, stride, 1], channels: 1, edge };
        Ok(cut.grid("it", [1, length, 1])?.patches())
    }

    #[test]
    fn the_end_of_an_axis_is_filled_left_out_or_refused() {
        let counts = |edge| [1, 3, 4, 5, 8, 9].map(|length| along(length, 4, 4, edge).ok());
        assert_eq!(counts(Edge::Fill), [1, 1, 1, 2, 2, 3].map(Some));
        assert_eq!(counts(Edge::Repeat), counts(Edge::Fill));
        assert_eq!(counts(Edge::Drop), [None, None, Some(1), Some(1), Some(2), Some(2)]);
        assert_eq!(counts(Edge::Refuse), [None, None, Some(1), None, Some(2), None]);
        let overlapping = |edge| [4, 5, 6, 7, 8].map(|length| along(length, 4, 2, edge).ok());
        assert_eq!(overlapping(Edge::Fill), [1, 2, 2, 3, 3].map(Some));
        assert_eq!(overlapping(Edge::Drop), [1, 1, 2, 2, 3].map(Some));
        let told = along(5, 4, 4, Edge::Refuse).unwrap_err().to_string();
        assert!(told.contains("has 5 of an axis"), "{told}");
    }

    #[test]
    fn a_place_is_in_the_patches_that_begin_before_it_and_end_behind() {
        for (length, size, stride) in [(9, 4, 4), (9, 4, 1), (10, 5, 2), (3, 7, 7), (1, 1, 1)] {
            for edge in [Edge::Fill, Edge::Drop] {
                let cut = Cut { size: [size, 1, 1], stride: [stride, 1, 1], channels: 1, edge };
                let Ok(grid) = cut.grid("it", [length, 1, 1]) else { continue };
                for place in 0..grid.covered(&cut)[0] {
                    let has =
                        |patch: &usize| (patch * stride..patch * stride + size).contains(&place);
                    let wanted: Vec<_> = (0..grid.counts[0]).filter(has).collect();
                    let found: Vec<_> = grid.covering(&cut, 0, place).collect();
                    assert_eq!(found, wanted, "{length} {size} {stride} {place}");
                }
            }
        }
    }

    #[test]
    fn numbers_and_places_of_patches_belong_together() {
        let cut = Cut { size: [2, 3, 4], stride: [2, 2, 3], channels: 3, edge: Edge::Fill };
        let grid = cut.grid("it", [5, 7, 11]).unwrap();
        assert_eq!(grid.counts, [3, 3, 4]);
        for patch in 0..grid.patches() {
            assert_eq!(grid.patch(grid.place(patch)), patch);
        }
        assert_eq!(cut.width().unwrap(), 72);
    }

    #[test]
    fn hostile_sizes_are_errors() {
        let cut = Cut { size: [usize::MAX; 3], stride: [1; 3], channels: 3, edge: Edge::Fill };
        assert_eq!(cut.width().unwrap_err().code(), "OUT_OF_MEMORY");
        assert_eq!(cut.grid("it", [0, 1, 1]).unwrap_err().code(), "INVALID_INPUT");
        let huge = Cut { size: [1; 3], stride: [1; 3], ..cut };
        assert_eq!(huge.grid("it", [1 << 40; 3]).unwrap().patches(), usize::MAX);
    }
}
