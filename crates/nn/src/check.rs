//! How layers are tested: forward against a plain formula in f64, and every gradient, of what goes in and
//! of each parameter, against the finite differences of that formula.

use inlay_base::Run;
use inlay_kernels::{Desk, Kernels};
use serde_json::{Value, json};

use crate::layer::{Lesson, Mode, Pass, Stretch};
use crate::losses::Loss;
use crate::meeting::{Meeting, Seat};
use crate::network::Network;
use crate::plan::{Plan, Purpose, Work};
use crate::shard::Shard;

/// Layers, and what goes into them.
pub(crate) struct Case {
    /// A list of layers.
    pub layers: Value,
    /// Of an item; `None`: any.
    pub positions: Option<Vec<usize>>,
    /// Values of a row.
    pub width: usize,
    /// Rows of each item; what `positions` say, if they do.
    pub lengths: Vec<usize>,
}

/// What goes in, in f64.
pub(crate) struct Items {
    /// [rows, width]
    pub values: Vec<f64>,
    /// Where each item's rows begin, and where the last one's end.
    pub offsets: Vec<usize>,
    /// Whether they go in to be learnt from: in step 1, with `SEED`.
    pub training: bool,
}

/// Where a row is along an axis, in a case whose places are known.
pub(crate) fn place(row: usize, axis: usize) -> usize {
    (row * (5 + 2 * axis) + row / 3) % (4 + axis)
}

/// What a forward and a backward pass gave.
#[derive(PartialEq, Debug)]
struct Outcome {
    output: Vec<f32>,
    /// What layers have added to the losses of all items.
    loss: f64,
    gradients: Vec<Vec<f32>>,
}

/// Of all random numbers.
pub(crate) const SEED: u64 = 5;

/// Compares layers with `reference`, which gives the output for items and parameters (in the order and
/// layout of PyTorch). What goes in is the table of an embedding, so that its gradient is found as well.
pub(crate) fn check(case: &Case, reference: impl Fn(&Items, &[Vec<f64>]) -> Vec<f64>) {
    check_with_losses(case, |items, parameters| (reference(items, parameters), 0.0));
}

/// The same where the place of each row along so many axes is known: see `place`.
pub(crate) fn check_placed(
    case: &Case,
    axes: usize,
    reference: impl Fn(&Items, &[Vec<f64>]) -> Vec<f64>,
) {
    let reference = |items: &Items, parameters: &[Vec<f64>]| (reference(items, parameters), 0.0);
    check_all(case, axes, &Loss::SquaredError, &[], reference);
}

/// The same for layers that have losses of their own: `reference` gives their sum over all items as well.
pub(crate) fn check_with_losses(
    case: &Case,
    reference: impl Fn(&Items, &[Vec<f64>]) -> (Vec<f64>, f64),
) {
    check_together(case, &Loss::SquaredError, &[], reference);
}

/// The same where a loss takes over the last layer, and wants a class of each row.
pub(crate) fn check_together(
    case: &Case,
    loss: &Loss,
    wanted: &[u32],
    reference: impl Fn(&Items, &[Vec<f64>]) -> (Vec<f64>, f64),
) {
    check_all(case, 0, loss, wanted, reference);
}

fn check_all(
    case: &Case,
    axes: usize,
    loss: &Loss,
    wanted: &[u32],
    reference: impl Fn(&Items, &[Vec<f64>]) -> (Vec<f64>, f64),
) {
    let classes = wanted;
    let mut offsets = vec![0];
    case.lengths.iter().for_each(|length| offsets.push(offsets[offsets.len() - 1] + length));
    let rows = offsets[case.lengths.len()];
    let mut layers =
        vec![json!({"kind": "embedding", "values": rows.max(1), "dimensions": case.width})];
    layers.extend(case.layers.as_array().expect("a list").clone());
    let input = json!({"content": "ids", "positions": case.positions, "axes": axes});
    let description = json!({"inputs": [input], "layers": layers}).to_string();
    let mut network = Network::new(&description, SEED).expect("a network");
    let mut plan = network.plan(Purpose::Train, &[]).expect("a plan");
    plan.hand_over(loss).expect("a last layer that it can take over");
    assert_eq!(network.parameters.len(), plan_parameters(&plan));
    let wide = |values: Vec<f32>| -> Vec<f64> { values.into_iter().map(f64::from).collect() };
    let parameters: Vec<Vec<f64>> =
        network.parameters.iter().map(|found| wide(found.get())).collect();

    for kernels in Kernels::available() {
        network.make_ready(&plan, kernels);
        let outcome = run(&network, &plan, (&offsets, classes), kernels, 1);
        let given =
            Items { values: parameters[0].clone(), offsets: offsets.clone(), training: true };
        let (wanted, loss) = reference(&given, &parameters[1..]);
        close(&outcome.output, &wanted, &format!("{} output", kernels.name()));
        close(&[outcome.loss as f32], &[loss], &format!("{} loss", kernels.name()));
        for threads in [2, 3] {
            let again = run(&network, &plan, (&offsets, classes), kernels, threads);
            assert_eq!(again, outcome, "{threads} shards");
        }
        let loss = |parameters: &[Vec<f64>]| -> f64 {
            let given =
                Items { values: parameters[0].clone(), offsets: offsets.clone(), training: true };
            let (output, loss) = reference(&given, &parameters[1..]);
            let weighted = output.iter().enumerate().map(|(i, y)| y * f64::from(weight(i)));
            weighted.sum::<f64>() + loss / SHARE
        };
        for (number, gradient) in outcome.gradients.iter().enumerate() {
            // Of a large parameter some values here and there.
            let some = if gradient.len() > 512 { (gradient.len() / 97) | 1 } else { 1 };
            let places = (0..gradient.len()).step_by(some);
            let found: Vec<f32> = places.clone().map(|i| gradient[i]).collect();
            let slopes: Vec<f64> = places.map(|i| slope(&parameters, number, i, &loss)).collect();
            let name = &network.parameters[number].name;
            close(&found, &slopes, &format!("{} gradient of {name}", kernels.name()));
        }
    }
    network.prepare();
    let encoded = Plan::new(
        crate::description::Description::parse(&description).expect("a description"),
        Purpose::Encode(None),
        &[],
    );
    let encoded = forward(&network, &encoded.expect("a plan"), &offsets);
    let given = Items { values: parameters[0].clone(), offsets: offsets.clone(), training: false };
    close(&encoded, &reference(&given, &parameters[1..]).0, "encoded");
}

/// By what the losses of layers are divided.
const SHARE: f64 = 3.0;

/// The loss is Σ weight·output.
fn weight(i: usize) -> f32 {
    ((i * 29 % 17) as f32 - 8.0) / 8.0
}

fn slope(
    parameters: &[Vec<f64>],
    number: usize,
    i: usize,
    loss: &impl Fn(&[Vec<f64>]) -> f64,
) -> f64 {
    const STEP: f64 = 1e-6;
    let mut moved = parameters.to_vec();
    moved[number][i] += STEP;
    let above = loss(&moved);
    moved[number][i] -= 2.0 * STEP;
    (above - loss(&moved)) / (2.0 * STEP)
}

fn close(found: &[f32], wanted: &[f64], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let size = wanted.iter().fold(1.0f64, |size, value| size.max(value.abs()));
    for (i, (&found, wanted)) in found.iter().zip(wanted).enumerate() {
        let error = (f64::from(found) - wanted).abs();
        assert!(error < 2e-5 * size, "{what}: value {i} is {found} and should be {wanted}");
    }
}

fn shards(plan: &Plan, offsets: &[usize], threads: usize, learning: bool) -> Vec<(Shard, usize)> {
    let items = offsets.len() - 1;
    let rows: Vec<Vec<usize>> = offsets
        .windows(2)
        .map(|ends| plan.rows(&[ends[1] - ends[0]]).expect("items that fit"))
        .collect();
    let cuts: Vec<usize> = (0..=threads).map(|thread| thread * items / threads).collect();
    let shard = |ends: &[usize]| {
        let mut shard = Shard::default();
        let rows = |item: usize, slot: usize| match plan.is_there(slot, learning) {
            true => rows[ends[0] + item][slot],
            false => 0,
        };
        shard.begin(plan, ends[1] - ends[0], Stretch::Whole, rows);
        let (_, ids) = shard.input(0);
        let all = offsets[ends[0]]..offsets[ends[1]];
        ids.extend(all.clone().map(|row| row as u32));
        if let Some(places) = shard.places(plan, 0) {
            let axes = 0..plan.slots[0].shape.axes;
            places
                .extend(all.flat_map(|row| axes.clone().map(move |axis| place(row, axis) as u32)));
        }
        (shard, ends[0])
    };
    cuts.windows(2).map(shard).collect()
}

fn plan_parameters(plan: &Plan) -> usize {
    let count = |work: &Work| match work {
        Work::Layer { parameters, .. } => parameters.1,
        _ => 0,
    };
    plan.nodes.iter().map(|node| count(&node.work)).sum()
}

fn forward(network: &Network, plan: &Plan, offsets: &[usize]) -> Vec<f32> {
    let (mut shard, _) = shards(plan, offsets, 1, false).remove(0);
    let (kernels, seat) = (Kernels::get(), &Seat::alone());
    let pass =
        Pass { kernels, mode: Mode::Encode, seat, share: SHARE, first: 0, wanted: &[], run: None };
    shard.forward(plan, network, &pass, &mut [], &mut Desk::default());
    shard.rows(plan, plan.output).values.to_vec()
}

fn run(
    network: &Network,
    plan: &Plan,
    (offsets, classes): (&[usize], &[u32]),
    kernels: Kernels,
    threads: usize,
) -> Outcome {
    // Each shard on a thread of its own, as in training: they may have to meet.
    let (together, meeting) = (Run::quiet(threads, SEED), Meeting::new(threads));
    let width = plan.slots[plan.output].shape.width;
    let worked = together.workers(|worker| {
        let (mut shard, first) = shards(plan, offsets, threads, true).swap_remove(worker);
        let mode = Mode::Train { seed: SEED, step: 1, first, node: 0 };
        let seat = &meeting.seat(worker, &together);
        let items = shard.rows(plan, plan.output).items();
        let wanted = classes.get(offsets[first]..offsets[first + items]).unwrap_or_default();
        let pass = Pass { kernels, mode, seat, share: SHARE, first, wanted, run: None };
        let mut losses = vec![0.0; items];
        let mut desk = Desk::default();
        shard.forward(plan, network, &pass, &mut losses, &mut desk);
        let (rows, gradient) = shard.output(plan);
        let output = rows.values.to_vec();
        // Where the shard's rows are among those of all.
        let mut begin = Vec::new();
        assert!(seat.share(&[output.len() as f32], |size| begin.extend_from_slice(size)));
        let begin = begin[..worker].iter().sum::<f32>() as usize;
        gradient.iter_mut().enumerate().for_each(|(i, value)| *value = weight(begin + i));
        assert!(begin.is_multiple_of(width));
        shard.backward(plan, network, &pass, &mut desk);
        Ok((shard, output, losses))
    });
    let worked = worked.expect("shards that go both ways");
    let output = worked.iter().flat_map(|(_, output, _)| output).copied().collect();
    let loss = worked.iter().flat_map(|(.., losses)| losses).sum();
    let mut gradients = Vec::new();
    for (node, found) in plan.nodes.iter().enumerate() {
        let Work::Layer { layer, parameters: (first, count), .. } = &found.work else { continue };
        for local in 0..*count {
            let parameter = &network.parameters[first + local];
            if parameter.blueprint.kept {
                gradients.push(Vec::new());
                continue;
            }
            let of_piece = |number: usize| {
                let piece = parameter.piece(number);
                // Who begins must not look at what was there.
                let mut fresh = layer.begins(local);
                let mut gradient = vec![if fresh { f32::NAN } else { 0.0 }; piece.values.len()];
                // In one lesson or, as of a batch that comes in portions, in one for each shard.
                let each = if layer.wants_company() { worked.len() } else { 1 };
                for portion in worked.chunks(each) {
                    layer.learn(&mut Lesson {
                        kernels,
                        desk: &mut Desk::default(),
                        room: &mut Vec::new(),
                        parameter: local,
                        first: piece.first,
                        count: piece.count,
                        shards: &mut portion.iter().map(|(shard, ..)| shard.known(plan, node)),
                        gradient: &mut gradient,
                        fresh: std::mem::take(&mut fresh),
                    });
                }
                gradient
            };
            gradients.push(parameter.in_pytorchs_order(of_piece));
        }
    }
    Outcome { output, loss, gradients }
}
