//! Texts of a stream on all threads, in parts, and the words of each.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use inlay_base::{Result, Run};
use inlay_corpus::{Batch, Splitter};

/// Texts of a part at most: a millisecond's work or so.
const PART: usize = 512;
/// How long a wait for a stream lasts before the run is asked whether to go on.
const PATIENCE: Duration = Duration::from_millis(5);

/// Some texts of a batch.
pub struct Part {
    pub batch: Arc<Batch>,
    pub texts: Range<usize>,
    /// Its place among all parts.
    index: usize,
}

struct Queue {
    stream: Receiver<Batch>,
    parts: VecDeque<Part>,
    next: usize,
}

/// Calls `work` for each part of a stream, on all threads. What the threads hold, and the results in
/// the order of the stream.
pub fn each_part<S: Send, R: Send>(
    stream: Receiver<Batch>,
    run: &Run,
    new: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &Part) -> Result<R> + Sync,
) -> Result<(Vec<S>, Vec<R>)> {
    let queue = Mutex::new(Queue { stream, parts: VecDeque::new(), next: 0 });
    let workers = run.workers(|_| {
        let (mut state, mut results) = (new(), Vec::new());
        loop {
            let part = queue.lock().unwrap_or_else(PoisonError::into_inner).take(run)?;
            let Some(part) = part else { break };
            results.push((part.index, work(&mut state, &part)?));
        }
        Ok((state, results))
    })?;
    let (states, results): (Vec<_>, Vec<_>) = workers.into_iter().unzip();
    let mut results: Vec<_> = results.into_iter().flatten().collect();
    results.sort_unstable_by_key(|(index, _)| *index);
    Ok((states, results.into_iter().map(|(_, result)| result).collect()))
}

impl Queue {
    fn take(&mut self, run: &Run) -> Result<Option<Part>> {
        loop {
            run.check()?;
            if let Some(part) = self.parts.pop_front() {
                return Ok(Some(part));
            }
            match self.stream.recv_timeout(PATIENCE) {
                Ok(batch) => self.cut(batch)?,
                Err(RecvTimeoutError::Timeout) => {}
                // A sender that fails stops the run before it goes.
                Err(RecvTimeoutError::Disconnected) => return run.check().map(|()| None),
            }
        }
    }

    fn cut(&mut self, batch: Batch) -> Result<()> {
        batch.check()?;
        let (count, batch) = (batch.items(), Arc::new(batch));
        for start in (0..count).step_by(PART) {
            let (batch, texts) = (Arc::clone(&batch), start..(start + PART).min(count));
            self.parts.push_back(Part { batch, texts, index: self.next });
            self.next += 1;
        }
        Ok(())
    }
}

/// The words of one text after the other.
pub struct Words {
    splitter: Splitter,
    bytes: Vec<u8>,
    words: Vec<Range<usize>>,
}

impl Words {
    pub fn new(splitter: Splitter) -> Self {
        Self { splitter, bytes: Vec::new(), words: Vec::new() }
    }

    /// Takes a text of a batch, whose words are replaced.
    pub fn take(&mut self, batch: &Batch, text: usize) {
        let from = |ends: &[usize], at: usize| if at == 0 { 0 } else { ends[at - 1] };
        match batch {
            Batch::Texts { bytes, ends } => self.split(&bytes[from(ends, text)..ends[text]]),
            Batch::Words { bytes, word_ends, sentence_ends } => {
                self.clear();
                for word in from(sentence_ends, text)..sentence_ends[text] {
                    let word = self.splitter.word(&bytes[from(word_ends, word)..word_ends[word]]);
                    push(&mut self.bytes, &mut self.words, &word);
                }
            }
            Batch::Integers { values, sentence_ends } => {
                self.clear();
                for value in &values[from(sentence_ends, text)..sentence_ends[text]] {
                    push(&mut self.bytes, &mut self.words, value.to_string().as_bytes());
                }
            }
        }
    }

    /// Takes a text.
    pub fn split(&mut self, text: &[u8]) {
        self.splitter.words(text, &mut self.bytes, &mut self.words);
    }

    /// The words, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.words.iter().map(|word| &self.bytes[word.clone()])
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.words.clear();
    }
}

fn push(bytes: &mut Vec<u8>, words: &mut Vec<Range<usize>>, word: &[u8]) {
    words.push(bytes.len()..bytes.len() + word.len());
    bytes.extend_from_slice(word);
}
