//! Pictures of one file that are shown one after the other: GIF, animated PNG and WebP. Each is put together of what
//! came before, as the file says. A picture that does not move is a film of one frame.

use std::io::Cursor;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::error::ImageResult;
use image::{AnimationDecoder, Frame, Frames, ImageDecoder, ImageError, Limits};
use inlay_base::{Error, Result, Run, guard, yield_to_others};

use super::input::Input;
use super::{ALONE, Advance, Reel, check_size, wrong};
use crate::decode::{BESIDE, Pixels, WIDEST, decode, problem};

/// Bytes of a file at most: it is held while it is shown.
const FILE: usize = 1 << 30;
/// Delays of less are no delays, and 100 ms are waited: what browsers and FFmpeg do.
const LEAST: (u64, u64) = (20_000, 100_000);

/// Whether a file begins as a picture.
pub fn is_picture(bytes: &[u8]) -> bool {
    let begins = |with: &[u8]| bytes.starts_with(with);
    begins(b"GIF8")
        || begins(b"\x89PNG")
        || begins(b"BM")
        || begins(b"II*\0")
        || begins(b"MM\0*")
        || is_webp(bytes)
}

fn is_webp(bytes: &[u8]) -> bool {
    bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP")
}

/// See the module.
pub struct Animated {
    name: String,
    most: u64,
    decoder: Option<Decoder>,
    shown: Option<Pixels>,
    /// Microseconds.
    time: u64,
}

/// The thread that decodes, and only when it is asked to: decoders of others may not change their thread. It ends when
/// this is dropped.
struct Decoder {
    ask: Sender<()>,
    frames: Receiver<Result<Shown>>,
}

/// A frame, and for how long it is shown, in microseconds; `None`: it does not move.
struct Shown(Pixels, Option<u64>);

impl Animated {
    pub fn new(name: &str, most: u64) -> Self {
        Self { name: name.into(), most, decoder: None, shown: None, time: 0 }
    }

    fn start(&self, bytes: Vec<u8>) -> Result<Decoder> {
        let (ask, asked) = channel();
        let (give, frames) = channel();
        let (name, most) = (self.name.clone(), self.most);
        let work = move || {
            yield_to_others();
            let outcome = match guard(|| show(&name, bytes, most, &asked, &give)) {
                Err(Error::Internal(_)) => Err(wrong(&name, "is damaged")),
                outcome => outcome,
            };
            if let Err(error) = outcome {
                let _ = give.send(Err(error)); // nobody looks any more
            }
        };
        let thread = thread::Builder::new().name("inlay film".into()).spawn(work);
        thread.map_err(|error| Error::Unsupported {
            what: format!("cannot start a thread: {error}"),
        })?;
        Ok(Decoder { ask, frames })
    }
}

impl Reel for Animated {
    fn advance(&mut self, input: &mut Input, _run: &Run) -> Result<Advance> {
        let decoder = match &self.decoder {
            Some(decoder) => decoder,
            None if input.bytes().len() > FILE => {
                let problem = format!("has more than the {FILE} bytes that are held");
                return Err(wrong(&self.name, problem));
            }
            None if !input.is_over() => return Ok(Advance::More(1)),
            None => {
                let decoder = self.start(input.take())?;
                self.decoder.insert(decoder)
            }
        };
        // An end of the channel is the end of the film. A frame is waited for, as nothing may be decoded that no run
        // waits for.
        let asked = decoder.ask.send(()).ok();
        let Some(frame) = asked.and_then(|()| decoder.frames.recv().ok()) else {
            return Ok(Advance::Over);
        };
        let Shown(pixels, lasts) = frame?;
        self.shown = Some(pixels);
        let seconds = |micros: u64| micros as f64 / 1e6;
        let time = seconds(self.time);
        let Some(lasts) = lasts else { return Ok(Advance::Frame { time, end: time + ALONE }) };
        self.time = self.time.saturating_add(lasts);
        Ok(Advance::Frame { time, end: seconds(self.time) })
    }

    fn picture(&mut self) -> Result<Pixels> {
        self.shown.clone().ok_or_else(|| wrong(&self.name, "has no frame"))
    }
}

/// Sends a frame whenever it is asked to, until nobody asks any more.
fn show(
    name: &str,
    bytes: Vec<u8>,
    most: u64,
    asked: &Receiver<()>,
    give: &Sender<Result<Shown>>,
) -> Result<()> {
    let mut asked = asked.iter();
    asked.next();
    let Some((frames, format)) = open(name, &bytes, most)? else {
        let _ = give.send(Ok(Shown(decode(name, &bytes, most)?, None))); // nobody looks any more
        return Ok(());
    };
    let mut frames = frames.peekable();
    let Some(first) = frames.next() else {
        return Err(wrong(name, format!("is a {format} without frames")));
    };
    let told = |frame: ImageResult<Frame>| {
        shown(name, frame.map_err(|error| wrong(name, problem(error, format)))?)
    };
    let Shown(picture, lasts) = told(first)?;
    let lasts = lasts.filter(|_| frames.peek().is_some());
    let mut next = Some(Shown(picture, lasts));
    while let Some(shown) = next.take() {
        if give.send(Ok(shown)).is_err() || asked.next().is_none() {
            break;
        }
        next = frames.next().map(told).transpose()?;
    }
    Ok(())
}

fn shown(name: &str, frame: Frame) -> Result<Shown> {
    let (numerator, denominator) = frame.delay().numer_denom_ms();
    let micros = u64::from(numerator) * 1000 / u64::from(denominator.max(1));
    let micros = if micros < LEAST.0 { LEAST.1 } else { micros };
    let picture = frame.into_buffer();
    let (width, height) = picture.dimensions();
    Ok(Shown(Pixels::new(name, width, height, 4, picture.into_raw())?, Some(micros)))
}

/// The frames of a file that moves.
fn open<'a>(name: &str, bytes: &'a [u8], most: u64) -> Result<Option<(Frames<'a>, &'static str)>> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(most.saturating_mul(WIDEST).saturating_add(BESIDE));
    let told = |format| move |error: ImageError| wrong(name, problem(error, format));
    let check = |(width, height): (u32, u32)| check_size(name, width, height, most);
    let source = Cursor::new(bytes);
    if bytes.starts_with(b"GIF8") {
        let mut decoder = GifDecoder::new(source).map_err(told("GIF"))?;
        check(decoder.dimensions())?;
        decoder.set_limits(limits).map_err(told("GIF"))?;
        return Ok(Some((decoder.into_frames(), "GIF")));
    }
    if bytes.starts_with(b"\x89PNG") {
        let decoder = PngDecoder::with_limits(source, limits).map_err(told("PNG"))?;
        check(decoder.dimensions())?;
        if !decoder.is_apng().map_err(told("PNG"))? {
            return Ok(None);
        }
        return Ok(Some((decoder.apng().map_err(told("PNG"))?.into_frames(), "PNG")));
    }
    if is_webp(bytes) {
        let decoder = WebPDecoder::new(source).map_err(told("WEBP"))?;
        check(decoder.dimensions())?;
        if !decoder.has_animation() {
            return Ok(None);
        }
        return Ok(Some((decoder.into_frames(), "WEBP")));
    }
    Ok(None)
}
