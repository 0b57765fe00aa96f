//! Attention within the windows of a map (Liu et al. 2021, arXiv:2103.14030). There the map is rolled by the shift, and rows that
//! meet in a window without being neighbours are hidden from each other: what is left of that are windows whose cuts are moved,
//! and which are smaller at the edges.

use inlay_base::Random;

use super::Attention;
use crate::{Desk, Kernels, Target};

/// How a map is cut into windows. Each row of it is in one.
#[derive(Debug, PartialEq, Eq)]
pub struct MapWindows {
    /// Rows of the map from top to bottom, and from left to right.
    size: (usize, usize),
    side: usize,
    windows: Vec<Window>,
    /// The heights and widths that they have.
    shapes: Vec<(usize, usize)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Window {
    top: usize,
    left: usize,
    height: usize,
    width: usize,
    /// Which of the shapes it has.
    shape: usize,
    /// Rows of the windows before it.
    before: usize,
}

/// The windows of a map, and what heads add in them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Within<'a> {
    /// Where they are.
    pub windows: &'a MapWindows,
    /// What `MapWindows::lay_out` made.
    pub biases: &'a [f32],
}

/// What lies between the cuts: the first of them is at `shift`, if that is above 0.
fn cut(length: usize, side: usize, shift: usize) -> Vec<(usize, usize)> {
    let first = if shift == 0 { side } else { shift };
    let mut starts = vec![0];
    starts.extend((first..length).step_by(side));
    let ends = starts.iter().skip(1).copied().chain([length]);
    starts.iter().zip(ends).map(|(&start, end)| (start, end - start)).collect()
}

impl MapWindows {
    /// Windows of `side` x `side` rows at most, of a map of [height, width] rows, that begin `shift` rows later.
    ///
    /// # Panics
    /// If `side` is 0.
    pub fn new(size: (usize, usize), side: usize, shift: usize) -> Self {
        assert!(side > 0);
        let (mut windows, mut shapes, mut before) = (Vec::new(), Vec::new(), 0);
        for (top, height) in cut(size.0, side, shift) {
            for (left, width) in cut(size.1, side, shift) {
                let shape = shapes.iter().position(|&known| known == (height, width));
                let shape = shape.unwrap_or_else(|| {
                    shapes.push((height, width));
                    shapes.len() - 1
                });
                windows.push(Window { top, left, height, width, shape, before });
                before += height * width;
            }
        }
        Self { size, side, windows, shapes }
    }

    /// Rows of the map.
    pub fn rows(&self) -> usize {
        self.size.0 * self.size.1
    }

    /// Pairs of rows that look at each other.
    pub fn pairs(&self) -> usize {
        self.windows.iter().map(|window| window.rows().pow(2)).sum()
    }

    /// B·√n of all pairs of rows in a window of each shape, each [heads, rows, rows], of what is learnt for each distance: [(2 ·
    /// side - 1)², heads], the distance from a key to a query, from the furthest above to the furthest below and in that from
    /// the left to the right.
    ///
    /// # Panics
    /// If there is not a value for each distance and head.
    pub fn lay_out(&self, learnt: &[f32], heads: usize, n: usize, to: &mut Vec<f32>) {
        let across = 2 * self.side - 1;
        assert_eq!(learnt.len(), across * across * heads);
        let by = (n as f32).sqrt();
        to.clear();
        for &(height, width) in &self.shapes {
            for head in 0..heads {
                // From a query to a key: the keys of a line are neighbours then.
                let distances: Vec<f32> =
                    learnt.iter().skip(head).step_by(heads).rev().map(|b| by * b).collect();
                for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                    for key in 0..height {
                        let line = (self.side - 1 + key - y) * across;
                        to.extend_from_slice(&distances[line + self.side - 1 - x..][..width]);
                    }
                }
            }
        }
    }
}

impl Window {
    fn rows(&self) -> usize {
        self.height * self.width
    }

    /// Where its lines begin in a map of so many columns.
    fn lines(&self, columns: usize) -> impl Iterator<Item = usize> {
        let (first, height) = (self.top * columns + self.left, self.height);
        (0..height).map(move |line| first + line * columns)
    }

    /// Its rows of a map, one after the other.
    fn gather(&self, map: &[f32], columns: usize, width: usize, to: &mut [f32]) {
        let length = self.width * width;
        for (line, to) in self.lines(columns).zip(to.chunks_exact_mut(length)) {
            to.copy_from_slice(&map[line * width..][..length]);
        }
    }
}

/// Room to work with, cut from what is left of it.
fn take<'a>(room: &mut &'a mut [f32], length: usize) -> &'a mut [f32] {
    let (own, rest) = std::mem::take(room).split_at_mut(length);
    *room = rest;
    own
}

impl<'a> Within<'a> {
    /// How a window's rows look at each other.
    fn inside<'b>(&self, how: &Attention<'b>, window: &Window) -> Attention<'b>
    where
        'a: 'b,
    {
        let values = |&(height, width): &(usize, usize)| how.heads * (height * width).pow(2);
        let shapes = &self.windows.shapes;
        let first: usize = shapes[..window.shape].iter().map(values).sum();
        let pairs = &self.biases[first..][..values(&shapes[window.shape])];
        Attention { pairs, within: None, ..*how }
    }

    fn longest(&self) -> usize {
        self.windows.windows.iter().map(Window::rows).max().unwrap_or(0)
    }

    pub(super) fn scratch(&self, how: &Attention<'_>) -> usize {
        let rows = self.longest();
        8 * rows * how.heads * how.width + Attention { within: None, ..*how }.scratch(rows)
    }

    pub(super) fn forward(
        &self,
        how: &Attention<'_>,
        kernels: Kernels,
        projected: &[f32],
        (output, logarithms): (&mut [f32], &mut [f32]),
        mut random: Option<&mut Random>,
        (scratch, desk): (&mut [f32], &mut Desk),
    ) {
        let (row, windows, columns) =
            (how.heads * how.width, &self.windows.windows, self.windows.size.1);
        assert_eq!(output.len(), self.windows.rows() * row);
        let all = logarithms.len();
        let output = Target::new(output, self.windows.rows(), row);
        let logarithms = Target::new(logarithms, 1, all);
        let look = |window: &Window,
                    mut room: &mut [f32],
                    random: Option<&mut Random>,
                    desk: &mut Desk| {
            let rows = window.rows();
            let [from, seen] = [3 * row, row].map(|width| take(&mut room, rows * width));
            window.gather(projected, columns, 3 * row, from);
            let own = window.before * how.heads..(window.before + rows) * how.heads;
            // SAFETY: windows have no rows in common, and this is called once for each.
            let mut logarithms = unsafe { logarithms.part(0..1, own) };
            let inside = self.inside(how, window);
            inside.forward(kernels, from, seen, logarithms.values(0), random, room, desk);
            for (line, seen) in window.lines(columns).zip(seen.chunks_exact(window.width * row)) {
                // SAFETY: as above.
                let mut to = unsafe { output.part(line..line + window.width, 0..row) };
                for (number, seen) in seen.chunks_exact(row).enumerate() {
                    to.values(number).copy_from_slice(seen);
                }
            }
        };
        match desk.crew_for(2 * self.windows.pairs() * row) {
            Some(crew) if random.is_none() => {
                // Some windows at a time have their room together.
                let together = windows.len().div_ceil(4 * crew.size());
                let shares: Vec<&[Window]> = windows.chunks(together).collect();
                crew.each(shares.len(), &|share| {
                    let mut room = vec![0.0; how.scratch(0)];
                    let desk = &mut Desk::default();
                    shares[share].iter().for_each(|window| look(window, &mut room, None, desk));
                });
            }
            _ => {
                for window in windows {
                    look(window, scratch, random.as_deref_mut(), desk);
                }
            }
        }
    }

    pub(super) fn backward(
        &self,
        how: &Attention<'_>,
        kernels: Kernels,
        (projected, output, logarithms, above): (&[f32], &[f32], &[f32], &[f32]),
        gradient: &mut [f32],
        mut random: Option<&mut Random>,
        (scratch, desk): (&mut [f32], &mut Desk),
    ) {
        let (row, columns) = (how.heads * how.width, self.windows.size.1);
        assert_eq!(output.len(), self.windows.rows() * row);
        for window in &self.windows.windows {
            let (rows, mut room) = (window.rows(), &mut *scratch);
            let [from, seen, given, slopes] =
                [3 * row, row, row, 3 * row].map(|width| take(&mut room, rows * width));
            window.gather(projected, columns, 3 * row, from);
            window.gather(output, columns, row, seen);
            window.gather(above, columns, row, given);
            self.inside(how, window).backward(
                kernels,
                from,
                seen,
                &logarithms[window.before * how.heads..][..rows * how.heads],
                given,
                slopes,
                random.as_deref_mut(),
                room,
                desk,
            );
            let length = window.width * 3 * row;
            for (line, slopes) in window.lines(columns).zip(slopes.chunks_exact(length)) {
                gradient[line * 3 * row..][..length].copy_from_slice(slopes);
            }
        }
    }
}
