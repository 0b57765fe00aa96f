//! A source as texts, on all threads, for whoever wants each of them as it is: a line or a paragraph of a
//! file, an item of a stream. Texts are taken in parts, and what is made of the parts comes back in the
//! order of the source.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use inlay_base::{Error, Result, Run, lock};

use crate::clean::{first_fault, mark_at_start, repaired};
use crate::decode::{Sequence, open_quietly};
use crate::options::{InvalidUtf8, Sentences};
use crate::separators::is_separator;
use crate::source::{Batch, Source, resolve};
use crate::splitter::Splitter;
use crate::table::OVERHANG;

/// Texts of a part of a stream at most: a millisecond's work or so.
const PART: usize = 512;
/// Bytes of a part of a file, but for a text that is longer.
const CHUNK: usize = 1 << 18;
/// How long a wait for a stream lasts before the run is asked whether to go on.
const PATIENCE: Duration = Duration::from_millis(5);

/// How files are cut into texts. Items of a stream are texts already.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    /// A text is a line, an empty one too, or a paragraph.
    pub texts: Sentences,
    /// What is done with bytes that are not UTF-8.
    pub invalid_utf8: InvalidUtf8,
}

/// Some texts of a batch.
pub struct Part {
    /// The batch.
    pub batch: Arc<Batch>,
    /// Which of its texts.
    pub texts: Range<usize>,
    /// Its place among all parts.
    index: usize,
}

/// Calls `work` for each part of a source, on all threads. What the threads hold, and the results in
/// the order of the source.
///
/// # Errors
/// As `Corpus::read`, and what `work` fails with.
pub fn each_part<S: Send, R: Send>(
    source: Source,
    reading: Reading,
    run: &Run,
    new: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &Part) -> Result<R> + Sync,
) -> Result<(Vec<S>, Vec<R>)> {
    let from = match source {
        Source::Stream(stream) => From::Stream { stream, parts: VecDeque::new() },
        Source::Files(names) => From::Files { files: resolve(&names)?.into(), open: None, reading },
    };
    let queue = Mutex::new(Queue { from, next: 0 });
    let workers = run.workers(|_| {
        let (mut state, mut results) = (new(), Vec::new());
        loop {
            let part = lock(&queue).take(run)?;
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

struct Queue<'a> {
    from: From<'a>,
    /// The number of the next part.
    next: usize,
}

enum From<'a> {
    Stream { stream: Receiver<Batch>, parts: VecDeque<(Arc<Batch>, Range<usize>)> },
    Files { files: VecDeque<PathBuf>, open: Option<File<'a>>, reading: Reading },
}

/// A file that is being read.
struct File<'a> {
    sequence: Sequence<'a>,
    /// What the last part left.
    rest: Vec<u8>,
}

impl<'a> Queue<'a> {
    fn take(&mut self, run: &'a Run) -> Result<Option<Part>> {
        let taken = match &mut self.from {
            From::Stream { stream, parts } => take_of_stream(stream, parts, run)?,
            From::Files { files, open, reading } => {
                let batch = take_of_files(files, open, *reading, run)?.map(Arc::new);
                batch.map(|batch| (Arc::clone(&batch), 0..batch.items()))
            }
        };
        Ok(taken.map(|(batch, texts)| {
            self.next += 1;
            Part { batch, texts, index: self.next }
        }))
    }
}

fn take_of_stream(
    stream: &Receiver<Batch>,
    parts: &mut VecDeque<(Arc<Batch>, Range<usize>)>,
    run: &Run,
) -> Result<Option<(Arc<Batch>, Range<usize>)>> {
    loop {
        run.check()?;
        if let Some(part) = parts.pop_front() {
            return Ok(Some(part));
        }
        match stream.recv_timeout(PATIENCE) {
            Ok(batch) => {
                batch.check()?;
                let (count, batch) = (batch.items(), Arc::new(batch));
                parts.extend((0..count).step_by(PART).map(|start| {
                    let texts = start..(start + PART).min(count);
                    (Arc::clone(&batch), texts)
                }));
            }
            Err(RecvTimeoutError::Timeout) => {}
            // A sender that fails stops the run before it goes.
            Err(RecvTimeoutError::Disconnected) => return run.check().map(|()| None),
        }
    }
}

fn take_of_files<'a>(
    files: &mut VecDeque<PathBuf>,
    open: &mut Option<File<'a>>,
    reading: Reading,
    run: &'a Run,
) -> Result<Option<Batch>> {
    loop {
        run.check()?;
        let file = match open {
            Some(file) => file,
            None => {
                let Some(path) = files.pop_front() else { return Ok(None) };
                let sequence = open_quietly(&path, run)?;
                open.insert(File { sequence, rest: Vec::new() })
            }
        };
        let offset = file.sequence.offset - file.rest.len() as u64;
        let (text, last) = file.next(reading.texts, run)?;
        let bytes = cleaned(text, offset, &file.sequence, reading.invalid_utf8)?;
        if last {
            *open = None;
        }
        let (bytes, ends) = cut(bytes, reading.texts);
        if !ends.is_empty() {
            return Ok(Some(Batch::Texts { bytes, ends }));
        }
    }
}

impl File<'_> {
    /// Whole texts, and whether the file ends with them.
    fn next(&mut self, texts: Sentences, run: &Run) -> Result<(Vec<u8>, bool)> {
        let mut text = std::mem::take(&mut self.rest);
        loop {
            run.check()?;
            if self.sequence.read(&mut text, CHUNK)? == 0 {
                return Ok((text, true));
            }
            if let Some(end) = last_end(&text, texts) {
                self.rest = text.split_off(end);
                return Ok((text, false));
            }
            if text.len() > 1 << 30 {
                let problem = "a text of more than 1 GiB".to_owned();
                let path = self.sequence.path();
                return Err(Error::invalid_file(path, Some(self.sequence.offset), problem));
            }
        }
    }
}

/// Behind the last line feed that ends a text for sure.
fn last_end(text: &[u8], texts: Sentences) -> Option<usize> {
    let mut end = text.len();
    loop {
        let feed = text[..end].iter().rposition(|&byte| byte == b'\n')?;
        let blank_before = text[..feed].iter().rev().take_while(|&&byte| is_separator(byte));
        if texts == Sentences::Line || blank_before.into_iter().any(|&byte| byte == b'\n') {
            return Some(feed + 1);
        }
        end = feed;
    }
}

fn cleaned(
    text: Vec<u8>,
    offset: u64,
    file: &Sequence<'_>,
    invalid_utf8: InvalidUtf8,
) -> Result<Vec<u8>> {
    let begin = if offset == 0 { mark_at_start(&text) } else { 0 };
    match (first_fault(&text[begin..]), invalid_utf8) {
        (None, _) if begin == 0 => Ok(text),
        (None, _) => Ok(text[begin..].to_vec()),
        (Some(fault), InvalidUtf8::Error) => {
            let at = offset + (begin + fault.offset()) as u64;
            Err(Error::invalid_file(file.path(), Some(at), fault.problem(&text[begin..])))
        }
        (Some(_), how) => Ok(repaired(&text[begin..], how)),
    }
}

/// Texts end to end, without the line feeds that end them, and where each ends.
fn cut(bytes: Vec<u8>, texts: Sentences) -> (Vec<u8>, Vec<usize>) {
    let (mut kept, mut ends) = (Vec::with_capacity(bytes.len()), Vec::new());
    let lines = bytes.strip_suffix(b"\n").unwrap_or(&bytes).split(|&byte| byte == b'\n');
    match texts {
        Sentences::Line if bytes.is_empty() => {}
        Sentences::Line => lines.for_each(|line| {
            kept.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            ends.push(kept.len());
        }),
        Sentences::Paragraph => {
            let mut open = false;
            for line in lines.chain([&b""[..]]) {
                let blank = line.iter().all(|&byte| is_separator(byte));
                if !blank {
                    kept.extend_from_slice(if open { b"\n" } else { b"" });
                    kept.extend_from_slice(line);
                } else if open {
                    ends.push(kept.len());
                }
                open = !blank;
            }
        }
    }
    (kept, ends)
}

/// The words of one text after the other.
pub struct Words {
    splitter: Splitter,
    bytes: Vec<u8>,
    words: Vec<Range<usize>>,
}

impl Words {
    /// No words yet; texts will be split so.
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

    /// What words lie in, with `OVERHANG` bytes behind each, and where each is.
    pub fn places(&mut self) -> (&[u8], &[Range<usize>]) {
        self.bytes.resize(self.bytes.len() + OVERHANG, 0);
        (&self.bytes, &self.words)
    }

    /// What words lie in.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn texts(source: Source, reading: Reading, threads: usize) -> Result<Vec<String>> {
        let run = Run::quiet(threads, 1);
        let (_, parts) = each_part(
            source,
            reading,
            &run,
            || (),
            |(), part| {
                let Batch::Texts { bytes, ends } = &*part.batch else { panic!("texts") };
                let text = |at: usize| {
                    let start = if at == 0 { 0 } else { ends[at - 1] };
                    String::from_utf8(bytes[start..ends[at]].to_vec()).unwrap()
                };
                Ok(part.texts.clone().map(text).collect::<Vec<_>>())
            },
        )?;
        Ok(parts.concat())
    }

    fn of_file(content: &[u8], texts_of: Sentences) -> Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, content).unwrap();
        let files = vec![path.display().to_string()];
        texts(Source::Files(files), Reading { texts: texts_of, ..Reading::default() }, 2)
    }

    #[test]
    fn a_line_is_a_text_even_an_empty_one() {
        let found = of_file(b"\xEF\xBB\xBFone two\r\n\n three\nlast", Sentences::Line).unwrap();
        assert_eq!(found, ["one two", "", " three", "last"]);
        assert_eq!(of_file(b"", Sentences::Line).unwrap(), [""; 0]);
        assert_eq!(of_file(b"\n", Sentences::Line).unwrap(), [""]);
    }

    #[test]
    fn a_paragraph_ends_with_a_blank_line() {
        let found = of_file(b"\n one\ntwo\n \t\n\nthree\n", Sentences::Paragraph).unwrap();
        assert_eq!(found, [" one\ntwo", "three"]);
    }

    #[test]
    fn parts_of_long_files_come_in_order_and_whole() {
        for kind in [Sentences::Line, Sentences::Paragraph] {
            let lines: Vec<String> =
                (0..60_000).map(|i| format!("text {i} {}", "x".repeat(i % 40))).collect();
            let between = if kind == Sentences::Line { "\n" } else { "\n \n" };
            assert_eq!(of_file(lines.join(between).as_bytes(), kind).unwrap(), lines);
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_an_error_with_their_place() {
        let error = of_file(b"one\ntw\xFFo\n", Sentences::Line).unwrap_err();
        assert!(matches!(error, Error::InvalidInput { offset: Some(6), .. }), "{error:?}");
    }

    #[test]
    fn items_of_a_stream_are_texts_as_they_are() {
        let (sender, receiver) = sync_channel(4);
        let bytes = b"one\ntwothree".to_vec();
        sender.send(Batch::Texts { bytes, ends: vec![7, 12] }).unwrap();
        drop(sender);
        let found = texts(Source::Stream(receiver), Reading::default(), 2).unwrap();
        assert_eq!(found, ["one\ntwo", "three"]);
    }
}
