//! A source cut into blocks for threads to take, in order. A block ends where a word ends, so that
//! every word, and every byte of white space, is in exactly one block.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use inlay_base::{Error, Result, Run, lock};

use crate::decode::{Opened, Sequence, open};
use crate::joined::Joined;
use crate::positioned::read_at;
use crate::separators::is_separator;
use crate::source::{Batch, Source, resolve};

/// How blocks are cut. Nothing of it shows in the result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    /// Bytes of a block, if there is white space at its end.
    pub block: usize,
    /// Bytes of a word at most: what has no white space for so long is no text.
    pub word: usize,
}

impl Cut {
    /// A block and the numbers of its words stay in the cache of a core.
    pub const DEFAULT: Self = Self { block: 1 << 19, word: 1 << 30 };
}

/// Text is appended in steps of so many bytes, between which the run is asked whether to go on.
const STEP: usize = 1 << 17;

/// How long a wait for a stream lasts before the run is asked whether to go on.
const PATIENCE: Duration = Duration::from_millis(5);

/// A source and how far it has been taken.
pub(crate) struct Blocks<'a> {
    run: &'a Run,
    cut: Cut,
    queue: Mutex<Queue<'a>>,
    /// The first block that could not be read, and why.
    fault: Mutex<Option<(usize, Error)>>,
    /// What the source is called in errors.
    pub name: String,
}

#[derive(Default)]
struct Queue<'a> {
    files: VecDeque<PathBuf>,
    current: Option<Current<'a>>,
    stream: Option<Receiver<Batch>>,
    /// A text that was numbered before, and how many of its shards are taken.
    joined: Option<(Arc<Joined>, usize)>,
    /// Items of the stream taken.
    items: u64,
    /// Blocks taken.
    blocks: usize,
}

enum Current<'a> {
    Plain { file: Arc<File>, path: Arc<PathBuf>, length: u64, taken: u64 },
    Sequence { sequence: Sequence<'a>, path: Arc<PathBuf>, rest: Vec<u8>, begun: bool },
}

/// A block that a thread has taken.
pub(crate) struct Block {
    /// Its number, from 0.
    pub index: usize,
    pub content: Content,
}

pub(crate) enum Content {
    /// The text is in the buffer.
    Text {
        path: Arc<PathBuf>,
        /// Where the block begins in the buffer.
        begin: usize,
        /// Where it begins in the file, or in what that decompresses to.
        offset: u64,
        /// Whether the file ends with it.
        last: bool,
    },
    /// A part of a stream; the number of its first item.
    Batch(Batch, u64),
    /// A shard of a text that was numbered before.
    Joined(Arc<Joined>, usize),
}

/// Bytes of a plain file: the words that begin in `start..end`.
struct Range {
    file: Arc<File>,
    path: Arc<PathBuf>,
    start: u64,
    end: u64,
    length: u64,
}

enum Taken {
    Range(Range),
    Ready(Content),
}

impl<'a> Blocks<'a> {
    /// Finds the files and begins the phase "read".
    pub fn new(source: Source, cut: Cut, run: &'a Run) -> Result<Self> {
        let name = source.name();
        let (files, stream) = match source {
            Source::Files(names) => (resolve(&names)?, None),
            Source::Stream(receiver) => (Vec::new(), Some(receiver)),
        };
        let size = |file: &PathBuf| std::fs::metadata(file).map_or(0, |metadata| metadata.len());
        let total = stream.is_none().then(|| files.iter().map(size).sum());
        run.phase("read", "bytes", 0, total);
        let queue = Queue { files: files.into(), stream, ..Queue::default() };
        Ok(Self { run, cut, queue: Mutex::new(queue), fault: Mutex::new(None), name })
    }

    /// A text that was numbered before, as a source: begins the phase "join" in words.
    pub fn joined(joined: Joined, name: String, run: &'a Run) -> Self {
        run.phase("join", "words", 0, Some(joined.words()));
        let queue = Queue { joined: Some((Arc::new(joined), 0)), ..Queue::default() };
        let (queue, fault) = (Mutex::new(queue), Mutex::new(None));
        Self { run, cut: Cut::DEFAULT, queue, fault, name }
    }

    /// The next block, whose text, if it is one, replaces what is in `text`; `None` at the end,
    /// and once some block has failed.
    pub fn next(&self, text: &mut Vec<u8>) -> Result<Option<Block>> {
        self.run.check()?;
        if lock(&self.fault).is_some() {
            return Ok(None);
        }
        text.clear();
        text.shrink_to(self.cut.block * 2); // after a word of a hundred megabytes
        let mut queue = lock(&self.queue);
        let index = queue.blocks;
        let taken = queue.take(text, self.cut, self.run);
        queue.blocks += 1;
        drop(queue);
        let content = match taken {
            Ok(None) => return Ok(None),
            Ok(Some(Taken::Ready(content))) => Ok(content),
            Ok(Some(Taken::Range(range))) => range.read(text, self.cut, self.run),
            Err(error) => Err(error),
        };
        match content {
            Ok(content) => Ok(Some(Block { index, content })),
            Err(error) => self.fail(index, error).map(|()| None),
        }
    }

    /// Notes that a block failed. The blocks before it are finished still, as one of them may fail
    /// as well: whatever the threads do, the first fault of the source is what is reported.
    pub fn fail(&self, index: usize, error: Error) -> Result<()> {
        if error == Error::Aborted {
            return Err(error);
        }
        let mut fault = lock(&self.fault);
        if fault.as_ref().is_none_or(|(first, _)| index < *first) {
            *fault = Some((index, error));
        }
        Ok(())
    }

    /// The first fault of the source, when all threads are done.
    pub fn finish(self) -> Result<()> {
        let fault = self.fault.into_inner().unwrap_or_else(PoisonError::into_inner);
        fault.map_or(Ok(()), |(_, error)| Err(error))
    }
}

impl<'a> Queue<'a> {
    fn take(&mut self, text: &mut Vec<u8>, cut: Cut, run: &'a Run) -> Result<Option<Taken>> {
        if let Some(stream) = &self.stream {
            return match receive(stream, run)? {
                Some(batch) => {
                    batch.check()?;
                    let first = self.items;
                    self.items += batch.items() as u64;
                    Ok(Some(Taken::Ready(Content::Batch(batch, first))))
                }
                None => Ok(None),
            };
        }
        if let Some((joined, taken)) = &mut self.joined {
            *taken += 1;
            let content = || Taken::Ready(Content::Joined(Arc::clone(joined), *taken - 1));
            return Ok((*taken <= joined.shards()).then(content));
        }
        loop {
            run.check()?;
            match &mut self.current {
                None => match self.files.pop_front() {
                    None => return Ok(None),
                    Some(path) => self.current = Some(Current::new(path, run)?),
                },
                Some(Current::Plain { taken, length, .. }) if taken == length => {
                    self.current = None;
                }
                Some(Current::Plain { file, path, length, taken }) => {
                    let (start, end) = (*taken, (*taken + cut.block as u64).min(*length));
                    *taken = end;
                    let (file, path) = (Arc::clone(file), Arc::clone(path));
                    let range = Range { file, path, start, end, length: *length };
                    return Ok(Some(Taken::Range(range)));
                }
                Some(Current::Sequence { sequence, path, rest, begun }) => {
                    let offset = sequence.offset - rest.len() as u64;
                    let last = fill(sequence, rest, text, cut, run)?;
                    let path = Arc::clone(path);
                    let nothing = last && !*begun && text.is_empty();
                    *begun = true;
                    if last {
                        self.current = None;
                    }
                    if !nothing {
                        let content = Content::Text { path, begin: 0, offset, last };
                        return Ok(Some(Taken::Ready(content)));
                    }
                }
            }
        }
    }
}

impl<'a> Current<'a> {
    fn new(path: PathBuf, run: &'a Run) -> Result<Self> {
        let opened = open(&path, run)?;
        let path = Arc::new(path);
        Ok(match opened {
            Opened::Plain(file, length) => {
                Current::Plain { file: Arc::new(file), path, length, taken: 0 }
            }
            Opened::Sequence(sequence) => {
                Current::Sequence { sequence, path, rest: Vec::new(), begun: false }
            }
        })
    }
}

fn receive(stream: &Receiver<Batch>, run: &Run) -> Result<Option<Batch>> {
    loop {
        run.check()?;
        match stream.recv_timeout(PATIENCE) {
            Ok(batch) => {
                run.advance(batch.bytes() as u64);
                return Ok(Some(batch));
            }
            Err(RecvTimeoutError::Timeout) => {}
            // A sender that fails stops the run before it goes.
            Err(RecvTimeoutError::Disconnected) => return run.check().map(|()| None),
        }
    }
}

/// Reads a block of text that comes in order: `rest`, which is what the block before left, then
/// more until there is enough and white space near the end. True at the end of the file.
fn fill(
    sequence: &mut Sequence<'_>,
    rest: &mut Vec<u8>,
    text: &mut Vec<u8>,
    cut: Cut,
    run: &Run,
) -> Result<bool> {
    text.append(rest);
    loop {
        run.check()?;
        let before = text.len();
        if sequence.read(text, STEP.min(cut.block))? == 0 {
            return Ok(true);
        }
        if text.len() >= cut.block {
            let separator = text[before..].iter().rposition(|&byte| is_separator(byte));
            if let Some(separator) = separator {
                rest.extend_from_slice(&text[before + separator + 1..]);
                text.truncate(before + separator + 1);
                return Ok(false);
            }
            if text.len() > cut.word {
                return Err(no_separator(sequence.path(), sequence.offset, cut));
            }
        }
    }
}

fn no_separator(path: &Path, offset: u64, cut: Cut) -> Error {
    let problem = format!("no white space for {} bytes: this is not text", cut.word);
    Error::invalid_file(path, Some(offset), problem)
}

impl Range {
    /// Reads the words that begin in the range, and the white space in it. A word that began
    /// before it belongs to the block before; one that goes on behind it is read to its end.
    fn read(self, text: &mut Vec<u8>, cut: Cut, run: &Run) -> Result<Content> {
        let Range { file, path, start, end, length } = self;
        append(&file, &path, start, end - start, text, run)?;
        run.advance(end - start);
        let mut begin = 0;
        if start > 0 && !is_separator(byte_at(&file, &path, start - 1, run)?) {
            begin = text.iter().position(|&byte| is_separator(byte)).unwrap_or(text.len());
        }
        let offset = start + begin as u64;
        let mut end_of_text = end;
        let goes_on = |text: &[u8]| text[begin..].last().is_some_and(|&byte| !is_separator(byte));
        while end_of_text < length && goes_on(text) {
            let before = text.len();
            let step = (1 << 10).max(before as u64 / 2).min(STEP as u64).min(length - end_of_text);
            append(&file, &path, end_of_text, step, text, run)?;
            end_of_text += step;
            if let Some(separator) = text[before..].iter().position(|&byte| is_separator(byte)) {
                text.truncate(before + separator);
                break;
            }
            if text.len() > cut.word {
                return Err(no_separator(&path, offset, cut));
            }
        }
        Ok(Content::Text { path, begin, offset, last: end == length })
    }
}

fn byte_at(file: &File, path: &Path, offset: u64, run: &Run) -> Result<u8> {
    let mut byte = Vec::new();
    append(file, path, offset, 1, &mut byte, run)?;
    Ok(byte[0])
}

/// Appends bytes of a file, from an offset on.
fn append(
    file: &File,
    path: &Path,
    from: u64,
    count: u64,
    text: &mut Vec<u8>,
    run: &Run,
) -> Result<()> {
    let (mut done, count) = (0, count as usize);
    let start = text.len();
    text.resize(start + count, 0);
    while done < count {
        run.check()?;
        let step = (count - done).min(STEP * 8);
        let part = &mut text[start + done..start + done + step];
        let read = read_at(file, part, from + done as u64)
            .map_err(|error| Error::io("read", path, &error))?;
        if read == 0 {
            let offset = Some(from + done as u64);
            return Err(Error::invalid_file(
                path,
                offset,
                "the file was cut short while it was read",
            ));
        }
        done += read;
    }
    Ok(())
}
