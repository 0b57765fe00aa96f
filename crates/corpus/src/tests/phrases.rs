//! Phrases against an oracle that counts strings, as gensim does.

use std::collections::{BTreeMap, HashMap};

use inlay_base::{Error, Random, Run};

use super::{all_words, read_batches, said, write};
use crate::phrases::{Options, Phrases, Scoring, train};
use crate::{Batch, Corpus, Source};

type Sentence = Vec<String>;

fn options() -> Options {
    Options {
        min_count: 2,
        threshold: 1.5,
        scoring: Scoring::Default,
        connector_words: vec!["of".into(), "the".into()],
        passes: 1,
        delimiter: '_',
        spool_directory: None,
    }
}

/// Sentences of few words, some of which are connector words or hold the delimiter.
fn random_sentences(random: &mut Random, sentences: usize) -> Vec<Sentence> {
    let words = ["a", "b", "c", "d", "e", "of", "the", "a_b", "_", "b_of_c", "f", "g", "__x", "é"];
    let mut word = |_| {
        let most = if random.below(2) == 0 { 5 } else { words.len() as u32 };
        words[random.below(most) as usize].to_string()
    };
    (0..sentences).map(|at| (0..1 + (at * 7) % 12).map(&mut word).collect()).collect()
}

fn batch(sentences: &[Sentence]) -> Batch {
    let (mut bytes, mut word_ends, mut sentence_ends) = (Vec::new(), Vec::new(), Vec::new());
    for sentence in sentences {
        for word in sentence {
            bytes.extend_from_slice(word.as_bytes());
            word_ends.push(bytes.len());
        }
        sentence_ends.push(word_ends.len());
    }
    Batch::Words { bytes, word_ends, sentence_ends }
}

/// The pairs of neighbours of a sentence.
fn pairs<'a>(sentence: &'a Sentence, options: &Options) -> Vec<Vec<&'a str>> {
    let (mut pairs, mut parts) = (Vec::new(), Vec::<&str>::new());
    for word in sentence {
        if options.connector_words.contains(word) {
            if !parts.is_empty() {
                parts.push(word);
            }
            continue;
        }
        if !parts.is_empty() {
            parts.push(word);
            pairs.push(std::mem::take(&mut parts));
        }
        parts = vec![word];
    }
    pairs
}

/// One pass: scores by the parts of a pair.
fn oracle(sentences: &[Sentence], options: &Options) -> BTreeMap<Vec<String>, f64> {
    let delimiter = options.delimiter.to_string();
    let mut counts: HashMap<String, u64> = HashMap::new();
    let mut words = 0;
    for sentence in sentences {
        words += sentence.len();
        for word in sentence.iter().filter(|word| !options.connector_words.contains(word)) {
            *counts.entry(word.clone()).or_default() += 1;
        }
        for pair in pairs(sentence, options) {
            *counts.entry(pair.join(&delimiter)).or_default() += 1;
        }
    }
    let count = |word: &str| counts[word] as f64;
    let mut found = BTreeMap::new();
    for pair in sentences.iter().flat_map(|sentence| pairs(sentence, options)) {
        let (a, b, ab) =
            (count(pair[0]), count(pair[pair.len() - 1]), count(&pair.join(&delimiter)));
        let least = options.min_count as f64;
        let score = match options.scoring {
            Scoring::Default => (ab - least) / (a * b) * counts.len() as f64,
            Scoring::Npmi if ab < least => continue,
            Scoring::Npmi => {
                let all = words as f64;
                ((ab / all) / ((a / all) * (b / all))).ln() / -(ab / all).ln()
            }
        };
        if score > options.threshold {
            found.insert(pair.iter().map(|part| part.to_string()).collect(), score);
        }
    }
    found
}

fn join(sentence: &Sentence, found: &BTreeMap<Vec<String>, f64>, options: &Options) -> Sentence {
    let (mut joined, mut parts) = (Sentence::new(), Sentence::new());
    for word in sentence {
        let is_connector = options.connector_words.contains(word);
        if parts.is_empty() && is_connector {
            joined.push(word.clone());
            continue;
        }
        parts.push(word.clone());
        if is_connector || parts.len() == 1 {
            continue;
        }
        if found.contains_key(&parts) {
            joined.push(std::mem::take(&mut parts).join(&options.delimiter.to_string()));
        } else {
            joined.extend(parts.drain(..parts.len() - 1));
        }
    }
    joined.append(&mut parts);
    joined
}

fn apply(phrases: &Phrases, sentence: &Sentence) -> Sentence {
    let words: Vec<&[u8]> = sentence.iter().map(String::as_bytes).collect();
    let text = |word: &[u8]| String::from_utf8(word.to_vec()).unwrap();
    phrases.apply(&words).into_iter().map(text).collect()
}

/// What `iter` says of a pass.
fn scores(phrases: &Phrases, pass: usize) -> Vec<(String, f64)> {
    let text = |text: &[u8]| String::from_utf8(text.to_vec()).unwrap();
    let of_pass = phrases.iter().filter(|phrase| phrase.pass == pass);
    of_pass.map(|phrase| (text(phrase.text), phrase.score)).collect()
}

#[test]
fn phrases_of_any_text_are_those_of_counted_strings_on_any_number_of_threads() {
    let mut random = Random::new(1, 0);
    let mut of_second_passes = 0;
    for round in 0..40 {
        let mut options = options();
        if round % 2 == 1 {
            (options.scoring, options.threshold) = (Scoring::Npmi, 0.05);
        }
        options.passes = 1 + round % 3;
        let sentences = random_sentences(&mut random, 20 + 40 * round);
        let corpus = read_batches(vec![batch(&sentences)], &all_words()).unwrap();
        let mut text = sentences.clone();
        let phrases = train(&corpus, &options, &Run::quiet(1, 1)).unwrap();
        for pass in 1..=options.passes {
            let expected = oracle(&text, &options);
            let scores = scores(&phrases, pass);
            assert!(scores.is_sorted_by(|a, b| a.1 >= b.1), "best first");
            for (parts, score) in &expected {
                let listed = (parts.join("_"), *score);
                assert!(scores.contains(&listed), "round {round}, pass {pass}: {listed:?}");
            }
            text = text.iter().map(|sentence| join(sentence, &expected, &options)).collect();
            of_second_passes += usize::from(pass > 1 && !expected.is_empty());
        }
        let applied: Vec<Sentence> = sentences.iter().map(|one| apply(&phrases, one)).collect();
        assert_eq!(applied, text, "round {round}");
        for threads in [2, 5] {
            let other = train(&corpus, &options, &Run::quiet(threads, 1)).unwrap();
            assert!(phrases.iter().eq(other.iter()), "{threads} threads");
        }
    }
    assert!(of_second_passes > 5, "{of_second_passes}");
}

#[test]
fn a_plain_text_has_exactly_the_phrases_of_the_oracle() {
    let mut random = Random::new(2, 0);
    let plain = |sentence: Sentence| -> Sentence {
        sentence.into_iter().filter(|word| !word.contains('_')).collect()
    };
    let sentences: Vec<_> = random_sentences(&mut random, 800).into_iter().map(plain).collect();
    let corpus = read_batches(vec![batch(&sentences)], &all_words()).unwrap();
    let options = Options { threshold: 1e-5, ..options() };
    let phrases = train(&corpus, &options, &Run::quiet(2, 1)).unwrap();
    let mut found = scores(&phrases, 1);
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = oracle(&sentences, &options);
    let mut expected: Vec<_> = expected.iter().map(|(p, &score)| (p.join("_"), score)).collect();
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!found.is_empty());
    assert_eq!(found, expected);
}

#[test]
fn a_corpus_joins_across_blocks_as_if_its_sentences_had_been_joined_before() {
    let mut random = Random::new(3, 0);
    for long in [false, true] {
        // Also as one sentence, which is cut in the middle.
        let mut sentences = random_sentences(&mut random, 40_000);
        if long {
            sentences = vec![sentences.concat()];
        }
        let corpus = read_batches(vec![batch(&sentences)], &all_words()).unwrap();
        let mut options = options();
        (options.scoring, options.threshold, options.passes) = (Scoring::Npmi, 0.02, 2);
        let phrases = train(&corpus, &options, &Run::quiet(2, 1)).unwrap();
        assert!(phrases.iter().any(|phrase| phrase.pass == 2));
        let joined: Vec<_> = sentences.iter().map(|one| apply(&phrases, one)).collect();
        let lines: Vec<_> = sentences.iter().map(|sentence| sentence.join(" ")).collect();
        let folder = tempfile::tempdir().unwrap();
        let file = write(folder.path(), "text", lines.join("\n").as_bytes());
        let stop_words = vec!["of".into()];
        let plain = crate::Options { min_count: 3, stop_words, ..crate::Options::default() };
        let with_phrases = crate::Options { phrases: Some(phrases), ..plain.clone() };
        let expected = read_batches(vec![batch(&joined)], &plain).unwrap();
        for threads in [1, 3] {
            let source = Source::Files(vec![file.clone()]);
            let read = Corpus::read(source, &with_phrases, &Run::quiet(threads, 1)).unwrap();
            assert_eq!(said(&read), said(&expected));
            assert_eq!(read.fingerprint(), expected.fingerprint());
        }
    }
}

#[test]
fn a_file_of_phrases_opens_as_it_was_and_a_damaged_one_is_an_error() {
    let mut random = Random::new(4, 0);
    let sentences = random_sentences(&mut random, 500);
    let corpus = read_batches(vec![batch(&sentences)], &all_words()).unwrap();
    let options = Options { passes: 2, ..options() };
    let phrases = train(&corpus, &options, &Run::quiet(2, 1)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("phrases.safetensors");
    phrases.save(&path).unwrap();
    let opened = Phrases::open(&path).unwrap();
    assert!(opened.iter().eq(phrases.iter()));
    assert_eq!(opened.options(), phrases.options());
    for sentence in &sentences {
        assert_eq!(apply(&opened, sentence), apply(&phrases, sentence));
    }
    let bytes = std::fs::read(&path).unwrap();
    let mut refused = 0;
    for _ in 0..3000 {
        let mut damaged = bytes.clone();
        for _ in 0..1 + random.below(3) {
            let at = random.below(damaged.len() as u32) as usize;
            damaged[at] = random.bits() as u8;
        }
        if random.below(8) == 0 {
            damaged.truncate(random.below(bytes.len() as u32) as usize);
        }
        std::fs::write(&path, damaged).unwrap();
        match Phrases::open(&path) {
            Ok(phrases) => sentences.iter().take(20).for_each(|one| _ = apply_any(&phrases, one)),
            Err(Error::InvalidInput { .. }) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(refused > 1000, "{refused}");
}

fn apply_any(phrases: &Phrases, sentence: &Sentence) -> usize {
    let words: Vec<&[u8]> = sentence.iter().map(String::as_bytes).collect();
    phrases.apply(&words).len()
}
