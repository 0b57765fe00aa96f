//! Films that are not compressed: YUV4MPEG2 (mjpegtools, yuv4mpeg(5)), with the depths that FFmpeg adds. A line says
//! what the frames are, and before each stands a line `FRAME`.

use inlay_base::{Result, Run};

use super::input::Input;
use super::{Advance, Reel, check_size, wrong};
use crate::decode::Pixels;
use crate::yuv::{Planes, Range, Sampled, to_rgb};

/// Bytes of a line at most.
const LINE: usize = 4096;

/// What the first line says.
#[derive(Debug, Clone, Copy)]
struct Header {
    width: u32,
    height: u32,
    /// Frames in so many seconds.
    frames: u64,
    seconds: u64,
    sampled: Sampled,
    /// Whether there are colours; bits of a value; whether a plane of transparency follows.
    is_grey: bool,
    bits: u32,
    has_alpha: bool,
    range: Range,
}

/// See the module.
pub struct Y4m {
    name: String,
    most: u64,
    header: Option<Header>,
    frame: Vec<u8>,
    count: u64,
}

impl Y4m {
    pub fn new(name: &str, most: u64) -> Self {
        Self { name: name.into(), most, header: None, frame: Vec::new(), count: 0 }
    }

    /// Takes a line; `Err(More)`: it has not come yet.
    fn line(&self, input: &mut Input) -> Result<std::result::Result<String, Advance>> {
        let bytes = &input.bytes()[..input.bytes().len().min(LINE)];
        let Some(length) = bytes.iter().position(|&byte| byte == b'\n') else {
            if bytes.len() == LINE {
                return Err(wrong(&self.name, format!("has a line of more than {LINE} bytes")));
            }
            return match input.is_over() {
                true if bytes.is_empty() => Ok(Err(Advance::Over)),
                true => Err(wrong(&self.name, format!("is cut short after frame {}", self.count))),
                false => Ok(Err(Advance::More(1))),
            };
        };
        let line = String::from_utf8_lossy(&bytes[..length]).into_owned();
        input.skip(length as u64 + 1);
        Ok(Ok(line))
    }
}

impl Reel for Y4m {
    fn advance(&mut self, input: &mut Input, _run: &Run) -> Result<Advance> {
        let header = match self.header {
            Some(header) => header,
            None => match self.line(input)? {
                Ok(line) => {
                    let header =
                        Header::read(&line).map_err(|problem| wrong(&self.name, problem))?;
                    check_size(&self.name, header.width, header.height, self.most)?;
                    *self.header.insert(header)
                }
                Err(other) => return Ok(other),
            },
        };
        let size = header.frame_bytes();
        // Once the line of a frame is taken, all of it has to be there.
        let marked = input.bytes().iter().take(LINE).position(|&byte| byte == b'\n');
        if let Some(line) = marked {
            let lacks = input.lacks(line + 1 + size);
            if lacks > 0 && !input.is_over() {
                return Ok(Advance::More(lacks));
            }
        }
        match self.line(input)? {
            Ok(line) if line == "FRAME" || line.starts_with("FRAME ") => {}
            Ok(_) => {
                let problem = format!("has no line FRAME after frame {}", self.count);
                return Err(wrong(&self.name, problem));
            }
            Err(other) => return Ok(other),
        }
        let Some(frame) = input.first(size) else {
            return Err(wrong(&self.name, format!("is cut short in frame {}", self.count + 1)));
        };
        self.frame.clear();
        self.frame.extend_from_slice(frame);
        input.skip(size as u64);
        let at = |frame: u64| {
            (u128::from(frame) * u128::from(header.seconds)) as f64 / header.frames as f64
        };
        self.count += 1;
        Ok(Advance::Frame { time: at(self.count - 1), end: at(self.count) })
    }

    fn picture(&mut self) -> Result<Pixels> {
        let Some(header) = &self.header else { return Err(wrong(&self.name, "has no frame")) };
        let planes = Planes {
            bytes: &self.frame,
            width: header.width,
            height: header.height,
            sampled: (!header.is_grey).then_some(header.sampled),
            bits: header.bits,
            range: header.range,
        };
        Ok(Pixels::of(header.width, header.height, to_rgb(&planes)))
    }
}

impl Header {
    fn read(line: &str) -> std::result::Result<Self, String> {
        let mut header = Self {
            width: 0,
            height: 0,
            frames: 25,
            seconds: 1,
            sampled: Sampled { across: 2, down: 2 },
            is_grey: false,
            bits: 8,
            has_alpha: false,
            range: Range::Limited,
        };
        for field in line.split(' ').skip(1).filter(|field| !field.is_empty()) {
            let wrong = || format!("has a header with {field:?}");
            // What is no ASCII has no place in it, and its first byte would be no character.
            let (kind, value) = field.split_at_checked(1).ok_or_else(wrong)?;
            match kind {
                "W" => header.width = value.parse().map_err(|_| wrong())?,
                "H" => header.height = value.parse().map_err(|_| wrong())?,
                "F" => {
                    let (frames, seconds) = value.split_once(':').ok_or_else(wrong)?;
                    let number =
                        |text: &str| text.parse::<u32>().map(u64::from).map_err(|_| wrong());
                    (header.frames, header.seconds) = (number(frames)?, number(seconds)?);
                    if (header.frames, header.seconds) == (0, 0) {
                        (header.frames, header.seconds) = (25, 1);
                    }
                    if header.frames == 0 || header.seconds == 0 {
                        return Err(wrong());
                    }
                }
                "C" => header.colours(value)?,
                "X" if value == "COLORRANGE=FULL" => header.range = Range::Full,
                _ => {}
            }
        }
        Ok(header)
    }

    fn colours(&mut self, value: &str) -> std::result::Result<(), String> {
        let unknown =
            || format!("has colours of kind {value:?}; 420, 422, 444, 440, 411 and mono are read");
        let number = |text: &str| text.parse().ok().filter(|bits| (9..=16).contains(bits));
        let (kind, bits) = match value {
            "420jpeg" | "420mpeg2" | "420paldv" => ("420", Some(8)),
            "444alpha" => {
                self.has_alpha = true;
                ("444", Some(8))
            }
            "mono" => ("mono", Some(8)),
            _ if value.starts_with("mono") => ("mono", number(&value[4..])),
            _ => match value.split_once('p') {
                Some((kind, bits)) => (kind, number(bits)),
                None => (value, Some(8)),
            },
        };
        self.bits = bits.ok_or_else(unknown)?;
        let (across, down) = match kind {
            "420" => (2, 2),
            "422" => (2, 1),
            "444" => (1, 1),
            "440" => (1, 2),
            "411" => (4, 1),
            "mono" => {
                self.is_grey = true;
                (1, 1)
            }
            _ => return Err(unknown()),
        };
        self.sampled = Sampled { across, down };
        Ok(())
    }

    /// Bytes of a frame; the size was checked.
    fn frame_bytes(&self) -> usize {
        let (width, height) = (self.width as usize, self.height as usize);
        let colour = self.sampled.plane(self.width, self.height);
        let planes = if self.is_grey { 0 } else { 2 * colour };
        let alpha = if self.has_alpha { width * height } else { 0 };
        (width * height + planes + alpha) * if self.bits > 8 { 2 } else { 1 }
    }
}
