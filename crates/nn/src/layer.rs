//! What a layer is: shapes, parameters, forward, backward, and the gradients of its parameters.

use inlay_base::{Random, Run};
use inlay_kernels::{Activation, Desk, Kernels, Start};

use crate::losses::Loss;
use crate::meeting::Seat;
use crate::parameter::{Blueprint, Parameter};
use crate::shape::Shape;

/// One kind of layer, with its options.
///
/// A batch is cut into shards by its items, one for each thread, and a shard goes forward and
/// backward by itself. Then the gradients of parameters are made, a piece of a parameter at a time,
/// each from all shards in their order. As products are chains of additions (see
/// `inlay_kernels::multiply`), nothing of that depends on where the batch was cut. What one shard must
/// know of the others it hears at its seat (see `Seat`).
pub trait Layer: Send + Sync {
    /// What comes out where `input` goes in.
    ///
    /// # Errors
    /// Why it cannot go in, as what follows the layer's name: "expects ...".
    fn shape(&self, input: &Shape) -> Result<Shape, String>;

    /// What it learns.
    fn parameters(&self, _input: &Shape) -> Vec<Blueprint> {
        Vec::new()
    }

    /// Rows that come of an item of so many, where lengths are not fixed.
    fn rows(&self, rows: usize) -> usize {
        rows
    }

    /// The least rows of an item that it can take, where lengths are not fixed.
    fn least_rows(&self) -> usize {
        0
    }

    /// The most rows of an item that it can take, where lengths are not fixed.
    fn most_rows(&self) -> usize {
        usize::MAX
    }

    /// The fewest items of a batch that it can learn from.
    fn least_items(&self, _input: &Shape) -> usize {
        1
    }

    /// Whether the items of a batch look at each other, or are worked on faster the more there are.
    fn wants_company(&self) -> bool {
        false
    }

    /// Whether an item may come in windows, one after the other, and give the same: each row goes by
    /// itself, or with what the layer carries from row to row.
    fn takes_windows(&self) -> bool {
        false
    }

    /// Numbers that an item carries from one window to the next.
    fn carries(&self) -> usize {
        0
    }

    /// Where it takes ids: they are below this.
    fn ids(&self) -> Option<usize> {
        None
    }

    /// Multiplications and additions for an item of `rows` rows.
    fn operations(&self, _input: &Shape, _rows: usize) -> u64 {
        0
    }

    /// What becomes of the places of the rows of a sequence.
    fn places(&self) -> Places {
        Places::Stay
    }

    /// Where it has a row of a table for each place: along each axis, places are below this.
    fn most_places(&self) -> Option<&[usize]> {
        None
    }

    /// Whether it does nothing but see rows otherwise: [4, 100] as [400].
    fn reshapes(&self) -> bool {
        false
    }

    /// The function of each value that it is, if that is all that it is.
    fn activation(&self) -> Option<Activation> {
        None
    }

    /// Whether it writes over what it is given, forward and backward, and wants neither afterwards.
    fn in_place(&self) -> bool {
        false
    }

    /// Whether `forward` can apply an activation to what it gives while that is still at hand.
    fn fuses(&self) -> bool {
        false
    }

    /// Whether `forward` can add what it gives to what is there, in encoding.
    fn adds(&self) -> bool {
        false
    }

    /// Whether each value that it gives is a sum of products with a row of its first parameter, plus a
    /// value of its second one, if it has two: then a scale and a shift can become part of both.
    fn takes_scale(&self) -> bool {
        false
    }

    /// Whether it gives each value of a row a scale and a shift, and nothing else, while encoding.
    fn scales(&self) -> bool {
        false
    }

    /// That scale and that shift, by what it has learnt.
    fn scale(&self, _parameters: &[Parameter]) -> Scale {
        unreachable!("a layer that scales says by how much")
    }

    /// Whether `backward` reads what `forward` gave.
    fn keeps_output(&self) -> bool {
        false
    }

    /// What stands in its place, as the last one, while a loss trains it that is worked out of a part of what it gives:
    /// that layer adds the loss itself, and gives nothing while it learns. `None`: the loss looks at all of it.
    fn taken_by(&self, _loss: &Loss) -> Option<Box<dyn Layer>> {
        None
    }

    /// Whether `forward` can work with a parameter of 8 bits (see `Parameter::bytes`).
    fn takes_bytes(&self, _parameter: usize) -> bool {
        false
    }

    /// Whether encoding reads a parameter in no other way than packed for products (see `Parameter::parts`).
    fn reads_packed(&self, parameter: usize, _input: &Shape) -> bool {
        self.takes_bytes(parameter)
    }

    /// Works out `pass.output` for all items of a shard.
    fn forward(&self, pass: &mut Forward<'_>);

    /// Turns the gradient of what it gave into that of what it was given.
    fn backward(&self, pass: &mut Backward<'_>);

    /// Works out the gradient of a piece of a parameter.
    fn learn(&self, _lesson: &mut Lesson<'_>) {
        unreachable!("a layer with parameters says how it learns them");
    }

    /// Whether the first shard's part of a parameter's gradient is a product that begins as `Lesson::start` says, so that
    /// nobody needs to fill it with zeros.
    fn begins(&self, _parameter: usize) -> bool {
        false
    }

    /// Says which rows of a parameter (of `Order::Table`; else columns) a shard's gradient is not nothing at, some perhaps
    /// more than once; `false`: at any.
    fn touches(&self, _parameter: usize, _known: Known<'_>, _touch: &mut dyn FnMut(u32)) -> bool {
        false
    }

    /// Brings a parameter that is kept, and not learnt by its gradient, up to date after a batch.
    fn keep(&self, _parameter: usize, _memo: &Memo, _values: &mut [f32]) {
        unreachable!("a layer that keeps numbers says how");
    }
}

/// What becomes of the places of the rows of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Places {
    /// As many rows come out, each at its place.
    Stay,
    /// Other rows come out, and `forward` says where they are (see `Forward::places`).
    Move,
    /// What comes out has no place.
    Go,
}

/// What becomes of each value of a row: scale·x + shift.
pub struct Scale {
    /// [width]
    pub scale: Vec<f64>,
    /// [width]
    pub shift: Vec<f64>,
}

/// Numbers of a shard between two layers: items one after the other, each of some rows.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// [rows, width]; empty for ids.
    pub values: &'a [f32],
    /// [rows]; empty for values.
    pub ids: &'a [u32],
    /// Where each item's rows begin, and where the last one's end.
    pub offsets: &'a [usize],
    /// The shape of an item.
    pub shape: &'a Shape,
    /// Where each row was in what became the item, as a patch in a picture: [rows, axes]; empty where nobody knows.
    pub places: &'a [u32],
}

impl Rows<'_> {
    /// The place of a row along each axis.
    pub fn place(&self, row: usize) -> &[u32] {
        let axes = self.shape.axes;
        &self.places[row * axes..][..axes]
    }

    /// How many items there are.
    pub fn items(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Rows of all items.
    pub fn rows(&self) -> usize {
        self.offsets.last().copied().unwrap_or(0)
    }

    /// Values of a row.
    pub fn width(&self) -> usize {
        self.shape.width
    }
}

/// What the forward pass of a layer leaves for its backward pass; used again in the next step.
#[derive(Default)]
pub struct Memo {
    /// Numbers.
    pub values: Vec<Vec<f32>>,
    /// Places.
    pub places: Vec<Vec<u32>>,
    /// Sums over a batch.
    pub sums: Vec<f64>,
    /// What each item carries from one window to the next, [items, numbers].
    pub carried: Vec<f32>,
}

impl Memo {
    /// `length` values under a number, with whatever they hold.
    pub fn values(&mut self, number: usize, length: usize) -> &mut Vec<f32> {
        if self.values.len() <= number {
            self.values.resize_with(number + 1, Vec::new);
        }
        self.values[number].resize(length, 0.0);
        &mut self.values[number]
    }

    /// Room for several lists of values at once, numbered from 0, with whatever they hold.
    pub fn lists<const N: usize>(&mut self, lengths: [usize; N]) -> &mut [Vec<f32>; N] {
        for (number, length) in lengths.into_iter().enumerate() {
            self.values(number, length);
        }
        self.values.first_chunk_mut().expect("lists that were just made")
    }

    /// `length` places under a number, with whatever they hold.
    pub fn places(&mut self, number: usize, length: usize) -> &mut Vec<u32> {
        if self.places.len() <= number {
            self.places.resize_with(number + 1, Vec::new);
        }
        self.places[number].resize(length, 0);
        &mut self.places[number]
    }
}

/// What the rows of the items at hand are of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stretch {
    /// All.
    #[default]
    Whole,
    /// Their first window: what is carried begins as nothing, and is kept.
    First,
    /// A window that goes on from the one before.
    Further,
}

/// What the network is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For its output.
    Encode,
    /// To learn: `backward` will follow.
    Train {
        /// Of random numbers, which belong to (seed, step, item) and not to shards.
        seed: u64,
        /// Number of the step.
        step: u64,
        /// The shard's first item in its batch.
        first: usize,
        /// The layer's number, so that each has numbers of its own.
        node: usize,
    },
}

impl Mode {
    /// For a layer's own random numbers.
    pub(crate) fn of(mut self, number: usize) -> Self {
        if let Self::Train { node, .. } = &mut self {
            *node = number;
        }
        self
    }

    /// Random numbers of an item of the shard for one layer, the same wherever the batch was cut; `None`
    /// while encoding.
    pub(crate) fn random(self, item: usize) -> Option<Random> {
        let Self::Train { seed, step, first, node } = self else { return None };
        let stream = (step << 32) ^ ((first + item) as u64);
        Some(Random::new(seed ^ ((node as u64) << 48), stream))
    }

    /// Random numbers of the whole batch for one layer; `None` while encoding.
    pub(crate) fn of_batch(self) -> Option<Random> {
        // No item has this number.
        let Self::Train { first, .. } = self else { return None };
        self.random(u32::MAX as usize - first)
    }
}

/// What all layers of a pass over a shard have in common.
pub struct Pass<'a> {
    /// The instruction set.
    pub kernels: Kernels,
    /// What it is all for.
    pub mode: Mode,
    /// Where the shards of the batch meet.
    pub seat: &'a Seat<'a>,
    /// By what the losses of all items are divided.
    pub share: f64,
    /// The shard's first item in its batch.
    pub first: usize,
    /// Of each row that comes out, the class that is wanted; where none are, empty.
    pub wanted: &'a [u32],
    /// The run that may stop it between two layers; what it gives is thrown away then.
    pub run: Option<&'a Run>,
}

/// A layer's forward pass over a shard.
pub struct Forward<'a> {
    /// The instruction set.
    pub kernels: Kernels,
    /// Where products work.
    pub desk: &'a mut Desk,
    /// Of this layer.
    pub parameters: &'a [Parameter],
    /// What it is given.
    pub input: Rows<'a>,
    /// Where each item's rows of the output begin.
    pub offsets: &'a [usize],
    /// What it gives: [rows, width]. A layer `in_place` finds its input here.
    pub output: &'a mut [f32],
    /// Where the places of what comes out are to be put, if they move and are known: [rows, axes], empty at first.
    pub places: Option<&'a mut Vec<u32>>,
    /// Whether what it gives is to be added to what is there, if the layer `adds`.
    pub added: bool,
    /// A function to apply last, if the layer `fuses`.
    pub activation: Option<Activation>,
    /// What the rows are of their items.
    pub stretch: Stretch,
    /// For the backward pass.
    pub memo: &'a mut Memo,
    /// What it is all for.
    pub mode: Mode,
    /// Where the shards of the batch meet; of use while training.
    pub seat: &'a Seat<'a>,
    /// As in `Pass`.
    pub wanted: &'a [u32],
    /// Of each item, before they are divided: a layer with a loss of its own adds it here. Empty while
    /// encoding.
    pub losses: &'a mut [f64],
}

/// A layer's backward pass over a shard.
pub struct Backward<'a> {
    /// The instruction set.
    pub kernels: Kernels,
    /// Where products work.
    pub desk: &'a mut Desk,
    /// Of this layer.
    pub parameters: &'a [Parameter],
    /// What it was given; without values if the layer is `in_place`.
    pub input: Rows<'a>,
    /// What it gave.
    pub output: Rows<'a>,
    /// Of the loss by what it gave. A layer `in_place` turns it into that by what it was given; others
    /// may write over it only what `learn` wants to find.
    pub output_gradient: &'a mut [f32],
    /// Of the loss by what it was given, to be written; nobody may want it.
    pub input_gradient: Option<&'a mut [f32]>,
    /// From the forward pass.
    pub memo: &'a mut Memo,
    /// As in the forward pass.
    pub mode: Mode,
    /// Where the shards of the batch meet.
    pub seat: &'a Seat<'a>,
    /// By what the losses of all items are divided.
    pub share: f64,
}

/// What a shard knows of a layer once it has gone backward.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// What the layer was given.
    pub input: Rows<'a>,
    /// What it gave.
    pub output: Rows<'a>,
    /// Of the loss by what it gave.
    pub output_gradient: &'a [f32],
    /// From both passes.
    pub memo: &'a Memo,
}

/// The making of a gradient.
pub struct Lesson<'a> {
    /// The instruction set.
    pub kernels: Kernels,
    /// Where products work.
    pub desk: &'a mut Desk,
    /// Which of the layer's parameters.
    pub parameter: usize,
    /// The first of the piece's columns (of a table: rows).
    pub first: usize,
    /// How many there are.
    pub count: usize,
    /// Numbers to work with, of the thread's own.
    pub room: &'a mut Vec<f32>,
    /// All shards, in order.
    pub shards: &'a mut dyn Iterator<Item = Known<'a>>,
    /// As long as the piece. The gradient is added to it.
    pub gradient: &'a mut [f32],
    /// Whether it holds nothing yet, as the layer `begins` it.
    pub fresh: bool,
}

impl Lesson<'_> {
    /// What a product into the gradient begins with; those after it go on from there.
    pub fn start(&mut self) -> Start<'static> {
        if std::mem::take(&mut self.fresh) { Start::Zero } else { Start::Held }
    }
}
