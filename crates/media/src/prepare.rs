//! What torchvision's `Compose([Resize, CenterCrop, ToTensor, Normalize])` does, bit for bit, and what the image processors
//! of Hugging Face's transformers do.

use crate::decode::Pixels;
use crate::resize::{Filter, resize};

/// How pictures become the input of an encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// How large they become.
    pub resize: Size,
    /// Height and width of the middle that is kept.
    pub crop: (u32, u32),
    /// Where the middle begins that half a pixel is to be left out before.
    pub half: Half,
    /// How pixels count by their distance.
    pub filter: Filter,
    /// Taken from each channel, which is from 0 to 1 there.
    pub mean: [f32; 3],
    /// What it is divided by then.
    pub deviation: [f32; 3],
}

/// What a picture is resized to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Its shorter side; the longer one goes with it.
    Shorter(u32),
    /// Height and width, whatever they were.
    Exact(u32, u32),
}

/// What half a pixel becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Its even neighbour: Python's `round`, torchvision.
    Even,
    /// Nothing: transformers.
    Down,
}

/// A picture as numbers: [height, width, 3] of the crop. Where the picture is smaller than the crop, there is
/// black around it.
pub fn prepare(pixels: &Pixels, recipe: &Recipe) -> Vec<f32> {
    let (width, height) = match recipe.resize {
        Size::Shorter(shorter) => resized(pixels.width(), pixels.height(), shorter),
        Size::Exact(height, width) => (width, height),
    };
    let (rows, columns) = recipe.crop;
    let (top, left) = (begin(height, rows, recipe.half), begin(width, columns, recipe.half));
    let part = |start: i64, crop: u32, side: u32| {
        let end = (start + i64::from(crop)).min(side.into());
        start.max(0) as u32..end as u32
    };
    let (across, down) = (part(left, columns, width), part(top, rows, height));
    let middle = resize(pixels, (width, height), across, down, recipe.filter);
    let (wide, high) = (i64::from(middle.width()), i64::from(middle.height()));
    let scaled = tables(recipe);
    let mut values = Vec::with_capacity(rows as usize * columns as usize * 3);
    for y in 0..i64::from(rows) {
        for x in 0..i64::from(columns) {
            let (y, x) = (y + top.min(0), x + left.min(0));
            let inside = (0..high).contains(&y) && (0..wide).contains(&x);
            let at = 3 * (y * wide + x);
            let pixel = if inside { &middle.data()[at as usize..][..3] } else { &[0; 3] };
            values
                .extend(pixel.iter().zip(&scaled).map(|(&value, table)| table[usize::from(value)]));
        }
    }
    values
}

/// A picture of another height and width, as Pillow's `resize` does it (bilinear, with antialiasing): bytes, [height, width, 3],
/// or [height, width] if it is to be grey, as Pillow's `convert('L')` has it (ITU-R 601 in whole numbers).
pub fn fit(pixels: &Pixels, (height, width): (u32, u32), grey: bool) -> Vec<u8> {
    let sized = resize(pixels, (width, height), 0..width, 0..height, Filter::Bilinear);
    if !grey {
        return sized.into_data();
    }
    let luma = |colours: &[u8]| {
        let [red, green, blue] = [0, 1, 2].map(|at| u32::from(colours[at]));
        ((red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16) as u8
    };
    sized.data().chunks_exact(3).map(luma).collect()
}

/// What each of the 256 values of a channel becomes.
fn tables(recipe: &Recipe) -> [[f32; 256]; 3] {
    std::array::from_fn(|channel| {
        let (mean, deviation) = (recipe.mean[channel], recipe.deviation[channel]);
        std::array::from_fn(|value| (value as f32 / 255.0 - mean) / deviation)
    })
}

/// Width and height when the shorter side is so long.
fn resized(width: u32, height: u32, shorter: u32) -> (u32, u32) {
    let longer = |long: u32, short: u32| {
        let long = u64::from(shorter) * u64::from(long) / u64::from(short);
        u32::try_from(long).unwrap_or(u32::MAX)
    };
    if width <= height {
        (shorter, longer(height, width))
    } else {
        (longer(width, height), shorter)
    }
}

/// Where the middle begins; below 0, where so much is missing on that side.
fn begin(have: u32, want: u32, half: Half) -> i64 {
    let over = i64::from(have) - i64::from(want);
    match over {
        0.. => over / 2 + i64::from(half == Half::Even && over % 4 == 3),
        _ => -(-over / 2),
    }
}
