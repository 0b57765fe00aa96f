//! The file that lets a training go on after an abort or a kill: the topic of every occurrence after
//! the last whole sweep, the priors, and the conditions under which it was made. All else follows.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use inlay_base::{Error, Result};
use inlay_corpus::Corpus;
use inlay_formats::safetensors::{self, Dtype, Kind, Part, Reader};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::priors::Priors;
use crate::train::Options;

const KIND: Kind =
    Kind { name: "lda checkpoint", what: "a checkpoint of an Lda training", version: 1 };

/// A file that keeps how far a training has come.
pub struct Checkpoint {
    path: PathBuf,
    every: Duration,
    next: Mutex<Instant>,
}

impl Checkpoint {
    /// The file is read if it is there, and written after `every`, from now on.
    pub fn new(path: PathBuf, every: Duration) -> Self {
        let next = Mutex::new(Instant::now() + every);
        Self { path, every, next }
    }

    /// Whether it is time to write; if so, the time is counted anew.
    pub fn is_due(&self) -> bool {
        let mut next = self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Instant::now();
        let due = now >= *next;
        if due {
            *next = now + self.every;
        }
        due
    }
}

/// How far a training has come, beside the topics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// After the last fit.
    pub priors: Priors,
    /// Mean loss of each whole sweep.
    pub losses: Vec<f64>,
}

/// What must be the same for a checkpoint to be of use.
pub struct Conditions(Map<String, Value>);

#[derive(Serialize, Deserialize)]
struct Header {
    conditions: Map<String, Value>,
    standing: Standing,
}

impl Conditions {
    /// `model` is the fingerprint of a model that the training goes on from.
    pub fn new(options: &Options, corpus: &Corpus, model: Option<u64>, seed: u64) -> Self {
        let mut conditions = match serde_json::to_value(options) {
            Ok(Value::Object(options)) => options,
            _ => unreachable!("options are an object of numbers"),
        };
        // A training may be made longer.
        conditions.remove("iterations");
        let hex = |number: u64| format!("{number:016x}");
        conditions.insert("seed".into(), json!(seed));
        conditions.insert("corpus".into(), json!(hex(corpus.fingerprint())));
        conditions.insert("model".into(), json!(model.map(hex)));
        Self(conditions)
    }
}

/// Writes the file, replacing the one before.
pub fn write(
    checkpoint: &Checkpoint,
    conditions: &Conditions,
    standing: &Standing,
    topics: &[u16],
) -> Result<()> {
    let header = Header { conditions: conditions.0.clone(), standing: standing.clone() };
    let (key, header) = KIND.entry(&header)?;
    let bytes = bytemuck::cast_slice(topics);
    let part = Part::bytes("topics", Dtype::U16, &[topics.len()], bytes);
    safetensors::save(&checkpoint.path, &[(key, &header)], vec![part])
}

/// Reads the file; `None` if there is none yet.
///
/// # Errors
/// `InvalidOption` naming what differs, if it was made under other conditions; `InvalidInput` if it
/// is damaged.
pub fn read(
    checkpoint: &Checkpoint,
    conditions: &Conditions,
) -> Result<Option<(Standing, Vec<u16>)>> {
    let path = &checkpoint.path;
    if !path.exists() {
        return Ok(None);
    }
    let reader = Reader::open(path)?;
    let Header { conditions: there, standing } = KIND.read(&reader, path)?;
    for (condition, here) in &conditions.0 {
        let there = there.get(condition).unwrap_or(&Value::Null);
        if there != here {
            let expected = match condition.as_str() {
                "corpus" => "a checkpoint of the same corpus".into(),
                "model" => "a checkpoint of a training from the same model".into(),
                option => format!("a checkpoint with {option} {here}, this one has {there}"),
            };
            let got = path.display().to_string();
            return Err(Error::InvalidOption { option: "checkpoint", expected, got });
        }
    }
    let tensor = reader.tensor("topics").filter(|tensor| tensor.dtype == Dtype::U16);
    let tensor = tensor.ok_or_else(|| damaged(checkpoint))?;
    let topics = tensor.bytes.chunks_exact(2).map(bytemuck::pod_read_unaligned).collect();
    Ok(Some((standing, topics)))
}

/// A file that does not hold what it should.
pub fn damaged(checkpoint: &Checkpoint) -> Error {
    let problem = "does not have a topic for each word of the corpus";
    Error::invalid_file(&checkpoint.path, None, problem)
}
