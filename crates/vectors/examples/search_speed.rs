//! How long one exact query takes beside merely reading the matrix with as many threads:
//! `cargo run --release -p inlay-vectors --example search_speed -- [rows] [dimensions] [threads]`.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use inlay_base::{Pages, Pool, Priority, Random, Result, Run, Workers};
use inlay_formats::{GiveRows, Names};
use inlay_kernels::{Kernels, Simd, Task};
use inlay_vectors::{OpenOptions, Precision, Query, Rows, SaveOptions, SearchOptions, WordVectors};

const ROUNDS: usize = 31;

/// Adds all values: the least that looking at every row can cost.
struct Sum<'a>(&'a [f32]);

impl Task for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> f32 {
        // 64 sums, so that the additions do not wait for each other.
        let mut sums = [0.0f32; 64];
        for part in self.0.chunks_exact(64) {
            for i in 0..64 {
                sums[i] += part[i];
            }
        }
        sums.iter().sum()
    }
}

/// The fastest and the middle one, in milliseconds.
fn summary(mut times: Vec<Duration>) -> [f64; 2] {
    times.sort_unstable();
    [0, times.len() / 2].map(|place| times[place].as_secs_f64() * 1e3)
}

fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let rows: usize = numbers.next().unwrap_or(400_000);
    let dimensions: usize = numbers.next().unwrap_or(300);
    let threads: usize = numbers.next().unwrap_or(2);
    let run = Run::quiet(threads, 1);
    let mut pages = Pages::zeroed(rows * dimensions)?;
    let mut random = Random::new(1, 0);
    pages.as_mut_slice().iter_mut().for_each(|value| *value = random.unit() - 0.5);
    let names = Names::new((0..rows).map(|row| format!("word{row}")))?;
    let exact =
        WordVectors::new(Arc::new(names), Rows::from_pages(pages, rows, dimensions, dimensions));
    // Memory of the same kind, large pages and all.
    let mut plain = Pages::zeroed(rows * dimensions)?;
    plain.as_mut_slice().copy_from_slice(&exact.matrix());
    let plain = plain.as_slice();
    // The caller works too.
    let pool = Pool::new((threads - 1).max(1))?;
    let workers: &dyn Workers = if threads == 1 { &run } else { &pool.at(Priority::Query) };
    let options = SearchOptions::default();
    println!("{rows} x {dimensions}, {threads} threads, {} set", Kernels::get().name());
    for precision in [Precision::Float32, Precision::Float16, Precision::Int8] {
        let vectors = exact.with_precision(precision, &run)?;
        let one = [Query::word(b"word7")];
        let four: Vec<Query> = (0..4).map(|i| Query::word(format!("word{i}").as_bytes())).collect();
        vectors.nearest(&one, &options, workers)?;
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let parts: Vec<&[f32]> = plain.chunks(1 << 18).collect();
            workers.each(parts.len(), &|task| {
                black_box(Kernels::get().run(Sum(parts[task])));
                Ok(())
            })?;
            times[0].push(start.elapsed());
            let start = Instant::now();
            black_box(vectors.nearest(&one, &options, workers)?);
            times[1].push(start.elapsed());
            let start = Instant::now();
            black_box(vectors.nearest(&four, &options, workers)?);
            times[2].push(start.elapsed());
        }
        let [read, query, several] = times.map(summary);
        for (place, which) in ["fastest", "median"].into_iter().enumerate() {
            let [read, query, several] = [read, query, several].map(|times| times[place]);
            let ratio = query / read;
            println!(
                "{:8} {which:8} reading f32 {read:6.2} ms  a query {query:6.2} ms ({ratio:.2} x)  \
                 four {several:6.2} ms",
                precision.name(),
            );
        }
    }
    let folder = std::env::temp_dir().join(format!("inlay-search-speed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    for name in ["a.safetensors", "a.bin", "a.txt", "a.npy"] {
        let path = folder.join(name);
        let start = Instant::now();
        exact.save(&path, &SaveOptions::default(), &run)?;
        let saved = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let opened = WordVectors::open(&path, &OpenOptions::default(), &run)?;
        let time = start.elapsed().as_secs_f64() * 1e3;
        assert_eq!(opened.rows().row(rows - 1), exact.rows().row(rows - 1));
        assert_eq!(opened.rows().rows(), rows);
        let size = std::fs::metadata(&path).map_or(0, |file| file.len()) as f64 / 1e6;
        println!("{name:14} {size:6.0} MB  saved in {saved:6.2} s  opened in {time:8.2} ms");
    }
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
    Ok(())
}
