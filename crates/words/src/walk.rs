//! A sentence, word by word: its windows, and one step of learning for each.

use inlay_base::{Random, Run, SharedMatrix, SharedRow};
use inlay_kernels::{Output, Simd, Task, prefetch};

use crate::context::{Context, Scratch};
use crate::objective::Objective;
use crate::view::View;

/// What all sentences of a training have in common.
pub struct Lesson<'a, C, O> {
    /// What predicts what.
    pub context: &'a C,
    /// How a prediction is scored.
    pub objective: &'a O,
    /// One row for each word.
    pub input: &'a SharedMatrix,
    /// Rows that words are scored by: of words or of nodes.
    pub output: &'a SharedMatrix,
    /// Words on each side, at most.
    pub window: usize,
    /// Draw the width of each window from 1 to `window`, so that near words count more.
    pub shrink_window: bool,
    /// One set of noise words for a whole window instead of one for each of its words.
    pub shared_noise: bool,
    /// Words whose input rows do not move, by id.
    pub frozen: Option<&'a [bool]>,
}

/// What a thread keeps from sentence to sentence.
pub struct Desk<'a> {
    window: Vec<SharedRow<'a>>,
    outputs: Vec<Output<'a>>,
    next: Vec<Output<'a>>,
    scratch: Scratch,
    /// Copies of frozen rows: what they learn is forgotten.
    spare: &'a SharedMatrix,
}

impl<'a> Desk<'a> {
    /// `spare` has rows as long as the input's, twice the window of them where words are frozen.
    pub fn new(spare: &'a SharedMatrix) -> Self {
        Self {
            window: Vec::new(),
            outputs: Vec::new(),
            next: Vec::new(),
            scratch: Scratch::new(spare.stride()),
            spare,
        }
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

/// One sentence to learn from.
pub struct Sentence<'a, 'd, C, O> {
    /// What it has in common with the others.
    pub lesson: &'d Lesson<'d, C, O>,
    /// The output rows as this thread sees them.
    pub output: &'d View<'d>,
    /// Word ids, subsampled.
    pub ids: &'a [u32],
    /// The learning rate.
    pub rate: f32,
    /// Random numbers of this shard.
    pub random: &'a mut Random,
    /// The thread's own things.
    pub desk: &'a mut Desk<'d>,
    /// Asked before each word whether to leave; `None`: the sentence is always finished.
    pub run: Option<&'a Run>,
}

impl<C: Context, O: Objective> Task for Sentence<'_, '_, C, O> {
    type Output = Taught;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Taught {
        let Sentence { lesson, output, ids, rate, random, desk, run } = self;
        let Lesson { context, objective, input, .. } = lesson;
        let fresh_noise = C::PREDICTS_ALONE && !lesson.shared_noise;
        let mut taught = Taught::default();
        if let Some(&first) = ids.first() {
            objective.outputs(first, output, random, &mut desk.next);
        }
        for (centre, &target) in ids.iter().enumerate() {
            if run.is_some_and(Run::stopped) {
                break;
            }
            // One step ahead, so that their rows are on the way while this step is worked out.
            std::mem::swap(&mut desk.outputs, &mut desk.next);
            if let Some(&next) = ids.get(centre + 1) {
                objective.outputs(next, output, random, &mut desk.next);
                desk.next.iter().for_each(|output| prefetch(simd, output.row));
            }
            if let Some(&entering) = ids.get(centre + 1 + lesson.window) {
                prefetch(simd, input.row(entering));
            }
            let reach = match lesson.shrink_window {
                true => 1 + random.below(lesson.window as u32) as usize,
                false => lesson.window,
            };
            let before = &ids[centre.saturating_sub(reach)..centre];
            let after = &ids[centre + 1..ids.len().min(centre + 1 + reach)];
            desk.window.clear();
            desk.window.extend(before.iter().chain(after).map(|&id| input.row(id)));
            if desk.window.is_empty() {
                continue;
            }
            if let Some(frozen) = lesson.frozen {
                spare_frozen(before.iter().chain(after), frozen, input, desk);
            }
            let Desk { window, outputs, scratch, .. } = &mut *desk;
            if fresh_noise {
                for row in window.iter() {
                    let alone = std::slice::from_ref(row);
                    taught.loss +=
                        f64::from(context.learn::<S, O>(simd, alone, outputs, rate, scratch));
                    objective.outputs(target, output, random, outputs);
                }
            } else {
                taught.loss +=
                    f64::from(context.learn::<S, O>(simd, window, outputs, rate, scratch));
            }
            output.step(simd);
            taught.predictions += if C::PREDICTS_ALONE { window.len() as u64 } else { 1 };
        }
        taught
    }
}

/// Puts copies in the place of the rows that must not move.
#[inline(never)]
fn spare_frozen<'i>(
    ids: impl Iterator<Item = &'i u32>,
    frozen: &[bool],
    input: &SharedMatrix,
    desk: &mut Desk<'_>,
) {
    let mut values = vec![0.0; input.columns()];
    for (place, &id) in ids.enumerate() {
        if frozen[id as usize] {
            input.read(id, &mut values);
            desk.spare.write(place as u32, &values);
            desk.window[place] = desk.spare.row(place as u32);
        }
    }
}
