//! The vocabulary of a tokenizer by itself: each of its tokens as a text, and more words as tokens.

use std::collections::HashSet;

use inlay_base::{Error, Result, Run};
use serde_json::Value;
use tokenizers::{
    AddedToken, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer, Tokenizer,
};

use super::{Memory, Subwords, Tokenized};

/// Tokens of a vocabulary, each of which stands for itself in texts.
pub struct Lesson {
    /// The tokenizer, with more words than before and without special tokens around a text.
    pub subwords: Subwords,
    /// Which of its tokens are to be learnt, in order.
    pub tokens: Vec<u32>,
    /// What each of them is as a text of the tokenizer before, with special tokens around it.
    pub texts: Tokenized,
}

impl Subwords {
    /// A vocabulary's tokens as texts, and words that are to be tokens too: one that is cut off by itself becomes a word of
    /// a WordPiece vocabulary, any other is found before texts are cut. Words that are tokens already are left out, as are
    /// tokens that stand for nothing: special ones but the unknown and the padding one, and `[unused7]`.
    ///
    /// # Errors
    /// `InvalidInput` for a word that the tokenizer refuses; `Aborted`.
    pub fn lesson(&self, words: &[String], run: &Run) -> Result<Lesson> {
        let mut texts = Tokenized::default();
        let mut tokens = Vec::new();
        for (id, token) in self.vocabulary() {
            if !self.stands_for_something(id, &token) {
                continue;
            }
            tokens.push(id);
            let [before, behind] = &self.around;
            texts.texts.ids.extend(before.iter().chain([&id]).chain(behind));
            texts.texts.ends.push(texts.texts.ids.len());
            texts.counts.push((self.special() + 1) as u32);
        }
        let New { pieces, phrases } = self.new_words(words)?;
        if tokens.is_empty() && pieces.is_empty() && phrases.is_empty() {
            let (source, problem) = ("vocabulary".into(), "has no token to be learnt".into());
            return Err(Error::InvalidInput { source, offset: None, problem });
        }
        let mut memory = Memory::default();
        for word in pieces.iter().chain(&phrases) {
            run.check()?;
            texts.add(self, word, true, &mut memory)?;
        }
        let subwords = self.with_words(&pieces, &phrases)?;
        for word in pieces.iter().chain(&phrases) {
            let id = subwords.tokenizer.token_to_id(word);
            tokens.push(id.ok_or_else(|| Error::Internal(format!("`{word}` is no token")))?);
        }
        Ok(Lesson { subwords, tokens, texts })
    }

    /// All tokens by their numbers.
    pub fn vocabulary(&self) -> Vec<(u32, String)> {
        let all = self.tokenizer.get_vocab(true);
        let mut tokens: Vec<_> = all.into_iter().map(|(token, id)| (id, token)).collect();
        tokens.sort_unstable();
        tokens
    }

    fn stands_for_something(&self, id: u32, token: &str) -> bool {
        let number = token.strip_prefix("[unused").and_then(|rest| rest.strip_suffix(']'));
        let unused =
            number.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
        let special = self.tokenizer.get_added_vocabulary().is_special_token(token)
            && Some(id) != self.unknown
            && Some(id) != self.padding;
        !unused && !special
    }

    /// Words that are no tokens yet, as the tokenizer sees them.
    fn new_words(&self, words: &[String]) -> Result<New> {
        let mut new = New::default();
        let mut seen: HashSet<String> = self.tokenizer.get_vocab(true).into_keys().collect();
        let grows = self.by_words_of_pieces();
        for word in words {
            let (normalized, cut) = self.cut(word).map_err(|error| Error::InvalidInput {
                source: "vocabulary".into(),
                offset: None,
                problem: format!("`{word}` is no word for this tokenizer: {error}"),
            })?;
            let (word, whole) = match &cut[..] {
                [] => continue,
                [piece] if grows => (piece.clone(), true),
                _ => (normalized.trim().to_owned(), false),
            };
            if !word.is_empty() && seen.insert(word.clone()) {
                if whole { new.pieces.push(word) } else { new.phrases.push(word) }
            }
        }
        Ok(new)
    }

    /// Whether a word that is cut off by itself can be made a token by a line in the vocabulary.
    fn by_words_of_pieces(&self) -> bool {
        matches!(self.tokenizer.get_model(), tokenizers::ModelWrapper::WordPiece(_))
    }

    /// A word normalized, and what it is cut into before it becomes tokens.
    fn cut(&self, word: &str) -> tokenizers::Result<(String, Vec<String>)> {
        let mut normalized = NormalizedString::from(word);
        if let Some(normalizer) = self.tokenizer.get_normalizer() {
            normalizer.normalize(&mut normalized)?;
        }
        let text = normalized.get().to_owned();
        let mut cut = PreTokenizedString::from(normalized);
        if let Some(cutter) = self.tokenizer.get_pre_tokenizer() {
            cutter.pre_tokenize(&mut cut)?;
        }
        let splits = cut.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
        Ok((text, splits.into_iter().map(|(piece, ..)| piece.to_owned()).collect()))
    }

    fn with_words(&self, pieces: &[String], phrases: &[String]) -> Result<Subwords> {
        let failed = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
        let mut json: Value =
            serde_json::from_str(&self.to_json(None)?).map_err(|error| failed(&error))?;
        json["post_processor"] = Value::Null;
        // Where `[MASK]` stands in a text, it is three words like any others.
        if let Some(added) = json["added_tokens"].as_array_mut() {
            let kept = [self.unknown, self.padding].map(|id| id.map(Value::from));
            added.retain(|token| {
                token["special"] != true || kept.contains(&Some(token["id"].clone()))
            });
        }
        if !pieces.is_empty() {
            let next = self.vocabulary().last().map_or(0, |(id, _)| id + 1);
            let vocabulary = json["model"]["vocab"].as_object_mut();
            let vocabulary = vocabulary.ok_or_else(|| failed(&"a model without a vocabulary"))?;
            vocabulary.extend(pieces.iter().cloned().zip((next..).map(Value::from)));
        }
        let mut tokenizer: Tokenizer =
            serde_json::from_value(json).map_err(|error| failed(&error))?;
        let added = phrases.iter().map(|phrase| {
            AddedToken::from(phrase.as_str(), false).normalized(true).single_word(true)
        });
        tokenizer.add_tokens(added).map_err(|error| failed(&error))?;
        let json = tokenizer.to_string(false).map_err(|error| failed(&error))?;
        let mut made = Subwords::read(json.as_bytes()).map_err(|problem| failed(&problem))?;
        made.padding = self.padding;
        Ok(made)
    }
}

/// Words that become tokens.
#[derive(Default)]
struct New {
    /// In the vocabulary.
    pieces: Vec<String>,
    /// Beside it.
    phrases: Vec<String>,
}
