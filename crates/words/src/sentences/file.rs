//! An encoder as one safetensors file: its word vectors as any file of them, `weights` and
//! `component` (F32) where it has them, and the rest as JSON.

use std::path::Path;
use std::sync::Arc;

use inlay_base::{Error, Result, Run};
use inlay_formats::safetensors::{Dtype, Kind, Part, Reader, save};
use inlay_vectors::{OpenOptions, WordVectors};
use serde::{Deserialize, Serialize};

use super::{MeanEncoder, Options};

const KIND: Kind = Kind { name: "mean-encoder", what: "a MeanEncoder", version: 1 };

#[derive(Serialize, Deserialize)]
struct Header {
    options: Options,
    other_weight: f32,
}

impl MeanEncoder {
    /// Writes a file that `open` reads, and `WordVectors::open` as well.
    ///
    /// # Errors
    /// `Unsupported` if its source is more than word vectors; `DiskFull`, `Io`, `Aborted`.
    pub fn save(&self, path: &Path, run: &Run) -> Result<()> {
        let Some(vectors) = self.source.vectors() else {
            let what = "an encoder over vectors of subwords has no file: save their model".into();
            return Err(Error::Unsupported { what });
        };
        let (key, header) =
            KIND.entry(&Header { options: self.options.clone(), other_weight: self.other_weight })?;
        let mut parts = vectors.names().parts();
        parts.extend(vectors.parts(run));
        if let Some(counts) = vectors.counts() {
            let bytes = bytemuck::cast_slice(counts);
            parts.push(Part::bytes("counts", Dtype::U64, &[counts.len()], bytes));
        }
        if !self.weights.is_empty() {
            let bytes = bytemuck::cast_slice(&self.weights);
            parts.push(Part::bytes("weights", Dtype::F32, &[self.weights.len()], bytes));
        }
        if let Some(component) = &self.component {
            let bytes = bytemuck::cast_slice(component);
            parts.push(Part::bytes("component", Dtype::F32, &[component.len()], bytes));
        }
        save(path, &[(key, &header)], parts)
    }

    /// Opens a file that `save` wrote; the vectors are mapped.
    ///
    /// # Errors
    /// `NotFound`, `InvalidInput` if it is no such file.
    pub fn open(path: &Path, run: &Run) -> Result<Self> {
        let reader = Reader::open(path)?;
        let invalid = |problem: &str| Error::invalid_file(path, None, problem);
        let Header { options, other_weight } = KIND.read(&reader, path)?;
        let vectors = WordVectors::open(path, &OpenOptions::default(), run)?;
        let list = |name: &str, length: usize| -> Result<Option<Vec<f32>>> {
            let Some(tensor) = reader.tensor(name) else { return Ok(None) };
            let values = tensor.bytes.chunks_exact(4).map(bytemuck::pod_read_unaligned::<f32>);
            let values: Vec<f32> = values.collect();
            let right = tensor.dtype == Dtype::F32 && tensor.shape == [length];
            if !right || values.iter().any(|value| !value.is_finite()) {
                return Err(invalid(&format!("`{name}` is not {length} finite F32")));
            }
            Ok(Some(values))
        };
        let weights = list("weights", vectors.len())?.unwrap_or_default();
        let component = list("component", vectors.dimensions())?;
        if weights.is_empty() != (options.weights == super::Weighting::Equal) {
            return Err(invalid("its weights are not those that its options name"));
        }
        Ok(Self { source: Arc::new(vectors), options, weights, other_weight, component })
    }
}
