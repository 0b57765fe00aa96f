//! A block of a transformer is no layer of its own but sums of branches. This is how it is written, and
//! that it is PyTorch's.

use serde_json::{Value, json};

use super::{activation, attention, norm};
use crate::check::{Case, Items, check};
use crate::{Cells, Column, Network};

/// PyTorch's `TransformerEncoderLayer`, under its names.
fn block(norm_first: bool, activation: &str, heads: usize, width: usize, hidden: usize) -> Value {
    let norm = |name: &str| json!({"kind": "layer-norm", "name": name});
    let dense = |name: &str, units: usize| json!({"kind": "dense", "name": name, "units": units});
    let attention = json!({"kind": "self-attention", "name": "self_attn", "heads": heads});
    let (wide, narrow) = (dense("linear1", hidden), dense("linear2", width));
    let activation = json!({"kind": activation});
    if norm_first {
        json!([
            {"kind": "sum", "branches": [[], [norm("norm1"), attention]]},
            {"kind": "sum", "branches": [[], [norm("norm2"), wide, activation, narrow]]},
        ])
    } else {
        json!([
            {"kind": "sum", "branches": [[], [attention]]}, norm("norm1"),
            {"kind": "sum", "branches": [[], [wide, activation, narrow]]}, norm("norm2"),
        ])
    }
}

const NAMES: [&str; 12] = [
    "self_attn.in_proj_weight",
    "self_attn.in_proj_bias",
    "self_attn.out_proj.weight",
    "self_attn.out_proj.bias",
    "linear1.weight",
    "linear1.bias",
    "linear2.weight",
    "linear2.bias",
    "norm1.weight",
    "norm1.bias",
    "norm2.weight",
    "norm2.bias",
];

/// What PyTorch 2 gives in float64 for items of 3 and 2 rows (each by itself), 4 wide, 2 heads, 6
/// hidden: with `numbers(n)` for parameter n of `NAMES` and `numbers(20)` for the rows.
const GOLDEN: [(bool, &str, [f64; 20]); 4] = [
    (
        false,
        "relu",
        [
            -0.091569, 0.612089, -1.049996, 0.770770, -0.135624, 0.619250, -1.105030, 0.755609,
            -0.109525, 0.602724, -1.069678, 0.778480, -0.625362, 0.515575, -1.470232, 0.651999,
            -0.191514, 0.639722, -1.170777, 0.718914,
        ],
    ),
    (
        false,
        "gelu",
        [
            -0.116710, 0.560462, -1.063763, 0.821538, -0.161322, 0.586525, -1.125803, 0.786366,
            -0.136992, 0.545210, -1.081777, 0.833336, -0.647616, 0.458519, -1.463005, 0.698100,
            -0.216717, 0.601073, -1.189800, 0.756573,
        ],
    ),
    (
        true,
        "relu",
        [
            0.302827, -2.183312, 0.423535, 0.928115, -0.073134, -1.649640, -0.346933, 0.879113,
            0.589425, -2.030020, -0.473610, -0.611520, 0.498462, -1.611213, -1.122961, -0.199199,
            -0.513676, -1.949470, -0.728115, -0.937651,
        ],
    ),
    (
        true,
        "gelu",
        [
            0.253035, -2.075485, 0.403048, 0.851058, -0.077998, -1.580451, -0.370425, 0.802190,
            0.460155, -1.956236, -0.429709, -0.678915, 0.393514, -1.517011, -1.167000, -0.332658,
            -0.585702, -1.857533, -0.784558, -1.071450,
        ],
    ),
];

fn numbers(length: usize, k: usize) -> Vec<f32> {
    (0..length).map(|i| ((i * i * 5 + i * 37 + k * 11) % 29) as f32 / 16.0 - 0.875).collect()
}

#[test]
fn a_block_is_pytorchs_under_pytorchs_names() {
    for (norm_first, activation, wanted) in GOLDEN {
        let input = json!({"content": "values", "width": 4});
        let layers = block(norm_first, activation, 2, 4, 6);
        let description = json!({"inputs": [input], "layers": layers}).to_string();
        let mut network = Network::new(&description, 1).expect("a network");
        for (k, name) in NAMES.iter().enumerate() {
            let mut parameters = network.parameters.iter_mut();
            let parameter = parameters.find(|found| found.name == *name).expect("that name");
            parameter.set(&numbers(parameter.blueprint.size(), k));
        }
        assert_eq!(network.parameters.len(), NAMES.len());
        network.prepare();
        let shape = &network.inputs().expect("an input")[0].1;
        let cells = Cells::Values(numbers(20, 20));
        let column = Column::new("x", cells, Some(&[3, 2]), shape).expect("a column");
        let run = inlay_base::Run::quiet(1, 1);
        let (values, _) = network.encode(&[column], None, &run).expect("rows");
        for (value, wanted) in values.iter().zip(wanted) {
            let error = (f64::from(*value) - wanted).abs();
            assert!(error < 5e-6, "{norm_first} {activation}: {value} for {wanted}");
        }
    }
}

#[test]
fn a_block_goes_back() {
    const WIDTH: usize = 6;
    let dense = |x: &[f64], weight: &[f64], bias: &[f64]| -> Vec<f64> {
        let unit = |x: &[f64], unit: usize| -> f64 {
            let weight = &weight[unit * x.len()..];
            bias[unit] + x.iter().zip(weight).map(|(x, w)| x * w).sum::<f64>()
        };
        let rows = x.chunks(weight.len() / bias.len());
        rows.flat_map(|x| (0..bias.len()).map(|i| unit(x, i)).collect::<Vec<_>>()).collect()
    };
    let sum = |x: &[f64], y: Vec<f64>| x.iter().zip(y).map(|(x, y)| x + y).collect::<Vec<f64>>();
    let norm = |x: &[f64], p: &[Vec<f64>]| norm::formula(x, WIDTH, true, 1e-5, p);
    for (norm_first, name) in [(false, "relu"), (false, "gelu"), (true, "relu"), (true, "gelu")] {
        let look = |x: &[f64], offsets: &[usize], p: &[Vec<f64>]| {
            let items = Items { values: x.into(), offsets: offsets.into(), training: true };
            attention::tests::formula(&items, WIDTH, (2, false), p, |_| 1.0)
        };
        let think = |x: &[f64], p: &[Vec<f64>]| {
            let mut hidden = dense(x, &p[0], &p[1]);
            hidden.iter_mut().for_each(|x| *x = activation::formula(name, *x));
            dense(&hidden, &p[2], &p[3])
        };
        let layers = block(norm_first, name, 2, WIDTH, 5);
        let case = Case { layers, positions: None, width: WIDTH, lengths: vec![3, 1, 4] };
        check(&case, |x, p| {
            if norm_first {
                let middle = sum(&x.values, look(&norm(&x.values, &p[..2]), &x.offsets, &p[2..6]));
                return sum(&middle, think(&norm(&middle, &p[6..8]), &p[8..]));
            }
            let middle = norm(&sum(&x.values, look(&x.values, &x.offsets, &p[..4])), &p[4..6]);
            norm(&sum(&middle, think(&middle, &p[6..10])), &p[10..])
        });
    }
}
