//! The form since PyTorch 1.6: a zip archive whose files are stored as they are, `NAME/data.pkl` and
//! `NAME/data/KEY` for each storage.

use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::ops::Range;

use inlay_base::{Error, Map, Result};
use zip::{CompressionMethod, ZipArchive};

use super::storages::Storages;

/// Where the pickle of an archive lies, and its storages by what their names have behind `data/`.
pub fn parts(map: &Map) -> Result<(Range<usize>, Storages)> {
    let invalid = |problem: String| Error::invalid_file(map.path(), None, problem);
    let mut zip = ZipArchive::new(Cursor::new(&map[..]))
        .map_err(|error| invalid(format!("is no zip archive of PyTorch's: {error}")))?;
    let (mut pickle, mut storages) = (None, HashMap::new());
    for number in 0..zip.len() {
        let mut file =
            zip.by_index_raw(number).map_err(|error| invalid(format!("is damaged: {error}")))?;
        let name =
            file.name().map_err(|error| invalid(format!("is damaged: {error}")))?.into_owned();
        let Some((_, name)) = name.split_once('/') else { continue };
        let is_order = name == "byteorder";
        let key = name.strip_prefix("data/");
        if name != "data.pkl" && !is_order && key.is_none() {
            continue;
        }
        if file.compression() != CompressionMethod::Stored {
            return Err(invalid(format!("`{name}` is compressed, which PyTorch's never are")));
        }
        if is_order {
            let mut order = String::new();
            let read = file.by_ref().take(8).read_to_string(&mut order);
            if read.is_err() || order.trim() != "little" {
                let what = format!("{}: written by a big-endian machine", map.path().display());
                return Err(Error::Unsupported { what });
            }
            continue;
        }
        let start = file.data_start().and_then(|start| usize::try_from(start).ok());
        let range = start
            .and_then(|start| Some(start..start.checked_add(usize::try_from(file.size()).ok()?)?));
        let range = range.filter(|range| range.end <= map.len());
        let range = range.ok_or_else(|| invalid(format!("`{name}` lies outside of it")))?;
        match key {
            Some(key) => _ = storages.insert(key.to_owned(), range),
            None => pickle = Some(range),
        }
    }
    let pickle =
        pickle.ok_or_else(|| invalid("has no `data.pkl`: it is no file of PyTorch's".into()))?;
    Ok((pickle, Storages(storages)))
}
