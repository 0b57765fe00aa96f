use inlay_kernels::{Sparse, add_products, sampled_products};

use super::HierarchicalSoftmax;
use crate::data::IGNORED;
use crate::layer::{Backward, Forward, Known, Layer, Lesson, Memo, Mode};
use crate::layers::sampled::within;
use crate::parameter::{Blueprint, Parameter};
use crate::shape::Shape;

/// A hierarchical softmax while cross-entropy trains it: of each row only the nodes on the way to its own class are looked at.
/// What these know is put side by side once a shard.
pub(super) struct Paths(HierarchicalSoftmax);

/// What the way forward leaves behind.
struct Kept<'a> {
    /// Of each step of a row's way: its score, then the slope of its loss.
    slopes: &'a mut Vec<f32>,
    /// Of each node on any way: its weights, [nodes, inputs].
    weights: &'a mut Vec<f32>,
    /// The slopes once more, node by node; the way back makes them.
    by_node: &'a mut Vec<f32>,
    /// Where each row's steps begin, and where the last one's end.
    offsets: &'a mut Vec<u32>,
    /// Of each step: its node's place in `nodes`.
    steps: &'a mut Vec<u32>,
    /// The nodes on any way, in order.
    nodes: &'a mut Vec<u32>,
    /// As `offsets`, of each node; the way back makes them.
    node_offsets: &'a mut Vec<u32>,
    /// Of each of a node's steps: its row.
    rows: &'a mut Vec<u32>,
    /// Of each node of the tree its place in `nodes` while these are looked for; else 0.
    places: &'a mut Vec<u32>,
}

impl<'a> Kept<'a> {
    /// The lists, with what they hold.
    fn of(memo: &'a mut Memo) -> Self {
        memo.values.resize_with(memo.values.len().max(3), Vec::new);
        memo.places.resize_with(memo.places.len().max(6), Vec::new);
        let Memo { values, places, .. } = memo;
        let (
            [slopes, weights, by_node, ..],
            [offsets, steps, nodes, node_offsets, rows, places, ..],
        ) = (&mut values[..], &mut places[..])
        else {
            unreachable!("lists that were just made")
        };
        Self { slopes, weights, by_node, offsets, steps, nodes, node_offsets, rows, places }
    }
}

impl Paths {
    pub(super) fn new(whole: HierarchicalSoftmax) -> Self {
        Self(whole)
    }

    /// Finds the ways to what is wanted, and the nodes on them.
    fn look(&self, wanted: &[u32], kept: &mut Kept<'_>) {
        let Kept { offsets, steps, nodes, places, .. } = kept;
        let huffman = &self.0.tree().huffman;
        places.resize(huffman.inner(), 0);
        nodes.clear();
        for &class in wanted.iter().filter(|&&class| class != IGNORED) {
            for node in huffman.path(class).map(|branch| branch.node) {
                if places[node as usize] == 0 {
                    places[node as usize] = 1;
                    nodes.push(node);
                }
            }
        }
        nodes.sort_unstable();
        nodes.iter().zip(0..).for_each(|(&node, place)| places[node as usize] = place);
        offsets.clear();
        steps.clear();
        offsets.push(0);
        for &class in wanted {
            if class != IGNORED {
                steps.extend(huffman.path(class).map(|branch| places[branch.node as usize]));
            }
            offsets.push(steps.len() as u32);
        }
        nodes.iter().for_each(|&node| places[node as usize] = 0);
    }

    /// Puts the weights of nodes side by side, and lets scores begin with their biases.
    fn gather(&self, pass: &Forward<'_>, kept: &mut Kept<'_>) {
        let Kept { slopes, weights, steps, nodes, .. } = kept;
        let inputs = pass.input.width();
        let weight = &pass.parameters[0];
        weights.resize(nodes.len() * inputs, 0.0);
        for number in 0..weight.pieces() {
            let piece = weight.piece(number);
            let here = within(nodes, piece.first, piece.count);
            let rows = &mut weights[here.start * inputs..here.end * inputs];
            turn(&nodes[here], piece.first, piece.count, inputs, |column, row| {
                rows[row] = piece.values[column];
            });
        }
        let bias = pass.parameters.get(1).map(Parameter::whole);
        let first = |&step: &u32| {
            bias.as_ref().map_or(0.0, |bias| bias.values[nodes[step as usize] as usize])
        };
        slopes.clear();
        slopes.extend(steps.iter().map(first));
    }
}

/// Goes over some columns of [inputs, count], those of `nodes` less `first`, as they would be rows: where each value is, and
/// where it would be.
fn turn(
    nodes: &[u32],
    first: usize,
    count: usize,
    inputs: usize,
    mut pair: impl FnMut(usize, usize),
) {
    // Values of a row that are written together: a line of the cache.
    const LINE: usize = 16;
    for begin in (0..inputs).step_by(LINE) {
        for (row, &node) in nodes.iter().enumerate() {
            for input in begin..inputs.min(begin + LINE) {
                pair(input * count + (node as usize - first), row * inputs + input);
            }
        }
    }
}

impl Layer for Paths {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        self.0.shape(input)
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        self.0.parameters(input)
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        self.0.operations(input, rows)
    }

    /// What is on the way to many classes is put side by side once.
    fn wants_company(&self) -> bool {
        true
    }

    fn takes_windows(&self) -> bool {
        true
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        if pass.mode == Mode::Encode {
            return self.0.forward(pass);
        }
        let mut memo = std::mem::take(&mut *pass.memo);
        let mut kept = Kept::of(&mut memo);
        self.look(pass.wanted, &mut kept);
        self.gather(pass, &mut kept);
        let Kept { slopes, weights, offsets, steps, .. } = kept;
        let ways = Sparse { offsets, columns: steps };
        let both = (pass.input.values, &weights[..]);
        sampled_products(pass.kernels, ways, both, pass.input.width(), slopes);
        let mut slopes = slopes.iter_mut();
        for (ends, loss) in pass.input.offsets.windows(2).zip(&mut *pass.losses) {
            let wanted = pass.wanted[ends[0]..ends[1]].iter().filter(|&&class| class != IGNORED);
            let branches = wanted.flat_map(|&class| self.0.tree().huffman.path(class));
            for (branch, slope) in branches.zip(&mut slopes) {
                let sign = if branch.right { -1.0 } else { 1.0 };
                let along = sign * f64::from(*slope);
                // ln(1 + e⁻|s|) never overflows.
                *loss += (-along).max(0.0) + (-along.abs()).exp().ln_1p();
                *slope = (-sign / (1.0 + along.exp())) as f32;
            }
        }
        *pass.memo = memo;
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let (inputs, rows) = (pass.input.width(), pass.input.rows());
        let kept = Kept::of(pass.memo);
        let scale = if pass.share > 0.0 { (1.0 / pass.share) as f32 } else { 0.0 };
        kept.slopes.iter_mut().for_each(|slope| *slope *= scale);
        let ways = Sparse { offsets: kept.offsets, columns: kept.steps };
        if let Some(to) = &mut pass.input_gradient {
            to.fill(0.0);
            add_products(pass.kernels, ways, kept.slopes, kept.weights, inputs, to);
        }
        // Counted, then laid where the count of those before says.
        let ends = &mut *kept.node_offsets;
        ends.clear();
        ends.resize(kept.nodes.len() + 2, 0);
        kept.steps.iter().for_each(|&step| ends[step as usize + 2] += 1);
        (2..ends.len()).for_each(|at| ends[at] += ends[at - 1]);
        kept.by_node.resize(kept.slopes.len(), 0.0);
        kept.rows.resize(kept.slopes.len(), 0);
        for row in 0..rows {
            for at in kept.offsets[row] as usize..kept.offsets[row + 1] as usize {
                let end = &mut ends[kept.steps[at] as usize + 1];
                (kept.by_node[*end as usize], kept.rows[*end as usize]) =
                    (kept.slopes[at], row as u32);
                *end += 1;
            }
        }
        ends.pop();
    }

    fn touches(&self, _parameter: usize, known: Known<'_>, touch: &mut dyn FnMut(u32)) -> bool {
        known.memo.places[2].iter().for_each(|&node| touch(node));
        true
    }

    /// Each sum goes on from what is there already, in the order of rows: it is the same wherever the batch was cut.
    fn learn(&self, lesson: &mut Lesson<'_>) {
        let (first, count) = (lesson.first, lesson.count);
        for known in &mut *lesson.shards {
            let ([_, _, by_node, ..], [_, _, nodes, node_offsets, rows, ..]) =
                (&known.memo.values[..], &known.memo.places[..])
            else {
                unreachable!("what the way forward has kept")
            };
            let here = within(nodes, first, count);
            let ways = Sparse { offsets: &node_offsets[here.start..=here.end], columns: &rows[..] };
            let (nodes, inputs) = (&nodes[here.clone()], known.input.width());
            let (gradient, room) = (&mut *lesson.gradient, &mut *lesson.room);
            if lesson.parameter == 1 {
                for (&node, ends) in nodes.iter().zip(ways.offsets.windows(2)) {
                    let slopes = by_node[ends[0] as usize..ends[1] as usize].iter();
                    slopes.for_each(|slope| gradient[node as usize - first] += slope);
                }
                continue;
            }
            room.resize(nodes.len() * inputs, 0.0);
            turn(nodes, first, count, inputs, |column, row| room[row] = gradient[column]);
            add_products(lesson.kernels, ways, by_node, known.input.values, inputs, room);
            turn(nodes, first, count, inputs, |column, row| gradient[column] = room[row]);
        }
    }
}
