use inlay_base::{Error, Result};

use super::Examples;
use super::stream::Given;
use crate::data::{Cells, Column};
use crate::losses::Loss;
use crate::network::Fitted;
use crate::plan::Plan;
use crate::shape::{Content, Shape};

/// Examples that have been checked.
pub(super) struct Set<'a> {
    pub(super) examples: Given<'a>,
    /// Of each part of an example (itself, what is like it, what is not): rows in each slot.
    parts: Vec<Fitted>,
}

impl<'a> Set<'a> {
    /// Before the first block of a stream has come.
    pub(super) fn none() -> Self {
        let examples = Given::Block(Examples { inputs: Vec::new(), targets: None });
        Self { examples, parts: Vec::new() }
    }

    /// Checks examples against a plan, and what is wanted against what the loss takes.
    pub(super) fn new(
        examples: Given<'a>,
        plan: &Plan,
        loss: &Loss,
        target: Option<&Shape>,
    ) -> Result<Self> {
        let count = examples.inputs.len().div_ceil(plan.inputs);
        if !loss.parts().contains(&count) {
            let (least, most) = (loss.parts().start() - 1, loss.parts().end() - 1);
            let wanted = match (least, most) {
                (0, _) => "neither positives nor negatives",
                (1, 1) => "others to compare items with",
                (1, _) => "positives, and perhaps negatives",
                _ => "positives and negatives",
            };
            return Err(problem("the examples", format!("have not what the loss takes: {wanted}")));
        }
        let columns = examples.inputs.chunks(plan.inputs);
        let parts =
            columns.map(|columns| Fitted::new(plan, columns)).collect::<Result<Vec<_>>>()?;
        let set = Self { examples, parts };
        for (number, part) in set.parts.iter().enumerate().skip(1) {
            if part.items() != set.items() {
                let name = format!("the {}", loss.companions()[number - 1]);
                let (given, items) = (part.items(), set.items());
                return Err(problem(&name, format!("are {given}, of {items} items")));
            }
        }
        match target {
            Some(target) => set.check_targets(plan, loss, target)?,
            None if set.examples.targets.is_some() => {
                return Err(problem("the targets", "are not for a loss over pairs".into()));
            }
            None => {}
        }
        Ok(set)
    }

    /// How many examples there are.
    pub(super) fn items(&self) -> usize {
        self.parts.first().map_or(0, Fitted::items)
    }

    /// How many items an example has.
    pub(super) fn parts(&self) -> usize {
        self.parts.len().max(1)
    }

    /// Rows of an example's item in each slot.
    pub(super) fn rows(&self, example: usize, part: usize) -> &[usize] {
        self.parts[part].of(example)
    }

    /// Rows of all its items in the first slot.
    pub(super) fn load(&self, example: usize) -> usize {
        self.parts.iter().map(|part| part.of(example)[0]).sum()
    }

    /// What there is to do: in rows of items that come in windows, or in items.
    pub(super) fn measure(&self, rows: bool) -> (&'static str, u64) {
        let all = 0..self.items();
        let rows_of = |item: usize| self.rows(item, 0)[0] as u64;
        if rows { ("positions", all.map(rows_of).sum()) } else { ("items", all.len() as u64) }
    }

    pub(super) fn targets(&self) -> &Column {
        self.examples.targets.as_ref().unwrap_or(&self.examples.inputs[0])
    }

    fn check_targets(&self, plan: &Plan, loss: &Loss, target: &Shape) -> Result<()> {
        let name = "the targets";
        let column = self.targets();
        if column.items() != self.items() {
            let (targets, items) = (column.items(), self.items());
            return Err(problem(name, format!("are {targets}, of {items} items")));
        }
        let ids = matches!(column.cells, Cells::Ids(_));
        if ids != (target.content == Content::Ids) || column.width != target.width {
            return Err(problem(name, format!("are not what the loss takes: {target}")));
        }
        for item in 0..column.items() {
            let given = column.rows(item);
            let wanted = target.rows().unwrap_or_else(|| self.rows(item, 0)[plan.output]);
            if given != wanted {
                let problems = format!("of item {item} have {given} rows, its output has {wanted}");
                return Err(problem(name, problems));
            }
        }
        if let Some(range) = loss.range() {
            column.inside(name, &range)?;
        }
        column.below(name, plan.slots[plan.output].shape.width, true)
    }
}

fn problem(name: &str, problem: String) -> Error {
    Error::InvalidInput { source: name.into(), offset: None, problem }
}
