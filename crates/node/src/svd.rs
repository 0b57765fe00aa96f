//! The directions in which the rows of a sparse matrix are longest.

use std::path::PathBuf;

use inlay_counts::{SvdOptions, TruncatedSvd};
use napi::Env;
use napi::bindgen_prelude::{Float32Array, Float64Array};
use napi_derive::napi;

use crate::held::{Held, Weighty, handle};
use crate::run::{Events, RunHandle, RunSpec, launch};
use crate::sparse::SparseHandle;

/// The directions in which rows are longest.
#[napi(custom_finalize)]
pub struct SvdHandle(Held<TruncatedSvd>);

handle!(SvdHandle);

impl Weighty for TruncatedSvd {
    fn weight(&self) -> u64 {
        TruncatedSvd::weight(self)
    }

    fn memory(&self) -> u64 {
        TruncatedSvd::weight(self)
    }
}

#[napi]
impl SvdHandle {
    #[napi(getter)]
    pub fn dimensions(&self) -> napi::Result<u32> {
        Ok(self.0.get()?.dimensions() as u32)
    }

    #[napi(getter)]
    pub fn columns(&self) -> napi::Result<f64> {
        Ok(self.0.get()?.columns() as f64)
    }

    #[napi]
    pub fn singular_values(&self) -> napi::Result<Float64Array> {
        Ok(self.0.get()?.singular_values().to_vec().into())
    }

    /// A row for each column: [columns, dimensions].
    #[napi]
    pub fn directions(&self) -> napi::Result<Float32Array> {
        Ok(self.0.get()?.directions().to_vec().into())
    }
}

/// Finds directions.
#[napi(
    ts_args_type = "matrix: SparseHandle, dimensions: number, iterations: number, run: RunSpec, events: Events<SvdHandle>"
)]
pub fn train_svd(
    env: &Env,
    matrix: &SparseHandle,
    dimensions: u32,
    iterations: u32,
    run: RunSpec,
    events: Events<'_, SvdHandle>,
) -> napi::Result<RunHandle> {
    let matrix = matrix.shared()?;
    let options = SvdOptions { dimensions: dimensions as usize, iterations: iterations as usize };
    launch(env, run, events, move |run| {
        TruncatedSvd::train(matrix.matrix(), options, run).map(|svd| SvdHandle(Held::new(svd)))
    })
}

/// Rows along the directions.
#[napi(
    ts_args_type = "svd: SvdHandle, matrix: SparseHandle, run: RunSpec, events: Events<Float32Array>"
)]
pub fn transform_svd(
    env: &Env,
    svd: &SvdHandle,
    matrix: &SparseHandle,
    run: RunSpec,
    events: Events<'_, Float32Array>,
) -> napi::Result<RunHandle> {
    let (svd, matrix) = (svd.0.get()?.clone(), matrix.shared()?);
    launch(env, run, events, move |run| svd.transform(matrix.matrix(), run).map(Float32Array::from))
}

/// Opens a file that `save_svd` wrote.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<SvdHandle>")]
pub fn open_svd(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, SvdHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |_| {
        TruncatedSvd::open(&path).map(|svd| SvdHandle(Held::new(svd)))
    })
}

/// Writes directions to a file.
#[napi(ts_args_type = "svd: SvdHandle, path: string, run: RunSpec, events: Events<void>")]
pub fn save_svd(
    env: &Env,
    svd: &SvdHandle,
    path: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (svd, path) = (svd.0.get()?.clone(), PathBuf::from(path));
    launch(env, run, events, move |_| svd.save(&path))
}
