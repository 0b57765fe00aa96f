use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use inlay_base::{Error, Random, Result, Run, SharedMatrix, Workers, lock};
use inlay_corpus::Corpus;
use inlay_formats::GiveRows;
use inlay_formats::fasttext::{Args, Dictionary, Loss, Task as Trained};
use inlay_kernels::{Kernels, Simd, Task, gather, prefetch_to_write, scatter};
use inlay_vectors::WordVectors;

use super::Options;
use super::dictionary::dictionary;
use super::examples::{Example, Examples, Place};
use super::features::{Buckets, Features};
use super::lines::Lines;
use super::model::Model;
use super::objective::{Objective, Scratch};
use super::retrain::Manner;
use super::touched::Touched;
use crate::lesson::Taught;
use crate::subwords::Ngrams;
use crate::train::check_finite;
use crate::view::{Turns, View};
use crate::{Huffman, NoiseTable};

/// Words between two looks at the clock, the signal and the learning rate.
const STEP: u64 = 1000;
/// Upper nodes of a tree, or frequent labels, of which each of several threads has copies.
const HOT: usize = 64;
/// Labels of which each has copies where every line changes all of them.
const HOT_LABELS: usize = 1024;
/// Lines of all threads from one joining of copies to the next: with 16 threads and a learning rate of 0.5, four times as many
/// did not converge any more.
const TOGETHER: usize = 32;
/// Rows of the next line that are asked for while one is worked out.
const AHEAD: usize = 24;
/// First vectors are drawn from streams above this, shards from those below.
const FIRST_VECTORS: u64 = 1 << 40;
/// Rows that are drawn at a time.
const BLOCK: usize = 1024;

/// Trains a classifier on a corpus that was read with every word (`min_count` 1) between white
/// space: labels are words that begin with `label_prefix`. The same bytes for one thread and a seed.
///
/// # Errors
/// `InvalidInput`: no labels; `InvalidOption`: `initial` has other dimensions; `Diverged`;
/// `OutOfMemory`; `Aborted`.
pub fn train(
    corpus: &Corpus,
    options: &Options,
    initial: Option<&WordVectors>,
    run: &Run,
) -> Result<Model> {
    if let Some(other) = initial.filter(|vectors| vectors.dimensions() != options.dimensions) {
        return Err(Error::InvalidOption {
            option: "initialVectors",
            expected: format!("vectors of {} dimensions", options.dimensions),
            got: format!("vectors of {}", other.dimensions()),
        });
    }
    let dictionary = dictionary(corpus, options, initial)?;
    let has_ngrams = options.word_ngrams > 1 || options.maxn > 0;
    let ngrams = Ngrams {
        minn: options.minn,
        maxn: options.maxn,
        words: options.word_ngrams,
        bucket: if has_ngrams { options.bucket } else { 0 },
    };
    let prefix = &options.label_prefix;
    let touched = Touched::by(corpus, ngrams, prefix, dictionary.words, run)?;
    let buckets = Buckets::Touched(touched.rows);
    let features = Features { ngrams, words: dictionary.words as u32, buckets };
    let rows = dictionary.words + touched.count;
    let input = first_vectors(&features, rows, options.dimensions, &dictionary, initial, run)?;
    let args = args(options, ngrams.bucket);
    let labels = dictionary.labels();
    let output = SharedMatrix::zeros(labels, options.dimensions)?;
    let objective = objective(&args, &dictionary)?;
    let weights = class_weights(options, &dictionary)?;
    let lines = Lines::new(corpus, &features, &dictionary, prefix, run)?;
    let examples = Examples::new(corpus, &lines, &features, &touched.lone, run)?;
    let course = Course {
        examples: &examples,
        objective: &objective,
        weights: weights.as_deref(),
        input: &input,
        output: &output,
        epochs: options.epochs,
        learning_rate: options.learning_rate,
    };
    let losses = course.train(run)?;
    let is_tree = matches!(objective, Objective::Tree(_));
    let manner = Manner { learning_rate: options.learning_rate, weights };
    let prefix = prefix.clone();
    Model::trained(args, dictionary, features, input, output, is_tree, prefix, manner, losses)
}

fn args(options: &Options, bucket: u32) -> Args {
    Args {
        dimensions: options.dimensions,
        window: 5,
        epochs: options.epochs as u32,
        min_count: options.min_count.min(i32::MAX as u64) as u32,
        negative: options.negative as u32,
        word_ngrams: options.word_ngrams,
        loss: options.loss,
        task: Trained::Supervised,
        bucket,
        minn: options.minn,
        maxn: options.maxn,
        learning_rate_update: 100,
        subsample: 1e-4,
    }
}

pub(super) fn objective(args: &Args, dictionary: &Dictionary) -> Result<Objective> {
    let counts = &dictionary.counts[dictionary.words..];
    Ok(match args.loss {
        Loss::Softmax => Objective::Softmax,
        Loss::OneVsAll => Objective::OneVsAll,
        Loss::HierarchicalSoftmax => Objective::Tree(Huffman::new(counts)?),
        Loss::NegativeSampling => Objective::Noise {
            table: NoiseTable::new(counts, 0.5),
            negative: args.negative as usize,
            labels: counts.len(),
        },
    })
}

/// The weight of each label; `None` where all are 1.
fn class_weights(options: &Options, dictionary: &Dictionary) -> Result<Option<Vec<f32>>> {
    if options.class_weights.is_empty() {
        return Ok(None);
    }
    let mut weights = vec![1.0; dictionary.labels()];
    for (label, weight) in &options.class_weights {
        let name = [&options.label_prefix[..], label].concat();
        let id = dictionary.names.find(&name).map(|id| id as usize);
        match id.and_then(|id| id.checked_sub(dictionary.words)) {
            Some(place) => weights[place] = *weight,
            None => {
                let name = String::from_utf8_lossy(label).into_owned();
                return Err(Error::NotFound { what: "label of `classWeights`", name });
            }
        }
    }
    Ok(Some(weights))
}

/// Uniform from -1 / dimensions to 1 / dimensions, by row of the full table; words that have a
/// vector begin with that.
pub(super) fn first_vectors(
    features: &Features,
    rows: usize,
    dimensions: usize,
    dictionary: &Dictionary,
    initial: Option<&WordVectors>,
    run: &Run,
) -> Result<SharedMatrix> {
    let input = SharedMatrix::zeros(rows, dimensions)?;
    let mut numbers: Vec<u32> = (0..rows as u32).collect();
    if let Buckets::Touched(of_bucket) = &features.buckets {
        for (bucket, &row) in (features.words..).zip(of_bucket) {
            if let Some(number) = numbers.get_mut((features.words as usize) + row as usize) {
                *number = bucket;
            }
        }
    }
    run.each(rows.div_ceil(BLOCK), &|block| {
        let mut values = vec![0.0; dimensions];
        let rows = block * BLOCK..rows.min((block + 1) * BLOCK);
        for (row, &number) in rows.clone().zip(&numbers[rows]) {
            let mut random = Random::new(run.seed(), FIRST_VECTORS + u64::from(number));
            let scale = 2.0 / dimensions as f32;
            values.iter_mut().for_each(|value| *value = (random.unit() - 0.5) * scale);
            input.write(row as u32, &values);
        }
        Ok(())
    })?;
    let Some(initial) = initial else { return Ok(input) };
    let mut values = vec![0.0; dimensions];
    for (word, name) in dictionary.names.iter().take(dictionary.words).enumerate() {
        if let Some(row) = initial.names().find(name) {
            initial.rows().give(row as usize, &mut values);
            input.write(word as u32, &values);
        }
    }
    Ok(input)
}

/// All that a training walks over and changes.
pub(super) struct Course<'a> {
    pub examples: &'a Examples<'a>,
    pub objective: &'a Objective,
    pub weights: Option<&'a [f32]>,
    pub input: &'a SharedMatrix,
    /// Of labels, or of the nodes of a tree, the root first.
    pub output: &'a SharedMatrix,
    pub epochs: usize,
    pub learning_rate: f64,
}

/// How far all threads have come.
struct Standing {
    next: AtomicUsize,
    done: AtomicU64,
    losses: Mutex<Vec<(f64, u64)>>,
    /// Of input and output rows.
    turns: [Turns; 2],
    /// What stands for rows that are alone with a line.
    sums: SharedMatrix,
}

impl Course<'_> {
    /// Returns the mean loss of a line in each epoch.
    pub fn train(&self, run: &Run) -> Result<Vec<f64>> {
        let Self { examples, .. } = self;
        let total = examples.words() * self.epochs as u64;
        let sums = examples.lone.sums(self.input, run)?;
        run.phase("train", "words", 0, Some(total));
        let standing = Standing {
            next: AtomicUsize::new(0),
            done: AtomicU64::new(0),
            losses: Mutex::new(vec![(0.0, 0); self.epochs]),
            turns: [Turns::usual(), Turns::new(HOT_LABELS)],
            sums,
        };
        run.workers(|_| self.work(&standing, total, run))?;
        examples.lone.spread(&standing.sums, self.input, run)?;
        check_finite(self.input)?;
        check_finite(self.output)?;
        let losses = standing.losses.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(losses.iter().map(|&(loss, lines)| loss / lines.max(1) as f64).collect())
    }

    fn work(&self, standing: &Standing, total: u64, run: &Run) -> Result<()> {
        let [first, second] = &standing.turns;
        let threads = run.threads();
        let every = (TOGETHER / threads).max(1) as u32;
        let input = View::joined_every(self.input, first, threads, every)?;
        let hot = if self.objective.scores_all() { HOT_LABELS } else { HOT };
        let output = View::with(self.output, second, threads, hot, every)?;
        let mut desk = Desk::new(self, &output);
        let kernels = Kernels::get();
        let shards = self.examples.shards();
        loop {
            let number = standing.next.fetch_add(1, Relaxed);
            let epoch = number / shards.max(1);
            if epoch >= self.epochs || shards == 0 {
                break;
            }
            let mut random = Random::new(run.seed(), 1 + number as u64);
            let mut taught = Taught::default();
            let mut place = self.examples.begin(number % shards);
            while place.goes_on() {
                run.check()?;
                let progress = standing.done.load(Relaxed) as f64 / total as f64;
                let rate = (self.learning_rate * (1.0 - progress.min(1.0))) as f32;
                let (lately, words) = kernels.run(Passage {
                    course: self,
                    input: &input,
                    sums: &standing.sums,
                    output: &output,
                    place: &mut place,
                    rate,
                    random: &mut random,
                    desk: &mut desk,
                });
                if !lately.loss.is_finite() {
                    let what = "the loss is no longer finite: lower `learningRate`".into();
                    return Err(Error::Diverged { what });
                }
                standing.done.fetch_add(words, Relaxed);
                run.lose(epoch as u32 + 1, lately.loss, lately.predictions);
                run.advance(words);
                taught += lately;
            }
            let mut losses = lock(&standing.losses);
            losses[epoch].0 += taught.loss;
            losses[epoch].1 += taught.predictions;
        }
        input.join();
        output.join();
        Ok(())
    }
}

/// What a thread keeps from line to line.
struct Desk<'v> {
    example: Example,
    ahead: Example,
    rows: Vec<inlay_base::SharedRow<'v>>,
    hidden: Vec<f32>,
    gradient: Vec<f32>,
    scratch: Scratch<'v>,
}

impl<'v> Desk<'v> {
    fn new(course: &Course<'_>, output: &'v View<'_>) -> Self {
        let scored = if course.objective.scores_all() { course.output.rows() } else { 0 };
        Self {
            example: Example::default(),
            ahead: Example::default(),
            rows: Vec::new(),
            hidden: vec![0.0; course.input.stride()],
            gradient: vec![0.0; course.input.stride()],
            scratch: Scratch::new(output, scored),
        }
    }
}

/// About a thousand words of lines to learn from.
struct Passage<'a, 'v> {
    course: &'a Course<'a>,
    input: &'v View<'v>,
    sums: &'v SharedMatrix,
    output: &'v View<'v>,
    place: &'a mut Place,
    rate: f32,
    random: &'a mut Random,
    desk: &'a mut Desk<'v>,
}

impl Task for Passage<'_, '_> {
    /// What was taught, and by how many words.
    type Output = (Taught, u64);

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> (Taught, u64) {
        let Passage { course, input, sums, output, place, rate, random, desk } = self;
        let Course { examples, objective, weights, .. } = course;
        let Desk { example, ahead, rows, hidden, gradient, scratch } = desk;
        let mut taught = Taught::default();
        let mut read = 0;
        let mut is_read = false;
        while is_read || (place.goes_on() && read < STEP) {
            if is_read {
                std::mem::swap(example, ahead);
            } else {
                read += examples.read(place, example);
            }
            // The next line's first rows are on the way while this line is worked out.
            is_read = place.goes_on() && read < STEP;
            if is_read {
                read += examples.read(place, ahead);
                for &row in ahead.line.found.rows.iter().take(AHEAD) {
                    prefetch_to_write(simd, input.row(row));
                }
                if let Some(stand) = ahead.stand {
                    prefetch_to_write(simd, sums.row(stand.sum));
                }
            }
            if example.is_empty() {
                continue;
            }
            let &mut Example { ref line, share, stand } = example;
            rows.clear();
            rows.extend(line.found.rows.iter().map(|&row| input.row(row)));
            rows.extend(stand.map(|stand| sums.row(stand.sum)));
            gather(simd, rows, share, hidden);
            let loss = objective.learn(
                simd,
                hidden,
                &line.labels,
                *weights,
                rate,
                output,
                random,
                scratch,
                gradient,
            );
            if let Some(stand) = stand {
                let sum = rows.pop();
                scatter(simd, sum.as_slice(), share * stand.count as f32, gradient);
            }
            scatter(simd, rows, share, gradient);
            input.step(simd);
            output.step(simd);
            taught.loss += f64::from(loss);
            taught.predictions += 1;
        }
        (taught, read)
    }
}
