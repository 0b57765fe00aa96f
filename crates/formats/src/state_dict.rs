//! What PyTorch's `torch.save` writes (`.pth`, `.pt`, `.th`, `pytorch_model.bin`): tensors by name in a
//! pickle, which is read here and never run. Since PyTorch 1.6 it is a zip archive with the pickle and a file
//! for each storage; before, pickles one after the other with all storages behind them.

mod archive;
mod pickle;
mod storages;
#[cfg(test)]
mod tests;
mod view;

use std::borrow::Cow;
use std::sync::Arc;

use inlay_base::{Error, Map, Result};

use crate::tensors::{Found, Tensors};
use pickle::{Built, Value, Wrong};
use storages::Storages;
use view::View;

/// The keys under which checkpoints keep a `state_dict` beside other things.
const KEYS: [&str; 3] = ["state_dict", "model_state_dict", "model"];

/// Tensors that PyTorch wrote, mapped and checked: each lies within its storage, and this within the file.
/// Nothing is allocated on the file's word, and nothing in it is run.
#[derive(Debug)]
pub struct StateDict {
    map: Arc<Map>,
    /// By name.
    tensors: Vec<(String, View)>,
}

impl StateDict {
    /// Whether a file looks like one: a zip archive or a pickle.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(b"PK") || matches!(bytes, [0x80, 2..=5, ..] if !is_safetensors(bytes))
    }

    /// Checks a file that is mapped already.
    ///
    /// # Errors
    /// `InvalidInput` with the place of whatever is damaged, or is not what tensors need; `Unsupported` for
    /// files of a big-endian machine.
    pub fn of(map: Arc<Map>) -> Result<Self> {
        let tensors = read(&map)?;
        Ok(Self { map, tensors })
    }
}

/// Whether what could begin a pickle is the length of a header in braces.
fn is_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{')
}

impl Tensors for StateDict {
    fn tensor(&self, name: &str) -> Option<Found<'_>> {
        let found = self.tensors.binary_search_by(|(other, _)| other.as_str().cmp(name));
        let (_, view) = &self.tensors[found.ok()?];
        let (dtype, shape) = (view.dtype, Cow::Borrowed(&view.shape[..]));
        let (bytes, range) = (view.bytes(&self.map), view.lies());
        Some(Found { dtype, shape, bytes, range, map: &self.map })
    }

    fn shapes(&self) -> Vec<(&str, Vec<usize>)> {
        self.tensors.iter().map(|(name, view)| (name.as_str(), view.shape.clone())).collect()
    }
}

fn read(map: &Map) -> Result<Vec<(String, View)>> {
    let invalid =
        |(offset, problem): Wrong| Error::invalid_file(map.path(), Some(offset as u64), problem);
    let (start, built, root, storages) = if map.starts_with(b"PK") {
        let (pickle, storages) = archive::parts(map)?;
        let (built, root, _) = pickle::read(&map[..pickle.end], pickle.start).map_err(invalid)?;
        (pickle.start, built, root, storages)
    } else {
        let start = storages::preamble(map)?;
        let (built, root, end) = pickle::read(map, start).map_err(invalid)?;
        let storages = Storages::after(map, end, &built).map_err(invalid)?;
        (start, built, root, storages)
    };
    named(&built, root, &storages).map_err(|problem| invalid((start, problem)))
}

/// The tensors of a root by their names.
fn named(
    built: &Built<'_>,
    root: Value<'_>,
    storages: &Storages,
) -> std::result::Result<Vec<(String, View)>, String> {
    let dict = state_dict(built, root)?;
    let mut tensors = Vec::new();
    for pair in built.items(dict).chunks_exact(2) {
        let (Value::Text(name), Value::Tensor(arguments)) = (pair[0], pair[1]) else { continue };
        let view = View::of(built, arguments, storages)
            .map_err(|problem| format!("tensor `{name}` {problem}"))?;
        tensors.push((name.to_owned(), view));
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    match tensors.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(format!("tensor `{}` comes twice", pair[0].0)),
        None => Ok(tensors),
    }
}

/// The dict with tensors: the root, or what a checkpoint has under one of its usual keys.
fn state_dict(built: &Built<'_>, root: Value<'_>) -> std::result::Result<usize, String> {
    let Value::Dict(root) = root else {
        return Err(
            "the file holds no dict of tensors: `torch.save(module.state_dict(), path)`".into()
        );
    };
    let tensors = |dict: usize| {
        built.items(dict).chunks_exact(2).any(|pair| matches!(pair[1], Value::Tensor(_)))
    };
    if tensors(root) {
        return Ok(root);
    }
    let inner = KEYS.iter().find_map(|&key| {
        let mut pairs = built.items(root).chunks_exact(2);
        pairs.find_map(|pair| match pair[1] {
            Value::Dict(dict) if pair[0] == Value::Text(key) && tensors(dict) => Some(dict),
            _ => None,
        })
    });
    inner.ok_or_else(|| {
        let keys = built.items(root).chunks_exact(2).filter_map(|pair| match pair[0] {
            Value::Text(key) => Some(format!("`{key}`")),
            _ => None,
        });
        let keys: Vec<String> = keys.take(8).collect();
        format!("the file holds no tensors by name; its keys are {}", keys.join(", "))
    })
}
