//! Latents of films in files: written and read piece by piece.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use inlay_base::{Error, Result, lock};
use inlay_formats::{LatentWriter, Latents};
use napi::Env;
use napi::bindgen_prelude::{Float32Array, Float64Array, Float64ArraySlice};
use napi_derive::napi;

use crate::restore::TokenValues;
use crate::run::{Events, RunHandle, RunSpec, launch};

/// A file that is being written: nothing is left of it if it is never finished.
#[napi]
pub struct LatentWriterHandle(Arc<Mutex<Option<LatentWriter>>>);

#[napi]
impl LatentWriterHandle {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// Gives up what is not finished.
    #[napi]
    pub fn close(&self) {
        *lock(&self.0) = None;
    }
}

/// Where a latent goes, its rows, columns and channels, and the size of its frames.
#[napi(object, object_to_js = false)]
pub struct LatentSpec {
    pub path: String,
    pub rows: u32,
    pub columns: u32,
    pub channels: u32,
    pub width: u32,
    pub height: u32,
}

/// Appends steps of time, [steps, rows, columns, channels], and the times of their frames; the first ones begin the file.
#[napi(
    ts_args_type = "writer: LatentWriterHandle, spec: LatentSpec, values: TokenValues, times: Float64Array, run: RunSpec, events: Events<void>"
)]
pub fn write_latent(
    env: &Env,
    writer: &LatentWriterHandle,
    spec: LatentSpec,
    values: &mut TokenValues,
    times: Float64ArraySlice<'_>,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (writer, values, times) = (Arc::clone(&writer.0), values.take()?, times.to_vec());
    launch(env, run, events, move |run| {
        run.check()?;
        let mut writer = lock(&writer);
        if writer.is_none() {
            let LatentSpec { path, rows, columns, channels, width, height } = spec;
            let place = [rows, columns, channels].map(|axis| axis as usize);
            *writer = Some(LatentWriter::create(&PathBuf::from(path), place, (width, height))?);
        }
        let open = writer.as_mut().ok_or_else(gone)?;
        open.write(values.as_slice(), &times)
    })
}

fn gone() -> Error {
    Error::Internal("a latent that is written after its end".into())
}

/// Makes the file appear.
#[napi(ts_args_type = "writer: LatentWriterHandle, run: RunSpec, events: Events<void>")]
pub fn finish_latent(
    env: &Env,
    writer: &LatentWriterHandle,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let writer = Arc::clone(&writer.0);
    launch(env, run, events, move |run| {
        run.check()?;
        let open = lock(&writer).take();
        open.ok_or_else(gone)?.finish()
    })
}

/// A latent in a file.
#[napi]
pub struct LatentHandle(Arc<Latents>);

#[napi]
impl LatentHandle {
    /// Steps of time, rows, columns, channels.
    #[napi(getter)]
    pub fn shape(&self) -> Vec<u32> {
        self.0.shape.iter().map(|&axis| axis as u32).collect()
    }

    #[napi(getter)]
    pub fn width(&self) -> u32 {
        self.0.width
    }

    #[napi(getter)]
    pub fn height(&self) -> u32 {
        self.0.height
    }

    /// Steps and frames of each piece.
    #[napi(getter)]
    pub fn pieces(&self) -> Vec<u32> {
        self.0.pieces.iter().flatten().copied().collect()
    }

    /// Of each frame, in seconds.
    #[napi(getter)]
    pub fn times(&self) -> Float64Array {
        self.0.times.clone().into()
    }
}

/// Opens what `write_latent` wrote.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<LatentHandle>")]
pub fn open_latent(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, LatentHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |_| Ok(LatentHandle(Arc::new(Latents::open(&path)?))))
}

/// The values of steps from one on, as far as there are so many.
#[napi(
    ts_args_type = "latent: LatentHandle, first: number, count: number, run: RunSpec, events: Events<Float32Array>"
)]
pub fn latent_steps(
    env: &Env,
    latent: &LatentHandle,
    first: u32,
    count: u32,
    run: RunSpec,
    events: Events<'_, Float32Array>,
) -> napi::Result<RunHandle> {
    let latent = Arc::clone(&latent.0);
    launch(env, run, events, move |_| -> Result<Float32Array> {
        let first = first as usize;
        Ok(latent.steps(first..first + count as usize)?.into())
    })
}
