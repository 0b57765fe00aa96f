use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::{Result, Run, lock};

/// How long is waited before it is asked again whether the run goes on.
const PATIENCE: Duration = Duration::from_millis(5);

/// Makes pieces on all threads and gives them away one after the other, in order: while one is being written, others
/// are made. A thread makes its pieces with what it has of its own.
///
/// # Errors
/// The first failure of `make` or `give`; `Aborted`.
pub fn in_turns<T>(
    run: &Run,
    pieces: usize,
    own: impl Fn() -> T + Sync,
    make: impl Fn(&mut T, usize) -> Result<()> + Sync,
    give: impl FnMut(&mut T, usize) -> Result<()> + Send,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let (turn, turned) = (Mutex::new((0, give)), Condvar::new());
    let outcome = run.workers(|_| {
        let mut own = own();
        loop {
            run.check()?;
            let piece = next.fetch_add(1, Relaxed);
            if piece >= pieces {
                return Ok(());
            }
            make(&mut own, piece)?;
            let mut turn = lock(&turn);
            while turn.0 != piece {
                run.check()?;
                turn =
                    turned.wait_timeout(turn, PATIENCE).unwrap_or_else(PoisonError::into_inner).0;
            }
            (turn.1)(&mut own, piece)?;
            turn.0 += 1;
            turned.notify_all();
        }
    });
    outcome.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn pieces_are_given_in_order_and_a_failure_ends_all() {
        for threads in [1, 3] {
            let (run, mut given) = (Run::quiet(threads, 1), Vec::new());
            let make = |own: &mut usize, piece: usize| {
                if piece.is_multiple_of(7) {
                    std::thread::sleep(Duration::from_millis(2));
                }
                *own = piece * piece;
                Ok(())
            };
            let give = |own: &mut usize, piece| {
                given.push((piece, *own));
                Ok(())
            };
            in_turns(&run, 100, || 0, make, give).unwrap();
            assert_eq!(given, (0..100).map(|piece| (piece, piece * piece)).collect::<Vec<_>>());
            let full = |_: &mut usize, piece| match piece {
                20 => Err(Error::Unsupported { what: "the twentieth".into() }),
                _ => Ok(()),
            };
            let outcome = in_turns(&run, 100, || 0, make, full);
            assert!(matches!(outcome, Err(Error::Unsupported { .. })));
            let run = Run::quiet(threads, 1);
            let broken = |_: &mut usize, piece| match piece {
                9 => panic!("a fault of our own"),
                _ => Ok(()),
            };
            let outcome = in_turns(&run, 100, || 0, broken, |_, _| Ok(()));
            assert_eq!(outcome.unwrap_err().code(), "INTERNAL");
        }
    }
}
