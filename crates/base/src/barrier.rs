use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Patience, Result, Run};

/// Where the threads of a run wait for each other, many times a millisecond if need be, and do not wait
/// in vain: a run that is stopped lets all of them go.
pub struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    rounds: AtomicUsize,
}

impl Barrier {
    /// For so many threads.
    pub fn new(threads: usize) -> Self {
        Self { threads, arrived: AtomicUsize::new(0), rounds: AtomicUsize::new(0) }
    }

    /// Returns when all have come; what each did before is seen by all afterwards.
    ///
    /// # Errors
    /// `Aborted` if the run has been stopped or one of its threads has failed.
    pub fn wait(&self, run: &Run) -> Result<()> {
        run.check()?;
        let round = self.rounds.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.arrived.store(0, Ordering::Relaxed);
            self.rounds.store(round.wrapping_add(1), Ordering::Release);
            return Ok(());
        }
        let mut patience = Patience::default();
        while self.rounds.load(Ordering::Acquire) == round {
            patience.wait();
            if patience.has_yielded() {
                run.check()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn nobody_goes_on_before_all_have_come() {
        let run = Run::quiet(3, 1);
        let barrier = Barrier::new(3);
        let count = AtomicUsize::new(0);
        run.workers(|_| {
            for round in 1..=500 {
                count.fetch_add(1, Ordering::Relaxed);
                barrier.wait(&run)?;
                assert_eq!(count.load(Ordering::Relaxed), 3 * round);
                barrier.wait(&run)?;
            }
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn those_who_wait_for_one_that_failed_are_let_go() {
        let run = Run::quiet(3, 1);
        let barrier = Barrier::new(3);
        let failed = Error::Diverged { what: "test".into() };
        let outcome = run.workers(|worker| match worker {
            1 => Err(failed.clone()),
            _ => barrier.wait(&run),
        });
        assert_eq!(outcome.unwrap_err(), failed);
    }
}
