//! Networks: made, trained, opened, asked.

use std::path::PathBuf;
use std::sync::Arc;

use inlay_base::{Error, Result};
use inlay_formats::safetensors::Reader;
use inlay_nn::{
    Cells, Column, Content, Examples, Loss, Network, Positions, Prospect, Shape, Training,
};
use napi::Env;
use napi::bindgen_prelude::{
    Either, Float32Array, Float32ArraySlice, Float64Array, Uint32ArraySlice,
};
use napi_derive::napi;

use crate::examples::{Block, ExampleStream, Incoming};
use crate::held::{Held, Weighty, handle};
use crate::run::{Events, RunHandle, RunSpec, launch, launch_fed, refuse};

/// A network, and how its training went.
#[napi(custom_finalize)]
pub struct NetworkHandle(Held<Arc<Known>>);

handle!(NetworkHandle);

pub struct Known {
    network: Network,
    losses: Vec<f64>,
    validation: Vec<f64>,
}

impl Weighty for Arc<Known> {
    fn weight(&self) -> u64 {
        // The values, and the same once more as products want them.
        8 * self.network.size() as u64
    }

    fn memory(&self) -> u64 {
        self.weight()
    }
}

impl NetworkHandle {
    fn new(network: Network, losses: Vec<f64>, validation: Vec<f64>) -> Self {
        Self(Held::new(Arc::new(Known { network, losses, validation })))
    }
}

/// What `summary` says of a layer.
#[napi(object, object_from_js = false)]
pub struct LayerLine {
    pub name: String,
    /// For one item, as "[28, 28, 1]".
    pub shape: String,
    pub parameters: f64,
    pub operations: f64,
}

/// What an input or a layer's output looks like.
#[napi(object, object_from_js = false)]
pub struct ShapeOf {
    /// Whether it is ids.
    pub ids: bool,
    /// None: any.
    pub positions: Option<Vec<u32>>,
    pub width: u32,
}

impl ShapeOf {
    fn new(shape: &Shape) -> Self {
        let positions = match &shape.positions {
            Positions::Any => None,
            Positions::Fixed(axes) => Some(axes.iter().map(|&axis| axis as u32).collect()),
        };
        Self { ids: shape.content == Content::Ids, positions, width: shape.width as u32 }
    }
}

/// Items of an input, as they come.
#[napi]
#[derive(Default)]
pub struct ColumnHandle {
    ids: Vec<u32>,
    values: Vec<f32>,
    lengths: Vec<u32>,
}

#[napi]
impl ColumnHandle {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    #[napi]
    pub fn add_ids(&mut self, #[napi(ts_arg_type = "Uint32Array")] ids: Uint32ArraySlice<'_>) {
        self.ids.extend_from_slice(&ids);
    }

    #[napi]
    pub fn add_values(
        &mut self,
        #[napi(ts_arg_type = "Float32Array")] values: Float32ArraySlice<'_>,
    ) {
        self.values.extend_from_slice(&values);
    }

    #[napi]
    pub fn add_lengths(
        &mut self,
        #[napi(ts_arg_type = "Uint32Array")] lengths: Uint32ArraySlice<'_>,
    ) {
        self.lengths.extend_from_slice(&lengths);
    }
}

/// A column before it has been checked.
pub type Parts = (Vec<u32>, Vec<f32>, Vec<u32>);

pub fn taken(column: &mut ColumnHandle) -> Parts {
    let ColumnHandle { ids, values, lengths } = column;
    (std::mem::take(ids), std::mem::take(values), std::mem::take(lengths))
}

fn column(name: &str, (ids, values, lengths): Parts, shape: &Shape) -> Result<Column> {
    let cells = match shape.content {
        Content::Ids => Cells::Ids(ids),
        Content::Values => Cells::Values(values),
    };
    let lengths = (shape.positions == Positions::Any).then_some(&lengths[..]);
    Column::new(name, cells, lengths, shape)
}

fn columns(network: &Network, parts: Vec<Parts>) -> Result<Vec<Column>> {
    columns_of(&network.inputs()?, parts)
}

fn columns_of(inputs: &[(String, Shape)], parts: Vec<Parts>) -> Result<Vec<Column>> {
    // Of a loss over pairs they come again and again.
    let groups = ["input", "positives of", "negatives of"];
    let names = groups.iter().flat_map(|group| inputs.iter().map(move |input| (group, input)));
    let named = names
        .zip(parts)
        .map(|((group, (name, shape)), parts)| column(&format!("{group} `{name}`"), parts, shape));
    named.collect()
}

fn examples(
    network: &Network,
    loss: &Loss,
    inputs: Vec<Parts>,
    targets: Option<Parts>,
) -> Result<Examples> {
    of_block(&network.inputs()?, target(network, loss)?.as_ref(), inputs, targets)
}

/// What a loss wants beside each item; one over pairs wants nothing.
fn target(network: &Network, loss: &Loss) -> Result<Option<Shape>> {
    let problem =
        |problem| Error::InvalidInput { source: "the network".into(), offset: None, problem };
    loss.target(&network.output(None)?).map_err(problem)
}

fn of_block(
    shapes: &[(String, Shape)],
    target: Option<&Shape>,
    inputs: Vec<Parts>,
    targets: Option<Parts>,
) -> Result<Examples> {
    let inputs = columns_of(shapes, inputs)?;
    let targets = targets.map(|parts| {
        let needless = || Error::InvalidInput {
            source: "the targets".into(),
            offset: None,
            problem: "are not for a loss over pairs".into(),
        };
        column("the targets", parts, target.ok_or_else(needless)?)
    });
    Ok(Examples { inputs, targets: targets.transpose()? })
}

#[napi]
impl NetworkHandle {
    #[napi(getter)]
    pub fn description(&self) -> napi::Result<String> {
        Ok(self.0.get()?.network.description().into())
    }

    #[napi(getter)]
    pub fn losses(&self) -> napi::Result<Float64Array> {
        Ok(self.0.get()?.losses.clone().into())
    }

    #[napi(getter)]
    pub fn validation_losses(&self) -> napi::Result<Float64Array> {
        Ok(self.0.get()?.validation.clone().into())
    }

    /// Of what a layer gives, or the last one.
    #[napi]
    pub fn output(&self, layer: Option<String>) -> napi::Result<ShapeOf> {
        let shape = self.0.get()?.network.output(layer.as_deref()).map_err(told)?;
        Ok(ShapeOf::new(&shape))
    }

    /// A parameter's values in PyTorch's order.
    #[napi]
    pub fn parameter(&self, name: String) -> napi::Result<Option<Float32Array>> {
        Ok(self.0.get()?.network.get(&name).map(Float32Array::from))
    }

    /// A parameter's shape.
    #[napi]
    pub fn parameter_shape(&self, name: String) -> napi::Result<Option<Vec<u32>>> {
        let parameters = self.0.get()?.network.parameters();
        let found = parameters.iter().find(|parameter| parameter.name == name);
        Ok(found.map(|found| found.blueprint.shape.iter().map(|&axis| axis as u32).collect()))
    }
}

fn told(error: Error) -> napi::Error {
    refuse(error.to_string())
}

/// A network of another description, with what this one knows under the same names.
#[napi(
    ts_args_type = "network: NetworkHandle, description: string, run: RunSpec, events: Events<NetworkHandle>"
)]
pub fn describe_network(
    env: &Env,
    network: &NetworkHandle,
    description: String,
    run: RunSpec,
    events: Events<'_, NetworkHandle>,
) -> napi::Result<RunHandle> {
    let known = Arc::clone(network.0.get()?);
    launch(env, run, events, move |run| {
        let network = known.network.described(&description, run.seed())?;
        Ok(NetworkHandle::new(network, Vec::new(), Vec::new()))
    })
}

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
    let base = base.map(|base| base.0.get().cloned()).transpose()?;
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
    let known = Arc::clone(network.0.get()?);
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

/// Numbers with the rows of each item: of an item of one row, rows are its vector.
#[napi(object, object_from_js = false)]
pub struct Encoded {
    pub values: Float32Array,
    /// Where each item's rows begin, and where the last one's end.
    pub offsets: Float64Array,
}

/// What a layer, or the last one, gives for items.
#[napi(
    ts_args_type = "network: NetworkHandle, inputs: ColumnHandle[], layer: string | undefined, run: RunSpec, events: Events<Encoded>"
)]
pub fn encode_network(
    env: &Env,
    network: &NetworkHandle,
    inputs: Vec<&mut ColumnHandle>,
    layer: Option<String>,
    run: RunSpec,
    events: Events<'_, Encoded>,
) -> napi::Result<RunHandle> {
    let known = Arc::clone(network.0.get()?);
    let inputs: Vec<Parts> = inputs.into_iter().map(taken).collect();
    launch(env, run, events, move |run| {
        let inputs = columns(&known.network, inputs)?;
        let (values, offsets) = known.network.encode(&inputs, layer.as_deref(), run)?;
        let offsets: Vec<f64> = offsets.into_iter().map(|offset| offset as f64).collect();
        Ok(Encoded { values: values.into(), offsets: offsets.into() })
    })
}

/// Opens a file that `save_network` wrote.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<NetworkHandle>")]
pub fn open_network(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, NetworkHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |_| {
        Network::open(&path).map(|network| NetworkHandle::new(network, Vec::new(), Vec::new()))
    })
}

/// A network of a description, some of whose parameters are given by their names.
#[napi(
    ts_args_type = "description: string, names: readonly string[], values: readonly Float32Array[], run: RunSpec, events: Events<NetworkHandle>"
)]
pub fn make_network(
    env: &Env,
    description: String,
    names: Vec<String>,
    values: Vec<Float32ArraySlice<'_>>,
    run: RunSpec,
    events: Events<'_, NetworkHandle>,
) -> napi::Result<RunHandle> {
    let values = values.iter().map(|values| values.to_vec());
    let given: Vec<(String, Vec<f32>)> = names.into_iter().zip(values).collect();
    launch(env, run, events, move |run| {
        let mut network = Network::new(&description, run.seed())?;
        for (name, values) in &given {
            network.set(name, values)?;
        }
        Ok(NetworkHandle::new(network, Vec::new(), Vec::new()))
    })
}

/// A network of a description, with the parameters of a file.
#[napi(
    ts_args_type = "description: string, path: string, prefix: string, run: RunSpec, events: Events<NetworkHandle>"
)]
pub fn load_network(
    env: &Env,
    description: String,
    path: String,
    prefix: String,
    run: RunSpec,
    events: Events<'_, NetworkHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |run| {
        let mut network = Network::new(&description, run.seed())?;
        network.load(&Reader::open(&path)?, &path, &prefix)?;
        Ok(NetworkHandle::new(network, Vec::new(), Vec::new()))
    })
}

/// Writes a network to a file.
#[napi(ts_args_type = "network: NetworkHandle, path: string, run: RunSpec, events: Events<void>")]
pub fn save_network(
    env: &Env,
    network: &NetworkHandle,
    path: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (known, path) = (Arc::clone(network.0.get()?), PathBuf::from(path));
    launch(env, run, events, move |_| known.network.save(&path))
}

/// The bytes that a training of a network takes.
#[napi(
    ts_args_type = "description: string, prospect: string, run: RunSpec, events: Events<number>"
)]
pub fn estimate_network(
    env: &Env,
    description: String,
    prospect: String,
    run: RunSpec,
    events: Events<'_, f64>,
) -> napi::Result<RunHandle> {
    let prospect: Prospect = serde_json::from_str(&prospect)
        .map_err(|error| refuse(format!("a training that is not understood: {error}")))?;
    launch(env, run, events, move |run| {
        Network::estimate(&description, &prospect, run.threads()).map(|bytes| bytes as f64)
    })
}

/// The layers of a description, or where its fault is.
#[napi]
pub fn summary_of_network(description: String) -> Either<Vec<LayerLine>, String> {
    let line = |line: inlay_nn::Line| LayerLine {
        name: line.name,
        shape: line.shape.to_string(),
        parameters: line.parameters as f64,
        operations: line.operations as f64,
    };
    match Network::summary(&description) {
        Ok(lines) => Either::A(lines.into_iter().map(line).collect()),
        Err(Error::InvalidInput { problem, .. }) => Either::B(problem),
        Err(error) => Either::B(error.to_string()),
    }
}
