//! Weights as another program named them: the way back of `load`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use inlay_base::{Error, Result};
use inlay_formats::safetensors::{Dtype, Part, save};
use inlay_formats::{Found, Tensors};

use crate::network::Network;
use crate::weights::{Origin, Origins, tensor_of};

/// What transformers asks of a file before it reads it.
const FORMAT: (&str, &str) = ("format", "pt");

impl Network {
    /// Writes the tensors of `files` to one safetensors file: those of which parameters are made (`origins`) with what
    /// these are now, as float32, and all others as they were. `load` makes the same parameters of it, bit for bit.
    ///
    /// # Errors
    /// `InvalidInput` if the files (`path`) lack a tensor, or have one of another shape; `DiskFull`, `Io`.
    pub fn export(
        &self,
        files: &[&dyn Tensors],
        path: &Path,
        origins: &Origins,
        to: &Path,
    ) -> Result<()> {
        let mut known = BTreeMap::new();
        for parameter in &self.parameters {
            if let Some(origin) = origins.tensors.get(&parameter.name) {
                let width = parameter.blueprint.shape.iter().skip(1).product();
                origin
                    .give(files, width, parameter.get(), &mut known)
                    .map_err(|problem| Error::invalid_file(path, None, problem))?;
            }
        }
        let names: BTreeSet<&str> =
            files.iter().flat_map(|file| file.shapes()).map(|(name, _)| name).collect();
        let all: Vec<(&str, Found<'_>)> =
            names.into_iter().filter_map(|name| Some((name, tensor_of(files, name)?))).collect();
        let parts = all.iter().map(|(name, found)| match known.get(*name) {
            Some(values) => {
                Part::bytes(name, Dtype::F32, &found.shape, bytemuck::cast_slice(values))
            }
            None => Part::bytes(name, found.dtype, &found.shape, &found.bytes),
        });
        save(to, &[FORMAT], parts.collect())
    }
}

impl Origin {
    /// Puts the rows of a parameter where they came from.
    fn give(
        &self,
        files: &[&dyn Tensors],
        width: usize,
        values: Vec<f32>,
        known: &mut BTreeMap<String, Vec<f32>>,
    ) -> std::result::Result<(), String> {
        let read = |name: &str| {
            let found = tensor_of(files, name).ok_or_else(|| format!("`{name}` is missing"))?;
            found.floats().ok_or_else(|| format!("`{name}` is of type {}", found.dtype.name()))
        };
        let mut rest = values.iter();
        for (number, name) in self.tensors.iter().enumerate() {
            let mut tensor = match known.remove(name) {
                Some(tensor) => tensor,
                None => read(name)?,
            };
            let places = match self.row {
                Some(row) => row * values.len()..(row + 1) * values.len(),
                None if number == 0 => self.skip * width..tensor.len(),
                None => 0..tensor.len(),
            };
            let places = tensor.get_mut(places).ok_or_else(|| format!("`{name}` is too short"))?;
            for place in places {
                *place = *rest.next().ok_or_else(|| format!("`{name}` is too long"))?;
            }
            known.insert(name.clone(), tensor);
        }
        if rest.next().is_some() {
            return Err(format!("`{}` are too short", self.tensors.join("`, `")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use inlay_formats::safetensors::{Dtype, Part, Reader, save};
    use inlay_formats::{Tensors, open};
    use serde_json::json;

    use super::Network;
    use crate::weights::{Keep, Origins, Precision};

    #[test]
    fn what_was_loaded_under_other_names_goes_back_there() {
        let layers = json!([
            {"kind": "positions", "name": "places", "code": "learned", "length": 3},
            {"kind": "shift", "name": "types"},
            {"kind": "self-attention", "name": "look", "heads": 1, "bias": false},
        ]);
        let inputs = json!([{"content": "values", "width": 2}]);
        let description = json!({"inputs": inputs, "layers": layers}).to_string();
        let origins: Origins = serde_json::from_value(json!({"tensors": {
            "places.weight": {"tensors": ["p"], "skip": 1},
            "types.bias": {"tensors": ["t"], "row": 1},
            "look.in_proj_weight": {"tensors": ["q", "k", "v"]},
            "look.out_proj.weight": {"tensors": ["o"]},
        }}))
        .expect("origins");
        let folder = tempfile::tempdir().expect("a folder");
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        let sizes = [("p", 4), ("t", 2), ("q", 2), ("k", 2), ("v", 2), ("o", 2), ("pooler", 3)];
        let tensors = sizes.map(|(name, rows)| {
            let values = (0..rows * 2).map(|i| (i as f32 + name.len() as f32) / 7.0);
            (name, rows, values.collect::<Vec<f32>>())
        });
        let parts = tensors.iter().map(|(name, rows, values)| {
            Part::bytes(name, Dtype::F32, &[*rows, 2], bytemuck::cast_slice(values))
        });
        save(&from, &[], parts.collect()).expect("a file");

        let source = open(&from).expect("the file");
        let mut network = Network::new(&description, 1).expect("a network");
        network.load(&[&*source], &from, &origins, Precision::Full, Keep::Own).expect("parameters");
        let learnt: Vec<f32> = (0..6).map(|i| 0.1 + i as f32 / 3.0).collect();
        network.set("places.weight", &learnt).expect("a parameter");
        assert_eq!(network.get("types.bias").as_deref(), Some(&tensors[1].2[2..]));
        network.set("types.bias", &[7.0, 8.0]).expect("a parameter");
        network.export(&[&*source], &from, &origins, &to).expect("another file");

        let reader = Reader::open(&to).expect("the file");
        let values = |name: &str| {
            let found = Tensors::tensor(&reader, name).expect("a tensor");
            found.floats().expect("numbers")
        };
        for (name, _, before) in &tensors[2..] {
            assert_eq!(&values(name), before, "{name}");
        }
        assert_eq!(values("p"), [&tensors[0].2[..2], &learnt].concat());
        assert_eq!(values("t"), [&tensors[1].2[..2], &[7.0, 8.0]].concat());
        let mut again = Network::new(&description, 2).expect("a network");
        again.load(&[&reader], &to, &origins, Precision::Full, Keep::Own).expect("parameters");
        for parameter in network.parameters() {
            assert_eq!(again.get(&parameter.name), Some(parameter.get()), "{}", parameter.name);
        }

        network.parameters.pop();
        let lacking: Origins =
            serde_json::from_value(json!({"tensors": {"places.weight": {"tensors": ["none"]}}}))
                .expect("origins");
        let problem = network.export(&[&*source], &from, &lacking, &to).expect_err("a problem");
        assert!(problem.to_string().contains("`none` is missing"), "{problem}");
    }
}
