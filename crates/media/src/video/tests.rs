use std::fs;
use std::path::{Path, PathBuf};

use inlay_base::{Random, Run};
use serde_json::Value;

use super::*;
use crate::damage::damaged;

const ALL: FilmSpec =
    FilmSpec { rate: None, from: 0.0, to: None, width: None, height: None, most: 1 << 22 };

/// All frames of a film whose bytes come in pieces of a size, with their times.
fn frames(bytes: &[u8], spec: FilmSpec, piece: usize) -> Result<Vec<(Pixels, f64)>> {
    let (run, mut film) = (Run::quiet(1, 1), Film::new("a", spec));
    let mut pieces = bytes.chunks(piece);
    let mut frames = Vec::new();
    loop {
        match film.next(&run)? {
            Step::Frame(picture, time) => frames.push((picture, time)),
            Step::More(count) => {
                assert!(count > 0, "nothing is no wish");
                match pieces.next() {
                    Some(piece) => film.push(piece),
                    None => film.finish(),
                }
            }
            Step::End => return Ok(frames),
            Step::Foreign => return Err(wrong("a", "is foreign")),
        }
    }
}

fn times(bytes: &[u8], spec: FilmSpec) -> Vec<f64> {
    frames(bytes, spec, 1 << 16).unwrap().into_iter().map(|(_, time)| time).collect()
}

/// Frames of 4 x 2 pixels, each of one grey.
fn y4m(header: &str, greys: &[u8]) -> Vec<u8> {
    let mut bytes = format!("YUV4MPEG2 W4 H2 {header}\n").into_bytes();
    for &grey in greys {
        bytes.extend(b"FRAME\n");
        bytes.extend([grey; 8]);
        bytes.extend([128; 4]);
    }
    bytes
}

fn jpeg(grey: u8) -> Vec<u8> {
    let picture = image::RgbImage::from_pixel(8, 8, image::Rgb([grey; 3]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

fn chunk(id: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let pad = vec![0; data.len() % 2];
    [id.as_slice(), &(data.len() as u32).to_le_bytes(), data, &pad].concat()
}

/// An AVI of a sound and of Motion-JPEG, 12 frames a second; an empty frame is one that is shown on.
fn avi(frames: &[Vec<u8>], codec: &[u8; 4]) -> Vec<u8> {
    let stream = |kind: &[u8; 4], rate: u32, format: &[u8]| {
        let mut head = [kind.as_slice(), codec, &[0; 12]].concat();
        head.extend(1u32.to_le_bytes());
        head.extend(rate.to_le_bytes());
        head.extend([0; 28]);
        let chunks = [chunk(b"strh", &head), chunk(b"strf", format)].concat();
        chunk(b"LIST", &[b"strl".as_slice(), &chunks].concat())
    };
    let mut format = 40u32.to_le_bytes().to_vec();
    format.extend(8u32.to_le_bytes());
    format.extend(8u32.to_le_bytes());
    format.extend([1, 0, 24, 0]);
    format.extend(codec);
    format.extend([0; 20]);
    let streams = [stream(b"auds", 8_000, &[0; 16]), stream(b"vids", 12, &format)].concat();
    let header = [b"hdrl".as_slice(), &chunk(b"avih", &[0; 56]), &streams].concat();
    let movie: Vec<u8> = frames
        .iter()
        .flat_map(|frame| [chunk(b"00wb", &[7; 5]), chunk(b"01dc", frame)].concat())
        .collect();
    let movie = [b"movi".as_slice(), &movie].concat();
    let body = [chunk(b"LIST", &header), chunk(b"JUNK", &[0; 30]), chunk(b"LIST", &movie)].concat();
    chunk(b"RIFF", &[b"AVI ".as_slice(), &body, &chunk(b"idx1", &[0; 16])].concat())
}

/// A GIF of single colours, each shown for so many hundredths of a second.
fn gif(delays: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    for (at, &delay) in delays.iter().enumerate() {
        let picture = image::RgbaImage::from_pixel(6, 4, image::Rgba([40 * at as u8, 0, 0, 255]));
        let delay = image::Delay::from_numer_denom_ms(u32::from(delay) * 10, 1);
        encoder.encode_frame(image::Frame::from_parts(picture, 0, 0, delay)).unwrap();
    }
    drop(encoder);
    bytes
}

#[test]
fn frames_have_their_own_times_in_pieces_of_any_size() {
    let bytes = y4m("F30000:1001", &[16, 100, 200, 235]);
    for piece in [1, 7, 19, 1 << 16] {
        let found = frames(&bytes, ALL, piece).unwrap();
        let times: Vec<f64> = found.iter().map(|(_, time)| *time).collect();
        assert_eq!(times, [0.0, 1001.0 / 30_000.0, 2002.0 / 30_000.0, 3003.0 / 30_000.0]);
        assert_eq!((found[0].0.data()[0], found[3].0.data()[23]), (0, 255));
        assert_eq!((found[0].0.width(), found[0].0.height()), (4, 2));
    }
    let mjpeg: Vec<u8> = [jpeg(0), jpeg(255), jpeg(9)].concat();
    assert_eq!(times(&mjpeg, ALL), [0.0, 0.04, 0.08]);
    let endless = jpeg(0)[..jpeg(0).len() - 2].to_vec();
    let film = avi(&[endless, Vec::new(), jpeg(255)], b"MJPG");
    for piece in [1, 100, 1 << 16] {
        let found = frames(&film, ALL, piece).unwrap();
        let greys: Vec<u8> = found.iter().map(|(picture, _)| picture.data()[0]).collect();
        assert_eq!(greys, [0, 0, 255], "what is not there is what was there");
        assert_eq!(found[2].1, 2.0 / 12.0);
    }
    assert_eq!(times(&gif(&[10, 30, 0, 5]), ALL), [0.0, 0.1, 0.4, 0.5]);
}

#[test]
fn a_frame_is_put_together_of_those_before_it() {
    let red = |picture: &Pixels, x: usize, y: usize| picture.data()[3 * (6 * y + x)];
    for bytes in [fixtures::webp(&[50, 30, 100]), fixtures::apng(&[50, 30, 100])] {
        let found = frames(&bytes, ALL, 100).unwrap();
        let times: Vec<f64> = found.iter().map(|(_, time)| *time).collect();
        assert_eq!(times, [0.0, 0.05, 0.08]);
        for (at, (picture, _)) in found.iter().enumerate() {
            assert_eq!((picture.width(), picture.height()), (6, 6));
            // The blend of WebP is off by one, also for what is opaque.
            let is_near = |found: u8, wanted: u8| found.abs_diff(wanted) <= 1;
            assert!(is_near(red(picture, 0, 0), 50) && is_near(red(picture, 4, 4), 50));
            assert!(is_near(red(picture, 3, 2), 50 * at as u8 + 50), "{at}");
        }
    }
}

#[test]
fn a_rate_gives_what_is_shown_then() {
    let bytes = y4m("F4:1", &[16, 100, 200, 235]);
    let at = |rate, from, to| FilmSpec { rate: Some(rate), from, to, ..ALL };
    let shown = |spec| -> Vec<(u8, f64)> {
        let found = frames(&bytes, spec, 1 << 16).unwrap();
        let light = |value: u8| {
            [(0, 16), (98, 100), (214, 200), (255, 235)]
                .into_iter()
                .find(|(rgb, _)| *rgb == value)
                .map(|(_, light)| light)
        };
        found.iter().map(|(picture, time)| (light(picture.data()[0]).unwrap(), *time)).collect()
    };
    assert_eq!(shown(at(2.0, 0.0, None)), [(16, 0.0), (200, 0.5)]);
    assert_eq!(shown(at(8.0, 0.0, Some(0.5))), [(16, 0.0), (16, 0.125), (100, 0.25), (100, 0.375)]);
    assert_eq!(
        shown(at(3.0, 0.3, None)),
        [(100, 0.3), (200, 0.3 + 1.0 / 3.0), (235, 0.3 + 2.0 / 3.0)]
    );
    assert_eq!(shown(at(1.0, 5.0, None)), []);
    let part = FilmSpec { from: 0.25, to: Some(0.75), ..ALL };
    assert_eq!(times(&bytes, part), [0.25, 0.5]);
}

#[test]
fn a_picture_is_a_film_of_one_frame() {
    let picture = image::RgbImage::from_pixel(5, 3, image::Rgb([1, 2, 3]));
    let mut kinds = vec![("jpeg", jpeg(7)), ("gif", gif(&[0]))];
    for format in [image::ImageFormat::Png, image::ImageFormat::Bmp, image::ImageFormat::Tiff] {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        kinds.push(("other", bytes.into_inner()));
    }
    kinds.push(("with rubbish behind it", [jpeg(7), b"rubbish".to_vec()].concat()));
    for (kind, bytes) in kinds {
        for rate in [None, Some(1000.0)] {
            assert_eq!(times(&bytes, FilmSpec { rate, ..ALL }), [0.0], "{kind}");
        }
    }
}

#[test]
fn frames_are_made_smaller_as_pictures_are() {
    let bytes = y4m("F4:1", &[100]);
    let sized = |width, height| {
        let found = frames(&bytes, FilmSpec { width, height, ..ALL }, 1 << 16).unwrap();
        (found[0].0.width(), found[0].0.height())
    };
    assert_eq!(sized(Some(2), None), (2, 1));
    assert_eq!(sized(None, Some(6)), (12, 6));
    assert_eq!(sized(Some(3), Some(5)), (3, 5));
}

#[test]
fn all_colours_of_y4m_are_read() {
    for (colours, bytes) in [
        ("", 12),
        ("C420", 12),
        ("C420jpeg", 12),
        ("C420mpeg2", 12),
        ("C420paldv", 12),
        ("C422", 16),
        ("C444", 24),
        ("C440", 16),
        ("C411", 12),
        ("C444alpha", 32),
        ("Cmono", 8),
        ("C420p10", 24),
        ("C422p12", 32),
        ("C444p16", 48),
        ("Cmono10", 16),
    ] {
        let film = [
            format!("YUV4MPEG2 W4 H2 F1:1 Ip A1:1 {colours} XYSCSS=420\nFRAME Xa\n").as_bytes(),
            &vec![128; bytes],
        ]
        .concat();
        assert_eq!(times(&film, ALL), [0.0], "{colours}");
    }
    for wrong in ["C420p99", "C421", "Cmonster", "F0:1", "F1", "W", "Wé", "H-3", "é"] {
        let film = [format!("YUV4MPEG2 W4 H2 {wrong}\nFRAME\n").as_bytes(), &[0; 12]].concat();
        assert_eq!(frames(&film, ALL, 99).unwrap_err().code(), "INVALID_INPUT", "{wrong}");
    }
}

#[test]
fn what_is_damaged_or_too_large_is_an_error_that_says_so() {
    let most = FilmSpec { most: 7, ..ALL };
    let film = y4m("F4:1", &[16, 100]);
    let strange = avi(&[jpeg(0)], b"H264");
    let endless = jpeg(9)[..jpeg(9).len() - 2].to_vec();
    for (bytes, spec, what) in [
        (Vec::new(), ALL, "is empty"),
        (film.clone(), most, "4 x 2 pixels; at most 7"),
        (film[..film.len() - 1].to_vec(), ALL, "cut short in frame 2"),
        ([&film[..], b"FRA"].concat(), ALL, "cut short after frame 2"),
        ([&film[..], b"FROM\n", &[0; 12]].concat(), ALL, "no line FRAME after frame 2"),
        ([b"YUV4MPEG2 W4".as_slice(), &[b' '; 5000]].concat(), ALL, "a line of more than"),
        (avi(&[jpeg(0)], b"MJPG"), most, "8 x 8 pixels; at most 7"),
        (jpeg(0), most, "8 x 8 pixels; at most 7"),
        (gif(&[1, 2]), most, "6 x 4 pixels; at most 7"),
        (gif(&[1, 2])[..60].to_vec(), ALL, "GIF"),
        ([jpeg(0), endless].concat(), ALL, "JPEG that is cut short"),
        (strange, ALL, "is foreign"),
        (b"hello, this is no film".to_vec(), ALL, "is foreign"),
    ] {
        let error = frames(&bytes, spec, 50).unwrap_err();
        assert_eq!(error.code(), "INVALID_INPUT");
        assert!(error.to_string().contains(what), "{error} and not {what}");
    }
    // A frame whose header says that it has 4 GB is not waited for.
    let mut large = avi(&[jpeg(0)], b"MJPG");
    let at = large.windows(4).position(|id| id == b"01dc").unwrap();
    large[at + 4..at + 8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(
        frames(&large, ALL, 50).unwrap_err().to_string().contains("a frame of 4294967295 bytes")
    );
}

#[test]
fn pictures_of_another_program_come_with_their_times() {
    let run = Run::quiet(1, 1);
    let picture = |grey: u8| [b"P6\n2 1\n255\n".as_slice(), &[grey; 6]].concat();
    let mut film = Film::of_pictures("a", FilmSpec { rate: Some(10.0), ..ALL });
    assert_eq!(film.next(&run), Ok(Step::More(1)));
    film.push_time(0.0);
    film.push(&picture(1));
    // Until when it is shown is not known.
    assert!(matches!(film.next(&run), Ok(Step::More(_))));
    film.push_time(0.25);
    film.push(&picture(2));
    film.finish();
    let mut shown = Vec::new();
    while let Ok(Step::Frame(picture, time)) = film.next(&run) {
        shown.push((picture.data()[0], time));
    }
    assert_eq!(shown, [(1, 0.0), (1, 0.1), (1, 0.2), (2, 0.3), (2, 0.4)]);
    for (bytes, what) in [
        (b"P6\n2 1\n255\nabc".as_slice(), "cut short"),
        (b"P5\n2 1\n255\nabcabc", "no picture"),
        (b"P6\n99999 99999\n255\n", "at most"),
        (&[b'a'; 100], "no picture"),
    ] {
        let mut film = Film::of_pictures("a", ALL);
        film.push(bytes);
        film.finish();
        let problem = film.next(&run).unwrap_err().to_string();
        assert!(problem.contains(what), "{problem}");
    }
}

/// Files that were flipped, cut and lengthened at places drawn by a seed: each is frames or an error.
fn spoil(name: &str, bytes: &[u8], times: u32) {
    let mut random = Random::new(1, 0);
    for _ in 0..times {
        let changed = damaged(bytes, 300, &mut random);
        if let Err(error) = frames(&changed, ALL, 997) {
            assert_eq!(error.code(), "INVALID_INPUT", "{name}: {error}");
        }
    }
}

fn fuzzed(times: u32) -> u32 {
    std::env::var("INLAY_FUZZ").ok().and_then(|times| times.parse().ok()).unwrap_or(times)
}

#[test]
fn damage_is_an_error_or_frames_and_never_a_panic() {
    spoil("y4m", &y4m("F30000:1001 C420jpeg", &[1, 2, 3, 4]), fuzzed(1_000));
    spoil("mjpeg", &[jpeg(1), jpeg(99)].concat(), fuzzed(300));
    spoil("avi", &avi(&[jpeg(1), Vec::new(), jpeg(99)], b"MJPG"), fuzzed(500));
    spoil("gif", &gif(&[5, 6, 7]), fuzzed(300));
    spoil("webp", &fixtures::webp(&[50, 60]), fuzzed(300));
    spoil("apng", &fixtures::apng(&[50, 60]), fuzzed(300));
}

/// The clips of the data folder, if it is there.
#[allow(clippy::print_stderr)] // what is not tested is said
fn clips() -> Option<PathBuf> {
    let data = std::env::var_os("INLAY_DATA").map(PathBuf::from);
    let found = data.map(|data| data.join("media/video")).filter(|clips| clips.is_dir());
    if found.is_none() {
        eprintln!("skipped: INLAY_DATA names no folder with clips");
    }
    found
}

const NATIVE: [&str; 7] = [
    "bikes.gif",
    "newtonscradle.gif",
    "carphone.apng",
    "bikes-lossy.webp",
    "carphone-lossless.webp",
    "carphone-8.y4m",
    "bikes-mjpeg.avi",
];

fn means(picture: &Pixels) -> [f64; 3] {
    let pixels = f64::from(picture.width() * picture.height());
    std::array::from_fn(|channel| {
        let values = picture.data().iter().skip(channel).step_by(3);
        values.map(|&value| u64::from(value)).sum::<u64>() as f64 / pixels
    })
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap()
}

#[test]
fn clips_have_the_frames_and_colours_of_the_manifest() {
    let Some(folder) = clips() else { return };
    let manifest: Value = serde_json::from_slice(&read(&folder, "manifest.json")).unwrap();
    let mut problems = Vec::new();
    for name in NATIVE {
        let about = &manifest[name];
        let found = frames(&read(&folder, name), ALL, 1 << 16).unwrap();
        assert_eq!(Some(found.len() as u64), about["frames"].as_u64(), "{name}");
        let size = (u64::from(found[0].0.width()), u64::from(found[0].0.height()));
        assert_eq!(
            (Some(size.0), Some(size.1)),
            (about["width"].as_u64(), about["height"].as_u64())
        );
        let every = about["means_every"].as_u64().unwrap_or(1) as usize;
        let wanted = about["rgb_mean_per_frame"].as_array().unwrap();
        for (at, wanted) in wanted.iter().enumerate() {
            let means = means(&found[at * every].0);
            for channel in 0..3 {
                let wanted = wanted[channel].as_f64().unwrap();
                if (means[channel] - wanted).abs() > 2.0 {
                    problems.push(format!(
                        "{name}, frame {}: {} and not {wanted}",
                        at * every,
                        means[channel]
                    ));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn damage_to_clips_is_an_error_or_frames_and_never_a_panic() {
    let Some(folder) = clips() else { return };
    for name in NATIVE.into_iter().filter(|name| *name != "newtonscradle.gif") {
        spoil(name, &read(&folder, name), fuzzed(20));
    }
}
