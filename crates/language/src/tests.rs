use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use inlay_base::{Error, Random, Result, Run};
use inlay_corpus::{Corpus, Normalization, Options, Source, Tokenizer};

use super::*;

const SPELLING: Spelling = Spelling {
    tokenizer: Tokenizer::Whitespace,
    lowercase: false,
    normalization: Normalization::None,
};
const ALL: Vocabulary = Vocabulary { min_count: 1, most: None };

fn corpus(text: &str) -> Corpus {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    fs::write(&path, text).unwrap();
    let files = Source::Files(vec![path.to_str().unwrap().to_string()]);
    Corpus::read(files, &Options { min_count: 1, ..Options::default() }, &Run::quiet(1, 1)).unwrap()
}

fn smoothing(order: usize) -> Smoothing {
    Smoothing { order, thresholds: vec![0; order], fallback: Some([0.5, 1.0, 1.5]) }
}

fn room() -> Room {
    Room::new(1 << 30, None)
}

fn estimate(text: &str, smoothing: &Smoothing) -> Result<Model> {
    Model::estimate(&corpus(text), ALL, smoothing, SPELLING, &room(), &Run::quiet(1, 1))
}

fn arpa(model: &Model) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.arpa");
    model.write_arpa(&path, &Run::quiet(2, 1)).unwrap();
    fs::read_to_string(path).unwrap()
}

/// Sentences of a small language in which words depend on the two before them.
fn sentences(count: usize, seed: u64) -> String {
    let mut random = Random::new(seed, 0);
    let mut text = String::new();
    for _ in 0..count {
        let (mut a, mut b) = (0, 0);
        for _ in 0..1 + random.below(9) {
            let next = (3 * a + 5 * b + random.below(4) * random.below(4) + 1) % 40;
            text += &format!("w{next} ");
            (a, b) = (b, next);
        }
        text += "\n";
    }
    text
}

/// Every n-gram, its words oldest first, with log10 probability and back-off, straight from the formulas
/// and in f64.
fn plain(
    text: &str,
    thresholds: &[u32],
    discounts: &[[f32; 3]],
) -> BTreeMap<Vec<String>, (f64, f64)> {
    let order = thresholds.len();
    let mut seen: Vec<BTreeMap<Vec<String>, u64>> = vec![BTreeMap::new(); order + 1];
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let words = std::iter::once("<s>").chain(line.split_whitespace()).chain(["</s>"]);
        let words: Vec<String> = words.map(str::to_string).collect();
        for end in 2..=words.len() {
            for m in 1..=order.min(end) {
                *seen[m].entry(words[end - m..end].to_vec()).or_default() += 1;
            }
        }
    }
    let mut counts = seen.clone();
    for m in 1..order {
        let mut extended: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
        for words in seen[m + 1].keys() {
            extended.entry(words[1..].to_vec()).or_default().insert(words[0].clone());
        }
        for (words, count) in &mut counts[m] {
            if words[0] != "<s>" {
                *count = extended[words].len() as u64;
            }
        }
    }
    let discount = |m: usize, count: u64| match count {
        0 => 0.0,
        _ => f64::from(discounts[m - 1][count.min(3) as usize - 1]),
    };
    let mut made: BTreeMap<Vec<String>, (f64, f64)> = BTreeMap::new();
    let total: u64 = counts[1].values().sum();
    let gamma = counts[1].values().map(|&count| discount(1, count)).sum::<f64>() / total as f64;
    let uniform = gamma / (counts[1].len() + 1) as f64;
    made.insert(vec!["<unk>".into()], (uniform, 1.0));
    made.insert(vec!["<s>".into()], (1.0, 1.0));
    for (words, &count) in &counts[1] {
        made.insert(
            words.clone(),
            ((count as f64 - discount(1, count)) / total as f64 + uniform, 1.0),
        );
    }
    for m in 2..=order {
        let mut sums: BTreeMap<Vec<String>, (f64, f64)> = BTreeMap::new();
        let pruned = |words: &Vec<String>| {
            let threshold = u64::from(thresholds[m - 1]);
            threshold > 0 && seen[m][words] <= threshold
        };
        for (words, &count) in &counts[m] {
            let (sum, left) = sums.entry(words[..m - 1].to_vec()).or_default();
            *sum += count as f64;
            *left += if pruned(words) { count as f64 } else { discount(m, count) };
        }
        for (context, (sum, left)) in &sums {
            if let Some(of_context) = made.get_mut(context) {
                of_context.1 = left / sum;
            }
        }
        for (words, &count) in counts[m].iter().filter(|(words, _)| !pruned(words)) {
            let (sum, left) = sums[&words[..m - 1]];
            let p = (count as f64 - discount(m, count)) / sum + left / sum * made[&words[1..]].0;
            made.insert(words.clone(), (p, 1.0));
        }
    }
    made.into_iter().map(|(words, (p, backoff))| (words, (p.log10(), backoff.log10()))).collect()
}

fn lines(arpa: &str) -> BTreeMap<Vec<String>, (f64, f64)> {
    let numbers = arpa.lines().filter(|line| line.contains('\t'));
    let parsed = numbers.map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let words = fields[1].split(' ').map(str::to_string).collect();
        let backoff = fields.get(2).map_or(0.0, |text| text.parse().unwrap());
        (words, (fields[0].parse().unwrap(), backoff))
    });
    parsed.collect()
}

#[test]
fn all_orders_are_as_the_formulas_say_pruned_or_not() {
    for (order, thresholds) in
        [(1, vec![0]), (2, vec![0, 0]), (3, vec![0, 0, 1]), (5, vec![0; 5]), (4, vec![0, 1, 2, 2])]
    {
        let text = sentences(150, order as u64);
        let smoothing = Smoothing { thresholds, ..smoothing(order) };
        let uniform = "a b\n".repeat(3);
        for text in [&text[..], "one sentence\n", "\n\na\n", &uniform] {
            let run = Run::quiet(2, 1);
            let model = Model::estimate(&corpus(text), ALL, &smoothing, SPELLING, &room(), &run);
            let model = model.unwrap();
            let discounts = &model.estimation().unwrap().discounts;
            let wanted = plain(text, &smoothing.thresholds, discounts);
            let found = lines(&arpa(&model));
            assert!(found.keys().eq(wanted.keys()), "order {order}");
            for (words, wanted) in wanted {
                let found = found[&words];
                let off = (found.0 - wanted.0).abs().max((found.1 - wanted.1).abs());
                assert!(off < 1e-5, "{words:?} {found:?} {wanted:?}");
            }
        }
    }
}

/// What lmplz (KenLM 4cb443e) writes for `fixtures/sentences.txt`, line by line:
///
/// ```sh
/// lmplz -o 3 --text sentences.txt --arpa sentences.3.arpa
/// lmplz -o 4 --prune 0 0 1 --text sentences.txt --arpa sentences.4.pruned.arpa
/// ```
#[test]
fn files_are_those_of_lmplz_byte_for_byte() {
    let text = include_str!("../fixtures/sentences.txt");
    for (order, prune, wanted) in [
        (3, [0, 0, 0, 0], include_str!("../fixtures/sentences.3.arpa")),
        (4, [0, 0, 1, 1], include_str!("../fixtures/sentences.4.pruned.arpa")),
    ] {
        let thresholds = prune[..order].to_vec();
        let smoothing = Smoothing { order, thresholds, fallback: None };
        assert_eq!(arpa(&estimate(text, &smoothing).unwrap()), wanted);
    }
}

#[test]
fn memory_and_threads_change_no_byte() {
    let (text, smoothing) = (sentences(12_000, 7), smoothing(5));
    let made = |memory, threads| {
        let room = Room::new(memory, None);
        let run = Run::quiet(threads, 1);
        let model = Model::estimate(&corpus(&text), ALL, &smoothing, SPELLING, &room, &run);
        let (model, folder) = (model.unwrap(), tempfile::tempdir().unwrap());
        let path = folder.path().join("model");
        model.save(&path, None, &run).unwrap();
        (arpa(&model), fs::read(path).unwrap())
    };
    let whole = made(1 << 30, 1);
    assert!(whole.1.len() > 1_000_000, "a table has several zones");
    assert!(whole == made(0, 3) && whole == made(100_000, 2));
}

#[test]
fn a_file_gives_the_same_scores_and_the_same_arpa() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let run = Run::quiet(2, 1);
    let model = estimate(&sentences(300, 3), &smoothing(4)).unwrap();
    model.save(&at("m.safetensors"), None, &run).unwrap();
    let opened = Model::open(&at("m.safetensors")).unwrap();
    assert_eq!(arpa(&opened), arpa(&model));
    assert_eq!(opened.estimation(), model.estimation());
    model.write_arpa(&at("m.arpa.gz"), &run).unwrap();
    assert!(fs::read(at("m.arpa.gz")).unwrap().starts_with(&[0x1F, 0x8B]));
    let read = Model::read_arpa(&at("m.arpa.gz"), SPELLING, &room(), &run).unwrap();
    assert_eq!(arpa(&read), arpa(&model));
    let test = corpus(&sentences(50, 4));
    let found = model.evaluate(&test, &run).unwrap();
    assert_eq!(opened.evaluate(&test, &run).unwrap(), found);
    assert_eq!(read.evaluate(&test, &Run::quiet(1, 1)).unwrap(), found);
    assert_eq!(found.sentences, 50);
}

#[test]
fn scores_back_off_as_the_file_says() {
    let text = sentences(200, 5);
    let model = estimate(&text, &smoothing(3)).unwrap();
    let file = lines(&arpa(&model));
    let words = "<s> w1 w9 nothing w2 w1 w9 w4 </s>".split(' ').collect::<Vec<_>>();
    let key = |words: &[&str]| -> Vec<String> {
        let known = |word: &&str| if *word == "nothing" { "<unk>" } else { *word }.to_string();
        words.iter().map(known).collect()
    };
    let mut state = Scorer::new(&model).begin();
    for end in 1..words.len() {
        let score = Scorer::new(&model)
            .step(&mut state, if end == 8 { END } else { model.number(words[end].as_bytes()) });
        let (mut wanted, mut order) = (0.0, 0);
        for m in (1..=3.min(end + 1)).rev() {
            if let Some((p, _)) = file.get(&key(&words[end + 1 - m..=end])) {
                (wanted, order) = (wanted + p, m);
                break;
            }
            wanted += file.get(&key(&words[end + 1 - m..end])).map_or(0.0, |(_, backoff)| *backoff);
        }
        assert_eq!(usize::from(score.order), order, "{end}");
        assert!((f64::from(score.probability) - wanted).abs() < 1e-5, "{end}");
    }
}

#[test]
fn the_words_after_a_context_sum_to_one_and_are_drawn_as_often_as_they_are_likely() {
    let run = Run::quiet(1, 1);
    let model = estimate(&sentences(300, 6), &smoothing(3)).unwrap();
    let scorer = Scorer::new(&model);
    let mut state = scorer.begin();
    let mut all = Vec::new();
    for word in ["w1", "w9", "nothing"] {
        scorer.distribution(&state, &mut all, &run).unwrap();
        let sum: f64 = all.iter().map(|&log| 10f64.powf(f64::from(log))).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        for (number, &log) in (0..).zip(&all).filter(|&(number, _)| number != BEGIN) {
            assert_eq!(scorer.step(&mut state.clone(), number).probability, log);
        }
        scorer.step(&mut state, model.number(word.as_bytes()));
    }
    let begin = Context { begin: true, words: &[] };
    let likeliest = model.likeliest(begin, 3, &run).unwrap();
    let (word, log) = likeliest[0];
    let drawing = Drawing { most: 1, temperature: 1.0 };
    let mut random = Random::new(5, 0);
    let hits =
        (0..2000).filter(|_| model.draw(begin, drawing, &mut random, &run).unwrap() == [word]);
    let (hits, p) = (hits.count() as f64, 10f64.powf(f64::from(log)));
    assert!((hits / 2000.0 - p).abs() < 5.0 * (p / 2000.0).sqrt(), "{hits} {p}");
}

#[test]
fn a_context_leads_to_the_same_words_before_tables_are_made_and_after() {
    let run = Run::quiet(1, 1);
    let model = estimate(&sentences(300, 6), &smoothing(4)).unwrap();
    let words = ["w1", "w9", "w2"].map(|word| model.number(word.as_bytes()));
    for begin in [true, false] {
        let context = Context { begin, words: &words };
        let found = |model: &Model| {
            let mut all = Vec::new();
            let scorer = Scorer::new(model);
            scorer.distribution(&scorer.after(context), &mut all, &run).unwrap();
            all
        };
        let fresh = estimate(&sentences(300, 6), &smoothing(4)).unwrap();
        let sorted = found(&fresh);
        let likeliest = fresh.likeliest(context, 9, &run).unwrap();
        assert_eq!(found(&fresh), sorted);
        assert_eq!(fresh.likeliest(context, 9, &run).unwrap(), likeliest);
        assert!(likeliest.iter().all(|&(word, log)| sorted[word as usize] == log));
    }
}

#[test]
fn rare_words_are_unknown_words() {
    let text = "a b a b c\na b d\na b a\n".repeat(2);
    let vocabulary = Vocabulary { min_count: 4, most: None };
    let (corpus, run) = (corpus(&text), Run::quiet(1, 1));
    let model =
        Model::estimate(&corpus, vocabulary, &smoothing(3), SPELLING, &room(), &run).unwrap();
    let renamed = estimate(&text.replace(['c', 'd'], "RARE"), &smoothing(3)).unwrap();
    assert_eq!(model.names().len(), 5);
    // The word in the place of `<unk>` makes one word more of the vocabulary.
    let (of_model, of_other) = (lines(&arpa(&model)), lines(&arpa(&renamed)));
    let p = |lines: &BTreeMap<_, (f64, f64)>, words: &str| {
        lines[&words.split(' ').map(str::to_string).collect::<Vec<_>>()].0
    };
    assert!((p(&of_model, "a b <unk>") - p(&of_other, "a b RARE")).abs() < 0.02);
    let one = Vocabulary { min_count: 1, most: Some(1) };
    let model = Model::estimate(&corpus, one, &smoothing(2), SPELLING, &room(), &run).unwrap();
    assert_eq!(model.names().len(), 4);
}

#[test]
fn texts_that_give_no_model_are_errors() {
    let problem = |text: &str, fallback| {
        let outcome = estimate(text, &Smoothing { fallback, ..smoothing(3) });
        outcome.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(problem("a b c\n", None).contains("`discountFallback`"));
    assert!(problem("a <s> c\n", Some([0.5; 3])).contains("`<s>`"));
    assert!(problem("a </s> c\n", Some([0.5; 3])).contains("`</s>`"));
    assert_eq!(problem("<unk>\n", Some([0.5; 3])), "");
}

#[test]
fn an_abort_ends_the_estimation() {
    let stop = Arc::new(AtomicBool::new(true));
    let run = Run::new(1, 1, stop, Box::new(|_| ()));
    let outcome = Model::estimate(&corpus("a b\n"), ALL, &smoothing(2), SPELLING, &room(), &run);
    assert_eq!(outcome.err(), Some(Error::Aborted));
}

fn read_arpa(path: &Path, bytes: &[u8]) -> std::result::Result<Model, String> {
    fs::write(path, bytes).unwrap();
    Model::read_arpa(path, SPELLING, &room(), &Run::quiet(1, 1)).map_err(|error| error.to_string())
}

#[test]
fn damaged_arpa_files_are_errors_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.arpa");
    let good = "\\data\\\nngram 1=4\nngram 2=1\n\n\\1-grams:\n-1\t<unk>\n-99\t<s>\t-0.3\n-1\t</s>\n\
-0.5\ta\t-0.1\n\n\\2-grams:\n-0.2\t<s> a\n\n\\end\\\n";
    assert!(read_arpa(&path, good.as_bytes()).is_ok());
    assert!(
        read_arpa(&path, format!("a comment\n{}", good.replace('\n', "\r\n")).as_bytes()).is_ok()
    );
    for (from, to, problem) in [
        ("ngram 1=4", "ngram 1=400000000000", "ends 4 n-grams of order 1"),
        ("ngram 1=4", "ngram 2=4", "is not `ngram ORDER=COUNT`"),
        ("-0.5\ta", "0.5\ta", "byte 68: is not log10 probability"),
        ("-0.5\ta", "nan\ta", "is not log10 probability"),
        ("-0.5\ta\t-0.1", "-0.5\ta\t-0.1\t7", "is not log10 probability"),
        ("-0.2\t<s> a", "-0.2\t<s> b", "has a word without a unigram"),
        ("-0.2\t<s> a", "-0.2\t<s>", "is not log10 probability, 2 words"),
        ("-0.2\t<s> a\n", "-0.2\t<s> a\n-0.3\t<s> a\n", "ends 2 n-grams of order 2, 1"),
        ("-1\t</s>", "-1\tb", "has no unigram `</s>`"),
        ("-1\t</s>", "-1\ta", "has no unigram `</s>`"),
        ("-0.5\ta", "-0.5\t<s>", "comes twice"),
        ("\\end\\", "", "ends before the line"),
        ("\\2-grams:", "\\3-grams:", "stands where `\\2-grams:` should"),
        ("\\data\\", "", "ends before the line"),
    ] {
        assert!(good.contains(from));
        let error = read_arpa(&path, good.replace(from, to).as_bytes()).err().unwrap_or_default();
        assert!(error.contains(problem), "{to}: {error}");
    }
    let mut random = Random::new(9, 0);
    for _ in 0..2000 {
        let mut bytes = good.as_bytes().to_vec();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len() as u32) as usize;
            bytes[at] = random.bits() as u8;
        }
        bytes.truncate(1 + random.below(bytes.len() as u32) as usize);
        let _ = read_arpa(&path, &bytes);
    }
}

#[test]
fn a_quantized_file_is_small_and_near_and_can_be_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let run = Run::quiet(2, 1);
    let model = estimate(&sentences(3000, 11), &smoothing(4)).unwrap();
    let test = corpus(&sentences(100, 12));
    let exact = model.evaluate(&test, &run).unwrap();
    model.save(&at("exact"), None, &run).unwrap();
    let read = |name: &str| lines(&arpa(&Model::open(&at(name)).unwrap()));
    let whole = read("exact");
    let mut offs = Vec::new();
    for bits in [2, 8, 16] {
        model.save(&at("packed"), Some(bits), &run).unwrap();
        let packed = Model::open(&at("packed")).unwrap();
        assert_eq!((packed.quantization(), packed.ngrams()), (Some(bits), model.ngrams()));
        let found = packed.evaluate(&test, &run).unwrap();
        assert_eq!(found.words, exact.words);
        offs.push((found.probability - exact.probability).abs() / exact.words as f64);
        assert!(read("packed").keys().eq(whole.keys()));
        // What was quantized is written as it is, and not once more.
        packed.save(&at("again"), None, &run).unwrap();
        assert_eq!(fs::read(at("again")).unwrap(), fs::read(at("packed")).unwrap());
        assert!(packed.save(&at("again"), Some(4), &run).is_err());
        Model::open(&at("exact")).unwrap().save(&at("again"), Some(bits), &run).unwrap();
        assert_eq!(fs::read(at("again")).unwrap(), fs::read(at("packed")).unwrap());
        if bits == 8 {
            let size = |name: &str| fs::metadata(at(name)).unwrap().len();
            assert!(size("packed") * 3 < size("exact"));
        }
    }
    assert!(offs[0] > offs[1] && offs[1] < 1e-3 && offs[2] < 1e-5, "{offs:?}");
}

#[test]
fn sorted_ngrams_and_tables_of_them_say_the_same() {
    let text = sentences(400, 13);
    let pruned = Smoothing { thresholds: vec![0, 0, 1, 1], ..smoothing(4) };
    for smoothing in [smoothing(1), smoothing(2), smoothing(5), pruned] {
        let model = estimate(&text, &smoothing).unwrap();
        let words: Vec<u32> = "w1 w9 nothing w2 w1 w9 w4 w3 w1"
            .split(' ')
            .map(|word| model.number(word.as_bytes()))
            .collect();
        let scores = || {
            let scorer = Scorer::new(&model);
            let mut state = scorer.begin();
            words.iter().map(|&word| scorer.step(&mut state, word)).collect::<Vec<_>>()
        };
        let sorted = scores();
        assert!(matches!(model.searched(), crate::model::Searched::Sorted(_)));
        model.prepare(u64::MAX, &Run::quiet(2, 1), &|_| Ok(())).unwrap();
        assert!(matches!(model.searched(), crate::model::Searched::Hashed(_)));
        assert_eq!(scores(), sorted);
        let mut found = Vec::new();
        Scorer::new(&model).score_text(&words, |_, score| found.push(score));
        assert_eq!(found, sorted);
    }
}

#[test]
fn damaged_files_of_ours_are_errors_or_models_that_can_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let run = Run::quiet(1, 1);
    for quantization in [None, Some(3)] {
        damage(&path, quantization, folder.path(), &run);
    }
}

fn damage(path: &Path, quantization: Option<u32>, folder: &Path, run: &Run) {
    let model = estimate(&sentences(400, 8), &smoothing(3)).unwrap();
    model.save(path, quantization, run).unwrap();
    let good = fs::read(path).unwrap();
    let test = corpus(&sentences(5, 9));
    let mut random = Random::new(10, 0);
    let (mut opened, mut refused) = (0, 0);
    for round in 0..400 {
        let mut bytes = good.clone();
        for _ in 0..1 + random.below(3) {
            let at = random.below(bytes.len() as u32) as usize;
            bytes[at] = random.bits() as u8;
        }
        if round % 4 == 0 {
            bytes.truncate(random.below(bytes.len() as u32) as usize);
        }
        fs::write(path, &bytes).unwrap();
        match Model::open(path) {
            Err(_) => refused += 1,
            Ok(model) => {
                opened += 1;
                model.evaluate(&test, run).unwrap();
                model.likeliest(Context { begin: true, words: &[] }, 3, run).unwrap();
                let _ = model.write_arpa(&folder.join("out.arpa"), &Run::quiet(2, 1));
            }
        }
    }
    assert!(opened > 50 && refused > 50, "{opened} {refused}");
}
