use inlay_kernels::{Desk, Kernels};
use serde_json::{Value, json};

use super::super::tests::{Options, PLAIN};
use crate::check::SEED;
use crate::data::Window;
use crate::layer::{Lesson, Mode, Pass, Stretch};
use crate::meeting::Seat;
use crate::network::Network;
use crate::plan::{Plan, Purpose, Work};
use crate::shard::Shard;

/// Sequences of which every row has an id of its own, in windows.
struct Windows {
    network: Network,
    offsets: Vec<usize>,
    count: usize,
}

impl Windows {
    fn new(layers: &[Value], width: usize, lengths: &[usize], count: usize) -> Self {
        let mut offsets = vec![0];
        lengths.iter().for_each(|length| offsets.push(offsets[offsets.len() - 1] + length));
        let rows = offsets[lengths.len()];
        let mut all = vec![json!({"kind": "embedding", "values": rows, "dimensions": width})];
        all.extend_from_slice(layers);
        let inputs = json!([{"content": "ids", "positions": null}]);
        let description = json!({"inputs": inputs, "layers": all}).to_string();
        Self { network: Network::new(&description, SEED).unwrap(), offsets, count }
    }

    fn ids(&self, item: usize, window: Window) -> std::ops::Range<usize> {
        let (start, end) = (self.offsets[item], self.offsets[item + 1]);
        let first = (start + window.first).min(end);
        first..first + window.rows(end - start)
    }

    /// Lets a shard see one window after the other.
    fn each(&self, plan: &Plan, mut see: impl FnMut(&mut Shard, Window)) {
        let items = self.offsets.len() - 1;
        let longest = self.offsets.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap();
        let mut shard = Shard::default();
        for first in (0..longest).step_by(self.count) {
            let window = Window { first, count: self.count };
            let stretch = match first {
                0 if self.count >= longest => Stretch::Whole,
                0 => Stretch::First,
                _ => Stretch::Further,
            };
            shard.begin(plan, items, stretch, |item, _| self.ids(item, window).len());
            for item in 0..items {
                shard.input(0).1.extend(self.ids(item, window).map(|id| id as u32));
            }
            see(&mut shard, window);
        }
    }

    /// What comes out, row by row of the items.
    fn encode(&self) -> Vec<Vec<f32>> {
        let plan = self.network.plan(Purpose::Encode(None), &[]).unwrap();
        plan.windows().unwrap();
        let mut rows = vec![Vec::new(); self.offsets[self.offsets.len() - 1]];
        self.each(&plan, |shard, window| {
            let (kernels, seat) = (Kernels::get(), &Seat::alone());
            let pass = Pass {
                kernels,
                mode: Mode::Encode,
                seat,
                share: 1.0,
                first: 0,
                wanted: &[],
                run: None,
            };
            shard.forward(&plan, &self.network, &pass, &mut [], &mut Desk::default());
            let output = shard.rows(&plan, plan.output);
            for item in 0..self.offsets.len() - 1 {
                let found = output.offsets[item]..output.offsets[item + 1];
                for (id, row) in self.ids(item, window).zip(found) {
                    rows[id] = output.values[row * output.width()..][..output.width()].to_vec();
                }
            }
        });
        rows
    }

    /// The gradients of all parameters where the loss is the sum of what comes out.
    fn gradients(&mut self, kernels: Kernels) -> Vec<Vec<f32>> {
        let plan = self.network.plan(Purpose::Train, &[]).unwrap();
        let parameters = &mut self.network.parameters;
        parameters.iter_mut().for_each(|parameter| parameter.prepare(kernels, true));
        let parameters = &self.network.parameters;
        let mut gradients: Vec<Vec<f32>> =
            parameters.iter().map(|parameter| vec![0.0; parameter.piece(0).values.len()]).collect();
        self.each(&plan, |shard, _| {
            let mode = Mode::Train { seed: SEED, step: 1, first: 0, node: 0 };
            let (mut desk, seat) = (Desk::default(), &Seat::alone());
            let pass = Pass { kernels, mode, seat, share: 1.0, first: 0, wanted: &[], run: None };
            shard.forward(&plan, &self.network, &pass, &mut [], &mut desk);
            shard.output(&plan).1.fill(1.0);
            shard.backward(&plan, &self.network, &pass, &mut desk);
            for (at, node) in plan.nodes.iter().enumerate() {
                let Work::Layer { layer, parameters: (first, count), .. } = &node.work else {
                    continue;
                };
                for local in 0..*count {
                    let piece = parameters[first + local].piece(0);
                    layer.learn(&mut Lesson {
                        kernels,
                        desk: &mut desk,
                        room: &mut Vec::new(),
                        parameter: local,
                        first: piece.first,
                        count: piece.count,
                        shards: &mut std::iter::once(shard.known(&plan, at)),
                        gradient: &mut gradients[first + local],
                        fresh: false,
                    });
                }
            }
        });
        let found = parameters.iter().zip(gradients);
        found.map(|(parameter, own)| parameter.in_pytorchs_order(|_| own.clone())).collect()
    }
}

#[test]
fn what_comes_out_is_the_same_in_windows_of_any_length() {
    let layers = [
        json!({"kind": "lstm", "units": 5, "layers": 2}),
        json!({"kind": "dropout", "probability": 0.5}),
        json!({"kind": "layer-norm"}),
        json!({"kind": "sum", "branches": [[], [{"kind": "gru", "units": 5}, {"kind": "tanh"}]]}),
        json!({"kind": "dense", "units": 9}),
        json!({"kind": "rms-norm"}),
        json!({"kind": "softmax"}),
    ];
    let lengths = [4, 0, 11, 7, 1];
    let whole = Windows::new(&layers, 3, &lengths, usize::MAX).encode();
    assert_eq!(whole.len(), 23);
    assert!(whole.iter().all(|row| row.len() == 9));
    for count in [1, 2, 3, 5, 10, 11] {
        assert_eq!(Windows::new(&layers, 3, &lengths, count).encode(), whole, "windows of {count}");
    }
}

/// Of each layer the parameters, and what a window begins with: constants.
fn windowed_loss(options: &Options, rows: &[Vec<f64>], p: &[Vec<f64>], begin: &States) -> f64 {
    let mut states = begin.clone();
    last_of(options, rows, p, &mut states).concat().iter().sum()
}

type States = Vec<[Vec<f64>; 2]>;

fn last_of(
    options: &Options,
    rows: &[Vec<f64>],
    p: &[Vec<f64>],
    states: &mut States,
) -> Vec<Vec<f64>> {
    let each = p.len() / options.layers;
    let layers = p.chunks(each).zip(states);
    layers.fold(rows.to_vec(), |rows, (p, state)| options.run_from(&rows, p, state))
}

#[test]
fn gradients_end_where_a_window_begins() {
    let (width, lengths, count) = (3, [5, 0, 7, 2], 3);
    for options in [
        Options { layers: 2, ..PLAIN },
        Options { layers: 2, lstm: false, ..PLAIN },
        Options { bias: false, ..PLAIN },
    ] {
        let mut windows = Windows::new(&[options.layer()], width, &lengths, count);
        let wide = |values: Vec<f32>| -> Vec<f64> { values.into_iter().map(f64::from).collect() };
        let parameters: Vec<Vec<f64>> =
            windows.network.parameters.iter().map(|found| wide(found.get())).collect();
        // What each window of each item begins with, by the parameters as they are.
        let rows_of = |p: &[Vec<f64>], rows: std::ops::Range<usize>| -> Vec<Vec<f64>> {
            rows.map(|row| p[0][row * width..][..width].to_vec()).collect()
        };
        let nothing = || vec![[vec![0.0; options.units], vec![0.0; options.units]]; options.layers];
        let mut begins: Vec<(std::ops::Range<usize>, States)> = Vec::new();
        for (item, &length) in lengths.iter().enumerate() {
            let mut states = nothing();
            for first in (0..length).step_by(count) {
                let rows = windows.ids(item, Window { first, count });
                begins.push((rows.clone(), states.clone()));
                last_of(&options, &rows_of(&parameters, rows), &parameters[1..], &mut states);
            }
        }
        let loss = |p: &[Vec<f64>]| -> f64 {
            let of = |(rows, states): &(std::ops::Range<usize>, States)| {
                windowed_loss(&options, &rows_of(p, rows.clone()), &p[1..], states)
            };
            begins.iter().map(of).sum()
        };
        for kernels in Kernels::available() {
            for (number, gradient) in windows.gradients(kernels).iter().enumerate() {
                for (i, &found) in gradient.iter().enumerate() {
                    let mut moved = parameters.clone();
                    moved[number][i] += 1e-6;
                    let above = loss(&moved);
                    moved[number][i] -= 2e-6;
                    let wanted = (above - loss(&moved)) / 2e-6;
                    let error = (f64::from(found) - wanted).abs();
                    let name = &windows.network.parameters[number].name;
                    assert!(error < 2e-5 * wanted.abs().max(1.0), "{name}[{i}]: {found}, {wanted}");
                }
            }
        }
    }
}
