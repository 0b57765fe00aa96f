//! Phrases as one safetensors file: the vocabulary (connector words, and whatever phrases are made of
//! or become), `phrases.parts` and `phrases.offsets` (which words), `phrases.joined` (what they
//! become), `phrases.scores`, `phrases.counts`; options, and how many phrases each pass has, as JSON.

use std::path::Path;

use bytemuck::Pod;
use inlay_base::{Error, Result};
use inlay_formats::Names;
use inlay_formats::safetensors::{Dtype, Kind, Part, Reader, save};
use serde::{Deserialize, Serialize};

use super::{Options, Parts, Phrase, Phrases};

const KIND: Kind = Kind { name: "phrases", what: "a file of phrases", version: 1 };

#[derive(Serialize, Deserialize)]
struct Header {
    options: Options,
    /// Phrases of each pass.
    passes: Vec<usize>,
}

impl Phrases {
    /// Writes a file that `open` reads; it appears whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        let inner = &*self.0;
        let passes = inner.passes.iter().map(Vec::len).collect();
        let (key, header) = KIND.entry(&Header { options: inner.options.clone(), passes })?;
        let (mut parts, mut offsets) = (Vec::new(), vec![0u64]);
        let (mut joined, mut scores, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for phrase in inner.passes.iter().flatten() {
            parts.extend_from_slice(&phrase.parts.parts);
            offsets.push(parts.len() as u64);
            joined.push(phrase.parts.joined);
            scores.push(phrase.score);
            counts.push(phrase.count);
        }
        let mut all = inner.names.parts();
        all.extend([
            list("phrases.offsets", Dtype::U64, &offsets),
            list("phrases.scores", Dtype::F64, &scores),
            list("phrases.counts", Dtype::U64, &counts),
            list("phrases.parts", Dtype::U32, &parts),
            list("phrases.joined", Dtype::U32, &joined),
        ]);
        save(path, &[(key, &header)], all)
    }

    /// Reads a file that `save` wrote.
    ///
    /// # Errors
    /// `NotFound`, or `InvalidInput` if it is no such file: whatever it says is checked.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let invalid = |problem: &str| Error::invalid_file(path, None, problem);
        let header: Header = KIND.read(&reader, path)?;
        let names = Names::read(&reader)?.ok_or_else(|| invalid("the vocabulary is missing"))?;
        let parts: Vec<u32> = numbers(&reader, path, "phrases.parts", Dtype::U32)?;
        let offsets: Vec<u64> = numbers(&reader, path, "phrases.offsets", Dtype::U64)?;
        let joined: Vec<u32> = numbers(&reader, path, "phrases.joined", Dtype::U32)?;
        let scores: Vec<f64> = numbers(&reader, path, "phrases.scores", Dtype::F64)?;
        let counts: Vec<u64> = numbers(&reader, path, "phrases.counts", Dtype::U64)?;
        let count = joined.len();
        let total = header.passes.iter().try_fold(0usize, |sum, &pass| sum.checked_add(pass));
        let fits = offsets.len() == count + 1
            && [scores.len(), counts.len()] == [count; 2]
            && total == Some(count)
            && offsets.is_sorted()
            && offsets[0] == 0
            && offsets[count] == parts.len() as u64;
        if !fits {
            return Err(invalid("its lists do not have the same number of phrases"));
        }
        let delimiter = header.options.delimiter.to_string();
        let connectors = &header.options.connector_words;
        let phrase = |at: usize| {
            let parts = &parts[offsets[at] as usize..offsets[at + 1] as usize];
            let known =
                parts.iter().chain([&joined[at]]).all(|&part| (part as usize) < names.len());
            if !known || parts.len() < 2 {
                return Err(invalid(&format!("phrase {at} is made of words that are not there")));
            }
            let text = |&part: &u32| names.get(part);
            let texts: Vec<_> = parts.iter().map(text).collect();
            // So a phrase is longer than its parts, and none is a part of itself.
            let right = texts.join(delimiter.as_bytes()) == names.get(joined[at])
                && texts[1..texts.len() - 1].iter().all(|between| {
                    connectors.iter().any(|connector| connector.as_bytes() == *between)
                });
            if !right {
                return Err(invalid(&format!("phrase {at} is not its words and what joins them")));
            }
            let parts = Parts { parts: parts.to_vec(), joined: joined[at] };
            Ok(Phrase { parts, score: scores[at], count: counts[at] })
        };
        let mut all = (0..count).map(phrase);
        let mut passes = Vec::with_capacity(header.passes.len());
        for &phrases in &header.passes {
            passes.push(all.by_ref().take(phrases).collect::<Result<Vec<_>>>()?);
        }
        Self::new(names, passes, header.options)
    }
}

fn list<'a, T: Pod>(name: &'a str, dtype: Dtype, values: &'a [T]) -> Part<'a> {
    Part::bytes(name, dtype, &[values.len()], bytemuck::cast_slice(values))
}

fn numbers<T: Pod>(reader: &Reader, path: &Path, name: &str, dtype: Dtype) -> Result<Vec<T>> {
    let tensor =
        reader.tensor(name).filter(|tensor| tensor.dtype == dtype && tensor.shape.len() == 1);
    let tensor = tensor.ok_or_else(|| {
        Error::invalid_file(path, None, format!("`{name}` must be a list of {dtype:?}"))
    })?;
    Ok(tensor.bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect())
}
