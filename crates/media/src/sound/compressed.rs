//! FLAC, MP3, Ogg Vorbis, AAC and ALAC, by symphonia.

use std::io::Cursor;

use inlay_base::{Error, Result, guard};
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AC3, CODEC_ID_EAC3, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_OPUS, CODEC_ID_SPEEX,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::default::{get_codecs, get_probe};

use super::Decoder;
use super::edit_list::{Edit, edit_of};
use super::pcm::{CHANNELS, RATE};

/// Moments by which an MP4 may be short of what its header says: that may count some that decoders do not give.
const SLACK: u64 = 8192;
/// What codecs are called that containers may name and that are not read.
const OTHERS: [(AudioCodecId, &str); 6] = [
    (CODEC_ID_OPUS, "Opus"),
    (CODEC_ID_SPEEX, "Speex"),
    (CODEC_ID_MP1, "MPEG layer 1"),
    (CODEC_ID_MP2, "MPEG layer 2"),
    (CODEC_ID_AC3, "AC-3"),
    (CODEC_ID_EAC3, "E-AC-3"),
];

/// A file in its container, packet by packet.
pub struct Compressed<'a> {
    name: &'a str,
    reader: Box<dyn FormatReader + 'a>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    rate: u32,
    channels: usize,
    /// As the header says.
    length: Option<u64>,
    /// Moments by which a file may be shorter than its header says. `None`: any, as there is no header, or one that
    /// programs forget to change.
    slack: Option<u64>,
    edit: Option<Edit>,
    /// Moments that were decoded.
    done: u64,
    block: Vec<f32>,
}

/// Finds the first track of sound.
///
/// # Errors
/// `InvalidInput` for what is no sound of a kind that is read, or a damaged one; `Unsupported` for other codecs.
pub fn open<'a>(name: &'a str, bytes: &'a [u8]) -> Result<Compressed<'a>> {
    let wrong =
        |problem: String| Error::InvalidInput { source: name.into(), offset: None, problem };
    let unknown = || {
        wrong(
            "is no sound of a known kind: WAV, AIFF, FLAC, MP3, Ogg Vorbis, AAC and ALAC are read"
                .into(),
        )
    };
    let source =
        MediaSourceStream::new(Box::new(Cursor::new(bytes)), MediaSourceStreamOptions::default());
    let probed = sane(name, || {
        let (format, metadata) = (FormatOptions::default(), MetadataOptions::default());
        get_probe().probe(&Hint::new(), source, format, metadata)
    })?;
    let reader = probed.map_err(|error| match error {
        SymphoniaError::Unsupported(_) | SymphoniaError::IoError(_) if is_container(bytes) => {
            wrong("is damaged or cut short".into())
        }
        SymphoniaError::Unsupported(_) | SymphoniaError::IoError(_) => unknown(),
        error => wrong(problem(&error)),
    })?;
    let track =
        reader.first_track_known_codec(TrackType::Audio).or(reader.first_track(TrackType::Audio));
    let Some((track, CodecParameters::Audio(parameters))) =
        track.and_then(|track| Some((track, track.codec_params.as_ref()?)))
    else {
        return Err(wrong("has no track of sound".into()));
    };
    let made = sane(name, || {
        get_codecs().make_audio_decoder(parameters, &AudioDecoderOptions::default().verify(true))
    })?;
    let decoder = made.map_err(|error| match error {
        SymphoniaError::Unsupported(_) => {
            let known = OTHERS.iter().find(|(codec, _)| *codec == parameters.codec);
            let codec = known.map_or("another codec", |(_, codec)| codec);
            let what = format!(
                "{name} is sound of {codec}, which is not read; FLAC, MP3, Vorbis, AAC (LC) and ALAC are"
            );
            Error::Unsupported { what }
        }
        error => wrong(problem(&error)),
    })?;
    let (id, length) = (track.id, length(track));
    let slack = match bytes {
        _ if bytes.starts_with(b"fLaC") => Some(0),
        _ if bytes.get(4..8) == Some(b"ftyp") => Some(SLACK),
        _ => None,
    };
    let mut compressed = Compressed {
        name,
        rate: parameters.sample_rate.unwrap_or(0),
        channels: parameters.channels.as_ref().map_or(0, |channels| channels.count()),
        reader,
        decoder,
        track: id,
        length,
        slack,
        edit: edit_of(bytes),
        done: 0,
        block: Vec::new(),
    };
    compressed.begin()?;
    Ok(compressed)
}

/// Whether a file begins as one that can hold sound.
fn is_container(bytes: &[u8]) -> bool {
    bytes.starts_with(b"OggS") || bytes.starts_with(b"fLaC") || bytes.get(4..8) == Some(b"ftyp")
}

/// Moments as the header has them, where its clock counts them.
fn length(track: &Track) -> Option<u64> {
    let CodecParameters::Audio(parameters) = track.codec_params.as_ref()? else { return None };
    let base = track.time_base?;
    let counts = base.numer.get() == 1 && Some(base.denom.get()) == parameters.sample_rate;
    track.num_frames.or(track.duration.filter(|_| counts).map(|duration| duration.get()))
}

/// What a decoder of others gives; that it gives up on a file in its own way is no fault of this library's.
fn sane<T>(name: &str, work: impl FnOnce() -> T) -> Result<T> {
    guard(|| Ok(work())).map_err(|_| Error::InvalidInput {
        source: name.into(),
        offset: None,
        problem: "is damaged".into(),
    })
}

/// What a decoder says, as a clause.
fn problem(error: &SymphoniaError) -> String {
    match error {
        SymphoniaError::Unsupported(what) => format!("is of a kind that is not read: {what}"),
        SymphoniaError::DecodeError(what) => format!("is damaged: {what}"),
        error => format!("is damaged: {error}"),
    }
}

impl Compressed<'_> {
    /// Decodes the first packet, as only that says what some files are.
    fn begin(&mut self) -> Result<()> {
        let mut block = Vec::new();
        while block.is_empty() && self.packet(&mut block)? {}
        self.block = block;
        let Self { name, rate, channels, .. } = *self;
        let problem = if !(1..=RATE).contains(&rate) {
            format!("has {rate} samples a second; 1 to {RATE} are read")
        } else if !(1..=CHANNELS as usize).contains(&channels) {
            format!("has {channels} channels; 1 to {CHANNELS} are read")
        } else {
            self.edit = self.edit.filter(|edit| edit.rate == rate);
            self.block_begins(0);
            return Ok(());
        };
        Err(Error::InvalidInput { source: name.into(), offset: None, problem })
    }

    /// Cuts what was decoded from a moment on to what is the sound.
    fn block_begins(&mut self, at: u64) {
        let moments = (self.block.len() / self.channels) as u64;
        let Some(edit) = self.edit else { return };
        let inside =
            |moment: u64| moment.clamp(edit.before, edit.before.saturating_add(edit.length));
        let (first, end) =
            (inside(at) - at.min(inside(at)), inside(at + moments).saturating_sub(at));
        self.block.truncate(end.min(moments) as usize * self.channels);
        self.block.drain(..self.block.len().min(first as usize * self.channels));
    }

    /// Appends what the next packet holds; false: there is none.
    fn packet(&mut self, to: &mut Vec<f32>) -> Result<bool> {
        let Self { name, reader, decoder, track, .. } = self;
        let (name, track) = (*name, *track);
        let done = self.done;
        let rate = self.rate.max(1);
        let damaged = |error: &SymphoniaError| Error::InvalidInput {
            source: name.into(),
            offset: None,
            problem: format!("{} (after {:.2} s)", problem(error), done as f64 / f64::from(rate)),
        };
        let packet = loop {
            match sane(name, || reader.next_packet())? {
                Ok(Some(packet)) if packet.track_id == track => break packet,
                Ok(Some(_)) => {}
                Ok(None) => return Ok(false),
                // The file ends in a packet.
                Err(SymphoniaError::IoError(_)) => return Ok(false),
                Err(error) => return Err(damaged(&error)),
            }
        };
        let decoded = sane(name, || {
            decoder.decode(&packet).map(|buffer| {
                buffer.copy_to_vec_interleaved(to);
                (buffer.spec().rate(), buffer.spec().channels().count())
            })
        })?;
        let (rate, channels) = decoded.map_err(|error| damaged(&error))?;
        if self.done == 0 {
            (self.rate, self.channels) = (rate, channels);
        } else if (rate, channels) != (self.rate, self.channels) {
            let problem = format!(
                "has a part of {rate} samples a second and {channels} channels after one of {} and {}",
                self.rate, self.channels
            );
            return Err(Error::InvalidInput { source: name.into(), offset: None, problem });
        }
        self.done += (to.len() / channels.max(1)) as u64;
        Ok(true)
    }

    /// Fails if there was to be more, or if the samples are not those of which the file has the sum.
    fn end(&mut self) -> Result<()> {
        let promised = self.length.unwrap_or(0);
        let problem = if self.slack.is_some_and(|slack| self.done.saturating_add(slack) < promised)
        {
            format!("is damaged or cut short: of {promised} samples it has {}", self.done)
        } else if self.decoder.finalize().verify_ok == Some(false) {
            "is damaged: its samples are not those that were written (MD5)".into()
        } else {
            return Ok(());
        };
        Err(Error::InvalidInput { source: self.name.into(), offset: None, problem })
    }
}

impl Decoder for Compressed<'_> {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn length(&self) -> Option<u64> {
        self.edit.map(|edit| edit.length).or(self.length)
    }

    fn decode(&mut self, to: &mut Vec<f32>) -> Result<bool> {
        to.append(&mut self.block);
        if !to.is_empty() {
            return Ok(true);
        }
        let at = self.done;
        let mut block = std::mem::take(&mut self.block);
        let is_more = self.packet(&mut block)?;
        self.block = block;
        if !is_more {
            self.end()?;
            return Ok(false);
        }
        self.block_begins(at);
        to.append(&mut self.block);
        Ok(true)
    }
}
