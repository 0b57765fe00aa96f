//! Chinese words, by jieba's dictionary and, for what it lacks, its hidden Markov model.

use std::sync::LazyLock;

use jieba_rs::Jieba;

static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// Calls `word` with the ends of each word in `text` that holds a letter or a digit. What is not
/// UTF-8 holds no words.
pub fn words(text: &[u8], mut word: impl FnMut(usize, usize)) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return word(0, text.len());
    }
    for part in JIEBA.cut(text, true) {
        if part.word.chars().any(char::is_alphanumeric) {
            word(part.byte_start, part.byte_end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        words(text.as_bytes(), |start, end| found.push(&text[start..end]));
        found
    }

    #[test]
    fn words_are_those_of_the_dictionary_without_punctuation() {
        assert_eq!(
            found("我来到北京清华大学,他来到了网易杭研大厦。"),
            ["我", "来到", "北京", "清华大学", "他", "来到", "了", "网易", "杭研", "大厦"]
        );
        assert_eq!(found("用GPU训练word2vec模型"), ["用", "GPU", "训练", "word2vec", "模型"]);
        assert_eq!(found("。,!"), [""; 0]);
    }
}
