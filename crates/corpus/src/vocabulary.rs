//! The tables of all threads made one: counts added, words chosen and ordered.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use inlay_base::{Error, Result, Run, gather};
use inlay_formats::Names;

use crate::corpus::Dropped;
use crate::numbering::Piece;
use crate::options::Options;
use crate::sorting::sorted;
use crate::table::{Seed, Table};

/// What a dropped word has in the place of an id.
pub(crate) const DROPPED: u32 = u32::MAX;

/// Words fall into so many parts by the upper bits of their hash; each is merged by one thread.
const PARTS: usize = 256;
const PART_SHIFT: u32 = 32 - PARTS.trailing_zeros();

/// Words between two questions whether the run goes on.
const STEP: usize = 1 << 16;

/// The words that are kept.
pub(crate) struct Vocabulary {
    /// Most frequent first, ties as they first occur: words of one text stand together, which makes
    /// better Huffman trees than any order without meaning.
    pub names: Arc<Names>,
    /// How often each was seen, the base's counts included.
    pub counts: Vec<u64>,
    /// Words of the source that are kept, all occurrences.
    pub tokens: u64,
    pub dropped: Dropped,
    /// For each table, the id of each of its words or `DROPPED`.
    pub ids: Vec<Vec<u32>>,
}

/// The words of a table in the order of their parts.
struct Parted {
    words: Vec<u32>,
    /// Where each part begins in `words`, and the end.
    starts: Vec<usize>,
}

/// One part of all tables, merged.
struct Merged {
    words: Vec<Word>,
    /// For each table, and each of its words in the part, which of `words` it is.
    places: Vec<Vec<u32>>,
}

/// A word of the source, all tables together.
#[derive(Clone, Copy)]
struct Word {
    /// A table that has it, and its number there.
    table: u32,
    number: u32,
    /// Where it first occurs.
    first: First,
    /// In the source.
    count: u64,
    /// In the base, if that has the word.
    base: Option<u64>,
}

/// A word to be ordered: by count, then place.
#[derive(Clone, Copy)]
struct Kept {
    count: u64,
    first: First,
    part: u32,
    place: u32,
    in_base: bool,
}

/// Where a word first occurs: the block, and its number in the table of whoever read that block. A
/// table numbers words as it meets them, so this is the order of the source, however it was cut.
type First = (usize, u32);

/// Where the words of each table first occur.
struct Firsts {
    /// For each table of the source: its blocks, each with the first number that is new in it.
    blocks: Vec<Vec<(u32, usize)>>,
}

impl Firsts {
    /// `pieces` are in the order of the source.
    fn new(tables: usize, pieces: &[Piece]) -> Self {
        let mut blocks = vec![Vec::new(); tables];
        // From 1 on: the words of the base come before the source.
        pieces.iter().for_each(|piece| blocks[piece.table].push((piece.known, piece.index + 1)));
        Self { blocks }
    }

    fn of(&self, table: usize, number: u32) -> First {
        let Some(blocks) = self.blocks.get(table) else { return (0, number) };
        let after = blocks.partition_point(|&(known, _)| known <= number);
        (after.checked_sub(1).map_or(0, |block| blocks[block].1), number)
    }
}

/// Merges the tables, which share a seed; `name` is what the source is called in errors.
pub(crate) fn merge<'a>(
    mut tables: Vec<Table<'a>>,
    pieces: &[Piece],
    options: &Options,
    (seed, name): (Seed, &str),
    run: &'a Run,
) -> Result<Vocabulary> {
    let sources = tables.len();
    let firsts = Firsts::new(sources, pieces);
    tables.extend(base_table(options, seed, run)?);
    let parted = gather(run, tables.len(), |table| parted(&tables[table], run))?;
    let mut parts = gather(run, PARTS, |part| merge_part(&tables, &firsts, &parted, part, run))?;
    let kept = chosen(&tables, &parts, options, run)?;
    let bytes = |kept: &Kept| {
        let word = parts[kept.part as usize].words[kept.place as usize];
        tables[word.table as usize].bytes(word.number)
    };
    let compare = |a: &Kept, b: &Kept| {
        // Words of a closed vocabulary keep their numbers, however often they occur here.
        let by_count = if options.closed { Ordering::Equal } else { b.count.cmp(&a.count) };
        by_count.then(a.first.cmp(&b.first))
    };
    let mut kept = sorted(kept, compare, run)?;
    limit(&mut kept, options.max_vocabulary);
    let names = Arc::new(Names::checked(kept.iter().map(bytes), &|| run.check())?);
    run.check()?;
    let counts = kept.iter().map(|word| word.count).collect();

    // From here on the part's words know only their ids.
    let mut ids_of_parts: Vec<Vec<u32>> =
        parts.iter().map(|part| vec![DROPPED; part.words.len()]).collect();
    for (id, word) in kept.iter().enumerate() {
        if id.is_multiple_of(STEP) {
            run.check()?;
        }
        ids_of_parts[word.part as usize][word.place as usize] = id as u32;
    }
    let (mut tokens, mut dropped) = (0, Dropped::default());
    for (part, ids) in parts.iter().zip(&ids_of_parts) {
        for (word, &id) in part.words.iter().zip(ids) {
            if id != DROPPED {
                tokens += word.count;
            } else {
                dropped.words += 1;
                dropped.tokens += word.count;
            }
        }
        run.check()?;
    }
    if tokens == 0 && !options.closed {
        return Err(nothing(&tables, &parts, options, name));
    }
    drop(tables);
    parts.iter_mut().for_each(|part| part.words = Vec::new());
    let ids = gather(run, sources, |table| {
        let Parted { words, starts } = &parted[table];
        let mut ids = vec![DROPPED; words.len() + 1];
        for (part, merged) in parts.iter().enumerate() {
            run.check()?;
            let words = &words[starts[part]..starts[part + 1]];
            for (&word, &place) in words.iter().zip(&merged.places[table]) {
                ids[word as usize] = ids_of_parts[part][place as usize];
            }
        }
        Ok(ids)
    })?;
    Ok(Vocabulary { names, counts, tokens, dropped, ids })
}

fn base_table<'a>(options: &Options, seed: Seed, run: &'a Run) -> Result<Option<Table<'a>>> {
    let Some(base) = &options.base else { return Ok(None) };
    assert_eq!(base.names.len(), base.counts.len(), "a count for each word of the base");
    let mut table = Table::new(seed, run);
    for (at, (word, &count)) in base.names.iter().zip(&base.counts).enumerate() {
        if at.is_multiple_of(STEP) {
            run.check()?;
        }
        table.add_times(word, count);
    }
    Ok(Some(table))
}

fn parted(table: &Table<'_>, run: &Run) -> Result<Parted> {
    let part = |word: u32| (table.tag(word) >> PART_SHIFT) as usize;
    let mut starts = vec![0; PARTS + 1];
    for word in 1..table.end() {
        if word.is_multiple_of(STEP as u32) {
            run.check()?;
        }
        starts[part(word) + 1] += 1;
    }
    (0..PARTS).for_each(|part| starts[part + 1] += starts[part]);
    let mut next = starts.clone();
    let mut words = vec![0; table.end() as usize - 1];
    for word in 1..table.end() {
        if word.is_multiple_of(STEP as u32) {
            run.check()?;
        }
        let place = &mut next[part(word)];
        words[*place] = word;
        *place += 1;
    }
    Ok(Parted { words, starts })
}

/// Finds each word of the part once; the tables that `firsts` does not know are the base.
fn merge_part(
    tables: &[Table<'_>],
    firsts: &Firsts,
    parted: &[Parted],
    part: usize,
    run: &Run,
) -> Result<Merged> {
    run.check()?;
    let of_table = |table: usize| {
        let Parted { words, starts } = &parted[table];
        &words[starts[part]..starts[part + 1]]
    };
    let most: usize = (0..tables.len()).map(|table| of_table(table).len()).sum();
    let mut slots = vec![u32::MAX; (2 * most).next_power_of_two()];
    let mask = slots.len() - 1;
    let mut words: Vec<Word> = Vec::new();
    let mut places = Vec::with_capacity(tables.len());
    for (number_of_table, table) in tables.iter().enumerate() {
        let mut of_words = Vec::with_capacity(of_table(number_of_table).len());
        for &number in of_table(number_of_table) {
            let (bytes, tag) = (table.bytes(number), table.tag(number));
            let same = |word: &Word| {
                let other = &tables[word.table as usize];
                other.tag(word.number) == tag && other.bytes(word.number) == bytes
            };
            let mut slot = tag as usize & mask;
            while slots[slot] != u32::MAX && !same(&words[slots[slot] as usize]) {
                slot = (slot + 1) & mask;
            }
            if slots[slot] == u32::MAX {
                slots[slot] = words.len() as u32;
                let table = number_of_table as u32;
                let first = firsts.of(number_of_table, number);
                words.push(Word { table, number, first, count: 0, base: None });
            }
            let word = &mut words[slots[slot] as usize];
            word.first = word.first.min(firsts.of(number_of_table, number));
            if number_of_table < firsts.blocks.len() {
                word.count += table.count(number);
            } else {
                word.base = Some(table.count(number));
            }
            of_words.push(slots[slot]);
        }
        places.push(of_words);
        run.check()?;
    }
    Ok(Merged { words, places })
}

/// The words that are frequent enough, and wanted.
fn chosen(
    tables: &[Table<'_>],
    parts: &[Merged],
    options: &Options,
    run: &Run,
) -> Result<Vec<Kept>> {
    let stop_words: HashSet<&[u8]> =
        options.stop_words.iter().map(|word| word.as_bytes()).collect();
    let mut kept = Vec::new();
    for (part, merged) in parts.iter().enumerate() {
        run.check()?;
        for (place, word) in merged.words.iter().enumerate() {
            let bytes = tables[word.table as usize].bytes(word.number);
            let frequent = word.count >= options.min_count.max(1) && !options.closed;
            if word.base.is_some() || (frequent && !stop_words.contains(bytes)) {
                let count = word.count + word.base.unwrap_or(0);
                let (part, place) = (part as u32, place as u32);
                let (first, in_base) = (word.first, word.base.is_some());
                kept.push(Kept { count, first, part, place, in_base });
            }
        }
    }
    Ok(kept)
}

/// Why nothing of the source is kept.
fn nothing(tables: &[Table<'_>], parts: &[Merged], options: &Options, name: &str) -> Error {
    let words = parts.iter().flat_map(|part| &part.words).filter(|word| word.count > 0);
    let bytes = |word: &Word| tables[word.table as usize].bytes(word.number);
    let order = |a: &&Word, b: &&Word| a.count.cmp(&b.count).then(bytes(b).cmp(bytes(a)));
    let problem = match words.max_by(order) {
        None => "holds no word".to_string(),
        Some(word) if word.count >= options.min_count => {
            "no word is left by `stopWords` and `maxVocabulary`".to_string()
        }
        Some(word) => format!(
            "no word occurs {} times (`minCount`); the most frequent, \"{}\", occurs {}",
            options.min_count,
            String::from_utf8_lossy(&bytes(word)[..bytes(word).len().min(40)]),
            match word.count {
                1 => "once".into(),
                count => format!("{count} times"),
            }
        ),
    };
    Error::InvalidInput { source: name.into(), offset: None, problem }
}

/// Cuts ordered words to a number of them; those of the base stay.
fn limit(kept: &mut Vec<Kept>, limit: Option<usize>) {
    let Some(limit) = limit.filter(|&limit| limit < kept.len()) else { return };
    let in_base = kept.iter().filter(|word| word.in_base).count();
    let mut others = limit.saturating_sub(in_base);
    kept.retain(|word| {
        let stays = word.in_base || others > 0;
        others -= usize::from(stays && !word.in_base);
        stays
    });
}
