use std::sync::OnceLock;

use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer};
use crate::shape::{Positions, Shape};

/// The axes of an item, its values last, in another order: PyTorch's `permute` without the axis of items.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Permute {
    /// Of each axis that comes out, which it was.
    axes: Vec<usize>,
    #[serde(skip)]
    moves: OnceLock<Moves>,
}

/// Where values go, in runs that stay together.
struct Moves {
    /// In the order of what comes out: where each run was.
    from: Vec<u32>,
    /// Values of a run.
    run: usize,
}

impl Moves {
    fn new(lengths: &[usize], axes: &[usize]) -> Self {
        // Axes that stay last make runs.
        let kept = axes.iter().enumerate().rev().take_while(|(at, axis)| at == *axis).count();
        let (moved, rest) = axes.split_at(axes.len() - kept);
        let run: usize = rest.iter().map(|&axis| lengths[axis]).product();
        let step = |axis: usize| lengths[axis + 1..moved.len()].iter().product::<usize>();
        let mut from = vec![0];
        for &axis in moved {
            let (length, step) = (lengths[axis], step(axis) as u32);
            from = from
                .iter()
                .flat_map(|&first: &u32| (0..length as u32).map(move |at| first + at * step))
                .collect();
        }
        Self { from, run }
    }

    /// Tells of each run where it was and where it goes, in values.
    fn each(&self, values: usize, mut with: impl FnMut(usize, usize)) {
        for item in 0..values / (self.from.len() * self.run).max(1) {
            let first = item * self.from.len();
            for (to, &from) in self.from.iter().enumerate() {
                with((first + from as usize) * self.run, (first + to) * self.run);
            }
        }
    }
}

impl Layer for Permute {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        let Positions::Fixed(positions) = &input.positions else {
            return Err("expects items of one length".into());
        };
        let lengths: Vec<usize> = positions.iter().copied().chain([input.width]).collect();
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..lengths.len()) {
            let last = lengths.len() - 1;
            return Err(format!("expects each of the axes 0 to {last} once, got {:?}", self.axes));
        }
        let size = lengths.iter().try_fold(1usize, |size, &axis| size.checked_mul(axis));
        if size.is_none_or(|size| size > u32::MAX as usize) {
            return Err("expects items of fewer values".into());
        }
        self.moves.get_or_init(|| Moves::new(&lengths, &self.axes));
        let mut found: Vec<usize> = self.axes.iter().map(|&axis| lengths[axis]).collect();
        let width = found.pop().unwrap_or(1);
        Ok(Shape { positions: Positions::Fixed(found), ..input.with_width(width) })
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let moves = self.moves.get().expect("a layer whose `shape` was asked for");
        let (x, y, run) = (pass.input.values, &mut *pass.output, moves.run);
        moves.each(x.len(), |from, to| y[to..to + run].copy_from_slice(&x[from..from + run]));
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(x) = &mut pass.input_gradient else { return };
        let moves = self.moves.get().expect("a layer whose `shape` was asked for");
        let (y, run) = (&*pass.output_gradient, moves.run);
        moves.each(y.len(), |from, to| x[from..from + run].copy_from_slice(&y[to..to + run]));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Network;
    use crate::check::{Case, check};

    #[test]
    fn axes_change_places() {
        for axes in [[0, 1, 2], [1, 0, 2], [2, 0, 1], [0, 2, 1], [2, 1, 0]] {
            let layers = json!([{"kind": "tanh"}, {"kind": "permute", "axes": axes}]);
            let lengths = [3, 4, 5];
            let case = Case { layers, positions: Some(vec![3, 4]), width: 5, lengths: vec![12; 3] };
            check(&case, |x, _| {
                let item = |x: &[f64]| {
                    let long = axes.map(|axis| lengths[axis]);
                    (0..60)
                        .map(move |at| {
                            [at / long[2] / long[1], at / long[2] % long[1], at % long[2]]
                        })
                        .map(|out| {
                            let mut at = [0; 3];
                            axes.iter().zip(out).for_each(|(&axis, place)| at[axis] = place);
                            x[(at[0] * 4 + at[1]) * 5 + at[2]].tanh()
                        })
                        .collect::<Vec<_>>()
                };
                x.values.chunks(60).flat_map(item).collect()
            });
        }
    }

    #[test]
    fn four_neighbours_become_one_as_in_a_swin_transformer() {
        // The columns of a block go before its rows.
        let layers = json!([
            {"kind": "reshape", "shape": [2, 2, 3, 2, 5]},
            {"kind": "permute", "axes": [0, 2, 3, 1, 4]},
            {"kind": "reshape", "shape": [2, 3, 20]},
        ]);
        let case = Case { layers, positions: Some(vec![4, 6]), width: 5, lengths: vec![24; 2] };
        check(&case, |x, _| {
            let value = |at: usize| {
                let (item, row, column) = (at / 120, at % 120 / 60, at % 60 / 20);
                let (right, down, c) = (at % 20 / 10, at % 10 / 5, at % 5);
                x.values[item * 120 + ((2 * row + down) * 6 + 2 * column + right) * 5 + c]
            };
            (0..240).map(value).collect()
        });
    }

    #[test]
    fn what_are_not_all_axes_is_refused() {
        for axes in [json!([0, 1]), json!([0, 1, 1]), json!([1, 2, 3]), json!([])] {
            let input = json!({"content": "values", "positions": [2, 3], "width": 3});
            let layers = json!([{"kind": "permute", "axes": axes}]);
            let description = json!({"inputs": [input], "layers": layers}).to_string();
            let problem = Network::new(&description, 1).err().expect("a refusal").to_string();
            assert!(problem.contains("expects each of the axes 0 to 2 once"), "{problem}");
        }
    }
}
