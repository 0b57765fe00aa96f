//! Tags: what documents are called. A document has one or several, and several may share one.

use std::collections::HashMap;
use std::sync::Arc;

use inlay_base::{Error, Result, SharedMatrix, SharedRow};
use inlay_formats::Names;

use crate::company::Company;

/// The tags of the documents of a corpus, in its order.
pub struct Tags {
    names: Arc<Names>,
    lists: Lists,
}

enum Lists {
    /// The document's own number, which no other has.
    Numbers,
    /// Where each document's list begins in `ids`, and the end of the last.
    Given { starts: Vec<usize>, ids: Vec<u32> },
}

impl Tags {
    /// So many documents, each tagged by its number.
    pub fn numbered(documents: u64) -> Result<Self> {
        let documents = u32::try_from(documents).map_err(|_| too_many())?;
        let names = Arc::new(Names::new((0..documents).map(|number| number.to_string()))?);
        Ok(Self { names, lists: Lists::Numbers })
    }

    /// The tags, in the order in which they first come.
    pub fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// How many documents have tags.
    pub fn documents(&self) -> usize {
        match &self.lists {
            Lists::Numbers => self.names.len(),
            Lists::Given { starts, .. } => starts.len() - 1,
        }
    }

    /// In how many documents each tag is.
    pub fn counts(&self) -> Vec<u64> {
        match &self.lists {
            Lists::Numbers => vec![1; self.names.len()],
            Lists::Given { ids, .. } => {
                let mut counts = vec![0; self.names.len()];
                ids.iter().for_each(|&id| counts[id as usize] += 1);
                counts
            }
        }
    }

    /// How many tags every document has.
    ///
    /// # Errors
    /// `InvalidInput` if not all have as many.
    pub fn of_each(&self) -> Result<usize> {
        let Lists::Given { starts, .. } = &self.lists else { return Ok(1) };
        let mut lengths = starts.windows(2).map(|ends| ends[1] - ends[0]);
        let first = lengths.next().unwrap_or(1);
        match lengths.position(|length| length != first) {
            None => Ok(first),
            Some(other) => {
                let problem = format!(
                    "document {} has another number of tags than the first, which has {first}: \
                     `combine: 'concatenation'` takes the same number of each",
                    other + 1
                );
                Err(Error::InvalidInput { source: "tags".into(), offset: None, problem })
            }
        }
    }

    /// A number made of all names and lists.
    pub fn fingerprint(&self) -> u64 {
        // FNV-1a over numbers: names by their bytes, lists by their ends and ids.
        let add = |hash: u64, number: u64| (hash ^ number).wrapping_mul(0x0100_0000_01b3);
        let mut hash = add(0xcbf2_9ce4_8422_2325, self.names.len() as u64);
        if let Lists::Given { starts, ids } = &self.lists {
            hash = self.names.bytes().iter().fold(hash, |hash, &byte| add(hash, byte.into()));
            hash = self.names.offsets().iter().fold(hash, |hash, &offset| add(hash, offset));
            hash = starts.iter().fold(hash, |hash, &start| add(hash, start as u64));
            hash = ids.iter().fold(hash, |hash, &id| add(hash, id.into()));
        }
        hash
    }
}

/// Gathers tags document by document.
pub struct TagsBuilder {
    known: HashMap<Vec<u8>, u32>,
    bytes: Vec<u8>,
    offsets: Vec<u64>,
    starts: Vec<usize>,
    ids: Vec<u32>,
}

impl Default for TagsBuilder {
    fn default() -> Self {
        let (known, bytes) = (HashMap::new(), Vec::new());
        Self { known, bytes, offsets: vec![0], starts: vec![0], ids: Vec::new() }
    }
}

impl TagsBuilder {
    /// Adds a document. One without tags is called by its number; a tag twice is a tag once.
    pub fn add<'t>(&mut self, tags: impl IntoIterator<Item = &'t [u8]>) {
        let start = self.ids.len();
        for tag in tags {
            self.push(start, tag);
        }
        if self.ids.len() == start {
            let number = (self.starts.len() - 1).to_string();
            self.push(start, number.as_bytes());
        }
        self.starts.push(self.ids.len());
    }

    fn push(&mut self, start: usize, tag: &[u8]) {
        let id = self.known.get(tag).copied().unwrap_or_else(|| {
            let id = self.known.len() as u32;
            self.known.insert(tag.to_vec(), id);
            self.bytes.extend_from_slice(tag);
            self.offsets.push(self.bytes.len() as u64);
            id
        });
        if !self.ids[start..].contains(&id) {
            self.ids.push(id);
        }
    }

    /// Documents so far.
    pub fn documents(&self) -> usize {
        self.starts.len() - 1
    }

    /// All that was added.
    pub fn finish(self) -> Result<Tags> {
        if self.known.len() >= u32::MAX as usize {
            return Err(too_many());
        }
        let names = Arc::new(Names::from_parts(self.bytes, self.offsets)?);
        Ok(Tags { names, lists: Lists::Given { starts: self.starts, ids: self.ids } })
    }
}

fn too_many() -> Error {
    Error::Unsupported { what: "more than 4,294,967,295 tags in one model".into() }
}

/// Windows in which the tags of the document stand first.
pub struct Tagged<'a> {
    pub tags: &'a Tags,
    /// One for each tag.
    pub rows: &'a SharedMatrix,
    /// Whether the words around the centre stand there as well.
    pub words: bool,
    /// One row: what stands beyond the ends of a document, where every place has outputs of its own.
    pub beyond: Option<&'a SharedMatrix>,
}

impl Company for Tagged<'_> {
    #[inline(always)]
    fn has_words(&self) -> bool {
        self.words
    }

    #[inline(always)]
    fn join<'a>(&'a self, document: usize, window: &mut Vec<SharedRow<'a>>) {
        match &self.tags.lists {
            Lists::Numbers => window.push(self.rows.row(document as u32)),
            Lists::Given { starts, ids } => {
                let ids = &ids[starts[document]..starts[document + 1]];
                window.extend(ids.iter().map(|&id| self.rows.row(id)));
            }
        }
    }

    #[inline(always)]
    fn beyond(&self) -> Option<SharedRow<'_>> {
        self.beyond.map(|matrix| matrix.row(0))
    }

    fn rows(&self) -> Option<&SharedMatrix> {
        Some(self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(documents: &[&[&str]]) -> Tags {
        let mut builder = TagsBuilder::default();
        documents.iter().for_each(|tags| builder.add(tags.iter().map(|tag| tag.as_bytes())));
        builder.finish().unwrap()
    }

    #[test]
    fn tags_are_shared_and_a_document_without_tags_is_called_by_its_number() {
        let tags = built(&[&["a", "b", "a"], &[], &["b"], &["1"]]);
        let names: Vec<_> = tags.names().iter().map(String::from_utf8_lossy).collect();
        assert_eq!(names, ["a", "b", "1"]);
        assert_eq!(tags.counts(), [1, 2, 2]);
        assert_eq!(tags.documents(), 4);
    }

    #[test]
    fn concatenation_wants_the_same_number_of_tags_everywhere() {
        assert_eq!(built(&[&["a", "b"], &["c", "a"]]).of_each().unwrap(), 2);
        assert_eq!(Tags::numbered(7).unwrap().of_each().unwrap(), 1);
        let error = built(&[&["a", "b"], &["c", "a"], &["d"]]).of_each().unwrap_err();
        assert!(error.to_string().contains("document 2 has another number"), "{error}");
    }

    #[test]
    fn other_tags_have_another_fingerprint() {
        let all = [
            built(&[&["a", "b"], &["c"]]),
            built(&[&["a"], &["b", "c"]]),
            built(&[&["ab"], &["c"]]),
            built(&[&["a"], &["a"]]),
            Tags::numbered(2).unwrap(),
            Tags::numbered(3).unwrap(),
        ];
        let mut fingerprints: Vec<u64> = all.iter().map(Tags::fingerprint).collect();
        fingerprints.sort_unstable();
        fingerprints.dedup();
        assert_eq!(fingerprints.len(), all.len());
    }
}
