use inlay_base::{Error, Result};

use super::Examples;
use crate::data::{Cells, Column};
use crate::network::Fitted;
use crate::plan::Plan;
use crate::shape::{Content, Shape};

/// Examples that have been checked.
pub(super) struct Set<'a> {
    pub(super) examples: &'a Examples,
    /// Of each item in each slot.
    pub(super) rows: Fitted,
}

impl<'a> Set<'a> {
    /// Checks examples against a plan, and what is wanted against what the loss takes.
    pub(super) fn new(examples: &'a Examples, plan: &Plan, target: &Shape) -> Result<Self> {
        let set = Self { examples, rows: Fitted::new(plan, &examples.inputs)? };
        set.check_targets(plan, target)?;
        Ok(set)
    }

    pub(super) fn targets(&self) -> &'a Column {
        self.examples.targets.as_ref().unwrap_or(&self.examples.inputs[0])
    }

    fn check_targets(&self, plan: &Plan, target: &Shape) -> Result<()> {
        let name = "the targets";
        let problem =
            |problem: String| Error::InvalidInput { source: name.into(), offset: None, problem };
        let column = self.targets();
        if column.items() != self.rows.items() {
            let (targets, items) = (column.items(), self.rows.items());
            return Err(problem(format!("are {targets}, of {items} items")));
        }
        let ids = matches!(column.cells, Cells::Ids(_));
        if ids != (target.content == Content::Ids) || column.width != target.width {
            return Err(problem(format!("are not what the loss takes: {target}")));
        }
        for item in 0..column.items() {
            let (given, wanted) = (column.rows(item), self.rows.of(item)[plan.output]);
            if given != wanted {
                return Err(problem(format!(
                    "of item {item} have {given} rows, its output has {wanted}"
                )));
            }
        }
        column.below(name, plan.slots[plan.output].shape.width, true)
    }
}
