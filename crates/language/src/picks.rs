use std::ops::Range;

/// Numbers that are looked at together.
const TOGETHER: usize = 256;

/// Gives those numbers of a range that are wanted, some at a time and in order. There is no branch for each:
/// whether it is wanted cannot be foretold.
#[inline(always)]
pub fn pick(range: Range<usize>, is_wanted: impl Fn(usize) -> bool, mut give: impl FnMut(&[u32])) {
    let mut picked = [0; TOGETHER];
    for from in range.clone().step_by(TOGETHER) {
        let mut count = 0;
        for number in from..range.end.min(from + TOGETHER) {
            picked[count % TOGETHER] = number as u32;
            count += usize::from(is_wanted(number));
        }
        give(&picked[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_are_wanted_are_given_once_and_in_order() {
        for (range, every) in [(0..0, 1), (3..700, 1), (5..1029, 3), (0..TOGETHER, 2)] {
            let mut given = Vec::new();
            let is_wanted = |number: usize| number.is_multiple_of(every);
            pick(range.clone(), is_wanted, |picked| given.extend_from_slice(picked));
            let wanted = range.filter(|&number| is_wanted(number)).map(|number| number as u32);
            assert_eq!(given, wanted.collect::<Vec<_>>());
        }
    }
}
