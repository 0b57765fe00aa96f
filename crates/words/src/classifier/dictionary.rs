use std::cmp::Reverse;

use inlay_base::{Error, Result};
use inlay_corpus::Corpus;
use inlay_formats::Names;
use inlay_formats::fasttext::Dictionary;
use inlay_vectors::WordVectors;

use super::Options;
use crate::subwords::END_OF_LINE;

/// The words and labels of a text in fastText's order: words, then labels, each by falling count,
/// ties as they first occur. Each line's end is a word. Words that have a vector already are kept
/// whatever their count, as in fastText, also those that the text does not have.
pub(super) fn dictionary(
    corpus: &Corpus,
    options: &Options,
    initial: Option<&WordVectors>,
) -> Result<Dictionary> {
    let has_vector = |word: &[u8]| initial.is_some_and(|v| v.names().find(word).is_some());
    let (mut words, mut labels) = (Vec::<(&[u8], u64)>::new(), Vec::<(&[u8], u64)>::new());
    let mut lines = corpus.sentences();
    for (name, &count) in corpus.names().iter().zip(corpus.counts()) {
        if name.starts_with(&options.label_prefix) {
            if count >= options.min_count_label {
                labels.push((name, count));
            }
        } else if name == END_OF_LINE {
            lines += count;
        } else if count >= options.min_count || has_vector(name) {
            words.push((name, count));
        }
    }
    if lines >= options.min_count || has_vector(END_OF_LINE) {
        words.push((END_OF_LINE, lines));
    }
    if let Some(initial) = initial {
        let is_new = |name: &&[u8]| {
            corpus.names().find(name).is_none()
                && *name != END_OF_LINE
                && !name.starts_with(&options.label_prefix)
        };
        // A name that comes twice has its first row.
        let first = |(row, name): &(u32, &[u8])| initial.names().find(name) == Some(*row);
        let names = (0..).zip(initial.names().iter()).filter(first).map(|(_, name)| name);
        words.extend(names.filter(is_new).map(|name| (name, 1)));
    }
    // The corpus has them in this order already, but for the end of a line.
    words.sort_by_key(|&(_, count)| Reverse(count));
    if labels.is_empty() {
        let prefix = String::from_utf8_lossy(&options.label_prefix);
        let problem = format!(
            "has no label: no word begins with `{prefix}` and occurs {} times",
            options.min_count_label.max(1)
        );
        return Err(Error::InvalidInput { source: "the text".into(), offset: None, problem });
    }
    let all = words.iter().chain(&labels);
    let names = Names::new(all.clone().map(|&(name, _)| name))?;
    let counts = all.map(|&(_, count)| count).collect();
    let tokens = corpus.tokens() + corpus.dropped().tokens + corpus.sentences();
    Ok(Dictionary { names: names.into(), counts, words: words.len(), tokens, pruned: None })
}
