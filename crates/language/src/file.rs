//! Model files: a safetensors file that is mapped when it is opened, with tables or packed.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use inlay_base::{Error, Result, Run};
use inlay_formats::safetensors::{self, Dtype, Kind, Part, Reader, Writer};
use inlay_formats::{Array, Names, arpa};

use crate::indexed::Maker;
use crate::model::{About, Indexed, Model, Orders, Searched, Unigrams};
use crate::packed::{Packed, Parts, Tensors, Unpacked};
use crate::sorted::Sorted;
use crate::table::{NO_CELL, Table, WORDS, lines_for};
use crate::text::SPECIAL;

const KIND: Kind =
    Kind { name: "n-gram language model", what: "an n-gram language model", version: 2 };
/// Bytes that are written at once.
const BLOCK: usize = 1 << 18;
/// Bits of a value that is quantized.
const QUANTIZED: std::ops::RangeInclusive<u32> = 2..=16;

/// Values of a file and their form.
struct Written<'a> {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: &'a [u8],
}

impl<'a> Written<'a> {
    fn wide(name: String, lines: &'a [u64], width: usize) -> Self {
        let shape = if width == 1 { vec![lines.len()] } else { vec![lines.len() / width, width] };
        Self { name, dtype: Dtype::U64, shape, bytes: bytemuck::cast_slice(lines) }
    }

    fn reals(name: String, values: &'a [f32]) -> Self {
        let bytes = bytemuck::cast_slice(values);
        Self { name, dtype: Dtype::F32, shape: vec![values.len()], bytes }
    }
}

impl Model {
    /// Writes a file that `open` reads: with `quantization` one of packed n-grams whose values have so many
    /// bits, else one of tables. Phases "index" in n-grams, where they are packed, and "write" in
    /// bytes.
    ///
    /// # Errors
    /// `InvalidInput`: a model that was quantized already; `DiskFull`, `Io`, `OutOfMemory`, `Aborted`.
    ///
    /// # Panics
    /// If `quantization` is not from 2 to 16.
    pub fn save(&self, path: &Path, quantization: Option<u32>, run: &Run) -> Result<()> {
        assert!(quantization.is_none_or(|bits| QUANTIZED.contains(&bits)), "2 to 16 bits");
        let packed;
        let orders = match (self.stored(), quantization) {
            (Searched::Packed(orders), None) => Searched::Packed(orders),
            (Searched::Packed(_), Some(_)) => {
                return Err(Error::InvalidInput {
                    source: "the model".into(),
                    offset: None,
                    problem: "is quantized already: quantize the one that it was made of".into(),
                });
            }
            (_, Some(bits)) => {
                packed = self.pack(bits, run)?;
                Searched::Packed(&packed)
            }
            (_, None) => self.searched(),
        };
        let about =
            About { quantization: quantization.or(self.about.quantization), ..self.about.clone() };
        let mut written = written(&orders);
        let unigrams = Written {
            name: "unigrams".into(),
            dtype: Dtype::F32,
            shape: vec![self.unigrams().len(), 2],
            bytes: bytemuck::cast_slice(self.unigrams()),
        };
        if let (Orders::Sorted(indexed), Searched::Sorted(_)) = (&self.orders, &orders) {
            return self.save_tables(path, &about, indexed, &unigrams, run);
        }
        // Tables come first: their lines are lines of the cache if they begin as the file's data do.
        written.push(unigrams);
        let all = written.iter().map(|written| written.bytes.len() as u64).sum();
        run.phase("write", "bytes", 0, Some(all));
        let mut parts: Vec<Part<'_>> = written.iter().map(|written| part(written, run)).collect();
        parts.extend(self.names().parts());
        let (key, header) = KIND.entry(&about)?;
        safetensors::save(path, &[(key, &header)], parts)
    }

    /// Each table is made, written and gone, in the memory of the one before.
    fn save_tables(
        &self,
        path: &Path,
        about: &About,
        indexed: &Indexed,
        unigrams: &Written<'_>,
        run: &Run,
    ) -> Result<()> {
        let Indexed { orders, room, .. } = indexed;
        let lines =
            |(order, sorted): (usize, &Sorted)| lines_for(sorted.len, order == self.order());
        let lines = (2..).zip(orders).map(lines).collect::<Result<Vec<usize>>>()?;
        let all = 64 * lines.iter().sum::<usize>() + unigrams.bytes.len();
        run.phase("write", "bytes", 0, Some(all as u64));
        let most = lines.iter().max().copied().unwrap_or(0);
        drop(room.open().unset(16 * most)?);
        let maker = RefCell::new(Maker::new(orders, room, run));
        let names: Vec<String> =
            (2..=self.order()).map(|order| format!("ngrams.{order}")).collect();
        let mut parts: Vec<Part<'_>> = Vec::new();
        for (name, &lines) in names.iter().zip(&lines) {
            let maker = &maker;
            parts.push(Part::streamed(name, Dtype::U64, &[lines, 8], move |writer| {
                let table = maker.borrow_mut().next(&|_| run.check())?;
                write(writer, bytemuck::cast_slice(table.lines()), run)
            }));
        }
        parts.push(part(unigrams, run));
        parts.extend(self.names().parts());
        let (key, header) = KIND.entry(about)?;
        let saved = safetensors::save(path, &[(key, &header)], parts);
        drop(maker);
        room.close();
        saved
    }

    /// The n-grams by context and word, their values in 2^bits bins. Phase "index" in n-grams.
    fn pack(&self, bits: u32, run: &Run) -> Result<Vec<Packed>> {
        run.phase("index", "n-grams", 0, Some(self.ngrams()[1..].iter().sum()));
        let vocabulary = self.names().len();
        let (mut below, mut contexts) = (None::<Vec<u32>>, vocabulary);
        let mut packed = Vec::new();
        for order in 2..=self.order() {
            let highest = order == self.order();
            let mut placed = Vec::new();
            let mut slots = 0;
            for ngram in self.placed(order) {
                if placed.len().is_multiple_of(1 << 16) {
                    run.check()?;
                }
                let context = match &below {
                    None => Some(ngram.context),
                    Some(numbers) => numbers.get(ngram.context as usize).copied(),
                };
                let context = context.filter(|&context| (context as usize) < contexts);
                let context = context.filter(|_| (ngram.word as usize) < vocabulary);
                let context = context.ok_or_else(|| self.damaged())?;
                let [probability, backoff] = ngram.values;
                let unpacked = Unpacked { context, word: ngram.word, probability, backoff };
                slots = ngram.slot as usize + 1;
                placed.push((unpacked, ngram.slot));
            }
            if placed.len() as u64 != self.ngrams()[order - 1]
                || placed
                    .iter()
                    .any(|(ngram, _)| ngram.probability.is_nan() | ngram.backoff.is_nan())
            {
                return Err(self.damaged());
            }
            run.check()?;
            placed.sort_unstable_by_key(|(ngram, _)| {
                u64::from(ngram.context) << 32 | u64::from(ngram.word)
            });
            run.check()?;
            let mut numbers = vec![NO_CELL; slots];
            for (number, &(_, slot)) in (0..).zip(&placed) {
                numbers[slot as usize] = number;
            }
            let ngrams: Vec<Unpacked> = placed.into_iter().map(|(ngram, _)| ngram).collect();
            packed.push(Packed::of(&ngrams, contexts, vocabulary, bits, highest, run)?);
            run.advance(ngrams.len() as u64);
            (below, contexts) = (Some(numbers), ngrams.len());
        }
        Ok(packed)
    }

    /// Opens a file that `save` wrote. It is mapped, not read.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput`: the file is no n-gram language model, or damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let damaged = |problem: &str| Error::invalid_file(path, None, problem);
        let about: About = KIND.read(&reader, path)?;
        let names = Names::read(&reader)?.ok_or_else(|| damaged("has no vocabulary"))?;
        let special = |(number, name): (u32, &&str)| {
            names.len() > number as usize && names.get(number) == name.as_bytes()
        };
        if !(0..).zip(&SPECIAL).all(special) || names.len() > WORDS {
            return Err(damaged("does not begin its vocabulary with <unk>, <s>, </s>"));
        }
        let order = about.ngrams.len();
        if !(1..=arpa::HIGHEST).contains(&order) || about.ngrams[0] != names.len() as u64 {
            return Err(damaged("does not say how many n-grams it has"));
        }
        if about.quantization.is_some_and(|bits| !QUANTIZED.contains(&bits)) {
            return Err(damaged("does not say how many bits its values have"));
        }
        let unigrams: Option<Array<u32>> = tensor(&reader, "unigrams", Dtype::F32, &[2]);
        let unigrams = unigrams.filter(|unigrams| unigrams.len() == 2 * names.len());
        let unigrams = unigrams.ok_or_else(|| damaged("does not have a unigram for each word"))?;
        let orders = orders(&reader, &about);
        let orders = orders.ok_or_else(|| damaged("lacks n-grams of an order"))?;
        let (names, unigrams) = (Arc::new(names), Unigrams::Mapped(unigrams));
        Ok(Self { names, unigrams, orders, about })
    }
}

/// The tensors of all orders from 2 on.
fn written<'a>(orders: &Searched<'a>) -> Vec<Written<'a>> {
    match *orders {
        Searched::Hashed(tables) => {
            let lines = |(order, table): (usize, &'a Table)| {
                Written::wide(format!("ngrams.{order}"), table.lines().as_flattened(), 8)
            };
            (2..).zip(tables).map(lines).collect()
        }
        Searched::Packed(orders) => {
            let parts = |(order, packed): (usize, &'a Packed)| {
                let Tensors { children, records, probabilities, backoffs } = packed.tensors();
                let name = |part: &str| format!("ngrams.{order}.{part}");
                let backoffs = backoffs.map(|values| Written::reals(name("backoffs"), values));
                let first = [
                    Written::wide(name("children"), children, 1),
                    Written::wide(name("records"), records, 1),
                    Written::reals(name("probabilities"), probabilities),
                ];
                first.into_iter().chain(backoffs)
            };
            (2..).zip(orders).flat_map(parts).collect()
        }
        // Their tables are made as they are written.
        Searched::Sorted(_) => Vec::new(),
    }
}

fn part<'a>(written: &'a Written<'_>, run: &'a Run) -> Part<'a> {
    let Written { name, dtype, shape, bytes } = written;
    Part::streamed(name, *dtype, shape, move |writer| write(writer, bytes, run))
}

fn write(writer: &mut Writer, bytes: &[u8], run: &Run) -> Result<()> {
    for block in bytes.chunks(BLOCK) {
        run.check()?;
        writer.write(block)?;
        run.advance(block.len() as u64);
    }
    Ok(())
}

/// A tensor of a file, if it is there in this form; `shape` is without the first size.
fn tensor<T: bytemuck::Pod>(
    reader: &Reader,
    name: &str,
    dtype: Dtype,
    shape: &[usize],
) -> Option<Array<T>> {
    let tensor = reader.tensor(name)?;
    let fits = tensor.dtype == dtype && tensor.shape.get(1..) == Some(shape);
    Array::mapped(reader.map(), fits.then_some(tensor.range)?)
}

/// The n-grams of a file from order 2 on.
fn orders(reader: &Reader, about: &About) -> Option<Orders> {
    let counts = about.ngrams.iter().map(|&count| usize::try_from(count).ok());
    let counts = counts.collect::<Option<Vec<usize>>>()?;
    let (words, all) = (counts[0], counts.len());
    let Some(bits) = about.quantization else {
        let tables = (2..).zip(&counts[1..]).map(|(order, &count)| {
            let lines = tensor(reader, &format!("ngrams.{order}"), Dtype::U64, &[8])?;
            Table::mapped(lines, order == all, count)
        });
        return Some(Orders::Hashed { tables: tables.collect::<Option<_>>()?, listed: None });
    };
    let packed = (2..).zip(counts.windows(2)).map(|(order, counts)| {
        let name = |part: &str| format!("ngrams.{order}.{part}");
        let parts = Parts {
            children: tensor(reader, &name("children"), Dtype::U64, &[])?,
            records: tensor(reader, &name("records"), Dtype::U64, &[])?,
            probabilities: tensor(reader, &name("probabilities"), Dtype::F32, &[])?,
            backoffs: match order == all {
                true => None,
                false => Some(tensor(reader, &name("backoffs"), Dtype::F32, &[])?),
            },
        };
        Packed::mapped(parts, counts[1], counts[0], words, bits)
    });
    Some(Orders::Packed(packed.collect::<Option<_>>()?))
}
