use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{Error, Result};

/// A file that appears whole or not at all: written beside its target, flushed to the disk and
/// renamed over it by `commit`. Dropped before that, it leaves nothing; a process that is killed
/// leaves the old file, and its unfinished one goes with the next write to the same target. A link
/// stays one: what it points to is replaced.
pub struct AtomicFile {
    writer: Option<BufWriter<File>>,
    target: PathBuf,
    temporary: PathBuf,
}

impl AtomicFile {
    /// Opens the file beside `target`.
    pub fn create(target: &Path) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let linked = target.is_symlink().then(|| fs::canonicalize(target).ok()).flatten();
        let target = linked.as_deref().unwrap_or(target);
        let there = fs::metadata(target);
        if there.as_ref().is_ok_and(fs::Metadata::is_dir) {
            return Err(Error::invalid_file(target, None, "is a directory, not a file"));
        }
        if there.is_ok_and(|there| !there.is_file()) {
            let problem = "is no regular file, which could be replaced by another";
            return Err(Error::invalid_file(target, None, problem));
        }
        let name = target.file_name().ok_or_else(|| {
            Error::invalid_file(target, None, "does not name a file that could be written")
        })?;
        let mut unfinished = std::ffi::OsString::from(".");
        unfinished.push(name);
        remove_orphans(target, &unfinished);
        let (process, number) = (std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let random = RandomState::new().hash_one(number);
        unfinished.push(format!(".{process}-{number}-{random:016x}.tmp"));
        let temporary = target.with_file_name(unfinished);
        // Another process may have the same number where machines or containers share a folder.
        let file = File::options().write(true).create_new(true).open(&temporary);
        let file = file.map_err(|error| Error::io("write", target, &error))?;
        let writer = Some(BufWriter::with_capacity(1 << 18, file));
        Ok(Self { writer, target: target.into(), temporary })
    }

    /// The name that the file will have.
    pub fn path(&self) -> &Path {
        &self.target
    }

    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Self { writer, target, .. } = self;
        let writer = writer.as_mut().expect("open until it is committed");
        writer.write_all(bytes).map_err(|error| Error::io("write", target, &error))
    }

    /// Replaces bytes at the file's beginning, such as a header that counts what follows.
    pub fn rewrite_start(&mut self, bytes: &[u8]) -> Result<()> {
        let Self { writer, target, .. } = self;
        let writer = writer.as_mut().expect("open until it is committed");
        let mut rewrite = || {
            writer.seek(SeekFrom::Start(0))?;
            writer.write_all(bytes)?;
            writer.seek(SeekFrom::End(0))
        };
        rewrite().map(drop).map_err(|error| Error::io("write", target, &error))
    }

    /// Makes the file appear under its name.
    pub fn commit(mut self) -> Result<()> {
        let writer = self.writer.take().expect("committed once");
        let finish = || {
            let file = writer.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.sync_all()?;
            drop(file);
            fs::rename(&self.temporary, &self.target)
        };
        finish().map_err(|error| Error::io("write", &self.target, &error))
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        self.writer = None;
        let _ = fs::remove_file(&self.temporary); // after a commit there is nothing to remove
    }
}

/// Removes what killed processes left of the same target.
fn remove_orphans(target: &Path, unfinished: &std::ffi::OsStr) {
    if !cfg!(target_os = "linux") {
        return; // only there a process is a folder that can be asked for
    }
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let Ok(entries) = fs::read_dir(parent.unwrap_or(Path::new("."))) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name
            .to_str()
            .zip(unfinished.to_str())
            .and_then(|(name, unfinished)| name.strip_prefix(unfinished)?.strip_prefix('.'))
            .and_then(|rest| rest.strip_suffix(".tmp")?.split_once('-'))
            .and_then(|(process, _)| process.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            let _ = fs::remove_file(entry.path()); // another writer may have been first
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("vectors.bin");
        fs::write(&target, "old").unwrap();

        let mut dropped = AtomicFile::create(&target).unwrap();
        dropped.write(b"half").unwrap();
        drop(dropped);
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["vectors.bin"]);

        let mut kept = AtomicFile::create(&target).unwrap();
        kept.write(b"0000 rows").unwrap();
        kept.rewrite_start(b"0012").unwrap();
        kept.write(b" and more").unwrap();
        kept.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"0012 rows and more");
        assert_eq!(names(folder.path()), ["vectors.bin"]);
    }

    #[test]
    #[cfg(unix)]
    fn a_link_stays_one_and_what_is_no_file_stays_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let mut file = AtomicFile::create(&link).unwrap();
        file.write(b"new").unwrap();
        file.commit().unwrap();
        assert!(link.is_symlink() && fs::read(&target).unwrap() == b"new");
        let socket = folder.path().join("socket");
        let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let outcome = AtomicFile::create(&socket).err();
        assert!(matches!(outcome, Some(Error::InvalidInput { .. })), "{outcome:?}");
        assert_eq!(names(folder.path()), ["a", "b", "socket"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_a_killed_process_left_goes_with_the_next_write() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        let dead = folder.path().join(format!(".a.{}-0.tmp", u32::MAX));
        let alive = folder.path().join(format!(".a.{}-77.tmp", std::process::id()));
        fs::write(&dead, "").unwrap();
        fs::write(&alive, "").unwrap();
        AtomicFile::create(&target).unwrap().commit().unwrap();
        assert!(!dead.exists() && alive.exists());
    }

    #[test]
    fn a_folder_that_is_not_there_and_a_folder_as_target_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let missing = AtomicFile::create(&folder.path().join("no/file")).err();
        assert!(matches!(missing, Some(Error::NotFound { .. })));
        let directory = AtomicFile::create(folder.path()).err();
        assert!(matches!(directory, Some(Error::InvalidInput { .. })));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_its_own_error() {
        let full = Path::new("/dev/full");
        let mut file = BufWriter::with_capacity(1, File::create(full).unwrap());
        let error = file.write_all(b"more than a byte").unwrap_err();
        assert!(matches!(Error::io("write", full, &error), Error::DiskFull { .. }));
    }
}
