//! The file that lets a training go on after an abort, a kill or a divergence, to the same bytes as if it
//! had never stopped. It is laid out as a network's file, whose parameters are the last good ones: those
//! that gave a finite loss.

use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use inlay_base::{Error, Result};
use inlay_formats::safetensors::{Dtype, Part, Reader, save};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::round::Sums;
use super::team::Team;
use super::{Examples, Training};
use crate::data::{Cells, Column};
use crate::network::Network;
use crate::optimizers::State;
use crate::schedule::Curve;
use crate::weights;
use crate::weights::{Keep, Origins, Precision};

/// Under which the file says how far its training has come.
const KEY: &str = "training";
const VERSION: u32 = 1;

/// A file that keeps how far a training has come.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Read if it is there, and written.
    pub path: PathBuf,
    /// Seconds between two writings.
    pub every: f64,
}

/// An f64 that keeps all its bits in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub(super) struct Exact(pub(super) f64);

impl From<u64> for Exact {
    fn from(bits: u64) -> Self {
        Self(f64::from_bits(bits))
    }
}

impl From<Exact> for u64 {
    fn from(Exact(number): Exact) -> Self {
        number.to_bits()
    }
}

/// How far a training has come, beside what lies in tensors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Standing {
    pub epoch: usize,
    pub step: u64,
    pub number: u64,
    /// Of what progress counts.
    pub done: u64,
    pub idle: usize,
    pub learnt: Exact,
    pub best: Option<Exact>,
    pub history: Vec<(Exact, Option<Exact>)>,
    /// Blocks of a stream that were taken, with the ends of its epochs, and what was in them.
    pub taken: u64,
    pub seen: String,
    /// In the epoch; `None` before it.
    pub place: Option<Place>,
    /// What the items of the batch at hand carry, by nodes.
    #[serde(skip)]
    pub carried: Vec<(usize, Vec<f32>)>,
}

/// How far a round has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    pub batch: Range<usize>,
    pub row: usize,
    pub longest: usize,
    pub sums: Sums,
}

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    conditions: Map<String, Value>,
    standing: Standing,
}

/// A training's checkpoint, and when it is due.
pub(super) struct Keeper<'a> {
    checkpoint: &'a Checkpoint,
    conditions: Map<String, Value>,
    next: Instant,
}

/// What was read.
pub(super) struct Kept {
    pub standing: Standing,
    pub best: Option<Vec<Vec<f32>>>,
    reader: Reader,
}

impl<'a> Keeper<'a> {
    /// What must be the same for the file to be of use: how a network is trained, on what, from where.
    pub(super) fn new(
        checkpoint: &'a Checkpoint,
        network: &Network,
        how: &Training,
        sets: (Option<&Examples>, Option<&Examples>),
        seed: u64,
    ) -> Result<Self> {
        let mut conditions = match serde_json::to_value(how) {
            Ok(Value::Object(options)) => options,
            _ => return Err(Error::Internal("a training that is no JSON".into())),
        };
        if how.schedule.shape == Curve::Constant {
            // Nothing that was done depends on how long it goes on: a training may be made longer.
            conditions.remove("epochs");
        }
        let mut start = Fingerprint::default();
        network.parameters.iter().for_each(|parameter| start.values(&parameter.get()));
        conditions.insert("seed".into(), json!(seed));
        conditions.insert("description".into(), json!(network.description()));
        conditions.insert("start".into(), json!(start.text()));
        for (name, examples) in [("examples", sets.0), ("validation", sets.1)] {
            let of = |examples| {
                let mut all = Fingerprint::default();
                all.examples(examples);
                all.text()
            };
            conditions.insert(name.into(), json!(examples.map(of)));
        }
        // The first one is written at once, so that there always are good weights.
        Ok(Self { checkpoint, conditions, next: Instant::now() })
    }

    /// Reads the file, if there is one: its parameters become the network's.
    ///
    /// # Errors
    /// `InvalidOption` naming what differs, if it was made under other conditions; `InvalidInput` if it is
    /// damaged.
    pub(super) fn read(&self, network: &mut Network) -> Result<Option<Kept>> {
        let path = &self.checkpoint.path;
        if !path.exists() {
            return Ok(None);
        }
        let reader = Reader::open(path)?;
        let damaged = |problem: &str| self.damaged(problem);
        let header = reader.metadata(KEY).and_then(|text| serde_json::from_str(text).ok());
        let header: Header =
            header.ok_or_else(|| damaged("is not a checkpoint of a network's training"))?;
        if header.version != VERSION {
            return Err(damaged("is a checkpoint of another version"));
        }
        for (condition, here) in &self.conditions {
            let there = header.conditions.get(condition).unwrap_or(&Value::Null);
            if there != here {
                return Err(self.other(condition, here, there));
            }
        }
        network.load(&[&reader], path, &Origins::default(), Precision::Full, Keep::Own)?;
        let mut standing = header.standing;
        let nodes = reader.names().filter_map(|name| name.strip_prefix("carried/"));
        let nodes: Vec<usize> = nodes.filter_map(|node| node.parse().ok()).collect();
        for node in nodes {
            let values = floats(&reader, &format!("carried/{node}"));
            let values = values.ok_or_else(|| damaged("lacks part of its state"))?;
            standing.carried.push((node, values));
        }
        let best = standing.best.map(|_| {
            let parameters = network.parameters.iter();
            parameters.map(|parameter| {
                let values = floats(&reader, &format!("best/{}", parameter.name));
                values.filter(|values| values.len() == parameter.blueprint.size())
            })
        });
        let best = match best.map(Iterator::collect::<Option<Vec<_>>>) {
            Some(None) => return Err(damaged("lacks the best parameters")),
            Some(found) => found,
            None => None,
        };
        Ok(Some(Kept { standing, best, reader }))
    }

    /// A stream that does not bring what it brought before.
    pub(super) fn other_stream(&self) -> Error {
        self.other("examples", &Value::Null, &Value::Null)
    }

    fn other(&self, condition: &str, here: &Value, there: &Value) -> Error {
        let expected = match condition {
            "examples" => "a checkpoint of the same examples".into(),
            "validation" => "a checkpoint of the same validation examples".into(),
            "start" => "a checkpoint of a training that began with the same parameters".into(),
            "description" => "a checkpoint of the same description".into(),
            _ => {
                let option = match condition {
                    "batch" => "batchSize",
                    "frozen" => "freeze",
                    other => other,
                };
                format!("a checkpoint with {option} {here}, this one has {there}")
            }
        };
        let got = self.checkpoint.path.display().to_string();
        Error::InvalidOption { option: "checkpoint", expected, got }
    }

    /// A file that does not hold what it should.
    pub(super) fn damaged(&self, problem: &str) -> Error {
        Error::invalid_file(&self.checkpoint.path, None, problem)
    }

    /// Whether it is time to write; if so, the time is counted anew.
    pub(super) fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = now >= self.next;
        if due {
            self.next = now + Duration::from_secs_f64(self.checkpoint.every);
        }
        due
    }

    /// Writes the file, replacing the one before.
    pub(super) fn write(
        &self,
        team: &Team<'_>,
        standing: &Standing,
        best: Option<&[Vec<f32>]>,
    ) -> Result<()> {
        let header = Header {
            version: VERSION,
            conditions: self.conditions.clone(),
            standing: standing.clone(),
        };
        let header = serde_json::to_string(&header)
            .map_err(|error| Error::Internal(format!("a checkpoint that is no JSON: {error}")))?;
        let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
        let parameters = &team.network.parameters;
        for parameter in parameters {
            tensors.push((
                parameter.name.clone(),
                parameter.blueprint.shape.clone(),
                parameter.get(),
            ));
        }
        let line = |name: String, values: Vec<f32>| (name, vec![values.len()], values);
        for (parameter, State { first, second }) in parameters.iter().zip(team.moments()) {
            tensors.push(line(format!("first/{}", parameter.name), first));
            tensors.push(line(format!("second/{}", parameter.name), second));
        }
        for (parameter, best) in parameters.iter().zip(best.unwrap_or_default()) {
            tensors.push(line(format!("best/{}", parameter.name), best.clone()));
        }
        for (node, carried) in &standing.carried {
            tensors.push(line(format!("carried/{node}"), carried.clone()));
        }
        let parts = tensors.iter().map(|(name, shape, values)| {
            Part::bytes(name, Dtype::F32, shape, bytemuck::cast_slice(values))
        });
        let (key, about) = weights::entry(team.network.description())?;
        save(&self.checkpoint.path, &[(key, &about), (KEY, &header)], parts.collect())
    }

    /// What a run that diverged says of the file.
    pub(super) fn keeps_the_good(&self, error: Error) -> Error {
        match error {
            Error::Diverged { what } if self.checkpoint.path.exists() => {
                let path = self.checkpoint.path.display();
                Error::Diverged { what: format!("{what}; the last good weights are in {path}") }
            }
            other => other,
        }
    }
}

impl Kept {
    /// What an optimizer kept beside a parameter, piece after piece; empty lists if it kept nothing.
    pub(super) fn moments(&self, parameter: &str) -> State {
        let list = |kind: &str| floats(&self.reader, &format!("{kind}/{parameter}"));
        State {
            first: list("first").unwrap_or_default(),
            second: list("second").unwrap_or_default(),
        }
    }
}

fn floats(reader: &Reader, name: &str) -> Option<Vec<f32>> {
    let tensor = reader.tensor(name).filter(|tensor| tensor.dtype == Dtype::F32)?;
    Some(tensor.bytes.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect())
}

/// FNV-1a, four bytes at a time.
pub(super) struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    pub(super) fn examples(&mut self, examples: &Examples) {
        examples.inputs.iter().chain(&examples.targets).for_each(|column| self.column(column));
    }

    fn column(&mut self, column: &Column) {
        self.add(column.width as u64);
        column.offsets.iter().for_each(|&offset| self.add(offset as u64));
        match &column.cells {
            Cells::Ids(ids) => ids.iter().for_each(|&id| self.add(u64::from(id))),
            Cells::Values(values) => self.values(values),
        }
        column.places().iter().for_each(|&place| self.add(u64::from(place)));
    }

    fn values(&mut self, values: &[f32]) {
        values.iter().for_each(|value| self.add(u64::from(value.to_bits())));
    }

    fn add(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
    }

    pub(super) fn text(&self) -> String {
        format!("{:016x}", self.0)
    }
}
