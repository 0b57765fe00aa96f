//! Encoders over whatever gives vectors of words, also of words that nobody has seen.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use inlay_base::{Pool, Priority, Run};
use inlay_corpus::{Batch, Normalization, Tokenizer};
use inlay_formats::Names;
use inlay_vectors::WordVectors;
use inlay_words::sentences::{
    Encoded, MeanEncoder, Options, Statistics, Weighting, WordSource, means_of_rows,
};

/// A vector for any word: its length, and whether it has a number.
struct AnyWord(Arc<Names>);

impl WordSource for AnyWord {
    fn names(&self) -> &Arc<Names> {
        &self.0
    }

    fn dimensions(&self) -> usize {
        2
    }

    fn give(&self, word: &[u8], number: Option<u32>, into: &mut [f32]) -> bool {
        into.copy_from_slice(&[word.len() as f32, f32::from(number.is_some())]);
        true
    }

    fn counts(&self) -> Option<&[u64]> {
        Some(&[3, 1])
    }

    fn vectors(&self) -> Option<&WordVectors> {
        None
    }
}

fn encoder(weights: Weighting) -> MeanEncoder {
    let names = Arc::new(Names::new(["a", "bb"]).unwrap());
    let (tokenizer, normalization) = (Tokenizer::Whitespace, Normalization::None);
    let options = Options { tokenizer, lowercase: false, normalization, weights };
    let run = Run::quiet(1, 1);
    MeanEncoder::new(Arc::new(AnyWord(names)), options, &Statistics::default(), &run).unwrap()
}

fn encode(encoder: &MeanEncoder, texts: &[&str], threads: usize) -> Encoded {
    let (sender, receiver) = sync_channel(texts.len());
    for text in texts {
        let bytes = text.as_bytes().to_vec();
        let ends = vec![bytes.len()];
        sender.send(Batch::Texts { bytes, ends }).unwrap();
    }
    drop(sender);
    encoder.encode(receiver, &Run::quiet(threads, 1)).unwrap()
}

#[test]
fn words_that_have_a_vector_and_no_number_count_as_the_rarest() {
    let equal = encode(&encoder(Weighting::Equal), &["a bb unseen", ""], 1);
    assert_eq!(equal, Encoded { values: vec![3.0, 2.0 / 3.0, 0.0, 0.0], known: vec![3, 0] });
    let weighted = encode(&encoder(Weighting::Frequency(0.25)), &["a unseen"], 1);
    // 0.25 / (0.25 + 3/4) for "a", 1 for what has no count.
    assert_eq!(weighted.values, [(0.25 + 6.0) / 2.0, 0.25 / 2.0]);
}

#[test]
fn a_stream_and_the_pool_give_the_same_rows() {
    let texts: Vec<String> = (0..1000).map(|i| format!("a {} bb", "x".repeat(i % 17))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let encoder = encoder(Weighting::Frequency(1e-3));
    let expected = encode(&encoder, &texts, 1);
    assert_eq!(encode(&encoder, &texts, 4), expected);
    let pool = Pool::new(3).unwrap();
    assert_eq!(encoder.encode_now(&texts, &pool.at(Priority::Batch)).unwrap(), expected);
}

#[test]
fn an_encoder_over_more_than_vectors_is_not_saved() {
    let path = tempfile::tempdir().unwrap().path().join("encoder");
    let error = encoder(Weighting::Equal).save(&path, &Run::quiet(1, 1)).unwrap_err();
    assert_eq!(error.code(), "UNSUPPORTED");
}

#[test]
fn groups_of_rows_have_weighted_means_and_rows_of_zeros_are_left_out() {
    let rows = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 4.0, 4.0];
    let run = Run::quiet(2, 1);
    let means = means_of_rows(&rows, 2, &[3.0, 1.0, 9.0, 0.5], &[0, 3, 3, 4], &run).unwrap();
    assert_eq!(means.values, [0.0, 0.0, 0.75, 0.25, 0.0, 0.0, 4.0, 4.0]);
    assert_eq!(means.known, [0, 2, 0, 1]);
}
