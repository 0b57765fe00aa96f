use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use inlay_base::{Random, Run};

use super::fixtures::{FLAC_FRAME, aiff, flac, wav};
use super::*;
use crate::damage::damaged;

const ALL: Wanted = Wanted { rate: None, channels: None, from: 0.0, to: None, most: 3_600.0 };

fn read(bytes: &[u8], wanted: &Wanted) -> Result<Sound> {
    read_sound("a", bytes, wanted, &Run::quiet(1, 1))
}

#[test]
fn samples_of_wav_and_aiff_are_those_that_were_written() {
    let samples = [0, 16_384, -32_768, 32_767, 1, -1];
    let wanted = [0.0, 0.5, -1.0, 32_767.0 / 32_768.0, 1.0 / 32_768.0, -1.0 / 32_768.0];
    for bytes in [wav(44_100, 2, &samples), aiff(44_100, 2, &samples)] {
        let found = read(&bytes, &ALL).unwrap();
        assert_eq!((found.rate, found.channels), (44_100, 2));
        assert_eq!(found.samples, wanted);
    }
}

#[test]
fn a_flac_is_read_bit_for_bit_and_what_is_damaged_or_lacks_is_told() {
    let samples: Vec<i16> = (0..20_000).map(|at| (at * 371 % 20_011 - 10_000) as i16).collect();
    let bytes = flac(&samples, [0; 16]);
    let found = read(&bytes, &ALL).unwrap();
    assert_eq!((found.rate, found.channels), (44_100, 1));
    let wanted: Vec<f32> = samples.iter().map(|&sample| f32::from(sample) / 32_768.0).collect();
    assert!(found.samples == wanted);
    let part = read(&bytes, &Wanted { from: 0.1, to: Some(0.2), ..ALL }).unwrap();
    assert!(part.samples == wanted[4_410..8_820]);
    let wrong = flac(&samples, [7; 16]);
    let error = read(&wrong, &ALL).unwrap_err().to_string();
    assert!(error.contains("not those that were written (MD5)"), "{error}");
    for length in [bytes.len() / 2, bytes.len() - 1] {
        let error = read(&bytes[..length], &ALL).unwrap_err().to_string();
        assert!(error.contains("cut short: of 20000 samples"), "{error}");
    }
    // The sum is of the whole.
    let few = flac(&samples[..2 * FLAC_FRAME], [7; 16]);
    assert_eq!(read(&few, &Wanted { to: Some(0.005), ..ALL }).unwrap().samples.len(), 221);
}

#[test]
fn a_part_is_what_the_whole_has_there() {
    let samples: Vec<i16> = (0..30_000).map(|at| (at * 37 % 20_011) as i16).collect();
    let bytes = wav(8_000, 2, &samples);
    for rate in [None, Some(11_025)] {
        let whole = read(&bytes, &Wanted { rate, ..ALL }).unwrap();
        let (from, to) = (0.5, Some(1.25));
        let part = read(&bytes, &Wanted { rate, from, to, ..ALL }).unwrap();
        let at = |seconds: f64| 2 * (seconds * f64::from(whole.rate)).round() as usize;
        assert!(part.samples == whole.samples[at(0.5)..at(1.25)], "{rate:?}");
        let rest = read(&bytes, &Wanted { rate, from: 1.5, to: Some(9.0), ..ALL }).unwrap();
        assert!(rest.samples == whole.samples[at(1.5)..], "{rate:?}");
        let none = read(&bytes, &Wanted { rate, from: 100.0, ..ALL }).unwrap();
        assert!(none.samples.is_empty());
    }
}

#[test]
fn channels_are_mixed_to_their_mean_or_copied() {
    let bytes = wav(8_000, 2, &[8_192, 16_384, -8_192, 0]);
    let one = read(&bytes, &Wanted { channels: Some(1), ..ALL }).unwrap();
    assert_eq!((one.channels, one.samples), (1, vec![0.375, -0.125]));
    let bytes = wav(8_000, 1, &[8_192, -8_192]);
    let three = read(&bytes, &Wanted { channels: Some(3), ..ALL }).unwrap();
    assert_eq!((three.channels, three.samples), (3, vec![0.25, 0.25, 0.25, -0.25, -0.25, -0.25]));
    let two = wav(8_000, 2, &[1, 2]);
    let error = read(&two, &Wanted { channels: Some(3), ..ALL }).unwrap_err();
    assert_eq!(error.to_string(), "`channels` must be 1 or 2, of 2 channels, got 3");
}

#[test]
fn more_than_is_allowed_is_an_error_and_a_part_of_it_is_not() {
    let bytes = wav(1_000, 1, &[7; 5_000]);
    let error = read(&bytes, &Wanted { most: 4.0, ..ALL }).unwrap_err().to_string();
    assert!(error.contains("4 seconds (`maxSeconds`)"), "{error}");
    let part = Wanted { most: 4.0, from: 2.0, ..ALL };
    assert_eq!(read(&bytes, &part).unwrap().samples.len(), 3_000);
    let part = Wanted { most: 4.0, to: Some(4.0), ..ALL };
    assert_eq!(read(&bytes, &part).unwrap().samples.len(), 4_000);
}

#[test]
fn a_header_that_promises_more_than_there_is_gives_what_there_is() {
    let mut bytes = wav(8_000, 1, &[7; 100]);
    bytes[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(read(&bytes, &ALL).unwrap().samples.len(), 100);
    bytes.pop();
    assert_eq!(read(&bytes, &ALL).unwrap().samples.len(), 99);
}

#[test]
fn what_cannot_be_read_is_an_error_that_says_why() {
    let with = |at: usize, value: &[u8]| {
        let mut bytes = wav(8_000, 1, &[7; 100]);
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    for (bytes, code, what) in [
        (Vec::new(), "INVALID_INPUT", "a is empty"),
        (b"hello, this is a text".to_vec(), "INVALID_INPUT", "no sound of a known kind"),
        (with(22, &[0, 0]), "INVALID_INPUT", "0 channels"),
        (with(24, &[0; 4]), "INVALID_INPUT", "0 samples a second"),
        (with(20, &[0x11, 0]), "UNSUPPORTED", "IMA ADPCM"),
        (with(20, &[0x34, 0x12]), "UNSUPPORTED", "codec 0x1234"),
        (with(34, &[99, 0]), "INVALID_INPUT", "99 bits"),
        (with(36, b"dada"), "INVALID_INPUT", "ends before its samples"),
        (wav(8_000, 1, &[7])[..30].to_vec(), "INVALID_INPUT", "`fmt ` is cut short"),
        (aiff(8_000, 1, &[7])[..30].to_vec(), "INVALID_INPUT", "`COMM` is cut short"),
    ] {
        let error = read(&bytes, &ALL).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn a_rate_that_makes_very_many_samples_makes_no_more_than_are_wanted() {
    let bytes = wav(1, 1, &[1_000; 16_000]);
    let part = Wanted { rate: Some(768_000), from: 1.0, to: Some(1.5), ..ALL };
    assert_eq!(read(&bytes, &part).unwrap().samples.len(), 384_000);
    let most = Wanted { rate: Some(768_000), most: 0.5, ..ALL };
    assert_eq!(read(&bytes, &most).unwrap_err().code(), "INVALID_INPUT");
    let few = wav(1_000_000, 1, &[1_000; 100_000]);
    let slow = read(&few, &Wanted { rate: Some(1_000), ..ALL }).unwrap();
    assert_eq!(slow.samples.len(), 100);
}

#[test]
fn an_abort_stops_a_long_sound_at_once() {
    let bytes = wav(96_000, 2, &vec![100; 1 << 23]);
    let stop = Arc::new(AtomicBool::new(false));
    let run = Run::new(1, 1, Arc::clone(&stop), Box::new(|_| ()));
    let (late, aborted) = std::thread::scope(|scope| {
        let work = || read_sound("a", &bytes, &Wanted { rate: Some(95_999), ..ALL }, &run);
        let reading = scope.spawn(move || (work(), Instant::now()));
        std::thread::sleep(std::time::Duration::from_millis(30));
        stop.store(true, Relaxed);
        let now = Instant::now();
        let (outcome, ended) = reading.join().unwrap();
        (ended - now, outcome.map(drop))
    });
    assert_eq!(aborted, Err(Error::Aborted));
    assert!(late.as_millis() < 100, "{late:?}");
}

/// Files that were flipped, cut and lengthened at places drawn by a seed: each is a sound or an error.
fn spoil(name: &str, bytes: &[u8], times: u32) {
    let mut random = Random::new(1, 0);
    let most = Wanted { most: 60.0, ..ALL };
    for _ in 0..times {
        let changed = damaged(bytes, 200, &mut random);
        match read(&changed, &most) {
            Ok(sound) => assert!(sound.samples.len() <= 60 << 22, "{name}"),
            Err(error) => {
                assert!(["INVALID_INPUT", "UNSUPPORTED"].contains(&error.code()), "{name}: {error}")
            }
        }
    }
}

#[test]
fn damage_is_an_error_or_a_sound_and_never_a_panic() {
    let samples: Vec<i16> = (0..400).map(|at| (at * 371 % 20_011) as i16).collect();
    spoil("wav", &wav(8_000, 2, &samples), 3_000);
    spoil("aiff", &aiff(8_000, 2, &samples), 3_000);
    spoil("flac", &flac(&samples, [0; 16]), 3_000);
}

/// The sounds of the data folder, if it is there.
#[allow(clippy::print_stderr)] // what is not tested is said
fn sounds() -> Option<PathBuf> {
    let data = std::env::var_os("INLAY_DATA").map(PathBuf::from);
    let found = data.map(|data| data.join("media/sounds")).filter(|sounds| sounds.is_dir());
    if found.is_none() {
        eprintln!("skipped: INLAY_DATA names no folder with sounds");
    }
    found
}

fn sound(folder: &std::path::Path, name: &str) -> Sound {
    read_sound(name, &fs::read(folder.join(name)).unwrap(), &ALL, &Run::quiet(1, 1)).unwrap()
}

/// Rate, moments and channels as libsndfile has them; of what it does not read (AAC, ALAC, 5 to 64 bits) as the
/// files' headers do.
const FACTS: [(&str, u32, usize, u32); 34] = [
    ("7_jackson_3.wav", 8_000, 3_472, 1),
    ("bell-float32.wav", 44_100, 6_151, 2),
    ("bell-mulaw.wav", 8_000, 1_116, 2),
    ("bell-stereo-24bit.flac", 44_100, 6_151, 2),
    ("bell-stereo.mp3", 44_100, 6_151, 2),
    ("bell-stereo.oga", 44_100, 6_151, 2),
    ("bell-u8.wav", 44_100, 6_151, 2),
    ("bell.aiff", 44_100, 6_151, 2),
    ("camera-shutter-24bit.wav", 96_000, 14_400, 2),
    ("camera-shutter-stereo.oga", 96_000, 83_734, 2),
    ("front-center-16k.flac", 16_000, 22_848, 1),
    ("front-center-16k.mp3", 16_000, 22_848, 1),
    ("front-center-16k.ogg", 16_000, 22_848, 1),
    ("front-center-16k.wav", 16_000, 22_848, 1),
    ("front-center-48k.wav", 48_000, 68_545, 1),
    ("front-center-aac.m4a", 16_000, 22_848, 1),
    ("front-center-alac.m4a", 16_000, 22_848, 1),
    ("front-center-vbr.mp3", 16_000, 22_848, 1),
    ("sine-440-16k.wav", 16_000, 16_000, 1),
    ("wav-suite/test-44100Hz-2ch-32bit-float-be.wav", 44_100, 441, 2),
    ("wav-suite/test-44100Hz-2ch-32bit-float-le.wav", 44_100, 441, 2),
    ("wav-suite/test-44100Hz-be-1ch-4bytes.wav", 44_100, 4_410, 1),
    ("wav-suite/test-44100Hz-le-1ch-4bytes-early-eof.wav", 44_100, 236, 1),
    ("wav-suite/test-44100Hz-le-1ch-4bytes-rf64.wav", 44_100, 4_410, 1),
    ("wav-suite/test-48000Hz-2ch-64bit-float-le-wavex.wav", 48_000, 480, 2),
    ("wav-suite/test-8000Hz-be-3ch-5S-24bit.wav", 8_000, 5, 3),
    ("wav-suite/test-8000Hz-le-1ch-1byte-ulaw.wav", 8_000, 9, 1),
    ("wav-suite/test-8000Hz-le-3ch-5S-24bit-inconsistent.wav", 8_000, 5, 3),
    ("wav-suite/test-8000Hz-le-3ch-5S-24bit-rf64.wav", 8_000, 5, 3),
    ("wav-suite/test-8000Hz-le-3ch-5S-24bit.wav", 8_000, 5, 3),
    ("wav-suite/test-8000Hz-le-3ch-5S-45bit.wav", 8_000, 5, 3),
    ("wav-suite/test-8000Hz-le-3ch-5S-53bit.wav", 8_000, 5, 3),
    ("wav-suite/test-8000Hz-le-3ch-5S-64bit.wav", 8_000, 5, 3),
    ("wav-suite/test-8000Hz-le-5ch-9S-5bit.wav", 8_000, 9, 5),
];

#[test]
fn sounds_have_the_length_that_libsndfile_finds() {
    let Some(folder) = sounds() else { return };
    for (name, rate, moments, channels) in FACTS {
        let found = sound(&folder, name);
        let length = found.samples.len() / found.channels as usize;
        assert_eq!((found.rate, length, found.channels), (rate, moments, channels), "{name}");
    }
}

/// How far two sounds are from each other, as a share of the power of the first, in decibels.
fn noise(wanted: &[f32], found: &[f32]) -> f64 {
    let power = |samples: &mut dyn Iterator<Item = f64>| -> f64 { samples.map(|at| at * at).sum() };
    let error = power(&mut wanted.iter().zip(found).map(|(&a, &b)| f64::from(a) - f64::from(b)));
    10.0 * (error / power(&mut wanted.iter().map(|&at| f64::from(at)))).log10()
}

#[test]
fn one_voice_in_all_codings_is_one_voice() {
    let Some(folder) = sounds() else { return };
    let voice = sound(&folder, "front-center-16k.wav").samples;
    for name in ["front-center-16k.flac", "front-center-alac.m4a"] {
        assert!(sound(&folder, name).samples == voice, "{name}");
    }
    let bell = sound(&folder, "bell-float32.wav").samples;
    for (name, wanted, most) in [
        ("front-center-16k.mp3", &voice, -8.0),
        ("front-center-vbr.mp3", &voice, -8.0),
        ("front-center-16k.ogg", &voice, -8.0),
        ("front-center-aac.m4a", &voice, -8.0),
        ("bell-stereo.mp3", &bell, -8.0),
        ("bell-stereo.oga", &bell, -80.0),
        ("bell-stereo-24bit.flac", &bell, -100.0),
        ("bell.aiff", &bell, -60.0),
        ("bell-u8.wav", &bell, -20.0),
    ] {
        let found = sound(&folder, name).samples;
        let noise = noise(wanted, &found);
        assert!(noise < most, "{name}: {noise:.1} dB");
    }
    // Nothing says how much of an ADTS is before and behind the sound: 1024 moments are before it.
    let adts = sound(&folder, "front-center-aac.aac").samples;
    assert!(noise(&voice, &adts[1_024..]) < -8.0, "{}", noise(&voice, &adts[1_024..]));
}

#[test]
fn damaged_sounds_are_errors_or_what_is_left_of_them() {
    let Some(folder) = sounds() else { return };
    let folder = folder.join("damaged");
    for (name, wanted) in [
        ("header-only.wav", Ok(0)),
        ("huge-data-size.wav", Ok(1_000)),
        ("odd-bytes.wav", Ok(978)),
        ("truncated-half.wav", Ok(11_413)),
        ("truncated-half.mp3", Ok(10_415)),
        ("truncated-half.ogg", Err("cut short")),
        ("bitflip.flac", Err("damaged")),
        ("empty.wav", Err("is empty")),
        ("random.ogg", Err("damaged")),
        ("riff-only.wav", Err("ends before its samples")),
        ("text.mp3", Err("no sound of a known kind")),
        ("truncated-half.flac", Err("cut short")),
        ("truncated-half.m4a", Err("cut short")),
        ("zero-channels.wav", Err("0 channels")),
        ("zero-rate.wav", Err("0 samples a second")),
    ] {
        let found =
            read_sound(name, &fs::read(folder.join(name)).unwrap(), &ALL, &Run::quiet(1, 1));
        match (found, wanted) {
            (Ok(sound), Ok(moments)) => assert_eq!(sound.samples.len(), moments, "{name}"),
            (Err(error), Err(what)) => assert!(error.to_string().contains(what), "{error}"),
            (found, wanted) => {
                panic!("{name}: {:?} and not {wanted:?}", found.map(|sound| sound.samples.len()))
            }
        }
    }
    let (name, suite) = ("test-44100Hz-le-1ch-4bytes-incomplete-chunk.wav", "../wav-suite");
    let bytes = fs::read(folder.join(suite).join(name)).unwrap();
    assert_eq!(read(&bytes, &ALL).unwrap_err().code(), "INVALID_INPUT");
    let opus = fs::read(folder.join("../front-center-opus.opus")).unwrap();
    let error = read(&opus, &ALL).unwrap_err();
    assert_eq!(error.code(), "UNSUPPORTED");
    assert!(error.to_string().contains("is sound of Opus"), "{error}");
}

#[test]
fn damage_to_compressed_sounds_is_an_error_or_a_sound_and_never_a_panic() {
    let Some(folder) = sounds() else { return };
    let times = std::env::var("INLAY_FUZZ").ok().and_then(|times| times.parse().ok());
    for name in [
        "bell-stereo.mp3",
        "bell-stereo.oga",
        "front-center-16k.flac",
        "front-center-aac.aac",
        "front-center-aac.m4a",
        "front-center-alac.m4a",
        "front-center-opus.opus",
    ] {
        spoil(name, &fs::read(folder.join(name)).unwrap(), times.unwrap_or(60));
    }
}
