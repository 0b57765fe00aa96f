//! The file that lets a training go on after an abort or a kill: all parameters with their gradient
//! squares, how far each shard of work has come, and the conditions under which it was made.

use inlay_base::{Error, Random, Result};
use inlay_formats::Names;
use inlay_formats::safetensors::{self, Dtype, Part, Reader};
use serde_json::{Map, Value, json};

use super::Options;
use super::parameters::Parameters;
use crate::Checkpoint;
use crate::progress::{self, Standing};

const KIND: &str = "glove checkpoint";

/// What must be the same for a checkpoint to be of use.
pub fn conditions(options: &Options, pairs: u64, seed: u64) -> Map<String, Value> {
    let mut conditions = match serde_json::to_value(options) {
        Ok(Value::Object(options)) => options,
        _ => unreachable!("options are an object of numbers and names"),
    };
    // These choose among what was learnt, after the training.
    conditions.remove("vectors");
    conditions.remove("unknown");
    conditions.insert("seed".into(), json!(seed));
    conditions.insert("pairs".into(), json!(format!("{pairs:016x}")));
    conditions
}

/// Writes the file, replacing the one before.
pub fn write(
    checkpoint: &Checkpoint,
    conditions: &Map<String, Value>,
    names: &Names,
    parameters: &Parameters,
    standing: &Standing,
) -> Result<()> {
    let header = json!({
        "kind": KIND,
        "version": 1,
        "next": standing.next,
        "done": standing.done,
        "conditions": conditions,
    });
    let header = header.to_string();
    let unfinished: Vec<u64> = standing
        .unfinished
        .iter()
        .flat_map(|part| [part.number as u64, part.position as u64])
        .collect();
    let losses: Vec<u64> =
        standing.losses.iter().flat_map(|&(loss, pairs)| [loss.to_bits(), pairs]).collect();
    let matrix = &parameters.matrix;
    let shape = [matrix.rows(), matrix.columns()];
    let mut parts = names.parts();
    parts.extend([
        Part::bytes("losses", Dtype::U64, &[losses.len() / 2, 2], bytemuck::cast_slice(&losses)),
        Part::bytes(
            "unfinished",
            Dtype::U64,
            &[unfinished.len() / 2, 2],
            bytemuck::cast_slice(&unfinished),
        ),
        Part::streamed("parameters", Dtype::F32, &shape, move |writer| {
            let mut row = vec![0.0f32; matrix.columns()];
            for number in 0..matrix.rows() as u32 {
                matrix.read(number, &mut row);
                writer.write(bytemuck::cast_slice(&row))?;
            }
            Ok(())
        }),
    ]);
    safetensors::save(&checkpoint.path, &[("inlay", &header)], parts)
}

/// Reads the file into `parameters`; `None` if there is none yet.
///
/// # Errors
/// `InvalidOption` naming what differs, if it was made under other conditions; `InvalidInput` if it
/// is damaged.
pub fn read(
    checkpoint: &Checkpoint,
    conditions: &Map<String, Value>,
    parameters: &mut Parameters,
    epochs: usize,
) -> Result<Option<Standing>> {
    let path = &checkpoint.path;
    if !path.exists() {
        return Ok(None);
    }
    let reader = Reader::open(path)?;
    let damaged = |problem: &str| Error::invalid_file(path, None, problem);
    let header = reader.metadata("inlay").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let header = header.filter(|header| header["kind"] == KIND);
    let header = header.ok_or_else(|| damaged("is not a checkpoint of a GloVe training"))?;
    for (condition, here) in conditions {
        let there = &header["conditions"][condition];
        if there != here {
            let expected = match condition.as_str() {
                "pairs" => "a checkpoint of the same text and counting".into(),
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
    let numbers = |name: &str| {
        let tensor = reader.tensor(name);
        let tensor = tensor.filter(|t| t.dtype == Dtype::U64 && t.shape.get(1) == Some(&2));
        let tensor = tensor.ok_or_else(|| damaged("lacks part of its state"))?;
        let pair = |bytes: &[u8]| -> [u64; 2] { bytemuck::pod_read_unaligned(bytes) };
        Ok(tensor.bytes.chunks_exact(16).map(pair).collect::<Vec<_>>())
    };
    let losses: Vec<(f64, u64)> =
        numbers("losses")?.into_iter().map(|[loss, pairs]| (f64::from_bits(loss), pairs)).collect();
    if losses.len() != epochs {
        return Err(damaged("does not have a loss for each epoch"));
    }
    let unfinished = numbers("unfinished")?.into_iter().map(|[number, position]| progress::Part {
        number: number as usize,
        position: position as usize,
        random: Random::from_state([0; 4]),
    });
    let matrix = &parameters.matrix;
    let shape = [matrix.rows(), matrix.columns()];
    let tensor = reader.tensor("parameters");
    let tensor = tensor
        .filter(|tensor| tensor.dtype == Dtype::F32 && tensor.shape == shape)
        .ok_or_else(|| damaged("has parameters of another shape than its vocabulary"))?;
    let mut row = vec![0.0f32; matrix.columns()];
    for (number, bytes) in (0..).zip(tensor.bytes.chunks_exact(matrix.columns() * 4)) {
        bytemuck::cast_slice_mut(&mut row).copy_from_slice(bytes);
        matrix.write(number, &row);
    }
    Ok(Some(Standing { next, unfinished: unfinished.collect(), done, losses }))
}
