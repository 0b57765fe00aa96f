use std::sync::Arc;

use inlay_formats::Names;

use super::{all_words, read_text, said, spoken};
use crate::{Base, Dropped, Normalization, Options, Tokenizer};

fn words(text: &str, options: &Options) -> Vec<(String, u64)> {
    let corpus = read_text(text.as_bytes(), options).unwrap();
    let word = |(word, count): (Vec<u8>, u64)| (String::from_utf8(word).unwrap(), count);
    said(&corpus).words.into_iter().map(word).collect()
}

fn pairs(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs.iter().map(|&(word, count)| (word.into(), count)).collect()
}

#[test]
fn words_are_ordered_by_count_and_then_as_they_first_occur() {
    let text = "é a b a 12345678b 12345678a 12345678 z\0 z b é a";
    let expected = [("a", 3), ("é", 2), ("b", 2), ("12345678b", 1)];
    let rest = [("12345678a", 1), ("12345678", 1), ("z\0", 1), ("z", 1)];
    assert_eq!(words(text, &all_words()), pairs(&[expected, rest].concat()));
}

#[test]
fn rare_words_words_beyond_the_limit_and_stop_words_are_dropped_and_counted() {
    let text = b"the cat the dog the cat\nrare\nthe the end end end\nthe";
    let options = Options {
        min_count: 2,
        max_vocabulary: Some(1),
        stop_words: vec!["the".into(), "absent".into()],
        ..Options::default()
    };
    let corpus = read_text(text, &options).unwrap();
    assert_eq!(spoken(&corpus), [["end", "end", "end"]]);
    assert_eq!(corpus.tokens(), 3);
    assert_eq!(corpus.dropped(), Dropped { words: 4, tokens: 10 });
}

#[test]
fn sentences_without_kept_words_vanish() {
    let options = Options { min_count: 2, ..Options::default() };
    let corpus = read_text(b"x\na a\ny\nz\nb w b\n\nq", &options).unwrap();
    assert_eq!(spoken(&corpus), [["a", "a"], ["b", "b"]]);
}

#[test]
fn spelling_joins_words() {
    let options = Options { lowercase: true, ..all_words() };
    assert_eq!(words("Ärger ärger ÄRGER Rest", &options), pairs(&[("ärger", 3), ("rest", 1)]));
    let options = Options { normalization: Normalization::Nfc, ..all_words() };
    assert_eq!(words("é e\u{301}", &options), pairs(&[("é", 2)]));
    let options = Options { normalization: Normalization::Nfkc, lowercase: true, ..all_words() };
    assert_eq!(words("ﬁn\u{3000}FIN ℡", &options), pairs(&[("fin", 2), ("tel", 1)]));
    let stop_words = vec!["fin".into()];
    assert_eq!(words("ﬁn\u{3000}FIN ℡", &Options { stop_words, ..options }), pairs(&[("tel", 1)]));
}

#[test]
fn unicode_words_leave_punctuation_out() {
    let options = Options { tokenizer: Tokenizer::Words, lowercase: true, ..all_words() };
    let corpus =
        read_text("«Don't!», he said (3.14 – π).\n...\n你好".as_bytes(), &options).unwrap();
    let first = vec!["don't", "he", "said", "3.14", "π"];
    assert_eq!(spoken(&corpus), [first, vec!["你", "好"]]);
}

#[test]
fn nothing_kept_is_an_error_that_says_why() {
    let message = |text: &str, options: &Options| {
        let message = read_text(text.as_bytes(), options).unwrap_err().to_string();
        message.split_once("text: ").unwrap().1.to_string()
    };
    assert_eq!(message("", &all_words()), "holds no word");
    assert_eq!(message(" \n\t\r\n ", &all_words()), "holds no word");
    let rare = "no word occurs 5 times (`minCount`); the most frequent, \"b\", occurs 2 times";
    assert_eq!(message("c b c b a", &Options::default()), rare);
    let rare = "no word occurs 2 times (`minCount`); the most frequent, \"a\", occurs once";
    assert_eq!(message("b a", &Options { min_count: 2, ..Options::default() }), rare);
    let stopped = Options { stop_words: vec!["a".into()], ..all_words() };
    assert_eq!(message("a a", &stopped), "no word is left by `stopWords` and `maxVocabulary`");
}

fn with_base() -> Options {
    let names = Arc::new(Names::new(["old", "gone", "the"]).unwrap());
    let base = Some(Base { names, counts: vec![10, 3, 50] });
    Options { min_count: 2, base, ..Options::default() }
}

#[test]
fn words_of_a_base_stay_and_their_counts_are_added() {
    let text = "old new new rare the rare2\nnew the";
    let expected = [("the", 52), ("old", 11), ("gone", 3), ("new", 3)];
    let corpus = read_text(text.as_bytes(), &with_base()).unwrap();
    assert_eq!(words(text, &with_base()), pairs(&expected));
    assert_eq!(spoken(&corpus), [vec!["old", "new", "new", "the"], vec!["new", "the"]]);
    assert_eq!((corpus.tokens(), corpus.dropped().tokens), (6, 2));
}

#[test]
fn limits_and_stop_words_choose_among_the_words_that_a_base_has_not() {
    let text = "the a a a b b c c c c";
    let stop_words = vec!["the".into(), "c".into()];
    let options = Options { max_vocabulary: Some(4), stop_words, ..with_base() };
    assert_eq!(words(text, &options), pairs(&[("the", 51), ("old", 10), ("gone", 3), ("a", 3)]));
    let options = Options { max_vocabulary: Some(1), ..with_base() };
    assert_eq!(words(text, &options), pairs(&[("the", 51), ("old", 10), ("gone", 3)]));
}

#[test]
fn a_text_without_a_word_of_the_base_or_a_frequent_one_is_an_error() {
    let message = read_text(b"unknown", &with_base()).unwrap_err().to_string();
    assert!(message.contains("the most frequent, \"unknown\", occurs once"), "{message}");
}
