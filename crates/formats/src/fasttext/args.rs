use inlay_base::Result;

use super::field::{Fields, Put};

/// How a model was trained, as far as its file says. In brackets: fastText's names.
#[derive(Debug, Clone, PartialEq)]
pub struct Args {
    /// Values in a row [dim].
    pub dimensions: usize,
    /// Words on each side of the centre [ws].
    pub window: u32,
    /// Passes over the text [epoch].
    pub epochs: u32,
    /// Words that occurred less often were dropped [minCount].
    pub min_count: u32,
    /// Noise words for each prediction [neg].
    pub negative: u32,
    /// The longest n-gram of words that has a bucket; 1: none [wordNgrams].
    pub word_ngrams: u32,
    /// How a prediction is scored [loss].
    pub loss: Loss,
    /// What is predicted [model].
    pub task: Task,
    /// Rows that n-grams share by their hash [bucket].
    pub bucket: u32,
    /// The shortest n-gram of characters that has a bucket [minn].
    pub minn: u32,
    /// The longest one; 0: none [maxn].
    pub maxn: u32,
    /// Words between two changes of the learning rate [lrUpdateRate].
    pub learning_rate_update: u32,
    /// The threshold of subsampling [t].
    pub subsample: f64,
}

/// How a prediction is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Along a Huffman tree of the targets.
    HierarchicalSoftmax,
    /// The target against noise.
    NegativeSampling,
    /// All targets, with probabilities that sum to 1.
    Softmax,
    /// Each target by itself.
    OneVsAll,
}

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// A word, from its context.
    Cbow,
    /// The context, from a word.
    SkipGram,
    /// Labels, from a text.
    Supervised,
}

const LOSSES: [Loss; 4] =
    [Loss::HierarchicalSoftmax, Loss::NegativeSampling, Loss::Softmax, Loss::OneVsAll];
const TASKS: [Task; 3] = [Task::Cbow, Task::SkipGram, Task::Supervised];

impl Args {
    /// Whether any n-gram has a bucket.
    pub fn has_buckets(&self) -> bool {
        self.bucket > 0 && (self.maxn > 0 || self.word_ngrams > 1)
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self> {
        let at = fields.at();
        let dimensions = fields.count("the dimensions")?;
        if dimensions == 0 {
            return Err(fields.invalid(at, "vectors of no dimensions"));
        }
        Ok(Self {
            dimensions,
            window: fields.u32("the window")?,
            epochs: fields.u32("the epochs")?,
            min_count: fields.u32("the minimal count")?,
            negative: fields.u32("the number of noise words")?,
            word_ngrams: fields.u32("the length of word n-grams")?,
            loss: fields.choice("the loss", 1, &LOSSES)?,
            task: fields.choice("the model", 1, &TASKS)?,
            bucket: fields.u32("the number of buckets")?,
            minn: fields.u32("the shortest n-gram")?,
            maxn: fields.u32("the longest n-gram")?,
            learning_rate_update: fields.u32("the learning rate's update rate")?,
            subsample: fields.f64("the threshold of subsampling")?,
        })
    }

    pub(super) fn write(&self, put: &mut Put) {
        let number =
            |place: Option<usize>| place.map_or(1, |place| i32::try_from(place).unwrap_or(0) + 1);
        let loss = number(LOSSES.iter().position(|&loss| loss == self.loss));
        let task = number(TASKS.iter().position(|&task| task == self.task));
        put.count(self.dimensions);
        put.u32(self.window);
        put.u32(self.epochs);
        put.u32(self.min_count);
        put.u32(self.negative);
        put.u32(self.word_ngrams);
        put.i32(loss);
        put.i32(task);
        put.u32(self.bucket);
        put.u32(self.minn);
        put.u32(self.maxn);
        put.u32(self.learning_rate_update);
        put.bytes(&self.subsample.to_le_bytes());
    }
}
