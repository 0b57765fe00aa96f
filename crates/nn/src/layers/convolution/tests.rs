use serde_json::{Value, json};

use crate::check::{Case, Items, check};

/// Options of a convolution over up to three axes, in the order time, height, width.
struct Plain {
    kernel: [usize; 3],
    stride: [usize; 3],
    padding: [usize; 3],
    dilation: [usize; 3],
    groups: usize,
    channels: usize,
}

/// One item, from its definition.
fn formula(plain: &Plain, axes: [usize; 3], x: &[f64], p: &[Vec<f64>]) -> Vec<f64> {
    let width = x.len() / axes.iter().product::<usize>().max(1);
    let size = |axis: usize| {
        let reach = plain.dilation[axis] * (plain.kernel[axis] - 1) + 1;
        (axes[axis] + 2 * plain.padding[axis] + plain.stride[axis] - reach) / plain.stride[axis]
    };
    let (inputs, outputs) = (width / plain.groups, plain.channels / plain.groups);
    let [kt, kh, kw] = plain.kernel;
    let mut y = Vec::new();
    for (t, h, w) in each([size(0), size(1), size(2)]) {
        for channel in 0..plain.channels {
            let mut sum = p.get(1).map_or(0.0, |bias| bias[channel]);
            for (a, b, c) in each([kt, kh, kw]) {
                let at = |axis: usize, row: usize, tap: usize| {
                    let at = row * plain.stride[axis] + tap * plain.dilation[axis];
                    at.checked_sub(plain.padding[axis]).filter(|&at| at < axes[axis])
                };
                let (Some(z), Some(u), Some(v)) = (at(0, t, a), at(1, h, b), at(2, w, c)) else {
                    continue;
                };
                for input in 0..inputs {
                    let x = x[((z * axes[1] + u) * axes[2] + v) * width
                        + channel / outputs * inputs
                        + input];
                    let tap = (a * kh + b) * kw + c;
                    sum += x * p[0][(channel * inputs + input) * kt * kh * kw + tap];
                }
            }
            y.push(sum);
        }
    }
    y
}

fn each([a, b, c]: [usize; 3]) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| (i, j, k))))
}

fn fixed(layer: &Value, plain: &Plain, axes: &[usize], width: usize) {
    let rows: usize = axes.iter().product();
    let case = Case {
        layers: json!([layer]),
        positions: Some(axes.to_vec()),
        width,
        lengths: vec![rows; 3],
    };
    let mut three = [1; 3];
    three[3 - axes.len()..].copy_from_slice(axes);
    check(&case, |x: &Items, p| {
        x.values.chunks(rows * width).flat_map(|x| formula(plain, three, x, p)).collect()
    });
}

#[test]
fn pictures_are_convolved_with_every_option() {
    let layer = json!({"kind": "conv2d", "channels": 5, "kernel": 3, "padding": 1});
    let mut plain = Plain {
        kernel: [1, 3, 3],
        stride: [1; 3],
        padding: [0, 1, 1],
        dilation: [1; 3],
        groups: 1,
        channels: 5,
    };
    fixed(&layer, &plain, &[5, 4], 2);
    fixed(&layer, &plain, &[1, 1], 9);
    let layer = json!({"kind": "conv2d", "channels": 6, "kernel": [3, 2], "stride": [2, 3],
        "padding": [2, 0], "dilation": [2, 1], "groups": 2, "bias": false});
    plain = Plain {
        kernel: [1, 3, 2],
        stride: [1, 2, 3],
        padding: [0, 2, 0],
        dilation: [1, 2, 1],
        groups: 2,
        channels: 6,
    };
    fixed(&layer, &plain, &[7, 8], 4);
    // Each channel by itself, and a stride that leaves inputs out.
    let layer = json!({"kind": "conv2d", "channels": 3, "kernel": 2, "stride": 3, "groups": 3});
    plain = Plain {
        kernel: [1, 2, 2],
        stride: [1, 3, 3],
        padding: [0; 3],
        dilation: [1; 3],
        groups: 3,
        channels: 3,
    };
    fixed(&layer, &plain, &[6, 5], 3);
    let layer = json!({"kind": "conv2d", "channels": 34, "kernel": 2, "stride": 3, "groups": 34});
    plain = Plain { channels: 34, groups: 34, ..plain };
    fixed(&layer, &plain, &[3, 4], 34);
    // Two outputs of each.
    let layer = json!({"kind": "conv2d", "channels": 6, "kernel": 2, "stride": 3, "groups": 3});
    fixed(&layer, &Plain { channels: 6, groups: 3, ..plain }, &[6, 5], 3);
}

#[test]
fn lines_and_films_are_convolved() {
    let layer = json!({"kind": "conv1d", "channels": 35, "kernel": 4, "padding": 2});
    let mut plain = Plain {
        kernel: [1, 1, 4],
        stride: [1; 3],
        padding: [0, 0, 2],
        dilation: [1; 3],
        groups: 1,
        channels: 35,
    };
    fixed(&layer, &plain, &[6], 3);
    let layer = json!({"kind": "conv3d", "channels": 4, "kernel": [2, 3, 2], "stride": [1, 2, 1],
        "padding": [1, 1, 0]});
    plain = Plain {
        kernel: [2, 3, 2],
        stride: [1, 2, 1],
        padding: [1, 1, 0],
        dilation: [1; 3],
        groups: 1,
        channels: 4,
    };
    fixed(&layer, &plain, &[2, 3, 4], 2);
}

/// The output of an item whose zeros stand before it only: the beginning of what zeros on both sides give.
fn causal(plain: &Plain, axes: [usize; 3], first: usize, x: &[f64], p: &[Vec<f64>]) -> Vec<f64> {
    let mut padding = plain.padding;
    padding[first] = plain.dilation[first] * (plain.kernel[first] - 1);
    let both = Plain { padding, ..*plain };
    let all = formula(&both, axes, x, p);
    let along =
        |reach: usize, around: usize| (axes[first] + around - reach) / plain.stride[first] + 1;
    let (kept, of) = (along(1, 0), along(1, padding[first]));
    all[..all.len() / of * kept].to_vec()
}

#[test]
fn causal_windows_see_nothing_later() {
    let layer = json!({"kind": "conv3d", "channels": 4, "kernel": [3, 3, 2], "stride": [2, 1, 1],
        "padding": [0, 1, 0], "causal": true});
    let film = Plain {
        kernel: [3, 3, 2],
        stride: [2, 1, 1],
        padding: [0, 1, 0],
        dilation: [1; 3],
        groups: 1,
        channels: 4,
    };
    for frames in [5, 4, 1] {
        let axes = [frames, 3, 3];
        let rows = frames * 9;
        let (layers, lengths) = (json!([layer]), vec![rows; 3]);
        let case = Case { layers, positions: Some(axes.to_vec()), width: 2, lengths };
        check(&case, |x, p| {
            x.values.chunks(rows * 2).flat_map(|x| causal(&film, axes, 0, x, p)).collect()
        });
    }
    let layer = json!({"kind": "conv1d", "channels": 4, "kernel": 3, "dilation": 2,
        "causal": true});
    let line = Plain { kernel: [1, 1, 3], stride: [1; 3], padding: [0; 3], ..film };
    let line = Plain { dilation: [1, 1, 2], ..line };
    let lengths = vec![1, 7, 2, 16, 0, 5];
    let case = Case { layers: json!([layer]), positions: None, width: 9, lengths };
    check(&case, |x, p| {
        let item = |ends: &[usize]| {
            let (x, rows) = (&x.values[ends[0] * 9..ends[1] * 9], ends[1] - ends[0]);
            if rows == 0 { vec![] } else { causal(&line, [1, 1, rows], 2, x, p) }
        };
        x.offsets.windows(2).flat_map(item).collect()
    });
}

#[test]
fn sequences_of_any_length_do_not_see_each_other() {
    for (stride, padding, dilation) in [(1, 1, 1), (2, 2, 1), (1, 2, 2), (3, 0, 1)] {
        let least = (2 * dilation + 1usize).saturating_sub(2 * padding);
        let layer = json!({"kind": "conv1d", "channels": 4, "kernel": 3, "stride": stride,
            "padding": padding, "dilation": dilation});
        let plain = Plain {
            kernel: [1, 1, 3],
            stride: [1, 1, stride],
            padding: [0, 0, padding],
            dilation: [1, 1, dilation],
            groups: 1,
            channels: 4,
        };
        let mut lengths = vec![3, 1, 7, 2, 16, 5];
        lengths.iter_mut().for_each(|length| *length = least.max(*length));
        if least <= 1 {
            lengths.push(0);
        }
        let case = Case { layers: json!([layer]), positions: None, width: 9, lengths };
        check(&case, |x, p| {
            let item = |ends: &[usize]| {
                let x = &x.values[ends[0] * 9..ends[1] * 9];
                formula(&plain, [1, 1, ends[1] - ends[0]], x, p)
            };
            x.offsets.windows(2).flat_map(item).collect()
        });
    }
}

#[test]
fn an_activation_is_applied_last_and_several_layers_learn() {
    let layers = json!([
        {"kind": "conv2d", "channels": 4, "kernel": 3, "padding": 1}, {"kind": "tanh"},
        {"kind": "conv2d", "channels": 2, "kernel": 2, "stride": 2}, {"kind": "gelu"},
    ]);
    let plain = |channels, kernel, stride, padding| Plain {
        kernel: [1, kernel, kernel],
        stride: [1, stride, stride],
        padding: [0, padding, padding],
        dilation: [1; 3],
        groups: 1,
        channels,
    };
    let case = Case { layers, positions: Some(vec![4, 4]), width: 3, lengths: vec![16; 2] };
    check(&case, |x, p| {
        let item = |x: &[f64]| {
            let mut y = formula(&plain(4, 3, 1, 1), [1, 4, 4], x, &p[..2]);
            y.iter_mut().for_each(|y| *y = y.tanh());
            let mut y = formula(&plain(2, 2, 2, 0), [1, 4, 4], &y, &p[2..]);
            y.iter_mut().for_each(|y| *y = crate::layers::activation::formula("gelu", *y));
            y
        };
        x.values.chunks(48).flat_map(item).collect()
    });
}

#[test]
fn what_does_not_fit_is_refused() {
    let refuse = |positions: Value, layer: Value, wanted: &str| {
        let description = json!({"inputs": [{"content": "values", "positions": positions,
            "width": 3}], "layers": [layer]});
        let error = crate::Network::new(&description.to_string(), 1).err().expect("an error");
        let text = format!("{error}");
        assert!(text.contains(wanted), "{text}");
    };
    let conv = |fields: Value| {
        let mut layer = json!({"kind": "conv2d", "channels": 4, "kernel": 3});
        layer.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        layer
    };
    refuse(json!([8]), conv(json!({})), "expects items of 2 axes");
    refuse(json!(null), conv(json!({})), "expects items of 2 axes");
    refuse(json!([8, 2]), conv(json!({})), "does not fit");
    refuse(json!([8, 8]), conv(json!({"groups": 2})), "into 2 groups");
    refuse(json!([8, 8]), conv(json!({"stride": 0})), "`stride` of 1 or more");
    refuse(json!([8, 8]), conv(json!({"padding": [1]})), "`padding` of 2 numbers");
    let causal = conv(json!({"padding": 1, "causal": true}));
    refuse(json!([8, 8]), causal, "no `padding` along its first axis");
}
