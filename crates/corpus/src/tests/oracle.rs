//! The plainest reading of a text, and random texts to read.

use std::collections::HashMap;
use std::sync::LazyLock;

use inlay_base::Random;
use jieba_rs::Jieba;
use unicode_segmentation::UnicodeSegmentation;

use super::Said;
use crate::{Options, Sentences, Tokenizer};

/// What `Corpus::read` should say of these files. Spelling is not its business.
pub fn oracle(files: &[Vec<u8>], options: &Options) -> Said {
    let sentences: Vec<Vec<Vec<u8>>> =
        files.iter().flat_map(|file| sentences(file, options)).collect();
    let mut counts: HashMap<&[u8], u64> = HashMap::new();
    let mut met: Vec<&[u8]> = Vec::new();
    for word in sentences.iter().flatten() {
        let count = counts.entry(word).or_default();
        if *count == 0 {
            met.push(word);
        }
        *count += 1;
    }
    let mut words: Vec<(Vec<u8>, u64)> =
        met.iter().map(|&word| (word.to_vec(), counts[word])).collect();
    // A stable sort: ties stay as they first occur.
    words.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let all = words.len() as u64;
    let stopped = |word: &[u8]| options.stop_words.iter().any(|stop| stop.as_bytes() == word);
    words.retain(|(word, count)| *count >= options.min_count && !stopped(word));
    words.truncate(options.max_vocabulary.unwrap_or(usize::MAX));
    let ids: HashMap<&[u8], u32> =
        words.iter().enumerate().map(|(id, (word, _))| (word.as_slice(), id as u32)).collect();
    let numbered: Vec<Vec<u32>> = sentences
        .iter()
        .map(|words| words.iter().filter_map(|word| ids.get(word.as_slice()).copied()).collect())
        .filter(|ids: &Vec<u32>| !ids.is_empty())
        .collect();
    let tokens = words.iter().map(|(_, count)| count).sum();
    let dropped = (all - words.len() as u64, counts.values().sum::<u64>() - tokens);
    Said { words, sentences: numbered, tokens, dropped }
}

fn sentences(file: &[u8], options: &Options) -> Vec<Vec<Vec<u8>>> {
    let lines = file.split(|&byte| byte == b'\n');
    match options.sentences {
        Sentences::Line => lines.map(|line| words(line, options.tokenizer)).collect(),
        Sentences::Paragraph => {
            let mut paragraphs = vec![Vec::new()];
            for line in lines {
                if line.iter().all(|&byte| byte == 11 || byte.is_ascii_whitespace()) {
                    paragraphs.push(Vec::new());
                } else {
                    let last = paragraphs.last_mut().unwrap();
                    last.extend(words(line, options.tokenizer));
                }
            }
            paragraphs
        }
    }
}

static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);

fn words(line: &[u8], tokenizer: Tokenizer) -> Vec<Vec<u8>> {
    match tokenizer {
        Tokenizer::Whitespace => line
            .split(|&byte| byte == 11 || byte.is_ascii_whitespace())
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_vec)
            .collect(),
        Tokenizer::Words => {
            let line = std::str::from_utf8(line).unwrap();
            line.unicode_words().map(|word| word.as_bytes().to_vec()).collect()
        }
        // Of the letters of `random_text`.
        Tokenizer::Alphanumeric => {
            let line = std::str::from_utf8(line).unwrap();
            let runs = line.split(|letter| !"abZ0éß文_".contains(letter));
            let words = runs.filter(|run| run.chars().count() > 1);
            words.map(|word| word.as_bytes().to_vec()).collect()
        }
        Tokenizer::Chinese => {
            let line = std::str::from_utf8(line).unwrap();
            let parts = line.split(|letter: char| letter == '\x0B' || letter.is_ascii_whitespace());
            let cut = parts.flat_map(|part| JIEBA.cut(part, true)).map(|token| token.word);
            let words = cut.filter(|word| word.contains(char::is_alphanumeric));
            words.map(|word| word.as_bytes().to_vec()).collect()
        }
    }
}

/// A text of words of 1 to 70 bytes and a few longer ones, some of them often, with all kinds of
/// white space between; at its ends too.
pub fn random_text(random: &mut Random, words: usize) -> Vec<u8> {
    let gaps: [&str; 12] =
        [" ", " ", " ", " ", " ", "\n", "  ", "\t", "\r\n", "\n\n", "\n \t\r\n", "\x0B\x0C"];
    let letters = ["a", "b", "Z", "0", "'", ".", ",", "-", "é", "ß", "文", "😀", "\0", "_", ":"];
    let pick =
        |random: &mut Random, list: &[&'static str]| list[random.below(list.len() as u32) as usize];
    let mut text = String::new();
    for _ in 0..words {
        let length = match random.below(20) {
            0 => random.below(70),
            1 if random.below(20) == 0 => 200 + random.below(500),
            2..8 => random.below(20),
            _ => 1 + random.below(2), // few words, often
        };
        (0..length).for_each(|_| text.push_str(pick(random, &letters)));
        (0..=random.below(2)).for_each(|_| text.push_str(pick(random, &gaps)));
    }
    if random.below(2) == 0 {
        text.push('x'); // no white space at the end
    }
    text.into_bytes()
}
