//! Layers that see a part of the positions of an item, and others that stand for the rest (He et al. 2021,
//! arXiv:2111.06377): which part is drawn anew for each item and step.

use inlay_base::Random;
use inlay_kernels::add;
use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer, Lesson, Memo, Mode, Places};
use crate::parameter::{Blueprint, Initial, Order};
use crate::shape::{Positions, Shape};

/// Which positions are masked: the same in all layers of a network that say the same.
#[derive(Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mask {
    /// The share of positions that are masked.
    share: f64,
    /// Positions after which the mask repeats itself, in items that are whole periods: those of a frame give tubes (Tong et
    /// al. 2022, arXiv:2203.12602).
    period: Option<usize>,
}

/// For the random numbers of masks, which belong to no layer.
const NODE: usize = 0xffff;

impl Mask {
    fn check(&self) -> Result<(), String> {
        match (0.0..1.0).contains(&self.share) && self.period != Some(0) {
            true => Ok(()),
            false => Err("expects a `share` from 0 below 1 and a `period` of 1 or more".into()),
        }
    }

    /// Positions of a period of an item of so many rows.
    fn period(&self, rows: usize) -> usize {
        let fits = |period: &usize| rows > 0 && rows.is_multiple_of(*period);
        self.period.filter(fits).unwrap_or(rows)
    }

    /// Positions of a period that are masked: one stays.
    fn masked(&self, period: usize) -> usize {
        ((period as f64 * self.share).round() as usize).min(period.saturating_sub(1))
    }

    /// How many rows of an item are not masked.
    fn visible(&self, rows: usize) -> usize {
        let period = self.period(rows);
        rows.checked_div(period).unwrap_or(0) * (period - self.masked(period))
    }

    /// Tells which rows of an item are masked: `with(row, masked)`. While encoding it is the same for all items of a length.
    pub(crate) fn each(
        &self,
        rows: usize,
        mode: Mode,
        item: usize,
        mut with: impl FnMut(usize, bool),
    ) {
        let period = self.period(rows);
        let mut random = mode.of(NODE).random(item).unwrap_or_else(|| Random::new(0, rows as u64));
        let mut order: Vec<u32> = (0..period as u32).collect();
        let mut masked = vec![false; period];
        for drawn in 0..self.masked(period) {
            let other = drawn + random.below((period - drawn) as u32) as usize;
            order.swap(drawn, other);
            masked[order[drawn] as usize] = true;
        }
        (0..rows).for_each(|row| with(row, masked[row % period]));
    }

    /// Of a shard's items, of which these are the rows: the masked ones and the others.
    fn split(&self, offsets: &[usize], mode: Mode, memo: &mut Memo) {
        let (mut masked, mut visible) =
            (std::mem::take(memo.places(0, 0)), std::mem::take(memo.places(1, 0)));
        for (item, ends) in offsets.windows(2).enumerate() {
            self.each(ends[1] - ends[0], mode, item, |row, is_masked| {
                let to = if is_masked { &mut masked } else { &mut visible };
                to.push((ends[0] + row) as u32);
            });
        }
        memo.places[0] = masked;
        memo.places[1] = visible;
    }
}

fn row(values: &[f32], number: u32, width: usize) -> &[f32] {
    &values[number as usize * width..][..width]
}

fn row_mut(values: &mut [f32], number: u32, width: usize) -> &mut [f32] {
    &mut values[number as usize * width..][..width]
}

/// The rows of an item that are not masked, in their order.
pub(crate) struct KeepVisible(pub Mask);

impl Layer for KeepVisible {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        self.0.check()?;
        let positions = match (&input.positions, input.rows()) {
            (Positions::Fixed(_), Some(rows)) => Positions::Fixed(vec![self.0.visible(rows)]),
            _ => Positions::Any,
        };
        Ok(Shape { positions, ..input.clone() })
    }

    fn rows(&self, rows: usize) -> usize {
        self.0.visible(rows)
    }

    fn places(&self) -> Places {
        Places::Move
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let width = pass.input.width();
        self.0.split(pass.input.offsets, pass.mode, pass.memo);
        for (&from, to) in pass.memo.places[1].iter().zip(pass.output.chunks_exact_mut(width)) {
            to.copy_from_slice(row(pass.input.values, from, width));
        }
        if let Some(places) = &mut pass.places {
            let visible = pass.memo.places[1].iter();
            visible.for_each(|&row| places.extend_from_slice(pass.input.place(row as usize)));
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let width = pass.input.width();
        pass.memo.places[0].iter().for_each(|&masked| row_mut(to, masked, width).fill(0.0));
        for (&visible, from) in
            pass.memo.places[1].iter().zip(pass.output_gradient.chunks_exact(width))
        {
            row_mut(to, visible, width).copy_from_slice(from);
        }
    }
}

/// All rows of an item again: those that are not masked, and for each of the others one vector that is learnt.
pub(crate) struct FillMasked {
    pub mask: Mask,
    /// The standard deviation of its first values.
    pub deviation: f32,
}

impl Layer for FillMasked {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        Ok(input.clone())
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        vec![Blueprint {
            name: "weight".into(),
            shape: vec![1, input.width],
            order: Order::Table,
            initial: Initial::Normal(self.deviation),
            decays: true,
            kept: false,
        }]
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let width = pass.input.width();
        self.mask.split(pass.offsets, pass.mode, pass.memo);
        let token = pass.parameters[0].whole();
        let [masked, visible, ..] = &pass.memo.places[..] else { unreachable!("split") };
        masked
            .iter()
            .for_each(|&to| row_mut(pass.output, to, width).copy_from_slice(&token.values));
        for (&to, from) in visible.iter().zip(pass.input.values.chunks_exact(width)) {
            row_mut(pass.output, to, width).copy_from_slice(from);
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let width = pass.input.width();
        for (&from, to) in pass.memo.places[1].iter().zip(to.chunks_exact_mut(width)) {
            to.copy_from_slice(row(pass.output_gradient, from, width));
        }
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        for known in &mut *lesson.shards {
            for &masked in &known.memo.places[0] {
                let from = row(known.output_gradient, masked, known.output.width());
                add(lesson.kernels, from, lesson.gradient);
            }
        }
    }
}

/// Rows become zero: those that are masked, or those that are not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hide {
    mask: Mask,
    /// What stays.
    keep: Kept,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kept {
    Masked,
    Visible,
}

impl Hide {
    fn clear(&self, values: &mut [f32], memo: &Memo, width: usize) {
        let gone = &memo.places[usize::from(self.keep == Kept::Masked)];
        gone.iter().for_each(|&gone| row_mut(values, gone, width).fill(0.0));
    }
}

impl Layer for Hide {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        self.mask.check()?;
        Ok(input.clone())
    }

    fn in_place(&self) -> bool {
        true
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        self.mask.split(pass.offsets, pass.mode, pass.memo);
        self.clear(pass.output, pass.memo, pass.input.width());
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        self.clear(pass.output_gradient, pass.memo, pass.output.width());
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::check::{Case, Items, SEED, check};

    fn mask(share: f64, period: Option<usize>) -> (Value, Mask) {
        (json!({"share": share, "period": period}), Mask { share, period })
    }

    /// Which rows of all items are masked.
    pub(in crate::layers) fn masked(mask: Mask, items: &Items) -> Vec<bool> {
        let train = Mode::Train { seed: SEED, step: 1, first: 0, node: 0 };
        let mode = if items.training { train } else { Mode::Encode };
        let mut found = Vec::new();
        for (item, ends) in items.offsets.windows(2).enumerate() {
            mask.each(ends[1] - ends[0], mode, item, |_, is_masked| found.push(is_masked));
        }
        found
    }

    #[test]
    fn masked_rows_are_not_seen_and_become_what_is_learnt() {
        for (share, period, positions, lengths) in [
            (0.75, None, None, vec![2, 0, 7, 1, 16]),
            (0.5, Some(4), None, vec![8, 0, 12, 4]),
            (0.5, None, Some(vec![3, 2]), vec![6; 3]),
        ] {
            let (json, mask) = mask(share, period);
            let layers = json!([
                {"kind": "masked", "mask": json, "deviation": 0.5, "layers": [{"kind": "tanh"}]},
                {"kind": "dense", "units": 4},
            ]);
            let case = Case { layers, positions, width: 3, lengths };
            check(&case, |x, p| {
                let rows = x.values.chunks(3).zip(masked(mask, x));
                rows.flat_map(|(x, is_masked)| {
                    let seen: Vec<f64> = match is_masked {
                        true => p[0].clone(),
                        false => x.iter().map(|x| x.tanh()).collect(),
                    };
                    let unit = |k: usize| {
                        let terms = seen.iter().zip(&p[1][k * 3..]).map(|(x, w)| x * w);
                        terms.sum::<f64>() + p[2][k]
                    };
                    (0..4).map(unit).collect::<Vec<_>>()
                })
                .collect()
            });
        }
    }

    #[test]
    fn hidden_rows_are_those_of_the_mask_or_the_others() {
        for keep in ["masked", "visible"] {
            let (json, mask) = mask(0.6, None);
            let layers = json!([{"kind": "tanh"}, {"kind": "hide", "mask": json, "keep": keep}]);
            let case = Case { layers, positions: None, width: 3, lengths: vec![5, 0, 1, 9] };
            check(&case, |x, _| {
                let rows = x.values.chunks(3).zip(masked(mask, x));
                let row = |(x, is_masked): (&[f64], bool)| {
                    let stays = is_masked == (keep == "masked");
                    x.iter().map(|x| if stays { x.tanh() } else { 0.0 }).collect::<Vec<_>>()
                };
                rows.flat_map(row).collect()
            });
        }
    }

    #[test]
    fn a_mask_has_its_share_and_repeats_itself_by_its_period() {
        let train = |step| Mode::Train { seed: 1, step, first: 0, node: 3 };
        let of = |mask: Mask, rows: usize, mode: Mode, item: usize| {
            let mut found = Vec::new();
            mask.each(rows, mode, item, |_, is_masked| found.push(is_masked));
            found
        };
        let (_, plain) = mask(0.75, None);
        let first = of(plain, 40, train(1), 0);
        assert_eq!(first.iter().filter(|&&masked| masked).count(), 30);
        assert_eq!(plain.visible(40), 10);
        assert_ne!(first, of(plain, 40, train(1), 1));
        assert_ne!(first, of(plain, 40, train(2), 0));
        assert_eq!(of(plain, 40, Mode::Encode, 0), of(plain, 40, Mode::Encode, 5));
        let (_, tubes) = mask(0.9, Some(10));
        let found = of(tubes, 30, train(1), 0);
        assert!(found[..10] == found[10..20] && found[..10] == found[20..]);
        assert_eq!(tubes.visible(30), 3);
        // One stays of what is short; what is no whole period has one mask.
        assert_eq!((plain.visible(1), plain.visible(0), tubes.visible(25)), (1, 0, 2));
        // Nothing has no mask, however long the period is.
        let (_, endless) = mask(0.5, Some(1 << 50));
        assert_eq!((of(endless, 0, train(1), 0), endless.visible(0)), (vec![], 0));
        let mut counts = [0usize; 8];
        for step in 0..4000 {
            let (_, half) = mask(0.5, None);
            let found = of(half, 8, train(step), 0);
            found
                .iter()
                .zip(&mut counts)
                .for_each(|(&masked, count)| *count += usize::from(masked));
        }
        assert!(counts.iter().all(|count| (1850..2150).contains(count)), "{counts:?}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |layer: Value, problem: &str| {
            let description =
                json!({"inputs": [{"content": "values", "width": 3}], "layers": [layer]});
            let error = crate::Network::new(&description.to_string(), 1).err().expect("a refusal");
            assert!(error.to_string().contains(problem), "{error}");
        };
        let inner = json!([{"kind": "tanh"}]);
        for mask in
            [json!({"share": 1.0}), json!({"share": -0.1}), json!({"share": 0.5, "period": 0})]
        {
            refused(json!({"kind": "masked", "mask": mask, "layers": inner}), "expects a `share`");
            refused(json!({"kind": "hide", "mask": mask, "keep": "masked"}), "expects a `share`");
        }
        let mask = json!({"share": 0.5});
        refused(json!({"kind": "masked", "mask": mask}), "has no list `layers`");
        refused(
            json!({"kind": "masked", "mask": mask, "layers": inner, "more": 1}),
            "unknown field",
        );
        let pooled = json!([{"kind": "pool", "by": "mean"}]);
        refused(json!({"kind": "masked", "mask": mask, "layers": pooled}), "that keep the rows");
    }
}
