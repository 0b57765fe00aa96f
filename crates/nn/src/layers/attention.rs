#[cfg(test)]
pub(super) mod tests;

use std::sync::OnceLock;

use inlay_base::Random;
use inlay_kernels::{Attention, Kernels, MapWindows, Within, rotate};
use serde::Deserialize;

use super::linear::{Linear, learn_bias, learn_weight};
use super::relative::Buckets;
use super::rotary::{Rotary, turns_of_places};
use super::windows_of_map::WindowsOfMap;
use crate::layer::{Backward, Forward, Layer, Lesson, Memo, Mode, Rows};
use crate::parameter::{Blueprint, Initial, Order, Parameter};
use crate::shape::Shape;

/// The rows of an item look at each other, a part of their values in each head (Vaswani et al. 2017,
/// section 3.2.2): PyTorch's `MultiheadAttention` of a sequence with itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SelfAttention {
    heads: usize,
    /// Whether a row sees only itself and those before it.
    #[serde(default)]
    causal: bool,
    #[serde(default = "super::yes")]
    bias: bool,
    /// Rows that a row sees on each side of itself; without: all.
    window: Option<usize>,
    /// Queries and keys turn by angles that grow with their places (see `rotary.rs`).
    rotary: Option<Rotary>,
    /// By the places of rows along several axes, and not by their numbers: how many pairs of a head turn by each axis.
    #[serde(default)]
    axes: Vec<usize>,
    /// A value for each head by how far away a row is (see `relative.rs`). It is not learnt here.
    relative: Option<Buckets>,
    /// The windows of a map, within which its rows look at each other (see `windows_of_map.rs`).
    #[serde(rename = "mapWindows")]
    map_windows: Option<WindowsOfMap>,
    #[serde(skip)]
    windows: OnceLock<MapWindows>,
    /// In training, each weight of a row for another becomes zero with this probability.
    #[serde(default)]
    dropout: f32,
}

/// Lists of the memo that `learn` reads. They are, forward: queries, keys and values of all rows; what
/// the heads see; what they need to go back; room to work. Backward: the gradients of the first two. Behind them, by how
/// much each place turns, and what each head adds for a distance.
const SEEN: usize = 1;
const PROJECTED_GRADIENT: usize = 4;
const TURNS: usize = 6;
const RELATIVE: usize = 7;
/// Where rows have places: the turns of each place.
const KEPT: usize = 8;

/// What the memo keeps for all items of a shard, while it is out of there.
struct Places {
    turns: Vec<f32>,
    relative: Vec<f32>,
    kept: Vec<f32>,
}

impl SelfAttention {
    /// `narrow` says whether weights have been rounded to 8 bits: then products of 16 bits lose little beside that.
    fn heads<'a>(&'a self, width: usize, places: &'a Places, narrow: bool) -> Attention<'a> {
        let &Self { heads, causal, window, dropout, .. } = self;
        let added = &places.relative[..];
        let within = self.windows.get().map(|windows| Within { windows, biases: added });
        let relative = if within.is_some() { &[] } else { added };
        let (width, pairs) = (width / heads, &[]);
        Attention { heads, width, causal, window, relative, pairs, within, dropout, narrow }
    }

    /// Takes out what is kept for places.
    fn places(&self, memo: &mut Memo) -> Places {
        memo.values.resize_with(memo.values.len().max(KEPT + 1), Vec::new);
        let [turns, relative, kept] =
            [TURNS, RELATIVE, KEPT].map(|list| std::mem::take(&mut memo.values[list]));
        Places { turns, relative, kept }
    }

    /// Makes what the places of rows need.
    fn prepare(&self, places: &mut Places, parameters: &[Parameter], input: Rows<'_>) {
        match &self.rotary {
            Some(Rotary::Base(base)) if !self.axes.is_empty() => {
                let Places { turns, kept, .. } = places;
                turns_of_places(turns, kept, *base, &self.axes, input.places);
            }
            Some(rotary) => {
                let head = input.width() / self.heads;
                rotary.turns(&mut places.turns, head, longest(input.offsets));
            }
            None => {}
        }
        let (heads, width, to) = (self.heads, input.width(), &mut places.relative);
        if let (Some(buckets), Some(learnt)) = (self.relative, parameters.last()) {
            buckets.lay_out(&learnt.whole().values, heads, to);
        }
        if let (Some(windows), Some(learnt)) = (self.windows.get(), parameters.last()) {
            windows.lay_out(&learnt.whole().values, heads, width / heads, to);
        }
    }

    /// Queries and keys of an item [rows, 3·width], whose first row in the shard is `first`, turn by their places.
    fn turn(
        &self,
        kernels: Kernels,
        projected: &mut [f32],
        (width, first): (usize, usize),
        places: &Places,
        back: bool,
    ) {
        if self.rotary.is_some() {
            let (rows, head) = (projected.len() / (3 * width), width / self.heads);
            // Without places of their own, rows of all items begin at the same one.
            let first = if self.axes.is_empty() { 0 } else { first };
            let turns = &places.turns[first * head..][..rows * head];
            rotate(kernels, projected, 3 * width, 2 * self.heads, turns, back);
        }
    }

    fn keep_places(&self, memo: &mut Memo, places: Places) {
        memo.values[TURNS] = places.turns;
        memo.values[RELATIVE] = places.relative;
        memo.values[KEPT] = places.kept;
    }

    /// What goes into the heads, and what comes out of them.
    fn linears<'a>(
        &self,
        kernels: Kernels,
        parameters: &'a [Parameter],
        rows: usize,
    ) -> [Linear<'a>; 2] {
        let step = 1 + usize::from(self.bias);
        [0, step].map(|first| {
            let bias = self.bias.then(|| &parameters[first + 1]);
            Linear { kernels, weight: &parameters[first], bias, rows }
        })
    }

    /// An item's own random numbers, wherever the batch was cut.
    fn random(&self, mode: Mode, item: usize) -> Option<Random> {
        if self.dropout > 0.0 { mode.random(item) } else { None }
    }
}

/// How long the longest item is.
fn longest(offsets: &[usize]) -> usize {
    offsets.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0)
}

impl Layer for SelfAttention {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if self.heads == 0 || input.width == 0 || !input.width.is_multiple_of(self.heads) {
            let heads = self.heads;
            return Err(format!("expects rows whose width {heads} heads can share"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(format!("expects a dropout from 0 up to 1, got {}", self.dropout));
        }
        let problem = |rotary: &Rotary| rotary.problem(input.width / self.heads);
        if let Some(problem) = self.rotary.as_ref().and_then(problem) {
            return Err(problem);
        }
        if !self.axes.is_empty() {
            let (pairs, head) = (
                self.axes.iter().try_fold(0usize, |sum, &n| sum.checked_add(n)),
                input.width / self.heads,
            );
            let turns = matches!(self.rotary, Some(Rotary::Base(_)));
            if !turns || pairs.and_then(|pairs| pairs.checked_mul(2)) != Some(head) {
                let problem = "a rotary base beside `axes`, which share out half of a head";
                return Err(format!("expects {problem}, got {:?} of {head}", self.axes));
            }
            input.placed(self.axes.len())?;
        }
        if let Some(problem) = self.relative.and_then(Buckets::problem) {
            return Err(problem);
        }
        if let Some(windows) = self.map_windows {
            let alone = !self.causal && self.window.is_none() && self.relative.is_none();
            if !alone || self.rotary.is_some() {
                return Err(
                    "expects `mapWindows` without `causal`, `window`, `rotary` or `relative`"
                        .into(),
                );
            }
            let found = windows.of(input)?;
            self.windows.get_or_init(|| found);
        }
        Ok(input.clone())
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        let width = input.width;
        // As PyTorch has it: Glorot's uniform on the way in, that of dense layers on the way out.
        let glorot = Initial::Uniform((6.0 / (4 * width) as f32).sqrt());
        let dense = Initial::Uniform(1.0 / (width as f32).sqrt());
        let zeros = |name, length| Blueprint::vector(name, length, Initial::Constant(0.0));
        let mut all = vec![Blueprint::matrix("in_proj_weight", &[3 * width, width], glorot)];
        all.extend(self.bias.then(|| zeros("in_proj_bias", 3 * width)));
        all.push(Blueprint::matrix("out_proj.weight", &[width, width], dense));
        all.extend(self.bias.then(|| zeros("out_proj.bias", width)));
        let distances = self.relative.map(|Buckets { buckets, .. }| buckets);
        let distances = distances.or(self.map_windows.map(WindowsOfMap::distances));
        all.extend(distances.map(|distances| Blueprint {
            shape: vec![distances, self.heads],
            order: Order::Table,
            ..Blueprint::kept("relative_bias", 0, 0.0)
        }));
        all
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        let (rows, width) = (rows as u64, input.width as u64);
        let near = match (self.window, self.map_windows) {
            (Some(window), _) => 2 * window as u64 + 1,
            (_, Some(windows)) => (windows.side * windows.side) as u64,
            _ => rows,
        };
        let near = rows.min(near);
        let pairs = if self.causal { rows * (near + 1) / 2 } else { rows * near };
        8 * rows * width * width + 4 * pairs * width
    }

    fn takes_bytes(&self, parameter: usize) -> bool {
        // The two matrices.
        parameter == 0 || parameter == 1 + usize::from(self.bias)
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let (rows, width) = (pass.input.rows(), pass.input.width());
        let mut places = self.places(pass.memo);
        self.prepare(&mut places, pass.parameters, pass.input);
        let heads = self.heads(width, &places, pass.parameters[0].bytes().is_some());
        let room = heads.scratch(longest(pass.offsets));
        let [projected, seen, logarithms, scratch] =
            pass.memo.lists([3 * rows * width, rows * width, rows * self.heads, room]);
        let [inward, outward] = self.linears(pass.kernels, pass.parameters, rows);
        inward.forward(pass.input.values, projected, None, pass.desk);
        for (item, ends) in pass.offsets.windows(2).enumerate() {
            let here = |part: usize| ends[0] * part..ends[1] * part;
            let projected = &mut projected[here(3 * width)];
            self.turn(pass.kernels, projected, (width, ends[0]), &places, false);
            heads.forward(
                pass.kernels,
                projected,
                &mut seen[here(width)],
                &mut logarithms[here(self.heads)],
                self.random(pass.mode, item).as_mut(),
                scratch,
                pass.desk,
            );
        }
        outward.forward(seen, pass.output, None, pass.desk);
        self.keep_places(pass.memo, places);
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let (rows, width) = (pass.input.rows(), pass.input.width());
        let places = self.places(pass.memo);
        let heads = self.heads(width, &places, false);
        let room = heads.scratch(longest(pass.input.offsets));
        let (all, once) = (3 * rows * width, rows * width);
        let [projected, seen, logarithms, scratch, projected_gradient, seen_gradient] =
            pass.memo.lists([all, once, rows * self.heads, room, all, once]);
        let [inward, outward] = self.linears(pass.kernels, pass.parameters, rows);
        outward.backward(pass.output_gradient, seen_gradient, pass.desk);
        for (item, ends) in pass.input.offsets.windows(2).enumerate() {
            let here = |part: usize| ends[0] * part..ends[1] * part;
            let gradient = &mut projected_gradient[here(3 * width)];
            heads.backward(
                pass.kernels,
                &projected[here(3 * width)],
                &seen[here(width)],
                &logarithms[here(self.heads)],
                &seen_gradient[here(width)],
                gradient,
                self.random(pass.mode, item).as_mut(),
                scratch,
                pass.desk,
            );
            self.turn(pass.kernels, gradient, (width, ends[0]), &places, true);
        }
        if let Some(to) = &mut pass.input_gradient {
            inward.backward(projected_gradient, to, pass.desk);
        }
        self.keep_places(pass.memo, places);
    }

    // What is relative stays as it was.
    fn keep(&self, _parameter: usize, _memo: &Memo, _values: &mut [f32]) {}

    fn begins(&self, parameter: usize) -> bool {
        parameter == 0 || parameter == if self.bias { 2 } else { 1 }
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        let number = if self.bias { lesson.parameter } else { 2 * lesson.parameter };
        while let Some(known) = lesson.shards.next() {
            let (rows, width) = (known.input.rows(), known.input.width());
            let inward = &known.memo.values[PROJECTED_GRADIENT];
            let outward = known.output_gradient;
            match number {
                0 => learn_weight(lesson, known.input.values, inward, (rows, width, 3 * width)),
                1 => learn_bias(lesson, inward, rows, 3 * width),
                2 => {
                    let seen = &known.memo.values[SEEN];
                    learn_weight(lesson, seen, outward, (rows, width, width));
                }
                _ => learn_bias(lesson, outward, rows, width),
            }
        }
    }
}
