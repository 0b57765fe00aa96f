//! JPEGs one after the other, as cameras send them: Motion-JPEG without a container. It has no times: 25 frames a
//! second are assumed, as FFmpeg does. One JPEG alone is a film of one frame.

use inlay_base::{Result, Run};

use super::input::Input;
use super::{ALONE, Advance, Reel, wrong};
use crate::decode::{Pixels, decode};
use crate::jpeg::{BEGINNING, Scan};

/// Frames a second.
const RATE: f64 = 25.0;

/// See the module.
pub struct Jpegs {
    name: String,
    most: u64,
    frame: Vec<u8>,
    count: u64,
    scan: Scan,
    is_last: bool,
}

impl Jpegs {
    pub fn new(name: &str, most: u64) -> Self {
        let scan = Scan::default();
        Self { name: name.into(), most, frame: Vec::new(), count: 0, scan, is_last: false }
    }
}

/// Bytes of a frame at most.
pub fn frame_limit(most: u64) -> u64 {
    most.saturating_mul(2).saturating_add(1 << 20)
}

impl Reel for Jpegs {
    fn advance(&mut self, input: &mut Input, _run: &Run) -> Result<Advance> {
        if self.is_last {
            return Ok(Advance::Over);
        }
        let bytes = input.bytes();
        let end = match self.scan.end(bytes) {
            Some(end) => end,
            None if bytes.len() as u64 > frame_limit(self.most) => {
                let problem = "has a frame of more bytes than its pixels may have (`maxPixels`)";
                return Err(wrong(&self.name, problem));
            }
            None if !input.is_over() => return Ok(Advance::More(1)),
            // The decoder says that it is cut short.
            None => bytes.len(),
        };
        let rest = &bytes[end..];
        if rest.len() < BEGINNING.len() && !input.is_over() {
            return Ok(Advance::More(BEGINNING.len() - rest.len()));
        }
        // What follows a photo belongs to it: the smaller or other pictures of CIPA DC-007.
        let is_photo = self.count == 0 && self.scan.is_photo();
        self.is_last = is_photo || !rest.starts_with(&BEGINNING);
        self.frame.clear();
        self.frame.extend_from_slice(&bytes[..end]);
        self.scan = Scan::default();
        input.skip(end as u64);
        self.count += 1;
        let at = |frame: u64| frame as f64 / RATE;
        let time = at(self.count - 1);
        let is_alone = self.count == 1 && self.is_last;
        Ok(Advance::Frame { time, end: if is_alone { time + ALONE } else { at(self.count) } })
    }

    fn picture(&mut self) -> Result<Pixels> {
        decode(&self.name, &self.frame, self.most)
    }
}
