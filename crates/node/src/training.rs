//! Networks that learn, and how well they did.

use inlay_nn::{Loss, Network, Training};
use napi::Env;
use napi::bindgen_prelude::{Either, Float32Array, Uint32Array};
use napi_derive::napi;

use crate::columns::{ColumnHandle, Parts, examples, of_block, taken, target};
use crate::examples::{Block, ExampleStream, Incoming};
use crate::network::NetworkHandle;
use crate::run::{Events, RunHandle, RunSpec, launch, launch_fed, refuse};

/// What a network is trained with.
#[napi(object, object_to_js = false)]
pub struct TrainingSpec {
    /// Of the network that is trained.
    pub description: String,
    /// The rest, as JSON.
    pub training: String,
}

/// Trains a new network, or goes on from one that is there, which stays as it is: on columns, or on what a
/// stream brings.
#[napi(
    ts_args_type = "spec: TrainingSpec, base: NetworkHandle | undefined, inputs: ColumnHandle[] | ExampleStream, targets: ColumnHandle | undefined, validationInputs: ColumnHandle[], validationTargets: ColumnHandle | undefined, run: RunSpec, events: Events<NetworkHandle>"
)]
#[allow(clippy::too_many_arguments)]
pub fn train_network(
    env: &Env,
    spec: TrainingSpec,
    base: Option<&NetworkHandle>,
    inputs: Either<Vec<&mut ColumnHandle>, &mut ExampleStream>,
    targets: Option<&mut ColumnHandle>,
    validation_inputs: Vec<&mut ColumnHandle>,
    validation_targets: Option<&mut ColumnHandle>,
    run: RunSpec,
    events: Events<'_, NetworkHandle>,
) -> napi::Result<RunHandle> {
    let base = base.map(NetworkHandle::known).transpose()?;
    let how: Training = serde_json::from_str(&spec.training)
        .map_err(|error| refuse(format!("a training that is not understood: {error}")))?;
    let targets = targets.map(taken);
    let given = match inputs {
        Either::A(columns) => Either::A(columns.into_iter().map(taken).collect::<Vec<Parts>>()),
        Either::B(stream) => Either::B(stream.blocks()?),
    };
    let validation: Vec<Parts> = validation_inputs.into_iter().map(taken).collect();
    let validation_targets = validation_targets.map(taken);
    launch_fed(env, run, events, move |run, ask| {
        let mut network = match base {
            Some(base) => base.network.described(&spec.description, run.seed())?,
            None => Network::new(&spec.description, run.seed())?,
        };
        let validation = match validation.is_empty() {
            true => None,
            false => Some(examples(&network, &how.loss, validation, validation_targets)?),
        };
        let history = match given {
            Either::A(inputs) => {
                let given = examples(&network, &how.loss, inputs, targets)?;
                network.train(&given, validation.as_ref(), &how, run)?
            }
            Either::B(blocks) => {
                let shapes = network.inputs()?;
                let target = target(&network, &how.loss)?;
                let read = move |(inputs, targets): Block| {
                    of_block(&shapes, target.as_ref(), inputs, targets)
                };
                let mut blocks = Incoming::new(blocks, ask, read);
                network.train_on_stream(&mut blocks, validation.as_ref(), &how, run)?
            }
        };
        let losses = history.iter().map(|epoch| epoch.loss).collect();
        let validation = history.iter().filter_map(|epoch| epoch.validation).collect();
        Ok(NetworkHandle::new(network, losses, validation))
    })
}

/// How well a network does on examples.
#[napi(object, object_from_js = false)]
pub struct NetworkEvaluation {
    pub loss: f64,
    pub accuracy: Option<f64>,
}

/// The loss on examples.
#[napi(
    ts_args_type = "network: NetworkHandle, loss: string, batch: number, inputs: ColumnHandle[], targets: ColumnHandle | undefined, run: RunSpec, events: Events<NetworkEvaluation>"
)]
#[allow(clippy::too_many_arguments)]
pub fn evaluate_network(
    env: &Env,
    network: &NetworkHandle,
    loss: String,
    batch: u32,
    inputs: Vec<&mut ColumnHandle>,
    targets: Option<&mut ColumnHandle>,
    run: RunSpec,
    events: Events<'_, NetworkEvaluation>,
) -> napi::Result<RunHandle> {
    let known = network.known()?;
    let loss: Loss = serde_json::from_str(&loss)
        .map_err(|error| refuse(format!("a loss that is not understood: {error}")))?;
    let inputs: Vec<Parts> = inputs.into_iter().map(taken).collect();
    let targets = targets.map(taken);
    launch(env, run, events, move |run| {
        let network = &known.network;
        let examples = examples(network, &loss, inputs, targets)?;
        let found = network.evaluate(&examples, &loss, batch as usize, run)?;
        Ok(NetworkEvaluation { loss: found.loss, accuracy: found.accuracy })
    })
}

/// The area under the ROC curve of two classes, from what a network gives for each; NaN where all are of one.
#[napi(
    ts_args_type = "shares: Float32Array, wanted: Uint32Array, run: RunSpec, events: Events<number>"
)]
pub fn ranked_area(
    env: &Env,
    shares: Float32Array,
    wanted: Uint32Array,
    run: RunSpec,
    events: Events<'_, f64>,
) -> napi::Result<RunHandle> {
    let (shares, wanted) = (shares.to_vec(), wanted.to_vec());
    launch(env, run, events, move |_| {
        Ok(inlay_nn::area_under_curve(&shares, &wanted).unwrap_or(f64::NAN))
    })
}
