//! Values that are read where files have them: no thread has a copy of its own, and no process. The files must stay as
//! they are (see `inlay_base::Map`).

use std::borrow::Cow;

use inlay_formats::Array;

use super::{Order, Parameter, Piece};

impl Parameter {
    /// Takes values in PyTorch's order, one part after the other.
    pub fn take(&mut self, parts: &[Array<f32>]) {
        self.set(&together(parts));
    }

    /// The same, in place where they are so in a file: a table, and of what encoding reads `packed` for products and not
    /// otherwise all that is not packed. They are copied when they are to change.
    pub fn take_in_place(&mut self, parts: Vec<Array<f32>>, packed: bool) {
        let mapped = parts.iter().all(Array::is_mapped);
        match (self.blueprint.order, &parts[..]) {
            (Order::Table, [table]) if mapped => {
                for number in 0..self.pieces() {
                    let mut piece = self.piece_mut(number);
                    let first = piece.first * self.columns;
                    piece.values = table.part(first..first + piece.count * self.columns);
                }
            }
            (Order::Turned { .. }, _) if mapped && packed && self.packs_whole() => {
                self.pieces.clear();
                self.filed = parts;
            }
            _ => self.take(&parts),
        }
    }

    /// Bytes of files in which it has values.
    pub fn mapped(&self) -> u64 {
        let in_piece = |number| {
            let piece = self.piece(number);
            if piece.values.is_mapped() { size_of_val(&piece.values[..]) } else { 0 }
        };
        let filed = self.filed.iter().map(|part| size_of_val(&part[..]));
        (filed.sum::<usize>() + (0..self.pieces()).map(in_piece).sum::<usize>()) as u64
    }

    /// Has all values in pieces from here on.
    pub(super) fn own(&mut self) {
        if !self.filed.is_empty() {
            let values = self.get();
            self.set(&values);
        }
    }

    /// Shows each piece. Of what has none, each is made, and gone afterwards.
    pub(super) fn each_piece(&self, mut with: impl FnMut(&Piece)) {
        if self.filed.is_empty() {
            return (0..self.pieces()).for_each(|number| with(&self.piece(number)));
        }
        let values = together(&self.filed);
        for mut piece in self.blueprint.pieces() {
            self.fill(&mut piece, &values);
            with(&piece);
        }
    }
}

/// All parts, one after the other.
fn together(parts: &[Array<f32>]) -> Cow<'_, [f32]> {
    match parts {
        [all] => Cow::Borrowed(all),
        parts => Cow::Owned(parts.iter().flat_map(|part| part.iter().copied()).collect()),
    }
}
