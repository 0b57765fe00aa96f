//! Small films, written byte by byte.

use std::io::Cursor;

use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageFormat, Rgba, RgbaImage};

fn chunk(id: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let pad = vec![0; data.len() % 2];
    [id.as_slice(), &(data.len() as u32).to_le_bytes(), data, &pad].concat()
}

fn colour(side: u32, red: u8, alpha: u8) -> RgbaImage {
    RgbaImage::from_pixel(side, side, Rgba([red, 0, 0, alpha]))
}

/// Frames of 6 x 6 and then of 2 x 2 pixels, which lie at (2, 2) of the first one; each is shown for so many
/// milliseconds.
pub fn webp(delays: &[u32]) -> Vec<u8> {
    let word = |value: u32| value.to_le_bytes()[..3].to_vec();
    let mut body = chunk(b"VP8X", &[vec![0b10, 0, 0, 0], word(5), word(5)].concat());
    body.extend(chunk(b"ANIM", &[0; 6]));
    for (at, &delay) in delays.iter().enumerate() {
        let (side, offset) = if at == 0 { (6, 0) } else { (2, 1) };
        let mut still = Vec::new();
        let encoder = WebPEncoder::new_lossless(&mut still);
        let pixels = colour(side, 50 * at as u8 + 50, 255);
        encoder.encode(&pixels, side, side, ExtendedColorType::Rgba8).unwrap();
        let place =
            [word(offset), word(offset), word(side - 1), word(side - 1), word(delay), vec![0]];
        body.extend(chunk(b"ANMF", &[place.concat(), still[12..].to_vec()].concat()));
    }
    chunk(b"RIFF", &[b"WEBP".to_vec(), body].concat())
}

/// As `webp`, as an animated PNG.
pub fn apng(delays: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut sequence = 0u32;
    for (at, &delay) in delays.iter().enumerate() {
        let (side, offset) = if at == 0 { (6u32, 0u32) } else { (2, 2) };
        let mut still = Cursor::new(Vec::new());
        colour(side, 50 * at as u8 + 50, 255).write_to(&mut still, ImageFormat::Png).unwrap();
        let still = still.into_inner();
        if at == 0 {
            // The mark and the header.
            bytes.extend(&still[..33]);
            let count = [(delays.len() as u32).to_be_bytes(), [0; 4]].concat();
            bytes.extend(png_chunk(b"acTL", &count));
        }
        let mut control = Vec::new();
        for value in [sequence, side, side, offset, offset] {
            control.extend(value.to_be_bytes());
        }
        control.extend((delay as u16).to_be_bytes());
        control.extend(1000u16.to_be_bytes());
        control.extend([0, 0]);
        bytes.extend(png_chunk(b"fcTL", &control));
        sequence += 1;
        let begin = still.windows(4).position(|id| id == b"IDAT").unwrap() + 4;
        let end = still.windows(4).position(|id| id == b"IEND").unwrap() - 8;
        if at == 0 {
            bytes.extend(png_chunk(b"IDAT", &still[begin..end]));
        } else {
            let data = [&sequence.to_be_bytes(), &still[begin..end]].concat();
            bytes.extend(png_chunk(b"fdAT", &data));
            sequence += 1;
        }
    }
    bytes.extend(png_chunk(b"IEND", &[]));
    bytes
}

fn png_chunk(id: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let named = [id.as_slice(), data].concat();
    let mut sum = u32::MAX;
    for &byte in &named {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    [(data.len() as u32).to_be_bytes().as_slice(), &named, &(!sum).to_be_bytes()].concat()
}
