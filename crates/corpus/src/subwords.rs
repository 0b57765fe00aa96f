//! Texts as the tokens of a pretrained model: a `tokenizer.json` of Hugging Face, with WordPiece, byte-pair encoding or
//! Unigram.

use std::path::Path;

use inlay_base::{Error, Result, Run};
use tokenizers::{PostProcessor, Tokenizer, TruncationParams};

use crate::numbered::Numbered;
use crate::options::Sentences;
use crate::source::Source;
use crate::texts::{Part, Reading, each_part};

/// The largest file that is read: those of the largest vocabularies have some tens of megabytes.
const LARGEST: u64 = 1 << 28;

/// How a model cuts texts into tokens.
pub struct Subwords {
    tokenizer: Tokenizer,
    /// Tokens of a text at most, the special ones among them.
    limit: usize,
}

/// Texts as tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokenized {
    /// Of each text as many tokens as the limit allows.
    pub texts: Numbered,
    /// How many tokens each text has, those beyond the limit too.
    pub counts: Vec<u32>,
}

impl Subwords {
    /// Reads a `tokenizer.json`. What it says of padding and truncation is left aside: `limit` holds.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` if it is none, or the limit has no room for a token beside the special ones.
    pub fn open(path: &Path, limit: usize) -> Result<Self> {
        let invalid = |problem: String| Error::invalid_file(path, None, problem);
        let size =
            std::fs::metadata(path).map_err(|error| Error::io("reading", path, &error))?.len();
        if size > LARGEST {
            return Err(invalid(format!("{size} bytes are too many for a tokenizer")));
        }
        let bytes = std::fs::read(path).map_err(|error| Error::io("reading", path, &error))?;
        let mut tokenizer = Tokenizer::from_bytes(bytes)
            .map_err(|error| invalid(format!("is no tokenizer that can be read: {error}")))?;
        let special = tokenizer.get_post_processor().map_or(0, |added| added.added_tokens(false));
        if limit <= special {
            let problem = format!("adds {special} tokens to a text: a limit of {limit} is too low");
            return Err(invalid(problem));
        }
        tokenizer.with_padding(None);
        let truncation = TruncationParams { max_length: limit, ..TruncationParams::default() };
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(|error| invalid(format!("cannot cut texts: {error}")))?;
        Ok(Self { tokenizer, limit })
    }

    /// How many tokens there are.
    pub fn size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// The tokens of each text of a source: each line of a file, each item of a stream; `special` says whether with
    /// those that stand around a text. Nothing depends on the number of threads.
    ///
    /// # Errors
    /// As `each_part`; `InvalidInput` for a text that the tokenizer refuses.
    pub fn tokenize(&self, source: Source, special: bool, run: &Run) -> Result<Tokenized> {
        run.phase("tokenize", "texts", 0, None);
        let reading = Reading { texts: Sentences::Line, ..Reading::default() };
        let work = |_: &mut (), part: &Part| {
            let mut found = Tokenized::default();
            for text in part.texts.clone() {
                run.check()?;
                let bytes = part.batch.text(text);
                self.add(&String::from_utf8_lossy(&bytes), special, &mut found)?;
            }
            run.advance(part.texts.len() as u64);
            Ok(found)
        };
        let (_, parts) = each_part(source, reading, run, || (), work)?;
        let mut all = Tokenized::default();
        for part in parts {
            let before = all.texts.ids.len();
            all.texts.ids.extend(part.texts.ids);
            all.texts.ends.extend(part.texts.ends.into_iter().map(|end| before + end));
            all.counts.extend(part.counts);
        }
        Ok(all)
    }

    fn add(&self, text: &str, special: bool, found: &mut Tokenized) -> Result<()> {
        let encoding =
            self.tokenizer.encode_fast(text, special).map_err(|error| Error::InvalidInput {
                source: "a text".into(),
                offset: None,
                problem: format!("is none for this tokenizer: {error}"),
            })?;
        // Each part beyond the limit has special tokens again.
        let around = match special {
            true => {
                self.tokenizer.get_post_processor().map_or(0, |added| added.added_tokens(false))
            }
            false => 0,
        };
        let beyond =
            encoding.get_overflowing().iter().map(|part| part.len().saturating_sub(around));
        found.counts.push((encoding.len() + beyond.sum::<usize>()) as u32);
        let ids = encoding.get_ids();
        found.texts.ids.extend_from_slice(&ids[..ids.len().min(self.limit)]);
        found.texts.ends.push(found.texts.ids.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
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
    fn what_is_no_tokenizer_is_refused() {
        for (json, problem) in [
            ("", "no tokenizer that can be read"),
            ("{}", "no tokenizer that can be read"),
            (&SMALL.replace("WordPiece", "Magic"), "no tokenizer that can be read"),
        ] {
            let error = open(json, 8).err().unwrap();
            assert_eq!(error.code(), "INVALID_INPUT");
            assert!(error.to_string().contains(problem), "{error}");
        }
        let error = open(SMALL, 2).err().unwrap().to_string();
        assert!(error.contains("adds 2 tokens to a text: a limit of 2 is too low"), "{error}");
        assert_eq!(Subwords::open(Path::new("none.json"), 8).err().unwrap().code(), "NOT_FOUND");
    }
}
