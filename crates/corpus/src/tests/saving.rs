use std::fs;

use inlay_base::{Error, Run};

use super::{all_words, read_text, said};
use crate::{Corpus, Options};

fn some_corpus() -> Corpus {
    let text = "the cat __proto__ the\nÄrger the\n\n".repeat(500);
    let options = Options { stop_words: vec!["cat".into()], ..all_words() };
    read_text(text.as_bytes(), &options).unwrap()
}

#[test]
fn a_saved_corpus_opens_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("corpus.safetensors");
    let corpus = some_corpus();
    let run = Run::quiet(2, 1);
    corpus.save(&path, &run).unwrap();
    let opened = Corpus::open(&path).unwrap();
    assert_eq!(said(&opened), said(&corpus));
    assert_eq!(opened.fingerprint(), corpus.fingerprint());
    assert_eq!(opened.names().find("Ärger".as_bytes()), corpus.names().find("Ärger".as_bytes()));
    opened.release(0..opened.ids().len());
    assert_eq!(said(&opened), said(&corpus), "released ids are read again");

    let again = folder.path().join("again.safetensors");
    opened.save(&again, &run).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap());
    opened.save(&path, &run).unwrap(); // over the file that it is mapped from
    assert_eq!(said(&opened), said(&corpus));
}

#[test]
fn the_same_text_gives_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |name: &str| {
        let path = folder.path().join(name);
        some_corpus().save(&path, &Run::quiet(1, 1)).unwrap();
        fs::read(path).unwrap()
    };
    assert_eq!(bytes("a"), bytes("b"));
}

#[test]
fn an_aborted_save_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("corpus.safetensors");
    fs::write(&path, "old").unwrap();
    let stop = std::sync::Arc::new(true.into());
    let run = Run::new(1, 1, stop, Box::new(|_| ()));
    assert_eq!(some_corpus().save(&path, &run), Err(Error::Aborted));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_no_corpus_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    some_corpus().save(&path, &Run::quiet(1, 1)).unwrap();
    let whole = fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = Corpus::open(&path).unwrap_err();
        assert!(matches!(error, Error::InvalidInput { .. }), "{error}");
    };
    for length in (0..whole.len()).step_by(whole.len() / 60 + 1) {
        refused(&whole[..length]);
    }
    let replaced = |from: &str, to: &str| {
        let at = whole.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    refused(&replaced(r#"\"corpus\""#, r#"\"korpus\""#));
    refused(&replaced(r#"\"version\":1"#, r#"\"version\":2"#));
    refused(&replaced(r#"\"tokens\":2500"#, r#"\"tokens\":2501"#));
    refused(&replaced(r#""ids""#, r#""idz""#));
    refused(&replaced(r#""counts""#, r#""kounts""#));
    assert_eq!(Corpus::open(&folder.path().join("missing")).unwrap_err().code(), "NOT_FOUND");
}
