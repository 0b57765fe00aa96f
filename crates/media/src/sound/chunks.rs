//! Chunks of a file of the RIFF and IFF families: four letters, a size of 32 bits, and data, to an even place.

/// A chunk of which no more is there than the file has.
pub struct Chunk<'a> {
    pub id: [u8; 4],
    /// Where it begins in the file.
    pub at: usize,
    /// Bytes that it says it has.
    pub claimed: u32,
    /// Bytes that are there.
    pub data: &'a [u8],
}

/// The chunks of a file, in order.
pub struct Chunks<'a> {
    bytes: &'a [u8],
    at: usize,
    is_big_endian: bool,
}

impl<'a> Chunks<'a> {
    /// Those from a place on.
    pub fn new(bytes: &'a [u8], at: usize, is_big_endian: bool) -> Self {
        Self { bytes, at, is_big_endian }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        let at = self.at;
        let header = self.bytes.get(at..at.checked_add(8)?)?;
        let size = header[4..].try_into().ok()?;
        let claimed =
            if self.is_big_endian { u32::from_be_bytes(size) } else { u32::from_le_bytes(size) };
        let rest = &self.bytes[at + 8..];
        let length = rest.len().min(claimed as usize);
        self.at = (at + 8).saturating_add(claimed as usize).saturating_add((claimed & 1) as usize);
        Some(Chunk { id: header[..4].try_into().ok()?, at, claimed, data: &rest[..length] })
    }
}
