use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// Values from the start of a cache line on, so that no vector of them lies across two: one that does costs two
/// reads, and cannot be read again soon after it was stored.
pub struct Aligned<T> {
    lines: Vec<Line>,
    length: usize,
    values: PhantomData<T>,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

impl<T: Copy> Aligned<T> {
    /// `value`, so many times.
    pub fn new(value: T, length: usize) -> Self {
        let mut all = Self::default();
        all.grow(value, length);
        all
    }

    /// At least so many values: `value` where there were none.
    pub fn grow(&mut self, value: T, length: usize) {
        const { assert!(64usize.is_multiple_of(size_of::<T>()), "a line holds whole values") };
        if length <= self.length {
            return;
        }
        self.lines.resize(length.div_ceil(64 / size_of::<T>()), Line([0; 64]));
        let start = self.lines.as_mut_ptr().cast::<T>();
        for at in self.length..length {
            // SAFETY: the lines have room for `length` values.
            unsafe { start.add(at).write(value) };
        }
        self.length = length;
    }
}

impl<T> Default for Aligned<T> {
    fn default() -> Self {
        Self { lines: Vec::new(), length: 0, values: PhantomData }
    }
}

impl<T: Copy> Deref for Aligned<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: the lines begin with `length` values, which `grow` has written.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}

impl<T: Copy> DerefMut for Aligned<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_begin_at_a_line_and_are_as_many_as_asked_for() {
        for length in [0, 1, 16, 17, 100] {
            let mut values = Aligned::new(7u32, length);
            assert_eq!(*values, vec![7; length]);
            assert_eq!(values.as_ptr() as usize % 64, 0);
            values.iter_mut().for_each(|value| *value += 1);
            assert_eq!(*values, vec![8; length]);
            values.grow(7, length + 20);
            assert_eq!((values.len(), values.as_ptr() as usize % 64), (length + 20, 0));
            assert_eq!(values[..length], vec![8; length]);
            values.grow(7, 3);
            assert_eq!(values.len(), length + 20);
        }
    }
}
