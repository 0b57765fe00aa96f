//! Small files of sound, written byte by byte.

/// A WAV of 16 bits.
pub fn wav(rate: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
    let size = 2 * samples.len() as u32;
    let mut bytes = [b"RIFF".as_slice(), &(36 + size).to_le_bytes(), b"WAVEfmt "].concat();
    bytes.extend([16, 0, 0, 0, 1, 0]);
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * 2 * u32::from(channels)).to_le_bytes());
    bytes.extend((2 * channels).to_le_bytes());
    bytes.extend([16, 0]);
    bytes.extend(b"data");
    bytes.extend(size.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    bytes
}

/// An AIFF of 16 bits, with the rate as a number of 80 bits.
pub fn aiff(rate: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
    let shift = rate.leading_zeros();
    let mut common = channels.to_be_bytes().to_vec();
    common.extend((samples.len() as u32 / u32::from(channels)).to_be_bytes());
    common.extend(16u16.to_be_bytes());
    common.extend((16_383 + 31 - shift as u16).to_be_bytes());
    common.extend((u64::from(rate << shift) << 32).to_be_bytes());
    let sound: Vec<u8> =
        [0; 8].into_iter().chain(samples.iter().flat_map(|at| at.to_be_bytes())).collect();
    let chunk = |id: &[u8], data: &[u8]| [id, &(data.len() as u32).to_be_bytes(), data].concat();
    let chunks = [chunk(b"COMM", &common), chunk(b"SSND", &sound)].concat();
    [b"FORM", (4 + chunks.len() as u32).to_be_bytes().as_slice(), b"AIFF", &chunks].concat()
}

/// Moments of a frame of `flac`.
pub const FLAC_FRAME: usize = 256;

/// A FLAC of one channel, 44,100 times a second, whose frames are not compressed (RFC 9639, section 9.2.4); `sum` is the
/// MD5 of its samples, or zeros.
pub fn flac(samples: &[i16], sum: [u8; 16]) -> Vec<u8> {
    let mut bytes = b"fLaC\x80\0\0\x22".to_vec();
    let block = (FLAC_FRAME as u16).to_be_bytes();
    bytes.extend([block, block].concat());
    bytes.extend([0; 6]);
    // 20 bits of rate, 3 of channels less one, 5 of bits less one, 36 of moments.
    let about = 44_100u64 << 44 | 15 << 36 | samples.len() as u64;
    bytes.extend(about.to_be_bytes());
    bytes.extend(sum);
    for (at, frame) in samples.chunks(FLAC_FRAME).enumerate() {
        assert!(at < 128, "a number of one byte");
        // A fixed size of 16 bits, 44,100 Hz, one channel, 16 bits.
        let mut head = vec![0xff, 0xf8, 0x79, 0x08, at as u8];
        head.extend((frame.len() as u16 - 1).to_be_bytes());
        head.push(checksum(&head, 8, 0x07) as u8);
        // A verbatim subframe.
        head.push(0x02);
        head.extend(frame.iter().flat_map(|sample| sample.to_be_bytes()));
        head.extend((checksum(&head, 16, 0x8005) as u16).to_be_bytes());
        bytes.extend(head);
    }
    bytes
}

fn checksum(bytes: &[u8], width: u32, polynomial: u32) -> u32 {
    let (top, mask) = (1 << (width - 1), (1u32 << width) - 1);
    bytes.iter().fold(0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte) << (width - 8), |sum, _| {
            (sum << 1 ^ if sum & top != 0 { polynomial } else { 0 }) & mask
        })
    })
}
