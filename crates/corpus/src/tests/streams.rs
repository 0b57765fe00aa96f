use std::sync::mpsc::sync_channel;
use std::thread;

use inlay_base::{Error, Random, Run};

use super::oracle::{oracle, random_text};
use super::{all_words, read_batches, said, spoken};
use crate::{Batch, Corpus, InvalidUtf8, Options, Sentences, Source};

fn texts(texts: &[&[u8]]) -> Batch {
    let mut bytes = Vec::new();
    let ends = texts
        .iter()
        .map(|text| {
            bytes.extend_from_slice(text);
            bytes.len()
        })
        .collect();
    Batch::Texts { bytes, ends }
}

fn words(sentences: &[&[&[u8]]]) -> Batch {
    let (mut bytes, mut word_ends, mut sentence_ends) = (Vec::new(), Vec::new(), Vec::new());
    for sentence in sentences {
        for word in *sentence {
            bytes.extend_from_slice(word);
            word_ends.push(bytes.len());
        }
        sentence_ends.push(word_ends.len());
    }
    Batch::Words { bytes, word_ends, sentence_ends }
}

#[test]
fn each_text_of_a_stream_is_read_as_a_file_is() {
    let mut random = Random::new(21, 0);
    for sentences in [Sentences::Line, Sentences::Paragraph] {
        for _ in 0..30 {
            let files: Vec<Vec<u8>> = (0..40)
                .map(|_| {
                    let words = random.below(12) as usize;
                    random_text(&mut random, words)
                })
                .chain([b"word".to_vec()])
                .collect();
            let options = Options { sentences, ..all_words() };
            let batches = files
                .chunks(1 + random.below(7) as usize)
                .map(|part| texts(&part.iter().map(Vec::as_slice).collect::<Vec<_>>()))
                .collect();
            let corpus = read_batches(batches, &options).unwrap();
            assert_eq!(said(&corpus), oracle(&files, &options));
        }
    }
}

#[test]
fn a_stream_that_waits_for_its_reader_gives_what_a_full_one_gives() {
    let batch = |at: u32| texts(&[format!("{} {} c", at % 7, at % 3).as_bytes()]);
    let all = read_batches((0..500).map(batch).collect(), &all_words()).unwrap();
    for threads in [1, 4] {
        let (sender, receiver) = sync_channel(1);
        let corpus = thread::scope(|scope| {
            scope.spawn(move || (0..500).for_each(|at| sender.send(batch(at)).unwrap()));
            let run = Run::quiet(threads, 1);
            Corpus::read(Source::Stream(receiver), &all_words(), &run).unwrap()
        });
        assert_eq!(said(&corpus), said(&all));
        assert_eq!(corpus.fingerprint(), all.fingerprint());
    }
}

#[test]
fn given_words_keep_spaces_line_feeds_any_bytes_and_none() {
    let sentences: &[&[&[u8]]] =
        &[&[b"New York", b"", b"a\nb"], &[], &[b"\xFF\xC3", b"", b"  "], &[b"__proto__"]];
    let corpus = read_batches(vec![words(sentences)], &all_words()).unwrap();
    let found: Vec<Vec<&[u8]>> = said(&corpus)
        .sentences
        .iter()
        .map(|ids| ids.iter().map(|&id| corpus.names().get(id)).collect())
        .collect();
    let expected: Vec<&[&[u8]]> = sentences.iter().copied().filter(|s| !s.is_empty()).collect();
    assert_eq!(found, expected);
}

#[test]
fn sentences_of_words_end_in_either_mode_and_over_batches() {
    for sentences in [Sentences::Line, Sentences::Paragraph] {
        let options = Options { sentences, ..all_words() };
        let batches = vec![
            words(&[&[b"a", b"b"], &[b"c"]]),
            words(&[]),
            words(&[&[], &[b"d"]]),
            Batch::Integers { values: vec![7, -12, i64::MIN], sentence_ends: vec![0, 2, 3] },
            texts(&[b"e f", b"", b"g"]),
            words(&[&[b"h"]]),
        ];
        let corpus = read_batches(batches, &options).unwrap();
        let expected = [
            vec!["a", "b"],
            vec!["c"],
            vec!["d"],
            vec!["7", "-12"],
            vec!["-9223372036854775808"],
            vec!["e", "f"],
            vec!["g"],
            vec!["h"],
        ];
        assert_eq!(spoken(&corpus), expected);
    }
}

#[test]
fn given_words_are_respelled_and_not_split() {
    let options = Options { lowercase: true, ..all_words() };
    let corpus = read_batches(vec![words(&[&["New Ö".as_bytes(), b"\xFFA", b"X"]])], &options);
    let corpus = corpus.unwrap();
    let expected: [&[u8]; 3] = ["new ö".as_bytes(), b"\xFFA", b"x"];
    let found: Vec<_> = corpus.names().iter().collect();
    assert_eq!(found, expected);
}

#[test]
fn a_text_that_is_not_utf8_is_named_by_its_number() {
    let batches =
        || vec![texts(&[b"zero", b"one"]), texts(&[b"", b"", b"ab\xFFc", b"\xFF", b"five"])];
    for sentences in [Sentences::Line, Sentences::Paragraph] {
        let options = Options { sentences, ..all_words() };
        let message = read_batches(batches(), &options).unwrap_err().to_string();
        let expected = "stream: text 4, byte 2: not UTF-8 (ff)";
        assert!(message.starts_with(expected), "{message}");
    }
    let options = Options { invalid_utf8: InvalidUtf8::Skip, ..all_words() };
    let corpus = read_batches(batches(), &options).unwrap();
    assert_eq!(spoken(&corpus), [["zero"], ["one"], ["five"]]);
}

#[test]
fn a_stream_without_words_is_an_error() {
    for batches in [vec![], vec![texts(&[])], vec![texts(&[b" "]), words(&[&[]])]] {
        let message = read_batches(batches, &all_words()).unwrap_err().to_string();
        assert_eq!(message, "stream: holds no word");
    }
}

#[test]
fn batches_whose_ends_do_not_fit_are_refused() {
    let batches = [
        Batch::Texts { bytes: b"abc".to_vec(), ends: vec![2] },
        Batch::Texts { bytes: b"abc".to_vec(), ends: vec![2, 1, 3] },
        Batch::Texts { bytes: b"abc".to_vec(), ends: vec![4] },
        Batch::Words { bytes: b"abc".to_vec(), word_ends: vec![3], sentence_ends: vec![2] },
        Batch::Words { bytes: b"abc".to_vec(), word_ends: vec![3], sentence_ends: vec![] },
        Batch::Integers { values: vec![1, 2], sentence_ends: vec![1] },
    ];
    for batch in batches {
        let error = read_batches(vec![batch.clone()], &all_words()).unwrap_err();
        assert!(matches!(error, Error::InvalidInput { .. }), "{batch:?}: {error}");
    }
}
