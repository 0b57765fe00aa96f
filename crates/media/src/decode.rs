//! Encoded pictures to red, green and blue.

use std::io::Cursor;

use image::error::LimitErrorKind;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use inlay_base::{Error, Result, guard};

use crate::jpeg;

/// What a decoder may need beside the pixels.
pub(crate) const BESIDE: u64 = 64 << 20;
/// The most that a pixel takes while it is decoded: four channels of 32 bits.
pub(crate) const WIDEST: u64 = 16;

/// A picture: rows of pixels, each of red, green and blue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    width: u32,
    height: u32,
    data: Vec<u8>,
}

impl Pixels {
    /// A picture of given pixels of 1 (grey), 3, or 4 channels, of which the last is left out.
    ///
    /// # Errors
    /// `InvalidInput` for no pixels, other channels, or more or fewer bytes.
    pub fn new(name: &str, width: u32, height: u32, channels: u32, data: Vec<u8>) -> Result<Self> {
        let wrong =
            |problem: String| Error::InvalidInput { source: name.into(), offset: None, problem };
        if width == 0 || height == 0 {
            return Err(wrong(format!("is of {width} x {height} pixels")));
        }
        let wanted = (u64::from(width) * u64::from(height)).checked_mul(channels.into());
        if wanted != Some(data.len() as u64) {
            let problem =
                format!("has {} bytes, and is of {width} x {height} x {channels}", data.len());
            return Err(wrong(problem));
        }
        let data = match channels {
            1 => data.into_iter().flat_map(|grey| [grey; 3]).collect(),
            3 => data,
            4 => data.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
            _ => return Err(wrong(format!("has {channels} channels; 1, 3 and 4 are taken"))),
        };
        Ok(Self { width, height, data })
    }

    pub(crate) fn of(width: u32, height: u32, data: Vec<u8>) -> Self {
        Self { width, height, data }
    }

    /// Pixels of a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Row after row, red, green and blue in turn.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// As `data`, without a copy.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }
}

/// The pixels of a PNG, JPEG, WebP, GIF, BMP or TIFF, told apart by content: of its first frame, turned as
/// its EXIF orientation says, without its transparency, 16 bits cut to 8. `name` is for messages.
///
/// # Errors
/// `InvalidInput` for what is no picture, a damaged one, or one of more than `most` pixels.
pub fn decode(name: &str, bytes: &[u8], most: u64) -> Result<Pixels> {
    let wrong =
        |problem: String| Error::InvalidInput { source: name.into(), offset: None, problem };
    // A decoder of others that gives up on a file in its own way is no fault of this library's.
    let decoded = guard(|| Ok(upright(bytes, most)));
    let picture = decoded.unwrap_or_else(|_| Err("is damaged".into())).map_err(wrong)?;
    let (width, height) = (picture.width(), picture.height());
    Pixels::new(name, width, height, 3, colours(picture))
}

fn upright(bytes: &[u8], most: u64) -> std::result::Result<DynamicImage, String> {
    if bytes.is_empty() {
        return Err("is empty".into());
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|error| error.to_string())?;
    let Some(format) = reader.format().filter(ImageFormat::reading_enabled) else {
        return Err(
            "is no picture of a known kind: PNG, JPEG, WebP, GIF, BMP and TIFF are read".into()
        );
    };
    let told = |error: ImageError| problem(error, &format!("{format:?}").to_uppercase());
    let mut limits = Limits::default();
    limits.max_alloc = Some(most.saturating_mul(WIDEST).saturating_add(BESIDE));
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(told)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(format!("is of {width} x {height} pixels"));
    }
    if u64::from(width) * u64::from(height) > most {
        return Err(format!(
            "has {width} x {height} pixels; at most {most} are read (`maxPixels`)"
        ));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(told)?;
    // The decoder leaves grey what is not there, and says nothing.
    if format == ImageFormat::Jpeg && jpeg::Scan::default().end(bytes).is_none() {
        return Err("is a JPEG that is cut short".into());
    }
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// What a decoder says, as a clause.
pub(crate) fn problem(error: ImageError, format: &str) -> String {
    match error {
        ImageError::Limits(limit) if limit.kind() == LimitErrorKind::InsufficientMemory => {
            format!("is a {format} that needs more memory than its pixels may (`maxPixels`)")
        }
        ImageError::Unsupported(error) => {
            format!("is a {format} of a kind that is not read: {error}")
        }
        error => format!("is a damaged {format}: {error}"),
    }
}

/// Red, green and blue in 8 bits.
fn colours(picture: DynamicImage) -> Vec<u8> {
    let cut = |values: Vec<u16>| values.into_iter().map(|value| (value >> 8) as u8);
    match picture {
        DynamicImage::ImageRgb8(picture) => picture.into_raw(),
        DynamicImage::ImageLuma16(picture) => {
            cut(picture.into_raw()).flat_map(|grey| [grey; 3]).collect()
        }
        DynamicImage::ImageLumaA16(_)
        | DynamicImage::ImageRgb16(_)
        | DynamicImage::ImageRgba16(_) => cut(picture.into_rgb16().into_raw()).collect(),
        other => other.into_rgb8().into_raw(),
    }
}
