//! How a long computation is started, and what JavaScript hears of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use inlay_base::{Error, Result, Run, Value, guard, threads};
use napi::bindgen_prelude::{Either, FnArgs, Function, JsValuesTupleIntoVec, Null, ToNapiValue};
use napi::threadsafe_function::ThreadsafeFunction;
use napi::threadsafe_function::ThreadsafeFunctionCallMode::NonBlocking;
use napi::{Env, Status, sys};
use napi_derive::napi;

use crate::live;

/// How a run is to be made.
#[napi(object)]
pub struct RunSpec {
    /// Threads; 0: all that the process may use.
    pub threads: u32,
    pub seed: f64,
}

/// How far a run has come.
#[napi(object, object_from_js = false)]
pub struct ProgressEvent {
    pub phase: &'static str,
    pub unit: &'static str,
    pub done: f64,
    pub begun: Option<f64>,
    pub total: Option<f64>,
    pub epoch: Option<u32>,
    pub loss: Option<f64>,
}

/// Why a run failed.
#[napi(object, object_from_js = false)]
pub struct Failure {
    pub code: &'static str,
    pub message: String,
    #[napi(ts_type = "Record<string, string | number>")]
    pub context: HashMap<&'static str, Either<String, f64>>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let fields = error.context().into_iter().map(|(name, value)| match value {
            Value::Text(text) => (name, Either::A(text)),
            Value::Number(number) => (name, Either::B(number)),
        });
        Self { code: error.code(), message: error.to_string(), context: fields.collect() }
    }
}

/// A run under way.
#[napi]
pub struct RunHandle(Arc<AtomicBool>);

#[napi]
impl RunHandle {
    /// Asks the run to stop; it will end with a failure of code ABORTED.
    #[napi]
    pub fn abort(&self) {
        self.0.store(true, Relaxed);
    }
}

impl RunHandle {
    pub fn new(stop: &Arc<AtomicBool>) -> Self {
        Self(Arc::clone(stop))
    }
}

/// What the JavaScript callback hears: progress and wishes for more data, then one outcome.
/// One channel for all of it keeps that order; a second one for the promise would not.
pub enum Event<T> {
    Progress(inlay_base::Progress),
    /// The run can take one more batch of its stream.
    More,
    Done(T),
    Failed(Error),
}

impl<T> From<Result<T>> for Event<T> {
    fn from(outcome: Result<T>) -> Self {
        match outcome {
            Ok(value) => Event::Done(value),
            Err(error) => Event::Failed(error),
        }
    }
}

impl<T: ToNapiValue> JsValuesTupleIntoVec for Event<T> {
    fn into_vec(self, env: sys::napi_env) -> napi::Result<Vec<sys::napi_value>> {
        match self {
            Event::Progress(progress) => {
                let event = ProgressEvent {
                    phase: progress.phase,
                    unit: progress.unit,
                    done: progress.done as f64,
                    begun: (progress.begun > 0).then_some(progress.begun as f64),
                    total: progress.total.map(|total| total as f64),
                    epoch: progress.epoch,
                    loss: progress.loss,
                };
                FnArgs::from(("progress", event)).into_vec(env)
            }
            Event::More => FnArgs::from(("more", Null)).into_vec(env),
            Event::Done(value) => FnArgs::from(("done", value)).into_vec(env),
            Event::Failed(error) => FnArgs::from(("failed", Failure::from(error))).into_vec(env),
        }
    }
}

/// The JavaScript callback of a run; `Events<T>` in the declarations.
pub type Events<'a, T> = Function<'a, Event<T>, ()>;

/// That callback, to be called from any thread.
pub type Channel<T> = ThreadsafeFunction<Event<T>, (), Event<T>, Status, false>;

/// Asks JavaScript for one more batch.
pub type Ask = Box<dyn Fn() + Send + Sync>;

/// Starts `work` on a thread of its own. The pending run keeps the process alive, as any pending
/// input or output does; the end of its environment stops it (see `live`).
pub fn launch<T: ToNapiValue + Send + 'static>(
    env: &Env,
    spec: RunSpec,
    events: Events<'_, T>,
    work: impl FnOnce(&Run) -> Result<T> + Send + 'static,
) -> napi::Result<RunHandle> {
    launch_fed(env, spec, events, |run, _| work(run))
}

/// As `launch`, for work that reads a stream from JavaScript and asks for its batches.
pub fn launch_fed<T: ToNapiValue + Send + 'static>(
    env: &Env,
    spec: RunSpec,
    events: Events<'_, T>,
    work: impl FnOnce(&Run, Ask) -> Result<T> + Send + 'static,
) -> napi::Result<RunHandle> {
    let channel: Arc<Channel<T>> = Arc::new(events.build_threadsafe_function().build()?);
    let stop = Arc::new(AtomicBool::new(false));
    let handle = RunHandle::new(&stop);
    let sink = {
        let channel = Arc::clone(&channel);
        Box::new(move |progress| _ = channel.call(Event::Progress(progress), NonBlocking))
    };
    let ask: Ask = {
        let channel = Arc::clone(&channel);
        Box::new(move || _ = channel.call(Event::More, NonBlocking))
    };
    let run = Run::new(spec.threads as usize, spec.seed as u64, Arc::clone(&stop), sink);
    let body = move || {
        let outcome = guard(|| work(&run, ask));
        if outcome.is_ok() {
            run.finish();
        }
        channel.call(outcome.into(), NonBlocking);
    };
    let thread = threads::hire(1).map_err(|error| refuse(error.to_string()))?.remove(0);
    live::adopt(env, stop, thread.start(body))?;
    Ok(handle)
}

/// An error that is thrown at once, before anything runs.
pub fn refuse(message: String) -> napi::Error {
    napi::Error::new(Status::GenericFailure, message)
}
