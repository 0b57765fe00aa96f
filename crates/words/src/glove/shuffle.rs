//! Brings records into an order that the seed chooses: by a hash of the seed and the pair. So the
//! order depends neither on that of the records nor on the number of threads or the memory.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use inlay_base::{Error, Map, Result, Run, Workers};
use inlay_corpus::Spool;
use inlay_formats::glove::{self, Record};

use super::{Cooccurrence, Room};

/// Records of a bucket, in bytes: sorting one stays in the cache.
const BUCKET: u64 = 1 << 20;
/// Buckets, at most.
const MOST: u64 = 1 << 12;
/// Records that a thread collects for a bucket before it writes them.
const TOGETHER: usize = 1 << 8;

/// Records in their final order, in a temporary file.
pub struct Shuffled {
    map: Map,
    /// Of the pairs, their counts and the words, whatever their order was.
    pub fingerprint: u64,
}

impl Shuffled {
    /// All records.
    pub fn records(&self) -> &[Record] {
        bytemuck::cast_slice(&self.map)
    }

    /// Gives the memory of some records back to the system.
    pub fn release(&self, records: std::ops::Range<usize>) {
        let bytes = size_of::<Record>();
        self.map.release(records.start * bytes..records.end * bytes);
    }
}

/// Checks all records and writes them in their new order: phase "check" and phase "shuffle", in
/// pairs.
pub fn shuffle(pairs: &Cooccurrence, room: &Room, run: &Run) -> Result<Shuffled> {
    let (stretches, words) = (pairs.stretches(), pairs.names().len());
    let share = room.memory / run.threads() as u64;
    let bytes = pairs.pairs() * size_of::<Record>() as u64;
    let staged = (TOGETHER * size_of::<Record>()) as u64;
    let most = MOST.min(share / 2 / staged).max(1);
    let buckets = bytes.div_ceil(BUCKET).clamp(1, most);
    let bucket_of = |hash: u64| ((u128::from(hash) * u128::from(buckets)) >> 64) as usize;
    let seed = run.seed();

    run.phase("check", "pairs", 0, Some(pairs.pairs()));
    let sizes: Vec<AtomicU64> = (0..buckets).map(|_| AtomicU64::new(0)).collect();
    let fingerprint = AtomicU64::new(fingerprint_of(pairs));
    run.each(stretches.len(), &|number| {
        let records = stretches.get(number);
        let (mut sum, mut here) = (0u64, vec![0u64; sizes.len()]);
        for (place, &record) in records.iter().enumerate() {
            glove::check(record, words).map_err(|problem| {
                let offset = (stretches.offset(number) + place * size_of::<Record>()) as u64;
                Error::invalid_file(stretches.path(), Some(offset), problem)
            })?;
            here[bucket_of(hash(record, seed))] += 1;
            sum = sum.wrapping_add(mix(record[1] ^ mix(record[0])));
        }
        fingerprint.fetch_add(sum, Relaxed);
        sizes.iter().zip(here).for_each(|(size, here)| _ = size.fetch_add(here, Relaxed));
        run.advance(records.len() as u64);
        Ok(())
    })?;

    run.phase("shuffle", "pairs", 0, Some(2 * pairs.pairs()));
    let sizes: Vec<u64> = sizes.into_iter().map(AtomicU64::into_inner).collect();
    let starts: Vec<u64> = sizes
        .iter()
        .scan(0, |end, size| {
            *end += size;
            Some(*end - size)
        })
        .collect();
    let spool = Spool::create(room.directory.as_deref())?;
    spool.reserve(bytes);
    let next: Vec<AtomicU64> = starts.iter().map(|&start| AtomicU64::new(start)).collect();
    let write = |bucket: usize, records: &mut Vec<Record>| {
        let place = next[bucket].fetch_add(records.len() as u64, Relaxed);
        let written = spool.write(records, place * size_of::<Record>() as u64);
        records.clear();
        written
    };
    let claimed = AtomicU64::new(0);
    run.workers(|_| {
        let mut staged: Vec<Vec<Record>> = vec![Vec::new(); buckets as usize];
        loop {
            let number = claimed.fetch_add(1, Relaxed) as usize;
            if number >= stretches.len() {
                break;
            }
            run.check()?;
            let records = stretches.get(number);
            for &record in records {
                let bucket = bucket_of(hash(record, seed));
                let to = &mut staged[bucket];
                if to.capacity() == 0 {
                    to.reserve_exact(TOGETHER);
                }
                to.push(record);
                if to.len() == TOGETHER {
                    write(bucket, to)?;
                }
            }
            run.advance(records.len() as u64);
            stretches.release(number);
        }
        for (bucket, records) in staged.iter_mut().enumerate() {
            write(bucket, records)?;
        }
        Ok(())
    })?;
    run.each(buckets as usize, &|bucket| {
        sort(&spool, starts[bucket], sizes[bucket] as usize, seed)?;
        run.advance(sizes[bucket]);
        Ok(())
    })?;
    Ok(Shuffled { map: spool.map()?, fingerprint: fingerprint.into_inner() })
}

/// Sorts the records of a bucket by their hashes; equal ones, which only a file that has a pair
/// twice can have, by their counts.
fn sort(spool: &Spool, start: u64, size: usize, seed: u64) -> Result<()> {
    let place = start * size_of::<Record>() as u64;
    let mut records: Vec<Record> = Vec::new();
    spool.read(&mut records, size, place)?;
    let mut keyed: Vec<(u64, Record)> =
        records.iter().map(|&record| (hash(record, seed), record)).collect();
    keyed.sort_unstable();
    for (record, (_, sorted)) in records.iter_mut().zip(&keyed) {
        *record = *sorted;
    }
    spool.write(&records, place)
}

/// Where a pair comes in the order of a seed.
#[inline(always)]
fn hash(record: Record, seed: u64) -> u64 {
    mix(record[0] ^ mix(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)))
}

/// The finisher of SplitMix64 (Steele, Lea, Flood 2014): a bijection whose bits look random.
#[inline(always)]
fn mix(number: u64) -> u64 {
    let z = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Of the words, in their order: what the sum over the records begins with.
fn fingerprint_of(pairs: &Cooccurrence) -> u64 {
    let names = pairs.names();
    let bytes = names.bytes().chunks(8).fold(names.len() as u64, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(hash ^ u64::from_le_bytes(word))
    });
    names.offsets().iter().fold(bytes, |hash, &offset| mix(hash ^ offset))
}
