//! Eigenvectors of symmetric matrices. Small ones by Householder's tridiagonal form and QL steps
//! (Bowdler, Martin, Reinsch, Wilkinson 1968; EISPACK's tred2 and tql2), large ones by subspace
//! iteration, of which each step is a product on all threads.

use std::sync::{Mutex, PoisonError};

use inlay_base::{Error, Random, Result, Workers, lock};

/// Up to this size all eigenvectors are found at once, in about a second.
const SMALL: usize = 512;
/// Directions beyond the wanted ones: the more, the faster the iteration settles.
const SPARE: usize = 24;
/// Steps after which what was found is taken: what moves even then is equal to a thousandth.
const STEPS: usize = 500;

/// The `n` eigenvectors of the largest eigenvalues, largest first, end to end, each 1 long.
/// `matrix` is `size` x `size` and symmetric.
pub(crate) fn widest(
    matrix: Vec<f64>,
    size: usize,
    n: usize,
    workers: &dyn Workers,
) -> Result<Vec<f64>> {
    if !matrix.iter().all(|value| value.is_finite()) {
        let problem = "hold values that are not finite".into();
        return Err(Error::InvalidInput { source: "vectors".into(), offset: None, problem });
    }
    if size > SMALL && n + SPARE < size / 2 {
        return by_iteration(&matrix, size, n, workers);
    }
    let (_, vectors) = symmetric_eigenvectors(matrix, size);
    let column = |k: usize| (0..size).map(move |i| i * size + k);
    Ok((0..n).flat_map(|k| column(k).map(|at| vectors[at])).collect())
}

/// All eigenvalues of a symmetric matrix of `size` x `size` finite values, largest first, and their
/// eigenvectors, each 1 long, as columns. A second for a size of 500.
pub fn symmetric_eigenvectors(matrix: Vec<f64>, size: usize) -> (Vec<f64>, Vec<f64>) {
    let (values, vectors) = all(matrix, size);
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
    let row = |i: usize| order.iter().map(move |&k| (i, k));
    let sorted = (0..size).flat_map(row).map(|(i, k)| vectors[i * size + k]);
    (order.iter().map(|&k| values[k]).collect(), sorted.collect())
}

/// All eigenvalues, and the eigenvectors as columns.
fn all(mut v: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut d, mut e) = tridiagonal(&mut v, n);
    diagonal(&mut v, &mut d, &mut e, n);
    (d, v)
}

/// Householder reflections: the matrix becomes tridiagonal (diagonal `d`, beside it `e`) and `v`
/// the product of the reflections.
fn tridiagonal(v: &mut [f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let at = |i: usize, j: usize| i * n + j;
    let mut d = v[(n - 1) * n..].to_vec();
    let mut e = vec![0.0; n];
    for i in (1..n).rev() {
        let scale: f64 = d[..i].iter().map(|value| value.abs()).sum();
        let mut h = 0.0;
        if scale == 0.0 {
            e[i] = d[i - 1];
            for j in 0..i {
                d[j] = v[at(i - 1, j)];
                v[at(i, j)] = 0.0;
                v[at(j, i)] = 0.0;
            }
        } else {
            for value in &mut d[..i] {
                *value /= scale;
                h += *value * *value;
            }
            let f = d[i - 1];
            let g = if f > 0.0 { -h.sqrt() } else { h.sqrt() };
            e[i] = scale * g;
            h -= f * g;
            d[i - 1] = f - g;
            e[..i].fill(0.0);
            for j in 0..i {
                let f = d[j];
                v[at(j, i)] = f;
                let mut g = e[j] + v[at(j, j)] * f;
                for k in j + 1..i {
                    g += v[at(k, j)] * d[k];
                    e[k] += v[at(k, j)] * f;
                }
                e[j] = g;
            }
            let mut f = 0.0;
            for j in 0..i {
                e[j] /= h;
                f += e[j] * d[j];
            }
            let hh = f / (h + h);
            for j in 0..i {
                e[j] -= hh * d[j];
            }
            for j in 0..i {
                let (f, g) = (d[j], e[j]);
                for k in j..i {
                    v[at(k, j)] -= f * e[k] + g * d[k];
                }
                d[j] = v[at(i - 1, j)];
                v[at(i, j)] = 0.0;
            }
        }
        d[i] = h;
    }
    for i in 0..n - 1 {
        v[at(n - 1, i)] = v[at(i, i)];
        v[at(i, i)] = 1.0;
        let h = d[i + 1];
        if h != 0.0 {
            for k in 0..=i {
                d[k] = v[at(k, i + 1)] / h;
            }
            for j in 0..=i {
                let g: f64 = (0..=i).map(|k| v[at(k, i + 1)] * v[at(k, j)]).sum();
                for k in 0..=i {
                    v[at(k, j)] -= g * d[k];
                }
            }
        }
        for k in 0..=i {
            v[at(k, i + 1)] = 0.0;
        }
    }
    for j in 0..n {
        d[j] = v[at(n - 1, j)];
        v[at(n - 1, j)] = 0.0;
    }
    v[at(n - 1, n - 1)] = 1.0;
    e[0] = 0.0;
    (d, e)
}

/// QL steps with implicit shifts: `d` becomes the eigenvalues and the columns of `v` the vectors.
fn diagonal(v: &mut [f64], d: &mut [f64], e: &mut [f64], n: usize) {
    e.rotate_left(1);
    e[n - 1] = 0.0;
    let (mut f, mut largest) = (0.0f64, 0.0f64);
    for l in 0..n {
        largest = largest.max(d[l].abs() + e[l].abs());
        let small = |value: f64| value.abs() <= f64::EPSILON * largest;
        let m = (l..n).find(|&m| small(e[m])).unwrap_or(n - 1);
        if m > l {
            // Thirty steps have always been enough; a bound keeps a bad matrix from hanging.
            for _ in 0..60 {
                let g = d[l];
                let mut p = (d[l + 1] - g) / (2.0 * e[l]);
                let r = if p < 0.0 { -p.hypot(1.0) } else { p.hypot(1.0) };
                d[l] = e[l] / (p + r);
                d[l + 1] = e[l] * (p + r);
                let next = d[l + 1];
                let h = g - d[l];
                d[l + 2..n].iter_mut().for_each(|value| *value -= h);
                f += h;
                p = d[m];
                let (mut c, mut c2, mut c3) = (1.0, 1.0, 1.0);
                let beside = e[l + 1];
                let (mut s, mut s2) = (0.0, 0.0);
                for i in (l..m).rev() {
                    c3 = c2;
                    c2 = c;
                    s2 = s;
                    let g = c * e[i];
                    let h = c * p;
                    let r = p.hypot(e[i]);
                    e[i + 1] = s * r;
                    s = e[i] / r;
                    c = p / r;
                    p = c * d[i] - s * g;
                    d[i + 1] = h + s * (c * g + s * d[i]);
                    for row in v.chunks_exact_mut(n) {
                        let (a, b) = (row[i], row[i + 1]);
                        row[i + 1] = s * a + c * b;
                        row[i] = c * a - s * b;
                    }
                }
                p = -s * s2 * c3 * beside * e[l] / next;
                e[l] = s * p;
                d[l] = c * p;
                if small(e[l]) {
                    break;
                }
            }
        }
        d[l] += f;
        e[l] = 0.0;
    }
}

/// Subspace iteration (Rutishauser 1970) with the Ritz vectors of each step.
fn by_iteration(matrix: &[f64], size: usize, n: usize, workers: &dyn Workers) -> Result<Vec<f64>> {
    let width = n + SPARE;
    let mut random = Random::new(1, 0);
    let mut basis: Vec<f64> = (0..width * size).map(|_| f64::from(random.unit()) - 0.5).collect();
    for _ in 0..STEPS {
        orthonormal(&mut basis, size);
        let image = product(matrix, &basis, size, workers)?;
        // The matrix as the basis sees it: its eigenvectors turn the basis.
        let mut seen = vec![0.0; width * width];
        for (i, a) in basis.chunks(size).enumerate() {
            for (j, b) in image.chunks(size).enumerate() {
                seen[i * width + j] = a.iter().zip(b).map(|(a, b)| a * b).sum();
            }
        }
        for i in 0..width {
            for j in 0..i {
                let mean = 0.5 * (seen[i * width + j] + seen[j * width + i]);
                (seen[i * width + j], seen[j * width + i]) = (mean, mean);
            }
        }
        let (values, turns) = all(seen, width);
        let mut order: Vec<usize> = (0..width).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let turned = |vectors: &[f64]| {
            let mut turned = vec![0.0; width * size];
            for (to, &k) in turned.chunks_mut(size).zip(&order) {
                for (j, from) in vectors.chunks(size).enumerate() {
                    let factor = turns[j * width + k];
                    to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
                }
            }
            turned
        };
        let vectors = turned(&basis);
        basis = turned(&image);
        // Settled when no wanted vector leaves its own direction: |A·x - λ·x| is small.
        let largest = values[order[0]].abs();
        let settled = (0..n).all(|k| {
            let (x, image) = (&vectors[k * size..][..size], &basis[k * size..][..size]);
            let value = values[order[k]];
            let residual: f64 = x.iter().zip(image).map(|(x, y)| (y - value * x).powi(2)).sum();
            residual.sqrt() <= 1e-9 * largest
        });
        if settled || largest == 0.0 {
            return Ok(vectors[..n * size].to_vec());
        }
    }
    orthonormal(&mut basis, size);
    basis.truncate(n * size);
    Ok(basis)
}

/// matrix · each vector.
fn product(
    matrix: &[f64],
    vectors: &[f64],
    size: usize,
    workers: &dyn Workers,
) -> Result<Vec<f64>> {
    let many = vectors.len() / size;
    let columns: Vec<Mutex<Vec<f64>>> = (0..many).map(|_| Mutex::default()).collect();
    workers.each(many, &|k| {
        let x = &vectors[k * size..][..size];
        let mut sum = vec![0.0; size];
        // By rows, as the matrix is symmetric: sums of whole rows are vectorised.
        for (row, &factor) in matrix.chunks(size).zip(x) {
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += factor * value);
        }
        *lock(&columns[k]) = sum;
        Ok(())
    })?;
    let columns = columns.into_iter();
    Ok(columns.flat_map(|sum| sum.into_inner().unwrap_or_else(PoisonError::into_inner)).collect())
}

/// Gram and Schmidt, twice, which is enough (Kahan; Parlett 1980).
fn orthonormal(basis: &mut [f64], size: usize) {
    for k in 0..basis.len() / size {
        let (before, rest) = basis.split_at_mut(k * size);
        let vector = &mut rest[..size];
        for _ in 0..2 {
            for other in before.chunks(size) {
                let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
            let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
            if length > 0.0 {
                vector.iter_mut().for_each(|value| *value /= length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::Run;

    use super::*;

    /// A symmetric matrix, none of whose eigenvalues is negative.
    fn sample(size: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed, 0);
        let rank = size.min(40) + 1;
        let factors: Vec<f64> = (0..rank * size)
            .map(|i| (f64::from(random.unit()) - 0.5) * 0.8f64.powi((i / size) as i32))
            .collect();
        let mut matrix = vec![0.0; size * size];
        for factor in factors.chunks(size) {
            for i in 0..size {
                for j in 0..size {
                    matrix[i * size + j] += factor[i] * factor[j];
                }
            }
        }
        matrix
    }

    fn check(matrix: &[f64], size: usize, vectors: &[f64]) {
        let scale = (0..size).map(|i| matrix[i * size + i]).sum::<f64>().max(1e-300);
        let mut last = f64::INFINITY;
        for (k, x) in vectors.chunks(size).enumerate() {
            let image: Vec<f64> = matrix
                .chunks(size)
                .map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum())
                .collect();
            let value: f64 = image.iter().zip(x).map(|(a, b)| a * b).sum();
            for (y, x) in image.iter().zip(x) {
                assert!((y - value * x).abs() < 1e-8 * scale, "{size}: vector {k}");
            }
            assert!(value <= last + 1e-9 * scale, "largest first");
            last = value;
            for (j, other) in vectors.chunks(size).enumerate() {
                let product: f64 = x.iter().zip(other).map(|(a, b)| a * b).sum();
                let expected = f64::from(u8::from(j == k));
                assert!((product - expected).abs() < 1e-8, "{size}: {k} {j} {product}");
            }
        }
    }

    #[test]
    fn vectors_of_every_size_keep_their_direction_and_are_orthonormal() {
        let run = Run::quiet(2, 1);
        for size in [1, 2, 3, 10, 33, 100] {
            let matrix = sample(size, 3);
            check(&matrix, size, &widest(matrix.clone(), size, size, &run).unwrap());
        }
        for matrix in [vec![0.0; 9], vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]] {
            check(&matrix, 3, &widest(matrix.clone(), 3, 3, &run).unwrap());
        }
    }

    #[test]
    fn iteration_finds_what_the_whole_solution_finds() {
        let run = Run::quiet(2, 1);
        let matrix = sample(130, 7);
        let few = by_iteration(&matrix, 130, 5, &run).unwrap();
        check(&matrix, 130, &few);
        let whole = widest(matrix, 130, 5, &run).unwrap();
        for (a, b) in few.chunks(130).zip(whole.chunks(130)) {
            let cosine: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            assert!(cosine.abs() > 1.0 - 1e-8, "{cosine}");
        }
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        let run = Run::quiet(1, 1);
        assert!(widest(vec![f64::NAN], 1, 1, &run).is_err());
    }
}
