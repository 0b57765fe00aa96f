use std::sync::Arc;

use inlay_base::Result;

use super::field::{Fields, Put};
use crate::Names;

/// Bytes of an entry without its word.
pub(super) const ENTRY: usize = 10;

/// The words and labels of a model.
#[derive(Debug)]
pub struct Dictionary {
    /// All words, then all labels, as the text had them.
    pub names: Arc<Names>,
    /// How often each occurred.
    pub counts: Vec<u64>,
    /// How many of the names are words.
    pub words: usize,
    /// Words and labels in the text, those that were dropped too.
    pub tokens: u64,
    /// Which buckets pruning has left, and their rows, counted after those of the words; `None` for
    /// a model that was not pruned and has all.
    pub pruned: Option<Vec<(u32, u32)>>,
}

impl Dictionary {
    /// How many of the names are labels.
    pub fn labels(&self) -> usize {
        self.names.len() - self.words
    }

    pub(super) fn read(fields: &mut Fields<'_>, can_be_pruned: bool) -> Result<Self> {
        let at = fields.at();
        let entries = fields.count("the number of entries")?;
        let words = fields.count("the number of words")?;
        let labels = fields.count("the number of labels")?;
        if words.checked_add(labels) != Some(entries) {
            let problem = format!("{words} words and {labels} labels are not {entries} entries");
            return Err(fields.invalid(at, problem));
        }
        let tokens = fields.long_count("the number of tokens")? as u64;
        let pruned = if can_be_pruned { fields.i64("the number of pruned buckets")? } else { -1 };
        if entries.checked_mul(ENTRY).is_none_or(|least| least > fields.left()) {
            let problem =
                format!("{entries} entries are promised, {} bytes are left", fields.left());
            return Err(fields.invalid(at, problem));
        }
        let (mut bytes, mut offsets) = (Vec::new(), Vec::with_capacity(entries + 1));
        offsets.push(0);
        let mut counts = Vec::with_capacity(entries);
        for entry in 0..entries {
            let rest = &fields.map()[fields.at()..];
            let length = rest.iter().position(|&byte| byte == 0);
            let word = fields.range(length.map(|length| length + 1), "a word")?;
            bytes.extend_from_slice(&fields.map()[word.start..word.end - 1]);
            offsets.push(bytes.len() as u64);
            counts.push(fields.long_count("the count of a word")? as u64);
            let at = fields.at();
            if fields.flag("whether an entry is a label")? != (entry >= words) {
                let problem = format!("entry {entry}: the {words} words come before the labels");
                return Err(fields.invalid(at, problem));
            }
        }
        let names = Names::from_parts(bytes, offsets).map_err(|error| {
            fields.invalid(at, format!("the words cannot be told apart: {error}"))
        })?;
        let pruned = match usize::try_from(pruned) {
            Ok(pairs) => Some(read_pairs(fields, pairs)?),
            Err(_) => None,
        };
        Ok(Self { names: Arc::new(names), counts, words, tokens, pruned })
    }

    pub(super) fn write(&self, put: &mut Put) {
        put.count(self.names.len());
        put.count(self.words);
        put.count(self.labels());
        put.i64(self.tokens.cast_signed());
        put.i64(self.pruned.as_ref().map_or(-1, |pairs| pairs.len() as i64));
        for (entry, (name, count)) in self.names.iter().zip(&self.counts).enumerate() {
            put.bytes(name);
            put.bytes(&[0]);
            put.i64(count.cast_signed());
            put.flag(entry >= self.words);
        }
        for &(bucket, row) in self.pruned.iter().flatten() {
            put.u32(bucket);
            put.u32(row);
        }
    }
}

fn read_pairs(fields: &mut Fields<'_>, pairs: usize) -> Result<Vec<(u32, u32)>> {
    let at = fields.at();
    let range = fields.range(pairs.checked_mul(8), "the pruned buckets")?;
    let number = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let pairs: Vec<_> = fields.map()[range]
        .chunks_exact(8)
        .map(|pair| (number(pair), number(&pair[4..])))
        .collect();
    match pairs.iter().position(|&(bucket, row)| bucket.cast_signed().min(row.cast_signed()) < 0) {
        Some(pair) => Err(fields.invalid(at + 8 * pair, "a bucket or row below zero")),
        None => Ok(pairs),
    }
}
