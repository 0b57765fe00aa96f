//! Pictures, decoded and brought to the form that an encoder takes.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use inlay_base::{Error, Map, Result, Run};
use inlay_media::{Filter, Half, Pixels, Recipe, Size, decode, fit, prepare};
use napi::Env;
use napi::bindgen_prelude::{Float32Array, Uint8Array, Uint8ArraySlice};
use napi_derive::napi;

use crate::choice;
use crate::run::{Events, RunHandle, RunSpec, launch, refuse};

/// A picture as it was given; all but files have a name for messages.
enum Given {
    File(PathBuf),
    Encoded(String, Vec<u8>),
    Pixels { name: String, width: u32, height: u32, channels: u32, data: Vec<u8> },
}

impl Given {
    fn pixels(self, most: u64) -> Result<Pixels> {
        match self {
            Given::File(path) => decode(&path.display().to_string(), &Map::open(&path)?, most),
            Given::Encoded(name, bytes) => decode(&name, &bytes, most),
            Given::Pixels { name, width, height, channels, data } => {
                Pixels::new(&name, width, height, channels, data)
            }
        }
    }
}

/// Pictures, as they come.
#[napi]
#[derive(Default)]
pub struct PicturesHandle(Vec<Given>);

#[napi]
impl PicturesHandle {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    #[napi]
    pub fn add_file(&mut self, path: String) {
        self.0.push(Given::File(path.into()));
    }

    /// A file's bytes; `name` is for messages.
    #[napi]
    pub fn add_encoded(
        &mut self,
        name: String,
        #[napi(ts_arg_type = "Uint8Array")] bytes: Uint8ArraySlice<'_>,
    ) {
        self.0.push(Given::Encoded(name, bytes.to_vec()));
    }

    #[napi]
    pub fn add_pixels(
        &mut self,
        name: String,
        width: u32,
        height: u32,
        channels: u32,
        #[napi(ts_arg_type = "Uint8Array")] data: Uint8ArraySlice<'_>,
    ) {
        self.0.push(Given::Pixels { name, width, height, channels, data: data.to_vec() });
    }
}

/// The pixels of a picture, row after row: red, green and blue.
#[napi(object, object_from_js = false)]
pub struct PictureContent {
    pub data: Uint8Array,
    pub width: u32,
    pub height: u32,
}

impl From<Pixels> for PictureContent {
    fn from(pixels: Pixels) -> Self {
        let (width, height) = (pixels.width(), pixels.height());
        Self { data: pixels.into_data().into(), width, height }
    }
}

/// Decodes the first of the pictures. The handle is empty then.
#[napi(
    ts_args_type = "pictures: PicturesHandle, maxPixels: number, run: RunSpec, events: Events<PictureContent>"
)]
pub fn read_picture(
    env: &Env,
    pictures: &mut PicturesHandle,
    max_pixels: f64,
    run: RunSpec,
    events: Events<'_, PictureContent>,
) -> napi::Result<RunHandle> {
    let first = std::mem::take(&mut pictures.0).into_iter().next();
    let first = first.ok_or_else(|| refuse("there is no picture".into()))?;
    launch(env, run, events, move |_| Ok(first.pixels(max_pixels as u64)?.into()))
}

/// How pictures become numbers.
#[napi(object)]
pub struct RecipeSpec {
    /// Height and width, or the shorter side alone.
    pub resize: Vec<u32>,
    /// Height and width.
    pub crop: Vec<u32>,
    #[napi(ts_type = "'even' | 'down'")]
    pub half: String,
    #[napi(ts_type = "'bilinear' | 'bicubic'")]
    pub filter: String,
    pub mean: Vec<f64>,
    pub deviation: Vec<f64>,
    pub max_pixels: f64,
}

/// Decodes pictures and prepares them: [pictures, height, width, 3]. The handle is empty then.
#[napi(
    ts_args_type = "pictures: PicturesHandle, recipe: RecipeSpec, run: RunSpec, events: Events<Float32Array>"
)]
pub fn prepare_pictures(
    env: &Env,
    pictures: &mut PicturesHandle,
    recipe: RecipeSpec,
    run: RunSpec,
    events: Events<'_, Float32Array>,
) -> napi::Result<RunHandle> {
    let filters = [("bilinear", Filter::Bilinear), ("bicubic", Filter::Bicubic)];
    let filter = choice(&recipe.filter, &filters)?;
    let three =
        |values: &[f64]| std::array::from_fn(|at| values.get(at).map_or(0.0, |&v| v as f32));
    let half = choice(&recipe.half, &[("even", Half::Even), ("down", Half::Down)])?;
    let resize = match recipe.resize[..] {
        [shorter] => Size::Shorter(shorter),
        [height, width] => Size::Exact(height, width),
        _ => return Err(refuse("a picture has two sides".into())),
    };
    let crop = (recipe.crop.first(), recipe.crop.get(1));
    let (&height, &width) = (crop.0.unwrap_or(&1), crop.1.unwrap_or(&1));
    let most = recipe.max_pixels as u64;
    let (mean, deviation) = (three(&recipe.mean), three(&recipe.deviation));
    let recipe = Recipe { resize, crop: (height, width), half, filter, mean, deviation };
    let given = std::mem::take(&mut pictures.0);
    launch(env, run, events, move |run| {
        let size = 3 * recipe.crop.0 as usize * recipe.crop.1 as usize;
        all(given, size, most, run, |pixels| prepare(pixels, &recipe)).map(Into::into)
    })
}

/// Decodes pictures and brings them to one size: bytes, [pictures, height, width, channels], where channels are 3, or 1 of what
/// is to be grey. The handle is empty then.
#[napi(
    ts_args_type = "pictures: PicturesHandle, shape: [number, number, number], maxPixels: number, run: RunSpec, events: Events<Uint8Array>"
)]
pub fn fit_pictures(
    env: &Env,
    pictures: &mut PicturesHandle,
    shape: Vec<u32>,
    max_pixels: f64,
    run: RunSpec,
    events: Events<'_, Uint8Array>,
) -> napi::Result<RunHandle> {
    let [height, width, channels @ (1 | 3)] = shape[..] else {
        return Err(refuse("a shape is a height, a width, and 1 or 3 channels".into()));
    };
    let given = std::mem::take(&mut pictures.0);
    launch(env, run, events, move |run| {
        let size = channels as usize * height as usize * width as usize;
        let fitted = |pixels: &Pixels| fit(pixels, (height, width), channels == 1);
        all(given, size, max_pixels as u64, run, fitted).map(Into::into)
    })
}

/// What is made of each picture, one after the other, on all threads: so many values each.
fn all<T: Copy + Default + Send>(
    given: Vec<Given>,
    size: usize,
    most: u64,
    run: &Run,
    make: impl Fn(&Pixels) -> Vec<T> + Sync,
) -> Result<Vec<T>> {
    let total = size.saturating_mul(given.len());
    let mut values = Vec::new();
    let asked = (total as u64).saturating_mul(size_of::<T>() as u64);
    values.try_reserve_exact(total).map_err(|_| Error::OutOfMemory { asked, free: None })?;
    values.resize(total, T::default());
    let parts = given.into_iter().zip(values.chunks_exact_mut(size.max(1)));
    let parts: Vec<_> = parts.map(|part| Mutex::new(Some(part))).collect();
    let next = AtomicUsize::new(0);
    run.phase("prepare", "pictures", 0, Some(parts.len() as u64));
    run.workers(|_| {
        while let Some(part) = parts.get(next.fetch_add(1, Relaxed)) {
            run.check()?;
            let mut part = part.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let Some((picture, values)) = part.take() else { continue };
            values.copy_from_slice(&make(&picture.pixels(most)?));
            run.advance(1);
        }
        Ok(())
    })?;
    drop(parts);
    Ok(values)
}
