use std::fs;
use std::path::PathBuf;

use inlay_base::Random;
use serde_json::Value;

use crate::{Filter, Half, Pixels, Recipe, Size, decode, prepare};

const MOST: u64 = 1 << 20;

/// Numbers that look like noise: those of `__test__/golden/prepared.py`.
fn noise(width: u32, height: u32) -> Pixels {
    let value = |at: u64| (((at * 2_654_435_761 + 12_345) % (1 << 32)) >> 24) as u8;
    let data = (0..u64::from(width * height * 3)).map(value).collect();
    Pixels::new("noise", width, height, 3, data).unwrap()
}

fn recipe(resize: u32, crop: u32, filter: Filter) -> Recipe {
    let (mean, deviation) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let (resize, half) = (Size::Shorter(resize), Half::Even);
    Recipe { resize, crop: (crop, crop), half, filter, mean, deviation }
}

#[test]
fn pictures_are_prepared_as_torchvision_and_transformers_do_it_to_the_last_bit() {
    let cases = include_str!("../../../__test__/golden/prepared.json");
    let cases: Vec<Value> = serde_json::from_str(cases).unwrap();
    assert!(cases.len() > 5);
    for case in cases {
        let number = |key: &str| case[key].as_u64().unwrap() as u32;
        let filter = if case["filter"] == "bicubic" { Filter::Bicubic } else { Filter::Bilinear };
        let half = if case["half"] == "even" { Half::Even } else { Half::Down };
        let side = |at: usize| case["resize"][at].as_u64().unwrap() as u32;
        let resize = match &case["resize"] {
            Value::Array(_) => Size::Exact(side(0), side(1)),
            _ => Size::Shorter(number("resize")),
        };
        let picture = noise(number("width"), number("height"));
        let usual = recipe(1, number("crop"), filter);
        let values = prepare(&picture, &Recipe { resize, half, ..usual });
        let first: Vec<f64> = serde_json::from_value(case["first"].clone()).unwrap();
        let found: Vec<f64> = values[..3].iter().map(|&value| value.into()).collect();
        assert_eq!(found, first, "{case}");
        const P: u64 = 2_147_483_647;
        let bits = values.iter().zip(1u64..).map(|(value, at)| u64::from(value.to_bits()) * at % P);
        assert_eq!(bits.sum::<u64>() % P, case["checksum"].as_u64().unwrap(), "{case}");
    }
}

#[test]
fn a_long_thin_picture_takes_no_more_memory_than_its_middle() {
    let line = Pixels::new("line", 1, 20_000, 3, vec![7; 60_000]).unwrap();
    let values = prepare(&line, &recipe(256, 224, Filter::Bilinear));
    assert_eq!(values.len(), 224 * 224 * 3);
    assert!(values.iter().all(|value| value.is_finite()));
}

/// A picture of 5 x 3 pixels in each kind of file.
fn files() -> Vec<(image::ImageFormat, Vec<u8>)> {
    use image::ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    let data = noise(5, 3).data().to_vec();
    let picture = image::DynamicImage::from(image::RgbImage::from_raw(5, 3, data).unwrap());
    let file = |format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        (format, bytes.into_inner())
    };
    [Bmp, Gif, Jpeg, Png, Tiff, WebP].map(file).into()
}

#[test]
fn each_kind_of_file_is_told_by_its_content() {
    for (format, bytes) in files() {
        let found = decode("a", &bytes, MOST).unwrap();
        assert_eq!((found.width(), found.height()), (5, 3), "{format:?}");
        if !matches!(format, image::ImageFormat::Jpeg | image::ImageFormat::Gif) {
            assert_eq!(found, noise(5, 3), "{format:?}");
        }
        let problem = decode("a", &bytes, 14).unwrap_err().to_string();
        assert!(problem.contains("5 x 3 pixels; at most 14"), "{problem}");
    }
}

#[test]
fn damage_is_an_error_or_a_picture_and_never_a_panic() {
    let mut random = Random::new(1, 0);
    for (_, bytes) in files() {
        for length in 0..bytes.len() {
            if let Err(error) = decode("a", &bytes[..length], MOST) {
                assert_eq!(error.code(), "INVALID_INPUT");
            }
        }
        for _ in 0..500 {
            let mut changed = bytes.clone();
            let at = random.below(changed.len() as u32) as usize;
            changed[at] = random.below(256) as u8;
            if let Err(error) = decode("a", &changed, MOST) {
                assert_eq!(error.code(), "INVALID_INPUT");
            }
        }
    }
    let [.., jpeg, _, _, _] = &files()[..] else { unreachable!() };
    let cut = &jpeg.1[..jpeg.1.len() - 2];
    let cases =
        [(&b""[..], "is empty"), (b"hello, this is a text", "no picture"), (cut, "cut short")];
    for (bytes, what) in cases {
        let problem = decode("a", bytes, MOST).unwrap_err().to_string();
        assert!(problem.contains(what), "{problem}");
    }
    for (width, height, channels, bytes) in [(0, 1, 3, 0), (1, 1, 2, 2), (2, 2, 3, 11)] {
        assert!(Pixels::new("a", width, height, channels, vec![0; bytes]).is_err());
    }
    assert_eq!(Pixels::new("a", 1, 1, 4, vec![1, 2, 3, 4]).unwrap().data(), [1, 2, 3]);
    assert_eq!(Pixels::new("a", 1, 1, 1, vec![9]).unwrap().data(), [9, 9, 9]);
}

/// The photos of the data folder, if it is there.
#[allow(clippy::print_stderr)] // what is not tested is said
fn photos() -> Option<PathBuf> {
    let data = std::env::var_os("INLAY_DATA").map(PathBuf::from);
    let found = data.map(|data| data.join("media/photos")).filter(|photos| photos.is_dir());
    if found.is_none() {
        eprintln!("skipped: INLAY_DATA names no folder with photos");
    }
    found
}

/// Where others decide otherwise: the colour of what is transparent, a frame larger than its canvas; and a TIFF of a
/// kind that is not read.
const OTHERWISE: [&str; 5] = [
    "anim.webp",
    "hpredict_packbits.tiff",
    "large-gif-anim-combine.gif",
    "oob.gif",
    "ycbcr_jpeg_8bit.tif",
];

#[test]
fn photos_are_decoded_as_pillow_does_it() {
    let Some(photos) = photos() else { return };
    let manifest = fs::read_to_string(photos.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let mut problems = Vec::new();
    for (name, about) in manifest.as_object().unwrap() {
        let kind = about["format"].as_str().unwrap_or_default();
        let is_read = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"].contains(&kind);
        let otherwise = OTHERWISE.iter().any(|other| name.ends_with(other));
        if otherwise || !is_read || about["rgb_mean"].is_null() {
            continue;
        }
        let found = match decode(name, &fs::read(photos.join(name)).unwrap(), 1 << 26) {
            Ok(found) => found,
            Err(error) => {
                problems.push(error.to_string());
                continue;
            }
        };
        let side = |at: usize, key: &str| {
            about["upright"][at].as_u64().or(about[key].as_u64()).unwrap() as u32
        };
        if (found.width(), found.height()) != (side(0, "width"), side(1, "height")) {
            problems.push(format!("{name}: {} x {}", found.width(), found.height()));
        }
        for channel in 0..3 {
            let values = found.data().iter().skip(channel).step_by(3);
            let sum: u64 = values.map(|&value| u64::from(value)).sum();
            let mean = sum as f64 / f64::from(found.width() * found.height());
            let wanted = about["rgb_mean"][channel].as_f64().unwrap();
            if (mean - wanted).abs() > 1.0 {
                problems
                    .push(format!("{name}: mean of channel {channel} {mean}, Pillow's {wanted}"));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn damaged_photos_are_errors_or_pictures() {
    let Some(photos) = photos() else { return };
    let mut errors = 0;
    for entry in fs::read_dir(photos.join("damaged")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match decode(&name, &fs::read(&path).unwrap(), 1 << 26) {
            Ok(_) => assert!(!name.contains("bomb-2") && !name.contains("zero-"), "{name}"),
            Err(error) => {
                errors += 1;
                assert_eq!(error.code(), "INVALID_INPUT");
            }
        }
    }
    assert!(errors > 15, "{errors}");
}
