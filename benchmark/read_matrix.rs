//! Merely reading a matrix: what any exact search must do at least. Plain Rust without this
//! library, built by `rustc -O -C target-cpu=native`.
//!
//!     read_matrix VALUES THREADS     for each line on stdin: the passes it asks for, the seconds they took

use std::alloc::{Layout, alloc};
use std::io::{BufRead, Write, stdin, stdout};
use std::slice::{from_raw_parts, from_raw_parts_mut};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// Bytes of a large page, with which reading is faster.
const LARGE_PAGE: usize = 1 << 21;
/// Pairs of values that a thread takes at once: 1 MiB.
const PART: usize = 1 << 17;

#[cfg(target_os = "linux")]
unsafe extern "C" {
    fn madvise(address: *mut u8, length: usize, advice: i32) -> i32;
}

fn main() {
    let numbers: Vec<usize> =
        std::env::args().skip(1).map(|argument| argument.parse().expect("a number")).collect();
    let [values, threads] = numbers[..] else { panic!("usage: read_matrix VALUES THREADS") };
    let pairs = values / 2;
    let layout = Layout::from_size_align(pairs * 8, LARGE_PAGE).expect("a size in memory");
    // SAFETY: the layout is not empty; all of it is written before it is read.
    let matrix: &[u64] = unsafe {
        let start = alloc(layout);
        assert!(!start.is_null(), "no memory");
        #[cfg(target_os = "linux")]
        madvise(start, layout.size(), 14); // MADV_HUGEPAGE: a kernel that refuses is no harm
        let matrix = from_raw_parts_mut(start.cast::<u64>(), pairs);
        let mut state = 1u64;
        for pair in matrix {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            *pair = state;
        }
        from_raw_parts(start.cast(), pairs)
    };
    let expected = sum(matrix);
    println!("ready");
    for line in stdin().lock().lines() {
        let passes: usize = line.expect("a line").parse().expect("a number of passes");
        let start = Instant::now();
        for _ in 0..passes {
            assert_eq!(read(matrix, threads), expected, "not all was read");
        }
        println!("{{\"wall\":{}}}", start.elapsed().as_secs_f64());
        stdout().flush().expect("somebody listens");
    }
}

/// One pass over the matrix on all threads.
fn read(matrix: &[u64], threads: usize) -> u64 {
    let next = AtomicUsize::new(0);
    let total = AtomicU64::new(0);
    let work = || {
        while let part = next.fetch_add(PART, Ordering::Relaxed)
            && part < matrix.len()
        {
            let end = matrix.len().min(part + PART);
            total.fetch_add(sum(&matrix[part..end]), Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    total.into_inner()
}

/// Integers may be added in any order, so the compiler makes this as wide as the machine can.
fn sum(values: &[u64]) -> u64 {
    values.iter().fold(0, |sum, &value| sum.wrapping_add(value))
}
