//! How a new document's tag and the words around a centre become one hidden vector. The tag learns and the
//! words stay, so that sums of their rows can run ahead and serve every window.

use inlay_base::{SharedMatrix, SharedRow};
use inlay_kernels::{Between, Simd, Whole, lay_row, mean_of_rows, prefetch, run_on, slide};

use super::steps::Steps;
use crate::lesson::Place;
use crate::sight::places;

/// What stands around a centre.
pub trait Around: Sync {
    /// What it keeps of a document on its way.
    type Kept: Copy + Default;

    /// How many of them.
    fn keeps(&self) -> usize {
        0
    }

    /// Before the first word of a document.
    #[inline(always)]
    fn begin(&self, _ids: &[u32], _kept: &mut [Self::Kept]) {}

    /// Makes the hidden vector of a centre, and asks for a row that will be read two centres on. Centres come
    /// one after the other, the first one first.
    fn gather<S: Simd>(
        &self,
        simd: S,
        tag: SharedRow<'_>,
        words: (&[u32], Place),
        kept: &mut [Self::Kept],
        hidden: &mut [f32],
    );

    /// The tag's part of a hidden vector's change.
    #[inline(always)]
    fn part(&self, _place: Place) -> f32 {
        1.0
    }
}

/// The tag alone: PV-DBOW.
pub struct Alone;

impl Around for Alone {
    type Kept = f32;

    #[inline(always)]
    fn gather<S: Simd>(
        &self,
        simd: S,
        tag: SharedRow<'_>,
        _words: (&[u32], Place),
        _kept: &mut [Self::Kept],
        hidden: &mut [f32],
    ) {
        mean_of_rows(simd, &[tag], 1.0, hidden);
    }
}

/// The mean or the sum of the tag and the words: PV-DM. It keeps the sums of all words before the
/// last places.
pub struct Sums<'a, T> {
    /// One row for each word.
    pub input: &'a Steps<T>,
    /// Words on each side, at most.
    pub window: usize,
    /// As in `Cbow`.
    pub mean: bool,
}

impl<T: Whole> Sums<'_, T> {
    /// Sums that are kept: from the first place of a window to the one behind it.
    fn sums(&self) -> usize {
        2 * self.window + 2
    }

    /// Where the sum before a place lies.
    #[inline(always)]
    fn before(&self, place: usize) -> usize {
        (place as u32 % self.sums() as u32) as usize * self.input.padded()
    }
}

impl<T: Whole> Around for Sums<'_, T> {
    type Kept = T;

    fn keeps(&self) -> usize {
        self.sums() * self.input.padded()
    }

    #[inline(always)]
    fn begin(&self, ids: &[u32], kept: &mut [T]) {
        let padded = self.input.padded();
        let (mut before, mut left) = kept.split_at_mut(padded);
        before.fill(T::default());
        for &id in ids.iter().take(self.window) {
            let (after, others) = left.split_at_mut(padded);
            run_on(self.input.row(id), before, after);
            (before, left) = (after, others);
        }
    }

    #[inline(always)]
    fn gather<S: Simd>(
        &self,
        simd: S,
        tag: SharedRow<'_>,
        (ids, Place { centre, start, end }): (&[u32], Place),
        kept: &mut [T],
        hidden: &mut [f32],
    ) {
        let Self { input, window, mean } = *self;
        let row = |centres| ids.get(centre + window + centres).map(|&id| input.row(id));
        // One division for all places: no other is as far as a turn behind the centre.
        let (here, turn) = (self.before(centre), kept.len());
        let ahead = |places| {
            let at = here + places * input.padded();
            if at < turn { at } else { at - turn }
        };
        let behind = |places| {
            let back = places * input.padded();
            if back <= here { here - back } else { here + turn - back }
        };
        let sums = [behind(centre - start), here, ahead(1), ahead(end - centre)];
        let scale = if mean { 1.0 / (end - start) as f32 } else { 1.0 };
        let entering = [ahead(window), ahead(window + 1)];
        let between = Between { sums, entering, step: input.step(), scale };
        slide(simd, [row(0), row(2)], tag, between, kept, hidden);
    }

    #[inline(always)]
    fn part(&self, Place { start, end, .. }: Place) -> f32 {
        if self.mean { 1.0 } else { 1.0 / (end - start) as f32 }
    }
}

/// The tag and the words end to end, as in `Concatenation`.
pub struct EndToEnd<'a> {
    /// One row for each word.
    pub input: &'a SharedMatrix,
    /// One row: what stands beyond the ends of a document.
    pub beyond: &'a SharedMatrix,
    /// Words on each side.
    pub window: usize,
}

impl Around for EndToEnd<'_> {
    type Kept = f32;

    #[inline(always)]
    fn gather<S: Simd>(
        &self,
        simd: S,
        tag: SharedRow<'_>,
        (ids, Place { centre, .. }): (&[u32], Place),
        _kept: &mut [Self::Kept],
        hidden: &mut [f32],
    ) {
        let Self { input, beyond, window } = *self;
        let words = places(centre, window)
            .map(|at| ids.get(at).map_or_else(|| beyond.row(0), |&id| input.row(id)));
        if let Some(&id) = ids.get(centre + window + 2) {
            prefetch(simd, input.row(id));
        }
        let parts = hidden.chunks_exact_mut(input.columns());
        for (row, part) in std::iter::once(tag).chain(words).zip(parts) {
            lay_row(simd, row, part);
        }
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;
    use inlay_kernels::{Kernels, Task};
    use inlay_vectors::Rows;

    use super::*;

    const COLUMNS: usize = 21;

    fn at_random(rows: usize, seed: u64) -> SharedMatrix {
        let (matrix, mut random) =
            (SharedMatrix::zeros(rows, COLUMNS).unwrap(), Random::new(seed, 0));
        for row in 0..rows as u32 {
            let values: Vec<f32> = (0..COLUMNS).map(|_| random.unit()).collect();
            matrix.write(row, &values);
        }
        matrix
    }

    fn values(matrix: &SharedMatrix, row: u32) -> Vec<f32> {
        let mut values = vec![0.0; COLUMNS];
        matrix.read(row, &mut values);
        values
    }

    /// Goes through a document with windows of changing width, and gives all hidden vectors.
    struct Walk<'a, A: Around> {
        around: &'a A,
        tag: &'a SharedMatrix,
        ids: &'a [u32],
        width: usize,
        places: &'a [Place],
        /// What lies where nothing was kept yet.
        unset: A::Kept,
    }

    impl<A: Around> Task for Walk<'_, A> {
        type Output = Vec<Vec<f32>>;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Vec<Vec<f32>> {
            let Self { around, tag, ids, width, places, unset } = self;
            let mut kept = vec![unset; around.keeps()];
            around.begin(ids, &mut kept);
            let hidden = |&place: &Place| {
                let mut hidden = vec![0.0; width];
                around.gather(simd, tag.row(0), (ids, place), &mut kept, &mut hidden);
                hidden
            };
            places.iter().map(hidden).collect()
        }
    }

    fn places_of(words: usize, window: usize) -> Vec<Place> {
        (0..words)
            .map(|centre| {
                let reach = 1 + centre * 7 % window;
                let start = centre.saturating_sub(reach);
                Place { centre, start, end: words.min(centre + 1 + reach) }
            })
            .collect()
    }

    fn running_sums_are_those_of_every_window<T: Whole>(most: usize) {
        let (all, tag) = (&at_random(50, 1), &at_random(1, 2));
        let all: Vec<f32> = (0..50).flat_map(|row| values(all, row)).collect();
        let input = &Steps::<T>::new(&Rows::from_values(&all, COLUMNS).unwrap(), 2 * most).unwrap();
        for (words, window) in [(1, 5), (3, 5), (40, 1), (40, most), (5000, 5), (3000, most)] {
            let ids: Vec<u32> = (0..words as u32).map(|at| at * 31 % 50).collect();
            let places = &places_of(words, window);
            for mean in [true, false] {
                let around = &Sums { input, window, mean };
                for set in Kernels::available() {
                    let (ids, width, unset) = (&ids, input.padded(), T::nearest(12_345.0));
                    let found = set.run(Walk { around, tag, ids, width, places, unset });
                    for (place, hidden) in places.iter().zip(found) {
                        let mut wanted: Vec<f64> =
                            values(tag, 0).into_iter().map(f64::from).collect();
                        for at in place.around() {
                            let row = input.row(ids[at]).iter();
                            let row = row.map(|x| f64::from(x.number()) * f64::from(input.step()));
                            wanted.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
                        }
                        let rows = if mean { place.around().count() + 1 } else { 1 } as f64;
                        for (&got, sum) in hidden.iter().zip(wanted) {
                            let off = (f64::from(got) * rows - sum).abs();
                            assert!(off < 1e-5 * rows.max(10.0), "{} {words} {window}", set.name());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn running_sums_give_the_mean_and_the_sum_of_every_window() {
        running_sums_are_those_of_every_window::<i16>(8);
        running_sums_are_those_of_every_window::<i32>(60);
    }

    #[test]
    fn end_to_end_stand_the_tag_the_words_and_what_is_beyond() {
        let (input, beyond, tag) = (&at_random(9, 1), &at_random(1, 3), &at_random(1, 2));
        let around = &EndToEnd { input, beyond, window: 2 };
        let (ids, places) = (&[4, 7, 2], &places_of(3, 2));
        for set in Kernels::available() {
            let width = (5 * COLUMNS).next_multiple_of(16);
            let found = set.run(Walk { around, tag, ids, width, places, unset: f32::NAN });
            let wanted = [values(tag, 0), values(beyond, 0), values(input, 4), values(input, 2)];
            let wanted = [&wanted[..], &[values(beyond, 0)]].concat().concat();
            assert!(found[1][..5 * COLUMNS] == wanted, "{}", set.name());
        }
    }

    #[test]
    fn the_tag_gets_its_part() {
        let rows = Rows::from_values(&[1.0, 2.0], 2).unwrap();
        let input = &Steps::<i16>::new(&rows, 6).unwrap();
        let place = Place { centre: 2, start: 1, end: 5 };
        assert_eq!(Sums { input, window: 3, mean: false }.part(place), 0.25);
        assert_eq!(Sums { input, window: 3, mean: true }.part(place), 1.0);
        assert_eq!(Alone.part(place), 1.0);
    }
}
