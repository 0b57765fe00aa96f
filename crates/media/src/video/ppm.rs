//! Pictures one after the other in the format PPM (netpbm), which another program makes of a film's frames.

use inlay_base::{Result, Run};

use super::input::Input;
use super::{ALONE, Advance, Reel, check_size, wrong};
use crate::decode::Pixels;

/// Bytes of the header at most: `P6`, width, height and 255.
const HEADER: usize = 64;

/// See the module.
pub struct Pictures {
    name: String,
    most: u64,
    width: u32,
    height: u32,
    frame: Vec<u8>,
    time: f64,
    lasted: f64,
}

impl Pictures {
    pub fn new(name: &str, most: u64) -> Self {
        let (width, height, frame) = (0, 0, Vec::new());
        Self { name: name.into(), most, width, height, frame, time: 0.0, lasted: ALONE }
    }

    /// Width, height, and bytes of the header, if it has come.
    fn header(&self, bytes: &[u8]) -> Result<Option<(u32, u32, usize)>> {
        let strange = || wrong(&self.name, "was decoded to something that is no picture (PPM)");
        let head = &bytes[..bytes.len().min(HEADER)];
        let mut ends =
            head.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
        let Some(end) = ends.nth(2) else {
            return if head.len() < HEADER { Ok(None) } else { Err(strange()) };
        };
        let text = std::str::from_utf8(&head[..end]).map_err(|_| strange())?;
        let mut fields = text.split_ascii_whitespace();
        if (fields.next(), fields.clone().nth(2)) != (Some("P6"), Some("255")) {
            return Err(strange());
        }
        let mut side = || fields.next().and_then(|side| side.parse().ok()).ok_or_else(strange);
        Ok(Some((side()?, side()?, end + 1)))
    }
}

impl Reel for Pictures {
    fn advance(&mut self, input: &mut Input, _run: &Run) -> Result<Advance> {
        if input.is_over() && input.bytes().is_empty() {
            return Ok(Advance::Over);
        }
        let cut = || wrong(&self.name, "was decoded to a picture that is cut short (PPM)");
        let more =
            |bytes: usize| if input.is_over() { Err(cut()) } else { Ok(Advance::More(bytes)) };
        let Some((width, height, begin)) = self.header(input.bytes())? else { return more(1) };
        check_size(&self.name, width, height, self.most)?;
        let size = 3 * width as usize * height as usize;
        let lacks = input.lacks(begin + size);
        if lacks > 0 {
            return more(lacks);
        }
        // Until when it is shown is known when the next one is shown.
        if input.times.len() < 2 && !input.is_over() {
            return Ok(Advance::More(1));
        }
        let time = input.times.pop_front().unwrap_or(self.time + self.lasted);
        let next = input.times.front().copied();
        let lasted = next.map_or(self.lasted, |next| next - time);
        // Times that do not rise are no times.
        let lasted = if lasted > 0.0 { lasted } else { ALONE };
        if let Some(bytes) = input.first(begin + size) {
            self.frame.clear();
            self.frame.extend_from_slice(&bytes[begin..]);
        }
        input.skip((begin + size) as u64);
        (self.width, self.height, self.time, self.lasted) = (width, height, time, lasted);
        Ok(Advance::Frame { time, end: time + lasted })
    }

    fn picture(&mut self) -> Result<Pixels> {
        Ok(Pixels::of(self.width, self.height, self.frame.clone()))
    }
}
