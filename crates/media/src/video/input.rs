//! What came of a file and is not used yet.

use std::collections::VecDeque;

/// Bytes in order, as they come.
#[derive(Default)]
pub struct Input {
    bytes: Vec<u8>,
    start: usize,
    /// Bytes that are to be left out when they come.
    over: u64,
    is_over: bool,
    /// When each frame of a film is shown that has no times of its own, in seconds.
    pub times: VecDeque<f64>,
}

impl Input {
    /// Takes what comes next.
    pub fn push(&mut self, bytes: &[u8]) {
        let over = self.over.min(bytes.len() as u64) as usize;
        self.over -= over as u64;
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend_from_slice(&bytes[over..]);
    }

    /// No more comes.
    pub fn finish(&mut self) {
        self.is_over = true;
    }

    /// Whether no more comes.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// All that came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Takes all that came.
    pub fn take(&mut self) -> Vec<u8> {
        self.bytes.drain(..self.start);
        self.start = 0;
        std::mem::take(&mut self.bytes)
    }

    /// The first bytes, if so many came.
    pub fn first(&self, count: usize) -> Option<&[u8]> {
        self.bytes().get(..count)
    }

    /// Bytes that lack of so many.
    pub fn lacks(&self, count: usize) -> usize {
        count.saturating_sub(self.bytes().len())
    }

    /// Leaves out the first bytes, also those that are still to come.
    pub fn skip(&mut self, count: u64) {
        let here = count.min(self.bytes().len() as u64);
        self.start += here as usize;
        self.over += count - here;
    }
}
