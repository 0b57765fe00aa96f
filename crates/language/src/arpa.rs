//! Models from ARPA files and to them.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use flate2::{Compression, write::GzEncoder};
use inlay_base::{AtomicFile, Error, Result, Run, atomic_u32, in_turns};
use inlay_corpus::in_order;
use inlay_formats::Names;
use inlay_formats::arpa::{self, Ngram, Take};
use inlay_kernels::fetch;

use crate::fill::{Entries, Entry};
use crate::lines::{Lines, Spelled};
use crate::model::{Model, Searched, Spelling};
use crate::room::{Numbers, Room};
use crate::table::{NO_CELL, Search, Table, WORDS, extend};
use crate::text::{SPECIAL, UNKNOWN};

/// What an unknown word gets where a file has no `<unk>`, as in KenLM.
const MISSING_UNKNOWN: f32 = -100.0;
/// N-grams that become text at once.
const BLOCK: usize = 1 << 12;
/// N-grams that the memory is asked for ahead.
const AHEAD: usize = 32;

impl Model {
    /// Reads an ARPA file, plain, gzip or zstd, of any order up to 10. Words are what it says they are;
    /// `spelling` is how sentences will be split. Phase "read" in bytes.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` with the offset: a damaged file, an n-gram that comes twice, a word
    /// without a unigram, no `<s>` or `</s>`; `Unsupported`: an n-gram whose words but the newest, or
    /// but the oldest, have no n-gram of their own.
    pub fn read_arpa(path: &Path, spelling: Spelling, room: &Room, run: &Run) -> Result<Self> {
        let mut file = in_order(path, run)?;
        let fill: arpa::Fill<'_> = Box::new(move |buffer, limit| {
            run.check()?;
            file.read(buffer, limit)
        });
        let mut taken = Taken {
            path,
            room,
            run,
            order: 0,
            words: Vec::new(),
            ends: vec![0],
            unigrams: SPECIAL.map(|_| [0.0; 2]).to_vec(),
            seen: [false; SPECIAL.len()],
            names: None,
            found: Vec::new(),
            tables: Vec::new(),
            sorted: Vec::new(),
        };
        taken.unigrams[UNKNOWN as usize][0] = MISSING_UNKNOWN;
        arpa::read(path, fill, &mut taken)?;
        let Taken { names, unigrams: pairs, tables, sorted, .. } = taken;
        let names = names.ok_or_else(|| Error::Internal("a file without an order 1".into()))?;
        let mut unigrams = room.numbers(2 * pairs.len())?;
        unigrams.reals_mut().copy_from_slice(pairs.as_flattened());
        Ok(Self::of_file(names, unigrams, tables, sorted, spelling))
    }

    /// Writes an ARPA file, with gzip where its name ends with `.gz`; a model that was estimated or
    /// read from an ARPA file in the order of that, one of a file of ours in suffix order. Phase
    /// "write" in n-grams.
    ///
    /// # Errors
    /// `InvalidInput`: the model's file is damaged; `DiskFull`, `Io`, `Aborted`.
    pub fn write_arpa(&self, path: &Path, run: &Run) -> Result<()> {
        run.phase("write", "n-grams", 0, Some(self.ngrams().iter().sum()));
        let mut file = Output::create(path)?;
        let mut header = String::from("\\data\\\n");
        for (order, count) in (1..).zip(self.ngrams()) {
            header += &format!("ngram {order}={count}\n");
        }
        file.write(header.as_bytes())?;
        let mut of_file = OfFile::default();
        let spelled = Spelled::new(self.names());
        let mut chains = Vec::new();
        for order in 1..=self.order() {
            file.write(format!("\n\\{order}-grams:\n").as_bytes())?;
            if order > 1 {
                chains.push(self.chain(order, run)?);
            }
            let found: Vec<u32>;
            let entries: &[u32] = match (self.stored(), order) {
                (_, 1) => {
                    found = (0..self.names().len() as u32).collect();
                    &found
                }
                (Searched::Sorted(orders), _) => {
                    found = (0..orders[order - 2].len as u32).collect();
                    &found
                }
                _ => match self.listed(order) {
                    Some(listed) => listed,
                    None => {
                        found = of_file.suffix_order(self, order, run)?;
                        &found
                    }
                },
            };
            self.write_order(&chains, entries, &spelled, &mut file, run)?;
        }
        file.write(b"\n\\end\\\n")?;
        file.commit()
    }

    /// Where the contexts of an order's n-grams lie.
    fn chain(&self, order: usize, run: &Run) -> Result<Chain<'_>> {
        // Needed for as long as the file is written, whatever the model may take.
        let room = Room::new(u64::MAX, None);
        match self.stored() {
            Searched::Hashed(tables) => Ok(Chain::Table(&tables[order - 2])),
            Searched::Sorted(orders) => {
                let sorted = &orders[order - 2];
                let values =
                    |slot: usize| (sorted.probabilities.reals()[slot], sorted.backoff(slot));
                Ok(Chain::Pairs(sorted.pairs(&room, run)?, Box::new(values)))
            }
            Searched::Packed(orders) => {
                let packed = &orders[order - 2];
                let mut pairs = room.numbers(2 * packed.len)?;
                let mut found = 0;
                for (pair, ngram) in pairs.pairs_mut().iter_mut().zip(packed.all()) {
                    *pair = [ngram.context, ngram.word];
                    found += 1;
                }
                if found < packed.len {
                    return Err(self.damaged());
                }
                Ok(Chain::Pairs(pairs, Box::new(|slot| packed.of_slot(slot).into())))
            }
        }
    }

    fn write_order(
        &self,
        chains: &[Chain<'_>],
        entries: &[u32],
        spelled: &Spelled,
        file: &mut Output,
        run: &Run,
    ) -> Result<()> {
        let order = chains.len() + 1;
        let blocks: Vec<&[u32]> = entries.chunks(BLOCK).collect();
        let make = |lines: &mut Lines<'_>, block: usize| {
            lines.clear();
            let (words, values) =
                self.read_back(chains, blocks[block]).ok_or_else(|| self.damaged())?;
            for (words, (probability, backoff)) in words.chunks_exact(order).zip(values) {
                let backoff = (order < self.order()).then_some(backoff);
                lines.push(words, probability, backoff);
            }
            Ok(())
        };
        let write = |lines: &mut Lines<'_>, block: usize| {
            file.write(lines.text())?;
            run.advance(blocks[block].len() as u64);
            Ok(())
        };
        in_turns(run, blocks.len(), || Lines::new(spelled), make, write)
    }

    /// The words of n-grams, oldest first, and their values; `None` if one has no such words. All of
    /// them are followed to their contexts together: the memory brings many cells at a time, one after
    /// the other it would take five times as long.
    fn read_back(&self, chains: &[Chain<'_>], entries: &[u32]) -> Option<ReadBack> {
        let order = chains.len() + 1;
        let mut words = vec![0; order * entries.len()];
        let mut values = Vec::with_capacity(entries.len());
        let mut at = entries.to_vec();
        for (m, chain) in (1..order).zip(chains).rev() {
            at.iter().take(AHEAD).for_each(|&slot| chain.fetch(slot));
            for (i, words) in words.chunks_exact_mut(order).enumerate() {
                if let Some(&ahead) = at.get(i + AHEAD) {
                    chain.fetch(ahead);
                }
                if m + 1 == order {
                    values.push(chain.values(at[i])?);
                }
                [at[i], words[m]] = chain.get(at[i])?;
            }
        }
        for (at, words) in at.iter().zip(words.chunks_exact_mut(order)) {
            words[0] = *at;
        }
        let known = self.names().len();
        if words.iter().any(|&word| word as usize >= known) {
            return None;
        }
        if order == 1 {
            let unigrams = self.unigrams();
            values.extend(entries.iter().map(|&word| <(f32, f32)>::from(unigrams[word as usize])));
        }
        Some((words, values))
    }

    pub(crate) fn damaged(&self) -> Error {
        Error::InvalidInput {
            source: "the model".into(),
            offset: None,
            problem: "has an n-gram without its context: its file is damaged".into(),
        }
    }
}

/// What leads from the n-grams of an order to their contexts.
enum Chain<'a> {
    Table(&'a Table),
    /// Context and word of each, and what tells its values.
    Pairs(Numbers, Box<dyn Fn(usize) -> (f32, f32) + Sync + 'a>),
}

impl Chain<'_> {
    #[inline(always)]
    fn fetch(&self, slot: u32) {
        match self {
            Chain::Table(table) => table.fetch_cell(slot),
            Chain::Pairs(pairs, _) => fetch(pairs.pairs(), slot as usize),
        }
    }

    /// Context and word.
    #[inline(always)]
    fn get(&self, slot: u32) -> Option<[u32; 2]> {
        match self {
            Chain::Table(table) => table.get(slot).map(|(context, word, ..)| [context, word]),
            Chain::Pairs(pairs, _) => pairs.pairs().get(slot as usize).copied(),
        }
    }

    #[inline(always)]
    fn values(&self, slot: u32) -> Option<(f32, f32)> {
        match self {
            Chain::Table(table) => table.get(slot).map(|(.., p, backoff)| (p, backoff)),
            Chain::Pairs(_, values) => Some(values(slot as usize)),
        }
    }
}

/// Suffix order found again: by the newest word, then the place of the context in its own order.
#[derive(Default)]
struct OfFile {
    /// Of each place of the order below.
    ranks: Vec<u32>,
}

impl OfFile {
    /// Orders are asked for one after the other, from 2 on.
    fn suffix_order(&mut self, model: &Model, order: usize, run: &Run) -> Result<Vec<u32>> {
        let promised = usize::try_from(model.ngrams()[order - 1]).unwrap_or(usize::MAX);
        let (mut keys, mut slots) = (Vec::new(), 0);
        for ngram in model.placed(order) {
            if keys.len().is_multiple_of(1 << 16) {
                run.check()?;
            }
            let rank = match order {
                2 => ngram.context,
                _ => *self.ranks.get(ngram.context as usize).ok_or_else(|| model.damaged())?,
            };
            slots = ngram.slot as usize + 1;
            keys.push((u64::from(ngram.word) << 32 | u64::from(rank), ngram.slot));
        }
        if keys.len() != promised {
            return Err(model.damaged());
        }
        keys.sort_unstable();
        self.ranks = vec![NO_CELL; slots];
        for (rank, &(_, slot)) in (0..).zip(&keys) {
            self.ranks[slot as usize] = rank;
        }
        Ok(keys.into_iter().map(|(_, slot)| slot).collect())
    }
}

/// A file that is being written, compressed or not.
struct Output {
    file: AtomicFile,
    gzip: Option<GzEncoder<Vec<u8>>>,
}

impl Output {
    fn create(path: &Path) -> Result<Self> {
        let file = AtomicFile::create(path)?;
        let gzip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        let gzip = gzip.then(|| GzEncoder::new(Vec::new(), Compression::default()));
        Ok(Self { file, gzip })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Self { file, gzip: Some(gzip) } = self else { return self.file.write(bytes) };
        gzip.write_all(bytes).map_err(|error| Error::io("write", file.path(), &error))?;
        file.write(gzip.get_ref())?;
        gzip.get_mut().clear();
        Ok(())
    }

    fn commit(self) -> Result<()> {
        let Self { mut file, gzip } = self;
        if let Some(gzip) = gzip {
            let rest = gzip.finish();
            file.write(&rest.map_err(|error| Error::io("write", file.path(), &error))?)?;
        }
        file.commit()
    }
}

/// Words of n-grams, end to end, and for each its log10 probability and back-off.
type ReadBack = (Vec<u32>, Vec<(f32, f32)>);

/// What was read of a file.
struct Taken<'a> {
    path: &'a Path,
    room: &'a Room,
    run: &'a Run,
    /// The highest.
    order: usize,
    /// The words but the special ones, end to end, and where they end.
    words: Vec<u8>,
    ends: Vec<u64>,
    /// By word.
    unigrams: Vec<[f32; 2]>,
    /// Which of the special words the file has.
    seen: [bool; SPECIAL.len()],
    /// Once order 1 is read.
    names: Option<Names>,
    /// N-grams of the order that is being read.
    found: Vec<Entry>,
    tables: Vec<Table>,
    sorted: Vec<Numbers>,
}

impl Take for Taken<'_> {
    fn counts(&mut self, counts: &[u64]) -> Result<()> {
        self.order = counts.len();
        Ok(())
    }

    fn ngram(&mut self, ngram: &Ngram<'_>) -> Result<()> {
        let values = [ngram.probability, ngram.backoff];
        let invalid = |problem| Error::invalid_file(self.path, Some(ngram.offset), problem);
        let Some(names) = &self.names else {
            let word = ngram.words[0];
            let special = SPECIAL.iter().position(|special| special.as_bytes() == word);
            // `<UNK>` is what some tools write.
            let special = special.or((word == b"<UNK>").then_some(UNKNOWN as usize));
            match special {
                Some(special) if self.seen[special] => {
                    return Err(invalid("is an n-gram that comes twice"));
                }
                Some(special) => {
                    self.seen[special] = true;
                    self.unigrams[special] = values;
                }
                None => {
                    self.words.extend_from_slice(word);
                    self.ends.push(self.words.len() as u64);
                    self.unigrams.push(values);
                }
            }
            return Ok(());
        };
        let mut words = [0; arpa::HIGHEST];
        for (number, word) in words.iter_mut().zip(ngram.words) {
            let found = names.find(word).or((*word == b"<UNK>").then_some(UNKNOWN));
            *number = found.ok_or_else(|| invalid("has a word without a unigram"))?;
        }
        let words = &words[..ngram.words.len()];
        let (newest, context) = (words[words.len() - 1], &words[..words.len() - 1]);
        let (Some(context), Some(_)) = (self.find(context), self.find(&words[1..])) else {
            let place = format!("{}, byte {}", self.path.display(), ngram.offset);
            let what = format!(
                "{place}: an n-gram whose words but the newest, or but the oldest, have no n-gram \
of their own, is not supported"
            );
            return Err(Error::Unsupported { what });
        };
        let (hash, context) = context;
        self.found.push(Entry { hash: extend(hash, newest), context, word: newest, values });
        Ok(())
    }

    fn end_of_order(&mut self, order: usize) -> Result<()> {
        let invalid = |problem: String| Error::invalid_file(self.path, None, problem);
        if order == 1 {
            if let Some(missing) = (1..SPECIAL.len()).find(|&special| !self.seen[special]) {
                return Err(invalid(format!("has no unigram `{}`", SPECIAL[missing])));
            }
            let ranges = self.ends.windows(2).map(|ends| ends[0] as usize..ends[1] as usize);
            let words = ranges.map(|range| &self.words[range]);
            let special = SPECIAL.iter().map(|name| name.as_bytes());
            let names = Names::new(special.chain(words))?;
            if names.len() > WORDS {
                let what = format!("{} words are more than 2^30", names.len());
                return Err(Error::Unsupported { what });
            }
            if let Some(twice) =
                (0..names.len() as u32).find(|&word| names.find(names.get(word)) != Some(word))
            {
                let word = String::from_utf8_lossy(names.get(twice)).into_owned();
                return Err(invalid(format!("has the unigram `{word}` twice")));
            }
            (self.words, self.ends) = (Vec::new(), Vec::new());
            self.names = Some(names);
            return Ok(());
        }
        let mut sorted = self.room.unset(self.found.len())?;
        let entries =
            OfOrder { found: &self.found, places: atomic_u32(&mut sorted), path: self.path, order };
        let (highest, run) = (order == self.order, self.run);
        let table = Table::of(&entries, highest, self.room, run, &|_| run.check())?;
        self.found = Vec::new();
        self.tables.push(table);
        self.sorted.push(sorted);
        Ok(())
    }
}

/// N-grams of one order of a file, which hear where they lie.
struct OfOrder<'a> {
    found: &'a [Entry],
    places: &'a [AtomicU32],
    path: &'a Path,
    order: usize,
}

impl Entries for OfOrder<'_> {
    fn len(&self) -> usize {
        self.found.len()
    }

    fn fetch(&self, _: usize) {}

    fn reader(&self) -> impl FnMut(usize) -> Entry {
        |number| self.found[number]
    }

    fn placed(&self, number: usize, _: u64, slot: u32) {
        self.places[number].store(slot, Relaxed);
    }

    fn twice(&self) -> Error {
        let problem = format!("has an n-gram of order {} twice", self.order);
        Error::invalid_file(self.path, None, problem)
    }
}

impl Taken<'_> {
    /// The hash of an n-gram of the orders that were read, and where it lies.
    fn find(&self, words: &[u32]) -> Option<(u64, u32)> {
        let (&first, rest) = words.split_first()?;
        let mut tables = self.tables.iter();
        rest.iter().try_fold((extend(0, first), first), |(hash, context), &word| {
            let hash = extend(hash, word);
            let found = Search(tables.next()?.view(), hash, context, word).found();
            found.is_there().then_some((hash, found.slot))
        })
    }
}
