//! What stands in the window of a word: the rows of its company and of the words around it.

use inlay_base::{SharedMatrix, SharedRow};
use inlay_kernels::{Simd, prefetch_to_write};

use crate::company::Company;
use crate::lesson::{Now, Place};

/// Makes windows.
pub struct Sight<'a, M> {
    /// What stands in windows beside words.
    pub company: &'a M,
    /// One row for each word; none if windows have no words.
    pub input: &'a SharedMatrix,
    /// Words on each side, at most.
    pub window: usize,
    /// Words whose input rows do not move, by id.
    pub frozen: Option<&'a [bool]>,
}

impl<M: Company> Sight<'_, M> {
    /// Rows that `look` needs for copies.
    pub fn spares(&self) -> usize {
        if self.frozen.is_some() { 2 * self.window } else { 0 }
    }

    /// Adds the rows of a window. Copies stand for frozen ones, in the rows of `spare` from `first`
    /// on: what they learn is forgotten.
    #[inline(always)]
    pub fn look<'a, S: Simd>(
        &'a self,
        simd: S,
        place: Place,
        now: &Now<'a, '_>,
        (spare, first): (&'a SharedMatrix, usize),
        rows: &mut Vec<SharedRow<'a>>,
    ) {
        let Self { company, input, window, .. } = *self;
        let Place { centre, .. } = place;
        company.join(now.sentence, rows);
        if !company.has_words() {
            return;
        }
        if let Some(&entering) = now.ids.get(centre + 1 + window) {
            prefetch_to_write(simd, input.row(entering));
        }
        let words = rows.len();
        match company.beyond() {
            // Two loops: a chain of iterators would be a call for each word.
            None => {
                now.ids[place.start..centre].iter().for_each(|&id| rows.push(input.row(id)));
                now.ids[centre + 1..place.end].iter().for_each(|&id| rows.push(input.row(id)));
            }
            Some(beyond) => rows.extend(
                places(centre, window)
                    .map(|at| now.ids.get(at).map_or(beyond, |&id| input.row(id))),
            ),
        }
        if let Some(frozen) = self.frozen {
            let rows = &mut rows[words..];
            let spare = Spare { rows: spare, first };
            match company.beyond() {
                None => {
                    let ids = place.around().map(|at| Some(now.ids[at]));
                    spare_frozen(ids, frozen, input, spare, rows);
                }
                Some(_) => {
                    let ids = places(centre, window).map(|at| now.ids.get(at).copied());
                    spare_frozen(ids, frozen, input, spare, rows);
                }
            }
        }
    }
}

/// All places around a centre; those before the first word are no places of any sentence.
#[inline(always)]
pub fn places(centre: usize, window: usize) -> impl Iterator<Item = usize> {
    let before = (1..=window).rev().map(move |back| centre.wrapping_sub(back));
    before.chain((1..=window).map(move |on| centre + on))
}

struct Spare<'a> {
    rows: &'a SharedMatrix,
    first: usize,
}

/// Puts copies in the place of the words' rows that must not move.
#[inline(never)]
fn spare_frozen<'a>(
    ids: impl Iterator<Item = Option<u32>>,
    frozen: &[bool],
    input: &SharedMatrix,
    spare: Spare<'a>,
    rows: &mut [SharedRow<'a>],
) {
    let mut values = vec![0.0; input.columns()];
    for (place, id) in ids.enumerate() {
        if let Some(id) = id.filter(|&id| frozen[id as usize]) {
            let copy = (spare.first + place) as u32;
            input.read(id, &mut values);
            spare.rows.write(copy, &values);
            rows[place] = spare.rows.row(copy);
        }
    }
}
