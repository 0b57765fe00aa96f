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

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
        let data = parts.concat();
        [(8 + data.len() as u32).to_be_bytes().as_slice(), kind, &data].concat()
    }

    /// `mvhd` or `mdhd` of version 0: parts of a second, and the length in them.
    fn header(kind: &[u8; 4], parts: u32, length: u32) -> Vec<u8> {
        boxed(kind, &[&[0; 12], &parts.to_be_bytes(), &length.to_be_bytes(), &[0; 4]])
    }

    fn movie(edits: &[(u32, i32)]) -> Vec<u8> {
        let entries: Vec<u8> = edits
            .iter()
            .flat_map(|(duration, first)| {
                [duration.to_be_bytes(), first.to_be_bytes(), [0, 1, 0, 0]].concat()
            })
            .collect();
        let count = (edits.len() as u32).to_be_bytes();
        let edits = boxed(b"edts", &[&boxed(b"elst", &[&[0; 4], &count, &entries])]);
        let track = |kind: &[u8; 4], edits: &[u8]| {
            let handler = boxed(b"hdlr", &[&[0; 8], kind, &[0; 12]]);
            let media = boxed(b"mdia", &[&header(b"mdhd", 44_100, 90_000), &handler]);
            boxed(b"trak", &[edits, &media])
        };
        let tracks = [track(b"vide", &[]), track(b"soun", &edits)].concat();
        let movie = boxed(b"moov", &[&header(b"mvhd", 1_000, 2_000), &tracks]);
        [boxed(b"ftyp", &[b"M4A \0\0\0\0"]), movie].concat()
    }

    #[test]
    fn what_lies_before_the_sound_and_how_long_it_is_is_read() {
        // 88,976 samples are 2.0176 seconds: the movie's clock says 2.018.
        let exact = Edit { before: 1_024, length: 88_976, rate: 44_100 };
        assert_eq!(edit_of(&movie(&[(2_018, 1_024)])), Some(exact));
        let padded = Edit { before: 1_024, length: 88_200, rate: 44_100 };
        assert_eq!(edit_of(&movie(&[(2_000, 1_024)])), Some(padded));
        for edits in [vec![], vec![(500, -1), (2_000, 0)], vec![(2_000, -1)], vec![(9, 90_001)]] {
            assert_eq!(edit_of(&movie(&edits)), None, "{edits:?}");
        }
        let whole = movie(&[(2_018, 1_024)]);
        for length in 0..whole.len() {
            assert_eq!(edit_of(&whole[..length]), None);
        }
    }
}
