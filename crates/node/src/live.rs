//! What is under way in each JavaScript environment (the main thread, every Worker): when an
//! environment ends, its runs are stopped and awaited, and so are its queries, so that no thread
//! of ours works for it afterwards.

use inlay_base::lock;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use inlay_base::threads::AtWork;
use napi::Env;

use crate::serve;

thread_local! {
    /// The environment of this thread; `None` until its first run or query.
    static LIVE: RefCell<Option<Environment>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Environment {
    runs: Vec<LiveRun>,
    queries: Arc<Queries>,
}

struct LiveRun {
    stop: Arc<AtomicBool>,
    thread: AtWork,
}

/// The queries of one environment that the pool has not finished.
#[derive(Default)]
struct Queries {
    ended: AtomicBool,
    count: Mutex<usize>,
    none_left: Condvar,
}

impl Queries {
    fn count(&self) -> MutexGuard<'_, usize> {
        lock(&self.count)
    }
}

/// One query under way: its environment does not end before this is dropped.
pub struct Ticket(Arc<Queries>);

impl Ticket {
    /// Whether the environment is ending: nobody will hear the answer.
    pub fn is_void(&self) -> bool {
        self.0.ended.load(Relaxed)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        *self.0.count() -= 1;
        self.0.none_left.notify_all();
    }
}

/// Makes the environment responsible for a run.
pub fn adopt(env: &Env, stop: Arc<AtomicBool>, thread: AtWork) -> napi::Result<()> {
    with_environment(env, |environment| {
        environment.runs.retain(|run| !run.thread.has_ended());
        environment.runs.push(LiveRun { stop, thread });
    })
}

/// Makes the environment wait for a query until its ticket is dropped.
pub fn ticket(env: &Env) -> napi::Result<Ticket> {
    with_environment(env, |environment| {
        *environment.queries.count() += 1;
        Ticket(Arc::clone(&environment.queries))
    })
}

/// One hook serves all that an environment ever starts: a hook of napi-rs that is removed leaks
/// its data, so one for each run would leak.
fn with_environment<T>(env: &Env, work: impl FnOnce(&mut Environment) -> T) -> napi::Result<T> {
    LIVE.with_borrow_mut(|live| {
        if live.is_none() {
            env.add_env_cleanup_hook((), |()| end())?;
            serve::environment_began();
        }
        Ok(work(live.get_or_insert_default()))
    })
}

fn end() {
    let Some(Environment { runs, queries }) = LIVE.take() else { return };
    queries.ended.store(true, Relaxed);
    runs.iter().for_each(|run| run.stop.store(true, Relaxed));
    runs.iter().for_each(|run| run.thread.wait());
    let mut count = queries.count();
    while *count > 0 {
        count = queries.none_left.wait(count).unwrap_or_else(PoisonError::into_inner);
    }
    drop(count);
    serve::environment_ended();
}
