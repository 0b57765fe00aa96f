//! Threads that rest between runs: to wake one takes a fraction of what starting one does, and it has its stack and its
//! memory at hand.

use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{mem, panic};

use crate::{Error, Result, lock, yield_to_others};

/// How long a thread rests before it ends.
const REST: Duration = Duration::from_secs(10);

/// Processors that the process may use, as the system said when it was first asked: asking reads several files.
pub fn processors() -> usize {
    static KNOWN: OnceLock<usize> = OnceLock::new();
    *KNOWN.get_or_init(|| thread::available_parallelism().map_or(1, NonZeroUsize::get))
}

type Job = Box<dyn FnOnce() + Send>;

/// All threads that were started and have not been seen to end, and those of them that rest.
struct House {
    threads: Vec<JoinHandle<()>>,
    resting: Vec<Arc<Berth>>,
    /// How often everybody was sent away.
    clearings: u64,
}

static HOUSE: Mutex<House> =
    Mutex::new(House { threads: Vec::new(), resting: Vec::new(), clearings: 0 });

fn house() -> MutexGuard<'static, House> {
    lock(&HOUSE)
}

/// Where a thread waits to be told what to do.
#[derive(Default)]
struct Berth {
    order: Mutex<Order>,
    told: Condvar,
}

#[derive(Default)]
enum Order {
    #[default]
    Rest,
    Work(Job, Arc<Latch>),
    Leave,
}

impl Berth {
    fn tell(&self, order: Order) {
        *lock(&self.order) = order;
        self.told.notify_one();
    }

    /// The order that comes; `None` if there was none for so long.
    fn wait(&self) -> Option<Order> {
        let order = lock(&self.order);
        let rests = |order: &mut Order| matches!(order, Order::Rest);
        let (mut order, _) = self
            .told
            .wait_timeout_while(order, REST, rests)
            .unwrap_or_else(PoisonError::into_inner);
        match mem::take(&mut *order) {
            Order::Rest => None,
            order => Some(order),
        }
    }
}

/// Opens when a job has ended.
#[derive(Default)]
struct Latch {
    open: Mutex<bool>,
    opened: Condvar,
}

/// A thread that has nothing to do yet; it ends if nothing comes.
pub struct Hired(Option<Arc<Berth>>);

/// A thread at work.
pub struct AtWork(Arc<Latch>);

/// So many threads, which give way to others (see `yield_to_others`).
///
/// # Errors
/// `Unsupported` if the system refuses one.
pub fn hire(count: usize) -> Result<Vec<Hired>> {
    let mut house = house();
    let kept = house.resting.len().saturating_sub(count);
    let mut hired: Vec<Hired> =
        house.resting.drain(kept..).map(|berth| Hired(Some(berth))).collect();
    house.threads.retain(|thread| !thread.is_finished());
    while hired.len() < count {
        let berth = Arc::<Berth>::default();
        let (own, clearings) = (Arc::clone(&berth), house.clearings);
        match thread::Builder::new().name("inlay".into()).spawn(move || live(&own, clearings)) {
            Ok(thread) => house.threads.push(thread),
            Err(error) => {
                let what = format!("cannot start {count} threads: {error}");
                return Err(Error::Unsupported { what });
            }
        }
        hired.push(Hired(Some(berth)));
    }
    Ok(hired)
}

/// Ends all threads that rest, and waits until they, and those at work, have ended.
pub fn send_away() {
    let mut house = house();
    house.clearings += 1;
    let (threads, resting) = (mem::take(&mut house.threads), mem::take(&mut house.resting));
    drop(house);
    resting.iter().for_each(|berth| berth.tell(Order::Leave));
    for thread in threads {
        if thread.thread().id() != thread::current().id() {
            let _ = thread.join();
        }
    }
}

impl Hired {
    /// Sets it to work.
    pub fn start(self, job: impl FnOnce() + Send + 'static) -> AtWork {
        self.start_boxed(Box::new(job))
    }

    fn start_boxed(mut self, job: Job) -> AtWork {
        let latch = Arc::<Latch>::default();
        if let Some(berth) = self.0.take() {
            berth.tell(Order::Work(job, Arc::clone(&latch)));
        }
        AtWork(latch)
    }
}

impl Drop for Hired {
    fn drop(&mut self) {
        if let Some(berth) = &self.0 {
            berth.tell(Order::Leave);
        }
    }
}

impl AtWork {
    /// Whether `wait` would return at once.
    pub fn has_ended(&self) -> bool {
        *lock(&self.0.open)
    }

    /// Returns when the job has ended, and all that it held is gone.
    pub fn wait(&self) {
        let mut open = lock(&self.0.open);
        while !*open {
            open = self.0.opened.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Does `work(0)` here and the others on `threads - 1` threads, all at the same time, and returns when all have ended.
/// Nothing is begun if the system refuses a thread.
///
/// # Errors
/// As `hire`.
///
/// # Panics
/// If `work(0)` does. What happens to the others is not told: `work` catches it.
pub fn together(threads: usize, work: &(dyn Fn(usize) + Sync)) -> Result<()> {
    /// Waits for all of them, however the caller leaves.
    struct Others(Vec<AtWork>);
    impl Drop for Others {
        fn drop(&mut self) {
            self.0.iter().for_each(AtWork::wait);
        }
    }
    let hired = hire(threads.saturating_sub(1))?;
    // SAFETY: only the lifetime changes; `Others` keeps this call from returning before the last job has ended.
    let work: &'static (dyn Fn(usize) + Sync) = unsafe { mem::transmute(work) };
    let mut others = Others(Vec::with_capacity(hired.len()));
    for (hired, number) in hired.into_iter().zip(1..) {
        others.0.push(hired.start_boxed(Box::new(move || work(number))));
    }
    work(0);
    Ok(())
}

/// What a thread does from its start to its end.
fn live(berth: &Arc<Berth>, clearings: u64) {
    yield_to_others();
    loop {
        let latch = match berth.wait() {
            Some(Order::Work(job, latch)) => {
                // Whoever starts a job hears of its panics by its own means.
                let _ = panic::catch_unwind(panic::AssertUnwindSafe(job));
                latch
            }
            Some(Order::Leave) => return,
            Some(Order::Rest) | None => {
                let mut house = house();
                let resting = house.resting.len();
                house.resting.retain(|other| !Arc::ptr_eq(other, berth));
                if house.resting.len() < resting {
                    return;
                }
                // Somebody has hired this thread in the meantime.
                continue;
            }
        };
        // At rest before anybody hears that the job has ended: who starts the next one then finds this thread.
        let stays = {
            let mut house = house();
            let stays = house.clearings == clearings && house.resting.len() < 2 * processors();
            if stays {
                house.resting.push(Arc::clone(berth));
            }
            stays
        };
        *lock(&latch.open) = true;
        latch.opened.notify_all();
        if !stays {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;

    /// Tests share the one house, and one of them clears it.
    static ALONE: Mutex<()> = Mutex::new(());

    #[test]
    fn all_work_at_the_same_time_and_are_awaited() {
        let _alone = lock(&ALONE);
        for count in [1, 2, 7] {
            let arrived = AtomicUsize::new(0);
            together(count, &|_| {
                arrived.fetch_add(1, Relaxed);
                let begin = Instant::now();
                while arrived.load(Relaxed) < count {
                    assert!(begin.elapsed() < Duration::from_secs(20), "the others never came");
                    thread::yield_now();
                }
            })
            .unwrap();
            assert_eq!(arrived.into_inner(), count);
        }
    }

    #[test]
    fn a_thread_is_used_again_and_ends_when_all_are_sent_away() {
        let _alone = lock(&ALONE);
        let mut seen = HashSet::new();
        for _ in 0..50 {
            let (send, receive) = mpsc::channel();
            let at_work = hire(1).unwrap().remove(0).start(move || {
                send.send(thread::current().id()).unwrap();
            });
            at_work.wait();
            assert!(at_work.has_ended());
            seen.insert(receive.recv().unwrap());
        }
        assert!(seen.len() < 10, "{} threads for 50 jobs, one after the other", seen.len());
        let (begun, has_begun) = mpsc::channel();
        let (end, may_end) = mpsc::channel::<()>();
        let late = hire(1).unwrap().remove(0).start(move || {
            begun.send(()).unwrap();
            may_end.recv().unwrap();
        });
        has_begun.recv().unwrap();
        let clearing = thread::spawn(send_away);
        assert!(!late.has_ended());
        end.send(()).unwrap();
        clearing.join().unwrap();
        assert!(late.has_ended(), "who is at work is awaited");
        together(3, &|_| ()).unwrap();
    }

    #[test]
    fn a_panic_ends_the_job_and_not_the_thread() {
        let _alone = lock(&ALONE);
        hire(1).unwrap().remove(0).start(|| panic!("a fault of our own")).wait();
        let done = AtomicUsize::new(0);
        together(4, &|_| _ = done.fetch_add(1, Relaxed)).unwrap();
        assert_eq!(done.into_inner(), 4);
    }
}
