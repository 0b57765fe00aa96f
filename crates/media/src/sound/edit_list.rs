//! Which part of the samples of an MP4 is the sound: an encoder of AAC puts some before it and behind it, and says so
//! in the edit list of the track (ISO 14496-12, section 8.6.6).

/// Moments before the sound, and moments of it, in parts of a second of the track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit {
    /// Moments before it.
    pub before: u64,
    /// Its length.
    pub length: u64,
    /// Parts of a second that both count.
    pub rate: u32,
}

/// The edit of the first track of sound, if it has one that begins in the middle of the samples and goes on to their
/// end. More than one edit is a cut, which is not followed.
pub fn edit_of(bytes: &[u8]) -> Option<Edit> {
    let movie = find(bytes, b"moov")?;
    let (parts, _) = length(find(movie, b"mvhd")?)?;
    let mut tracks = Boxes(movie).filter(|(kind, _)| kind == b"trak").map(|(_, track)| track);
    let track = tracks.find(|track| {
        let handler = find(track, b"mdia").and_then(|media| find(media, b"hdlr"));
        handler.and_then(|handler| handler.get(8..12)) == Some(b"soun")
    })?;
    let (rate, all) = length(find(find(track, b"mdia")?, b"mdhd")?)?;
    let list = find(find(track, b"edts")?, b"elst")?;
    let (duration, before) = entry(list)?;
    let rest = all.checked_sub(before)?;
    let length = u128::from(duration) * u128::from(rate) / u128::from(parts.max(1));
    // The movie's clock is often a coarse one: what ends within its tick of the samples' end ends there.
    let tick = u64::from(rate).div_ceil(u64::from(parts.max(1)));
    let length = u64::try_from(length).ok()?;
    let length = if length.abs_diff(rest) <= tick { rest } else { length };
    Some(Edit { before, length, rate })
}

/// Duration and first moment of the only edit that is not a pause.
fn entry(list: &[u8]) -> Option<(u64, u64)> {
    let (is_long, count) = (*list.first()? == 1, be32(list, 4)?);
    if count != 1 {
        return None;
    }
    if is_long {
        return Some((be64(list, 8)?, u64::try_from(be64(list, 16)? as i64).ok()?));
    }
    let first = be32(list, 12)? as i32;
    Some((be32(list, 8)?.into(), u64::try_from(first).ok()?))
}

/// Parts of a second and length of `mvhd` or `mdhd`.
fn length(header: &[u8]) -> Option<(u32, u64)> {
    match *header.first()? {
        1 => Some((be32(header, 20)?, be64(header, 24)?)),
        _ => Some((be32(header, 12)?, be32(header, 16)?.into())),
    }
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn find<'a>(bytes: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    Boxes(bytes).find(|(kind, _)| kind == wanted).map(|(_, data)| data)
}

/// Boxes, one after the other: a size, four letters, and what is in it.
struct Boxes<'a>(&'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = ([u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let kind = self.0.get(4..8)?.try_into().ok()?;
        let (size, begin) = match be32(self.0, 0)? {
            0 => (self.0.len() as u64, 8),
            1 => (be64(self.0, 8)?, 16),
            size => (size.into(), 8),
        };
        let size = usize::try_from(size).ok()?;
        let data = self.0.get(begin..size)?;
        self.0 = &self.0[size..];
        Some((kind, data))
    }
}
