use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, but that large blocks go back in steps: while the system takes pages back,
/// no other thread of the process gets new ones, and for hundreds of megabytes the event loop would
/// wait ten milliseconds.
pub struct InSteps;

/// Larger ones the C library of Linux maps one by one, so that nothing else lies on their pages.
#[cfg(target_os = "linux")]
const LARGE: usize = 32 << 20;
/// Bytes that go back at once: less than half a millisecond.
#[cfg(target_os = "linux")]
const STEP: usize = 4 << 20;

// SAFETY: all is `System`'s; what a block held may be lost when the block goes.
unsafe impl GlobalAlloc for InSteps {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promised.
        unsafe { System.realloc(block, layout, size) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        #[cfg(target_os = "linux")]
        if layout.size() > LARGE {
            give_back(block, layout.size());
        }
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Gives back the pages within a block whose values nobody reads any more, from the last to the first.
#[cfg(target_os = "linux")]
#[cold]
fn give_back(block: *mut u8, size: usize) {
    // What begins in the middle of a step may begin in the middle of a page.
    let first = block.align_offset(STEP);
    let steps = size.saturating_sub(first) / STEP;
    for step in (0..steps).rev() {
        // SAFETY: the step lies within the block, which is private memory of no other use.
        unsafe {
            libc::madvise(block.add(first + step * STEP).cast(), STEP, libc::MADV_DONTNEED);
        }
        // For who waits for the address space.
        std::thread::yield_now();
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn pages_within_a_block_go_and_what_lies_beside_it_stays() {
        let mut values = vec![7u8; LARGE];
        let (from, size) = (5, LARGE - 12);
        give_back(values[from..].as_mut_ptr(), size);
        let (before, block, behind) =
            (&values[..from], &values[from..from + size], &values[from + size..]);
        assert!(before.iter().chain(behind).all(|&value| value == 7));
        let gone = block.iter().filter(|&&value| value == 0).count();
        assert!(gone.is_multiple_of(STEP) && gone > size - 2 * STEP, "{gone} of {size}");
    }

    #[test]
    fn large_blocks_are_made_filled_and_given_back() {
        let layout = Layout::array::<u8>(LARGE + 1).unwrap();
        for _ in 0..3 {
            // SAFETY: the block is as large as it is said to be, and goes once.
            unsafe {
                let block = InSteps.alloc_zeroed(layout);
                assert!((0..=LARGE).step_by(4096).all(|at| block.add(at).read() == 0));
                block.write_bytes(7, LARGE + 1);
                InSteps.dealloc(block, layout);
            }
        }
    }
}
