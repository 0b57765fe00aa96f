//! The first pass: all threads take blocks, split them, and number the words, each by its own
//! table. The numbers go to a temporary file.

use std::mem;

use inlay_base::{Error, Result, Run};

use crate::blocks::{Block, Blocks, Content};
use crate::clean::{first_fault, mark_at_start, repaired};
use crate::joined::Sentences;
use crate::options::{InvalidUtf8, Options};
use crate::positioned::Spool;
use crate::source::{Batch, stream_error};
use crate::spelling::Spelling;
use crate::table::{Seed, Table};
use crate::tally::{Numbered, Tally, needed};

/// The numbers of a block's words in the temporary file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    /// Which block of the source it is.
    pub index: usize,
    /// Whose numbers they are.
    pub table: usize,
    /// How many numbers the table had given before this block; those from here on first occur in it.
    pub known: u32,
    /// Where they lie, in bytes.
    pub offset: u64,
    /// How many words; their numbers come first.
    pub words: u32,
    /// How many ends of sentences; they follow.
    pub ends: u32,
    /// As in `Numbered`.
    pub blank: bool,
    /// As in `Numbered`.
    pub leading: u32,
    /// As in `Numbered`.
    pub trailing: u32,
    /// As in `Numbered`.
    pub open: bool,
}

/// All words of a source, numbered by several tables.
pub(crate) struct NumberedSource<'a> {
    /// One for each thread.
    pub tables: Vec<Table<'a>>,
    /// In the order of the source, without blocks that say nothing.
    pub pieces: Vec<Piece>,
}

/// Reads a source. Without a spool the words are only counted.
pub(crate) fn number<'a>(
    blocks: Blocks<'a>,
    options: &Options,
    spool: Option<&Spool>,
    seed: Seed,
    run: &'a Run,
) -> Result<NumberedSource<'a>> {
    let workers = run.workers(|worker| {
        let mut reader = Reader::new(options, seed, run);
        let mut pieces = Vec::new();
        let mut text = Vec::new();
        while let Some(block) = blocks.next(&mut text)? {
            let (index, known) = (block.index, reader.tally.table.end());
            match reader.read(block, &mut text) {
                Ok(()) => {}
                Err(error) => {
                    blocks.fail(index, error)?;
                    break;
                }
            }
            pieces.extend(reader.piece((index, known), worker, spool)?);
        }
        Ok((reader.tally.table, pieces))
    })?;
    blocks.finish()?;
    let (tables, pieces): (Vec<_>, Vec<_>) = workers.into_iter().unzip();
    if tables.iter().any(Table::is_full) {
        let what = "more than 2,147,483,648 different words in one corpus".into();
        return Err(Error::Unsupported { what });
    }
    let mut pieces = pieces.concat();
    pieces.sort_unstable_by_key(|piece| piece.index);
    Ok(NumberedSource { tables, pieces })
}

/// One thread's way from a block to numbers.
struct Reader<'a> {
    run: &'a Run,
    tally: Tally<'a>,
    spelling: Spelling,
    invalid_utf8: InvalidUtf8,
    /// Line feeds that end a sentence.
    needed: u32,
    /// Whether sentences are documents.
    documents: bool,
}

impl<'a> Reader<'a> {
    fn new(options: &Options, seed: Seed, run: &'a Run) -> Self {
        Self {
            run,
            tally: Tally::new(options, seed, run),
            spelling: Spelling::new(options),
            invalid_utf8: options.invalid_utf8,
            needed: needed(options.sentences),
            documents: options.documents,
        }
    }

    fn read(&mut self, block: Block, text: &mut Vec<u8>) -> Result<()> {
        match block.content {
            Content::Text { path, mut begin, mut offset, last } => {
                if offset == 0 {
                    let mark = mark_at_start(&text[begin..]);
                    begin += mark;
                    offset += mark as u64;
                }
                let place = |at, problem| Error::invalid_file(&path, Some(offset + at), problem);
                self.text(text, begin, place)?;
                if last {
                    self.end_of_file();
                }
                Ok(())
            }
            Content::Batch(Batch::Texts { bytes, ends }, first) => {
                // Line feeds between the texts end their sentences, as no text could do itself.
                text.clear();
                let mut start = 0;
                for &end in &ends {
                    let begin = text.len();
                    text.extend_from_slice(&bytes[start..end]);
                    if self.documents {
                        // A text is one document, whatever lines it has.
                        let feeds = text[begin..].iter_mut().filter(|byte| **byte == b'\n');
                        feeds.for_each(|byte| *byte = b' ');
                    }
                    text.extend((0..self.needed).map(|_| b'\n'));
                    start = end;
                }
                let needed = self.needed as usize;
                let place = |at, problem| {
                    let item = item_at(&ends, needed, at as usize);
                    let start = if item == 0 { 0 } else { ends[item - 1] + item * needed };
                    let (item, byte) = (first + item as u64, at as usize - start);
                    stream_error(format!("text {item}, byte {byte}: {problem}"))
                };
                self.text(text, 0, place)
            }
            Content::Batch(Batch::Words { mut bytes, mut word_ends, sentence_ends }, _) => {
                if !self.spelling.is_plain() {
                    self.respell(&mut bytes, &mut word_ends)?;
                }
                self.tally.words(&mut bytes, &word_ends, &sentence_ends, self.run)
            }
            Content::Joined(joined, shard) => {
                let sentences = joined.read(shard, self.run)?;
                text.clear();
                text.extend_from_slice(&sentences.bytes);
                let Sentences { word_ends, sentence_ends, .. } = &sentences;
                self.tally.words(text, word_ends, sentence_ends, self.run)
            }
            Content::Batch(Batch::Integers { values, sentence_ends }, _) => {
                use std::io::Write;
                text.clear();
                let mut word_ends = Vec::with_capacity(values.len());
                for (at, value) in values.into_iter().enumerate() {
                    if at % 4096 == 0 {
                        self.run.check()?;
                    }
                    write!(text, "{value}").map_err(|error| Error::Internal(error.to_string()))?;
                    word_ends.push(text.len());
                }
                self.tally.words(text, &word_ends, &sentence_ends, self.run)
            }
        }
    }

    /// Checks, respells and splits; `place` makes an error of a place in the block and a problem.
    fn text(
        &mut self,
        text: &mut Vec<u8>,
        mut begin: usize,
        place: impl Fn(u64, String) -> Error,
    ) -> Result<()> {
        if let Some(fault) = first_fault(&text[begin..]) {
            if self.invalid_utf8 == InvalidUtf8::Error {
                return Err(place(fault.offset() as u64, fault.problem(&text[begin..])));
            }
            *text = repaired(&text[begin..], self.invalid_utf8);
            begin = 0;
        }
        if !self.spelling.is_plain() {
            text.drain(..mem::take(&mut begin));
            self.spelling.text(text, self.run)?;
        }
        self.tally.text(text, begin, self.run)
    }

    fn respell(&self, bytes: &mut Vec<u8>, word_ends: &mut [usize]) -> Result<()> {
        let mut respelled = Vec::with_capacity(bytes.len());
        let mut start = 0;
        for (at, end) in word_ends.iter_mut().enumerate() {
            if at % 4096 == 0 {
                self.run.check()?;
            }
            respelled.extend_from_slice(&self.spelling.word(&bytes[start..*end]));
            start = mem::replace(end, respelled.len());
        }
        *bytes = respelled;
        Ok(())
    }

    /// A file's end is a sentence's.
    fn end_of_file(&mut self) {
        let block = &mut self.tally.block;
        let gap = if block.blank { &mut block.leading } else { &mut block.trailing };
        *gap = self.needed;
    }

    /// What was read of a block, its numbers in the spool if there is one.
    fn piece(
        &mut self,
        (index, known): (usize, u32),
        table: usize,
        spool: Option<&Spool>,
    ) -> Result<Option<Piece>> {
        let block = &mut self.tally.block;
        let (words, ends) = (block.words.len() as u32, block.ends.len() as u32);
        let Numbered { blank, leading, trailing, open, .. } = *block;
        if blank && leading == 0 {
            return Ok(None);
        }
        block.words.append(&mut block.ends);
        let offset = spool.map_or(Ok(0), |spool| spool.append(&block.words))?;
        let piece =
            Piece { index, table, known, offset, words, ends, blank, leading, trailing, open };
        Ok(Some(piece))
    }
}

/// Which text holds a place of the joined ones: text i ends at `ends[i] + i * between`.
fn item_at(ends: &[usize], between: usize, at: usize) -> usize {
    let mut items = 0..ends.len();
    while items.len() > 1 {
        let middle = items.start + items.len() / 2;
        if ends[middle - 1] + (middle - 1) * between <= at {
            items.start = middle;
        } else {
            items.end = middle;
        }
    }
    items.start
}
