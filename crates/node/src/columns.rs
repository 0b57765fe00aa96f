//! What goes into a network and what is wanted of it, as JavaScript brings it.

use inlay_base::{Error, Result};
use inlay_nn::{Cells, Column, Content, Examples, Loss, Network, Positions, Shape};
use napi::bindgen_prelude::{Float32ArraySlice, Uint32ArraySlice};
use napi_derive::napi;

/// Numbers of the first block, which stays small where few come.
const FIRST: usize = 1 << 18;
/// Numbers of any other: so many bytes (36 MiB) that glibc maps it by itself. Smaller ones would lie on its
/// heap, and while that shrinks nobody gets memory.
const BLOCK: usize = 9 << 20;

/// Numbers in blocks while they come: a vector that grows moves all that it holds, and the event loop would wait.
#[derive(Default)]
pub struct Growing<T> {
    first: Vec<T>,
    others: Vec<Vec<T>>,
}

impl<T: Copy> Growing<T> {
    fn extend(&mut self, numbers: &[T]) {
        let Self { first, others } = self;
        let (now, mut later) = numbers.split_at(numbers.len().min(FIRST - first.len()));
        first.extend_from_slice(now);
        while !later.is_empty() {
            if others.last().is_none_or(|block| block.len() == BLOCK) {
                others.push(Vec::with_capacity(BLOCK));
            }
            let Some(block) = others.last_mut() else { return };
            let (now, left) = later.split_at(later.len().min(BLOCK - block.len()));
            block.extend_from_slice(now);
            later = left;
        }
    }

    /// All in one; each block is freed as soon as it is copied.
    fn joined(self) -> Vec<T> {
        let Self { first, others } = self;
        if others.is_empty() {
            return first;
        }
        let mut all = Vec::with_capacity(first.len() + others.iter().map(Vec::len).sum::<usize>());
        std::iter::once(first).chain(others).for_each(|block| all.extend_from_slice(&block));
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
