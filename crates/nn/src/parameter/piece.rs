//! Pieces of a parameter, and what products read of them.

use std::ops::Range;
use std::sync::RwLockReadGuard;

use inlay_formats::Array;
use inlay_kernels::{Kernels, Matrix, Packed, Second};

/// Columns of a parameter, ready for products: a piece, or all.
pub enum Part<'a> {
    /// While they are learnt.
    Piece(RwLockReadGuard<'a, Piece>),
    /// Else.
    Whole(&'a Packed, usize),
}

impl Part<'_> {
    /// The numbers of its columns.
    pub fn columns(&self) -> Range<usize> {
        match self {
            Self::Piece(piece) => piece.first..piece.first + piece.count,
            Self::Whole(_, columns) => 0..*columns,
        }
    }

    /// [rows, columns], packed if it is.
    pub fn matrix(&self) -> Second<'_> {
        match self {
            Self::Piece(piece) => piece.whole(),
            Self::Whole(packed, _) => (*packed).into(),
        }
    }

    /// [rows, columns], packed.
    pub fn packed(&self) -> &Packed {
        match self {
            Self::Piece(piece) => piece.packed(),
            Self::Whole(packed, _) => packed,
        }
    }
}

/// Some columns of a parameter, or some rows of a table, with all of the other.
pub struct Piece {
    /// The first of its columns (of a table: rows).
    pub first: usize,
    /// How many there are.
    pub count: usize,
    /// [rows, count]; of a table [count, columns].
    pub values: Array<f32>,
    /// Packed for the product with what the layer is given; `Order::Turned` only.
    pub(super) packed: Option<Packed>,
    /// Packed for the product with gradients: transposed, tap by tap.
    pub(super) packed_back: Option<Packed>,
    pub(super) taps: usize,
}

impl Piece {
    /// [rows, count], packed if it is.
    pub fn whole(&self) -> Second<'_> {
        self.packed.as_ref().map_or_else(|| self.lying().into(), Second::from)
    }

    /// [count, rows], packed if it is: of one tap.
    pub fn back(&self) -> Second<'_> {
        self.packed_back.as_ref().map_or_else(|| self.lying().transposed().into(), Second::from)
    }

    /// [rows, count], as it lies.
    fn lying(&self) -> Matrix<'_> {
        Matrix::new(&self.values, self.values.len() / self.count.max(1), self.count)
    }

    /// [rows, count], ready for a product.
    pub fn packed(&self) -> &Packed {
        self.packed.as_ref().expect("a parameter of products")
    }

    /// [taps x count, rows / taps], ready for a product.
    pub fn packed_back(&self) -> &Packed {
        self.packed_back.as_ref().expect("a network that is being trained")
    }

    /// All that a step reads and writes of it.
    pub fn held(&self) -> impl Iterator<Item = &[f32]> {
        let packed = [&self.packed, &self.packed_back].into_iter().flatten().map(Packed::values);
        std::iter::once(&self.values[..]).chain(packed)
    }

    /// Makes ready for products what has changed.
    pub fn refresh(&mut self, kernels: Kernels) {
        let (count, values) = (self.count, &self.values[..]);
        let rows = values.len() / count.max(1);
        if let Some(packed) = &mut self.packed {
            packed.pack(kernels, Matrix::new(values, rows, count));
        }
        if let Some(packed) = &mut self.packed_back {
            let inputs = rows / self.taps;
            for tap in 0..self.taps {
                let of_tap = &values[tap * inputs * count..][..inputs * count];
                let matrix = Matrix::new(of_tap, inputs, count).transposed();
                packed.pack_rows(kernels, tap * count, matrix);
            }
        }
    }
}
