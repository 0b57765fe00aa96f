use std::marker::PhantomData;
use std::ops::{Deref, Range};
use std::sync::Arc;

use bytemuck::Pod;
use inlay_base::Map;

/// Numbers in memory of their own, or in a mapped file, where they cost nothing until they are
/// read. Little endian in files, as on every machine this library is built for.
#[derive(Debug)]
pub struct Array<T: Pod>(Place<T>);

#[derive(Debug)]
enum Place<T> {
    Owned(Vec<T>),
    Mapped { map: Arc<Map>, range: Range<usize>, values: PhantomData<T> },
}

#[cfg(target_endian = "big")]
compile_error!("mapped files hold little-endian numbers, which this machine cannot read in place");

impl<T: Pod> Array<T> {
    /// The bytes `range` of the file as numbers: in place where they are aligned, else a copy.
    /// `None` if the range is not inside the file or not a whole number of values.
    pub fn mapped(map: &Arc<Map>, range: Range<usize>) -> Option<Self> {
        let bytes = map.get(range.clone())?;
        if bytes.len() % size_of::<T>() != 0 {
            return None;
        }
        if bytemuck::try_cast_slice::<u8, T>(bytes).is_ok() {
            return Some(Self(Place::Mapped { map: Arc::clone(map), range, values: PhantomData }));
        }
        let values = bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned);
        Some(Self(Place::Owned(values.collect())))
    }

    /// Whether the values are read from a file in place.
    pub fn is_mapped(&self) -> bool {
        matches!(self.0, Place::Mapped { .. })
    }

    /// Some of the values: in place where these are, else a copy.
    ///
    /// # Panics
    /// If there are no such values.
    pub fn part(&self, part: Range<usize>) -> Self {
        let values = &self[part.clone()];
        Self(match &self.0 {
            Place::Owned(_) => Place::Owned(values.to_vec()),
            Place::Mapped { map, range, .. } => {
                let start = range.start + part.start * size_of::<T>();
                let range = start..start + size_of_val(values);
                Place::Mapped { map: Arc::clone(map), range, values: PhantomData }
            }
        })
    }

    /// The values, to be changed: in memory of their own from here on.
    pub fn to_mut(&mut self) -> &mut Vec<T> {
        if let Place::Mapped { .. } = self.0 {
            self.0 = Place::Owned(self.to_vec());
        }
        match &mut self.0 {
            Place::Owned(values) => values,
            Place::Mapped { .. } => unreachable!("what was copied above"),
        }
    }

    /// Gives the memory of what is read in place back to the system, until it is read again.
    pub fn release(&self) {
        if let Place::Mapped { map, range, .. } = &self.0 {
            map.release(range.clone());
        }
    }
}

impl<T: Pod> From<Vec<T>> for Array<T> {
    fn from(values: Vec<T>) -> Self {
        Self(Place::Owned(values))
    }
}

impl<T: Pod> Deref for Array<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        match &self.0 {
            Place::Owned(values) => values,
            Place::Mapped { map, range, .. } => bytemuck::cast_slice(&map[range.clone()]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_in_the_file_where_they_are_aligned_and_are_copied_when_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers");
        let numbers: Vec<f32> = (0..6).map(|i| i as f32).collect();
        for skipped in [0, 1, 2, 4] {
            let bytes = [&vec![9; skipped][..], bytemuck::cast_slice(&numbers)].concat();
            std::fs::write(&path, bytes).unwrap();
            let map = Arc::new(Map::open(&path).unwrap());
            let mut all = Array::<f32>::mapped(&map, skipped..skipped + 24).unwrap();
            assert_eq!(all.is_mapped(), skipped % 4 == 0);
            let part = all.part(2..5);
            assert_eq!((&part[..], part.is_mapped()), (&numbers[2..5], all.is_mapped()));
            all.release();
            all.to_mut()[3] = 7.0;
            assert_eq!((all.is_mapped(), &all[2..5]), (false, &[2.0, 7.0, 4.0][..]));
            assert_eq!(part[..], numbers[2..5]);
            assert!(Array::<f32>::mapped(&map, skipped..skipped + 25).is_none());
        }
    }
}
