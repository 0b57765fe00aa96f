//! Files of sound as samples.

use std::path::PathBuf;

use inlay_base::Map;
use inlay_media::{Wanted, read_sound as read};
use napi::Env;
use napi::bindgen_prelude::{ClassInstance, Either, Float32Array};
use napi_derive::napi;

use crate::bytes::BytesHandle;
use crate::run::{Events, RunHandle, RunSpec, launch};

/// What is wanted of a file.
#[napi(object)]
pub struct SoundSpec {
    #[napi(ts_type = "number | undefined")]
    pub sample_rate: Option<u32>,
    #[napi(ts_type = "number | undefined")]
    pub channels: Option<u32>,
    pub from: f64,
    #[napi(ts_type = "number | undefined")]
    pub to: Option<f64>,
    pub max_seconds: f64,
}

/// What a file holds: samples of all channels, moment by moment.
#[napi(object, object_from_js = false)]
pub struct SoundContent {
    pub samples: Float32Array,
    pub sample_rate: u32,
    pub channels: u32,
}

/// Decodes a file, given by its name or its bytes; `name` is for messages.
#[napi(
    ts_args_type = "name: string, source: string | BytesHandle, spec: SoundSpec, run: RunSpec, events: Events<SoundContent>"
)]
pub fn read_sound(
    env: &Env,
    name: String,
    source: Either<String, ClassInstance<'_, BytesHandle>>,
    spec: SoundSpec,
    run: RunSpec,
    events: Events<'_, SoundContent>,
) -> napi::Result<RunHandle> {
    let SoundSpec { sample_rate, channels, from, to, max_seconds } = spec;
    let wanted = Wanted { rate: sample_rate, channels, from, to, most: max_seconds };
    let source = match source {
        Either::A(path) => Either::A(PathBuf::from(path)),
        Either::B(mut bytes) => Either::B(bytes.take()),
    };
    launch(env, run, events, move |run| {
        let sound = match source {
            Either::A(path) => read(&name, &Map::open(&path)?, &wanted, run)?,
            Either::B(bytes) => read(&name, &bytes, &wanted, run)?,
        };
        let (samples, sample_rate, channels) = (sound.samples.into(), sound.rate, sound.channels);
        Ok(SoundContent { samples, sample_rate, channels })
    })
}
