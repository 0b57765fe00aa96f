//! Pictures and films cut to patches and put together again, and what stands for the places of patches.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use inlay_base::{Error, Map, Result, Run, Workers};
use inlay_kernels::ChannelScale;
use inlay_media::decode;
use inlay_patches::{Cut, Edge, Element, Memory, Pieces, Tokens, Volume, add_places, cut, restore};
use napi::Env;
use napi::bindgen_prelude::{
    Float32Array, Float32ArraySlice, Uint8Array, Uint8ArraySlice, Uint32Array, Uint32ArraySlice,
};
use napi_derive::napi;

use crate::choice;
use crate::run::{Events, RunHandle, RunSpec, launch};

/// From so many values on, unmapping takes longer than the event loop may be held.
const LARGE: usize = 1 << 24;

/// How volumes are cut.
#[napi(object)]
pub struct CutSpec {
    /// Frames, rows and columns of a patch.
    pub size: Vec<u32>,
    /// From one patch to the next.
    pub stride: Vec<u32>,
    pub channels: u32,
    #[napi(ts_type = "'fill' | 'drop' | 'refuse'")]
    pub edge: String,
    /// Of each channel of pixels; empty: pixels are from 0 to 1.
    pub mean: Vec<f64>,
    pub deviation: Vec<f64>,
}

impl CutSpec {
    pub fn cut(&self) -> napi::Result<Cut> {
        let edges = [("fill", Edge::Fill), ("drop", Edge::Drop), ("refuse", Edge::Refuse)];
        let three = |values: &[u32]| {
            std::array::from_fn(|axis| values.get(axis).map_or(1, |&value| value.max(1) as usize))
        };
        Ok(Cut {
            size: three(&self.size),
            stride: three(&self.stride),
            channels: self.channels.max(1) as usize,
            edge: choice(&self.edge, &edges)?,
        })
    }

    fn scale(&self) -> ChannelScale {
        if self.mean.is_empty() || self.mean.len() != self.deviation.len() {
            return ChannelScale::unit();
        }
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
        ChannelScale::new(&narrow(&self.mean), &narrow(&self.deviation))
    }
}

/// Patches of volumes, one volume after the other.
#[napi(object, object_from_js = false)]
pub struct CutTokens {
    /// [patches, width]
    pub values: Float32Array,
    /// [patches, 3]
    pub positions: Uint32Array,
    /// Patches of each volume.
    pub lengths: Uint32Array,
    /// Frames, rows and columns of each volume.
    pub extents: Uint32Array,
}

impl CutTokens {
    pub fn new(tokens: Tokens) -> Self {
        let grids = tokens.grids.iter();
        let lengths: Vec<u32> = grids.clone().map(|grid| grid.patches() as u32).collect();
        let extents: Vec<u32> =
            grids.flat_map(|grid| grid.extent).map(|length| length as u32).collect();
        Self {
            values: given(tokens.values),
            positions: tokens.positions.into(),
            lengths: lengths.into(),
            extents: extents.into(),
        }
    }
}

/// Memory as JavaScript holds it, not copied.
pub fn given(memory: Memory) -> Float32Array {
    let mut pages = match memory {
        Memory::Small(values) => return values.into(),
        Memory::Large(pages) => pages,
    };
    let (values, length) = (pages.as_mut_slice().as_mut_ptr(), pages.as_mut_slice().len());
    let free = move |_, _| {
        if length >= LARGE {
            // Where no thread can be had, the closure is dropped here, and the pages with it.
            let _ = thread::Builder::new().name("inlay free".into()).spawn(move || drop(pages));
        }
    };
    // SAFETY: `free` keeps the pages, which do not move, until JavaScript has forgotten the array.
    unsafe { Float32Array::with_external_data(values, length, free) }
}

/// A picture as it was given; all but files have a name for messages.
enum Given {
    File(PathBuf),
    Encoded(String, Vec<u8>),
    Pixels { name: String, width: usize, height: usize, data: Vec<u8> },
}

/// A picture of the channels that patches have.
struct Picture {
    name: String,
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl Given {
    fn picture(self, channels: usize, most: u64) -> Result<Picture> {
        let (name, pixels) = match self {
            Given::Pixels { name, width, height, data } => {
                return Ok(Picture { name, width, height, data });
            }
            Given::File(path) => {
                let name = path.display().to_string();
                let pixels = decode(&name, &Map::open(&path)?, most)?;
                (name, pixels)
            }
            Given::Encoded(name, bytes) => {
                let pixels = decode(&name, &bytes, most)?;
                (name, pixels)
            }
        };
        let (width, height) = (pixels.width() as usize, pixels.height() as usize);
        let mut data = Vec::new();
        reserve(&mut data, width * height * channels)?;
        convert(pixels.data(), 3, channels, &mut data);
        Ok(Picture { name, width, height, data })
    }
}

fn reserve<T>(values: &mut Vec<T>, length: usize) -> Result<()> {
    let asked = (length as u64).saturating_mul(size_of::<T>() as u64);
    values.try_reserve_exact(length).map_err(|_| Error::OutOfMemory { asked, free: None })
}

/// Pixels of other channels: grey is all three colours, and they are its luma (ITU-R BT.601, as Pillow rounds it); what had
/// no transparency is opaque.
fn convert(bytes: &[u8], from: usize, to: usize, data: &mut Vec<u8>) {
    let grey = |pixel: &[u8]| match *pixel {
        [red, green, blue, ..] => {
            let weighted =
                u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471;
            ((weighted + 0x8000) >> 16) as u8
        }
        _ => pixel[0],
    };
    match (from, to) {
        _ if from == to => data.extend_from_slice(bytes),
        (_, 1) => data.extend(bytes.chunks_exact(from).map(grey)),
        (1, _) => data.extend(
            bytes.iter().flat_map(|&grey| [grey, grey, grey, u8::MAX].into_iter().take(to)),
        ),
        _ => data.extend(
            bytes
                .chunks_exact(from)
                .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], u8::MAX].into_iter().take(to)),
        ),
    }
}

/// Pictures, as they come.
#[napi]
pub struct ImagesHandle {
    channels: usize,
    given: Vec<Given>,
    /// Channels of the pixels that are coming.
    coming: usize,
}

#[napi]
impl ImagesHandle {
    /// For patches of so many channels.
    #[napi(constructor)]
    pub fn new(channels: u32) -> Self {
        Self { channels: channels.max(1) as usize, given: Vec::new(), coming: 1 }
    }

    #[napi]
    pub fn add_file(&mut self, path: String) {
        self.given.push(Given::File(path.into()));
    }

    /// A file's bytes; `name` is for messages.
    #[napi]
    pub fn add_encoded(
        &mut self,
        name: String,
        #[napi(ts_arg_type = "Uint8Array")] bytes: Uint8ArraySlice<'_>,
    ) {
        self.given.push(Given::Encoded(name, bytes.to_vec()));
    }

    /// A picture whose pixels come then.
    #[napi]
    pub fn begin(
        &mut self,
        name: String,
        width: u32,
        height: u32,
        channels: u32,
    ) -> napi::Result<()> {
        let (width, height) = (width as usize, height as usize);
        let mut data = Vec::new();
        reserve(&mut data, width.saturating_mul(height).saturating_mul(self.channels))
            .map_err(|error| crate::refuse(error.to_string()))?;
        self.coming = channels.max(1) as usize;
        self.given.push(Given::Pixels { name, width, height, data });
        Ok(())
    }

    /// Some pixels, whole ones.
    #[napi]
    pub fn push(&mut self, #[napi(ts_arg_type = "Uint8Array")] bytes: Uint8ArraySlice<'_>) {
        if let Some(Given::Pixels { data, .. }) = self.given.last_mut() {
            convert(&bytes, self.coming, self.channels, data);
        }
    }
}

/// Cuts pictures to patches; files are decoded first. The handle is empty then.
#[napi(
    ts_args_type = "images: ImagesHandle, spec: CutSpec, maxPixels: number, run: RunSpec, events: Events<CutTokens>"
)]
pub fn cut_images(
    env: &Env,
    images: &mut ImagesHandle,
    spec: CutSpec,
    max_pixels: f64,
    run: RunSpec,
    events: Events<'_, CutTokens>,
) -> napi::Result<RunHandle> {
    let (how, scale) = (spec.cut()?, spec.scale());
    let given = std::mem::take(&mut images.given);
    launch(env, run, events, move |run| {
        let pictures = decoded(given, how.channels, max_pixels as u64, run)?;
        let volumes: Vec<_> = pictures
            .iter()
            .map(|picture| Volume {
                name: &picture.name,
                frames: vec![&picture.data[..]],
                height: picture.height,
                width: picture.width,
            })
            .collect();
        cut(&volumes, &how, &scale, run).map(CutTokens::new)
    })
}

fn decoded(given: Vec<Given>, channels: usize, most: u64, run: &Run) -> Result<Vec<Picture>> {
    let pictures: Vec<_> = given.into_iter().map(|given| Mutex::new((Some(given), None))).collect();
    run.each(pictures.len(), &|number| {
        let mut place = pictures[number].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(given) = place.0.take() {
            place.1 = Some(given.picture(channels, most)?);
        }
        Ok(())
    })?;
    let all = pictures.into_iter();
    Ok(all
        .filter_map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner).1)
        .collect())
}

/// The frames of a film that are at hand: those that the next patches want.
#[napi]
pub struct SlabHandle {
    name: String,
    width: usize,
    height: usize,
    from: usize,
    channels: usize,
    frames: VecDeque<Arc<Vec<u8>>>,
    coming: Vec<u8>,
}

#[napi]
impl SlabHandle {
    /// Of frames of `from` channels, for patches of `to`.
    #[napi(constructor)]
    pub fn new(name: String, width: u32, height: u32, from: u32, to: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        let (from, channels) = (from.max(1) as usize, to.max(1) as usize);
        Self { name, width, height, from, channels, frames: VecDeque::new(), coming: Vec::new() }
    }

    /// Some pixels of a frame, whole ones. A frame is there when all of them are.
    #[napi]
    pub fn push(
        &mut self,
        #[napi(ts_arg_type = "Uint8Array")] bytes: Uint8ArraySlice<'_>,
    ) -> napi::Result<()> {
        let size = self.width.saturating_mul(self.height).saturating_mul(self.channels);
        if self.coming.is_empty() {
            reserve(&mut self.coming, size).map_err(|error| crate::refuse(error.to_string()))?;
        }
        convert(&bytes, self.from, self.channels, &mut self.coming);
        if self.coming.len() >= size {
            self.frames.push_back(Arc::new(std::mem::take(&mut self.coming)));
        }
        Ok(())
    }
}

/// Cuts the frames at hand to the patches of one place in time, or what is left of a film to its last ones. Those that the
/// next place does not want are gone then; they are freed on the run's own thread.
#[napi(
    ts_args_type = "slab: SlabHandle, place: number, spec: CutSpec, run: RunSpec, events: Events<CutTokens>"
)]
pub fn cut_slab(
    env: &Env,
    slab: &mut SlabHandle,
    place: u32,
    spec: CutSpec,
    run: RunSpec,
    events: Events<'_, CutTokens>,
) -> napi::Result<RunHandle> {
    let (how, scale) = (spec.cut()?, spec.scale());
    let gone = how.stride[0].min(slab.frames.len());
    let mut frames: Vec<_> = slab.frames.drain(..gone).collect();
    frames.extend(slab.frames.iter().take(how.size[0] - gone.min(how.size[0])).cloned());
    let (name, height, width) = (slab.name.clone(), slab.height, slab.width);
    launch(env, run, events, move |run| {
        let frames = frames.iter().map(|frame| &frame[..]).collect();
        let volume = Volume { name: &name, frames, height, width };
        let mut tokens = cut(&[volume], &how, &scale, run)?;
        tokens.positions.chunks_exact_mut(3).for_each(|position| position[0] += place);
        Ok(CutTokens::new(tokens))
    })
}

/// Values of tokens, as they come.
#[napi]
pub struct TokenValues(Vec<f32>);

#[napi]
impl TokenValues {
    /// Room for so many.
    #[napi(constructor)]
    pub fn new(length: f64) -> napi::Result<Self> {
        let mut values = Vec::new();
        reserve(&mut values, length as usize).map_err(|error| crate::refuse(error.to_string()))?;
        Ok(Self(values))
    }

    #[napi]
    pub fn push(&mut self, #[napi(ts_arg_type = "Float32Array")] values: Float32ArraySlice<'_>) {
        self.0.extend_from_slice(&values);
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
    let (values, extents) = (std::mem::take(&mut values.0), extents.to_vec());
    launch(env, run, events, move |run| {
        let frames = restored::<u8>(&values, &extents, &how, &scale, run)?;
        Ok(frames.into_iter().map(Into::into).collect())
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
    let (values, extents) = (std::mem::take(&mut values.0), extents.to_vec());
    launch(env, run, events, move |run| {
        let frames = restored::<f32>(&values, &extents, &how, &(), run)?;
        Ok(frames.into_iter().map(Into::into).collect())
    })
}

fn restored<E: Element>(
    values: &[f32],
    extents: &[u32],
    how: &Cut,
    scale: &E::Scale,
    run: &Run,
) -> Result<Vec<Vec<E>>> {
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
    Ok(restore(&pieces, how, scale, run)?.into_iter().flatten().collect())
}

fn other_patches() -> Error {
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
    let (mut values, positions) = (std::mem::take(&mut values.0), positions.to_vec());
    launch(env, run, events, move |run| {
        let width = width.max(1) as usize;
        if values.len() != positions.len() / 3 * width {
            return Err(other_patches());
        }
        add_places(&mut values, &positions, width, run)?;
        Ok(values.into())
    })
}
