use inlay_base::{Error, Pages, Result};

/// Up to here the allocator has it at hand; a large page would be larger than all of it.
const SMALL: usize = 1 << 19;

/// Room for values, zeros to begin with: much of it lies on large pages, because to be given memory costs as much as to
/// write it.
pub enum Memory {
    /// A few.
    Small(Vec<f32>),
    /// Many.
    Large(Pages),
}

impl Memory {
    /// Zeros: `rows` of `width`.
    ///
    /// # Errors
    /// `OutOfMemory`
    pub fn zeroed(rows: usize, width: usize) -> Result<Self> {
        let Some(length) = rows.checked_mul(width) else {
            return Err(Error::OutOfMemory { asked: u64::MAX, free: None });
        };
        Ok(if length <= SMALL {
            Self::Small(vec![0.0; length])
        } else {
            Self::Large(Pages::zeroed(length)?)
        })
    }

    /// All values.
    pub fn as_slice(&self) -> &[f32] {
        match self {
            Self::Small(values) => values,
            Self::Large(pages) => pages.as_slice(),
        }
    }

    /// All values, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        match self {
            Self::Small(values) => values,
            Self::Large(pages) => pages.as_mut_slice(),
        }
    }
}
