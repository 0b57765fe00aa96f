//! Names of rows: many byte strings in one allocation, found by an exact hash index.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::hint;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use inlay_base::{Error, Map, Result};

use crate::Array;
use crate::safetensors::{Dtype, Part, Reader, Tensor};

/// An index cell without a name.
const EMPTY: u32 = u32::MAX;
/// Cells that a search looks at, at most. With at most half of the cells taken, a billion names
/// stay near 110; more means names that collide on purpose, or a damaged file.
const PROBES: usize = 512;
/// Names between two questions whether to go on: a millisecond at most.
const BETWEEN_CHECKS: usize = 4096;
/// Names whose cells are asked for together.
const ABREAST: usize = 32;

/// Fails when whoever asked for the names wants them no longer.
pub type Check<'a> = &'a dyn Fn() -> Result<()>;

/// Names of rows: byte strings, usually UTF-8, any bytes allowed, numbered from 0.
///
/// The strings lie end to end; `offsets` says where each begins and ends; `index` is a hash table
/// with linear probing (capacity a power of two, at most half full, `u32::MAX` for empty). A name
/// that comes twice keeps both rows; `find` gives the first. The table's seed follows from the
/// names, so equal names give equal files, unless they collide too much: then it is random.
#[derive(Debug)]
pub struct Names {
    bytes: Array<u8>,
    offsets: Array<u64>,
    index: Array<u32>,
    seed: u64,
}

/// Where `Names` lie in a file, in bytes.
#[derive(Debug, Clone)]
pub struct NamesPlace {
    /// The strings, end to end.
    pub bytes: Range<usize>,
    /// `u64`, one more than names.
    pub offsets: Range<usize>,
    /// `u32`; a power of two.
    pub index: Range<usize>,
    /// With which the index was made.
    pub seed: u64,
}

/// What the tensors of names are called in a file: a file may hold names of several things.
#[derive(Debug, Clone, Copy)]
pub struct Labels {
    offsets: &'static str,
    seed: &'static str,
    index: &'static str,
    bytes: &'static str,
}

impl Labels {
    /// Names of words: what whoever opens a file looks for.
    pub const VOCABULARY: Self = Self {
        offsets: "vocabulary.offsets",
        seed: "vocabulary.seed",
        index: "vocabulary.index",
        bytes: "vocabulary.bytes",
    };
    /// Names of documents.
    pub const TAGS: Self = Self {
        offsets: "tags.offsets",
        seed: "tags.seed",
        index: "tags.index",
        bytes: "tags.bytes",
    };
}

impl Names {
    /// Copies the names, in their order.
    pub fn new<N: AsRef<[u8]>>(names: impl IntoIterator<Item = N>) -> Result<Self> {
        Self::checked(names, &|| Ok(()))
    }

    /// As `new`, for millions of names: `check` is asked every few thousand whether to go on.
    pub fn checked<N: AsRef<[u8]>>(
        names: impl IntoIterator<Item = N>,
        check: Check<'_>,
    ) -> Result<Self> {
        let (mut bytes, mut offsets) = (Vec::new(), vec![0]);
        for name in names {
            if offsets.len().is_multiple_of(BETWEEN_CHECKS) {
                check()?;
            }
            bytes.extend_from_slice(name.as_ref());
            offsets.push(bytes.len() as u64);
        }
        let named = |problem| invalid(None, problem);
        check_offsets(&offsets, bytes.len()).map_err(named)?;
        Self::indexed(bytes.into(), offsets.into(), check, named)
    }

    /// Takes strings that lie end to end, and where they begin: `offsets` has one value more than
    /// there are names, rising from 0 to the number of bytes.
    pub fn from_parts(bytes: Vec<u8>, offsets: Vec<u64>) -> Result<Self> {
        let named = |problem| invalid(None, problem);
        check_offsets(&offsets, bytes.len()).map_err(named)?;
        Self::indexed(bytes.into(), offsets.into(), &|| Ok(()), named)
    }

    /// Uses names in a mapped file, in place. The offsets and the index are checked.
    pub fn mapped(map: &Arc<Map>, place: NamesPlace) -> Result<Self> {
        let path = map.path();
        let at = |range: &Range<usize>, problem| invalid(Some((path, range.start as u64)), problem);
        let outside = "the vocabulary does not lie inside the file".to_string();
        let bytes = Array::mapped(map, place.bytes.clone())
            .ok_or_else(|| at(&place.bytes, outside.clone()))?;
        let offsets = Array::mapped(map, place.offsets.clone())
            .ok_or_else(|| at(&place.offsets, outside.clone()))?;
        let index: Array<u32> =
            Array::mapped(map, place.index.clone()).ok_or_else(|| at(&place.index, outside))?;
        check_offsets(&offsets, bytes.len()).map_err(|problem| at(&place.offsets, problem))?;
        check_index(&index, offsets.len() - 1).map_err(|problem| at(&place.index, problem))?;
        Ok(Self { bytes, offsets, index, seed: place.seed })
    }

    /// The names that `parts` put into a safetensors file, in place; `None` if it holds none. A
    /// file without the index gets one in memory.
    pub fn read(reader: &Reader) -> Result<Option<Self>> {
        Self::read_as(reader, Labels::VOCABULARY)
    }

    /// As `read`, for names that lie under other labels.
    pub fn read_as(reader: &Reader, labels: Labels) -> Result<Option<Self>> {
        let (Some(bytes), Some(offsets)) =
            (reader.tensor(labels.bytes), reader.tensor(labels.offsets))
        else {
            return Ok(None);
        };
        let map = reader.map();
        let expect = |tensor: &Tensor<'_>, dtype: Dtype, name: &str| {
            if tensor.dtype == dtype && tensor.shape.len() == 1 {
                return Ok(());
            }
            let problem = format!("`{name}` must be a list of {dtype:?}");
            Err(invalid(Some((map.path(), tensor.range.start as u64)), problem))
        };
        expect(&bytes, Dtype::U8, labels.bytes)?;
        expect(&offsets, Dtype::U64, labels.offsets)?;
        let index = reader.tensor(labels.index).zip(reader.tensor(labels.seed));
        if let Some((index, seed)) = index {
            expect(&index, Dtype::U32, labels.index)?;
            expect(&seed, Dtype::U64, labels.seed)?;
            let seed = <[u8; 8]>::try_from(seed.bytes).map_err(|_| {
                let place = Some((map.path(), seed.range.start as u64));
                invalid(place, format!("`{}` must be one number", labels.seed))
            })?;
            let place = NamesPlace {
                bytes: bytes.range,
                offsets: offsets.range,
                index: index.range,
                seed: u64::from_le_bytes(seed),
            };
            return Self::mapped(map, place).map(Some);
        }
        let at = |problem| invalid(Some((map.path(), offsets.range.start as u64)), problem);
        let outside = || at("the vocabulary does not lie inside the file".to_string());
        let strings = Array::mapped(map, bytes.range.clone()).ok_or_else(outside)?;
        let places: Array<u64> = Array::mapped(map, offsets.range.clone()).ok_or_else(outside)?;
        check_offsets(&places, strings.len()).map_err(at)?;
        Self::indexed(strings, places, &|| Ok(()), at).map(Some)
    }

    /// The names as tensors of a file, for `safetensors::save`: `vocabulary.bytes`,
    /// `vocabulary.offsets`, `vocabulary.index` and `vocabulary.seed`.
    pub fn parts(&self) -> Vec<Part<'_>> {
        self.parts_as(Labels::VOCABULARY)
    }

    /// As `parts`, under other labels.
    pub fn parts_as(&self, labels: Labels) -> Vec<Part<'_>> {
        let offsets = bytemuck::cast_slice(&self.offsets);
        let index = bytemuck::cast_slice(&self.index);
        let seed = bytemuck::bytes_of(&self.seed);
        vec![
            Part::bytes(labels.offsets, Dtype::U64, &[self.offsets.len()], offsets),
            Part::bytes(labels.seed, Dtype::U64, &[1], seed),
            Part::bytes(labels.index, Dtype::U32, &[self.index.len()], index),
            Part::bytes(labels.bytes, Dtype::U8, &[self.bytes.len()], &self.bytes),
        ]
    }

    /// How many names there are, doubles included.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A name by its number.
    ///
    /// # Panics
    /// If there is no such name.
    #[inline]
    pub fn get(&self, name: u32) -> &[u8] {
        string(&self.bytes, &self.offsets, name)
    }

    /// The number of a name, the first if it comes twice.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<u32> {
        let (index, offsets, bytes) = (&*self.index, &*self.offsets, &*self.bytes);
        let mask = index.len() - 1;
        let mut cell = hash(self.seed, name) as usize & mask;
        for _ in 0..PROBES {
            let candidate = index[cell];
            if candidate == EMPTY {
                return None;
            }
            if string(bytes, offsets, candidate) == name {
                return Some(candidate);
            }
            cell = (cell + 1) & mask;
        }
        None
    }

    /// All names in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let (bytes, offsets) = (&*self.bytes, &*self.offsets);
        (0..self.len()).map(|name| string(bytes, offsets, name as u32))
    }

    /// The strings, end to end.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where each string begins, and the end of the last.
    pub fn offsets(&self) -> &[u64] {
        &self.offsets
    }

    /// The hash table.
    pub fn index(&self) -> &[u32] {
        &self.index
    }

    /// The seed of the hash table.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    fn indexed(
        bytes: Array<u8>,
        offsets: Array<u64>,
        check: Check<'_>,
        invalid: impl Fn(String) -> Error,
    ) -> Result<Self> {
        let names = offsets.len() - 1;
        let natural = hash(names as u64, &bytes);
        // Random seeds only where the natural one was foreseen by whoever made the names.
        let seeds = std::iter::once(natural)
            .chain((0..8).map(|attempt: u32| RandomState::new().hash_one(attempt)));
        for seed in seeds {
            if let Some(index) = build(&bytes, &offsets, seed, check)? {
                return Ok(Self { bytes, offsets, index: index.into(), seed });
            }
        }
        Err(invalid(format!("the {names} names collide in the index whatever its seed")))
    }
}

fn string<'a>(bytes: &'a [u8], offsets: &[u64], name: u32) -> &'a [u8] {
    let name = name as usize;
    &bytes[offsets[name] as usize..offsets[name + 1] as usize]
}

/// The hash table; `None` if names collide too much with this seed.
fn build(bytes: &[u8], offsets: &[u64], seed: u64, check: Check<'_>) -> Result<Option<Vec<u32>>> {
    let names = offsets.len() - 1;
    let capacity = (2 * names).next_power_of_two().max(8);
    let mask = capacity - 1;
    let mut index = vec![EMPTY; capacity];
    let mut hashes = Vec::with_capacity(names);
    for first in (0..names).step_by(BETWEEN_CHECKS) {
        check()?;
        let block = first as u32..names.min(first + BETWEEN_CHECKS) as u32;
        hashes.extend(block.clone().map(|name| hash(seed, string(bytes, offsets, name))));
        for few in block.step_by(ABREAST).map(|name| name as usize) {
            let few = few..hashes.len().min(few + ABREAST);
            // All cells come from memory at the same time.
            let touched =
                hashes[few.clone()].iter().fold(0, |sum, &hash| sum ^ index[hash as usize & mask]);
            hint::black_box(touched);
            for name in few {
                if !insert(&mut index, name as u32, &hashes, |other| {
                    string(bytes, offsets, other) == string(bytes, offsets, name as u32)
                }) {
                    return Ok(None);
                }
            }
        }
    }
    Ok(Some(index))
}

/// Takes a name into the table, if no equal one is there; `false` if too many others are in its way.
fn insert(index: &mut [u32], name: u32, hashes: &[u64], is_equal: impl Fn(u32) -> bool) -> bool {
    let mask = index.len() - 1;
    let own = hashes[name as usize];
    for probe in 0..PROBES {
        let cell = &mut index[(own as usize).wrapping_add(probe) & mask];
        if *cell == EMPTY {
            *cell = name;
            return true;
        }
        // Strings lie anywhere: those whose hash is another are not looked at.
        if hashes[*cell as usize] == own && is_equal(*cell) {
            return true;
        }
    }
    false
}

fn check_offsets(offsets: &[u64], bytes: usize) -> std::result::Result<(), String> {
    let (Some(0), Some(&last)) = (offsets.first().copied(), offsets.last()) else {
        return Err("the offsets of the names must begin with 0".into());
    };
    if offsets.len() > EMPTY as usize {
        return Err(format!("{} names are more than can be numbered", offsets.len() - 1));
    }
    // Without an early end the loop is vectorised: a million offsets in half a millisecond.
    let falls = offsets.iter().zip(&offsets[1..]).fold(false, |falls, (a, b)| falls | (a > b));
    if falls {
        return Err("the offsets of the names must rise".into());
    }
    if last != bytes as u64 {
        return Err(format!("the names end at {last}, their bytes at {bytes}"));
    }
    Ok(())
}

fn check_index(index: &[u32], names: usize) -> std::result::Result<(), String> {
    if !index.len().is_power_of_two() || index.len() <= names {
        return Err(format!(
            "the index has {} cells, not a power of two above the {names} names",
            index.len()
        ));
    }
    let wrong = index
        .iter()
        .fold(false, |wrong, &name| wrong | ((name != EMPTY) & (name as usize >= names)));
    if wrong { Err(format!("the index points beyond the {names} names")) } else { Ok(()) }
}

fn invalid(place: Option<(&Path, u64)>, problem: impl Into<String>) -> Error {
    match place {
        Some((path, offset)) => Error::invalid_file(path, Some(offset), problem),
        None => Error::InvalidInput {
            source: "vocabulary".into(),
            offset: None,
            problem: problem.into(),
        },
    }
}

/// A seeded hash by folded 64 x 64 bit products, eight bytes at a time. It is part of the file
/// format: the index in a file was made with it.
#[inline]
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    const LENGTH: u64 = 0x9E37_79B9_7F4A_7C15;
    const WORD: u64 = 0xD6E8_FEB8_6659_FD93;
    const LAST: u64 = 0xA076_1D64_78BD_642F;
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        product as u64 ^ (product >> 64) as u64
    };
    let mut state = fold(seed ^ LENGTH, WORD) ^ (bytes.len() as u64).wrapping_mul(LENGTH);
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        state = fold(state ^ u64::from_le_bytes(word.try_into().expect("eight bytes")), WORD);
    }
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    fold(fold(state ^ u64::from_le_bytes(last), LAST) ^ seed, WORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        let names: Vec<String> = (0..10_000).map(|i| format!("word{i}")).collect();
        let table = Names::new(&names).unwrap();
        assert_eq!(table.len(), names.len());
        for (number, name) in names.iter().enumerate() {
            assert_eq!(table.find(name.as_bytes()), Some(number as u32));
            assert_eq!(table.get(number as u32), name.as_bytes());
        }
        for other in ["", "word", "word10000", "word1 ", "\0"] {
            assert_eq!(table.find(other.as_bytes()), None, "{other:?}");
        }
    }

    #[test]
    fn any_bytes_are_a_name_and_the_first_of_two_is_found() {
        let names: [&[u8]; 8] =
            [b"", b"__proto__", b"New York", b"\xff\xfe", b"a\0", b"a", b"a", b"constructor"];
        let table = Names::new(names).unwrap();
        for (number, name) in names.iter().enumerate() {
            let expected = if number == 6 { 5 } else { number as u32 };
            assert_eq!(table.find(name), Some(expected));
        }
        assert!(table.iter().eq(names));
    }

    #[test]
    fn no_names_at_all_are_fine() {
        let table = Names::new::<&[u8]>([]).unwrap();
        assert!(table.is_empty() && table.find(b"").is_none());
    }

    #[test]
    fn equal_names_make_equal_tables() {
        let make = || Names::new(["a", "b", "c"]).unwrap();
        assert_eq!((make().seed(), make().index()), (make().seed(), make().index()));
    }

    #[test]
    fn offsets_that_fall_or_do_not_fit_are_refused() {
        for offsets in [vec![], vec![1, 3], vec![0, 2, 1, 3], vec![0, 2], vec![0, u64::MAX]] {
            let outcome = Names::from_parts(b"abc".to_vec(), offsets.clone());
            assert!(matches!(outcome, Err(Error::InvalidInput { .. })), "{offsets:?}");
        }
    }

    #[test]
    fn chains_stay_short_for_names_that_differ_in_one_bit() {
        let names: Vec<[u8; 16]> = (0u64..1 << 16)
            .map(|i| {
                let mut name = [0; 16];
                name[..8].copy_from_slice(&(i << 40).to_le_bytes());
                name
            })
            .collect();
        let table = Names::new(&names).unwrap();
        let mut longest = 0;
        let mut chain = 0;
        for &cell in table.index() {
            chain = if cell == EMPTY { 0 } else { chain + 1 };
            longest = longest.max(chain);
        }
        assert!(longest < 128, "a run of {longest} cells in a table half full");
    }
}
