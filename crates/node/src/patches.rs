//! Pictures and films cut to patches; how they are put together again is in `restore`.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

use inlay_base::{Map, Result, Run, Workers, lock};
use inlay_kernels::ChannelScale;
use inlay_media::decode;
use inlay_patches::{Bytes, Cut, Edge, Memory, Tokens, Volume, convert, cut};
use napi::Env;
use napi::bindgen_prelude::{
    Float32Array, Uint8Array, Uint8ArraySlice, Uint32Array, Uint32ArraySlice,
};
use napi_derive::napi;

use crate::choice;
use crate::restore::{TokenValues, other_patches};
use crate::run::{Events, RunHandle, RunSpec, launch, refuse};

/// How volumes are cut.
#[napi(object)]
pub struct CutSpec {
    /// Frames, rows and columns of a patch.
    pub size: Vec<u32>,
    /// From one patch to the next.
    pub stride: Vec<u32>,
    pub channels: u32,
    #[napi(ts_type = "'fill' | 'repeat' | 'drop' | 'refuse'")]
    pub edge: String,
    /// Of each channel of pixels; empty: pixels are from 0 to 1.
    pub mean: Vec<f64>,
    pub deviation: Vec<f64>,
}

impl CutSpec {
    pub fn cut(&self) -> napi::Result<Cut> {
        let edges = [
            ("fill", Edge::Fill),
            ("repeat", Edge::Repeat),
            ("drop", Edge::Drop),
            ("refuse", Edge::Refuse),
        ];
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

    pub fn scale(&self) -> ChannelScale {
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
pub fn given(mut memory: Memory) -> Float32Array {
    if let Memory::Small(values) = memory {
        return values.into();
    }
    let (values, length) = (memory.as_mut_slice().as_mut_ptr(), memory.as_slice().len());
    let free = move |_, _| apart(move || memory.give_back());
    // SAFETY: `free` keeps the memory, which does not move, until JavaScript has forgotten the array.
    unsafe { Float32Array::with_external_data(values, length, free) }
}

/// As `given`, for bytes.
pub fn given_bytes(mut bytes: Bytes) -> Uint8Array {
    let (values, length) = (bytes.as_mut_slice().as_mut_ptr(), bytes.as_slice().len());
    let free = move |_, _| {
        if bytes.is_large() {
            apart(move || bytes.give_back());
        }
    };
    // SAFETY: as above.
    unsafe { Uint8Array::with_external_data(values, length, free) }
}

/// Does what takes long beside the event loop. Where no thread can be had, the closure is dropped here, and what it has with it.
pub fn apart(work: impl FnOnce() + Send + 'static) {
    let _ = thread::Builder::new().name("inlay free".into()).spawn(work);
}

/// A picture as it was given; all but files have a name for messages.
enum Given {
    File(PathBuf),
    Encoded(String, Vec<u8>),
    Pixels(Picture),
}

/// A picture of the channels that patches have.
struct Picture {
    name: String,
    width: usize,
    height: usize,
    data: Bytes,
}

impl Given {
    fn picture(self, channels: usize, most: u64) -> Result<Picture> {
        let (name, pixels) = match self {
            Given::Pixels(picture) => return Ok(picture),
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
        let mut data = Bytes::new(width * height * channels)?;
        convert(pixels.data(), 3, channels, data.as_mut_slice());
        Ok(Picture { name, width, height, data })
    }
}

/// Pixels that are coming: how many bytes of them are there.
pub struct Coming {
    pub data: Bytes,
    filled: usize,
}

impl Coming {
    /// Those of a picture.
    pub fn new(width: u32, height: u32, channels: usize) -> napi::Result<Self> {
        let pixels = (width as usize).saturating_mul(height as usize);
        let data = Bytes::new(pixels.saturating_mul(channels));
        Ok(Self { data: data.map_err(|error| refuse(error.to_string()))?, filled: 0 })
    }

    /// Whole pixels of so many channels; whether all are there.
    pub fn push(&mut self, bytes: &[u8], from: usize, to: usize) -> bool {
        let room = &mut self.data.as_mut_slice()[self.filled..];
        let pixels = (bytes.len() / from).min(room.len() / to);
        convert(&bytes[..pixels * from], from, to, &mut room[..pixels * to]);
        self.filled += pixels * to;
        self.filled == self.data.as_slice().len()
    }
}

/// Pictures, as they come.
#[napi]
pub struct ImagesHandle {
    channels: usize,
    given: Vec<Given>,
    coming: Option<(String, u32, u32, Coming)>,
}

#[napi]
impl ImagesHandle {
    /// For patches of so many channels.
    #[napi(constructor)]
    pub fn new(channels: u32) -> Self {
        Self { channels: channels.max(1) as usize, given: Vec::new(), coming: None }
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
    pub fn begin(&mut self, name: String, width: u32, height: u32) -> napi::Result<()> {
        self.coming = Some((name, width, height, Coming::new(width, height, self.channels)?));
        Ok(())
    }

    /// Some of its pixels, whole ones of so many channels.
    #[napi]
    pub fn push(
        &mut self,
        #[napi(ts_arg_type = "Uint8Array")] bytes: Uint8ArraySlice<'_>,
        channels: u32,
    ) {
        let Some((_, _, _, coming)) = &mut self.coming else { return };
        if coming.push(&bytes, channels.max(1) as usize, self.channels)
            && let Some((name, width, height, Coming { data, .. })) = self.coming.take()
        {
            let (width, height) = (width as usize, height as usize);
            self.given.push(Given::Pixels(Picture { name, width, height, data }));
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
            .map(|picture| {
                let frames = vec![picture.data.as_slice()];
                Volume::whole(&picture.name, frames, picture.height, picture.width)
            })
            .collect();
        let tokens = cut(&volumes, &how, &scale, run)?;
        drop(volumes);
        pictures.into_iter().for_each(|picture| picture.data.give_back());
        Ok(CutTokens::new(tokens))
    })
}

fn decoded(given: Vec<Given>, channels: usize, most: u64, run: &Run) -> Result<Vec<Picture>> {
    let pictures: Vec<_> = given.into_iter().map(|given| Mutex::new((Some(given), None))).collect();
    run.each(pictures.len(), &|number| {
        let mut place = lock(&pictures[number]);
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

/// Cuts volumes of numbers to patches, one volume after the other. `extents` are frames, rows and columns of each. The values
/// are gone then.
#[napi(
    ts_args_type = "values: TokenValues, extents: Uint32Array, spec: CutSpec, run: RunSpec, events: Events<CutTokens>"
)]
pub fn cut_numbers(
    env: &Env,
    values: &mut TokenValues,
    extents: Uint32ArraySlice<'_>,
    spec: CutSpec,
    run: RunSpec,
    events: Events<'_, CutTokens>,
) -> napi::Result<RunHandle> {
    let how = spec.cut()?;
    let (values, extents) = (values.take()?, extents.to_vec());
    launch(env, run, events, move |run| {
        let (mut volumes, mut left) = (Vec::with_capacity(extents.len() / 3), values.as_slice());
        for extent in extents.chunks_exact(3) {
            let [frames, height, width] = std::array::from_fn(|axis| extent[axis] as usize);
            let frame = height.saturating_mul(width).saturating_mul(how.channels);
            let own = left.split_at_checked(frames.saturating_mul(frame));
            let (own, rest) = own.ok_or_else(other_patches)?;
            left = rest;
            let frames = own.chunks_exact(frame.max(1)).collect();
            volumes.push(Volume::whole("the latent", frames, height, width));
        }
        let tokens = cut(&volumes, &how, &(), run)?;
        drop(volumes);
        values.give_back();
        Ok(CutTokens::new(tokens))
    })
}
