use std::cell::UnsafeCell;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;

use crate::Patience;

type Work = *const (dyn Fn(usize) + Sync);

/// Threads that help one of them, its leader, with tasks of a few microseconds: a share of one product. Whoever has begun
/// none is not waited for.
pub struct Crew {
    size: usize,
    /// The leader's tasks, for as long as they are open.
    work: UnsafeCell<Option<Work>>,
    tasks: AtomicUsize,
    next: AtomicUsize,
    /// Those who look at the tasks.
    busy: AtomicUsize,
    open: AtomicBool,
    closed: AtomicBool,
    spoilt: AtomicBool,
}

// SAFETY: `work` is written by the leader alone, while nothing is open and nobody busy, and is of a type that may be
// called from any thread.
unsafe impl Send for Crew {}
// SAFETY: as above.
unsafe impl Sync for Crew {}

impl Crew {
    /// A leader with `size - 1` helpers, who have to call `help`.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            work: UnsafeCell::new(None),
            tasks: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            open: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            spoilt: AtomicBool::new(false),
        }
    }

    /// How many they are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The leader's call: does `work(0)` to `work(tasks - 1)`, in any order, and returns when all are done.
    ///
    /// # Panics
    /// If a helper did; if work asks for the crew's help itself.
    pub fn each(&self, tasks: usize, work: &(dyn Fn(usize) + Sync)) {
        /// Nobody looks at the work any more once this is gone.
        struct Opened<'a>(&'a Crew);
        impl Drop for Opened<'_> {
            fn drop(&mut self) {
                self.0.open.store(false, SeqCst);
                let mut patience = Patience::default();
                while self.0.busy.load(SeqCst) > 0 {
                    patience.wait();
                }
            }
        }
        assert!(!self.open.load(Relaxed), "a crew has one task at a time");
        // SAFETY: only the lifetime changes, and `Opened` holds this call until nobody looks at the work any more.
        let forever = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Work>(work) };
        // SAFETY: nothing is open, and nobody busy.
        unsafe { *self.work.get() = Some(forever) };
        self.tasks.store(tasks, Relaxed);
        self.next.store(0, Relaxed);
        self.open.store(true, SeqCst);
        let opened = Opened(self);
        self.claim(work);
        drop(opened);
        assert!(!self.spoilt.load(Acquire), "a helper of a crew has failed");
    }

    /// A helper's call, which returns when the leader has closed the crew.
    pub fn help(&self) {
        struct Busy<'a>(&'a Crew);
        impl Drop for Busy<'_> {
            fn drop(&mut self) {
                if thread::panicking() {
                    self.0.spoilt.store(true, Release);
                }
                self.0.busy.fetch_sub(1, SeqCst);
            }
        }
        let mut patience = Patience::default();
        while !self.closed.load(Acquire) {
            if self.open.load(Acquire) && self.next.load(Relaxed) < self.tasks.load(Relaxed) {
                self.busy.fetch_add(1, SeqCst);
                let busy = Busy(self);
                // Either the leader sees that somebody is busy, or it is seen here that it has closed the tasks.
                if self.open.load(SeqCst) {
                    // SAFETY: tasks are open, and the leader waits for those who are busy.
                    let work = unsafe { (*self.work.get()).map(|work| &*work) };
                    if let Some(work) = work {
                        self.claim(work);
                    }
                    patience = Patience::default();
                }
                drop(busy);
            }
            patience.wait_or_sleep();
        }
    }

    /// Lets the helpers go.
    pub fn close(&self) {
        self.closed.store(true, Release);
    }

    fn claim(&self, work: &(dyn Fn(usize) + Sync)) {
        loop {
            let task = self.next.fetch_add(1, Relaxed);
            if task >= self.tasks.load(Relaxed) {
                return;
            }
            work(task);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::Run;

    #[test]
    fn all_tasks_are_done_once_before_the_leader_goes_on() {
        let (run, crew) = (Run::quiet(3, 1), Crew::new(3));
        run.workers(|worker| {
            if worker > 0 {
                crew.help();
                return Ok(());
            }
            for round in 0..3000 {
                let tasks = round % 7;
                // On the stack of this turn: a helper that came late would look at what is gone.
                let done: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                crew.each(tasks, &|task| {
                    done[task].fetch_add(1 + round, Relaxed);
                });
                assert!(done.iter().all(|done| done.load(Relaxed) == 1 + round));
            }
            crew.close();
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn several_take_part_where_tasks_take_long() {
        let (run, crew) = (Run::quiet(2, 1), Crew::new(2));
        let who = Mutex::new(std::collections::HashSet::new());
        run.workers(|worker| {
            if worker > 0 {
                crew.help();
                return Ok(());
            }
            crew.each(2, &|_| {
                who.lock().unwrap().insert(thread::current().id());
                let begin = Instant::now();
                // Who has one task leaves the other to somebody else.
                while who.lock().unwrap().len() < 2 && begin.elapsed() < Duration::from_secs(20) {
                    thread::yield_now();
                }
            });
            crew.close();
            Ok(())
        })
        .unwrap();
        assert_eq!(who.into_inner().unwrap().len(), 2);
    }

    #[test]
    fn a_panic_of_a_helper_is_the_leaders() {
        let (run, crew) = (Run::quiet(2, 1), Crew::new(2));
        let leader = Mutex::new(None);
        let outcome = run.workers(|worker| {
            if worker > 0 {
                crew.help();
                return Ok(());
            }
            struct Close<'a>(&'a Crew);
            impl Drop for Close<'_> {
                fn drop(&mut self) {
                    self.0.close();
                }
            }
            let _close = Close(&crew);
            *leader.lock().unwrap() = Some(thread::current().id());
            crew.each(2, &|_| {
                let own = Some(thread::current().id());
                assert!(own == *leader.lock().unwrap(), "a fault of our own");
                let begin = Instant::now();
                while !crew.spoilt.load(Acquire) && begin.elapsed() < Duration::from_secs(20) {
                    thread::yield_now();
                }
            });
            Ok(())
        });
        assert_eq!(outcome.unwrap_err().code(), "INTERNAL");
    }
}
