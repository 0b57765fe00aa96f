//! Losses over pairs against their formulas in f64, and their gradients against finite differences of
//! these, on every instruction set and wherever the batch is cut.

use inlay_base::Run;
use inlay_kernels::{Desk, Kernels};

use super::{Distance, Judged, Loss, Room, Targets};
use crate::layer::{Mode, Pass, Rows};
use crate::meeting::Meeting;
use crate::shape::Shape;

const EXAMPLES: usize = 5;
const WIDTH: usize = 19;

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn cosine(x: &[f64], y: &[f64]) -> f64 {
    dot(x, y) / (dot(x, x) * dot(y, y)).sqrt()
}

/// Of a pair, where the loss wants one.
fn score(example: usize) -> f32 {
    example as f32 / 4.0 - 0.5
}

/// The sum of all losses of items [examples, parts, width].
fn formula(loss: &Loss, parts: usize, x: &[f64]) -> f64 {
    let item = |example: usize, part: usize| &x[(example * parts + part) * WIDTH..][..WIDTH];
    let all = || 0..EXAMPLES;
    match *loss {
        Loss::Contrastive { temperature, symmetric } => {
            let temperature = f64::from(temperature);
            let search = |from: usize, to: &[usize], example: usize| {
                let others = to.iter().flat_map(|&part| all().map(move |other| (other, part)));
                let power = |(other, part)| {
                    (cosine(item(example, from), item(other, part)) / temperature).exp()
                };
                let wanted = power((example, to[0]));
                -(wanted / others.map(power).sum::<f64>()).ln()
            };
            let there: f64 = all().map(|i| search(0, &[1, 2][..parts - 1], i)).sum();
            let back: f64 = all().map(|i| search(1, &[0], i)).sum();
            if symmetric { (there + back) / 2.0 } else { there }
        }
        Loss::CosineSimilarity => {
            let of = |i: usize| cosine(item(i, 0), item(i, 1)) - f64::from(score(i));
            all().map(|i| of(i).powi(2)).sum()
        }
        Loss::Triplet { margin, distance } => {
            let far = |x: &[f64], y: &[f64]| match distance {
                Distance::Cosine => 1.0 - cosine(x, y),
                Distance::Euclidean => {
                    x.iter().zip(y).map(|(x, y)| (x - y + 1e-6).powi(2)).sum::<f64>().sqrt()
                }
            };
            let of = |i: usize| far(item(i, 0), item(i, 1)) - far(item(i, 0), item(i, 2));
            all().map(|i| (of(i) + f64::from(margin)).max(0.0)).sum()
        }
        _ => unreachable!("losses over pairs"),
    }
}

/// The losses of all items, and the gradient by each value.
fn found(
    loss: &Loss,
    parts: usize,
    x: &[f32],
    kernels: Kernels,
    threads: usize,
) -> (Vec<f64>, Vec<f32>) {
    let (run, meeting) = (Run::quiet(threads, 1), Meeting::new(threads));
    let shape = &Shape::vector(WIDTH);
    let worked = run.workers(|worker| {
        let cut = |worker: usize| worker * EXAMPLES / threads * parts;
        let (first, end) = (cut(worker), cut(worker + 1));
        let values = &x[first * WIDTH..end * WIDTH];
        let offsets: Vec<usize> = (0..=end - first).collect();
        let mode = Mode::Train { seed: 1, step: 1, first, node: 0 };
        let seat = &meeting.seat(worker, &run);
        let pass =
            Pass { kernels, mode, seat, share: EXAMPLES as f64, first, wanted: &[], run: None };
        let (mut losses, mut gradient) = (vec![0.0; end - first], vec![f32::NAN; values.len()]);
        let output = Rows { values, ids: &[], offsets: &offsets, shape, places: &[] };
        let judged = Judged { output, parts, gradient: &mut gradient, losses: &mut losses };
        let (room, desk) = (&mut Room::default(), &mut Desk::default());
        let scores = (first / parts..end / parts).map(score).collect();
        let targets = Targets { values: scores, ..Targets::default() };
        loss.apply(&pass, &targets, judged, room, desk);
        Ok((losses, gradient))
    });
    let (losses, gradients): (Vec<_>, Vec<_>) = worked.unwrap().into_iter().unzip();
    (losses.concat(), gradients.concat())
}

#[test]
fn losses_over_pairs_and_their_gradients_are_those_of_their_formulas_wherever_the_batch_is_cut() {
    let contrastive = |temperature, symmetric| Loss::Contrastive { temperature, symmetric };
    let triplet = |margin, distance| Loss::Triplet { margin, distance };
    for (loss, parts) in [
        (contrastive(0.5, false), 2),
        (contrastive(0.5, true), 2),
        (contrastive(0.2, false), 3),
        (contrastive(0.2, true), 3),
        (Loss::CosineSimilarity, 2),
        (triplet(1.0, Distance::Euclidean), 3),
        (triplet(0.5, Distance::Cosine), 3),
    ] {
        let mut x: Vec<f32> =
            (0..EXAMPLES * parts * WIDTH).map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect();
        for kernels in Kernels::available() {
            let (losses, gradient) = found(&loss, parts, &x, kernels, 1);
            for threads in [2, 3, 8] {
                let again = found(&loss, parts, &x, kernels, threads);
                assert_eq!(again, (losses.clone(), gradient.clone()), "{loss:?} on {threads}");
            }
            let mut wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            let wanted = formula(&loss, parts, &wide);
            assert!((losses.iter().sum::<f64>() - wanted).abs() < 1e-5, "{loss:?} {losses:?}");
            assert!(wanted > 0.1);
            for (i, &slope) in gradient.iter().enumerate() {
                let middle = wide[i];
                let [above, below] = [1e-6, -1e-6].map(|step| {
                    wide[i] = middle + step;
                    formula(&loss, parts, &wide)
                });
                wide[i] = middle;
                let wanted = (above - below) / 2e-6 / EXAMPLES as f64;
                let error = (f64::from(slope) - wanted).abs();
                assert!(error < 1e-5, "{loss:?} {}, {i}: {slope}, {wanted}", kernels.name());
            }
        }
        // What has no direction has no gradient, and no other value suffers.
        x[..WIDTH].fill(0.0);
        let (losses, gradient) = found(&loss, parts, &x, Kernels::get(), 2);
        assert!(losses.iter().all(|loss| loss.is_finite()));
        assert!(gradient.iter().all(|slope| slope.is_finite()));
    }
}
