//! Weights as safetensors, under PyTorch's names and in its shapes: what a `state_dict` holds.

use std::collections::HashMap;
use std::path::Path;

use inlay_base::{Error, Result};
use inlay_formats::safetensors::{Dtype, Kind, Part, Reader, save};
use inlay_formats::{Array, Found, Tensors};

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
        let mut network = Self::blank(&about.description).map_err(problem)?;
        network.load(&[&reader], path, &Origins::default(), Precision::Full, Keep::Own)?;
        Ok(network)
    }

    /// Takes the parameters of files, whose names and shapes must be this network's, or what `origins` say of them.
    /// Numbers of batches, which nothing depends on, may be missing. It is then ready to encode, with as many bits as
    /// were asked for. With `Keep::Files` it may read in these as long as it lives.
    ///
    /// # Errors
    /// `InvalidInput`, with all tensors that are missing or of another shape.
    pub fn load(
        &mut self,
        files: &[&dyn Tensors],
        path: &Path,
        origins: &Origins,
        precision: Precision,
        keep: Keep,
    ) -> Result<()> {
        let mut problems = Vec::new();
        let mut found = Vec::new();
        for parameter in &self.parameters {
            let origin = origins.of(&parameter.name);
            match origin.read(files, &parameter.blueprint.shape) {
                Ok(values) => found.push(Some(values)),
                Err(_) if parameter.blueprint.counts() && !origin.is_there(files) => {
                    found.push(None);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(Error::invalid_file(path, None, problems.join("; ")));
        }
        let packed = self.packed()?;
        for ((parameter, parts), packed) in self.parameters.iter_mut().zip(found).zip(packed) {
            match (parts, keep) {
                (Some(parts), Keep::Own) => parameter.take(&parts),
                (Some(parts), Keep::Files) => parameter.take_in_place(parts, packed),
                (None, _) => parameter.set(&[0.0]),
            }
        }
        if precision == Precision::Bytes {
            self.turn_into_bytes()?;
        }
        self.prepare();
        Ok(())
    }
}

/// How exact weights are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// As they were learnt: 32 bits.
    #[default]
    Full,
    /// 8 bits, where layers can work with them.
    Bytes,
}

/// Where the weights of a network are that files have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// In memory of their own, whatever becomes of the files.
    Own,
    /// In the files where they can be read there, by all processes that do so: nobody may write to these meanwhile.
    Files,
}

/// Where in files parameters are, if not under their own names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origins {
    /// Before each name that has no origin of its own.
    #[serde(default)]
    pub prefix: String,
    /// By the parameters' own names.
    #[serde(default)]
    pub tensors: HashMap<String, Origin>,
}

/// Of which tensors a parameter is made.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Their rows, one tensor's after the other's.
    pub tensors: Vec<String>,
    /// Rows that are left out before the first.
    #[serde(default)]
    pub skip: usize,
    /// Only this row of them, without the axis of rows.
    #[serde(default)]
    pub row: Option<usize>,
    /// Whether the rows may be of another shape with as many values.
    #[serde(default)]
    pub reshaped: bool,
    /// In which of the files they are; in the first that has them, if it is not said.
    #[serde(default)]
    pub file: Option<usize>,
}

impl Origins {
    fn of(&self, parameter: &str) -> Origin {
        self.tensors.get(parameter).cloned().unwrap_or_else(|| Origin {
            tensors: vec![format!("{}{parameter}", self.prefix)],
            ..Origin::default()
        })
    }
}

impl Origin {
    fn is_there(&self, files: &[&dyn Tensors]) -> bool {
        self.tensors.iter().any(|name| tensor_of(self.among(files), name).is_some())
    }

    /// The files that its tensors may be in.
    fn among<'a, 'b>(&self, files: &'b [&'a dyn Tensors]) -> &'b [&'a dyn Tensors] {
        match self.file {
            Some(file) => files.get(file..=file).unwrap_or_default(),
            None => files,
        }
    }

    /// The values of a parameter of this shape, one part after the other, or what is wrong.
    fn read(
        &self,
        files: &[&dyn Tensors],
        wanted: &[usize],
    ) -> std::result::Result<Vec<Array<f32>>, String> {
        let named = |name: &str| {
            let tensor = tensor_of(self.among(files), name)
                .ok_or_else(|| format!("`{name}` {wanted:?} is missing"))?;
            let values = tensor
                .array()
                .ok_or_else(|| format!("`{name}` is of type {}", tensor.dtype.name()))?;
            Ok::<_, String>((tensor.shape, values))
        };
        if let Some(row) = self.row {
            let [name] = &self.tensors[..] else {
                return Err("a row can be of one tensor only".into());
            };
            let (shape, found) = named(name)?;
            let width = wanted.iter().product::<usize>();
            let rows = found.len() / width.max(1);
            return match Some(row).filter(|&row| row < rows && shape.get(1..) == Some(wanted)) {
                Some(row) => Ok(vec![found.part(row * width..(row + 1) * width)]),
                None => Err(format!("`{name}` is {shape:?} and has no row {row} of {wanted:?}")),
            };
        }
        let width = wanted.iter().skip(1).product::<usize>();
        let (mut parts, mut rows, mut skipped) = (Vec::new(), 0, self.skip.saturating_mul(width));
        let mut given = Vec::new();
        for name in &self.tensors {
            let (shape, found) = named(name)?;
            let same = shape.len() == wanted.len() && shape.get(1..) == wanted.get(1..);
            // Its last axes make a row, and those before them count rows.
            let row = |first: &usize| shape[*first..].iter().product::<usize>() == width;
            let first = if same { Some(1) } else { (0..=shape.len()).find(row) };
            let Some(first) = first.filter(|_| same || self.reshaped) else {
                return Err(format!("`{name}` is {shape:?} and should be {wanted:?}"));
            };
            rows += shape.iter().take(first).product::<usize>();
            given.push(format!("`{name}` is {shape:?}"));
            let here = skipped.min(found.len());
            skipped -= here;
            parts.push(if here == 0 { found } else { found.part(here..found.len()) });
        }
        if rows != self.skip + wanted.first().copied().unwrap_or(1) {
            let all =
                if self.skip > 0 { format!(" without {} rows", self.skip) } else { String::new() };
            return Err(format!("{}{all} and should be {wanted:?}", given.join(", ")));
        }
        Ok(parts)
    }
}

pub(crate) fn tensor_of<'a>(files: &[&'a dyn Tensors], name: &str) -> Option<Found<'a>> {
    files.iter().find_map(|file| file.tensor(name))
}
