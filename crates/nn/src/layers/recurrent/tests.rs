use inlay_base::Random;
use serde_json::{Value, json};

use crate::check::{Case, Items, SEED, check};

fn sigma(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// W·x + b, with W [outputs, inputs].
fn linear(x: &[f64], weight: &[f64], bias: Option<&[f64]>) -> Vec<f64> {
    let row = |(unit, weight): (usize, &[f64])| {
        let terms = x.iter().zip(weight).map(|(x, w)| x * w);
        terms.sum::<f64>() + bias.map_or(0.0, |bias| bias[unit])
    };
    weight.chunks(x.len()).enumerate().map(row).collect()
}

pub(super) struct Options {
    pub(super) lstm: bool,
    pub(super) units: usize,
    pub(super) layers: usize,
    pub(super) bidirectional: bool,
    pub(super) dropout: f32,
    pub(super) bias: bool,
}

pub(super) const PLAIN: Options =
    Options { lstm: true, units: 5, layers: 1, bidirectional: false, dropout: 0.0, bias: true };

impl Options {
    pub(super) fn layer(&self) -> Value {
        json!({
            "kind": if self.lstm { "lstm" } else { "gru" },
            "units": self.units,
            "layers": self.layers,
            "bidirectional": self.bidirectional,
            "dropout": self.dropout,
            "bias": self.bias,
        })
    }

    /// One direction over one sequence of rows.
    fn run(&self, rows: &[Vec<f64>], p: &[Vec<f64>]) -> Vec<Vec<f64>> {
        self.run_from(rows, p, &mut [vec![0.0; self.units], vec![0.0; self.units]])
    }

    /// The same from hidden and second states on, which become those after it.
    pub(super) fn run_from(
        &self,
        rows: &[Vec<f64>],
        p: &[Vec<f64>],
        [h, c]: &mut [Vec<f64>; 2],
    ) -> Vec<Vec<f64>> {
        let units = self.units;
        let bias = |number: usize| p.get(number).map(|bias| &bias[..]);
        let step = |x: &Vec<f64>| {
            let a = linear(x, &p[0], bias(2));
            let b = linear(h, &p[1], bias(3));
            for unit in 0..units {
                let gate = |gate: usize| a[gate * units + unit] + b[gate * units + unit];
                if self.lstm {
                    let (i, f, o) = (sigma(gate(0)), sigma(gate(1)), sigma(gate(3)));
                    c[unit] = f * c[unit] + i * gate(2).tanh();
                    h[unit] = o * c[unit].tanh();
                } else {
                    let (r, z) = (sigma(gate(0)), sigma(gate(1)));
                    let n = (a[2 * units + unit] + r * b[2 * units + unit]).tanh();
                    h[unit] = (1.0 - z) * n + z * h[unit];
                }
            }
            h.clone()
        };
        rows.iter().map(step).collect()
    }

    /// What all layers give.
    fn reference(&self, given: &Items, p: &[Vec<f64>]) -> Vec<f64> {
        let rows = given.offsets[given.offsets.len() - 1];
        let width = given.values.len() / rows.max(1);
        let each = if self.bias { 4 } else { 2 };
        let mut tracks = p.chunks(each);
        let mut all: Vec<Vec<f64>> =
            given.values.chunks(width).take(rows).map(<[f64]>::to_vec).collect();
        for layer in 0..self.layers {
            let mut next = vec![Vec::new(); rows];
            for reverse in [false, true].into_iter().take(1 + usize::from(self.bidirectional)) {
                let parameters = tracks.next().expect("parameters");
                for ends in given.offsets.windows(2) {
                    let mut item = all[ends[0]..ends[1]].to_vec();
                    let turn = |rows: &mut Vec<Vec<f64>>| {
                        if reverse {
                            rows.reverse();
                        }
                    };
                    turn(&mut item);
                    let mut states = self.run(&item, parameters);
                    turn(&mut states);
                    next[ends[0]..ends[1]].iter_mut().zip(states).for_each(|(to, h)| to.extend(h));
                }
            }
            if given.training && layer + 1 < self.layers && self.dropout > 0.0 {
                self.drop_some(layer, &given.offsets, &mut next);
            }
            all = next;
        }
        all.concat()
    }

    /// The layer is the second node, in step 1.
    fn drop_some(&self, layer: usize, offsets: &[usize], rows: &mut [Vec<f64>]) {
        for (item, ends) in offsets.windows(2).enumerate() {
            let seed = SEED ^ ((layer as u64) << 40) ^ (1 << 48);
            let mut random = Random::new(seed, (1 << 32) ^ item as u64);
            for value in rows[ends[0]..ends[1]].iter_mut().flatten() {
                let kept = f64::from(1.0 / (1.0 - self.dropout));
                *value *= if random.unit() < self.dropout { 0.0 } else { kept };
            }
        }
    }

    fn check(&self, positions: Option<Vec<usize>>, width: usize, lengths: &[usize]) {
        let layers = json!([self.layer()]);
        let case = Case { layers, positions, width, lengths: lengths.to_vec() };
        check(&case, |given, p| self.reference(given, p));
    }
}

#[test]
fn sequences_of_mixed_lengths_go_through_both_cells_with_and_without_biases() {
    for lstm in [true, false] {
        for bias in [true, false] {
            Options { lstm, bias, ..PLAIN }.check(None, 3, &[2, 0, 5, 1, 5, 3]);
        }
    }
}

#[test]
fn both_directions_and_layers_on_top_of_each_other_go_back() {
    for lstm in [true, false] {
        Options { lstm, bidirectional: true, ..PLAIN }.check(None, 4, &[1, 4, 2]);
        let deep = Options { lstm, units: 3, layers: 3, ..PLAIN };
        deep.check(None, 2, &[3, 1, 0, 4]);
        Options { bidirectional: true, bias: false, ..deep }.check(None, 2, &[3, 1, 0, 4]);
    }
}

#[test]
fn values_between_layers_fall_in_training() {
    for bidirectional in [false, true] {
        let layers = Options { units: 3, layers: 3, bidirectional, dropout: 0.4, ..PLAIN };
        layers.check(None, 2, &[3, 1, 4]);
    }
}

#[test]
fn fixed_lengths_odd_sizes_and_single_rows_go_through() {
    for lstm in [true, false] {
        for units in [1, 16, 19] {
            Options { lstm, units, ..PLAIN }.check(Some(vec![3]), 2, &[3; 3]);
        }
        Options { lstm, ..PLAIN }.check(None, 1, &[1]);
        Options { lstm, ..PLAIN }.check(None, 1, &[0, 0]);
    }
}

#[test]
fn wide_weights_come_in_pieces() {
    // The first piece of weight_hh has 608 of 672 columns: it ends within n.
    Options { lstm: false, units: 224, ..PLAIN }.check(None, 2, &[2, 1]);
    // The first piece of weight_ih has 32 of 48 columns.
    Options { units: 12, ..PLAIN }.check(None, 4096, &[2]);
}

/// From PyTorch 2.15, of `torch.nn.LSTM(3, 2, num_layers=2, bidirectional=True)` and the same GRU: value
/// i of parameter p is sin(i + 10·p), value i of what goes in is sin(2·i), in sequences of 3 rows and 1.
#[test]
fn the_outputs_are_pytorchs() {
    let lstm = [
        [0.021011, 0.041044, -0.390480, -0.395592],
        [0.030370, 0.036967, -0.176979, -0.373561],
        [0.044946, 0.018492, -0.035853, -0.278881],
        [0.065194, -0.020426, -0.089674, -0.184456],
    ];
    let gru = [
        [-0.142862, 0.013792, -0.524480, -0.593312],
        [-0.315088, 0.001165, -0.161279, -0.572100],
        [-0.439185, -0.076267, 0.121928, -0.458368],
        [-0.238125, -0.125132, 0.073144, -0.397687],
    ];
    let sines = |length: usize, from: usize, step: usize| -> Vec<f32> {
        (0..length).map(|i| ((from + step * i) as f64).sin() as f32).collect()
    };
    for (kind, wanted) in [("lstm", lstm), ("gru", gru)] {
        let layer = json!({"kind": kind, "units": 2, "layers": 2, "bidirectional": true});
        let inputs = json!([{"content": "values", "positions": null, "width": 3}]);
        let description = json!({"inputs": inputs, "layers": [layer]}).to_string();
        let mut network = crate::Network::new(&description, 1).unwrap();
        for (number, parameter) in network.parameters.iter_mut().enumerate() {
            parameter.set(&sines(parameter.blueprint.size(), 10 * number, 1));
        }
        network.prepare();
        let (shape, cells) = (network.inputs().unwrap().remove(0).1, sines(12, 0, 2));
        let cells = crate::Cells::Values(cells);
        let column = crate::Column::new("x", cells, Some(&[3, 1]), &shape).unwrap();
        let run = inlay_base::Run::quiet(1, 1);
        let (values, _) = network.encode(&[column], None, &run).unwrap();
        for (value, wanted) in values.iter().zip(wanted.as_flattened()) {
            assert!((value - wanted).abs() < 2e-6, "{kind}: {value} should be {wanted}");
        }
    }
}

#[test]
fn what_does_not_go_through_is_said() {
    for (input, options, problem) in [
        (json!([]), json!({"units": 2}), "expects sequences: [any, width] or [length, width]"),
        (json!([2, 3]), json!({"units": 2}), "expects sequences"),
        (json!(null), json!({"units": 0}), "has no unit"),
        (json!(null), json!({"units": 2, "layers": 0}), "has no layer"),
        (json!(null), json!({"units": 2, "layers": 2, "dropout": 1.0}), "expects a dropout from 0"),
        (
            json!(null),
            json!({"units": 2, "dropout": 0.5}),
            "has a dropout between layers, and only",
        ),
        (json!(null), json!({"units": 2, "hidden": 1}), "unknown field `hidden`"),
    ] {
        for kind in ["lstm", "gru"] {
            let mut layer = options.clone();
            layer["kind"] = json!(kind);
            let inputs = json!([{"content": "values", "positions": input, "width": 3}]);
            let description = json!({"inputs": inputs, "layers": [layer]}).to_string();
            let error = crate::Network::new(&description, 1).err().expect("an error").to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
