use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;

use inlay_base::{Error, Progress, Run};

use super::{all_words, gzip, write, zstd};
use crate::{Batch, Corpus, Options, Source, count};

/// A run that is stopped by its own progress, when `enough` says so.
fn stopping(threads: usize, enough: impl Fn(&Progress) -> bool + Send + Sync + 'static) -> Run {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let sink = move |progress: Progress| {
        if enough(&progress) {
            flag.store(true, Relaxed);
        }
    };
    Run::new(threads, 1, stop, Box::new(sink))
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn an_abort_stops_reading_of_any_kind_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let spool = tempfile::tempdir().unwrap();
    let options = Options { spool_directory: Some(spool.path().into()), ..all_words() };
    let text = "some words of a text ".repeat(100_000);
    let names = [
        write(folder.path(), "plain", text.as_bytes()),
        write(folder.path(), "gzip", &gzip(text.as_bytes())),
        write(folder.path(), "zstd", &zstd(text.as_bytes())),
    ];
    for name in names {
        for threads in [1, 3] {
            for phase in ["read", "write"] {
                let run = stopping(threads, move |progress| progress.phase == phase);
                let source = Source::Files(vec![name.clone()]);
                let outcome = Corpus::read(source, &options, &run).unwrap_err();
                assert_eq!(outcome, Error::Aborted, "{name}, {threads} threads, {phase}");
                assert!(is_empty(spool.path()));
            }
        }
    }
}

#[test]
fn an_abort_ends_the_wait_for_a_stream() {
    let stop = Arc::new(AtomicBool::new(false));
    let run = Run::new(3, 1, Arc::clone(&stop), Box::new(|_| ()));
    let (sender, receiver) = sync_channel(1);
    let outcome = thread::scope(|scope| {
        let reader =
            scope.spawn(|| Corpus::read(Source::Stream(receiver), &all_words(), &run).map(drop));
        let batch = || Batch::Integers { values: vec![1], sentence_ends: vec![1] };
        for _ in 0..5 {
            sender.send(batch()).unwrap();
        }
        stop.store(true, Relaxed);
        let outcome = reader.join().unwrap();
        assert!(sender.send(batch()).is_err(), "the reader is gone and the sender hears of it");
        outcome
    });
    assert_eq!(outcome, Err(Error::Aborted));
}

#[test]
#[cfg(unix)]
fn an_abort_ends_the_wait_for_a_pipe_that_nobody_writes_to_and_for_one_that_stays_open() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for write_first in [false, true] {
        let stop = Arc::new(AtomicBool::new(false));
        let run = Run::new(2, 1, Arc::clone(&stop), Box::new(|_| ()));
        let source = Source::Files(vec![pipe.to_str().unwrap().into()]);
        let outcome = thread::scope(|scope| {
            let reader = scope.spawn(|| Corpus::read(source, &all_words(), &run).map(drop));
            // Opening it waits for the reader, which waits for the writer.
            let mut writer = write_first.then(|| fs::File::create(&pipe).unwrap());
            if let Some(writer) = &mut writer {
                std::io::Write::write_all(writer, b"some words").unwrap();
            }
            stop.store(true, Relaxed);
            reader.join().unwrap()
        });
        assert_eq!(outcome, Err(Error::Aborted));
    }
}

#[test]
fn an_abort_ends_a_word_and_white_space_without_end() {
    let folder = tempfile::tempdir().unwrap();
    for byte in [b'x', b' ', b'\n'] {
        // 400 MB in 2 MB or less: a run that is stopped at the first sign does not unpack it all.
        let part = gzip(&vec![byte; 4 << 20]);
        let name = write(folder.path(), "bomb", &part.repeat(100));
        let run = stopping(2, |progress| progress.done > 0);
        let outcome = Corpus::read(Source::Files(vec![name]), &all_words(), &run).unwrap_err();
        assert_eq!(outcome, Error::Aborted);
    }
}

#[test]
fn progress_ends_at_the_bytes_of_the_files_and_at_the_words() {
    let folder = tempfile::tempdir().unwrap();
    let text = "one two three four\n".repeat(200_000);
    let packed = gzip(text.as_bytes());
    let names = vec![
        write(folder.path(), "plain", text.as_bytes()),
        write(folder.path(), "packed", &packed),
    ];
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&events);
    let sink = Box::new(move |progress| heard.lock().unwrap().push(progress));
    let run = Run::new(2, 1, Arc::default(), sink);
    Corpus::read(Source::Files(names), &all_words(), &run).unwrap();
    run.finish();
    let events: Vec<Progress> = events.lock().unwrap().clone();
    let last = |phase| *events.iter().rfind(|event| event.phase == phase).unwrap();
    let bytes = (text.len() + packed.len()) as u64;
    assert_eq!((last("read").done, last("read").total), (bytes, Some(bytes)));
    assert_eq!((last("write").done, last("write").total), (1_600_000, Some(1_600_000)));
    assert!(events.is_sorted_by(|a, b| a.phase != b.phase || a.done <= b.done));
}

#[test]
fn a_spool_directory_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let name = write(folder.path(), "text", b"a b c");
    let missing = folder.path().join("missing");
    let options = Options { spool_directory: Some(missing.clone()), ..all_words() };
    let run = Run::quiet(2, 1);
    let error = Corpus::read(Source::Files(vec![name.clone()]), &options, &run).unwrap_err();
    assert!(error.to_string().contains(missing.to_str().unwrap()), "{error}");
    count(Source::Files(vec![name]), &options, &run).unwrap(); // which writes nothing
}

#[test]
#[cfg(unix)]
fn a_file_that_may_not_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let name = write(folder.path(), "secret", b"a b c");
    fs::set_permissions(&name, fs::Permissions::from_mode(0o0)).unwrap();
    if fs::File::open(&name).is_ok() {
        say("skipped: this user may read every file");
        return;
    }
    let source = Source::Files(vec![name.clone()]);
    let error = Corpus::read(source, &all_words(), &Run::quiet(1, 1)).unwrap_err();
    assert!(error.to_string().contains(&name), "{error}");
}

/// A file system of a few hundred kilobytes; unmounted when dropped.
#[cfg(target_os = "linux")]
struct SmallDisk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn mount(size: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_one_error_and_nothing_stays() {
    let folder = tempfile::tempdir().unwrap();
    let text = "a b c d e f g h\n".repeat(20_000); // 720 kB of ids, twice
    let name = write(folder.path(), "text", text.as_bytes());
    // Too small for the first file; for the second; for neither.
    for (size, fits) in [(200 << 10, false), (1000 << 10, false), (2000 << 10, true)] {
        let Some(disk) = SmallDisk::mount(size) else {
            say("skipped: no small file system could be mounted (root only)");
            return;
        };
        let path = disk.0.path();
        let options = Options { spool_directory: Some(path.into()), ..all_words() };
        let source = Source::Files(vec![name.clone()]);
        let outcome = Corpus::read(source, &options, &Run::quiet(2, 1));
        match outcome {
            Ok(corpus) => assert!(fits && corpus.tokens() == 160_000),
            Err(error) => {
                assert_eq!(error, Error::DiskFull { path: path.into() });
                assert!(!fits, "{size} bytes should do");
            }
        }
        assert!(is_empty(path));
        fs::write(path.join("again"), vec![1; 150 << 10]).expect("the room is free again");
    }
}

#[allow(clippy::print_stderr)]
fn say(message: &str) {
    eprintln!("{message}");
}
