use std::collections::HashMap;

use inlay_base::{Random, Run};

use crate::table::{BATCH, OVERHANG, Seed, Table};

/// Adds words in batches of all sizes and compares numbers and counts with a map's.
fn agrees(words: &[Vec<u8>], seed: Seed) {
    let run = Run::quiet(1, 1);
    let mut table = Table::new(seed, &run);
    let mut text = vec![b'#'; 3];
    let mut places = Vec::new();
    for word in words {
        places.push((text.len(), word.len() as u32));
        text.extend_from_slice(word);
    }
    text.extend([b'#'; OVERHANG]);
    let mut numbers = Vec::new();
    let (mut rest, mut size) = (places.as_slice(), 0);
    while !rest.is_empty() {
        size = (size + 1) % (BATCH + 1);
        let (batch, after) = rest.split_at(size.min(rest.len()));
        let (starts, lengths): (Vec<_>, Vec<_>) = batch.iter().copied().unzip();
        table.add(&text, &starts, &lengths, &mut numbers);
        rest = after;
    }
    let mut expected: HashMap<&[u8], (u32, u64)> = HashMap::new();
    for (word, &number) in words.iter().zip(&numbers) {
        let next = expected.len() as u32 + 1;
        let (known, count) = expected.entry(word).or_insert((next, 0));
        *count += 1;
        assert_eq!(number, *known, "words are numbered as they come");
    }
    assert_eq!(table.end() as usize, expected.len() + 1);
    for (word, (number, count)) in expected {
        assert_eq!(table.bytes(number), word);
        assert_eq!(table.count(number), count);
    }
}

fn random_words(random: &mut Random, count: usize, letters: u32, longest: u32) -> Vec<Vec<u8>> {
    let mut word = |_| {
        let length = random.below(longest + 1);
        (0..length).map(|_| random.below(letters) as u8).collect()
    };
    (0..count).map(&mut word).collect()
}

#[test]
fn words_of_0_to_70_bytes_keep_their_numbers_and_counts() {
    let mut random = Random::new(5, 0);
    for (letters, longest) in [(1, 70), (2, 8), (2, 17), (2, 40), (256, 70), (256, 3)] {
        agrees(&random_words(&mut random, 20_000, letters, longest), Seed::random());
    }
}

#[test]
fn a_table_grows_through_many_sizes() {
    let words: Vec<_> = (0..200_000).map(|i| (i % 150_000).to_string().into_bytes()).collect();
    agrees(&words, Seed::random());
}

#[test]
fn words_whose_hashes_are_equal_stay_apart() {
    // A factor of zero makes every product zero: all words that begin with these eight bytes and
    // have 8 to 16 have one hash.
    let seed = Seed(u64::from_le_bytes(*b"collide!"), 1);
    let mut random = Random::new(6, 0);
    let words: Vec<_> = random_words(&mut random, 3000, 3, 8)
        .into_iter()
        .map(|end| [b"collide!".as_slice(), &end].concat())
        .collect();
    agrees(&words, seed);
}

#[test]
fn zeros_at_the_end_are_part_of_a_word() {
    let words: Vec<Vec<u8>> =
        (0..40).map(|zeros| [vec![b'a'; 2], vec![0; zeros]].concat()).collect();
    agrees(&[words.clone(), words].concat(), Seed::random());
}

#[test]
fn a_word_added_alone_is_the_word_added_in_a_batch() {
    let run = Run::quiet(1, 1);
    let mut table = Table::new(Seed::random(), &run);
    for word in ["", "a", "sixteen bytes ok", "more than sixteen bytes"] {
        let text = [word.as_bytes(), &[b'#'; OVERHANG]].concat();
        let mut numbers = Vec::new();
        table.add(&text, &[0], &[word.len() as u32], &mut numbers);
        assert_eq!(table.add_times(word.as_bytes(), 7), numbers[0]);
        assert_eq!(table.count(numbers[0]), 8);
    }
}
