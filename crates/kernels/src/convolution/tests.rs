use super::*;

/// Numbers without a pattern.
fn numbers(length: usize) -> Vec<f32> {
    (0..length).map(|i| ((i * 7919 + 13) % 1013) as f32 / 506.0 - 1.0).collect()
}

/// A table without a pattern, each eleventh place of which is outside; or, for one tap and as many outputs as inputs, that
/// of windows that are rows.
fn places(sizes: &Sizes) -> Vec<u32> {
    let &Sizes { inputs, outputs, taps, .. } = sizes;
    let place = |i: usize| match i % 11 {
        _ if (taps, inputs) == (1, outputs) => i as u32,
        3 => NOWHERE,
        _ => ((i * 31 + 5) % inputs) as u32,
    };
    (0..taps * outputs).map(place).collect()
}

struct Sizes {
    items: usize,
    inputs: usize,
    outputs: usize,
    taps: usize,
    channels: usize,
    columns: usize,
}

const SIZES: [Sizes; 6] = [
    Sizes { items: 3, inputs: 7, outputs: 5, taps: 3, channels: 1, columns: 1 },
    Sizes { items: 2, inputs: 9, outputs: 17, taps: 4, channels: 10, columns: 37 },
    Sizes { items: 1, inputs: 40, outputs: 40, taps: 9, channels: 33, columns: 16 },
    Sizes { items: 5, inputs: 4, outputs: 3, taps: 2, channels: 5, columns: 70 },
    Sizes { items: 2, inputs: 20, outputs: 20, taps: 1, channels: 9, columns: 35 },
    Sizes { items: 0, inputs: 4, outputs: 3, taps: 2, channels: 5, columns: 7 },
];

fn under(x: &[f32], sizes: &Sizes, places: &[u32], row: usize, tap: usize) -> Vec<f64> {
    let (item, window) = (row / sizes.outputs, row % sizes.outputs);
    match places[tap * sizes.outputs + window] {
        NOWHERE => vec![0.0; sizes.channels],
        place => {
            let from = (item * sizes.inputs + place as usize) * sizes.channels;
            x[from..from + sizes.channels].iter().map(|&x| f64::from(x)).collect()
        }
    }
}

#[test]
fn windows_are_sums_over_their_taps() {
    for sizes in &SIZES {
        let &Sizes { items, inputs, outputs, taps, channels, columns } = sizes;
        let x = numbers(items * inputs * channels);
        let weights = numbers(taps * channels * columns);
        let bias = numbers(columns);
        let table = places(sizes);
        let rows: Vec<u32> = (0..outputs as u32).collect();
        let numbered: Vec<u32> = (0..taps as u32).collect();
        let windows = Windows { inputs, outputs, rows: &rows, taps: &numbered, places: &table };
        for set in Kernels::available() {
            let mut packed = Packed::new(set, taps * channels, columns);
            packed.pack(set, Matrix::new(&weights, taps * channels, columns));
            for activation in [None, Some(Activation::Relu)] {
                let mut y = vec![9.0; items * outputs * columns];
                let to = Target::new(&mut y, items * outputs, columns);
                let from = Matrix::new(&x, items * inputs, channels);
                let start = Start::Bias(&bias);
                let desk = &mut Desk::default();
                convolve(set, from, windows, &packed, start, activation, to, desk);
                for (at, &found) in y.iter().enumerate() {
                    let (row, column) = (at / columns, at % columns);
                    let mut wanted = f64::from(bias[column]);
                    for tap in 0..taps {
                        for (c, x) in under(&x, sizes, &table, row, tap).iter().enumerate() {
                            wanted +=
                                x * f64::from(weights[(tap * channels + c) * columns + column]);
                        }
                    }
                    if activation.is_some() {
                        wanted = wanted.max(0.0);
                    }
                    assert!((f64::from(found) - wanted).abs() < 1e-4, "{} {at}", set.name());
                }
            }
        }
    }
}

#[test]
fn some_windows_by_some_taps_leave_the_others_alone() {
    // Window 2 of three by the second tap of two.
    let windows = Windows { inputs: 2, outputs: 3, rows: &[2], taps: &[1], places: &[1] };
    for set in Kernels::available() {
        let mut packed = Packed::new(set, 2, 1);
        packed.pack(set, Matrix::new(&[10.0, 100.0], 2, 1));
        let mut y = [0.5; 6];
        let x = [1.0, 2.0, 3.0, 4.0];
        let (x, to) = (Matrix::new(&x, 4, 1), Target::new(&mut y, 6, 1));
        convolve(set, x, windows, &packed, Start::Zero, None, to, &mut Desk::default());
        assert_eq!(y, [0.5, 0.5, 200.0, 0.5, 0.5, 400.0]);
    }
}

#[test]
fn gradients_of_weights_are_sums_over_windows() {
    for sizes in &SIZES {
        let &Sizes { items, inputs, outputs, taps, channels, columns } = sizes;
        let x = numbers(items * inputs * channels);
        let gradient = numbers(items * outputs * columns);
        let table = places(sizes);
        let rows: Vec<u32> = (0..outputs as u32).collect();
        let numbered: Vec<u32> = (0..taps as u32).collect();
        let windows = Windows { inputs, outputs, rows: &rows, taps: &numbered, places: &table };
        for set in Kernels::available() {
            let mut found = vec![0.25; taps * channels * columns];
            let to = Target::new(&mut found, taps * channels, columns);
            let from = Matrix::new(&x, items * inputs, channels);
            let of_y = Matrix::new(&gradient, items * outputs, columns);
            convolve_gradient(set, from, windows, of_y, to, &mut Desk::default());
            for (at, &found) in found.iter().enumerate() {
                let (tap, channel) = (at / columns / channels, at / columns % channels);
                let mut wanted = 0.25;
                for row in 0..items * outputs {
                    let x = under(&x, sizes, &table, row, tap)[channel];
                    wanted += x * f64::from(gradient[row * columns + at % columns]);
                }
                assert!((f64::from(found) - wanted).abs() < 1e-4, "{} {at}", set.name());
            }
        }
    }
}

#[test]
fn channels_by_themselves_are_sums_over_their_taps() {
    for sizes in &SIZES {
        let &Sizes { items, inputs, outputs, taps, channels, .. } = sizes;
        let x = numbers(items * inputs * channels);
        let (weights, bias) = (numbers(taps * channels), numbers(channels));
        let gradient = numbers(items * outputs * channels);
        let table = places(sizes);
        let rows: Vec<u32> = (0..outputs as u32).collect();
        let numbered: Vec<u32> = (0..taps as u32).collect();
        let windows = Windows { inputs, outputs, rows: &rows, taps: &numbered, places: &table };
        for set in Kernels::available() {
            let mut y = vec![9.0; items * outputs * channels];
            let from = Matrix::new(&x, items * inputs, channels);
            let to = Target::new(&mut y, items * outputs, channels);
            let by = Matrix::new(&weights, taps, channels);
            convolve_channels(set, from, windows, by, Start::Bias(&bias), None, to);
            let mut learnt = vec![0.25; taps * channels];
            let of_y = Matrix::new(&gradient, items * outputs, channels);
            let to = Target::new(&mut learnt, taps, channels);
            convolve_channels_gradient(set, from, windows, of_y, to);
            let mut wanted = vec![0.25; taps * channels];
            for (at, &found) in y.iter().enumerate() {
                let (row, channel) = (at / channels, at % channels);
                let mut sum = f64::from(bias[channel]);
                for tap in 0..taps {
                    let x = under(&x, sizes, &table, row, tap)[channel];
                    sum += x * f64::from(weights[tap * channels + channel]);
                    wanted[tap * channels + channel] += x * f64::from(gradient[at]);
                }
                assert!((f64::from(found) - sum).abs() < 1e-4, "{} {at}", set.name());
            }
            for (found, wanted) in learnt.iter().zip(wanted) {
                assert!((f64::from(*found) - wanted).abs() < 1e-4, "{}", set.name());
            }
        }
    }
}

/// Windows of 3x3, from their definition.
fn neighbours(
    x: &[f32],
    plane: Plane,
    weights: &[f32],
    start: &[f32],
    (channels, columns): (usize, usize),
) -> Vec<f64> {
    let ((height, width), (above, left)) = (plane.size, plane.padding);
    let (rows, row) = (height + 2 * above - 2, width + 2 * left - 2);
    let mut y: Vec<f64> = start.iter().map(|&start| f64::from(start)).collect();
    for (window, y) in y.chunks_mut(columns).enumerate() {
        let (item, window) = (window / (rows * row), window % (rows * row));
        for tap in 0..9 {
            let down = (window / row + tap / 3).checked_sub(above).filter(|&at| at < height);
            let across = (window % row + tap % 3).checked_sub(left).filter(|&at| at < width);
            let (Some(down), Some(across)) = (down, across) else { continue };
            let pixel = ((item * height + down) * width + across) * channels;
            for (channel, &x) in x[pixel..pixel + channels].iter().enumerate() {
                let weights = &weights[(tap * channels + channel) * columns..][..columns];
                for (y, &weight) in y.iter_mut().zip(weights) {
                    *y += f64::from(x) * f64::from(weight);
                }
            }
        }
    }
    y
}

#[test]
fn tiles_of_windows_are_the_same_sums() {
    let planes = [((7, 9), (1, 1)), ((12, 5), (0, 2)), ((3, 3), (0, 0)), ((1, 1), (1, 1))];
    for (size, padding) in planes {
        let plane = Plane { size, padding };
        let outputs = (size.0 + 2 * padding.0 - 2) * (size.1 + 2 * padding.1 - 2);
        for (items, channels, columns) in [(3, 5, 37), (1, 33, 16), (0, 4, 4)] {
            let x = numbers(items * size.0 * size.1 * channels);
            let weights = numbers(9 * channels * columns);
            let (bias, held) = (numbers(columns), numbers(items * outputs * columns));
            let of_weights = Matrix::new(&weights, 9 * channels, columns);
            let cases = [(2, true), (2, false), (4, true), (4, false)];
            let sets = Kernels::available().into_iter();
            for (set, (side, both)) in sets.flat_map(|set| cases.map(|case| (set, case))) {
                let begin = |at: usize| bias[at % columns] + if both { held[at] } else { 0.0 };
                let start: Vec<f32> = (0..held.len()).map(begin).collect();
                let wanted = neighbours(&x, plane, &weights, &start, (channels, columns));
                let mut turned = Winograd::new(set, side, channels, columns);
                turned.take(set, 0, of_weights);
                let mut y = held.clone();
                let to = Target::new(&mut y, items * outputs, columns);
                let from = Matrix::new(&x, items * size.0 * size.1, channels);
                let start = if both { Start::Both(&bias) } else { Start::Bias(&bias) };
                let (relu, desk) = (Some(Activation::Relu), &mut Desk::default());
                convolve_winograd(set, from, plane, &turned, start, relu, to, desk);
                for (found, wanted) in y.iter().zip(&wanted) {
                    let wanted = wanted.max(0.0);
                    assert!((f64::from(*found) - wanted).abs() < 2e-4, "{} {side}", set.name());
                }
                // Each item by itself, whatever is beside it.
                let pixels = size.0 * size.1 * channels;
                for (item, found) in y.chunks(outputs * columns).enumerate() {
                    let mut alone = held[item * outputs * columns..][..outputs * columns].to_vec();
                    let from = Matrix::new(&x[item * pixels..], size.0 * size.1, channels);
                    let to = Target::new(&mut alone, outputs, columns);
                    convolve_winograd(set, from, plane, &turned, start, relu, to, desk);
                    assert_eq!(alone, found);
                }
            }
        }
    }
}
