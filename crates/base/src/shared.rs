use std::collections::HashMap;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use crate::{Error, Result};

/// What is made of files once for all threads of a process, and goes when nobody holds it any more.
pub struct Shared<T>(Mutex<Option<HashMap<Key, Place<T>>>>);

/// What is made: what was said of it, and the files as they were then.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    said: Vec<String>,
    files: Vec<(PathBuf, u64, Option<SystemTime>)>,
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
        let files = paths.iter().map(|path| state(path)).collect::<Result<Vec<_>>>()?;
        let key = Key { said: said.iter().map(|&said| said.into()).collect(), files };
        let place = {
            let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let places = places.get_or_insert_default();
            // A place that somebody waits at, or works at, is held more than once.
            let lives = |place: &Place<T>| {
                Arc::strong_count(place) > 1
                    || place.lock().unwrap_or_else(PoisonError::into_inner).strong_count() > 0
            };
            places.retain(|_, place| lives(place));
            Arc::clone(places.entry(key).or_default())
        };
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = place.upgrade() {
            return Ok(made);
        }
        let made = Arc::new(make()?);
        *place = Arc::downgrade(&made);
        Ok(made)
    }
}

fn state(path: &Path) -> Result<(PathBuf, u64, Option<SystemTime>)> {
    let path = path.canonicalize().map_err(|error| Error::io("reading", path, &error))?;
    let found = path.metadata().map_err(|error| Error::io("reading", &path, &error))?;
    Ok((path, found.len(), found.modified().ok()))
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
}
