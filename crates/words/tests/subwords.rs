//! Buckets of subwords, as fastText itself gives them (`formats/tests/golden/fasttext/make.py`).

use std::path::Path;

use inlay_formats::fasttext;
use inlay_words::subwords::Ngrams;
use serde_json::Value;

#[test]
fn subwords_have_the_rows_that_fasttext_gives_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../formats/tests/golden/fasttext");
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let mut compared = 0;
    for (file, said) in expected.as_object().unwrap() {
        let Some(words) = said["subwords"].as_object() else { continue };
        let model = fasttext::open(&folder.join(file)).unwrap();
        let (args, dictionary) = (&model.args, &model.dictionary);
        let (minn, maxn, bucket) = (args.minn, args.maxn, args.bucket);
        let ngrams = Ngrams { minn, maxn, words: args.word_ngrams, bucket };
        for (word, rows) in words {
            let wanted: Vec<u64> =
                rows.as_array().unwrap().iter().map(|row| row.as_u64().unwrap()).collect();
            let mut got: Vec<u64> =
                dictionary.names.find(word.as_bytes()).map(u64::from).into_iter().collect();
            ngrams.of_word(word.as_bytes(), |bucket| {
                got.push(dictionary.words as u64 + u64::from(bucket));
            });
            assert_eq!(got, wanted, "{file}: {word}");
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared}");
}
