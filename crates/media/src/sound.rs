//! Sound: encoded files to samples, of the rate and the channels that are wanted. A file is decoded block by
//! block, mixed and resampled at once, so that no more is held than what was asked for.

mod aiff;
mod chunks;
mod compressed;
mod edit_list;
#[cfg(test)]
mod fixtures;
mod mix;
mod pcm;
mod resample;
#[cfg(test)]
mod tests;
mod wav;

use inlay_base::{Error, Result, Run};

use mix::Mix;
use resample::Resampler;

/// Samples of a sound at most, of all channels together: 2 GB.
const MOST: u64 = 1 << 29;

/// Samples of all channels, one after the other for each moment: [moments, channels], from -1 to 1 but for files of
/// floats that go beyond.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// The samples.
    pub samples: Vec<f32>,
    /// Moments a second.
    pub rate: u32,
    /// Samples of a moment.
    pub channels: u32,
}

/// What is wanted of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    /// Moments a second; `None`: as the file has them.
    pub rate: Option<u32>,
    /// Samples of a moment; `None`: as the file has them.
    pub channels: Option<u32>,
    /// Where to begin, in seconds.
    pub from: f64,
    /// Where to end, in seconds; `None`: where the file ends.
    pub to: Option<f64>,
    /// Seconds at most.
    pub most: f64,
}

/// A file as it is decoded, from its beginning to its end.
trait Decoder {
    /// Moments a second.
    fn rate(&self) -> u32;

    /// Samples of a moment.
    fn channels(&self) -> usize;

    /// Moments in all, if that is known.
    fn length(&self) -> Option<u64>;

    /// Goes on to a moment, or to the end, before anything is decoded, if that can be done without decoding what is
    /// before; returns where it is.
    fn skip(&mut self, _moments: u64) -> Result<u64> {
        Ok(0)
    }

    /// Appends the samples of some moments; false: there are no more.
    fn decode(&mut self, to: &mut Vec<f32>) -> Result<bool>;
}

/// The samples of a WAV, AIFF, FLAC, MP3, Ogg Vorbis, AAC or ALAC file, told apart by content. `name` is for messages.
///
/// # Errors
/// `InvalidInput` for what is no sound, a damaged one, or one of more than `most` seconds; `Unsupported` for codecs
/// that are not read; `InvalidOption` for channels that cannot be made of those that are there.
pub fn read_sound(name: &str, bytes: &[u8], wanted: &Wanted, run: &Run) -> Result<Sound> {
    let mut decoder = open(name, bytes)?;
    let (have, rate) = (decoder.rate(), wanted.rate.unwrap_or(decoder.rate()));
    let mix = Mix::new(decoder.channels(), wanted.channels)?;
    let part = Part::new(wanted, rate, mix.channels());
    if let Some(length) = decoder.length() {
        part.check(name, moments_after(length, have, rate))?;
    }
    let mut resampler = Resampler::new(have, rate, mix.resampled(), part.first..part.last());
    let at = decoder.skip(resampler.needed())?;
    resampler.begin(at);
    run.phase("read", "samples", at, decoder.length());
    let (mut block, mut samples, mut is_more) = (Vec::new(), Vec::new(), true);
    while is_more && part.is_short(samples.len()) {
        block.clear();
        is_more = decoder.decode(&mut block)?;
        run.advance((block.len() / decoder.channels()) as u64);
        mix.reduce(&mut block);
        let mut give = |made: &[f32]| {
            run.check()?;
            reserve(&mut samples, made.len() / mix.resampled() * mix.channels())?;
            mix.spread(made, &mut samples);
            part.check(name, part.first + (samples.len() / mix.channels()) as u64)
        };
        resampler.push(&block, &mut give)?;
        if !is_more {
            resampler.end(&mut give)?;
        }
        run.check()?;
    }
    samples.truncate(part.samples());
    Ok(Sound { samples, rate, channels: mix.channels() as u32 })
}

fn open<'a>(name: &'a str, bytes: &'a [u8]) -> Result<Box<dyn Decoder + 'a>> {
    if bytes.is_empty() {
        let problem = "is empty".into();
        return Err(Error::InvalidInput { source: name.into(), offset: None, problem });
    }
    if wav::is_wav(bytes) {
        return Ok(Box::new(wav::open(name, bytes)?));
    }
    if aiff::is_aiff(bytes) {
        return Ok(Box::new(aiff::open(name, bytes)?));
    }
    Ok(Box::new(compressed::open(name, bytes)?))
}

/// Moments of another rate that as many of one rate become: those that begin before its end.
fn moments_after(moments: u64, have: u32, want: u32) -> u64 {
    let after = (u128::from(moments) * u128::from(want)).div_ceil(u128::from(have));
    u64::try_from(after).unwrap_or(u64::MAX)
}

/// Room for what comes; memory that cannot be had is an error.
fn reserve(samples: &mut Vec<f32>, more: usize) -> Result<()> {
    let asked = ((samples.len() + more) as u64).saturating_mul(4);
    samples.try_reserve(more).map_err(|_| Error::OutOfMemory { asked, free: None })
}

/// The part of a sound that is wanted, in moments of the wanted rate.
struct Part {
    first: u64,
    /// Where it ends: as wanted, and as far as is allowed.
    end: Option<u64>,
    limit: u64,
    channels: u64,
    seconds: f64,
}

impl Part {
    fn new(wanted: &Wanted, rate: u32, channels: usize) -> Self {
        let at = |seconds: f64| (seconds * f64::from(rate)).round() as u64;
        let (first, channels) = (at(wanted.from), channels as u64);
        let most = at(wanted.most).min(MOST / channels);
        let end = wanted.to.map(at);
        let limit = first.saturating_add(most);
        Self { first, end, limit, channels, seconds: wanted.most }
    }

    /// Behind the last moment that is needed: of a part that is too long, one more than is allowed.
    fn last(&self) -> u64 {
        self.end.unwrap_or(u64::MAX).min(self.limit.saturating_add(1))
    }

    /// Whether more is wanted than so many samples.
    fn is_short(&self, samples: usize) -> bool {
        let moments = self.first.saturating_add(samples as u64 / self.channels);
        self.end.is_none_or(|end| moments < end)
    }

    /// Samples at most.
    fn samples(&self) -> usize {
        let end = self.end.unwrap_or(u64::MAX).min(self.limit);
        usize::try_from(end.saturating_sub(self.first) * self.channels).unwrap_or(usize::MAX)
    }

    /// Fails if what is wanted of a sound of so many moments is more than is allowed.
    fn check(&self, name: &str, moments: u64) -> Result<()> {
        if self.end.map_or(moments, |end| end.min(moments)) <= self.limit {
            return Ok(());
        }
        let problem = format!(
            "has more samples than the {} seconds (`maxSeconds`) or 2 GB that are read at once; `from` and `to` choose a part",
            self.seconds
        );
        Err(Error::InvalidInput { source: name.into(), offset: None, problem })
    }
}
