//! What a network learns: numbers under the names and in the shapes that PyTorch gives them, held in
//! the order in which products read them, and in pieces, so that threads can learn a large one together.

mod filed;
mod piece;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use inlay_base::Random;
use inlay_formats::Array;
use inlay_kernels::{ByteMatrix, Kernels, Matrix, Packed, Winograd};

pub use self::piece::{Part, Piece};

/// Values of a piece, about: the work of a task, few enough for every thread to have some, and what fits the second cache with its gradient.
const PIECE: usize = 1 << 15;
/// Pieces, at most: a file may name any size before its values are looked for.
const PIECES: usize = 1 << 16;
/// Values from which on what a step reads once is not packed for it: that comes from beyond the second cache, where copies would
/// have to go each time.
const LARGE: usize = 1 << 18;
/// Columns of a piece are a multiple of this, so that panels of products are whole.
const PANEL: usize = 32;

/// What a layer wants to learn.
#[derive(Debug, Clone, PartialEq)]
pub struct Blueprint {
    /// As PyTorch calls it, without the layer's name: "weight", "bias_hh_l0".
    pub name: String,
    /// As PyTorch has it.
    pub shape: Vec<usize>,
    /// How PyTorch's order and ours belong together.
    pub order: Order,
    /// What it is before it has learnt anything.
    pub initial: Initial,
    /// Whether weight decay draws on it: matrices, and neither biases nor norms.
    pub decays: bool,
    /// Whether it is no part of the gradient: its layer keeps it up to date itself (see `Layer::keep`).
    pub kept: bool,
}

/// How PyTorch's order of values and ours belong together. Ours is always a matrix [rows, columns].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// A vector: one row.
    Vector,
    /// The same, cut into pieces by rows: a table that is looked up.
    Table,
    /// PyTorch's [columns, rows, taps...] is our [taps x rows, columns]: what a product has on its
    /// right. A dense layer has one tap.
    Turned {
        /// Places of a window.
        taps: usize,
        /// Groups of columns, each of which has inputs of its own: no piece has columns of two.
        groups: usize,
        /// Whether it is read transposed, tap by tap, on the way forward as well.
        back: bool,
        /// Side of the tiles in which windows of 3x3 are taken together to encode (see `Winograd`); none: each by itself.
        tiles: Option<usize>,
        /// Whether a step has one product with it, each way, and not one for each position.
        once: bool,
    },
}

/// What a parameter is before it has learnt anything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initial {
    /// The same everywhere.
    Constant(f32),
    /// Uniform from -limit to limit.
    Uniform(f32),
    /// Normal about zero, with this standard deviation.
    Normal(f32),
}

/// A parameter with its values.
pub struct Parameter {
    /// With the layer's name before it: "C.weight".
    pub name: String,
    /// What it is.
    pub blueprint: Blueprint,
    rows: usize,
    columns: usize,
    pieces: Vec<RwLock<Piece>>,
    /// All columns packed for products, where none are being learnt.
    whole: Option<Packed>,
    /// All columns for tiles of windows, where none are being learnt.
    winograd: Option<Winograd>,
    /// What stands in place of pieces where values have 8 bits.
    bytes: Option<ByteMatrix>,
    /// Where the values are if no piece holds them: in files, in PyTorch's order, one part after the other.
    filed: Vec<Array<f32>>,
}

impl Blueprint {
    /// A matrix of products, PyTorch's [outputs, inputs]: a step has one with it, each way.
    pub fn matrix(name: &str, shape: &[usize], initial: Initial) -> Self {
        Self::turned(name, shape, 1, initial, true)
    }

    /// What windows are multiplied by, of groups of outputs that have inputs of their own: [outputs, inputs of a group,
    /// taps...].
    pub fn grouped(name: &str, shape: &[usize], groups: usize, initial: Initial) -> Self {
        Self::turned(name, shape, groups, initial, false)
    }

    /// A matrix that each position has products of its own with: [outputs, inputs].
    pub fn recurrent(name: &str, shape: &[usize], initial: Initial) -> Self {
        Self::turned(name, shape, 1, initial, false)
    }

    fn turned(name: &str, shape: &[usize], groups: usize, initial: Initial, once: bool) -> Self {
        let taps = shape[2..].iter().product();
        let order = Order::Turned { taps, groups, back: false, tiles: None, once };
        Self { name: name.into(), shape: shape.to_vec(), order, initial, decays: true, kept: false }
    }

    /// A vector.
    pub fn vector(name: &str, length: usize, initial: Initial) -> Self {
        let order = Order::Vector;
        Self { name: name.into(), shape: vec![length], order, initial, decays: false, kept: false }
    }

    /// A vector that its layer keeps up to date itself.
    pub fn kept(name: &str, length: usize, initial: f32) -> Self {
        Self { kept: true, ..Self::vector(name, length, Initial::Constant(initial)) }
    }

    /// A number of batches, which is kept as well: a tensor of no axis.
    pub fn count(name: &str) -> Self {
        Self { shape: Vec::new(), ..Self::kept(name, 1, 0.0) }
    }

    /// Whether it is a number of batches: an integer in files.
    pub fn counts(&self) -> bool {
        self.kept && self.shape.is_empty()
    }

    /// How many values it has.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// Our rows and columns.
    fn extent(&self) -> (usize, usize) {
        match self.order {
            Order::Vector => (1, self.size()),
            Order::Table => (self.shape[0], self.shape[1]),
            Order::Turned { .. } => (self.shape[1..].iter().product(), self.shape[0]),
        }
    }

    /// Its pieces, without values.
    fn pieces(&self) -> impl Iterator<Item = Piece> + use<> {
        let (along, across) = self.lines();
        let step = match self.order {
            Order::Vector => across.max(1),
            // A value of a convolution costs a sum over all windows: threads get the least that
            // fills a tile.
            Order::Turned { taps, .. } if taps > 1 => PANEL,
            _ => (PIECE / along.max(1)).max(across / PIECES).next_multiple_of(PANEL).max(PANEL),
        };
        let (taps, groups) = match self.order {
            Order::Turned { taps, groups, .. } => (taps.max(1), groups),
            _ => (1, 1),
        };
        let group = (across / groups.max(1)).max(1);
        let firsts = (0..across).step_by(group).flat_map(move |start| {
            let end = (start + group).min(across);
            (start..end).step_by(step).map(move |first| (first, step.min(end - first)))
        });
        firsts.map(move |(first, count)| {
            let values = Vec::new().into();
            Piece { first, count, values, packed: None, packed_back: None, taps }
        })
    }

    /// Values of a column (of a table: a row), and how many there are of these.
    fn lines(&self) -> (usize, usize) {
        let (rows, columns) = self.extent();
        if self.order == Order::Table { (columns, rows) } else { (rows, columns) }
    }

    /// Where in PyTorch's order the value of our row and column is.
    fn place(&self, row: usize, column: usize) -> usize {
        let (rows, columns) = self.extent();
        match self.order {
            Order::Vector | Order::Table => row * columns + column,
            Order::Turned { taps, .. } => {
                let inputs = rows / taps.max(1);
                let (tap, input) = (row / inputs.max(1), row % inputs.max(1));
                (column * inputs + input) * taps + tap
            }
        }
    }
}

impl Parameter {
    /// Without values, which are to come.
    pub fn new(name: String, blueprint: Blueprint) -> Self {
        let (rows, columns) = blueprint.extent();
        let pieces = blueprint.pieces().map(RwLock::new).collect();
        let (whole, winograd, bytes, filed) = (None, None, None, Vec::new());
        Self { name, blueprint, rows, columns, pieces, whole, winograd, bytes, filed }
    }

    /// Takes its first values, from a stream of random numbers of its own.
    pub fn begin(&mut self, mut random: Random) {
        let initial = self.blueprint.initial;
        let mut draw = || match initial {
            Initial::Constant(value) => value,
            Initial::Uniform(limit) => (2.0 * random.unit() - 1.0) * limit,
            Initial::Normal(deviation) => normal(&mut random) * deviation,
        };
        let values: Vec<f32> = (0..self.blueprint.size()).map(|_| draw()).collect();
        self.set(&values);
    }

    /// Takes values in PyTorch's order.
    pub fn set(&mut self, values: &[f32]) {
        assert_eq!(values.len(), self.blueprint.size());
        if let Some(mut bytes) = self.bytes.take() {
            let ours: Vec<f32> = self.places().map(|place| values[place]).collect();
            bytes.take(0, Matrix::new(&ours, self.rows, self.columns));
            self.bytes = Some(bytes);
        }
        if !self.filed.is_empty() {
            self.filed.clear();
            self.pieces = self.blueprint.pieces().map(RwLock::new).collect();
        }
        for number in 0..self.pieces.len() {
            self.fill(&mut self.piece_mut(number), values);
        }
    }

    /// Gives a piece its values of all, which are in PyTorch's order.
    fn fill(&self, piece: &mut Piece, values: &[f32]) {
        let mut own = std::mem::replace(&mut piece.values, Vec::new().into());
        let all = own.to_mut();
        all.resize(self.blueprint.lines().0 * piece.count, 0.0);
        self.each_place(piece, |at, place| all[at] = values[place]);
        piece.values = own;
    }

    /// Where in PyTorch's order our values are, row by row.
    fn places(&self) -> impl Iterator<Item = usize> {
        let row = |row: usize| (0..self.columns).map(move |column| (row, column));
        let all = (0..self.rows).flat_map(row);
        all.map(|(row, column)| self.blueprint.place(row, column))
    }

    /// Values of 8 bits from here on: to encode with, in a quarter of the memory and less of the time. Whoever asks for
    /// the values gets what the bytes stand for.
    pub fn turn_into_bytes(&mut self, kernels: Kernels) {
        if self.bytes.is_some() {
            return;
        }
        let mut bytes = ByteMatrix::new(kernels, self.rows, self.columns);
        self.each_piece(|piece| {
            bytes.take(piece.first, Matrix::new(&piece.values, self.rows, piece.count));
        });
        self.pieces.clear();
        self.filed.drain(..).for_each(|part| part.release());
        self.bytes = Some(bytes);
    }

    /// Whether all values are numbers.
    pub fn is_finite(&self) -> bool {
        let mut finite = true;
        self.each_piece(|piece| finite &= piece.values.iter().all(|value| value.is_finite()));
        finite
    }

    /// The values, where they have 8 bits.
    pub fn bytes(&self) -> Option<&ByteMatrix> {
        self.bytes.as_ref()
    }

    /// Bytes of memory that it takes.
    pub fn held(&self) -> u64 {
        match &self.bytes {
            Some(bytes) => bytes.size() as u64,
            None => 4 * self.blueprint.size() as u64 + self.packed_bytes() - self.mapped(),
        }
    }

    /// The values in PyTorch's order.
    pub fn get(&self) -> Vec<f32> {
        if let Some(bytes) = &self.bytes {
            let mut values = vec![0.0; self.blueprint.size()];
            self.places().zip(bytes.values()).for_each(|(place, value)| values[place] = value);
            return values;
        }
        if !self.filed.is_empty() {
            return self.filed.iter().flat_map(|part| part.iter().copied()).collect();
        }
        self.in_pytorchs_order(|piece| self.piece(piece).values.to_vec())
    }

    /// What is kept beside each piece, a value for each of the parameter's, in PyTorch's order.
    pub fn in_pytorchs_order(&self, of_piece: impl Fn(usize) -> Vec<f32>) -> Vec<f32> {
        let mut values = vec![0.0; self.blueprint.size()];
        for number in 0..self.pieces.len() {
            let found = of_piece(number);
            self.each_place(&self.piece(number), |at, place| values[place] = found[at]);
        }
        values
    }

    /// Tells `with` where in a piece and where in PyTorch's order each value is.
    fn each_place(&self, piece: &Piece, mut with: impl FnMut(usize, usize)) {
        let Order::Turned { taps, .. } = self.blueprint.order else {
            let width = if self.blueprint.order == Order::Table { self.columns } else { 1 };
            return (0..piece.count * width).for_each(|at| with(at, piece.first * width + at));
        };
        let inputs = self.rows / taps.max(1);
        for column in 0..piece.count {
            let mut place = (piece.first + column) * self.rows;
            for input in 0..inputs {
                for tap in 0..taps {
                    with((tap * inputs + input) * piece.count + column, place);
                    place += 1;
                }
            }
        }
    }

    /// Bytes of its copies for products, about: whole panels, once for each way.
    pub fn packed_bytes(&self) -> u64 {
        let of_piece = |number: usize| {
            let piece = self.piece(number);
            let rows = piece.values.len() / piece.count.max(1);
            let forward = rows * piece.count.next_multiple_of(PANEL);
            let inputs = rows / piece.taps;
            let back = piece.taps * piece.count * inputs.next_multiple_of(PANEL);
            let used =
                |packed: &Option<Packed>, size: usize| if packed.is_some() { size } else { 0 };
            used(&piece.packed, forward) + used(&piece.packed_back, back)
        };
        let whole = self.whole.as_ref().map_or(0, Packed::size)
            + self.winograd.as_ref().map_or(0, Winograd::size);
        4 * (whole + (0..self.pieces()).map(of_piece).sum::<usize>()) as u64
    }

    /// Whether it is a matrix of a product.
    pub fn is_of_products(&self) -> bool {
        matches!(self.blueprint.order, Order::Turned { .. })
    }

    /// How many pieces there are.
    pub fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// What tiles of windows are multiplied by, if they are.
    pub fn winograd(&self) -> Option<&Winograd> {
        self.winograd.as_ref()
    }

    /// What products read, one part after the other.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let whole = self.whole.as_ref().map(|packed| Part::Whole(packed, self.columns));
        let pieces = if whole.is_some() { 0 } else { self.pieces() };
        whole.into_iter().chain((0..pieces).map(|number| Part::Piece(self.piece(number))))
    }

    /// A piece, to be read.
    pub fn piece(&self, number: usize) -> RwLockReadGuard<'_, Piece> {
        self.pieces[number].read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The only piece of what is never cut: vectors of biases.
    pub fn whole(&self) -> RwLockReadGuard<'_, Piece> {
        debug_assert_eq!(self.pieces(), 1);
        self.piece(0)
    }

    /// The piece that has a column; all but the last have as many.
    pub fn piece_of(&self, column: usize) -> RwLockReadGuard<'_, Piece> {
        let first = self.piece(0);
        match column < first.count {
            true => first,
            false => self.piece(column / first.count),
        }
    }

    /// A piece, to be changed.
    pub fn piece_mut(&self, number: usize) -> RwLockWriteGuard<'_, Piece> {
        self.pieces[number].write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets its copies for products: whoever reads it does so as it lies.
    pub fn unpack(&mut self) {
        self.own();
        self.forget_packed();
    }

    fn forget_packed(&mut self) {
        (self.whole, self.winograd) = (None, None);
        for number in 0..self.pieces.len() {
            let mut piece = self.piece_mut(number);
            (piece.packed, piece.packed_back) = (None, None);
        }
    }

    /// Makes it ready for products, forward and, for training, backward.
    pub fn prepare(&mut self, kernels: Kernels, training: bool) {
        if training {
            self.own();
        }
        let Order::Turned { tiles, back, .. } = self.blueprint.order else { return };
        self.forget_packed();
        let (rows, columns) = (self.rows, self.columns);
        if let (Some(side), false) = (tiles, training) {
            let mut winograd = Winograd::new(kernels, side, rows / 9, columns);
            self.each_piece(|piece| {
                let columns = Matrix::new(&piece.values, rows, piece.count);
                winograd.take(kernels, piece.first, columns);
            });
            self.winograd = Some(winograd);
        } else if !training && self.packs_whole() && self.bytes.is_none() {
            let mut whole = Packed::new(kernels, rows, columns);
            self.each_piece(|piece| {
                let columns = Matrix::new(&piece.values, rows, piece.count);
                whole.pack_columns(kernels, piece.first, columns);
            });
            self.whole = Some(whole);
        } else if !(training && self.is_large()) {
            for number in 0..self.pieces.len() {
                let mut piece = self.piece_mut(number);
                let (count, taps) = (piece.count, piece.taps);
                piece.packed = Some(Packed::new(kernels, rows, count));
                let room = || Packed::new(kernels, taps * count, rows / taps);
                piece.packed_back = (training || back).then(room);
                piece.refresh(kernels);
            }
        }
        self.filed.iter().for_each(Array::release);
    }

    /// Whether products read it as it lies while it learns.
    pub fn lies(&self) -> bool {
        self.is_large() && self.whole.is_none() && self.bytes.is_none()
    }

    fn is_large(&self) -> bool {
        let once = matches!(self.blueprint.order, Order::Turned { once: true, .. });
        once && self.blueprint.size() >= LARGE
    }

    /// Whether encoding has all columns packed as one matrix.
    fn packs_whole(&self) -> bool {
        matches!(self.blueprint.order, Order::Turned { groups: 1, back: false, .. })
    }
}

/// A standard normal number: Box and Muller 1958.
pub(crate) fn normal(random: &mut Random) -> f32 {
    let radius = (-2.0 * f64::from(1.0 - random.unit()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * f64::from(random.unit())).cos()) as f32
}
