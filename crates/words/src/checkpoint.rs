//! The file that lets a training go on after an abort or a kill: the matrices, how far each shard
//! of work has come with its random numbers, and the conditions under which it was made. It is
//! laid out as a model's file, so its vectors can be looked at like any others.

use std::path::PathBuf;
use std::time::Duration;

use inlay_base::{Error, Random, Result, SharedMatrix};
use inlay_corpus::Corpus;
use inlay_formats::safetensors::{self, Dtype, Part, Reader, Tensor};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::progress::{self, Standing};
use crate::tensors::matrix_part;

/// A file that keeps how far a training has come.
pub struct Checkpoint {
    /// Read if it is there, and written.
    pub path: PathBuf,
    /// Time between two writings.
    pub every: Duration,
}

/// Numbers of a shard that was laid aside: its number, its position, four of random state.
const PART: usize = 6;

/// A training as its checkpoint has it.
pub struct Training<'a> {
    /// "word2vec": which model.
    kind: &'static str,
    /// What must be the same for a checkpoint to be of use.
    conditions: Map<String, Value>,
    corpus: &'a Corpus,
    /// What is learnt, by name.
    matrices: &'a [(&'a str, &'a SharedMatrix)],
}

impl<'a> Training<'a> {
    /// `options` are an object; `frozen` says which words do not move.
    pub fn new(
        kind: &'static str,
        options: &impl Serialize,
        (corpus, seed): (&'a Corpus, u64),
        frozen: Option<&[bool]>,
        matrices: &'a [(&'a str, &'a SharedMatrix)],
    ) -> Self {
        let mut conditions = match serde_json::to_value(options) {
            Ok(Value::Object(options)) => options,
            _ => unreachable!("options are an object of numbers and names"),
        };
        let frozen = frozen.map(|frozen| {
            // FNV-1a over the flags: they follow from words, of which there can be many.
            frozen.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, &flag| {
                (hash ^ u64::from(flag)).wrapping_mul(0x0100_0000_01b3)
            })
        });
        let hex = |number: u64| format!("{number:016x}");
        conditions.insert("seed".into(), json!(seed));
        conditions.insert("corpus".into(), json!(hex(corpus.fingerprint())));
        conditions.insert("frozen".into(), json!(frozen.map(hex)));
        Self { kind, conditions, corpus, matrices }
    }

    fn name(&self) -> String {
        format!("{} checkpoint", self.kind)
    }
}

/// Writes the file, replacing the one before.
pub fn write(checkpoint: &Checkpoint, training: &Training<'_>, standing: &Standing) -> Result<()> {
    let Training { conditions, corpus, matrices, .. } = training;
    let header = json!({
        "kind": training.name(),
        "version": 1,
        "next": standing.next,
        "done": standing.done,
        "conditions": conditions,
    });
    let header = header.to_string();
    let unfinished: Vec<u64> = standing
        .unfinished
        .iter()
        .flat_map(|part| {
            let place = [part.number as u64, part.position as u64];
            place.into_iter().chain(part.random.state())
        })
        .collect();
    let losses: Vec<u64> = standing
        .losses
        .iter()
        .flat_map(|&(loss, predictions)| [loss.to_bits(), predictions])
        .collect();
    let mut parts = corpus.names().parts();
    parts.extend([
        Part::bytes("counts", Dtype::U64, &[corpus.counts().len()], cast(corpus.counts())),
        Part::bytes("losses", Dtype::U64, &[standing.losses.len(), 2], cast(&losses)),
        Part::bytes(
            "unfinished",
            Dtype::U64,
            &[standing.unfinished.len(), PART],
            cast(&unfinished),
        ),
    ]);
    parts.extend(matrices.iter().map(|(name, matrix)| matrix_part(name, matrix)));
    safetensors::save(&checkpoint.path, &[("inlay", &header)], parts)
}

fn cast(numbers: &[u64]) -> &[u8] {
    bytemuck::cast_slice(numbers)
}

/// Reads the file into the training's matrices; `None` if there is none yet.
///
/// # Errors
/// `InvalidOption` naming what differs, if it was made under other conditions; `InvalidInput` if it
/// is damaged.
pub fn read(
    checkpoint: &Checkpoint,
    training: &Training<'_>,
    epochs: usize,
) -> Result<Option<Standing>> {
    let path = &checkpoint.path;
    if !path.exists() {
        return Ok(None);
    }
    let reader = Reader::open(path)?;
    let damaged = |problem: &str| Error::invalid_file(path, None, problem);
    let header = reader.metadata("inlay").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let header = header.filter(|header| header["kind"] == training.name());
    let header = header
        .ok_or_else(|| damaged(&format!("is not a checkpoint of a {} training", training.kind)))?;
    for (condition, here) in &training.conditions {
        let there = &header["conditions"][condition];
        if there != here {
            let expected = match condition.as_str() {
                "corpus" => "a checkpoint of the same corpus".into(),
                "tags" => "a checkpoint of documents with the same tags".into(),
                "frozen" => "a checkpoint with the same frozen words".into(),
                option => format!("a checkpoint with {option} {here}, this one has {there}"),
            };
            let got = path.display().to_string();
            return Err(Error::InvalidOption { option: "checkpoint", expected, got });
        }
    }
    let next = header["next"].as_u64().and_then(|next| usize::try_from(next).ok());
    let (Some(next), Some(done)) = (next, header["done"].as_u64()) else {
        return Err(damaged("does not say how far the training has come"));
    };
    let numbers = |name: &str, width: usize| {
        let tensor = reader.tensor(name);
        let tensor = tensor.filter(|t| t.dtype == Dtype::U64 && t.shape.get(1) == Some(&width));
        tensor.map(|tensor| words(&tensor)).ok_or_else(|| damaged("lacks part of its state"))
    };
    let losses: Vec<(f64, u64)> = numbers("losses", 2)?
        .chunks_exact(2)
        .map(|pair| (f64::from_bits(pair[0]), pair[1]))
        .collect();
    if losses.len() != epochs {
        return Err(damaged("does not have a loss for each epoch"));
    }
    let part = |numbers: &[u64]| progress::Part {
        number: numbers[0] as usize,
        position: numbers[1] as usize,
        random: Random::from_state([numbers[2], numbers[3], numbers[4], numbers[5]]),
    };
    let unfinished = numbers("unfinished", PART)?.chunks_exact(PART).map(part).collect();
    for (name, matrix) in training.matrices {
        fill(reader.tensor(name), matrix)
            .ok_or_else(|| damaged("has vectors of another shape than its vocabulary"))?;
    }
    Ok(Some(Standing { next, unfinished, done, losses }))
}

fn words(tensor: &Tensor<'_>) -> Vec<u64> {
    let word = |bytes: &[u8]| bytemuck::pod_read_unaligned(bytes);
    tensor.bytes.chunks_exact(size_of::<u64>()).map(word).collect()
}

/// Copies a tensor of the matrix' own shape into it.
fn fill(tensor: Option<Tensor<'_>>, matrix: &SharedMatrix) -> Option<()> {
    let shape = [matrix.rows(), matrix.columns()];
    let tensor = tensor.filter(|tensor| tensor.dtype == Dtype::F32 && tensor.shape == shape)?;
    let mut row = vec![0.0f32; matrix.columns()];
    for (number, bytes) in (0..).zip(tensor.bytes.chunks_exact(matrix.columns() * 4)) {
        bytemuck::cast_slice_mut(&mut row).copy_from_slice(bytes);
        matrix.write(number, &row);
    }
    Some(())
}
