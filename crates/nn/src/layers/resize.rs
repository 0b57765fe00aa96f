use std::sync::OnceLock;

use serde::Deserialize;

use super::windows::Extent;
use crate::layer::{Backward, Forward, Layer};
use crate::shape::{Positions, Shape};

/// Items of another number of positions, whose values are worked out from those of neighbours: PyTorch's `F.interpolate`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resize {
    /// Positions that come out along each axis.
    size: Extent,
    by: By,
    /// Whether the first and last positions keep their places; else edges do.
    #[serde(default, rename = "alignCorners")]
    align_corners: bool,
    #[serde(skip)]
    steps: OnceLock<Vec<Step>>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum By {
    /// Two neighbours along each axis.
    Linear,
    /// Four of them (Keys 1981), by a curve whose slope at 1 is -3/4.
    Cubic,
}

/// What becomes of one axis.
struct Step {
    /// Positions before it, that go in along it, and values behind it.
    outer: usize,
    inputs: usize,
    inner: usize,
    /// Of each position that comes out: of which it is made, and what each counts.
    taps: Vec<Vec<(usize, f32)>>,
}

impl By {
    /// Of a place between positions, given as the one before it and how far behind that it is: the positions from the `first`
    /// on, counted from that one, and what they count.
    fn weights(self, t: f32) -> (isize, Vec<f32>) {
        /// The slope of the curve at 1, as all have it.
        const A: f32 = -0.75;
        let near = |x: f32| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
        let far = |x: f32| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
        match self {
            Self::Linear => (0, vec![1.0 - t, t]),
            Self::Cubic => (-1, vec![far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)]),
        }
    }
}

/// A grid [from, width] with another number of positions along each axis, by the curve, with edges that stay.
pub(super) fn resized(values: &[f32], from: &[usize], to: &[usize], width: usize) -> Vec<f32> {
    let mut now = values.to_vec();
    for step in Step::all((By::Cubic, false), from, to, width) {
        let mut next = vec![0.0; step.sizes().1];
        step.forward(1, &now, &mut next);
        now = next;
    }
    now
}

/// Positions along an axis, at most: each has a list of what it is made of.
const LONGEST: usize = 1 << 20;

impl Step {
    /// One for each axis that changes.
    fn all(how: (By, bool), from: &[usize], to: &[usize], width: usize) -> Vec<Self> {
        let (mut now, mut steps) = (from.to_vec(), Vec::new());
        for (axis, &outputs) in to.iter().enumerate() {
            let part = |axes: &[usize]| axes.iter().product::<usize>();
            let inner = part(&now[axis + 1..]) * width;
            if now[axis] != outputs {
                steps.push(Self::new(how, (part(&now[..axis]), now[axis], inner), outputs));
            }
            now[axis] = outputs;
        }
        steps
    }

    /// In single precision, as PyTorch works places out.
    fn new(
        (by, corners): (By, bool),
        (outer, inputs, inner): (usize, usize, usize),
        outputs: usize,
    ) -> Self {
        let scale = match corners {
            true if outputs > 1 => (inputs - 1) as f32 / (outputs - 1) as f32,
            true => 0.0,
            false => inputs as f32 / outputs as f32,
        };
        let taps = |to: usize| {
            let place = match corners {
                true => scale * to as f32,
                false => scale * (to as f32 + 0.5) - 0.5,
            };
            let place = if by == By::Linear { place.max(0.0) } else { place };
            let before = place.floor();
            let (first, weights) = by.weights((place - before).clamp(0.0, 1.0));
            let at = (before as isize + first..).map(|at| at.clamp(0, inputs as isize - 1));
            at.map(|at| at as usize).zip(weights).collect()
        };
        Self { outer, inputs, inner, taps: (0..outputs).map(taps).collect() }
    }

    /// Tells of each part of an item that comes out, by its number, a part that goes in, and what it counts.
    fn each(&self, items: usize, mut with: impl FnMut(usize, usize, f32)) {
        for outer in 0..items * self.outer {
            for (to, taps) in self.taps.iter().enumerate() {
                for &(from, weight) in taps {
                    with(outer * self.inputs + from, outer * self.taps.len() + to, weight);
                }
            }
        }
    }

    fn forward(&self, items: usize, x: &[f32], y: &mut [f32]) {
        y.fill(0.0);
        self.each(items, |from, to, weight| self.add(&x[from * self.inner..], y, to, weight));
    }

    fn backward(&self, items: usize, y: &[f32], x: &mut [f32]) {
        x.fill(0.0);
        self.each(items, |from, to, weight| self.add(&y[to * self.inner..], x, from, weight));
    }

    /// Adds a part, times a weight, to another one.
    fn add(&self, from: &[f32], to: &mut [f32], number: usize, weight: f32) {
        let to = &mut to[number * self.inner..][..self.inner];
        to.iter_mut().zip(from).for_each(|(to, from)| *to += weight * from);
    }

    /// Values of an item that go in, and that come out.
    fn sizes(&self) -> (usize, usize) {
        let each = self.outer * self.inner;
        (each * self.inputs, each * self.taps.len())
    }
}

impl Layer for Resize {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        let axes = match &input.positions {
            Positions::Fixed(axes) if axes.iter().product::<usize>() > 0 && !axes.is_empty() => {
                axes
            }
            _ => return Err("expects items of one length, of a position or more".into()),
        };
        let size = self.size.of(axes.len(), "size")?;
        let most = size.iter().chain(axes).try_fold(1usize, |all, &axis| all.checked_mul(axis));
        if most.is_none() || size.iter().any(|axis| !(1..=LONGEST).contains(axis)) {
            return Err(format!(
                "expects a `size` from 1 to {LONGEST}, which fits memory, got {size:?}"
            ));
        }
        let how = (self.by, self.align_corners);
        self.steps.get_or_init(|| Step::all(how, axes, &size, input.width));
        Ok(Shape { positions: Positions::Fixed(size), ..input.clone() })
    }

    fn operations(&self, input: &Shape, _rows: usize) -> u64 {
        let of =
            |step: &Step| step.taps.iter().map(Vec::len).sum::<usize>() * step.outer * step.inner;
        let steps = self.steps.get();
        steps.map_or(input.width as u64, |steps| steps.iter().map(of).sum::<usize>() as u64)
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let (items, steps) = (pass.input.items(), self.steps.get().expect("a shape"));
        let Some((last, before)) = steps.split_last() else {
            return pass.output.copy_from_slice(pass.input.values);
        };
        // Between two steps, in turns.
        let [mut now, mut next] = [0, 1].map(|list| std::mem::take(pass.memo.values(list, 0)));
        for (number, step) in before.iter().enumerate() {
            next.resize(items * step.sizes().1, 0.0);
            step.forward(items, if number == 0 { pass.input.values } else { &now }, &mut next);
            std::mem::swap(&mut now, &mut next);
        }
        last.forward(items, if before.is_empty() { pass.input.values } else { &now }, pass.output);
        [pass.memo.values[0], pass.memo.values[1]] = [now, next];
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let (items, steps) = (pass.input.items(), self.steps.get().expect("a shape"));
        let Some((first, behind)) = steps.split_first() else {
            return to.copy_from_slice(pass.output_gradient);
        };
        let [mut now, mut next] = [0, 1].map(|list| std::mem::take(pass.memo.values(list, 0)));
        for (number, step) in behind.iter().rev().enumerate() {
            next.resize(items * step.sizes().0, 0.0);
            step.backward(items, if number == 0 { pass.output_gradient } else { &now }, &mut next);
            std::mem::swap(&mut now, &mut next);
        }
        first.backward(items, if behind.is_empty() { pass.output_gradient } else { &now }, to);
        [pass.memo.values[0], pass.memo.values[1]] = [now, next];
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, check};
    use crate::{Cells, Column, Network};

    /// What each position that comes out of an axis is made of, [outputs, inputs], by the curve of Keys.
    fn matrix(by: &str, corners: bool, inputs: usize, outputs: usize) -> Vec<Vec<f64>> {
        let (long, short) = (inputs as f64, outputs as f64);
        let weight = |d: f64| match d.abs() {
            d if by == "linear" => (1.0 - d).max(0.0),
            d if d < 1.0 => (1.25 * d - 2.25) * d * d + 1.0,
            d if d < 2.0 => ((-0.75 * d + 3.75) * d - 6.0) * d + 3.0,
            _ => 0.0,
        };
        let row = |to: usize| {
            let place = match corners {
                true => to as f64 * (long - 1.0) / (short - 1.0).max(1.0),
                false => (to as f64 + 0.5) * long / short - 0.5,
            };
            let mut row = vec![0.0; inputs];
            for at in -3..inputs as isize + 3 {
                row[at.clamp(0, inputs as isize - 1) as usize] += weight(place - at as f64);
            }
            row
        };
        (0..outputs).map(row).collect()
    }

    #[test]
    fn items_become_longer_and_shorter_along_every_axis() {
        for (by, corners) in
            [("linear", true), ("linear", false), ("cubic", true), ("cubic", false)]
        {
            for size in [[7, 4], [3, 6], [5, 1], [5, 4]] {
                let layers = json!([{"kind": "tanh"},
                    {"kind": "resize", "size": size, "by": by, "alignCorners": corners}]);
                let case =
                    Case { layers, positions: Some(vec![5, 4]), width: 2, lengths: vec![20; 3] };
                let down = matrix(by, corners, 5, size[0]);
                let across = matrix(by, corners, 4, size[1]);
                check(&case, |x, _| {
                    let mut y = Vec::new();
                    for x in x.values.chunks(40) {
                        for (down, across) in
                            down.iter().flat_map(|d| across.iter().map(move |a| (d, a)))
                        {
                            y.extend([0, 1].map(|c| -> f64 {
                                let terms = (0..20)
                                    .map(|at| down[at / 4] * across[at % 4] * x[2 * at + c].tanh());
                                terms.sum()
                            }));
                        }
                    }
                    y
                });
            }
        }
    }

    /// What PyTorch 2 gives for the values below, of an item [5, 4, 2] that becomes [3, 6, 2].
    const GOLDEN: [(&str, bool, [f32; 36]); 2] = [
        (
            "linear",
            false,
            [
                -0.541667, 0.916667, 0.125, 0.791667, 0.75, 0.625, 0.583333, 0.458333, 0.416667,
                0.291667, 0.291667, 0.166667, -0.625, -0.75, -0.75, -0.875, -0.520833, -0.645833,
                0.895833, 0.770833, 1.125, 1.0, 1.0, 0.875, 0.083333, -0.041667, -0.041667,
                -0.166667, -0.208333, -0.333333, -0.375, -0.5, -0.541667, 0.125, -0.666667,
                0.791666,
            ],
        ),
        (
            "cubic",
            true,
            [
                -1.0, 1.25, 0.3275, 1.124, 1.291, 0.938, 0.994, 0.812, 0.751, 0.626, 0.625, 0.5,
                -0.625, -0.75, -1.0075, -1.1325, -0.519, -0.644, 0.894001, 0.769001, 1.3825,
                1.2575, 1.0, 0.875, -0.25, -0.375, -0.376, -0.501, -0.562, -0.744, -0.688, -1.041,
                -0.874, -0.077499, -1.0, 1.25,
            ],
        ),
    ];

    #[test]
    fn it_is_pytorchs() {
        for (by, corners, wanted) in GOLDEN {
            let input = json!({"content": "values", "positions": [5, 4], "width": 2});
            let layers =
                json!([{"kind": "resize", "size": [3, 6], "by": by, "alignCorners": corners}]);
            let description = json!({"inputs": [input], "layers": layers}).to_string();
            let mut network = Network::new(&description, 1).expect("a network");
            network.prepare();
            let shape = &network.inputs().expect("an input")[0].1;
            let values = (0..40).map(|i| (i * 37 % 19) as f32 / 8.0 - 1.0).collect();
            let column = Column::new("x", Cells::Values(values), None, shape).expect("a column");
            let run = inlay_base::Run::quiet(1, 1);
            let (found, _) = network.encode(&[column], None, &run).expect("rows");
            assert_eq!(found.len(), wanted.len());
            for (found, wanted) in found.iter().zip(wanted) {
                assert!((found - wanted).abs() < 2e-6, "{by} {corners}: {found} for {wanted}");
            }
        }
    }

    #[test]
    fn a_size_that_cannot_be_is_refused() {
        for (size, problem) in [
            (json!([3]), "a `size` of 2 numbers"),
            (json!([0, 3]), "a `size` from 1 to"),
            (json!([1 << 30, 1]), "a `size` from 1 to"),
            (json!([1u64 << 40, 1u64 << 40]), "which fits memory"),
        ] {
            let input = json!({"content": "values", "positions": [2, 3], "width": 3});
            let layers = json!([{"kind": "resize", "size": size, "by": "linear"}]);
            let description = json!({"inputs": [input], "layers": layers}).to_string();
            let found = Network::new(&description, 1).err().expect("a refusal").to_string();
            assert!(found.contains(problem), "{found}");
        }
    }
}
