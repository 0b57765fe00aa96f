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
