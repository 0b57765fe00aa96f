//! Films, frame by frame: JavaScript gives bytes where there is no file, and asks for each frame.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use inlay_base::{Error, Result, Run, lock};
use inlay_media::{Film, FilmSpec as Wanted, Step, from_rgb};
use napi::Env;
use napi::bindgen_prelude::{Uint8Array, Uint8ArraySlice};
use napi_derive::napi;

use crate::run::{Events, RunHandle, RunSpec, launch, refuse};

/// What is read of a file at once, at least.
const PIECE: usize = 1 << 16;
/// And at most, between two looks at whether the run is to stop.
const LARGEST: usize = 1 << 22;

/// What is wanted of a film.
#[napi(object)]
pub struct FilmSpec {
    #[napi(ts_type = "number | undefined")]
    pub rate: Option<f64>,
    pub from: f64,
    #[napi(ts_type = "number | undefined")]
    pub to: Option<f64>,
    #[napi(ts_type = "number | undefined")]
    pub width: Option<u32>,
    #[napi(ts_type = "number | undefined")]
    pub height: Option<u32>,
    pub max_pixels: f64,
}

impl From<FilmSpec> for Wanted {
    fn from(spec: FilmSpec) -> Self {
        let FilmSpec { rate, from, to, width, height, max_pixels } = spec;
        Self { rate, from, to, width, height, most: max_pixels as u64 }
    }
}

/// What a film has next.
#[napi(object, object_from_js = false)]
pub struct FilmStep {
    /// A frame; bytes that are needed; nothing more; or that it is no film of a kind that is read here.
    #[napi(ts_type = "'frame' | 'more' | 'end' | 'foreign'")]
    pub kind: &'static str,
    pub data: Option<Uint8Array>,
    pub width: u32,
    pub height: u32,
    /// Seconds.
    pub time: f64,
    /// Bytes that are needed, as far as is known.
    pub bytes: f64,
}

impl From<Step> for FilmStep {
    fn from(step: Step) -> Self {
        let none = Self { kind: "end", data: None, width: 0, height: 0, time: 0.0, bytes: 0.0 };
        match step {
            Step::Frame(picture, time) => {
                let (width, height) = (picture.width(), picture.height());
                let data = Some(picture.into_data().into());
                Self { kind: "frame", data, width, height, time, ..none }
            }
            Step::More(bytes) => Self { kind: "more", bytes: bytes as f64, ..none },
            Step::End => none,
            Step::Foreign => Self { kind: "foreign", ..none },
        }
    }
}

struct Open {
    film: Film,
    file: Option<(File, PathBuf)>,
    block: Vec<u8>,
}

impl Open {
    fn next(&mut self, run: &Run) -> Result<Step> {
        loop {
            let step = self.film.next(run)?;
            let (Step::More(bytes), Some((file, path))) = (&step, &mut self.file) else {
                return Ok(step);
            };
            let count = (*bytes).clamp(PIECE, LARGEST);
            if self.block.len() < count {
                self.block.resize(count, 0);
            }
            match file.read(&mut self.block[..count]) {
                Ok(0) => self.film.finish(),
                Ok(count) => self.film.push(&self.block[..count]),
                Err(error) => return Err(Error::io("read", path, &error)),
            }
        }
    }
}

/// A film.
#[napi]
pub struct FilmHandle(Option<Arc<Mutex<Open>>>);

#[napi]
impl FilmHandle {
    /// A film of which the bytes are to come: those of a file, or the pictures that another program makes of one.
    #[napi(constructor)]
    pub fn new(name: String, are_pictures: bool, spec: FilmSpec) -> Self {
        let make = if are_pictures { Film::of_pictures } else { Film::new };
        let open = Open { film: make(&name, spec.into()), file: None, block: Vec::new() };
        Self(Some(Arc::new(Mutex::new(open))))
    }

    /// Takes bytes. Not while a frame is being made.
    #[napi]
    pub fn push(
        &self,
        #[napi(ts_arg_type = "Uint8Array")] bytes: Uint8ArraySlice<'_>,
    ) -> napi::Result<()> {
        self.with(|open| open.film.push(&bytes))
    }

    /// Takes the time of a picture, in seconds.
    #[napi]
    pub fn push_time(&self, seconds: f64) -> napi::Result<()> {
        self.with(|open| open.film.push_time(seconds))
    }

    /// The bytes that came and are not used: of a film of a foreign kind, all.
    #[napi]
    pub fn rest(&self) -> napi::Result<Uint8Array> {
        self.with(|open| open.film.rest().to_vec().into())
    }

    /// No more bytes come.
    #[napi]
    pub fn finish(&self) -> napi::Result<()> {
        self.with(|open| open.film.finish())
    }

    /// Gives back what it holds, or when the frame is made that is being made.
    #[napi]
    pub fn close(&mut self) {
        self.0 = None;
    }
}

impl FilmHandle {
    fn open(&self) -> napi::Result<&Arc<Mutex<Open>>> {
        self.0.as_ref().ok_or_else(|| refuse("the film is closed".into()))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Open) -> T) -> napi::Result<T> {
        Ok(work(&mut self.open()?.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The next frame of a film; `path` is that of the file whose bytes it takes, if it is one.
#[napi(
    ts_args_type = "film: FilmHandle, path: string | null, run: RunSpec, events: Events<FilmStep>"
)]
pub fn next_frame(
    env: &Env,
    film: &FilmHandle,
    path: Option<String>,
    run: RunSpec,
    events: Events<'_, FilmStep>,
) -> napi::Result<RunHandle> {
    let film = Arc::clone(film.open()?);
    let path = path.map(PathBuf::from);
    launch(env, run, events, move |run| {
        let mut open = lock(&film);
        if let (Some(path), None) = (path, &open.file) {
            let file = File::open(&path).map_err(|error| Error::io("open", &path, &error))?;
            if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
                return Err(Error::invalid_file(&path, None, "is a directory, not a file"));
            }
            open.file = Some((file, path));
        }
        open.next(run).map(Into::into)
    })
}

/// Brightness and the two differences of colour of all pixels, plane after plane, of 256 values each.
#[napi(
    ts_args_type = "pixels: Uint8Array, channels: number, run: RunSpec, events: Events<Uint8Array>"
)]
pub fn planes_of_pixels(
    env: &Env,
    pixels: Uint8ArraySlice<'_>,
    channels: u32,
    run: RunSpec,
    events: Events<'_, Uint8Array>,
) -> napi::Result<RunHandle> {
    let pixels = pixels.to_vec();
    launch(env, run, events, move |run| {
        run.check()?;
        Ok(from_rgb(&pixels, channels.max(1) as usize).into())
    })
}
