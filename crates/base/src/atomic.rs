use std::sync::atomic::{AtomicU32, AtomicU64};

/// Numbers that several threads write, each its own ones of them.
pub fn atomic_u64(values: &mut [u64]) -> &[AtomicU64] {
    const { assert!(align_of::<u64>() == align_of::<AtomicU64>()) }
    // SAFETY: both have the same size and alignment, and whoever could see the values as plain ones is
    // borrowed from for as long.
    unsafe { &*(std::ptr::from_mut(values) as *const [AtomicU64]) }
}

/// As `atomic_u64`, of 32 bits.
pub fn atomic_u32(values: &mut [u32]) -> &[AtomicU32] {
    const { assert!(align_of::<u32>() == align_of::<AtomicU32>()) }
    // SAFETY: as above.
    unsafe { &*(std::ptr::from_mut(values) as *const [AtomicU32]) }
}
