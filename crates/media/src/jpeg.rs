//! The marks of a JPEG, which say where it ends (ITU-T T.81, annex B).

/// How a JPEG begins.
pub const BEGINNING: [u8; 3] = [0xff, 0xd8, 0xff];
/// How it ends.
pub const END: [u8; 2] = [0xff, 0xd9];

/// Where the search for the end of a JPEG has come: each byte is looked at once.
#[derive(Default)]
pub struct Scan {
    at: usize,
    is_photo: bool,
}

impl Scan {
    /// Whether, as far as it was looked at, smaller or other pictures of the same photo follow it (CIPA DC-007).
    pub fn is_photo(&self) -> bool {
        self.is_photo
    }

    /// Where the JPEG ends, if that has come.
    pub fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        loop {
            let &[mark, kind] = bytes.get(self.at..self.at + 2)? else { return None };
            match (mark, kind) {
                (0xff, 0xd9) => return Some(self.at + 2),
                // Data, a filled or a stuffed byte, a mark that has no length.
                (0xff, 0x00 | 0x01 | 0xd0..=0xd8) => self.at += 2,
                (0xff, 0xff) => self.at += 1,
                (0xff, _) => {
                    let length = bytes.get(self.at + 2..self.at + 4)?;
                    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
                    let begin = bytes.get(self.at + 4..self.at + 8);
                    self.is_photo |= kind == 0xe2 && begin == Some(b"MPF\0");
                    self.at += 2 + length.max(2);
                }
                _ => self.at += 1,
            }
        }
    }
}
