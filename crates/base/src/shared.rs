use std::collections::HashMap;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use crate::{Error, Result, lock};

/// What is made of files once for all threads of a process, and goes when nobody holds it any more.
pub struct Shared<T>(Mutex<Option<HashMap<Key, Place<T>>>>);

/// What is made: what was said of it, and the files as they were then.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    said: Vec<String>,
    files: Vec<State>,
}

/// A file as it is: it is another one when something has been written to it or put in its place.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    path: PathBuf,
    length: u64,
    #[cfg(unix)]
    node: Node,
    #[cfg(not(unix))]
    times: [Option<std::time::SystemTime>; 2],
}

/// What a system that has inodes knows of a file. The time of the last change, in nanoseconds, is the system's own: who
/// writes as many bytes as before and gives the file its old time of modification changes it.
#[cfg(unix)]
#[derive(Clone, PartialEq, Eq, Hash)]
struct Node {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// One place for each key: who comes while another makes it waits for it.
type Place<T> = Arc<Mutex<Weak<T>>>;

impl<T> Shared<T> {
    /// Nothing yet.
    #[allow(clippy::new_without_default)] // a constant, for statics
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// What another thread has made of the same files, by the same that was said, or what `make` gives.
    ///
    /// # Errors
    /// `NotFound`, `Io` for a file; those of `make`.
    pub fn get(
        &self,
        said: &[&str],
        paths: &[PathBuf],
        make: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        let states = || paths.iter().map(|path| State::of(path)).collect::<Result<Vec<_>>>();
        let files = states()?;
        let key = Key { said: said.iter().map(|&said| said.into()).collect(), files };
        let place = {
            let mut places = lock(&self.0);
            let places = places.get_or_insert_default();
            // A place that somebody waits at, or works at, is held more than once.
            let lives =
                |place: &Place<T>| Arc::strong_count(place) > 1 || lock(place).strong_count() > 0;
            places.retain(|_, place| lives(place));
            Arc::clone(places.entry(key.clone()).or_default())
        };
        let mut place = lock(&place);
        if let Some(made) = place.upgrade() {
            return Ok(made);
        }
        let made = Arc::new(make()?);
        // What was made of files that were replaced meanwhile is its caller's alone.
        if states().is_ok_and(|files| files == key.files) {
            *place = Arc::downgrade(&made);
        }
        Ok(made)
    }
}

impl State {
    fn of(path: &Path) -> Result<Self> {
        let path = path.canonicalize().map_err(|error| Error::io("reading", path, &error))?;
        let found = path.metadata().map_err(|error| Error::io("reading", &path, &error))?;
        Ok(Self {
            path,
            length: found.len(),
            #[cfg(unix)]
            node: Node::of(&found),
            #[cfg(not(unix))]
            times: [found.modified().ok(), found.created().ok()],
        })
    }
}

#[cfg(unix)]
impl Node {
    fn of(found: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            device: found.dev(),
            inode: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[test]
    fn it_is_made_once_for_the_same_files_and_again_when_they_change_or_nobody_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "one").unwrap();
        let paths = [path.clone()];
        let (shared, times) = (Shared::new(), AtomicUsize::new(0));
        let get = |said: &str| {
            let make = || {
                std::thread::sleep(std::time::Duration::from_millis(20));
                Ok(times.fetch_add(1, Relaxed))
            };
            shared.get(&[said], &paths, make).unwrap()
        };
        let all = std::thread::scope(|scope| {
            let threads = [0; 8].map(|_| scope.spawn(|| get("a")));
            threads.map(|thread| thread.join().unwrap())
        });
        assert!(all.iter().all(|other| Arc::ptr_eq(other, &all[0])));
        assert_eq!(times.load(Relaxed), 1);
        assert!(!Arc::ptr_eq(&get("b"), &all[0]), "something else was said");
        std::fs::write(&path, "longer").unwrap();
        let changed = get("a");
        assert!(!Arc::ptr_eq(&changed, &all[0]), "the file is another");
        drop(changed);
        let before = times.load(Relaxed);
        assert_eq!(*get("a"), before, "nobody held it");
        assert!(shared.get(&["a"], &[folder.path().join("none")], || Ok(0)).is_err());
        assert!(shared.get(&["c"], &paths, || Err(Error::Aborted)).is_err());
        assert_eq!(*shared.get(&["c"], &paths, || Ok(77)).unwrap(), 77, "a failure is forgotten");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_of_the_same_length_and_times_in_its_place_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let [path, next] = ["file", "next"].map(|name| folder.path().join(name));
        let modified = std::time::SystemTime::UNIX_EPOCH;
        let write = |path: &Path, text: &str| {
            std::fs::write(path, text).unwrap();
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.set_modified(modified).unwrap();
        };
        let shared = Shared::new();
        let get = || {
            let make = || Ok(std::fs::read_to_string(&path).unwrap());
            shared.get(&[], std::slice::from_ref(&path), make).unwrap()
        };
        write(&path, "one");
        let one = get();
        assert!(Arc::ptr_eq(&one, &get()));
        write(&next, "two");
        std::fs::rename(&next, &path).unwrap();
        let two = get();
        assert_eq!([&one[..], &two[..]], ["one", "two"]);
        // Clocks of file systems have ticks.
        std::thread::sleep(std::time::Duration::from_millis(20));
        write(&path, "six");
        assert_eq!(*get(), "six");
        assert_eq!([&one[..], &two[..]], ["one", "two"]);
    }

    #[test]
    fn what_is_made_of_a_file_that_is_replaced_meanwhile_is_not_shared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "old").unwrap();
        let shared = Shared::new();
        let get = |make: &dyn Fn() -> String| {
            shared.get(&[], std::slice::from_ref(&path), || Ok(make())).unwrap()
        };
        let aside = folder.path().join("aside");
        let mixed = get(&|| {
            std::fs::rename(&path, &aside).unwrap();
            std::fs::write(&path, "newer").unwrap();
            "newer".into()
        });
        std::fs::rename(&aside, &path).unwrap();
        assert_eq!(*get(&|| "old".into()), "old");
        assert_eq!(*mixed, "newer");
    }
}
