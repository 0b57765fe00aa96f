//! What goes into a network and what is wanted of it, as JavaScript brings it.

use inlay_base::{Error, Result};
use inlay_nn::{Cells, Column, Content, Examples, Loss, Network, Positions, Shape};
use napi::bindgen_prelude::{Float32ArraySlice, Uint32ArraySlice};
use napi_derive::napi;

/// Numbers of a block.
const BLOCK: usize = 1 << 18;

/// Numbers in blocks while they come: a vector that grows moves all that it holds, and the event loop would wait.
#[derive(Default)]
pub struct Growing<T>(Vec<Vec<T>>);

impl<T: Copy> Growing<T> {
    fn extend(&mut self, mut numbers: &[T]) {
        while !numbers.is_empty() {
            if self.0.last().is_none_or(|block| block.len() == BLOCK) {
                // The first one may stay small.
                let capacity = if self.0.is_empty() { 0 } else { BLOCK };
                self.0.push(Vec::with_capacity(capacity));
            }
            let Some(block) = self.0.last_mut() else { return };
            let (now, later) = numbers.split_at(numbers.len().min(BLOCK - block.len()));
            block.extend_from_slice(now);
            numbers = later;
        }
    }

    /// All in one; each block is freed as soon as it is copied.
    fn joined(mut self) -> Vec<T> {
        if self.0.len() < 2 {
            return self.0.pop().unwrap_or_default();
        }
        let mut all = Vec::with_capacity(self.0.iter().map(Vec::len).sum());
        self.0.into_iter().for_each(|block| all.extend_from_slice(&block));
        all
    }
}

/// Items of an input, as they come.
#[napi]
#[derive(Default)]
pub struct ColumnHandle {
    ids: Growing<u32>,
    values: Growing<f32>,
    lengths: Growing<u32>,
    places: Growing<u32>,
}

#[napi]
impl ColumnHandle {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    #[napi]
    pub fn add_ids(&mut self, #[napi(ts_arg_type = "Uint32Array")] ids: Uint32ArraySlice<'_>) {
        self.ids.extend(&ids);
    }

    #[napi]
    pub fn add_values(
        &mut self,
        #[napi(ts_arg_type = "Float32Array")] values: Float32ArraySlice<'_>,
    ) {
        self.values.extend(&values);
    }

    #[napi]
    pub fn add_lengths(
        &mut self,
        #[napi(ts_arg_type = "Uint32Array")] lengths: Uint32ArraySlice<'_>,
    ) {
        self.lengths.extend(&lengths);
    }

    /// The place of each row along each axis.
    #[napi]
    pub fn add_places(
        &mut self,
        #[napi(ts_arg_type = "Uint32Array")] places: Uint32ArraySlice<'_>,
    ) {
        self.places.extend(&places);
    }
}

/// A column before it has been checked.
pub type Parts = ColumnHandle;

pub fn taken(column: &mut ColumnHandle) -> Parts {
    std::mem::take(column)
}

fn column(name: &str, parts: Parts, shape: &Shape) -> Result<Column> {
    let ColumnHandle { ids, values, lengths, places } = parts;
    let cells = match shape.content {
        Content::Ids => Cells::Ids(ids.joined()),
        Content::Values => Cells::Values(values.joined()),
    };
    let lengths = lengths.joined();
    let lengths = (shape.positions == Positions::Any).then_some(&lengths[..]);
    let column = Column::new(name, cells, lengths, shape)?;
    match shape.axes {
        0 => Ok(column),
        axes => column.placed(name, places.joined(), axes),
    }
}

pub fn columns(network: &Network, parts: Vec<Parts>) -> Result<Vec<Column>> {
    columns_of(&network.inputs()?, &[], parts)
}

/// Of a loss over pairs they come again and again: for each of the `companions`.
fn columns_of(
    inputs: &[(String, Shape)],
    companions: &[&str],
    parts: Vec<Parts>,
) -> Result<Vec<Column>> {
    let others = companions.iter().map(|companion| format!("{companion} of"));
    let groups = std::iter::once("input".to_string()).chain(others);
    let names = groups.flat_map(|group| inputs.iter().map(move |input| (group.clone(), input)));
    let named = names
        .zip(parts)
        .map(|((group, (name, shape)), parts)| column(&format!("{group} `{name}`"), parts, shape));
    named.collect()
}

pub fn examples(
    network: &Network,
    loss: &Loss,
    inputs: Vec<Parts>,
    targets: Option<Parts>,
) -> Result<Examples> {
    let (shapes, target) = (network.inputs()?, target(network, loss)?);
    let inputs = columns_of(&shapes, loss.companions(), inputs)?;
    with_targets(inputs, target.as_ref(), targets)
}

/// What a loss wants beside each example.
pub fn target(network: &Network, loss: &Loss) -> Result<Option<Shape>> {
    let problem =
        |problem| Error::InvalidInput { source: "the network".into(), offset: None, problem };
    loss.target(&network.output(None)?).map_err(problem)
}

pub fn of_block(
    shapes: &[(String, Shape)],
    target: Option<&Shape>,
    inputs: Vec<Parts>,
    targets: Option<Parts>,
) -> Result<Examples> {
    with_targets(columns_of(shapes, &[], inputs)?, target, targets)
}

fn with_targets(
    inputs: Vec<Column>,
    target: Option<&Shape>,
    targets: Option<Parts>,
) -> Result<Examples> {
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
