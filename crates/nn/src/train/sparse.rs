//! Steps of plain gradient descent that touch only some rows of a table, or columns of a matrix: the others have no
//! gradient, and stay as they are, bit for bit, without being looked at.

use crate::layer::{Known, Layer};
use crate::parameter::{Order, Parameter, Piece};

/// The gradient of a piece of which a few rows or columns are touched; grows and stays.
#[derive(Default)]
pub(super) struct Sparse {
    /// Zeros between two pieces.
    gradient: Vec<f32>,
    places: Places,
}

/// Where the rows or columns that are touched lie.
#[derive(Default)]
struct Places {
    /// Counted from the piece's first one, in order, each once.
    touched: Vec<u32>,
    /// Values of the piece, and of each of its lines.
    size: usize,
    line: usize,
    /// Whether lines are touched, and not columns.
    lines: bool,
}

impl Sparse {
    /// Whether a layer says what a batch touches of a piece. If so, that piece is the one at hand.
    pub(super) fn begin<'a>(
        &mut self,
        (layer, local): (&dyn Layer, usize),
        (parameter, piece): (&Parameter, &Piece),
        mut shards: impl Iterator<Item = Known<'a>>,
    ) -> bool {
        let Places { touched, size, line, lines } = &mut self.places;
        touched.clear();
        let mut touch = |number: u32| {
            let at = (number as usize).wrapping_sub(piece.first);
            if at < piece.count {
                touched.push(at as u32);
            }
        };
        if !shards.all(|known| layer.touches(local, known, &mut touch)) {
            return false;
        }
        touched.sort_unstable();
        touched.dedup();
        *lines = parameter.blueprint.order == Order::Table;
        *size = piece.values.len();
        *line = if *lines { *size / piece.count.max(1) } else { piece.count };
        true
    }

    /// As many zeros as the piece has values: the gradient is added to them.
    pub(super) fn gradient(&mut self) -> &mut [f32] {
        let size = self.places.size;
        self.gradient.resize(self.gradient.len().max(size), 0.0);
        &mut self.gradient[..size]
    }

    /// The sum of its squares.
    pub(super) fn square(&self) -> f64 {
        let mut sum = 0.0;
        self.places.each(|at| sum += f64::from(self.gradient[at]).powi(2));
        sum
    }

    /// Moves the values by it, and makes it zeros again.
    pub(super) fn end(&mut self, rate: f32, values: &mut [f32]) {
        let Self { gradient, places } = self;
        places.each(|at| {
            values[at] -= rate * gradient[at];
            gradient[at] = 0.0;
        });
    }

    /// Makes it zeros again.
    pub(super) fn forget(&mut self) {
        let Self { gradient, places } = self;
        places.each(|at| gradient[at] = 0.0);
    }
}

impl Places {
    fn each(&self, mut with: impl FnMut(usize)) {
        let Self { touched, size, line, lines } = self;
        if *lines {
            let starts = touched.iter().map(|&row| row as usize * line);
            return starts.for_each(|start| (start..start + line).for_each(&mut with));
        }
        for start in (0..*size).step_by((*line).max(1)) {
            touched.iter().for_each(|&column| with(start + column as usize));
        }
    }
}
