//! Checkpoints of trainings, whatever the model.

use std::time::Duration;

use inlay_words::Checkpoint;
use napi_derive::napi;

/// The file that a training goes on from, and writes its state to.
#[napi(object, object_to_js = false)]
pub struct CheckpointSpec {
    pub path: String,
    /// Seconds.
    pub every: f64,
}

impl From<CheckpointSpec> for Checkpoint {
    fn from(CheckpointSpec { path, every }: CheckpointSpec) -> Self {
        Self { path: path.into(), every: Duration::from_secs_f64(every) }
    }
}
