use std::sync::mpsc::sync_channel;

use super::*;
use crate::source::Batch;

/// WordPiece over a few words, with special tokens around a text.
const SMALL: &str = r###"{
    "version": "1.0", "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
    "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
        "pad_type_id": 0, "pad_token": "[PAD]"},
    "added_tokens": [], "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
        "strip_accents": null, "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
    "decoder": null,
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "cat": 4, "##s": 5, "a": 6, "hat": 7}}
}"###;

fn open(json: &str, limit: usize) -> Result<Subwords> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, json).unwrap();
    Subwords::open(&path, limit)
}

fn tokenized(texts: &[&str], limit: usize, special: bool, threads: usize) -> Tokenized {
    let (sender, receiver) = sync_channel(1);
    let ends = texts.iter().scan(0, |end, text| {
        *end += text.len();
        Some(*end)
    });
    let batch = Batch::Texts { bytes: texts.concat().into_bytes(), ends: ends.collect() };
    sender.send(batch).unwrap();
    drop(sender);
    let run = Run::quiet(threads, 1);
    open(SMALL, limit).unwrap().tokenize(Source::Stream(receiver), special, &run).unwrap()
}

#[test]
fn texts_become_tokens_up_to_the_limit_and_are_counted_beyond_it() {
    let texts = ["A cat", "", "CATS hats cats", "dog"];
    for threads in [1, 2] {
        let found = tokenized(&texts, 5, true, threads);
        assert_eq!(found.texts.ids, [2, 6, 4, 3, 2, 3, 2, 4, 5, 7, 3, 2, 1, 3]);
        assert_eq!(found.texts.ends, [4, 6, 11, 14]);
        assert_eq!(found.counts, [4, 2, 8, 3]);
        let plain = tokenized(&texts, 5, false, threads);
        assert_eq!(plain.texts.ids, [6, 4, 4, 5, 7, 5, 4, 1]);
        assert_eq!(plain.counts, [2, 0, 6, 1]);
    }
}

#[test]
fn letters_are_made_small_before_all_else() {
    let cased = SMALL.replace(r#""lowercase": true"#, r#""lowercase": false"#);
    for (json, before) in [(cased.as_str(), 1), (SMALL, 4)] {
        let cased = open(json, 8).unwrap();
        let small = open(json, 8).unwrap().in_lower_case().unwrap();
        for (subwords, wanted) in [(&cased, before), (&small, 4)] {
            let mut ids = Vec::new();
            subwords.add("CAT", &mut subwords.memory(), &mut ids).unwrap();
            assert_eq!(ids, [wanted]);
        }
        let saved = open(&small.to_json(None).unwrap(), 8).unwrap();
        let mut ids = Vec::new();
        saved.add("CATS", &mut saved.memory(), &mut ids).unwrap();
        assert_eq!(ids, [4, 5], "what is written keeps that");
    }
}

#[test]
fn what_is_no_tokenizer_is_refused() {
    for (json, problem) in [
        ("", "no tokenizer that can be read"),
        ("{}", "no tokenizer that can be read"),
        (&SMALL.replace("WordPiece", "Magic"), "no tokenizer that can be read"),
        (
            &SMALL.replace(r#""decoder": null"#, "\"decoder\": {\"type\": \"a\u{1}\"}"),
            "control character",
        ),
    ] {
        let error = open(json, 8).err().unwrap();
        assert_eq!(error.code(), "INVALID_INPUT");
        assert!(error.to_string().contains(problem), "{error}");
    }
    // Inside of a decoder, of what is no UTF-8 it is seen only there.
    let strange = SMALL.replace(r#""decoder": null"#, r#""decoder": {"type": "~"}"#);
    let strange: Vec<u8> =
        strange.bytes().map(|byte| if byte == b'~' { 0xff } else { byte }).collect();
    assert!(Subwords::read(&strange).err().unwrap().contains("no tokenizer that can be read"));
    let error = open(SMALL, 2).err().unwrap().to_string();
    assert!(error.contains("adds 2 tokens to a text: a limit of 2 is too low"), "{error}");
    assert_eq!(Subwords::open(Path::new("none.json"), 8).err().unwrap().code(), "NOT_FOUND");
}

/// As `SMALL`, with a word that is found before texts are cut, and marks as tokens.
fn marked() -> String {
    let mask = r#"{"id": 8, "content": "[MASK]", "single_word": false, "lstrip": true, "rstrip": false,
        "normalized": false, "special": true}, {"id": 9, "content": "Café", "single_word": false,
        "lstrip": false, "rstrip": false, "normalized": true, "special": false}"#;
    let vocabulary = r###""hat": 7, "[MASK]": 8, "Café": 9, "[": 10, "]": 11, "mask": 12, "!": 13, "é": 14, "猫": 15"###;
    SMALL
        .replace(r#""added_tokens": []"#, &format!(r#""added_tokens": [{mask}]"#))
        .replace(r#""hat": 7"#, vocabulary)
}

/// Asserts that texts of these words have the tokens that the tokenizer finds in them as a whole.
fn assert_as_a_whole(json: &str, words: &[&str]) {
    let tokenizer = open(json, usize::MAX).unwrap();
    let mut whole = Tokenizer::from_bytes(json).unwrap();
    whole.with_padding(None).with_truncation(None).unwrap();
    assert!(tokenizer.by_words.is_some());
    let mut memory = Memory::default();
    for first in words {
        for second in words {
            for space in ["", " ", "  ", "\n\t", "\u{2003}"] {
                let text = format!("{first}{space}{second} cat");
                let mut ids = vec![7];
                tokenizer.add(&text, &mut memory, &mut ids).unwrap();
                let encoding = whole.encode_fast(text.as_str(), false).unwrap();
                assert_eq!(ids[1..], *encoding.get_ids(), "{text:?}");
            }
        }
    }
}

const WORDS: [&str; 34] = [
    "cat",
    "CATS!",
    "[MASK]",
    "[mask]",
    "cat[MASK]s",
    "café",
    "CAFE",
    "xcafey",
    "猫cat",
    "a\u{301}",
    "\u{301}",
    "\u{a0}",
    "hat\u{b}s",
    "!!",
    "a-hat",
    "\u{0}",
    "[",
    "é",
    "",
    " ",
    "[MASK",
    "\u{a8}a",
    "a\u{37a}",
    "\u{600}a",
    "ﷺ",
    "…",
    "¨",
    "ά",
    "\u{fc5e}",
    "a\u{fc5e}",
    "hat's",
    "2,000",
    "▁a",
    "한글",
];

#[test]
fn words_that_are_remembered_have_the_tokens_that_they_have_in_their_text() {
    assert_as_a_whole(&marked(), &WORDS);
}

#[test]
fn words_with_their_space_have_the_tokens_that_they_have_in_their_text() {
    let normalizers = [
        "null",
        r#"{"type": "NFKC"}"#,
        r#"{"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"},
            {"type": "Strip", "strip_left": false, "strip_right": true},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]}"#,
        r#"{"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]}"#,
    ];
    let metaspace = |scheme: &str| {
        format!(
            r#"{{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "{scheme}", "split": true}}"#
        )
    };
    let split = r#"{"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, "#;
    let cutters = [
        metaspace("always"),
        metaspace("first"),
        metaspace("never"),
        format!("{split}{}]}}", metaspace("always")),
        format!("{split}{}]}}", metaspace("first")),
        r#"{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}"#.into(),
        r#"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}"#.into(),
    ];
    // Every character of the words is a token, so that no difference is lost in unknown ones.
    let mut letters: Vec<String> =
        WORDS.concat().chars().chain("Ġ▁ '".chars()).map(String::from).collect();
    letters.extend((0x21..0x180).filter_map(char::from_u32).map(String::from));
    letters.extend(["▁a", "▁c", "▁cat", "at", "Ġc", "Ġcat", "▁▁"].map(String::from));
    letters.sort();
    letters.dedup();
    let scores = letters
        .iter()
        .enumerate()
        .map(|(i, token)| serde_json::json!([token, -1.0 - i as f64 / 1e3]));
    let scores = serde_json::to_string(&scores.collect::<Vec<_>>()).unwrap();
    let mask = r#"[{"id": 3, "content": "[MASK]", "single_word": false, "lstrip": true, "rstrip": false,
        "normalized": false, "special": true}]"#;
    for normalizer in normalizers {
        for cutter in &cutters {
            let json = format!(
                r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": {mask},
                "normalizer": {normalizer}, "pre_tokenizer": {cutter}, "post_processor": null, "decoder": null,
                "model": {{"type": "Unigram", "unk_id": 0, "vocab": {scores}}}}}"#
            );
            assert_as_a_whole(&json, &WORDS);
        }
    }
}

#[test]
fn tokenizers_that_look_over_spaces_read_texts_as_a_whole() {
    let with =
        |from: &str, to: &str| open(&marked().replace(from, to), 8).unwrap().by_words.is_none();
    let cutter = r#""pre_tokenizer": {"type": "BertPreTokenizer"}"#;
    assert!(with(cutter, r#""pre_tokenizer": null"#));
    let whole =
        r#"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": false}"#;
    assert!(with(cutter, &format!(r#""pre_tokenizer": {whole}"#)));
    assert!(with(r#""content": "[MASK]""#, r#""content": "[MA SK]""#));
    assert!(with(r#""rstrip": false"#, r#""rstrip": true"#));
    assert!(!with("Café", "Cafe"));
}

#[test]
fn memory_is_kept_and_its_words_are_forgotten_when_they_are_too_many() {
    let tokenizer = open(SMALL, 8).unwrap();
    let mut ids = Vec::new();
    for round in 0..2 {
        let mut memory = tokenizer.memory();
        for number in 0..70_000 {
            tokenizer.add(&format!("w{number} cats"), &mut memory, &mut ids).unwrap();
            assert_eq!(ids, [1, 4, 5], "{round} {number}");
            ids.clear();
        }
    }
    assert_eq!(tokenizer.memories.lock().unwrap().len(), 1);
}

#[test]
fn special_tokens_are_no_part_of_a_lesson_and_are_words_in_texts() {
    let tokenizer = open(&marked(), 8).unwrap();
    let Lesson { subwords, tokens, .. } = tokenizer.lesson(&[], &Run::quiet(1, 1)).unwrap();
    assert!(!tokens.contains(&8) && tokens.contains(&9), "{tokens:?}");
    let mut ids = Vec::new();
    subwords.add("[MASK] café", &mut Memory::default(), &mut ids).unwrap();
    assert_eq!(ids, [10, 12, 11, 9]);
}

#[test]
fn a_vocabulary_is_a_lesson_of_its_tokens_and_of_more_words() {
    let tokenizer = open(&SMALL.replace("\"hat\": 7", "\"hat\": 7, \"[unused3]\": 8"), 5).unwrap();
    let words = ["Hatter", "hat", "Cats", "a hat", "A  hat", "", "HATTER"].map(str::to_owned);
    let Lesson { subwords, tokens, texts } = tokenizer.lesson(&words, &Run::quiet(1, 1)).unwrap();
    assert_eq!(tokens, [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12]);
    let ends = &texts.texts.ends;
    assert_eq!(texts.texts.ids[..ends[1]], [2, 0, 3, 2, 1, 3]);
    // "hatter" is unknown; "cats" is two pieces.
    assert_eq!(texts.texts.ids[ends[7]..ends[9]], [2, 1, 3, 2, 4, 5, 3]);
    let mut ids = Vec::new();
    subwords.add("A HATTER with a hat: cats", &mut Memory::default(), &mut ids).unwrap();
    assert_eq!(ids, [6, 9, 1, 11, 1, 10]);
    assert_eq!(subwords.special(), 0);
    assert!(subwords.to_json(Some(7)).unwrap().contains("\"max_length\":7"));
}
