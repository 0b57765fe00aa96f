//! Motion-JPEG in AVI files (Microsoft 1992, OpenDML 1996): the frames are JPEGs in the chunks of one stream.

use inlay_base::{Result, Run};

use super::input::Input;
use super::jpegs::frame_limit;
use super::{Advance, Reel, check_size, wrong};
use crate::decode::{Pixels, decode};
use crate::jpeg;

/// Bytes of the header at most.
const HEADER: usize = 1 << 20;

/// What an AVI was found to be.
pub enum Opened {
    Avi(Avi),
    /// So many more bytes are needed.
    More(usize),
    /// Its frames are no JPEGs.
    Other,
}

/// See the module.
pub struct Avi {
    name: String,
    most: u64,
    /// The two digits with which the chunks of the frames begin.
    stream: [u8; 2],
    /// Frames in so many seconds.
    frames: u64,
    seconds: u64,
    frame: Vec<u8>,
    count: u64,
}

/// Reads the header.
pub fn open(name: &str, input: &mut Input, most: u64) -> Result<Opened> {
    let Some(begin) = input.first(24) else { return Ok(lacking(input, 24)) };
    let size = le32(begin, 16) as usize;
    if &begin[12..16] != b"LIST" || &begin[20..24] != b"hdrl" || size > HEADER {
        return Ok(Opened::Other);
    }
    let Some(bytes) = input.first(20 + size) else { return Ok(lacking(input, 20 + size)) };
    let Some(found) = header(bytes.get(24..).unwrap_or_default()) else { return Ok(Opened::Other) };
    check_size(name, found.width, found.height, most)?;
    let stream = [b'0' + (found.stream / 10) as u8, b'0' + (found.stream % 10) as u8];
    let (frames, seconds) = found.rate;
    let skipped = (20 + size + size % 2) as u64;
    let (name, frame) = (name.into(), Vec::new());
    let avi = Avi { name, most, stream, frames, seconds, frame, count: 0 };
    input.skip(skipped);
    Ok(Opened::Avi(avi))
}

fn lacking(input: &Input, count: usize) -> Opened {
    if input.is_over() { Opened::Other } else { Opened::More(input.lacks(count)) }
}

struct Header {
    stream: usize,
    rate: (u64, u64),
    width: u32,
    height: u32,
}

/// The first stream of pictures, if its frames are JPEGs.
fn header(bytes: &[u8]) -> Option<Header> {
    let mut at = 0;
    let mut stream = 0;
    while let Some((id, data)) = chunk(bytes, at) {
        at += 8 + data.len() + data.len() % 2;
        if id != *b"LIST" || !data.starts_with(b"strl") {
            continue;
        }
        let (id, head) = chunk(data, 4)?;
        if id == *b"strh" && head.starts_with(b"vids") {
            let (_, format) = chunk(data, 12 + head.len() + head.len() % 2)?;
            let is_jpeg = format.get(16..20)?.eq_ignore_ascii_case(b"MJPG");
            if !is_jpeg || stream > 99 || head.len() < 28 {
                return None;
            }
            let (scale, rate) = (le32(head, 20), le32(head, 24));
            let rate = if scale == 0 || rate == 0 { (25, 1) } else { (rate.into(), scale.into()) };
            let height = (le32(format, 8) as i32).unsigned_abs();
            return Some(Header { stream, rate, width: le32(format, 4), height });
        }
        stream += 1;
    }
    None
}

fn chunk(bytes: &[u8], at: usize) -> Option<([u8; 4], &[u8])> {
    let head = bytes.get(at..at.checked_add(8)?)?;
    let data = bytes.get(at + 8..(at + 8).checked_add(le32(head, 4) as usize)?)?;
    Some((head[..4].try_into().ok()?, data))
}

/// The number at a place that is there.
fn le32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |four| u32::from_le_bytes(four.try_into().unwrap_or_default()))
}

impl Avi {
    fn shown(&mut self) -> Advance {
        let at =
            |frame: u64| (u128::from(frame) * u128::from(self.seconds)) as f64 / self.frames as f64;
        let shown = Advance::Frame { time: at(self.count), end: at(self.count + 1) };
        self.count += 1;
        shown
    }
}

impl Reel for Avi {
    fn advance(&mut self, input: &mut Input, run: &Run) -> Result<Advance> {
        loop {
            run.check()?;
            let Some(head) = input.first(12) else {
                // What is shorter than a chunk is no frame.
                return Ok(if input.is_over() {
                    Advance::Over
                } else {
                    Advance::More(input.lacks(12))
                });
            };
            let (id, size) = (&head[..4], le32(head, 4));
            if matches!((id, &head[8..12]), (b"LIST", b"movi" | b"rec ") | (b"RIFF", b"AVIX")) {
                input.skip(12);
                continue;
            }
            let padded = u64::from(size) + u64::from(size % 2);
            let is_frame = id[..2] == self.stream && matches!(&id[2..], b"dc" | b"db");
            if !is_frame {
                input.skip(8 + padded);
                continue;
            }
            if u64::from(size) > frame_limit(self.most) {
                let problem = format!(
                    "has a frame of {size} bytes, more than its pixels may have (`maxPixels`)"
                );
                return Err(wrong(&self.name, problem));
            }
            // An empty chunk: the frame before is shown on.
            if size == 0 && self.count > 0 {
                input.skip(8);
                return Ok(self.shown());
            }
            let size = size as usize;
            let Some(bytes) = input.first(8 + size) else {
                if input.is_over() {
                    let problem = format!("is cut short in frame {}", self.count + 1);
                    return Err(wrong(&self.name, problem));
                }
                return Ok(Advance::More(input.lacks(8 + size)));
            };
            self.frame.clear();
            self.frame.extend_from_slice(&bytes[8..]);
            // Some cameras leave it out, as the chunk says where the frame ends.
            self.frame.extend_from_slice(&jpeg::END);
            input.skip(8 + padded);
            return Ok(self.shown());
        }
    }

    fn picture(&mut self) -> Result<Pixels> {
        decode(&self.name, &self.frame, self.most)
    }
}
