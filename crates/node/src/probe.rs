//! Runs that panic: with them the tests prove the road from a panic in a thread to a rejected
//! promise. The package does not export them.

use inlay_base::Priority;
use napi::Env;
use napi_derive::napi;

use crate::run::{Events, RunHandle, RunSpec, launch};
use crate::serve::{at_once, serve};

/// A run one of whose workers panics.
#[napi(ts_args_type = "run: RunSpec, events: Events<void>")]
pub fn probe_panic(env: &Env, run: RunSpec, events: Events<'_, ()>) -> napi::Result<RunHandle> {
    launch(env, run, events, |run| {
        run.workers(|worker| {
            assert_ne!(worker, 0, "the probe panics");
            Ok(())
        })
        .map(drop)
    })
}

/// A query that panics.
#[napi(ts_args_type = "events: Events<void>")]
pub fn probe_query_panic(env: &Env, events: Events<'_, ()>) -> napi::Result<RunHandle> {
    serve(env, Priority::Query, events, |_| panic!("the probe panics"))
}

/// A call at once that panics.
#[napi]
pub fn probe_call_panic() -> napi::Result<()> {
    at_once(|| panic!("the probe panics"))
}
