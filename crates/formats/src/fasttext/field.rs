//! The fields of a file one after the other, each checked against what is left of it.

use std::ops::Range;
use std::sync::Arc;

use inlay_base::{Error, Map, Result};

/// Where a reader stands in a file.
pub struct Fields<'a> {
    map: &'a Arc<Map>,
    at: usize,
}

impl<'a> Fields<'a> {
    pub fn new(map: &'a Arc<Map>) -> Self {
        Self { map, at: 0 }
    }

    pub fn map(&self) -> &'a Arc<Map> {
        self.map
    }

    /// The byte that is read next.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Bytes that have not been read.
    pub fn left(&self) -> usize {
        self.map.len() - self.at
    }

    /// Something wrong at a byte of this file.
    pub fn invalid(&self, at: usize, problem: impl Into<String>) -> Error {
        Error::invalid_file(self.map.path(), Some(at as u64), problem)
    }

    /// The place of the next bytes. A length of `None` is one that no memory could hold.
    pub fn range(&mut self, length: Option<usize>, what: &str) -> Result<Range<usize>> {
        match length.filter(|&length| length <= self.left()) {
            Some(length) => {
                self.at += length;
                Ok(self.at - length..self.at)
            }
            None => {
                let wanted = length.map_or("too many".into(), |length| length.to_string());
                let left = self.left();
                let problem =
                    format!("{what} should have {wanted} bytes here, the file has {left} left");
                Err(self.invalid(self.at, problem))
            }
        }
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let range = self.range(Some(N), what)?;
        let mut array = [0; N];
        array.copy_from_slice(&self.map[range]);
        Ok(array)
    }

    pub fn i32(&mut self, what: &str) -> Result<i32> {
        self.array(what).map(i32::from_le_bytes)
    }

    pub fn i64(&mut self, what: &str) -> Result<i64> {
        self.array(what).map(i64::from_le_bytes)
    }

    pub fn f64(&mut self, what: &str) -> Result<f64> {
        self.array(what).map(f64::from_le_bytes)
    }

    /// Four bytes that must not be negative.
    pub fn u32(&mut self, what: &str) -> Result<u32> {
        let at = self.at;
        let value = self.i32(what)?;
        u32::try_from(value).map_err(|_| self.negative(at, what, value.into()))
    }

    /// As `u32`: how many there are of something.
    pub fn count(&mut self, what: &str) -> Result<usize> {
        self.u32(what).map(|count| count as usize)
    }

    /// As `count`, of eight bytes.
    pub fn long_count(&mut self, what: &str) -> Result<usize> {
        let at = self.at;
        let value = self.i64(what)?;
        usize::try_from(value).map_err(|_| self.negative(at, what, value))
    }

    fn negative(&self, at: usize, what: &str, value: i64) -> Error {
        self.invalid(at, format!("{what} cannot be {value}"))
    }

    pub fn flag(&mut self, what: &str) -> Result<bool> {
        let at = self.at;
        match self.array(what)? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(self.invalid(at, format!("{what}: 0 or 1, not {other}"))),
        }
    }

    /// One of several, numbered from `first`.
    pub fn choice<T: Copy>(&mut self, what: &str, first: i32, choices: &[T]) -> Result<T> {
        let at = self.at;
        let number = self.i32(what)?;
        let place = number.checked_sub(first).and_then(|place| usize::try_from(place).ok());
        let choice = place.and_then(|place| choices.get(place).copied());
        choice.ok_or_else(|| self.invalid(at, format!("{what} cannot be {number}")))
    }
}

/// Bytes to be written.
#[derive(Default)]
pub struct Put(Vec<u8>);

impl Put {
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub fn i32(&mut self, value: i32) {
        self.bytes(&value.to_le_bytes());
    }

    pub fn i64(&mut self, value: i64) {
        self.bytes(&value.to_le_bytes());
    }

    /// # Panics
    /// If the format's numbers do not reach it; `write` has looked.
    pub fn u32(&mut self, value: u32) {
        self.i32(i32::try_from(value).expect("below 2^31"));
    }

    /// # Panics
    /// As `u32`.
    pub fn count(&mut self, value: usize) {
        self.i32(i32::try_from(value).expect("below 2^31"));
    }

    pub fn flag(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}
