//! Short calls: one pool of threads for all environments of the process, made at first use.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard};

use inlay_base::{Error, Pool, Priority, Result, Workers, guard, lock, processors, threads};
use napi::Env;
use napi::bindgen_prelude::ToNapiValue;
use napi::threadsafe_function::ThreadsafeFunctionCallMode::NonBlocking;
use napi_derive::napi;

use crate::live;
use crate::run::{Channel, Events, RunHandle, refuse};

struct Serving {
    pool: Option<Arc<Pool>>,
    /// Threads of the next pool; `None`: all cores but one.
    threads: Option<usize>,
    /// Environments that may use it: the last one to end joins the threads.
    environments: usize,
}

static SERVING: Mutex<Serving> = Mutex::new(Serving { pool: None, threads: None, environments: 0 });

fn serving() -> MutexGuard<'static, Serving> {
    lock(&SERVING)
}

/// Sets the number of threads that short calls share, in the whole process. Calls under way end
/// on the threads that they have.
#[napi]
pub fn configure(threads: u32) {
    let mut serving = serving();
    serving.threads = Some(threads as usize);
    let old = serving.pool.take();
    drop(serving);
    drop(old); // joins idle threads; with work left, the last job drops the pool instead
}

pub fn environment_began() {
    serving().environments += 1;
}

pub fn environment_ended() {
    let mut serving = serving();
    serving.environments -= 1;
    if serving.environments > 0 {
        return;
    }
    let unused = serving.pool.take();
    drop(serving);
    drop(unused);
    // The library may be unloaded: nobody is to wake up in it.
    threads::send_away();
}

fn pool() -> Result<Arc<Pool>> {
    let mut serving = serving();
    if let Some(pool) = &serving.pool {
        return Ok(Arc::clone(pool));
    }
    let threads = serving.threads.unwrap_or_else(|| (processors() - 1).max(1));
    let pool = Arc::new(Pool::new(threads)?);
    serving.pool = Some(Arc::clone(&pool));
    Ok(pool)
}

/// Does `work` on the pool. A query whose environment ends, or that was aborted before its turn,
/// is left out; one that is being worked on is awaited.
pub fn serve<T: ToNapiValue + Send + 'static>(
    env: &Env,
    priority: Priority,
    events: Events<'_, T>,
    work: impl FnOnce(&dyn Workers) -> Result<T> + Send + 'static,
) -> napi::Result<RunHandle> {
    let pool = pool().map_err(|error| refuse(error.to_string()))?;
    let channel: Channel<T> = events.build_threadsafe_function().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    let handle = RunHandle::new(&stop);
    let ticket = live::ticket(env)?;
    let inner = Arc::clone(&pool);
    let job = move || {
        let outcome = if stop.load(Relaxed) || ticket.is_void() {
            Err(Error::Aborted)
        } else {
            guard(|| work(&inner.at(priority)))
        };
        drop(inner);
        channel.call(outcome.into(), NonBlocking);
        drop(channel);
        drop(ticket); // last: from here on the environment may go
    };
    pool.submit(priority, job);
    Ok(handle)
}

/// Does what takes microseconds, while its caller waits. A panic is thrown as an error here too: the process lives.
pub fn at_once<T>(work: impl FnOnce() -> Result<T>) -> napi::Result<T> {
    guard(work).map_err(|error| refuse(error.to_string()))
}

/// The instruction set in use; `INLAY_SIMD` forces one.
#[napi]
pub fn simd() -> napi::Result<&'static str> {
    at_once(|| Ok(inlay_kernels::Kernels::get().name()))
}
