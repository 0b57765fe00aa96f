//! Documents keep their numbers: one without words is there, and a text is one whatever lines it
//! has.

use inlay_base::{Random, Run};

use super::oracle::random_text;
use super::{all_words, cut, read_batches, read_text, spoken, write};
use crate::{Base, Batch, Corpus, Options, Sentences, Source};

fn documents() -> Options {
    Options { documents: true, ..all_words() }
}

fn joined(corpus: &Corpus) -> Vec<String> {
    spoken(corpus).iter().map(|words| words.join(" ")).collect()
}

#[test]
fn every_line_of_a_file_is_a_document_an_empty_one_too() {
    let read = |text: &[u8]| joined(&read_text(text, &documents()).unwrap());
    assert_eq!(read(b"a b\n\n \nc\n"), ["a b", "", "", "c"]);
    assert_eq!(read(b"\n\na"), ["", "", "a"]);
    assert_eq!(read(b"a\n\n"), ["a", ""]);
    assert_eq!(read(b"a\nb  "), ["a", "b"]);
}

#[test]
fn documents_whose_words_are_dropped_are_there() {
    let options = Options { min_count: 2, ..documents() };
    let corpus = read_text(b"rare\na a\nonce twice\nb b\nlast", &options).unwrap();
    assert_eq!(joined(&corpus), ["", "a a", "", "b b", ""]);
    assert_eq!(corpus.sentences(), 5);
    assert_eq!(corpus.tokens() + corpus.sentences(), corpus.ids().len() as u64);
}

#[test]
fn files_end_documents_however_they_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(5, 0);
    for round in 0..200 {
        let texts: Vec<Vec<u8>> = (0..3)
            .map(|_| {
                let words = random.below(9) as usize;
                random_text(&mut random, words)
            })
            .chain([b"word".to_vec()])
            .collect();
        let files: Vec<String> = (0..)
            .zip(&texts)
            .map(|(i, text)| write(folder.path(), &format!("{round}-{i}"), text))
            .collect();
        let mut wanted: Vec<Vec<String>> = Vec::new();
        for text in &texts {
            let text = String::from_utf8_lossy(text);
            let mut lines: Vec<&str> = text.split('\n').collect();
            // What follows the last line feed is a document if it is more than white space.
            if lines.last().is_some_and(|last| last.trim_matches(is_space).is_empty()) {
                lines.pop();
            }
            let words = |line: &str| {
                line.split(is_space).filter(|w| !w.is_empty()).map(str::to_owned).collect()
            };
            wanted.extend(lines.into_iter().map(words));
        }
        for block in [1, 7, 1 << 19] {
            let source = Source::Files(files.clone());
            let corpus =
                Corpus::read_in_blocks(source, &documents(), cut(block), &Run::quiet(2, 1))
                    .unwrap();
            assert_eq!(spoken(&corpus), wanted, "blocks of {block}: {texts:?}");
        }
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

#[test]
fn paragraphs_of_a_file_are_documents_also_where_their_words_are_dropped() {
    let options = Options { sentences: Sentences::Paragraph, min_count: 2, ..documents() };
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "a", b"a\na\n\nrare\n\n\n\nb\nb\n\nlast\n");
    for block in [1, 3, 1 << 19] {
        let source = Source::Files(vec![file.clone()]);
        let corpus = Corpus::read_in_blocks(source, &options, cut(block), &Run::quiet(2, 1));
        assert_eq!(joined(&corpus.unwrap()), ["a a", "", "b b", ""], "blocks of {block}");
    }
}

#[test]
fn every_text_and_every_sentence_of_a_stream_is_a_document() {
    let texts = Batch::Texts { bytes: b"a\nb\n\nc d".to_vec(), ends: vec![6, 6, 7, 8] };
    let words = Batch::Words {
        bytes: b"xyz".to_vec(),
        word_ends: vec![1, 2, 3],
        sentence_ends: vec![0, 2, 2, 3, 3],
    };
    let integers = Batch::Integers { values: vec![1, 2], sentence_ends: vec![0, 2] };
    for sentences in [Sentences::Line, Sentences::Paragraph] {
        let options = Options { sentences, ..documents() };
        let batches = vec![texts.clone(), words.clone(), integers.clone()];
        let corpus = read_batches(batches, &options).unwrap();
        let wanted = ["a b c", "", "", "d", "", "x y", "", "z", "", "", "1 2"];
        assert_eq!(joined(&corpus), wanted);
    }
}

#[test]
fn a_closed_vocabulary_takes_no_new_words_and_no_source_is_too_strange_for_it() {
    let first = read_text(b"a a b", &all_words()).unwrap();
    let base = Base { names: first.names().clone(), counts: first.counts().to_vec() };
    let options = Options { base: Some(base), closed: true, ..documents() };
    let corpus = read_text(b"b new a\nnew\n", &options).unwrap();
    assert_eq!(joined(&corpus), ["b a", ""]);
    assert_eq!(corpus.names().len(), 2);
    let reversed = read_text(b"b b b b b b a", &options).unwrap();
    let names: Vec<&[u8]> = reversed.names().iter().collect();
    assert_eq!(names, [b"a", b"b"], "words keep their numbers");
    let strange = read_text(b"new\nnew new new new new", &options).unwrap();
    assert_eq!(joined(&strange), ["", ""]);
}
