//! Threads for short calls: made once, shared by all of them. A query is never behind a batch.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::{Error, Result, guard, lock};

/// Whoever can do many small tasks at once: a run with its own threads, or the pool.
pub trait Workers: Sync {
    /// How many tasks are done at the same time, at most.
    fn width(&self) -> usize;

    /// Does `work(0)` to `work(tasks - 1)`, in any order, and returns when all are done. The first
    /// failure, be it an error or a panic, is what the caller gets; tasks not begun are left out.
    fn each(&self, tasks: usize, work: &(dyn Fn(usize) -> Result<()> + Sync)) -> Result<()>;
}

/// As `Workers::each`, with what the tasks give, in order.
///
/// # Errors
/// The first failure of a task.
pub fn gather<T: Send>(
    workers: &dyn Workers,
    tasks: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let given: Vec<Mutex<Option<T>>> = (0..tasks).map(|_| Mutex::new(None)).collect();
    workers.each(tasks, &|task| {
        *lock(&given[task]) = Some(work(task)?);
        Ok(())
    })?;
    let given = given.into_iter().map(|given| lock(&given).take());
    Ok(given.map(|given| given.expect("all tasks are done")).collect())
}

/// What goes first when the pool is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Somebody waits for this one answer.
    Query,
    /// Many answers at once.
    Batch,
}

type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads with a queue for each priority.
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    queries: VecDeque<Job>,
    batches: VecDeque<Job>,
    closed: bool,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    fn work(&self) {
        let mut queue = self.queue();
        loop {
            match queue.queries.pop_front().or_else(|| queue.batches.pop_front()) {
                Some(job) => {
                    drop(queue);
                    let _ = guard(|| {
                        job();
                        Ok(())
                    });
                    queue = self.queue();
                }
                None if queue.closed => return,
                None => queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl Pool {
    /// A pool of so many threads, at least one.
    pub fn new(threads: usize) -> Result<Self> {
        let shared = Arc::new(Shared { queue: Mutex::default(), wake: Condvar::new() });
        let start = |_| {
            let shared = Arc::clone(&shared);
            let builder = thread::Builder::new().name("inlay pool".into());
            builder.spawn(move || shared.work()).map_err(|error| Error::Unsupported {
                what: format!("cannot start {threads} threads: {error}"),
            })
        };
        let threads = (0..threads.max(1)).map(start).collect::<Result<_>>()?;
        Ok(Self { shared, threads })
    }

    /// Queues a job; it runs on one thread of the pool. Inside it, `each` uses the idle others.
    pub fn submit(&self, priority: Priority, job: impl FnOnce() + Send + 'static) {
        self.push(priority, Box::new(job));
    }

    /// The pool as `Workers` for tasks of this priority.
    pub fn at(&self, priority: Priority) -> AtPriority<'_> {
        AtPriority { pool: self, priority }
    }

    fn push(&self, priority: Priority, job: Job) {
        let mut queue = self.shared.queue();
        match priority {
            Priority::Query => queue.queries.push_back(job),
            Priority::Batch => queue.batches.push_back(job),
        }
        self.shared.wake.notify_one();
    }
}

impl Drop for Pool {
    /// Finishes what is queued, then joins the threads.
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            if thread.thread().id() != thread::current().id() {
                thread.join().expect("jobs are guarded");
            }
        }
    }
}

/// See `Pool::at`.
pub struct AtPriority<'a> {
    pool: &'a Pool,
    priority: Priority,
}

/// The tasks of one `each`: the caller works on them, and so does every pool thread that comes by
/// before the caller has left.
struct Tasks {
    next: AtomicUsize,
    count: usize,
    /// Valid while the caller is in `each`: helpers enter only while `gate.open`.
    work: *const (dyn Fn(usize) -> Result<()> + Sync),
    gate: Mutex<Gate>,
    left: Condvar,
}

struct Gate {
    open: bool,
    inside: usize,
    failure: Option<Error>,
}

// SAFETY: `work` points to a `Sync` closure, and the gate keeps it alive (see `each`).
unsafe impl Send for Tasks {}
// SAFETY: as above.
unsafe impl Sync for Tasks {}

impl Tasks {
    fn gate(&self) -> MutexGuard<'_, Gate> {
        lock(&self.gate)
    }

    fn claim_all(&self) {
        loop {
            let task = self.next.fetch_add(1, Relaxed);
            if task >= self.count {
                return;
            }
            // SAFETY: the caller is in `each`: it is the one that runs this, or the gate was open
            // when this thread entered and is not left by the caller before `inside` is zero.
            let outcome = guard(|| unsafe { (*self.work)(task) });
            if let Err(error) = outcome {
                self.next.store(self.count, Relaxed);
                self.gate().failure.get_or_insert(error);
            }
        }
    }

    fn help(&self) {
        {
            let mut gate = self.gate();
            if !gate.open {
                return;
            }
            gate.inside += 1;
        }
        self.claim_all();
        self.gate().inside -= 1;
        self.left.notify_all();
    }
}

impl Workers for AtPriority<'_> {
    fn width(&self) -> usize {
        self.pool.threads.len()
    }

    fn each(&self, tasks: usize, work: &(dyn Fn(usize) -> Result<()> + Sync)) -> Result<()> {
        // SAFETY: only the lifetime is widened; nobody uses `work` after this function has left,
        // because it leaves with the gate closed and nobody inside.
        let work = unsafe {
            std::mem::transmute::<
                &(dyn Fn(usize) -> Result<()> + Sync),
                *const (dyn Fn(usize) -> Result<()> + Sync + 'static),
            >(work)
        };
        let gate = Mutex::new(Gate { open: true, inside: 0, failure: None });
        let shared = Arc::new(Tasks {
            next: AtomicUsize::new(0),
            count: tasks,
            work,
            gate,
            left: Condvar::new(),
        });
        for _ in 1..tasks.min(self.width()) {
            let shared = Arc::clone(&shared);
            self.pool.push(self.priority, Box::new(move || shared.help()));
        }
        shared.claim_all();
        let mut gate = shared.gate();
        gate.open = false;
        while gate.inside > 0 {
            gate = shared.left.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
        gate.failure.take().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn each_does_every_task_once_also_from_within_jobs() {
        let pool = Arc::new(Pool::new(3).unwrap());
        let (send, receive) = mpsc::channel();
        for _ in 0..20 {
            let (inner, send) = (Arc::clone(&pool), send.clone());
            pool.submit(Priority::Batch, move || {
                let sum = AtomicU64::new(0);
                let add = |task: usize| {
                    sum.fetch_add(task as u64, Relaxed);
                    Ok(())
                };
                inner.at(Priority::Batch).each(1000, &add).unwrap();
                send.send(sum.into_inner()).unwrap();
            });
        }
        drop(send);
        assert_eq!(receive.iter().collect::<Vec<_>>(), [499_500; 20]);
    }

    #[test]
    fn a_query_goes_before_waiting_batches() {
        let pool = Pool::new(1).unwrap();
        let (send, receive) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        pool.submit(Priority::Batch, move || gate.recv().unwrap());
        for (priority, name) in
            [(Priority::Batch, "batch 1"), (Priority::Batch, "batch 2"), (Priority::Query, "query")]
        {
            let send = send.clone();
            pool.submit(priority, move || send.send(name).unwrap());
        }
        drop(send);
        open.send(()).unwrap();
        assert_eq!(receive.iter().collect::<Vec<_>>(), ["query", "batch 1", "batch 2"]);
    }

    #[test]
    fn a_panic_is_an_error_and_the_pool_lives() {
        let pool = Pool::new(2).unwrap();
        let workers = pool.at(Priority::Query);
        let outcome = workers.each(10, &|task| {
            assert_ne!(task, 3, "task 3 fails");
            Ok(())
        });
        assert!(matches!(outcome, Err(Error::Internal(message)) if message.contains("task 3")));
        workers.each(10, &|_| Ok(())).unwrap();
    }
}
