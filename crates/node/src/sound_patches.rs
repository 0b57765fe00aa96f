//! Sounds as spectrograms, and as patches of these or of their samples.

use inlay_base::Error;
use inlay_patches::{
    Logarithm, Mel, MelScale, Memory, Padding, Short, Sound, Spectrogram, Volume, cut, fit,
    spectrogram, views,
};
use napi::Env;
use napi::bindgen_prelude::{Float32Array, Float32ArraySlice};
use napi_derive::napi;

use crate::choice;
use crate::patches::{CutSpec, CutTokens, given};
use crate::run::{Events, RunHandle, RunSpec, launch, refuse};

/// Sounds, as they come.
#[napi]
#[derive(Default)]
pub struct SoundsHandle(Vec<Sound>);

#[napi]
impl SoundsHandle {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// A sound whose samples come then, so many of all channels.
    #[napi]
    pub fn begin(&mut self, name: String, channels: u32, length: f64) -> napi::Result<()> {
        let mut samples = Vec::new();
        samples
            .try_reserve_exact(length as usize)
            .map_err(|_| refuse(format!("no memory for {length} samples")))?;
        self.0.push(Sound { name, samples, channels: channels.max(1) as usize });
        Ok(())
    }

    #[napi]
    pub fn push(&mut self, #[napi(ts_arg_type = "Float32Array")] samples: Float32ArraySlice<'_>) {
        if let Some(sound) = self.0.last_mut() {
            sound.samples.extend_from_slice(&samples);
        }
    }
}

/// How sounds become spectrograms.
#[napi(object)]
pub struct SpectrogramSpec {
    pub sample_rate: f64,
    pub fft_size: u32,
    pub window: u32,
    pub hop: u32,
    #[napi(ts_type = "'zero' | 'reflect' | 'none'")]
    pub padding: String,
    pub power: u32,
    /// 0: the bins of the transform.
    pub mels: u32,
    #[napi(ts_type = "'slaney' | 'htk'")]
    pub mel_scale: String,
    #[napi(ts_type = "'slaney' | 'none'")]
    pub mel_norm: String,
    pub min_frequency: f64,
    pub max_frequency: f64,
    #[napi(ts_type = "'natural' | 'decibels' | 'whisper' | 'none'")]
    pub log: String,
    pub floor: f64,
    pub range: Option<f64>,
}

impl SpectrogramSpec {
    fn settings(&self) -> napi::Result<Spectrogram> {
        let paddings =
            [("none", None), ("zero", Some(Padding::Zero)), ("reflect", Some(Padding::Reflect))];
        let scales = [("slaney", MelScale::Slaney), ("htk", MelScale::Htk)];
        let floor = self.floor as f32;
        let logarithms = [
            ("none", Logarithm::None),
            ("natural", Logarithm::Natural { floor }),
            (
                "decibels",
                Logarithm::Decibels { floor, range: self.range.map(|range| range as f32) },
            ),
            ("whisper", Logarithm::Whisper),
        ];
        let mel = Mel {
            bands: self.mels as usize,
            scale: choice(&self.mel_scale, &scales)?,
            even: self.mel_norm == "slaney",
            lowest: self.min_frequency,
            highest: self.max_frequency,
        };
        Ok(Spectrogram {
            rate: self.sample_rate,
            transform: self.fft_size.max(1) as usize,
            window: self.window.clamp(1, self.fft_size.max(1)) as usize,
            hop: self.hop.max(1) as usize,
            centred: choice(&self.padding, &paddings)?,
            magnitude: self.power == 1,
            mel: (self.mels > 0).then_some(mel),
            logarithm: choice(&self.log, &logarithms)?,
        })
    }
}

/// The spectrogram of a sound, [frames, bands].
#[napi(
    ts_args_type = "sounds: SoundsHandle, spec: SpectrogramSpec, run: RunSpec, events: Events<Float32Array>"
)]
pub fn transform_sound(
    env: &Env,
    sounds: &mut SoundsHandle,
    spec: SpectrogramSpec,
    run: RunSpec,
    events: Events<'_, Float32Array>,
) -> napi::Result<RunHandle> {
    let settings = spec.settings()?;
    let sound = sounds.0.pop().ok_or_else(|| refuse("there is no sound".into()))?;
    launch(env, run, events, move |run| {
        sound.check(run)?;
        let name = sound.name.clone();
        spectrogram(&name, &sound.mixed(run)?, &settings, run).map(given)
    })
}

/// What is taken of sounds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Take {
    Middle,
    Whole,
    Views,
}

/// The spectrograms of sounds that all become `length` samples long, longer ones by their middle: [sounds, frames, bands]. With
/// 'whole', longer ones have as many frames and stay; with 'views' all are longer, and come as four views of as many frames: [sounds,
/// 4, frames, bands]. The handle is empty then.
#[napi(
    ts_args_type = "sounds: SoundsHandle, spec: SpectrogramSpec, length: number, short: 'silence' | 'repeat-whole' | 'repeat', take: 'middle' | 'whole' | 'views', run: RunSpec, events: Events<Float32Array>"
)]
#[allow(clippy::too_many_arguments)] // what JavaScript calls takes no struct of handles
pub fn prepare_sounds(
    env: &Env,
    sounds: &mut SoundsHandle,
    spec: SpectrogramSpec,
    length: u32,
    short: String,
    take: String,
    run: RunSpec,
    events: Events<'_, Float32Array>,
) -> napi::Result<RunHandle> {
    let settings = spec.settings()?;
    let ways = [
        ("silence", Short::Silence),
        ("repeat-whole", Short::RepeatWhole),
        ("repeat", Short::Repeat),
    ];
    let takes = [("middle", Take::Middle), ("whole", Take::Whole), ("views", Take::Views)];
    let (length, short, take) = (length as usize, choice(&short, &ways)?, choice(&take, &takes)?);
    let sounds = std::mem::take(&mut sounds.0);
    launch(env, run, events, move |run| {
        let (frames, bands) = (settings.frames(length), settings.width());
        let size = frames * bands * if take == Take::Views { 4 } else { 1 };
        let mut all = Memory::new(sounds.len(), size)?;
        let rows = all.as_mut_slice().chunks_exact_mut(size.max(1));
        for (sound, row) in sounds.into_iter().zip(rows) {
            sound.check(run)?;
            let name = sound.name.clone();
            let mut samples = sound.mixed(run)?;
            if take == Take::Middle || samples.len() < length {
                samples = fit(samples, length, short);
            }
            let found = spectrogram(&name, &samples, &settings, run)?;
            let found = found.as_slice();
            match take {
                Take::Views if found.len() > frames * bands => {
                    row.copy_from_slice(&views(found, bands, frames));
                }
                Take::Middle | Take::Whole if found.len() == row.len() => {
                    row.copy_from_slice(found)
                }
                _ => return Err(Error::Internal(format!("{name} has another number of frames"))),
            }
        }
        Ok(given(all))
    })
}

/// Cuts sounds to patches: their spectrograms, as pictures of a row for each frame, or their samples, as pictures of one
/// row. Positions are time, band and 0. The handle is empty then.
#[napi(
    ts_args_type = "sounds: SoundsHandle, spectrogram: SpectrogramSpec | undefined | null, spec: CutSpec, run: RunSpec, events: Events<CutTokens>"
)]
pub fn cut_sounds(
    env: &Env,
    sounds: &mut SoundsHandle,
    spectrogram_spec: Option<SpectrogramSpec>,
    spec: CutSpec,
    run: RunSpec,
    events: Events<'_, CutTokens>,
) -> napi::Result<RunHandle> {
    let how = spec.cut()?;
    let settings = spectrogram_spec.map(|spec| spec.settings()).transpose()?;
    let sounds = std::mem::take(&mut sounds.0);
    launch(env, run, events, move |run| {
        let mut heard = Vec::with_capacity(sounds.len());
        for sound in sounds {
            sound.check(run)?;
            let name = sound.name.clone();
            let (values, width) = match &settings {
                Some(settings) => {
                    let values = spectrogram(&name, &sound.mixed(run)?, settings, run)?;
                    (values, settings.width())
                }
                None => {
                    let mixed = sound.mixed(run)?;
                    let width = mixed.len();
                    (Memory::Small(mixed), width)
                }
            };
            heard.push((name, values, width));
        }
        let mut tokens = cut(&volumes(&heard), &how, &(), run)?;
        // Of a picture of a row for each frame, time is the row; of one row, it is the column.
        let time = if settings.is_some() { 1 } else { 2 };
        tokens.positions.chunks_exact_mut(3).for_each(|position| position.rotate_left(time));
        Ok(CutTokens::new(tokens))
    })
}

fn volumes(heard: &[(String, Memory, usize)]) -> Vec<Volume<'_, f32>> {
    heard
        .iter()
        .map(|(name, values, width)| {
            let height = values.as_slice().len() / (*width).max(1);
            Volume::whole(name, vec![values.as_slice()], height, *width)
        })
        .collect()
}
