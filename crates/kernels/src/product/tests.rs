use inlay_base::Random;

use super::*;

fn numbers(length: usize, stream: u64) -> Vec<f32> {
    let mut random = Random::new(11, stream);
    (0..length).map(|_| random.unit() - 0.5).collect()
}

fn turned(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|j| (0..rows).map(move |i| values[i * columns + j])).collect()
}

/// Every value against its sum in f64, within n·ε·Σ|a·b|.
fn check(a: &[f32], b: &[f32], c: &[f32], from: &[f32], shape: (usize, usize, usize), what: &str) {
    let (rows, depth, columns) = shape;
    for i in 0..rows {
        for j in 0..columns {
            let terms =
                (0..depth).map(|p| f64::from(a[i * depth + p]) * f64::from(b[p * columns + j]));
            let (mut sum, mut size) = (f64::from(from[i * columns + j]), 1.0);
            for term in terms {
                (sum, size) = (sum + term, size + term.abs());
            }
            let bound = size * (depth + 2) as f64 * f64::from(f32::EPSILON);
            let error = (f64::from(c[i * columns + j]) - sum).abs();
            assert!(error <= bound, "{what} {shape:?}: value {i}, {j} is off by {error}");
        }
    }
}

/// Rows, depth and columns: none, one, whole tiles and blocks, some more, and rows that crowd a set of the first cache.
pub(crate) const SHAPES: [(usize, usize, usize); 16] = [
    (1, 1, 1),
    (1, 5, 40),
    (3, 0, 4),
    (0, 3, 4),
    (4, 3, 0),
    (5, 7, 3),
    (14, 33, 32),
    (15, 256, 33),
    (28, 257, 64),
    (29, 300, 31),
    (64, 64, 64),
    (13, 17, 100),
    (50, 600, 20),
    (31, 1024, 20),
    (341, 30, 40),
    (3, 20, 3100),
];

#[test]
fn products_of_all_forms_are_right_on_every_set() {
    let mut desk = Desk::default();
    for set in Kernels::available() {
        for shape in SHAPES {
            let (m, k, n) = shape;
            let (a, b, bias) = (numbers(m * k, 1), numbers(k * n, 2), numbers(n, 3));
            let (a_turned, b_turned) = (turned(&a, m, k), turned(&b, k, n));
            let lefts = [Matrix::new(&a, m, k), Matrix::new(&a_turned, k, m).transposed()];
            let rights = [Matrix::new(&b, k, n), Matrix::new(&b_turned, n, k).transposed()];
            let mut packed = Packed::new(set, k, n);
            let mut first: Option<Vec<f32>> = None;
            for left in lefts {
                for right in rights {
                    let mut c = vec![f32::NAN; m * n];
                    let target = Target::new(&mut c, m, n);
                    multiply(set, left, right, Start::Zero, None, target, &mut desk);
                    check(&a, &b, &c, &vec![0.0; m * n], shape, set.name());
                    packed.pack(set, right);
                    let mut again = vec![f32::NAN; m * n];
                    let target = Target::new(&mut again, m, n);
                    multiply(set, left, &packed, Start::Zero, None, target, &mut desk);
                    // However the operands lie, the bits are the same.
                    assert_eq!(first.get_or_insert(c.clone()), &c, "{} {shape:?}", set.name());
                    assert_eq!(again, c, "{} {shape:?}", set.name());
                }
            }
            let held = numbers(m * n, 4);
            let mut c = held.clone();
            multiply(
                set,
                lefts[0],
                rights[0],
                Start::Held,
                None,
                Target::new(&mut c, m, n),
                &mut desk,
            );
            check(&a, &b, &c, &held, shape, "held");
            let start = Start::Bias(&bias);
            multiply(set, lefts[0], rights[0], start, None, Target::new(&mut c, m, n), &mut desk);
            check(&a, &b, &c, &bias.repeat(m), shape, "bias");
        }
    }
}

#[test]
fn a_row_depends_neither_on_its_neighbours_nor_on_how_the_depth_is_cut() {
    let mut desk = Desk::default();
    let (m, k, n) = (40, 700, 70);
    let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
    for set in Kernels::available() {
        let mut whole = vec![0.0; m * n];
        let (left, right) = (Matrix::new(&a, m, k), Matrix::new(&b, k, n));
        multiply(set, left, right, Start::Zero, None, Target::new(&mut whole, m, n), &mut desk);
        for (row, wanted) in whole.chunks(n).enumerate() {
            let mut alone = vec![0.0; n];
            let left = Matrix::new(&a[row * k..], 1, k);
            multiply(set, left, right, Start::Zero, None, Target::new(&mut alone, 1, n), &mut desk);
            assert_eq!(alone, wanted, "{} row {row}", set.name());
        }
        for cut in [1, 255, 256, 300, 699] {
            let mut parts = vec![0.0; m * n];
            let front = Matrix::spaced(&a, m, cut, k);
            let back = Matrix::spaced(&a[cut..], m, k - cut, k);
            let (top, bottom) = (Matrix::new(&b, cut, n), Matrix::new(&b[cut * n..], k - cut, n));
            multiply(set, front, top, Start::Zero, None, Target::new(&mut parts, m, n), &mut desk);
            multiply(
                set,
                back,
                bottom,
                Start::Held,
                None,
                Target::new(&mut parts, m, n),
                &mut desk,
            );
            assert_eq!(parts, whole, "{} cut at {cut}", set.name());
        }
    }
}

#[test]
fn spaced_targets_keep_what_lies_between_and_activations_come_last() {
    let mut desk = Desk::default();
    for set in Kernels::available() {
        let (a, b) = (numbers(20 * 300, 1), numbers(300 * 5, 2));
        let (left, right) = (Matrix::new(&a, 20, 300), Matrix::new(&b, 300, 5));
        let mut plain = vec![0.0; 100];
        multiply(set, left, right, Start::Zero, None, Target::new(&mut plain, 20, 5), &mut desk);
        let mut spaced = vec![9.0; 20 * 8];
        let target = Target::spaced(&mut spaced, 20, 5, 8);
        multiply(set, left, right, Start::Zero, Some(Activation::Relu), target, &mut desk);
        for (wanted, row) in plain.chunks(5).zip(spaced.chunks(8)) {
            let relu: Vec<f32> = wanted.iter().map(|x| x.max(0.0)).collect();
            assert_eq!(row[..5], relu);
            assert_eq!(row[5..], [9.0; 3]);
        }
        let bias = [1.0, -1.0];
        let mut empty = vec![0.0; 4];
        let (none, nothing) = (Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 2));
        let target = Target::new(&mut empty, 2, 2);
        let activation = Some(Activation::Relu);
        multiply(set, none, nothing, Start::Bias(&bias), activation, target, &mut desk);
        assert_eq!(empty, [1.0, 0.0, 1.0, 0.0]);
    }
}

#[test]
#[should_panic(expected = "assertion")]
fn a_matrix_longer_than_its_values_is_refused() {
    Matrix::new(&[0.0; 5], 2, 3);
}
