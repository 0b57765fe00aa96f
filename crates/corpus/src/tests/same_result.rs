use inlay_base::{Random, Run};

use super::oracle::{oracle, random_text};
use super::{Said, all_words, cut, gzip, said, write, zstd};
use crate::blocks::Cut;
use crate::corpus::count_in_blocks;
use crate::{Corpus, Options, Sentences, Source, Tokenizer};

/// Reads the files with many threads and block sizes and compares each result with the oracle.
fn agrees(files: &[Vec<u8>], options: &Options, context: &str) {
    let folder = tempfile::tempdir().unwrap();
    let expected = oracle(files, options);
    let plain: Vec<String> = files
        .iter()
        .enumerate()
        .map(|(at, file)| write(folder.path(), &format!("{at}.txt"), file))
        .collect();
    let packed: Vec<String> = files
        .iter()
        .enumerate()
        .map(|(at, file)| {
            let bytes = if at % 2 == 0 { gzip(file) } else { zstd(file) };
            write(folder.path(), &format!("{at}.packed"), &bytes)
        })
        .collect();
    let mut fingerprints = Vec::new();
    for (threads, block) in [(1, 1 << 19), (1, 1), (2, 13), (3, 64), (2, 200), (5, 1000)] {
        for names in [&plain, &packed] {
            let run = Run::quiet(threads, 1);
            let source = Source::Files(names.clone());
            let corpus = Corpus::read_in_blocks(source, options, cut(block), &run).unwrap();
            let context = format!("{context}, {threads} threads, blocks of {block}");
            assert_eq!(said(&corpus), expected, "{context}");
            fingerprints.push(corpus.fingerprint());
            let source = Source::Files(names.clone());
            let counted = count_in_blocks(source, options, cut(block), &run).unwrap();
            assert_eq!(counted.counts, corpus.counts());
            assert_eq!(counted.names.bytes(), corpus.names().bytes());
            assert_eq!((counted.tokens, counted.dropped), (corpus.tokens(), corpus.dropped()));
        }
    }
    assert!(fingerprints.iter().all(|&fingerprint| fingerprint == fingerprints[0]));
}

#[test]
fn random_texts_give_what_the_oracle_says_whatever_the_threads_and_blocks() {
    let mut random = Random::new(1, 0);
    for round in 0..15 {
        let files: Vec<Vec<u8>> = (0..1 + random.below(4))
            .map(|_| {
                let words = [0, 3, 30, 300][random.below(4) as usize];
                random_text(&mut random, words)
            })
            .chain([b"ab ab ab b".to_vec()])
            .collect();
        for sentences in [Sentences::Line, Sentences::Paragraph] {
            for tokenizer in [
                Tokenizer::Whitespace,
                Tokenizer::Words,
                Tokenizer::Alphanumeric,
                Tokenizer::Chinese,
            ] {
                let options = Options {
                    tokenizer,
                    sentences,
                    min_count: 1 + u64::from(random.below(3)),
                    max_vocabulary: (random.below(2) == 0).then(|| 1 + random.below(40) as usize),
                    ..Options::default()
                };
                agrees(&files, &options, &format!("round {round}, {tokenizer:?}, {sentences:?}"));
            }
        }
    }
}

#[test]
fn words_of_every_length_around_block_ends_are_whole() {
    let words: Vec<String> =
        (1..140).map(|length| "abcdefghij".repeat(14)[..length].to_string()).collect();
    for gap in [" ", "\n", "\n\n"] {
        agrees(&[words.join(gap).into_bytes()], &all_words(), gap);
    }
}

#[test]
fn a_line_of_many_blocks_is_one_sentence() {
    let mut random = Random::new(3, 0);
    let mut text = String::new();
    while text.len() < 3 << 20 {
        text.push_str(&random.below(50_000).to_string());
        text.push(' ');
    }
    let expected = oracle(&[text.clone().into_bytes()], &all_words());
    assert_eq!(expected.sentences.len(), 1);
    let folder = tempfile::tempdir().unwrap();
    let names = vec![write(folder.path(), "line", text.as_bytes())];
    for threads in [1, 4] {
        let run = Run::quiet(threads, 1);
        let corpus = Corpus::read(Source::Files(names.clone()), &all_words(), &run).unwrap();
        assert!(said(&corpus) == expected, "{threads} threads");
    }
}

#[test]
fn a_word_of_a_hundred_megabytes_is_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = vec![b'w'; 100_000_000];
    text.extend_from_slice(b"\nafter it");
    text[..7].copy_from_slice(b"before ");
    let names = vec![write(folder.path(), "word", &text)];
    let run = Run::quiet(2, 1);
    let corpus = Corpus::read(Source::Files(names), &all_words(), &run).unwrap();
    let Said { words, sentences, .. } = said(&corpus);
    let lengths: Vec<usize> = words.iter().map(|(word, _)| word.len()).collect();
    assert_eq!(lengths, [6, 100_000_000 - 7, 5, 2]);
    assert_eq!(sentences, [vec![0, 1], vec![2, 3]]);
}

#[test]
fn what_has_no_white_space_for_too_long_is_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let text = [b"some words ".to_vec(), vec![b'x'; 5000]].concat();
    let plain = write(folder.path(), "plain", &text);
    let packed = write(folder.path(), "packed", &gzip(&text));
    for name in [plain, packed] {
        let run = Run::quiet(2, 1);
        let cut = Cut { block: 100, word: 1000 };
        let source = Source::Files(vec![name.clone()]);
        let error = Corpus::read_in_blocks(source, &all_words(), cut, &run).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with(&name) && message.contains("no white space"), "{message}");
    }
}
