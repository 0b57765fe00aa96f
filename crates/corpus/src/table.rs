//! Words to numbers with counts: a hash table for one thread, built for texts, where a few thousand
//! words make up most of what is read.
//!
//! - A slot is four bytes, the number of a word, so that the slots of frequent words stay in the
//!   cache. Words are numbered as they come, so frequent ones lie together as well.
//! - A word of up to 16 bytes lies in its entry and is compared there; the rest of a longer one is
//!   behind in `long`. Bytes are compared always: a hash decides nothing.
//! - Words come in batches: first all hashes, then all slots, then all entries, so that the waits
//!   for memory of one batch overlap. Only a word that is not at its first place takes turns.

use std::hash::{BuildHasher, RandomState};

use bytemuck::{Pod, Zeroable};
use inlay_base::Run;

/// Bytes that may be read, not used, behind the end of a word.
pub const OVERHANG: usize = 16;

/// Words that are looked up together.
pub const BATCH: usize = 32;

/// The longest word that lies in its entry whole.
const SHORT: usize = 16;

/// The most words of a table; numbers above have other meanings.
const LIMIT: usize = 1 << 31;

/// What makes hashes unforeseeable: who writes a text cannot make its words collide.
#[derive(Debug, Clone, Copy)]
pub struct Seed(pub u64, pub u64);

impl Seed {
    /// From the system's randomness.
    pub fn random() -> Self {
        let random = || RandomState::new().hash_one(0u64);
        Self(random(), random() | 1)
    }
}

/// One word. Number 0 is no word: an empty slot leads to it and nothing equals it.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Entry {
    /// The word's first 16 bytes, then zeros; for a longer word its first eight and its place.
    key: [u64; 2],
    count: u64,
    length: u32,
    /// The hash: its upper bits are the slot.
    tag: u32,
}

/// The length of no entry: entry 0 has it.
const NO_WORD: u32 = u32::MAX;
/// The length of no entry: a long word has it while the short ones are looked up.
const NOT_SHORT: u32 = u32::MAX - 1;

/// See the module.
pub struct Table<'a> {
    run: &'a Run,
    seed: Seed,
    /// Numbers of words, 0 for none; never more than half full.
    slots: Vec<u32>,
    entries: Vec<Entry>,
    long: Vec<u8>,
    full: bool,
}

impl<'a> Table<'a> {
    /// No words yet. Once the run is stopped, whatever is added may get any number.
    pub fn new(seed: Seed, run: &'a Run) -> Self {
        let none = Entry { key: [0; 2], count: 0, length: NO_WORD, tag: 0 };
        let slots = vec![0; 1 << 14];
        Self { run, seed, slots, entries: vec![none], long: Vec::new(), full: false }
    }

    /// One more than the greatest number of a word; words are numbered from 1.
    pub fn end(&self) -> u32 {
        self.entries.len() as u32
    }

    /// Whether there were more different words than numbers; those beyond got number 0.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// How often a word was added.
    pub fn count(&self, word: u32) -> u64 {
        self.entries[word as usize].count
    }

    /// The hash of a word, the same in every table of the same seed.
    pub fn tag(&self, word: u32) -> u32 {
        self.entries[word as usize].tag
    }

    /// The bytes of a word.
    pub fn bytes(&self, word: u32) -> &[u8] {
        let entry = &self.entries[word as usize];
        let length = entry.length as usize;
        if length <= SHORT {
            &bytemuck::bytes_of(&entry.key)[..length]
        } else {
            let place = entry.key[1] as usize;
            &self.long[place..place + length]
        }
    }

    /// Adds the words that start at `starts` of `text` and have these lengths, at most `BATCH`,
    /// and appends their numbers. Behind each word `text` has `OVERHANG` bytes more.
    #[inline]
    pub fn add(&mut self, text: &[u8], starts: &[usize], lengths: &[u32], numbers: &mut Vec<u32>) {
        let count = starts.len();
        assert!(count <= BATCH && lengths.len() == count);
        let mut keys = [[0u64; 2]; BATCH];
        let mut tags = [0u32; BATCH];
        let mut found = [0u32; BATCH];
        for (((&start, &length), key), tag) in
            starts.iter().zip(lengths).zip(&mut keys).zip(&mut tags)
        {
            let word = &text[start..start + OVERHANG];
            *key = masked(word, length as usize);
            *tag = if length as usize <= SHORT {
                self.seed.hash_short(*key, length)
            } else {
                self.seed.hash_long(&text[start..start + length as usize])
            };
        }
        let shift = self.shift();
        for (slot, &tag) in found.iter_mut().zip(&tags).take(count) {
            *slot = self.slots[(tag >> shift) as usize];
        }
        for (at, slot) in found.iter_mut().enumerate().take(count) {
            let length = if lengths[at] as usize <= SHORT { lengths[at] } else { NOT_SHORT };
            let entry = &mut self.entries[*slot as usize];
            if entry.key == keys[at] && entry.length == length {
                entry.count += 1;
            } else {
                let word = &text[starts[at]..starts[at] + lengths[at] as usize];
                *slot = self.number(word, keys[at], tags[at]);
                self.entries[*slot as usize].count += 1;
            }
        }
        numbers.extend_from_slice(&found[..count]);
    }

    /// Adds a word `times` times and returns its number.
    pub fn add_times(&mut self, word: &[u8], times: u64) -> u32 {
        let mut start = [0; OVERHANG];
        let shown = word.len().min(OVERHANG);
        start[..shown].copy_from_slice(&word[..shown]);
        let key = masked(&start, word.len());
        let tag = match word.len() {
            0..=SHORT => self.seed.hash_short(key, word.len() as u32),
            _ => self.seed.hash_long(word),
        };
        let number = self.number(word, key, tag);
        self.entries[number as usize].count += times;
        number
    }

    fn shift(&self) -> u32 {
        32 - self.slots.len().trailing_zeros()
    }

    /// Finds a word wherever it is; a new one gets the next number.
    #[inline(never)]
    fn number(&mut self, word: &[u8], key: [u64; 2], tag: u32) -> u32 {
        let mask = self.slots.len() - 1;
        let mut place = (tag >> self.shift()) as usize;
        loop {
            let slot = self.slots[place];
            if slot == 0 {
                return self.insert(place, word, key, tag);
            }
            let entry = &self.entries[slot as usize];
            if entry.tag == tag && self.bytes(slot) == word {
                return slot;
            }
            place = (place + 1) & mask;
        }
    }

    fn insert(&mut self, place: usize, word: &[u8], key: [u64; 2], tag: u32) -> u32 {
        if self.entries.len() >= LIMIT {
            self.full = true;
            return 0;
        }
        let number = self.entries.len() as u32;
        let mut entry = Entry { key, count: 0, length: word.len() as u32, tag };
        if word.len() > SHORT {
            entry.key[1] = self.long.len() as u64;
            self.long.extend_from_slice(word);
        }
        self.entries.push(entry);
        self.slots[place] = number;
        if self.entries.len() * 2 > self.slots.len() {
            self.grow();
        }
        number
    }

    /// Twice the slots. Words return in the order they came, so that early ones, which tend to be
    /// frequent, are at their first place.
    fn grow(&mut self) {
        let length = self.slots.len() * 2;
        self.slots = Vec::new(); // before the new ones: both at once would be half as much again
        self.slots = vec![0; length];
        let (shift, mask) = (self.shift(), length - 1);
        for (number, entry) in self.entries.iter().enumerate().skip(1) {
            if number.is_multiple_of(1 << 16) && self.run.stopped() {
                return; // ten million words take a tenth of a second
            }
            let mut place = (entry.tag >> shift) as usize;
            while self.slots[place] != 0 {
                place = (place + 1) & mask;
            }
            self.slots[place] = number as u32;
        }
    }
}

/// The first 16 bytes, or `length` if that is less, then zeros.
#[inline(always)]
fn masked(bytes: &[u8], length: usize) -> [u64; 2] {
    const MASKS: [[u64; 2]; SHORT + 1] = {
        let mut masks = [[u64::MAX; 2]; SHORT + 1];
        let mut length = 0;
        while length < SHORT {
            let ones = (1u128 << (8 * length)) - 1;
            masks[length] = [ones as u64, (ones >> 64) as u64];
            length += 1;
        }
        masks
    };
    let [low, high] = MASKS[length.min(SHORT)];
    [eight(&bytes[..8]) & low, eight(&bytes[8..16]) & high]
}

#[inline(always)]
fn eight(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}

/// Both halves of a 64 x 64 bit product in one.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

impl Seed {
    #[inline(always)]
    fn hash_short(self, key: [u64; 2], length: u32) -> u32 {
        let length = u64::from(length) << 56;
        (fold(key[0] ^ self.0, key[1] ^ self.1 ^ length) >> 32) as u32
    }

    /// For more than 16 bytes; the last 16 overlap those before.
    #[inline(never)]
    fn hash_long(self, word: &[u8]) -> u32 {
        let mut state = self.0 ^ word.len() as u64;
        let last = &word[word.len() - 16..];
        for chunk in word.chunks_exact(16).chain([last]) {
            state = fold(state ^ eight(&chunk[..8]), self.1 ^ eight(&chunk[8..]))
                .wrapping_add(self.0.rotate_left(17));
        }
        (state >> 32) as u32
    }
}
