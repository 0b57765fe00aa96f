use std::fs;
use std::path::Path;

use inlay_base::{Error, Random, Result, Run};

use super::oracle::{oracle, random_text};
use super::{all_words, cut, gzip, read_text, said, spoken, write, zstd};
use crate::{Corpus, InvalidUtf8, Options, Sentences, Source, Tokenizer};

fn read(names: &[&str]) -> Result<Corpus> {
    let source = Source::Files(names.iter().map(|&name| name.into()).collect());
    Corpus::read(source, &all_words(), &Run::quiet(2, 1))
}

fn name(folder: &Path, rest: &str) -> String {
    folder.join(rest).to_str().unwrap().into()
}

#[test]
fn a_directory_is_its_files_in_order_without_hidden_ones_and_those_below() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "b", b"second");
    write(folder.path(), "a.gz", &gzip(b"first"));
    write(folder.path(), ".hidden", b"hidden");
    fs::create_dir(folder.path().join("below")).unwrap();
    write(&folder.path().join("below"), "c", b"below");
    let directory = name(folder.path(), "");
    assert_eq!(spoken(&read(&[&directory]).unwrap()), [["first"], ["second"]]);
    let bare = directory.trim_end_matches('/');
    let message = read(&[bare]).unwrap_err().to_string();
    let wanted = format!("{bare} is a directory; to read the files in it, write {bare}/");
    assert_eq!(message, wanted, "nobody trains on a folder by mistake");
}

#[test]
fn a_glob_is_the_files_that_match_in_order() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "2.txt", b"two");
    write(folder.path(), "1.txt", b"one");
    write(folder.path(), "1.dat", b"other");
    write(folder.path(), ".0.txt", b"hidden");
    fs::create_dir(folder.path().join("0.txt")).unwrap();
    write(&folder.path().join("0.txt"), "9.txt", b"nine");
    let corpus = read(&[&name(folder.path(), "*.txt")]).unwrap();
    assert_eq!(spoken(&corpus), [["one"], ["two"]]);
    let corpus = read(&[&name(folder.path(), "**/*.txt")]).unwrap();
    assert_eq!(spoken(&corpus), [["nine"], ["one"], ["two"]]);
}

#[test]
fn a_file_whose_name_looks_like_a_glob_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let odd = write(folder.path(), "a[1].txt", b"itself");
    write(folder.path(), "a1.txt", b"other");
    assert_eq!(spoken(&read(&[&odd]).unwrap()), [["itself"]]);
}

#[test]
fn files_are_read_in_the_order_given_and_as_often() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (write(folder.path(), "a", b"a"), write(folder.path(), "b", b"b"));
    assert_eq!(spoken(&read(&[&b, &a, &b]).unwrap()), [["b"], ["a"], ["b"]]);
}

#[test]
fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = name(folder.path(), "missing.txt");
    assert_eq!(read(&[&missing]).unwrap_err(), Error::NotFound { what: "file", name: missing });
    let nothing = name(folder.path(), "*.txt");
    let message = read(&[&nothing]).unwrap_err().to_string();
    assert_eq!(message, format!("file that matches not found: {nothing}"));
    let empty = name(folder.path(), "");
    let message = read(&[&empty]).unwrap_err().to_string();
    assert_eq!(message, format!("{empty} is a directory without files"));
    assert!(matches!(read(&[]).unwrap_err(), Error::InvalidInput { .. }));
    let broken = name(folder.path(), "a***b");
    assert!(matches!(read(&[&broken]).unwrap_err(), Error::InvalidInput { .. }));
}

#[test]
fn compression_is_told_by_content_not_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        write(folder.path(), "plain.gz", b"plain"),
        write(folder.path(), "gzip.txt", &gzip(b"gzip")),
        write(folder.path(), "zstd.gz", &zstd(b"zstd")),
        write(folder.path(), "empty", b""),
        write(folder.path(), "empty.zst", &zstd(b"")),
        write(folder.path(), "one", b"x"),
    ];
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(spoken(&read(&names).unwrap()), [["plain"], ["gzip"], ["zstd"], ["x"]]);
}

#[test]
fn all_members_and_frames_are_read_and_words_go_on_over_them() {
    let folder = tempfile::tempdir().unwrap();
    let skippable = [&[0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let names = [
        write(folder.path(), "gz", &[gzip(b"one tw"), gzip(b""), gzip(b"o three")].concat()),
        write(folder.path(), "zst", &[skippable, zstd(b"one tw"), zstd(b"o three")].concat()),
    ];
    for name in &names {
        assert_eq!(spoken(&read(&[name]).unwrap()), [["one", "two", "three"]], "{name}");
    }
}

#[test]
fn damaged_files_are_errors_wherever_they_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let text = random_text(&mut Random::new(9, 0), 200);
    for (packed, form) in [(gzip(&text), "gzip"), (zstd(&text), "zstd")] {
        for length in (4..packed.len()).step_by(7).chain([packed.len() - 1]) {
            let name = write(folder.path(), "cut", &packed[..length]);
            let error = read(&[&name]).unwrap_err();
            let message = error.to_string();
            assert!(matches!(error, Error::InvalidInput { .. }), "{message}");
            assert!(message.starts_with(&name) && message.contains(form), "{message}");
        }
    }
    let mut wrong = gzip(&text);
    let checksum = wrong.len() - 6;
    wrong[checksum] ^= 1;
    let error = read(&[&write(folder.path(), "wrong", &wrong)]).unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
    let garbage = [gzip(b"right"), b"and then garbage".to_vec()].concat();
    let error = read(&[&write(folder.path(), "garbage", &garbage)]).unwrap_err();
    assert!(error.to_string().contains("byte 5: the gzip data is damaged"), "{error}");
}

#[test]
fn carriage_returns_are_white_space_and_do_not_end_lines() {
    let corpus = read_text(b"a b\r\nc\rd\r\n\r\ne", &all_words()).unwrap();
    assert_eq!(spoken(&corpus), [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
    let options = Options { sentences: Sentences::Paragraph, ..all_words() };
    let corpus = read_text(b"a b\r\nc\r\n \t\r\nd", &options).unwrap();
    assert_eq!(spoken(&corpus), [vec!["a", "b", "c"], vec!["d"]]);
}

#[test]
fn a_byte_order_mark_is_dropped_at_the_start_of_each_file_only() {
    let folder = tempfile::tempdir().unwrap();
    let marked = "\u{FEFF}a \u{FEFF}a".as_bytes();
    let a = write(folder.path(), "a", marked);
    let b = write(folder.path(), "b", &gzip(marked));
    let corpus = read(&[&a, &b]).unwrap();
    assert_eq!(spoken(&corpus), [["a", "\u{FEFF}a"], ["a", "\u{FEFF}a"]]);
}

#[test]
fn the_first_bytes_that_are_not_utf8_are_named_by_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(11, 0);
    let bad: [&[u8]; 6] =
        [b"\xFF", b"\xC3", b"\xE2\x82", b"\xED\xA0\x80", b"\x80", b"\xF0\x9F\x98"];
    for round in 0..100 {
        let mut text = random_text(&mut random, 60);
        if round % 3 == 0 {
            text.splice(0..0, *b"\xEF\xBB\xBF");
        }
        for _ in 0..1 + random.below(3) {
            let at = random.below(text.len() as u32 + 1) as usize;
            text.splice(at..at, bad[random.below(6) as usize].iter().copied());
        }
        let expected = std::str::from_utf8(&text).unwrap_err().valid_up_to() as u64;
        let names = [write(folder.path(), "a", &text), write(folder.path(), "b", &gzip(&text))];
        for (name, block) in names.iter().flat_map(|name| [1, 10, 64, 1 << 19].map(|b| (name, b))) {
            let source = Source::Files(vec![name.clone()]);
            let run = Run::quiet(3, 1);
            let error = Corpus::read_in_blocks(source, &all_words(), cut(block), &run).unwrap_err();
            let Error::InvalidInput { source, offset, problem } = error else { panic!("{error}") };
            assert_eq!((source.as_str(), offset), (name.as_str(), Some(expected)), "{problem}");
        }
    }
}

#[test]
fn the_first_fault_of_several_files_is_the_one_reported() {
    let folder = tempfile::tempdir().unwrap();
    let good = "word ".repeat(40_000);
    let names: Vec<String> = (0..8)
        .map(|at| {
            let bad = [good.as_bytes(), b"\xFF"].concat();
            let bytes = if at < 3 { good.as_bytes() } else { &bad };
            write(folder.path(), &at.to_string(), bytes)
        })
        .collect();
    for _ in 0..20 {
        let run = Run::quiet(4, 1);
        let source = Source::Files(names.clone());
        let error = Corpus::read_in_blocks(source, &all_words(), cut(50_000), &run).unwrap_err();
        let message = error.to_string();
        let place = format!("{}, byte {}: not UTF-8 (ff)", names[3], good.len());
        assert!(message.starts_with(&place), "{message}");
    }
}

#[test]
fn invalid_bytes_are_replaced_or_their_words_left_out_at_any_block_size() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(12, 0);
    for tokenizer in [Tokenizer::Whitespace, Tokenizer::Words] {
        for _ in 0..40 {
            let mut text = random_text(&mut random, 60);
            for _ in 0..random.below(8) {
                let at = random.below(text.len() as u32) as usize;
                text[at] = 0x80 + random.below(128) as u8;
            }
            text.extend_from_slice(b" end");
            let replaced = String::from_utf8_lossy(&text).into_owned().into_bytes();
            let skipped =
                text.split_inclusive(|&byte| byte == 11 || byte.is_ascii_whitespace())
                    .map(|word| {
                        if std::str::from_utf8(word).is_ok() {
                            word
                        } else {
                            &word[word.len() - 1..]
                        }
                    })
                    .map(|word| if word[0] >= 0x80 && word.len() == 1 { b"" } else { word })
                    .collect::<Vec<_>>()
                    .concat();
            let name = write(folder.path(), "text", &text);
            for (invalid_utf8, clean) in
                [(InvalidUtf8::Replace, replaced), (InvalidUtf8::Skip, skipped)]
            {
                let options = Options { invalid_utf8, tokenizer, ..all_words() };
                let expected = oracle(&[clean], &options);
                for block in [1, 10, 64, 1 << 19] {
                    let source = Source::Files(vec![name.clone()]);
                    let run = Run::quiet(3, 1);
                    let corpus = Corpus::read_in_blocks(source, &options, cut(block), &run);
                    assert_eq!(said(&corpus.unwrap()), expected, "{invalid_utf8:?} {block}");
                }
            }
        }
    }
}

#[test]
#[cfg(unix)]
fn a_pipe_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let text = "one two three\n".repeat(100_000);
    let corpus = std::thread::scope(|scope| {
        scope.spawn(|| fs::write(&pipe, gzip(text.as_bytes())).unwrap());
        read(&[pipe.to_str().unwrap()]).unwrap()
    });
    assert_eq!(corpus.counts(), [100_000; 3]);
    assert_eq!(corpus.sentences(), 100_000);
}
