//! Threads take shares of the words, and so of the places of every order: places sorted by their last
//! words are sorted by the newest first. How many places of a word come after those of a share is the
//! same for all orders, and so is where they go: both are known from pairs of words.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use inlay_base::{Result, Run, Workers, atomic_u64, gather, lock};
use inlay_kernels::fetch;

use crate::levels::{Level, TOLD};
use crate::room::{Numbers, Room};
use crate::text::{BEGIN, END, Part, Text, begin};

/// No n-gram: it would begin before the beginning of its sentence.
const NONE: u32 = u32::MAX;
/// Shares for each thread: they cannot be made equal, as words are not equally frequent.
const SHARES: usize = 4;
/// Places between two questions whether the run goes on.
const STEP: usize = 1 << 15;
/// Places whose words are asked for together.
const TOGETHER: usize = 128;

/// A place of the text, and its n-gram.
type Place = [u32; 2];

/// Ranges of words that have about as many places each.
pub struct Shares(Vec<Range<usize>>);

impl Shares {
    pub fn of(text: &Text, threads: usize) -> Self {
        let (places, words) = (text.len(), text.names.len());
        // What `ends` gives takes no more memory than the text.
        let shares = if threads == 1 { 1 } else { (SHARES * threads).min(places / words).max(1) };
        let cut = |share: usize| {
            let is_before = |&start: &u32| start as usize * shares < places * share;
            text.starts[..words].partition_point(is_before)
        };
        let cuts = (0..shares).map(cut).chain([words]).collect::<Vec<_>>();
        let ranges = cuts.windows(2).map(|cuts| cuts[0]..cuts[1]);
        Self(ranges.filter(|range| !range.is_empty()).collect())
    }

    /// For each share and word, where the first place goes that comes after one of the share, when places are
    /// sorted by their words.
    pub fn ends(&self, text: &Text, sorted: &[Place], room: &Room, run: &Run) -> Result<Numbers> {
        let words = text.names.len();
        let mut ends = room.numbers(self.0.len() * words)?;
        if self.0.len() == 1 {
            ends.copy_from_slice(&text.starts[..words]);
            return Ok(ends);
        }
        let parts: Vec<_> = ends.chunks_exact_mut(words).map(Mutex::new).collect();
        run.each(parts.len(), &|share| {
            let mut ends = lock(&parts[share]);
            let sorted = &sorted[places(text, &self.0[share])];
            for (number, &[place, _]) in sorted.iter().enumerate() {
                if number.is_multiple_of(STEP) {
                    run.check()?;
                }
                if let Some(&[ahead, _]) = sorted.get(number + TOGETHER) {
                    fetch(&text.words, ahead as usize + 1);
                }
                if let Some(&word) = text.words.get(place as usize + 1) {
                    ends[word as usize] += 1;
                }
            }
            if self.0[share].contains(&(END as usize)) {
                ends[text.words[1] as usize] += 1;
            }
            Ok(())
        })?;
        drop(parts);
        begin(&text.starts, ends.chunks_exact_mut(words));
        Ok(ends)
    }

    /// Sorts places by one word more: `next` gets each place with the n-gram that ends before it.
    pub fn extend(
        &self,
        text: &Text,
        sorted: &[Place],
        next: &mut [Place],
        ends: &[u32],
        order: usize,
        run: &Run,
    ) -> Result<()> {
        let next = atomic_u64(bytemuck::cast_slice_mut(next));
        run.each(self.0.len(), &|share| {
            let ends = ends.chunks_exact(text.names.len()).nth(share).expect("as many as shares");
            let words: &[u32] = &text.words;
            let mut walk = Walk { words, next, ends: ends.to_vec(), run, found: Vec::new() };
            let places = places(text, &self.0[share]);
            if !self.0[share].contains(&(END as usize)) {
                return walk.follow(&sorted[places]);
            }
            let before = |word: u32| text.starts[word as usize] as usize;
            walk.follow(&sorted[places.start..before(END)])?;
            // What follows an end is a beginning.
            let context = if order == 2 { BEGIN } else { NONE };
            walk.follow(&[[0, context]])?;
            let last = words.len() as u32 - 1;
            let begins = |&[place, _]: &Place| (place != last).then_some([place, context]);
            for ends in sorted[before(END)..before(END + 1)].chunks(STEP) {
                walk.follow(&ends.iter().filter_map(begins).collect::<Vec<Place>>())?;
            }
            walk.follow(&sorted[before(END + 1)..places.end])
        })
    }

    /// Numbers the n-grams of sorted places: `next` gets them in the place of their contexts.
    pub fn number(
        &self,
        text: &Text,
        sorted: &[Place],
        mut next: &mut [Place],
        below: &Level,
        room: &Room,
        run: &Run,
    ) -> Result<Level> {
        let counted = gather(run, self.0.len(), |share| {
            let places = places(text, &self.0[share]);
            distinct(&sorted[places.clone()], &next[places], run)
        })?;
        let len = counted.iter().sum::<usize>();
        let (mut context, mut counts) = (room.unset(len)?, room.unset(len)?);
        let mut begins = room.unset(below.len + 1)?;
        let mut starts = vec![len as u32; text.starts.len()];
        begins[below.len] = len as u32;
        let (mut contexts, mut counting) = (&mut context[..], &mut counts[..]);
        let (mut beginning, mut starting) = (&mut begins[..below.len], &mut starts[..]);
        let (mut parts, mut first) = (Vec::new(), 0);
        for (range, count) in self.0.iter().zip(counted) {
            let places = places(text, range);
            let suffixes = below.starts[range.start]..below.starts[range.end];
            parts.push(Mutex::new(Numbered {
                places: &text.starts[range.start..=range.end],
                sorted: &sorted[places.clone()],
                next: cut(&mut next, places.len()),
                context: cut(&mut contexts, count),
                counts: cut(&mut counting, count),
                begins: cut(&mut beginning, suffixes.len()),
                starts: cut(&mut starting, range.len()),
                first,
                suffixes: suffixes.start,
            }));
            first += count as u32;
        }
        run.each(parts.len(), &|share| lock(&parts[share]).number(run))?;
        let ends_with_one = parts.last().and_then(|part| lock(part).next.last().copied());
        let is_last = ends_with_one.is_some_and(|[_, ngram]| ngram != NONE);
        drop(parts);
        let last = if is_last { counts.last().copied() } else { None };
        Ok(Level { context, begins, counts, len, starts, tally: [0; TOLD], last })
    }
}

/// Sorts places by their words.
pub fn words(text: &Text, sorted: &mut [Place], run: &Run) -> Result<()> {
    let sorted = atomic_u64(bytemuck::cast_slice_mut(sorted));
    run.each(text.parts.len(), &|part| {
        let Part { places, ends } = &text.parts[part];
        let mut ends = ends.clone();
        for from in places.clone().step_by(STEP) {
            run.check()?;
            let places = from..places.end.min(from + STEP);
            for (place, &word) in (from as u32..).zip(&text.words[places.clone()]) {
                let to = &mut ends[word as usize];
                sorted[*to as usize].store(bytemuck::cast([place, word]), Relaxed);
                *to += 1;
            }
            run.advance(places.len() as u64);
        }
        Ok(())
    })
}

/// The places of a range of words, when all are sorted.
fn places(text: &Text, words: &Range<usize>) -> Range<usize> {
    text.starts[words.start] as usize..text.starts[words.end] as usize
}

/// Takes the first ones of what is left.
fn cut<'a, T>(rest: &mut &'a mut [T], length: usize) -> &'a mut [T] {
    rest.split_off_mut(..length).expect("shares are parts of all")
}

/// A thread that puts places behind those it has come from.
struct Walk<'a> {
    words: &'a [u32],
    next: &'a [AtomicU64],
    /// By word, where its next place goes.
    ends: Vec<u32>,
    run: &'a Run,
    found: Vec<u32>,
}

impl Walk<'_> {
    fn follow(&mut self, places: &[Place]) -> Result<()> {
        let Self { words, next, ends, run, found } = self;
        for places in places.chunks(STEP) {
            run.check()?;
            for block in places.chunks(TOGETHER) {
                // What is met at random is asked for a block ahead: words first, then their places.
                block.iter().for_each(|&[place, _]| fetch(words, place as usize + 1));
                found.clear();
                for &[place, _] in block {
                    let word = words[place as usize + 1];
                    fetch(next, ends[word as usize] as usize);
                    found.push(word);
                }
                for (&[place, context], &word) in block.iter().zip(&*found) {
                    let to = &mut ends[word as usize];
                    next[*to as usize].store(bytemuck::cast([place + 1, context]), Relaxed);
                    *to += 1;
                }
            }
            run.advance(places.len() as u64);
        }
        Ok(())
    }
}

/// What one thread numbers: n-grams that end with a range of words.
struct Numbered<'a> {
    /// By word and one more, where its places begin.
    places: &'a [u32],
    sorted: &'a [Place],
    next: &'a mut [Place],
    context: &'a mut [u32],
    counts: &'a mut [u32],
    begins: &'a mut [u32],
    starts: &'a mut [u32],
    /// The number of its first n-gram.
    first: u32,
    /// That of the first of the order below.
    suffixes: u32,
}

impl Numbered<'_> {
    fn number(&mut self, run: &Run) -> Result<()> {
        let (mut number, mut current, mut times) = (self.first, [NONE, NONE], 0);
        let mut begun = 0;
        for (start, ends) in self.starts.iter_mut().zip(self.places.windows(2)) {
            *start = number;
            let range = (ends[0] - self.places[0]) as usize..(ends[1] - self.places[0]) as usize;
            let blocks =
                self.sorted[range.clone()].chunks(STEP).zip(self.next[range].chunks_mut(STEP));
            for (sorted, next) in blocks {
                run.check()?;
                for (&[_, suffix], [_, before]) in sorted.iter().zip(next) {
                    if *before == NONE {
                        continue;
                    }
                    if current != [suffix, *before] {
                        current = [suffix, *before];
                        if times > 0 {
                            self.counts[(number - self.first) as usize - 1] = times;
                        }
                        let suffixes = (suffix - self.suffixes) as usize + 1;
                        if begun < suffixes {
                            self.begins[begun..suffixes].fill(number);
                            begun = suffixes;
                        }
                        self.context[(number - self.first) as usize] = *before;
                        (number, times) = (number + 1, 0);
                    }
                    times += 1;
                    *before = number - 1;
                }
            }
        }
        if let Some(count) = self.counts.last_mut() {
            *count = times;
        }
        self.begins[begun..].fill(number);
        Ok(())
    }
}

/// How many n-grams `number` will find.
fn distinct(sorted: &[Place], next: &[Place], run: &Run) -> Result<usize> {
    let (mut found, mut current) = (0, [NONE, NONE]);
    for (sorted, next) in sorted.chunks(STEP).zip(next.chunks(STEP)) {
        run.check()?;
        for (&[_, suffix], &[_, before]) in sorted.iter().zip(next) {
            if before != NONE && current != [suffix, before] {
                current = [suffix, before];
                found += 1;
            }
        }
    }
    Ok(found)
}
