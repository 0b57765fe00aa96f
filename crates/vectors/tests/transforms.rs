//! Changed copies and principal components, against the formulas.

use std::sync::Arc;

use inlay_base::{Error, Random, Run};
use inlay_formats::Names;
use inlay_vectors::{Precision, Rows, WordVectors};

fn vectors(rows: usize, dimensions: usize) -> WordVectors {
    let mut random = Random::new(2, 0);
    // Wider in some directions than in others, and far from zero.
    let values: Vec<f32> = (0..rows * dimensions)
        .map(|i| 3.0 + (random.unit() - 0.5) * 10.0 / (1.0 + (i % dimensions) as f32))
        .collect();
    let names = Names::new((0..rows).map(|row| format!("w{row}"))).unwrap();
    WordVectors::new(Arc::new(names), Rows::from_values(&values, dimensions).unwrap())
}

fn means(values: &[f32], dimensions: usize) -> Vec<f64> {
    let rows = (values.len() / dimensions) as f64;
    (0..dimensions)
        .map(|i| values[i..].iter().step_by(dimensions).map(|&x| f64::from(x)).sum::<f64>() / rows)
        .collect()
}

#[test]
fn centred_rows_have_no_mean_and_normalised_rows_have_length_one() {
    let run = Run::quiet(2, 1);
    let vectors = vectors(3000, 37);
    let centered = vectors.centered(&run).unwrap();
    assert!(means(&centered.matrix(), 37).iter().all(|mean| mean.abs() < 1e-6));
    let normalized = vectors.normalized(&run).unwrap();
    for row in normalized.matrix().chunks(37) {
        let square: f64 = row.iter().map(|&x| f64::from(x).powi(2)).sum();
        assert!((square - 1.0).abs() < 1e-6);
    }
    assert!((means(&vectors.matrix(), 37)[0] - 3.0).abs() < 0.2, "the original is as it was");
}

#[test]
fn the_widest_directions_are_found_in_order_and_taken_out() {
    let run = Run::quiet(2, 1);
    let (rows, dimensions) = (2000, 20);
    let vectors = vectors(rows, dimensions);
    let points = vectors.principal_components(3, None, &run).unwrap();
    assert_eq!(points.len(), rows * 3);
    let variance = |column: usize| -> f64 {
        points[column..].iter().step_by(3).map(|&x| f64::from(x).powi(2)).sum::<f64>() / rows as f64
    };
    // The sample's axes are independent: uniform, of width 10 / (1 + i), variance width² / 12.
    for column in 0..3 {
        let expected = (10.0 / (1.0 + column as f64)).powi(2) / 12.0;
        assert!((variance(column) / expected - 1.0).abs() < 0.1, "{column}: {}", variance(column));
        assert!(means(&points, 3)[column].abs() < 1e-4);
    }
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        let product: f64 =
            points.chunks(3).map(|p| f64::from(p[a]) * f64::from(p[b])).sum::<f64>() / rows as f64;
        assert!(product.abs() < 1e-4, "coordinates do not vary together: {product}");
    }
    let without = vectors.without_top_components(2, &run).unwrap();
    let left = without.principal_components(1, None, &run).unwrap();
    let left: f64 = left.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / rows as f64;
    assert!((left / variance(2) - 1.0).abs() < 1e-3, "the third is now the first");
    let nothing = vectors.without_top_components(0, &run).unwrap();
    assert_eq!(nothing.matrix(), vectors.centered(&run).unwrap().matrix());
}

#[test]
fn components_do_not_depend_on_the_number_of_threads() {
    let vectors = vectors(5000, 40);
    let make =
        |threads| vectors.principal_components(2, Some(4000), &Run::quiet(threads, 1)).unwrap();
    assert_eq!(make(1).len(), 8000);
    assert_eq!(make(1), make(3));
}

#[test]
fn many_dimensions_are_reduced_too() {
    let run = Run::quiet(2, 1);
    let vectors = vectors(300, 700);
    let points = vectors.principal_components(2, None, &run).unwrap();
    let variance = |column: usize| -> f64 {
        points[column..].iter().step_by(2).map(|&x| f64::from(x).powi(2)).sum::<f64>() / 300.0
    };
    assert!((variance(0) / (100.0 / 12.0) - 1.0).abs() < 0.2, "{}", variance(0));
    assert!((variance(1) / (25.0 / 12.0) - 1.0).abs() < 0.2, "{}", variance(1));
}

#[test]
fn coordinates_beyond_the_dimensions_are_zero() {
    let run = Run::quiet(1, 1);
    let points = vectors(10, 2).principal_components(3, None, &run).unwrap();
    assert!(points.iter().skip(2).step_by(3).all(|&x| x == 0.0));
}

#[test]
fn reduced_precision_stays_within_its_step() {
    let run = Run::quiet(2, 1);
    let vectors = vectors(500, 33);
    let exact = vectors.matrix();
    let half = vectors.with_precision(Precision::Float16, &run).unwrap();
    assert_eq!(half.precision(), Precision::Float16);
    for (a, b) in exact.iter().zip(half.matrix()) {
        assert!((a - b).abs() <= a.abs() / 2048.0 + 1e-7);
    }
    let bytes = vectors.with_precision(Precision::Int8, &run).unwrap();
    for (a, b) in exact.chunks(33).zip(bytes.matrix().chunks(33)) {
        let step = a.iter().fold(0.0f32, |max, x| max.max(x.abs())) / 127.0;
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= step * 0.5001));
    }
    let names = Names::new(["a"]).unwrap();
    let huge = WordVectors::new(Arc::new(names), Rows::from_values(&[1e5], 1).unwrap());
    let outcome = huge.with_precision(Precision::Float16, &run);
    assert!(matches!(outcome.err(), Some(Error::InvalidInput { .. })));
}
