//! Films: files that are frames, one after the other. A film takes bytes as they come, holds no more than a frame of
//! them, and gives one frame at a time.

mod animated;
mod avi;
#[cfg(test)]
mod fixtures;
mod input;
mod jpegs;
mod ppm;
mod sampling;
#[cfg(test)]
mod tests;
mod y4m;

use inlay_base::{Error, Result, Run};

use crate::decode::Pixels;
use crate::resize::{Filter, resize};
use input::Input;
use sampling::Sampling;

/// Bytes by which the kind of a film is told.
const BEGINNING: usize = 12;

/// How long a frame is shown that is the only one, in seconds: shorter than any time between two that are asked for.
const ALONE: f64 = 1e-4;

/// What is wanted of a film.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FilmSpec {
    /// Frames a second: at `from`, and so on, what is shown then; `None`: all frames, at their own times.
    pub rate: Option<f64>,
    /// Where to begin, in seconds.
    pub from: f64,
    /// Where to end, in seconds; `None`: where the film ends.
    pub to: Option<f64>,
    /// Pixels of a row; without it, as the height says.
    pub width: Option<u32>,
    /// Rows; without it, as the width says.
    pub height: Option<u32>,
    /// Pixels of a frame of the file, at most.
    pub most: u64,
}

/// What a film has next.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// A frame, and when it is shown, in seconds.
    Frame(Pixels, f64),
    /// So many more bytes are needed, as far as is known.
    More(usize),
    /// There are no more frames.
    End,
    /// It is no film of a kind that is read here.
    Foreign,
}

/// Where a reel has come.
enum Advance {
    /// To a frame, shown from one second to the other.
    Frame { time: f64, end: f64 },
    /// So many more bytes are needed.
    More(usize),
    /// Beyond the last frame.
    Over,
}

/// A film of one kind.
trait Reel: Send {
    /// Goes on to the next frame. `More` is said only while more may come.
    fn advance(&mut self, input: &mut Input, run: &Run) -> Result<Advance>;

    /// The frame at which it stands.
    fn picture(&mut self) -> Result<Pixels>;
}

/// A film.
pub struct Film {
    name: String,
    spec: FilmSpec,
    input: Input,
    reel: Option<Box<dyn Reel>>,
    sampling: Sampling,
}

impl Film {
    /// A film of which the bytes are to come; its kind is told by them. `name` is for messages.
    pub fn new(name: &str, spec: FilmSpec) -> Self {
        Self {
            name: name.into(),
            spec,
            input: Input::default(),
            reel: None,
            sampling: Sampling::new(spec.rate, spec.from, spec.to),
        }
    }

    /// The frames that another program decodes, as pictures in the format PPM; their times come by `push_time`.
    pub fn of_pictures(name: &str, spec: FilmSpec) -> Self {
        let reel = ppm::Pictures::new(name, spec.most);
        Self { reel: Some(Box::new(reel)), ..Self::new(name, spec) }
    }

    /// Takes bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.input.push(bytes);
    }

    /// Takes the time of a picture, in seconds.
    pub fn push_time(&mut self, seconds: f64) {
        self.input.times.push_back(seconds);
    }

    /// The bytes that came and are not used: of a film of a foreign kind, all.
    pub fn rest(&self) -> &[u8] {
        self.input.bytes()
    }

    /// No more bytes come.
    pub fn finish(&mut self) {
        self.input.finish();
    }

    /// The next frame, or what is needed for it.
    ///
    /// # Errors
    /// `InvalidInput` for what is damaged, or has more than so many pixels; it has no frames after that.
    pub fn next(&mut self, run: &Run) -> Result<Step> {
        loop {
            run.check()?;
            let reel = match &mut self.reel {
                Some(reel) => reel,
                None => match open(&self.name, &mut self.input, self.spec.most)? {
                    Opened::Reel(reel) => self.reel.insert(reel),
                    Opened::More(bytes) => return Ok(Step::More(bytes)),
                    Opened::Foreign => return Ok(Step::Foreign),
                },
            };
            match self.sampling.next() {
                sampling::Next::Give(time) => {
                    return Ok(Step::Frame(self.spec.sized(reel.picture()?), time));
                }
                sampling::Next::End => return Ok(Step::End),
                sampling::Next::Advance => {}
            }
            match reel.advance(&mut self.input, run)? {
                Advance::Frame { time, end } => self.sampling.show(time, end),
                Advance::More(bytes) => return Ok(Step::More(bytes)),
                Advance::Over => return Ok(Step::End),
            }
        }
    }
}

impl FilmSpec {
    /// A picture of the size that is wanted.
    fn sized(&self, picture: Pixels) -> Pixels {
        let (width, height) = (picture.width(), picture.height());
        let share = |wanted: u32, other: u32, same: u32| {
            let share = (u64::from(wanted) * u64::from(other) * 2 / u64::from(same)).div_ceil(2);
            share.clamp(1, 1 << 16) as u32
        };
        let wanted = match (self.width, self.height) {
            (None, None) => return picture,
            (Some(wide), Some(high)) => (wide, high),
            (Some(wide), None) => (wide, share(wide, height, width)),
            (None, Some(high)) => (share(high, width, height), high),
        };
        if wanted == (width, height) {
            return picture;
        }
        resize(&picture, wanted, 0..wanted.0, 0..wanted.1, Filter::Bilinear)
    }
}

enum Opened {
    Reel(Box<dyn Reel>),
    More(usize),
    Foreign,
}

/// Tells the kind of a film by its beginning.
fn open(name: &str, input: &mut Input, most: u64) -> Result<Opened> {
    let lacks = input.lacks(BEGINNING);
    if lacks > 0 && !input.is_over() {
        return Ok(Opened::More(lacks));
    }
    let bytes = input.bytes();
    if bytes.is_empty() {
        return Err(wrong(name, "is empty"));
    }
    let avi = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"AVI ");
    Ok(match bytes {
        _ if bytes.starts_with(b"YUV4MPEG2 ") => Opened::Reel(Box::new(y4m::Y4m::new(name, most))),
        _ if bytes.starts_with(&crate::jpeg::BEGINNING) => {
            Opened::Reel(Box::new(jpegs::Jpegs::new(name, most)))
        }
        _ if avi => match avi::open(name, input, most)? {
            avi::Opened::Avi(reel) => Opened::Reel(Box::new(reel)),
            avi::Opened::More(bytes) => Opened::More(bytes),
            avi::Opened::Other => Opened::Foreign,
        },
        _ if animated::is_picture(bytes) => {
            Opened::Reel(Box::new(animated::Animated::new(name, most)))
        }
        _ => Opened::Foreign,
    })
}

fn wrong(name: &str, problem: impl Into<String>) -> Error {
    Error::InvalidInput { source: name.into(), offset: None, problem: problem.into() }
}

/// Fails for a frame of no pixels, or of too many.
fn check_size(name: &str, width: u32, height: u32, most: u64) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(wrong(name, format!("is of {width} x {height} pixels")));
    }
    if u64::from(width) * u64::from(height) > most {
        let problem =
            format!("has {width} x {height} pixels; at most {most} are read (`maxPixels`)");
        return Err(wrong(name, problem));
    }
    Ok(())
}
