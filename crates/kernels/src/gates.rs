//! The gates of recurrent cells, forward and backward, for one row: a sequence at a time step.
//!
//! ```text
//! LSTM (Hochreiter and Schmidhuber 1997; Gers et al. 2000)     GRU (Cho et al. 2014, arXiv:1406.1078)
//! i, f, o = σ(a)      g = tanh(a)                              r, z = σ(a + b)
//! c' = f·c + i·g                                               n = tanh(a + r·b)
//! h' = o·tanh(c')                                              h' = n + z·(h - n)
//! ```
//!
//! where a comes of the input and b of the hidden state h; an LSTM's a has both in it.

use crate::activation::{sigmoid, tanh};
use crate::{Kernels, Simd, Task};

/// A step of an LSTM. `gates` is [i, f, g, o], what comes of the input, and `sums` what comes of the
/// hidden state; `gates` become what their functions give, `cell` becomes c' and `hidden` h'.
///
/// # Panics
/// If `gates` and `sums` are not four times as long as `cell` and `hidden`.
pub fn lstm(
    kernels: Kernels,
    gates: &mut [f32],
    sums: &[f32],
    cell: &mut [f32],
    hidden: &mut [f32],
) {
    let units = hidden.len();
    assert!([gates.len(), sums.len(), cell.len()] == [4 * units, 4 * units, units]);
    kernels.run(Lstm { gates, sums, cell, hidden });
}

/// The way back of `lstm`.
pub struct LstmBack<'a> {
    /// What `lstm` made of them; become the gradients of what their functions were given.
    pub gates: &'a mut [f32],
    /// c, as it was before the step.
    pub cell: &'a [f32],
    /// Of the loss by h', as far as it was given away.
    pub output_gradient: &'a [f32],
    /// Of the loss by h', as far as the next step used it; becomes zero, as h is in the sums alone.
    pub hidden_gradient: &'a mut [f32],
    /// Of the loss by c'; becomes that by c.
    pub cell_gradient: &'a mut [f32],
    /// Become the gradients of the sums, which are those of the gates.
    pub sums: &'a mut [f32],
}

impl LstmBack<'_> {
    /// Works them out.
    ///
    /// # Panics
    /// If the lengths do not fit, as for `lstm`.
    pub fn run(self, kernels: Kernels) {
        let units = self.hidden_gradient.len();
        let lengths = [self.cell.len(), self.output_gradient.len(), self.cell_gradient.len()];
        assert!(lengths == [units; 3]);
        assert!([self.gates.len(), self.sums.len()] == [4 * units; 2]);
        kernels.run(self);
    }
}

/// A step of a GRU. `gates` is [r, z, n], what comes of the input, and `sums` what comes of the hidden
/// state; `gates` become what their functions give, and `hidden` h'.
///
/// # Panics
/// If `gates` and `sums` are not three times as long as `hidden`.
pub fn gru(kernels: Kernels, gates: &mut [f32], sums: &[f32], hidden: &mut [f32]) {
    assert!([gates.len(), sums.len()] == [3 * hidden.len(); 2]);
    kernels.run(Gru { gates, sums, hidden });
}

/// The way back of `gru`.
pub struct GruBack<'a> {
    /// What `gru` made of them; become the gradients of what their functions were given.
    pub gates: &'a mut [f32],
    /// The last third of the sums; becomes its gradient.
    pub candidate: &'a mut [f32],
    /// h, as it was before the step.
    pub hidden: &'a [f32],
    /// Of the loss by h', as far as it was given away.
    pub output_gradient: &'a [f32],
    /// Of the loss by h', as far as the next step used it; becomes that by h, but for the sums' part.
    pub hidden_gradient: &'a mut [f32],
    /// Become the gradients of the sums.
    pub sums: &'a mut [f32],
}

impl GruBack<'_> {
    /// Works them out.
    ///
    /// # Panics
    /// If the lengths do not fit, as for `gru`.
    pub fn run(self, kernels: Kernels) {
        let units = self.hidden_gradient.len();
        let lengths = [self.candidate.len(), self.hidden.len(), self.output_gradient.len()];
        assert!(lengths == [units; 3]);
        assert!([self.gates.len(), self.sums.len()] == [3 * units; 2]);
        kernels.run(self);
    }
}

struct Lstm<'a> {
    gates: &'a mut [f32],
    sums: &'a [f32],
    cell: &'a mut [f32],
    hidden: &'a mut [f32],
}

impl Task for Lstm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let units = self.hidden.len();
        let (gates, sums) = (self.gates.as_mut_ptr(), self.sums.as_ptr());
        for at in (0..units).step_by(S::LANES) {
            let count = (units - at).min(S::LANES);
            macro_rules! sum {
                ($gate:literal) => {{
                    let place = $gate * units + at;
                    let input = simd.load_first(gates.add(place), count);
                    simd.add(input, simd.load_first(sums.add(place), count))
                }};
            }
            // SAFETY: `count` values from `at` on are there in each of the four gates and in the states.
            unsafe {
                let i = sigmoid(simd, sum!(0));
                let f = sigmoid(simd, sum!(1));
                let g = tanh(simd, sum!(2));
                let o = sigmoid(simd, sum!(3));
                let cell = self.cell.as_mut_ptr().add(at);
                let c = simd.fma(i, g, simd.mul(f, simd.load_first(cell, count)));
                simd.store_first(cell, c, count);
                let h = simd.mul(o, tanh(simd, c));
                simd.store_first(self.hidden.as_mut_ptr().add(at), h, count);
                simd.store_first(gates.add(at), i, count);
                simd.store_first(gates.add(units + at), f, count);
                simd.store_first(gates.add(2 * units + at), g, count);
                simd.store_first(gates.add(3 * units + at), o, count);
            }
        }
    }
}

impl Task for LstmBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let units = self.hidden_gradient.len();
        let (gates, sums) = (self.gates.as_mut_ptr(), self.sums.as_mut_ptr());
        let one = simd.splat(1.0);
        for at in (0..units).step_by(S::LANES) {
            let count = (units - at).min(S::LANES);
            macro_rules! gradient {
                ($gate:literal, $value:expr) => {{
                    let (place, value) = ($gate * units + at, $value);
                    simd.store_first(gates.add(place), value, count);
                    simd.store_first(sums.add(place), value, count);
                }};
            }
            // SAFETY: `count` values from `at` on are there in each of the four gates and in the states.
            unsafe {
                let i = simd.load_first(gates.add(at), count);
                let f = simd.load_first(gates.add(units + at), count);
                let g = simd.load_first(gates.add(2 * units + at), count);
                let o = simd.load_first(gates.add(3 * units + at), count);
                let before = simd.load_first(self.cell.as_ptr().add(at), count);
                // c' is worked out once more: that costs less than to read it.
                let t = tanh(simd, simd.fma(i, g, simd.mul(f, before)));
                let given = simd.load_first(self.output_gradient.as_ptr().add(at), count);
                let hidden = self.hidden_gradient.as_mut_ptr().add(at);
                let h = simd.add(given, simd.load_first(hidden, count));
                simd.store_first(hidden, simd.splat(0.0), count);
                let cell = self.cell_gradient.as_mut_ptr().add(at);
                let slope = simd.mul(o, simd.sub(one, simd.mul(t, t)));
                let c = simd.fma(h, slope, simd.load_first(cell, count));
                simd.store_first(cell, simd.mul(c, f), count);
                let part = simd.mul(c, i);
                gradient!(0, simd.mul(simd.mul(part, g), simd.sub(one, i)));
                let part_of_f = simd.mul(simd.mul(c, before), f);
                gradient!(1, simd.mul(part_of_f, simd.sub(one, f)));
                gradient!(2, simd.mul(part, simd.sub(one, simd.mul(g, g))));
                gradient!(3, simd.mul(simd.mul(simd.mul(h, t), o), simd.sub(one, o)));
            }
        }
    }
}

struct Gru<'a> {
    gates: &'a mut [f32],
    sums: &'a [f32],
    hidden: &'a mut [f32],
}

impl Task for Gru<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let units = self.hidden.len();
        let (gates, sums) = (self.gates.as_mut_ptr(), self.sums.as_ptr());
        for at in (0..units).step_by(S::LANES) {
            let count = (units - at).min(S::LANES);
            // SAFETY: `count` values from `at` on are there in each of the three gates and in the state.
            unsafe {
                let (to_r, to_z, to_n) =
                    (gates.add(at), gates.add(units + at), gates.add(2 * units + at));
                let from = simd.load_first(sums.add(at), count);
                let r = sigmoid(simd, simd.add(simd.load_first(to_r, count), from));
                let from = simd.load_first(sums.add(units + at), count);
                let z = sigmoid(simd, simd.add(simd.load_first(to_z, count), from));
                let from = simd.load_first(sums.add(2 * units + at), count);
                let n = tanh(simd, simd.fma(r, from, simd.load_first(to_n, count)));
                let hidden = self.hidden.as_mut_ptr().add(at);
                let change = simd.sub(simd.load_first(hidden, count), n);
                simd.store_first(hidden, simd.fma(z, change, n), count);
                simd.store_first(to_r, r, count);
                simd.store_first(to_z, z, count);
                simd.store_first(to_n, n, count);
            }
        }
    }
}

impl Task for GruBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let units = self.hidden_gradient.len();
        let (gates, sums) = (self.gates.as_mut_ptr(), self.sums.as_mut_ptr());
        let one = simd.splat(1.0);
        for at in (0..units).step_by(S::LANES) {
            let count = (units - at).min(S::LANES);
            // SAFETY: `count` values from `at` on are there in each of the three gates and in the states.
            unsafe {
                let (to_r, to_z, to_n) =
                    (gates.add(at), gates.add(units + at), gates.add(2 * units + at));
                let r = simd.load_first(to_r, count);
                let z = simd.load_first(to_z, count);
                let n = simd.load_first(to_n, count);
                let candidate = self.candidate.as_mut_ptr().add(at);
                let before = simd.load_first(self.hidden.as_ptr().add(at), count);
                let given = simd.load_first(self.output_gradient.as_ptr().add(at), count);
                let hidden = self.hidden_gradient.as_mut_ptr().add(at);
                let h = simd.add(given, simd.load_first(hidden, count));
                let kept = simd.mul(h, z);
                simd.store_first(hidden, kept, count);
                let of_n = simd.mul(simd.sub(h, kept), simd.sub(one, simd.mul(n, n)));
                let turned = simd.mul(of_n, r);
                let of_z = simd.mul(simd.mul(kept, simd.sub(before, n)), simd.sub(one, z));
                let of_r = simd.mul(turned, simd.load_first(candidate, count));
                let of_r = simd.mul(of_r, simd.sub(one, r));
                simd.store_first(candidate, turned, count);
                simd.store_first(to_r, of_r, count);
                simd.store_first(to_z, of_z, count);
                simd.store_first(to_n, of_n, count);
                simd.store_first(sums.add(at), of_r, count);
                simd.store_first(sums.add(units + at), of_z, count);
                simd.store_first(sums.add(2 * units + at), turned, count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of different sizes, both signs.
    fn numbers(length: usize, stream: usize) -> Vec<f32> {
        (0..length).map(|i| (((i * 37 + stream * 53) % 101) as f32 - 50.0) / 20.0).collect()
    }

    fn sigma(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    fn wide(values: &[f32]) -> Vec<f64> {
        values.iter().map(|&value| f64::from(value)).collect()
    }

    /// c' and h' of one unit.
    fn lstm_unit([i, f, g, o]: [f64; 4], c: f64) -> (f64, f64) {
        let c = sigma(f) * c + sigma(i) * g.tanh();
        (c, sigma(o) * c.tanh())
    }

    fn gru_unit([r, z, n]: [f64; 3], [of_r, of_z, of_n]: [f64; 3], h: f64) -> f64 {
        let (r, z) = (sigma(r + of_r), sigma(z + of_z));
        (1.0 - z) * (n + r * of_n).tanh() + z * h
    }

    fn close(found: f32, wanted: f64, what: &str) {
        assert!((f64::from(found) - wanted).abs() < 4e-6, "{what}: {found}, should be {wanted}");
    }

    fn slope(f: impl Fn(f64) -> f64) -> f64 {
        (f(1e-5) - f(-1e-5)) / 2e-5
    }

    #[test]
    fn an_lstm_follows_its_formula_and_goes_back_by_its_slopes() {
        for set in Kernels::available() {
            for units in (1..35).chain([64, 67]) {
                let (given, sums) = (numbers(4 * units, 1), numbers(4 * units, 2));
                let before = numbers(units, 3);
                let (mut gates, mut cell) = (given.clone(), before.clone());
                let mut hidden = vec![9.0; units];
                lstm(set, &mut gates, &sums, &mut cell, &mut hidden);
                let (output_gradient, next) = (numbers(units, 4), numbers(units, 5));
                let cells = numbers(units, 6);
                let (mut hidden_gradient, mut cell_gradient) = (next.clone(), cells.clone());
                let mut back_sums = vec![9.0; 4 * units];
                LstmBack {
                    gates: &mut gates,
                    cell: &before,
                    output_gradient: &output_gradient,
                    hidden_gradient: &mut hidden_gradient,
                    cell_gradient: &mut cell_gradient,
                    sums: &mut back_sums,
                }
                .run(set);
                assert_eq!(gates, back_sums);
                for unit in 0..units {
                    let name = format!("{} {units} units, unit {unit}", set.name());
                    let a = |gate: usize| {
                        let place = gate * units + unit;
                        f64::from(given[place]) + f64::from(sums[place])
                    };
                    let (a, before) = ([a(0), a(1), a(2), a(3)], f64::from(before[unit]));
                    let (c, h) = lstm_unit(a, before);
                    close(cell[unit], c, &name);
                    close(hidden[unit], h, &name);
                    let by_h = f64::from(output_gradient[unit]) + f64::from(next[unit]);
                    let loss = |a: [f64; 4], before: f64| {
                        let (c, h) = lstm_unit(a, before);
                        by_h * h + f64::from(cells[unit]) * c
                    };
                    for gate in 0..4 {
                        let wanted = slope(|step| {
                            let mut moved = a;
                            moved[gate] += step;
                            loss(moved, before)
                        });
                        close(gates[gate * units + unit], wanted, &format!("{name} gate {gate}"));
                    }
                    close(cell_gradient[unit], slope(|step| loss(a, before + step)), &name);
                    assert_eq!(hidden_gradient[unit], 0.0);
                }
            }
        }
    }

    #[test]
    fn a_gru_follows_its_formula_and_goes_back_by_its_slopes() {
        for set in Kernels::available() {
            for units in (1..35).chain([64, 67]) {
                let (given, sums) = (numbers(3 * units, 1), numbers(3 * units, 2));
                let before = numbers(units, 3);
                let (mut gates, mut hidden) = (given.clone(), before.clone());
                gru(set, &mut gates, &sums, &mut hidden);
                let (output_gradient, next) = (numbers(units, 4), numbers(units, 5));
                let (mut hidden_gradient, mut back_sums) = (next.clone(), vec![9.0; 3 * units]);
                let mut candidate = sums[2 * units..].to_vec();
                GruBack {
                    gates: &mut gates,
                    candidate: &mut candidate,
                    hidden: &before,
                    output_gradient: &output_gradient,
                    hidden_gradient: &mut hidden_gradient,
                    sums: &mut back_sums,
                }
                .run(set);
                assert_eq!(candidate, back_sums[2 * units..]);
                let (given, sums) = (wide(&given), wide(&sums));
                for unit in 0..units {
                    let name = format!("{} {units} units, unit {unit}", set.name());
                    let of = |values: &[f64]| [0, 1, 2].map(|gate| values[gate * units + unit]);
                    let (a, b, before) = (of(&given), of(&sums), f64::from(before[unit]));
                    close(hidden[unit], gru_unit(a, b, before), &name);
                    let by_h = f64::from(output_gradient[unit]) + f64::from(next[unit]);
                    for gate in 0..3 {
                        let moved = |values: [f64; 3], step: f64| {
                            let mut moved = values;
                            moved[gate] += step;
                            moved
                        };
                        let by_a = slope(|step| by_h * gru_unit(moved(a, step), b, before));
                        close(gates[gate * units + unit], by_a, &format!("{name} gate {gate}"));
                        let by_b = slope(|step| by_h * gru_unit(a, moved(b, step), before));
                        close(back_sums[gate * units + unit], by_b, &format!("{name} sum {gate}"));
                    }
                    // What the sums pass on is not in it.
                    let kept = slope(|step| by_h * gru_unit(a, b, before + step));
                    close(hidden_gradient[unit], kept, &name);
                }
            }
        }
    }

    #[test]
    fn gates_far_out_are_open_or_shut() {
        for set in Kernels::available() {
            let mut gates = [1e30, 1e30, 1e30, -1e30];
            let (mut cell, mut hidden) = ([0.5], [0.0]);
            lstm(set, &mut gates, &[0.0; 4], &mut cell, &mut hidden);
            assert!((cell[0] - 1.5).abs() < 1e-6 && hidden[0].abs() < 1e-6, "{}", set.name());
        }
    }
}
