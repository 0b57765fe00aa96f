//! Who stands in a window beside the words around its centre.

use inlay_base::{SharedMatrix, SharedRow};

/// What windows have besides words.
pub trait Company: Sync {
    /// Whether the words around the centre are in its window at all.
    #[inline(always)]
    fn has_words(&self) -> bool {
        true
    }

    /// Adds the rows that stand first in every window of a sentence.
    #[inline(always)]
    fn join<'a>(&'a self, _sentence: usize, _window: &mut Vec<SharedRow<'a>>) {}

    /// What stands at the places beyond the ends of a sentence; `None`: windows end there.
    #[inline(always)]
    fn beyond(&self) -> Option<SharedRow<'_>> {
        None
    }

    /// The rows that join windows.
    fn rows(&self) -> Option<&SharedMatrix> {
        None
    }
}

/// Nobody: windows have words only.
pub struct Nobody;

impl Company for Nobody {}
