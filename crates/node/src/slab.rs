//! Films cut to patches, and windows of them.

use std::collections::VecDeque;
use std::sync::Arc;

use inlay_patches::{Bytes, Volume, cut, squared_difference};
use napi::Env;
use napi::bindgen_prelude::{Float32Array, Uint8ArraySlice, Uint32ArraySlice};
use napi_derive::napi;

use crate::patches::{Coming, CutSpec, CutTokens, apart, given};
use crate::run::{Events, RunHandle, RunSpec, launch, refuse};

/// The frames of a film that are at hand.
#[napi]
pub struct SlabHandle {
    name: String,
    width: u32,
    height: u32,
    channels: usize,
    frames: VecDeque<Arc<Bytes>>,
    coming: Option<Coming>,
}

#[napi]
impl SlabHandle {
    /// For patches of so many channels.
    #[napi(constructor)]
    pub fn new(name: String, width: u32, height: u32, channels: u32) -> Self {
        let channels = channels.max(1) as usize;
        Self { name, width, height, channels, frames: VecDeque::new(), coming: None }
    }

    /// Some pixels of a frame, whole ones of so many channels. A frame is there when all of them are.
    #[napi]
    pub fn push(
        &mut self,
        #[napi(ts_arg_type = "Uint8Array")] bytes: Uint8ArraySlice<'_>,
        channels: u32,
    ) -> napi::Result<()> {
        let mut coming = match self.coming.take() {
            Some(coming) => coming,
            None => Coming::new(self.width, self.height, self.channels)?,
        };
        if coming.push(&bytes, channels.max(1) as usize, self.channels) {
            self.frames.push_back(Arc::new(coming.data));
        } else {
            self.coming = Some(coming);
        }
        Ok(())
    }

    /// Lets all frames go, on a thread beside the event loop.
    #[napi]
    pub fn clear(&mut self) {
        self.coming = None;
        let frames = std::mem::take(&mut self.frames);
        apart(move || frames.into_iter().filter_map(Arc::into_inner).for_each(Bytes::give_back));
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
    let (name, height, width) = (slab.name.clone(), slab.height as usize, slab.width as usize);
    launch(env, run, events, move |run| {
        let all = frames.iter().map(|frame| frame.as_slice()).collect();
        let volume = Volume::whole(&name, all, height, width);
        let mut tokens = cut(&[volume], &how, &scale, run)?;
        tokens.positions.chunks_exact_mut(3).for_each(|position| position[0] += place);
        frames.into_iter().filter_map(Arc::into_inner).for_each(Bytes::give_back);
        Ok(CutTokens::new(tokens))
    })
}

/// Cuts the frames at hand to a window of the size of a patch, whose `corner` is its first frame, row and column. The first
/// frame stands there `repeated` times more.
#[napi(
    ts_args_type = "slab: SlabHandle, corner: Uint32Array, repeated: number, spec: CutSpec, run: RunSpec, events: Events<Float32Array>"
)]
pub fn cut_window(
    env: &Env,
    slab: &SlabHandle,
    corner: Uint32ArraySlice<'_>,
    repeated: u32,
    spec: CutSpec,
    run: RunSpec,
    events: Events<'_, Float32Array>,
) -> napi::Result<RunHandle> {
    let (how, scale) = (spec.cut()?, spec.scale());
    let [first, top, left] =
        std::array::from_fn(|axis| corner.get(axis).map_or(0, |&at| at as usize));
    let (height, width) = (slab.height as usize, slab.width as usize);
    if first >= slab.frames.len() || top >= height || left >= width {
        return Err(refuse("a window begins outside its film".into()));
    }
    let shown = (0..how.size[0]).map(|number| first + number.saturating_sub(repeated as usize));
    let frames: Vec<_> = shown.map_while(|at| slab.frames.get(at).cloned()).collect();
    let name = slab.name.clone();
    launch(env, run, events, move |run| {
        let begin = (top * width + left) * how.channels;
        let rows = (height - top).min(how.size[1]);
        let columns = (width - left).min(how.size[2]);
        let all = frames.iter().map(|frame| &frame.as_slice()[begin..]).collect();
        let part = Volume { name: &name, frames: all, height: rows, width: columns, pitch: width };
        Ok(given(cut(&[part], &how, &scale, run)?.values))
    })
}

/// The sum of squared differences between pixels of red, green and blue and those of so many channels.
#[napi]
pub fn squared_difference_of(
    #[napi(ts_arg_type = "Uint8Array")] pixels: Uint8ArraySlice<'_>,
    #[napi(ts_arg_type = "Uint8Array")] others: Uint8ArraySlice<'_>,
    channels: u32,
) -> f64 {
    squared_difference(&pixels, 3, &others, channels.max(1) as usize) as f64
}
