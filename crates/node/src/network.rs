//! Networks: made, opened, asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inlay_base::{Error, Result, Run, Shared};
use inlay_corpus::{Source, Tokenized};
use inlay_nn::{
    Cells, Column, Content, Keep, Network, Origins, Positions, Precision, Prospect, Shape,
    beginnings,
};
use napi::Env;
use napi::bindgen_prelude::{Either, Float32Array, Float32ArraySlice, Float64Array, Uint32Array};
use napi_derive::napi;

use crate::columns::{ColumnHandle, Parts, columns, taken};
use crate::held::{Held, Weighty, handle};
use crate::run::{Events, RunHandle, RunSpec, launch, launch_fed, refuse};
use crate::stream::TextStream;
use crate::subwords::SubwordHandle;

/// A network, and how its training went.
#[napi(custom_finalize)]
pub struct NetworkHandle(Held<Arc<Known>>);

handle!(NetworkHandle);

pub struct Known {
    pub network: Network,
    losses: Vec<f64>,
    validation: Vec<f64>,
}

impl Weighty for Arc<Known> {
    fn weight(&self) -> u64 {
        self.network.held() + self.network.mapped()
    }

    fn memory(&self) -> u64 {
        self.network.held()
    }
}

impl NetworkHandle {
    pub fn new(network: Network, losses: Vec<f64>, validation: Vec<f64>) -> Self {
        Self(Held::new(Arc::new(Known { network, losses, validation })))
    }

    pub fn known(&self) -> napi::Result<Arc<Known>> {
        self.0.get().cloned()
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
    let known = network.known()?;
    launch(env, run, events, move |run| {
        let network = known.network.described(&description, run.seed())?;
        Ok(NetworkHandle::new(network, Vec::new(), Vec::new()))
    })
}

/// Numbers with the rows of each item: of an item of one row, rows are its vector.
#[napi(object, object_from_js = false)]
pub struct Encoded {
    pub values: Float32Array,
    /// Where each item's rows begin, and where the last one's end.
    pub offsets: Float64Array,
}

/// Of what is given for items: its last rows, the first values of each row, these with a length of one.
#[napi(object, object_to_js = false)]
pub struct PartSpec {
    pub last: Option<u32>,
    pub dimensions: Option<u32>,
    pub normalize: bool,
}

/// What a layer, or the last one, gives for items, or a part of it.
#[napi(
    ts_args_type = "network: NetworkHandle, inputs: ColumnHandle[], layer: string | undefined, part: PartSpec, run: RunSpec, events: Events<Encoded>"
)]
pub fn encode_network(
    env: &Env,
    network: &NetworkHandle,
    inputs: Vec<&mut ColumnHandle>,
    layer: Option<String>,
    part: PartSpec,
    run: RunSpec,
    events: Events<'_, Encoded>,
) -> napi::Result<RunHandle> {
    let known = network.known()?;
    let inputs: Vec<Parts> = inputs.into_iter().map(taken).collect();
    launch(env, run, events, move |run| {
        let inputs = columns(&known.network, inputs)?;
        let (values, offsets) = part_of(&known.network, &inputs, layer.as_deref(), &part, run)?;
        let offsets: Vec<f64> = offsets.into_iter().map(|offset| offset as f64).collect();
        Ok(Encoded { values: values.into(), offsets: offsets.into() })
    })
}

/// A part of what a layer, or the last one, gives for items, and where each item's rows begin.
fn part_of(
    network: &Network,
    inputs: &[Column],
    layer: Option<&str>,
    part: &PartSpec,
    run: &Run,
) -> Result<(Vec<f32>, Vec<usize>)> {
    let all = |some: Option<u32>| some.map_or(usize::MAX, |some| some as usize);
    let (values, offsets) = network.encode_last(inputs, layer, all(part.last), run)?;
    let shape = network.output(layer)?;
    // Where rows are counted by item, all of an item is a row.
    let width = shape.rows().unwrap_or(1) * shape.width;
    Ok((beginnings(values, width, all(part.dimensions), part.normalize, run)?, offsets))
}

/// Vectors of texts, and how many tokens each has, those beyond the limit too.
#[napi(object, object_from_js = false)]
pub struct EncodedTexts {
    pub values: Float32Array,
    pub counts: Uint32Array,
}

/// Which tokens of a text a network is given.
#[napi(object, object_to_js = false)]
pub struct ReadSpec {
    /// No text may have more; without: any.
    pub most: Option<u32>,
    /// Those behind the first of this token are left out; -1 stands for the token with the highest number. A text without
    /// it has its first token only.
    pub end: Option<i64>,
    /// Texts of fewer tokens get this one behind theirs, as often as it takes.
    pub pad: Option<PadSpec>,
}

/// Tokens that are there for their number.
#[napi(object)]
pub struct PadSpec {
    pub token: u32,
    /// Tokens of a text then.
    pub length: u32,
}

impl ReadSpec {
    /// How many of a text's tokens are read.
    fn of(&self, ids: &[u32]) -> usize {
        let Some(end) = self.end else { return ids.len() };
        let end = u32::try_from(end).ok().or(ids.iter().max().copied());
        let first = ids.iter().position(|&id| Some(id) == end).unwrap_or(0);
        ids.len().min(first + 1)
    }
}

/// What the last layer gives for the tokens of the texts of a stream: nothing, if one has more than it may.
#[napi(ts_args_type = "network: NetworkHandle, tokenizer: SubwordHandle, stream: TextStream, \
read: ReadSpec, part: PartSpec, run: RunSpec, events: Events<EncodedTexts>")]
#[allow(clippy::too_many_arguments)]
pub fn encode_texts(
    env: &Env,
    network: &NetworkHandle,
    tokenizer: &SubwordHandle,
    stream: &mut TextStream,
    read: ReadSpec,
    part: PartSpec,
    run: RunSpec,
    events: Events<'_, EncodedTexts>,
) -> napi::Result<RunHandle> {
    let (known, subwords) = (network.known()?, tokenizer.shared()?);
    let pieces = stream.pieces()?;
    launch_fed(env, run, events, move |run, ask| {
        let tokenize = |batches| subwords.tokenize(Source::Stream(batches), true, run);
        let Tokenized { texts, counts } = pieces.feed(run, ask, tokenize)?;
        if read.most.is_some_and(|most| counts.iter().any(|&count| count > most)) {
            return Ok(EncodedTexts { values: Vec::new().into(), counts: counts.into() });
        }
        let (name, shape) = known.network.inputs()?.swap_remove(0);
        let begins = std::iter::once(0).chain(texts.ends.iter().copied());
        let (mut ids, mut lengths) = (Vec::with_capacity(texts.ids.len()), Vec::new());
        for (&end, begin) in texts.ends.iter().zip(begins) {
            let tokens = &texts.ids[begin..end];
            let tokens = &tokens[..read.of(tokens)];
            ids.extend_from_slice(tokens);
            let own = tokens.len() as u32;
            let missing = |pad: &PadSpec| (pad.token, pad.length.saturating_sub(own));
            let (token, count) = read.pad.as_ref().map_or((0, 0), missing);
            ids.extend(std::iter::repeat_n(token, count as usize));
            lengths.push(own + count);
        }
        let tokens = Column::new(&name, Cells::Ids(ids), Some(&lengths), &shape)?;
        let (values, _) = part_of(&known.network, &[tokens], None, &part, run)?;
        Ok(EncodedTexts { values: values.into(), counts: counts.into() })
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

/// Networks that are loaded once for all threads: worker threads serve from the same weights.
static SHARED: Shared<Known> = Shared::new();

fn origins_of(json: &str) -> napi::Result<Origins> {
    serde_json::from_str(json)
        .map_err(|error| refuse(format!("origins that are not understood: {error}")))
}

/// How a network is loaded from files.
#[napi(object, object_to_js = false)]
pub struct LoadSpec {
    /// Where in them parameters are, as JSON.
    pub origins: String,
    /// Whether its weights have 8 bits where layers can work with them.
    pub bytes: bool,
    /// Whether it is the one that another thread has loaded from the same files, if there is one.
    pub shared: bool,
}

/// A network of a description, with the parameters of files.
#[napi(
    ts_args_type = "description: string, paths: string[], how: LoadSpec, run: RunSpec, events: Events<NetworkHandle>"
)]
pub fn load_network(
    env: &Env,
    description: String,
    paths: Vec<String>,
    how: LoadSpec,
    run: RunSpec,
    events: Events<'_, NetworkHandle>,
) -> napi::Result<RunHandle> {
    let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
    let LoadSpec { origins, bytes, shared } = how;
    let precision = if bytes { Precision::Bytes } else { Precision::Full };
    let read = origins_of(&origins)?;
    launch(env, run, events, move |_| {
        let load = || {
            let mut network = Network::blank(&description)?;
            let files = paths.iter().map(|path| inlay_formats::open(path));
            let files = files.collect::<Result<Vec<_>>>()?;
            let files: Vec<_> = files.iter().map(|file| &**file).collect();
            // Windows lets nobody replace a file that is mapped.
            let keep = if shared && cfg!(unix) { Keep::Files } else { Keep::Own };
            network.load(&files, &paths[0], &read, precision, keep)?;
            Ok(Known { network, losses: Vec::new(), validation: Vec::new() })
        };
        let known = match shared {
            true => {
                let kind = if bytes { "bytes" } else { "full" };
                SHARED.get(&[&description, &origins, kind], &paths, load)?
            }
            false => Arc::new(load()?),
        };
        Ok(NetworkHandle(Held::new(known)))
    })
}

/// Names of a file's tensors, and their shapes.
#[napi(object, object_from_js = false)]
pub struct TensorList {
    pub names: Vec<String>,
    pub shapes: Vec<Vec<f64>>,
}

/// What is in a safetensors file or one of PyTorch's.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<TensorList>")]
pub fn list_tensors(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, TensorList>,
) -> napi::Result<RunHandle> {
    launch(env, run, events, move |_| {
        let tensors = inlay_formats::open(&PathBuf::from(path))?;
        let wide = |shape: Vec<usize>| shape.into_iter().map(|axis| axis as f64).collect();
        let all = tensors.shapes().into_iter().map(|(name, shape)| (name.to_owned(), wide(shape)));
        let (names, shapes) = all.unzip();
        Ok(TensorList { names, shapes })
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
    let (known, path) = (network.known()?, PathBuf::from(path));
    launch(env, run, events, move |_| known.network.save(&path))
}

/// Writes a network's parameters where they came from: all tensors of `paths`, those that `origins` names with what the
/// network knows, to one file.
#[napi(
    ts_args_type = "network: NetworkHandle, paths: string[], origins: string, to: string, run: RunSpec, events: Events<void>"
)]
pub fn export_network(
    env: &Env,
    network: &NetworkHandle,
    paths: Vec<String>,
    origins: String,
    to: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let known = network.known()?;
    let origins = origins_of(&origins)?;
    launch(env, run, events, move |_| {
        let files = paths.iter().map(|path| inlay_formats::open(Path::new(path)));
        let files = files.collect::<Result<Vec<_>>>()?;
        let files: Vec<_> = files.iter().map(|file| &**file).collect();
        let first = paths.first().map_or(Path::new(""), Path::new);
        known.network.export(&files, first, &origins, Path::new(&to))
    })
}

/// The values of a parameter by its number, in PyTorch's order; `undefined` behind the last.
#[napi(
    ts_args_type = "network: NetworkHandle, number: number, run: RunSpec, events: Events<Float32Array | undefined>"
)]
pub fn parameter_values(
    env: &Env,
    network: &NetworkHandle,
    number: u32,
    run: RunSpec,
    events: Events<'_, Option<Float32Array>>,
) -> napi::Result<RunHandle> {
    let known = network.known()?;
    launch(env, run, events, move |_| {
        let found = known.network.parameters().get(number as usize);
        Ok(found.map(|parameter| parameter.get().into()))
    })
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
