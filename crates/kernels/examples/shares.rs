//! How much of the machine's arithmetic products and convolutions use, one thread: a line for each, the name,
//! GF/s, and the GF/s of a bare loop of multiply-adds in registers right before and after it.
//!
//!     cargo run --release -p inlay-kernels --example shares            all of them
//!     cargo run --release -p inlay-kernels --example shares -- peak    the bare loop alone

#![allow(clippy::print_stdout)] // it is what the program is for

use std::hint::black_box;
use std::time::Instant;

use inlay_kernels::{
    Activation, Desk, Kernels, Matrix, NOWHERE, Packed, Simd, Start, Target, Task, Windows,
    convolve, convolve_gradient, multiply,
};

/// Seconds of a measurement, at least; the best of so many counts.
const SECONDS: f64 = 0.02;
const TIMES: usize = 15;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("peak") {
        let highest = (0..TIMES).map(|_| peak()).fold(0.0, f64::max);
        println!("{highest:.1}");
        return;
    }
    let kernels = Kernels::get();
    let products = [[2048, 2048, 2048], [256, 200, 10_000], [64, 256, 1024], [64, 64, 64]];
    for [rows, depth, columns] in products {
        let name = format!("product {rows} x {depth} x {columns}, bias and ReLU");
        report(&name, 2 * rows * depth * columns, product(kernels, rows, depth, columns));
    }
    for (side, channels) in [(56, 64), (28, 128), (14, 256)] {
        let image = Image::new(kernels, side, channels);
        let operations = 2 * 9 * channels * channels * side * side * Image::ITEMS;
        let name = |what| format!("convolution 3x3, {side} x {side} x {channels}, {what}");
        report(&name("forward"), operations, image.forward());
        report(&name("gradient of the input"), operations, image.back());
        report(&name("gradient of the weights"), operations, image.weights());
    }
}

fn report(name: &str, operations: usize, mut work: impl FnMut()) {
    let mut rates = (0.0f64, 0.0f64);
    for _ in 0..TIMES {
        rates.1 = rates.1.max(peak());
        rates.0 = rates.0.max(operations as f64 * per_second(&mut work) / 1e9);
    }
    rates.1 = rates.1.max(peak());
    println!("{name}\t{:.1}\t{:.1}", rates.0, rates.1);
}

/// How often `work` can be done.
fn per_second(work: &mut impl FnMut()) -> f64 {
    let (start, mut done) = (Instant::now(), 0);
    loop {
        work();
        done += 1;
        let seconds = start.elapsed().as_secs_f64();
        if seconds > SECONDS {
            return f64::from(done) / seconds;
        }
    }
}

/// Multiply-adds of values in registers, as many chains as a product has: GF/s.
fn peak() -> f64 {
    const STEPS: usize = 1 << 16;
    struct Bare;
    impl Task for Bare {
        type Output = (f32, usize);

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> (f32, usize) {
            let (factor, step) = (simd.splat(black_box(0.999)), simd.splat(black_box(0.001)));
            let mut sums = [simd.splat(1.0); 12];
            for _ in 0..STEPS {
                for sum in &mut sums {
                    *sum = simd.fma(*sum, factor, step);
                }
            }
            let total = sums.into_iter().map(|sum| simd.sum(sum)).sum();
            (total, 2 * 12 * S::LANES * STEPS)
        }
    }
    let start = Instant::now();
    let (total, operations) = Kernels::get().run(Bare);
    black_box(total);
    operations as f64 / start.elapsed().as_secs_f64() / 1e9
}

fn values(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 2_654_435_761) % 1000) as f32 / 1000.0 - 0.5).collect()
}

fn product(kernels: Kernels, rows: usize, depth: usize, columns: usize) -> impl FnMut() {
    let (a, b, bias) = (values(rows * depth), values(depth * columns), values(columns));
    let mut packed = Packed::new(kernels, depth, columns);
    packed.pack(kernels, Matrix::new(&b, depth, columns));
    let (mut c, mut desk) = (vec![0.0; rows * columns], Desk::default());
    move || {
        let (a, c) = (Matrix::new(&a, rows, depth), Target::new(&mut c, rows, columns));
        let relu = Some(Activation::Relu);
        multiply(kernels, a, &packed, Start::Bias(&bias), relu, c, &mut desk);
    }
}

/// Pictures of `side` x `side` places with as many channels out as in, padded by one place.
struct Image {
    kernels: Kernels,
    side: usize,
    channels: usize,
    places: Vec<u32>,
    rows: Vec<u32>,
    x: Vec<f32>,
    packed: Packed,
}

impl Image {
    const ITEMS: usize = 4;
    const TAPS: [u32; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

    fn new(kernels: Kernels, side: usize, channels: usize) -> Self {
        let mut places = Vec::new();
        for tap in 0..9 {
            for at in 0..side * side {
                let (row, column) = (at / side + tap / 3, at % side + tap % 3);
                let inside = (1..=side).contains(&row) && (1..=side).contains(&column);
                let place = || (row - 1) * side + column - 1;
                places.push(if inside { place() as u32 } else { NOWHERE });
            }
        }
        let weights = values(9 * channels * channels);
        let mut packed = Packed::new(kernels, 9 * channels, channels);
        packed.pack(kernels, Matrix::new(&weights, 9 * channels, channels));
        let rows = (0..(side * side) as u32).collect();
        let x = values(Self::ITEMS * side * side * channels);
        Self { kernels, side, channels, places, rows, x, packed }
    }

    fn windows(&self) -> Windows<'_> {
        let places = self.side * self.side;
        let (rows, taps) = (&self.rows[..], &Self::TAPS[..]);
        Windows { inputs: places, outputs: places, rows, taps, places: &self.places }
    }

    fn forward(&self) -> impl FnMut() {
        self.convolve(Some((values(self.channels), Activation::Relu)))
    }

    /// At stride 1 the gradient of the input is a convolution of the same shape.
    fn back(&self) -> impl FnMut() {
        self.convolve(None)
    }

    fn convolve(&self, last: Option<(Vec<f32>, Activation)>) -> impl FnMut() {
        let places = Self::ITEMS * self.side * self.side;
        let (mut y, mut desk) = (vec![0.0; self.x.len()], Desk::default());
        move || {
            let x = Matrix::new(&self.x, places, self.channels);
            let y = Target::new(&mut y, places, self.channels);
            let (start, activation) = match &last {
                Some((bias, activation)) => (Start::Bias(bias), Some(*activation)),
                None => (Start::Zero, None),
            };
            let (kernels, windows) = (self.kernels, self.windows());
            convolve(kernels, x, windows, &self.packed, start, activation, y, &mut desk);
        }
    }

    fn weights(&self) -> impl FnMut() {
        let places = Self::ITEMS * self.side * self.side;
        let gradient = values(self.x.len());
        let mut to = vec![0.0; 9 * self.channels * self.channels];
        let mut desk = Desk::default();
        move || {
            let x = Matrix::new(&self.x, places, self.channels);
            let gradient = Matrix::new(&gradient, places, self.channels);
            let to = Target::new(&mut to, 9 * self.channels, self.channels);
            convolve_gradient(self.kernels, x, self.windows(), gradient, to, &mut desk);
        }
    }
}
