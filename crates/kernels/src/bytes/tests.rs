use inlay_base::Random;

use super::*;
use crate::product::tests::SHAPES;

fn numbers(length: usize, stream: u64) -> Vec<f32> {
    let mut random = Random::new(17, stream);
    (0..length).map(|_| random.unit() - 0.4).collect()
}

/// All ways of all sets, by name.
fn sets() -> Vec<ByteSet> {
    Kernels::available().into_iter().flat_map(ByteSet::all_of).collect()
}

fn matrix(set: ByteSet, rows: usize, columns: usize, values: &[f32]) -> ByteMatrix {
    let mut matrix = ByteMatrix::with(set, rows, columns);
    // In two parts, as pieces of a parameter come.
    let cut = columns / 3;
    for (first, end) in [(0, cut), (cut, columns)] {
        let from = values.get(first..).unwrap_or_default();
        matrix.take(first, Matrix::spaced(from, rows, end - first, columns));
    }
    matrix
}

fn product(b: &ByteMatrix, a: &[f32], bias: Option<&[f32]>, rows: usize) -> Vec<f32> {
    let mut c = vec![f32::NAN; rows * b.columns];
    let (a, to) = (Matrix::new(a, rows, b.rows), Target::new(&mut c, rows, b.columns));
    multiply_bytes(a, b, bias, None, to, &mut Desk::default());
    c
}

#[test]
fn products_are_near_those_of_numbers_on_every_set() {
    for set in sets() {
        for (rows, depth, columns) in SHAPES {
            let (a, b, bias) =
                (numbers(rows * depth, 1), numbers(depth * columns, 2), numbers(columns, 3));
            let packed = matrix(set, depth, columns, &b);
            // What is rounded is half a step of each at most.
            let (step_a, step_b) = (1.0 / 255.0, 0.6 / f64::from(set.limit()));
            let given = packed.values();
            for (given, b) in given.iter().zip(&b) {
                assert!(
                    f64::from((given - b).abs()) <= 0.501 * step_b,
                    "{}: {given} for {b}",
                    set.name()
                );
            }
            for bias in [None, Some(&bias[..])] {
                let c = product(&packed, &a, bias, rows);
                for (at, &c) in c.iter().enumerate() {
                    let (i, j) = (at / columns, at % columns);
                    let mut sum = bias.map_or(0.0, |bias| f64::from(bias[j]));
                    let mut room = 1e-6;
                    for p in 0..depth {
                        // The weights as they are given back: only rows are rounded.
                        let (x, w) =
                            (f64::from(a[i * depth + p]), f64::from(given[p * columns + j]));
                        sum += x * w;
                        room += 0.501 * step_a * w.abs() + 1e-6;
                    }
                    let error = (f64::from(c) - sum).abs();
                    assert!(
                        error <= room,
                        "{} {:?}: off by {error}",
                        set.name(),
                        (rows, depth, columns)
                    );
                }
            }
        }
    }
}

#[test]
fn bytes_are_exact_where_numbers_are_bytes() {
    for set in sets() {
        // Rows that reach from 0 to 255 and columns that reach the limit stand for themselves: the largest sums.
        let (rows, depth, columns) = (17, 1030, 67);
        let limit = set.limit();
        let a: Vec<f32> = (0..rows * depth)
            .map(|i| if i % depth == 0 || i / depth == 3 { 255.0 } else { (i * 37 % 256) as f32 })
            .collect();
        let weight = |i: usize| ((i * 89 % 255) as f32 - 127.0).clamp(-limit, limit);
        let b: Vec<f32> = (0..depth * columns)
            .map(|i| if i < columns || i % columns == 5 { limit } else { weight(i) })
            .collect();
        let c = product(&matrix(set, depth, columns, &b), &a, None, rows);
        for (at, &c) in c.iter().enumerate() {
            let (i, j) = (at / columns, at % columns);
            let terms =
                (0..depth).map(|p| f64::from(a[i * depth + p]) * f64::from(b[p * columns + j]));
            let sum: f64 = terms.sum();
            assert!(
                (f64::from(c) - sum).abs() <= sum.abs() * 2e-7 + 4.0,
                "{}: {c} for {sum}",
                set.name()
            );
        }
    }
}

#[test]
fn a_row_depends_on_itself_alone_and_what_is_no_number_stays_in_it() {
    for set in sets() {
        let (rows, depth, columns) = (40, 70, 35);
        let (mut a, b) = (numbers(rows * depth, 1), numbers(depth * columns, 2));
        let packed = matrix(set, depth, columns, &b);
        let whole = product(&packed, &a, None, rows);
        for row in [0, 13, 39] {
            let alone = product(&packed, &a[row * depth..][..depth], None, 1);
            assert_eq!(alone, whole[row * columns..][..columns], "{}", set.name());
        }
        a[5 * depth + 69] = f32::NAN;
        a[6 * depth] = f32::INFINITY;
        a[7 * depth..8 * depth].fill(0.0);
        let spoilt = product(&packed, &a, None, rows);
        let row = |row: usize| &spoilt[row * columns..][..columns];
        assert!(row(5).iter().chain(row(6)).all(|x| x.is_nan()), "{}", set.name());
        assert!(row(7).iter().all(|&x| x == 0.0));
        assert_eq!(spoilt[8 * columns..], whole[8 * columns..]);
    }
}

#[test]
fn activations_come_last() {
    for set in sets() {
        let (a, b) = (numbers(20 * 30, 1), numbers(30 * 37, 2));
        let packed = matrix(set, 30, 37, &b);
        let plain = product(&packed, &a, None, 20);
        let mut c = vec![0.0; 20 * 37];
        let to = Target::new(&mut c, 20, 37);
        let activation = Some(Activation::Relu);
        multiply_bytes(
            Matrix::new(&a, 20, 30),
            &packed,
            None,
            activation,
            to,
            &mut Desk::default(),
        );
        let relu: Vec<f32> = plain.iter().map(|x| x.max(0.0)).collect();
        assert_eq!(c, relu);
    }
}
