use inlay_base::{SharedMatrix, SharedRow};
use inlay_kernels::{Simd, prefetch};

/// The rows of one word, found once.
#[derive(Default)]
pub struct WordRows<'a>(Vec<SharedRow<'a>>);

impl<'a> WordRows<'a> {
    /// Takes the place of those before.
    #[inline(always)]
    pub fn find(&mut self, input: &'a SharedMatrix, rows: &[u32]) {
        self.0.clear();
        self.0.extend(rows.iter().map(|&row| input.row(row)));
    }

    /// The rows.
    #[inline(always)]
    pub fn rows(&self) -> &[SharedRow<'a>] {
        &self.0
    }

    /// Asks for all of them.
    #[inline(always)]
    pub fn prefetch<S: Simd>(&self, simd: S) {
        self.0.iter().for_each(|&row| prefetch(simd, row));
    }
}
