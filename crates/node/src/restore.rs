//! Patches put together again, and what stands for their places.

use inlay_base::{Error, Result, Run};
use inlay_patches::{Cut, Element, Memory, Pieces, add_places, restore};
use inlay_vectors::Rows;
use napi::Env;
use napi::bindgen_prelude::{Float32Array, Float32ArraySlice, Uint8Array, Uint32ArraySlice};
use napi_derive::napi;

use crate::patches::{CutSpec, given, given_bytes};
use crate::run::{Events, RunHandle, RunSpec, launch, refuse};

/// Values of tokens, as they come.
#[napi]
pub struct TokenValues {
    memory: Memory,
    /// How many have come.
    filled: usize,
}

#[napi]
impl TokenValues {
    /// Room for so many.
    #[napi(constructor)]
    pub fn new(length: f64) -> napi::Result<Self> {
        let memory = Memory::new(length as usize, 1);
        let memory = memory.map_err(|error| refuse(error.to_string()))?;
        Ok(Self { memory, filled: 0 })
    }

    #[napi]
    pub fn push(&mut self, #[napi(ts_arg_type = "Float32Array")] values: Float32ArraySlice<'_>) {
        let room = &mut self.memory.as_mut_slice()[self.filled..];
        let length = values.len().min(room.len());
        room[..length].copy_from_slice(&values[..length]);
        self.filled += length;
    }

    /// All that were announced.
    pub fn take(&mut self) -> napi::Result<Memory> {
        if self.filled != self.memory.as_slice().len() {
            return Err(refuse("values of tokens are missing".into()));
        }
        self.filled = 0;
        Ok(std::mem::replace(&mut self.memory, Memory::Small(Vec::new())))
    }
}

/// Puts pictures and films together again: the frames of each, one volume after the other. `extents` are frames, rows and
/// columns of each volume. The values are gone then.
#[napi(
    ts_args_type = "values: TokenValues, extents: Uint32Array, spec: CutSpec, run: RunSpec, events: Events<Uint8Array[]>"
)]
pub fn restore_pixels(
    env: &Env,
    values: &mut TokenValues,
    extents: Uint32ArraySlice<'_>,
    spec: CutSpec,
    run: RunSpec,
    events: Events<'_, Vec<Uint8Array>>,
) -> napi::Result<RunHandle> {
    let (how, scale) = (spec.cut()?, spec.scale());
    let (values, extents) = (values.take()?, extents.to_vec());
    launch(env, run, events, move |run| {
        let frames = restored::<u8>(values.as_slice(), &extents, &how, &scale, run)?;
        values.give_back();
        Ok(frames.into_iter().map(given_bytes).collect())
    })
}

/// As `restorePixels`, for numbers as they are.
#[napi(
    ts_args_type = "values: TokenValues, extents: Uint32Array, spec: CutSpec, run: RunSpec, events: Events<Float32Array[]>"
)]
pub fn restore_numbers(
    env: &Env,
    values: &mut TokenValues,
    extents: Uint32ArraySlice<'_>,
    spec: CutSpec,
    run: RunSpec,
    events: Events<'_, Vec<Float32Array>>,
) -> napi::Result<RunHandle> {
    let how = spec.cut()?;
    let (values, extents) = (values.take()?, extents.to_vec());
    launch(env, run, events, move |run| {
        let frames = restored::<f32>(values.as_slice(), &extents, &how, &(), run)?;
        values.give_back();
        Ok(frames.into_iter().map(given).collect())
    })
}

/// Principal components of rows.
#[napi(object, object_from_js = false)]
pub struct RowComponents {
    /// Of all rows.
    pub mean: Float32Array,
    /// [components, width], each 1 long, widest first.
    pub directions: Float32Array,
    /// Standard deviation along each.
    pub deviations: Float32Array,
}

/// The principal components of rows, so many or as many as a row has values. The values are gone then.
#[napi(
    ts_args_type = "values: TokenValues, width: number, count: number, run: RunSpec, events: Events<RowComponents>"
)]
pub fn components_of_rows(
    env: &Env,
    values: &mut TokenValues,
    width: u32,
    count: u32,
    run: RunSpec,
    events: Events<'_, RowComponents>,
) -> napi::Result<RunHandle> {
    let values = values.take()?;
    launch(env, run, events, move |run| {
        let width = width.max(1) as usize;
        if !values.as_slice().len().is_multiple_of(width) {
            return Err(other_patches());
        }
        let rows = Rows::from_values(values.as_slice(), width)?;
        values.give_back();
        let found = rows.components(count as usize, run)?;
        Ok(RowComponents {
            mean: found.mean.into(),
            directions: found.directions.into(),
            deviations: found.deviations.into(),
        })
    })
}

fn restored<E: Element>(
    values: &[f32],
    extents: &[u32],
    how: &Cut,
    scale: &E::Scale,
    run: &Run,
) -> Result<Vec<E::Room>> {
    let mut pieces = Vec::with_capacity(extents.len() / 3);
    let (width, mut left) = (how.width()?, values);
    for extent in extents.chunks_exact(3) {
        let extent = std::array::from_fn(|axis| extent[axis] as usize);
        let grid = how.grid("the tokens", extent)?;
        let length = grid.patches().saturating_mul(width);
        let Some((own, rest)) = left.split_at_checked(length) else {
            return Err(other_patches());
        };
        left = rest;
        pieces.push(Pieces { values: own, grid });
    }
    if !left.is_empty() {
        return Err(other_patches());
    }
    Ok(restore::<E>(&pieces, how, scale, run)?.into_iter().flatten().collect())
}

pub fn other_patches() -> Error {
    let problem = "are not as many as these patches of such inputs".into();
    Error::InvalidInput { source: "the tokens".into(), offset: None, problem }
}

/// Adds sines and cosines of its position to each token. The values are gone then.
#[napi(
    ts_args_type = "values: TokenValues, positions: Uint32Array, width: number, run: RunSpec, events: Events<Float32Array>"
)]
pub fn place_tokens(
    env: &Env,
    values: &mut TokenValues,
    positions: Uint32ArraySlice<'_>,
    width: u32,
    run: RunSpec,
    events: Events<'_, Float32Array>,
) -> napi::Result<RunHandle> {
    let (mut values, positions) = (values.take()?, positions.to_vec());
    launch(env, run, events, move |run| {
        let width = width.max(1) as usize;
        if values.as_slice().len() != positions.len() / 3 * width {
            return Err(other_patches());
        }
        add_places(values.as_mut_slice(), &positions, width, run)?;
        Ok(given(values))
    })
}
