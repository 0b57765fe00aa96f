//! What a model does at each word of a sentence: the part in which word models differ. The loop over
//! sentences, threads and epochs (`train`) is one for all of them.

use inlay_base::{Random, Run, SharedMatrix};
use inlay_kernels::{Simd, Task};

use crate::Drawn;
use crate::view::View;

/// What is learnt at each word.
pub trait Lesson: Sync {
    /// What a thread keeps from sentence to sentence.
    type Desk<'a>
    where
        Self: 'a;

    /// One row for each word, or more.
    fn input(&self) -> &SharedMatrix;

    /// Rows that words are scored by.
    fn output(&self) -> &SharedMatrix;

    /// Rows that join windows beside those of words, if any.
    fn company(&self) -> Option<&SharedMatrix> {
        None
    }

    /// Input rows of its own that a thread needs.
    fn spares(&self) -> usize {
        0
    }

    /// A thread's desk; `spare` has as many rows as it asked for.
    fn desk<'a>(&'a self, spare: &'a SharedMatrix) -> Self::Desk<'a>;

    /// Before the first word of a sentence.
    fn begin<'a, S: Simd>(&'a self, simd: S, now: &mut Now<'a, '_>, desk: &mut Self::Desk<'a>);

    /// At one word.
    fn learn<'a, S: Simd>(
        &'a self,
        simd: S,
        place: Place,
        now: &mut Now<'a, '_>,
        desk: &mut Self::Desk<'a>,
    ) -> Taught;

    /// After the last word, or where the run was stopped.
    #[inline(always)]
    fn end<'a, S: Simd>(&'a self, _simd: S, _now: &mut Now<'a, '_>, _desk: &mut Self::Desk<'a>) {}
}

/// A sentence that is being learnt from.
pub struct Now<'a, 's> {
    /// Word ids, subsampled.
    pub ids: &'s [u32],
    /// Its number in the corpus; 0 unless sentences are documents.
    pub sentence: usize,
    /// The output rows as this thread sees them.
    pub output: &'a View<'a>,
    /// The learning rate.
    pub rate: f32,
    /// Random numbers of this shard.
    pub random: &'s mut Random,
    /// Noise words that this thread has drawn for the sentence.
    pub drawn: &'s mut Drawn,
}

/// A word and what is around it, as places in the sentence.
#[derive(Clone, Copy)]
pub struct Place {
    /// The word.
    pub centre: usize,
    /// The first word of its window.
    pub start: usize,
    /// One behind the last.
    pub end: usize,
}

impl Place {
    /// Whether there is nothing around the centre.
    #[inline(always)]
    pub fn is_alone(self) -> bool {
        self.end - self.start == 1
    }

    /// The places around the centre.
    #[inline(always)]
    pub fn around(self) -> impl Iterator<Item = usize> {
        (self.start..self.centre).chain(self.centre + 1..self.end)
    }
}

/// What a sentence taught.
#[derive(Debug, Clone, Copy, Default)]
pub struct Taught {
    /// Sum of the losses before each step.
    pub loss: f64,
    /// Over so many predictions.
    pub predictions: u64,
}

impl std::ops::AddAssign for Taught {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.predictions += other.predictions;
    }
}

/// How far the window of a word reaches.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    /// Words on each side, at most.
    pub window: usize,
    /// Draw the width of each window from 1 to `window`, so that near words count more.
    pub shrinks: bool,
}

/// One sentence to learn from.
pub struct Sentence<'a, 's, 'd, L: Lesson> {
    /// What is learnt.
    pub lesson: &'a L,
    /// How far windows reach.
    pub reach: Reach,
    /// The sentence.
    pub now: Now<'a, 's>,
    /// The thread's own things.
    pub desk: &'d mut L::Desk<'a>,
    /// Asked before each word whether to leave; `None`: the sentence is always finished.
    pub run: Option<&'s Run>,
}

impl Reach {
    /// The window of the word at `centre` of so many.
    #[inline(always)]
    pub fn place(self, centre: usize, words: usize, random: &mut Random) -> Place {
        let reach =
            if self.shrinks { 1 + random.below(self.window as u32) as usize } else { self.window };
        let start = centre.saturating_sub(reach);
        Place { centre, start, end: words.min(centre + 1 + reach) }
    }
}

impl<L: Lesson> Task for Sentence<'_, '_, '_, L> {
    type Output = Taught;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Taught {
        let Sentence { lesson, reach, mut now, desk, run } = self;
        let mut taught = Taught::default();
        lesson.begin(simd, &mut now, desk);
        for centre in 0..now.ids.len() {
            if run.is_some_and(Run::stopped) {
                break;
            }
            let place = reach.place(centre, now.ids.len(), now.random);
            taught += lesson.learn(simd, place, &mut now, desk);
            now.output.step(simd);
        }
        lesson.end(simd, &mut now, desk);
        taught
    }
}
