//! Networks that are loaded once for all threads of a process: worker threads serve from the same weights.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use inlay_base::{Error, Result};

use crate::network::Known;

/// What is loaded: a description and the like, and files as they were then.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    said: Vec<String>,
    files: Vec<(PathBuf, u64, Option<SystemTime>)>,
}

/// One place for each key: who comes while another loads waits for it.
type Place = Arc<Mutex<Weak<Known>>>;

static PLACES: Mutex<Option<HashMap<Key, Place>>> = Mutex::new(None);

/// What another thread has loaded from the same files, or what `load` gives. It goes when nobody holds it any more.
pub fn known(
    said: &[&str],
    paths: &[PathBuf],
    load: impl FnOnce() -> Result<Known>,
) -> Result<Arc<Known>> {
    let file = |path: &PathBuf| {
        let path = path.canonicalize().map_err(|error| Error::io("reading", path, &error))?;
        let found = path.metadata().map_err(|error| Error::io("reading", &path, &error))?;
        Ok((path, found.len(), found.modified().ok()))
    };
    let files = paths.iter().map(file).collect::<Result<Vec<_>>>()?;
    let key = Key { said: said.iter().map(|&said| said.into()).collect(), files };
    let place = {
        let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        let places = places.get_or_insert_default();
        // A place that somebody waits at is held more than once.
        let lives = |place: &Place| {
            Arc::strong_count(place) > 1
                || place.lock().unwrap_or_else(PoisonError::into_inner).strong_count() > 0
        };
        places.retain(|_, place| lives(place));
        Arc::clone(places.entry(key).or_default())
    };
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = place.upgrade() {
        return Ok(known);
    }
    let known = Arc::new(load()?);
    *place = Arc::downgrade(&known);
    Ok(known)
}
