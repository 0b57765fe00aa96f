//! Arrays from IDX files.

use std::path::PathBuf;

use inlay_formats::idx::{self, Values};
use napi::Env;
use napi::bindgen_prelude::{Either, Float64Array, Uint8Array};
use napi_derive::napi;

use crate::run::{Events, RunHandle, RunSpec, launch};

/// What a file holds.
#[napi(object, object_from_js = false)]
pub struct IdxContent {
    /// How long each axis is, items first.
    pub shape: Vec<u32>,
    pub values: Either<Uint8Array, Float64Array>,
}

/// Reads an IDX file, packed by gzip or not.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<IdxContent>")]
pub fn read_idx(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, IdxContent>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |run| {
        let found = idx::read(&path, &|| run.check())?;
        let values = match found.values {
            Values::Bytes(bytes) => Either::A(bytes.into()),
            Values::Numbers(numbers) => Either::B(numbers.into()),
        };
        Ok(IdxContent { shape: found.shape, values })
    })
}
