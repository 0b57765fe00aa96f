//! A merge sort on all threads that can be stopped at any moment.

use std::cmp::Ordering;
use std::sync::Mutex;

use inlay_base::{Result, Run, Workers};

/// Values that one thread sorts, or merges, before the run is asked whether to go on.
const PART: usize = 1 << 15;

/// The values in order. The order of equal ones is not kept.
pub fn sorted<T: Copy + Send + Sync>(
    mut values: Vec<T>,
    compare: impl Fn(&T, &T) -> Ordering + Sync,
    run: &Run,
) -> Result<Vec<T>> {
    {
        let parts: Vec<_> = values.chunks_mut(PART).map(Mutex::new).collect();
        run.each(parts.len(), &|part| {
            let mut part = parts[part].lock().expect("a sort that panicked ends the run");
            part.sort_unstable_by(&compare);
            Ok(())
        })?;
    }
    let mut other = values.clone();
    let mut length = PART;
    while length < values.len() {
        let pairs: Vec<_> = other.chunks_mut(2 * length).map(Mutex::new).collect();
        run.each(pairs.len(), &|pair| {
            let mut into = pairs[pair].lock().expect("a merge that panicked ends the run");
            let from = &values[pair * 2 * length..][..into.len()];
            let (left, right) = from.split_at(length.min(from.len()));
            merge(left, right, &mut into, &compare, run)
        })?;
        drop(pairs);
        std::mem::swap(&mut values, &mut other);
        length *= 2;
    }
    Ok(values)
}

fn merge<'a, T: Copy>(
    mut left: &'a [T],
    mut right: &'a [T],
    into: &mut [T],
    compare: &impl Fn(&T, &T) -> Ordering,
    run: &Run,
) -> Result<()> {
    for part in into.chunks_mut(PART) {
        run.check()?;
        for place in part {
            let from = match (left.first(), right.first()) {
                (Some(a), Some(b)) if compare(b, a) == Ordering::Less => &mut right,
                (None, _) => &mut right,
                _ => &mut left,
            };
            *place = from[0];
            *from = &from[1..];
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;

    use super::*;

    #[test]
    fn any_number_of_values_is_sorted() {
        let mut random = Random::new(1, 0);
        for length in [0, 1, 2, PART - 1, PART, PART + 1, 2 * PART + 7, 5 * PART + 3] {
            let values: Vec<u64> = (0..length).map(|_| random.bits() % 1000).collect();
            let mut expected = values.clone();
            expected.sort_unstable();
            for threads in [1, 3] {
                let run = Run::quiet(threads, 1);
                assert_eq!(sorted(values.clone(), u64::cmp, &run).unwrap(), expected);
            }
        }
    }
}
