//! Weights as safetensors, under PyTorch's names and in its shapes: what a `state_dict` holds.

use std::path::Path;

use half::{bf16, f16};
use inlay_base::{Error, Result};
use inlay_formats::safetensors::{Dtype, Kind, Part, Reader, Tensor, save};

use serde::{Deserialize, Serialize};

use crate::network::Network;
use crate::parameter::Parameter;

const KIND: Kind = Kind { name: "network", what: "a network", version: 1 };

/// What a file says of itself.
#[derive(Serialize, Deserialize)]
struct About {
    description: String,
}

/// What a network's file says of itself.
pub(crate) fn entry(description: &str) -> Result<(&'static str, String)> {
    KIND.entry(&About { description: description.into() })
}

impl Network {
    /// Writes the description and all parameters, these under PyTorch's names and in its shapes.
    ///
    /// # Errors
    /// `DiskFull`, `Io`.
    pub fn save(&self, path: &Path) -> Result<()> {
        let (key, about) = entry(self.description())?;
        let values: Vec<Vec<f32>> = self.parameters.iter().map(Parameter::get).collect();
        let counts: Vec<i64> =
            values.iter().map(|values| values.first().map_or(0, |&n| n as i64)).collect();
        let both = values.iter().zip(&counts);
        let parts = self.parameters.iter().zip(both).map(|(parameter, (values, count))| {
            let (dtype, bytes) = match parameter.blueprint.counts() {
                true => (Dtype::I64, bytemuck::bytes_of(count)),
                false => (Dtype::F32, bytemuck::cast_slice(values)),
            };
            Part::bytes(&parameter.name, dtype, &parameter.blueprint.shape, bytes)
        });
        save(path, &[(key, &about)], parts.collect())
    }

    /// Opens what `save` wrote.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` for what is no network, or a damaged one.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let about: About = KIND.read(&reader, path)?;
        let problem = |error: Error| Error::invalid_file(path, None, error.to_string());
        let mut network = Self::new(&about.description, 0).map_err(problem)?;
        network.load(&reader, path, "")?;
        Ok(network)
    }

    /// Takes the parameters of a file, whose names and shapes must be this network's; `prefix` stands
    /// before each name in the file. Numbers of batches, which nothing depends on, may be missing.
    ///
    /// # Errors
    /// `InvalidInput`, with all tensors that are missing or of another shape.
    pub fn load(&mut self, reader: &Reader, path: &Path, prefix: &str) -> Result<()> {
        let mut problems = Vec::new();
        let mut found = Vec::new();
        for parameter in &self.parameters {
            let name = format!("{prefix}{}", parameter.name);
            let wanted = &parameter.blueprint.shape;
            match reader.tensor(&name) {
                None if parameter.blueprint.counts() => found.push(None),
                None => problems.push(format!("`{name}` {wanted:?} is missing")),
                Some(tensor) if tensor.shape != *wanted => {
                    problems
                        .push(format!("`{name}` is {:?} and should be {wanted:?}", tensor.shape));
                }
                Some(tensor) => match floats(&tensor) {
                    Some(values) => found.push(Some(values)),
                    None => problems.push(format!("`{name}` is of type {}", tensor.dtype.name())),
                },
            }
        }
        if !problems.is_empty() {
            return Err(Error::invalid_file(path, None, problems.join("; ")));
        }
        for (parameter, values) in self.parameters.iter_mut().zip(found) {
            if let Some(values) = values {
                parameter.set(&values);
            }
        }
        self.prepare();
        Ok(())
    }
}

/// The values of a tensor as f32.
fn floats(tensor: &Tensor<'_>) -> Option<Vec<f32>> {
    let bytes = tensor.bytes;
    let each =
        |size: usize, read: fn(&[u8]) -> f32| Some(bytes.chunks_exact(size).map(read).collect());
    match tensor.dtype {
        Dtype::F32 => each(4, bytemuck::pod_read_unaligned::<f32>),
        Dtype::F64 => each(8, |bytes| bytemuck::pod_read_unaligned::<f64>(bytes) as f32),
        Dtype::I64 => each(8, |bytes| bytemuck::pod_read_unaligned::<i64>(bytes) as f32),
        Dtype::F16 => each(2, |bytes| bytemuck::pod_read_unaligned::<f16>(bytes).to_f32()),
        Dtype::BF16 => each(2, |bytes| bytemuck::pod_read_unaligned::<bf16>(bytes).to_f32()),
        _ => None,
    }
}
