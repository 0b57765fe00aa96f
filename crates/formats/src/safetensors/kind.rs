use std::path::Path;

use inlay_base::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Reader;

/// Where a file of ours says what it is.
const KEY: &str = "inlay";

/// A kind of file: what it says of itself, as JSON in the header's `__metadata__`, beside its tensors.
pub struct Kind {
    /// Its name in the file.
    pub name: &'static str,
    /// What it is, with its article.
    pub what: &'static str,
    /// The version that is written, and the only one that is read.
    pub version: u32,
}

#[derive(Serialize, Deserialize)]
struct Label<N> {
    kind: N,
    version: u32,
}

#[derive(Serialize)]
struct Labelled<'a, T> {
    #[serde(flatten)]
    label: Label<&'a str>,
    #[serde(flatten)]
    about: &'a T,
}

impl Kind {
    /// What a file of this kind says: an entry for `save`.
    pub fn entry(&self, about: &impl Serialize) -> Result<(&'static str, String)> {
        let label = Label { kind: self.name, version: self.version };
        let text = serde_json::to_string(&Labelled { label, about })
            .map_err(|error| Error::Internal(format!("a header that is no JSON: {error}")))?;
        Ok((KEY, text))
    }

    /// What a file says, which must be of this kind.
    ///
    /// # Errors
    /// `InvalidInput` if it is of another kind or version, or says something else.
    pub fn read<T: DeserializeOwned>(&self, reader: &Reader, path: &Path) -> Result<T> {
        let no_such = || Error::invalid_file(path, None, format!("is not {}", self.what));
        let text = reader.metadata(KEY).ok_or_else(no_such)?;
        let label: Label<String> = serde_json::from_str(text).map_err(|_| no_such())?;
        if label.kind != self.name {
            return Err(no_such());
        }
        if label.version != self.version {
            let Self { what, version, .. } = self;
            let problem = format!("{what} of version {}, not {version}", label.version);
            return Err(Error::invalid_file(path, None, problem));
        }
        serde_json::from_str(text).map_err(|error| {
            let problem = format!("what {} says of itself is damaged: {error}", self.what);
            Error::invalid_file(path, None, problem)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Part, save};
    use super::*;

    const LETTERS: Kind = Kind { name: "letters", what: "a file of letters", version: 2 };

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct About {
        letters: Vec<char>,
        rate: f64,
    }

    #[test]
    fn a_file_says_what_was_said_and_other_kinds_and_versions_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letters.safetensors");
        let about = About { letters: vec!['a', 'ß'], rate: 0.1 };
        let read = |entry: (&str, &str)| -> Result<About> {
            save(&path, &[entry], Vec::<Part<'_>>::new())?;
            LETTERS.read(&Reader::open(&path)?, &path)
        };
        let (key, text) = LETTERS.entry(&about).unwrap();
        assert_eq!(read((key, &text)).unwrap(), about);
        for (entry, problem) in [
            (("other", text.clone()), "is not a file of letters"),
            ((key, "[]".into()), "is not a file of letters"),
            ((key, text.replace("letters\",", "words\",")), "is not a file of letters"),
            ((key, text.replace(":2", ":3")), "a file of letters of version 3, not 2"),
            ((key, text.replace("rate", "rat")), "says of itself is damaged"),
        ] {
            let error = read((entry.0, &entry.1)).unwrap_err().to_string();
            assert!(error.contains(problem), "{} gives {error}", entry.1);
        }
    }
}
