//! A corpus as one safetensors file: `ids` (U32), `counts` (U64), the vocabulary, and the rest as
//! JSON in `__metadata__.inlay`.

use std::path::Path;
use std::sync::Arc;

use inlay_base::{Error, Result, Run};
use inlay_formats::safetensors::{Dtype, Part, Reader, Writer, save};
use inlay_formats::{Array, Names};
use serde_json::{Value, json};

use crate::corpus::{Content, Corpus, Dropped};

/// What `__metadata__.inlay` calls the file.
const KIND: &str = "corpus";
const VERSION: u64 = 1;

/// Ids between two questions whether the run goes on.
const STEP: usize = 1 << 18;

impl Corpus {
    /// Writes a file that `open` reads; it appears whole or not at all. Phase "write" in bytes.
    pub fn save(&self, path: &Path, run: &Run) -> Result<()> {
        let content = &*self.0;
        run.phase("write", "bytes", 0, Some(size_of_val(self.ids()) as u64));
        let ids = |writer: &mut Writer| {
            for (at, ids) in self.ids().chunks(STEP).enumerate() {
                run.check()?;
                writer.write(bytemuck::cast_slice(ids))?;
                self.release(at * STEP..at * STEP + ids.len());
                run.advance(size_of_val(ids) as u64);
            }
            Ok(())
        };
        let counts = bytemuck::cast_slice(&content.counts);
        let mut parts = content.names.parts();
        parts.push(Part::bytes("counts", Dtype::U64, &[content.counts.len()], counts));
        parts.push(Part::streamed("ids", Dtype::U32, &[content.ids.len()], ids));
        let metadata = json!({
            "kind": KIND,
            "version": VERSION,
            "tokens": content.tokens,
            "sentences": content.sentences,
            "dropped": { "words": content.dropped.words, "tokens": content.dropped.tokens },
            // A JSON number would lose digits in most readers.
            "fingerprint": format!("{:016x}", content.fingerprint),
        });
        save(path, &[("inlay", &metadata.to_string())], parts)
    }

    /// Maps a file that `save` wrote, at once whatever its size.
    ///
    /// # Errors
    /// `NotFound`, or `InvalidInput` if it is no such file. The forms of everything are checked,
    /// and not each id: see `ids`.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let invalid = |problem: &str| Error::invalid_file(path, None, problem);
        let metadata = reader.metadata("inlay").unwrap_or("{}");
        let metadata: Value = serde_json::from_str(metadata)
            .map_err(|_| invalid("`__metadata__.inlay` is not JSON"))?;
        if metadata["kind"] != KIND {
            return Err(invalid("a safetensors file, but not a saved corpus"));
        }
        if metadata["version"] != VERSION {
            return Err(invalid(&format!("a corpus of version {}, not 1", metadata["version"])));
        }
        let number = |value: &Value| {
            value.as_u64().ok_or_else(|| invalid("`__metadata__.inlay` lacks a number"))
        };
        let fingerprint = metadata["fingerprint"].as_str();
        let fingerprint = fingerprint.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let fingerprint = fingerprint.ok_or_else(|| invalid("the fingerprint is missing"))?;
        let names = Names::read(&reader)?.ok_or_else(|| invalid("the vocabulary is missing"))?;
        let tensor = |name: &str, dtype| {
            let tensor = reader.tensor(name).filter(|tensor| tensor.dtype == dtype);
            let range = tensor.filter(|tensor| tensor.shape.len() == 1).map(|tensor| tensor.range);
            range.ok_or_else(|| invalid(&format!("`{name}` must be a list of {dtype:?}")))
        };
        let outside = || invalid("a tensor does not lie inside the file");
        let map = reader.map();
        let ids_range = tensor("ids", Dtype::U32)?;
        let ids_start = ids_range.start;
        let ids = Array::mapped(map, ids_range).ok_or_else(outside)?;
        let counts: Array<u64> =
            Array::mapped(map, tensor("counts", Dtype::U64)?).ok_or_else(outside)?;
        if counts.len() != names.len() {
            let problem = format!("{} words and {} counts", names.len(), counts.len());
            return Err(invalid(&problem));
        }
        let (tokens, sentences) = (number(&metadata["tokens"])?, number(&metadata["sentences"])?);
        if tokens.checked_add(sentences) != Some(ids.len() as u64) {
            let problem =
                format!("{tokens} words and {sentences} sentences, but {} ids and ends", ids.len());
            return Err(invalid(&problem));
        }
        let dropped = Dropped {
            words: number(&metadata["dropped"]["words"])?,
            tokens: number(&metadata["dropped"]["tokens"])?,
        };
        Ok(Self(Arc::new(Content {
            names: Arc::new(names),
            counts,
            ids,
            map: Arc::clone(map),
            ids_start,
            tokens,
            sentences,
            dropped,
            fingerprint,
        })))
    }
}
