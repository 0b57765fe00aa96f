use std::sync::Arc;

use inlay_base::{Error, Run};

use super::{corpus, known_to, options, planted, read, words};
use crate::{Coherence, Folding, Model, Options, Start, coherence, train};

const FOLDING: Folding = Folding { iterations: 200, tolerance: 1e-6 };

fn trained(documents: &[Vec<String>], options: &Options, threads: usize, seed: u64) -> Model {
    train(&corpus(documents), options, &Start::default(), &Run::quiet(threads, seed)).unwrap()
}

/// The share of words that are in a topic with most of its words from the same planted one.
fn purity(model: &Model) -> f64 {
    let mut families = vec![std::collections::HashMap::new(); model.topics()];
    for (word, name) in model.names().iter().enumerate() {
        for (topic, count) in model.words().row(word) {
            *families[usize::from(topic)].entry(&name[..2]).or_insert(0u32) += count;
        }
    }
    let largest = families.iter().filter_map(|families| families.values().max());
    f64::from(largest.sum::<u32>()) / model.totals().iter().sum::<u64>() as f64
}

#[test]
fn planted_topics_are_found_with_few_topics_and_with_many() {
    let documents = planted(1500, 8, 11);
    for topics in [12, 350] {
        let begun = purity(&trained(&documents, &options(topics, 1), 1, 1));
        let found = purity(&trained(&documents, &options(topics, 60), 2, 1));
        assert!(begun < 0.6 && found > 0.9, "{topics}: {begun} {found}");
    }
}

#[test]
fn a_seed_gives_the_same_topics_on_any_number_of_threads_and_another_seed_others() {
    let documents = planted(2000, 12, 5);
    for topics in [12, 350] {
        let options = Options { optimize_every: 4, ..options(topics, 10) };
        let one = trained(&documents, &options, 1, 1);
        for threads in [2, 3, 7] {
            let other = trained(&documents, &options, threads, 1);
            assert!(one.words() == other.words() && one.documents() == other.documents());
            assert!(one.priors() == other.priors() && one.losses() == other.losses());
        }
        assert!(one.words() != trained(&documents, &options, 1, 2).words());
    }
}

#[test]
fn priors_move_to_where_the_documents_are_and_beta_only_if_asked() {
    // Topic 0 is in every document, the others in few.
    let documents: Vec<Vec<String>> = planted(1000, 6, 3)
        .into_iter()
        .enumerate()
        .map(|(i, mut document)| {
            document.truncate(20);
            document.extend((0..20).map(|j| format!("all{}", (i + j) % 15)));
            document
        })
        .collect();
    let fixed = trained(&documents, &options(7, 60), 1, 1);
    assert_eq!(fixed.priors().alpha, vec![0.1; 7]);
    let fitted = trained(&documents, &Options { optimize_every: 5, ..options(7, 60) }, 1, 1);
    let mut by_size: Vec<_> = fitted.totals().iter().zip(&fitted.priors().alpha).collect();
    by_size.sort_by_key(|&(total, _)| total);
    assert!(*by_size[6].1 > 1.5 * by_size[0].1, "{by_size:?}");
    assert_eq!(fitted.priors().beta, 0.01);
    let both = Options { optimize_every: 5, optimize_beta: true, ..options(7, 60) };
    assert!(trained(&documents, &both, 1, 1).priors().beta > 0.02);
}

#[test]
fn empty_documents_keep_their_places_and_one_document_is_enough() {
    let text = [words(""), words("a b a"), words(""), words("c"), words("")];
    for topics in [2, 350] {
        let model = trained(&text, &options(topics, 5), 1, 1);
        assert_eq!(model.documents().rows(), 5);
        let lengths: Vec<u32> =
            (0..5).map(|d| model.documents().row(d).map(|(_, count)| count).sum()).collect();
        assert_eq!(lengths, [0, 3, 0, 1, 0]);
        let mut mixture = vec![0.0; topics];
        model.mixture(0, &mut mixture);
        assert!((mixture.iter().sum::<f32>() - 1.0).abs() < 1e-5, "the prior itself");
    }
    assert_eq!(trained(&[words("a")], &options(3, 5), 4, 1).documents().rows(), 1);
}

#[test]
fn a_document_has_the_same_mixture_in_any_company_and_zeros_if_nothing_is_known() {
    let documents = planted(500, 8, 11);
    let model = trained(&documents, &options(8, 50), 1, 1);
    let mut asked = planted(100, 8, 77);
    asked[3] = words("nothing known");
    asked[4] = words("");
    let all = model.transform(&known_to(&model, &asked), FOLDING, &Run::quiet(3, 1)).unwrap();
    assert_eq!(all.values.len(), 800);
    assert_eq!((all.known[3], all.known[4], all.known[5]), (0, 0, 40));
    for (i, document) in asked.iter().enumerate() {
        let alone = known_to(&model, std::slice::from_ref(document));
        let alone = model.transform(&alone, FOLDING, &Run::quiet(1, 9)).unwrap();
        assert_eq!(alone.values, all.values[8 * i..8 * (i + 1)], "document {i}");
        let sum: f32 = alone.values.iter().sum();
        let wanted = if all.known[i] == 0 { 0.0 } else { 1.0 };
        assert!((sum - wanted).abs() < 1e-5);
    }
}

#[test]
fn perplexity_is_what_its_formula_gives_and_falls_with_training() {
    let documents = planted(500, 8, 11);
    let held_out = planted(60, 8, 77);
    let short = trained(&documents, &options(8, 1), 1, 1);
    let long = trained(&documents, &options(8, 60), 1, 1);
    let of = |model: &Model| {
        model.perplexity(&known_to(model, &held_out), FOLDING, &Run::quiet(2, 1)).unwrap()
    };
    assert!(of(&long) < 0.6 * of(&short), "{} {}", of(&long), of(&short));
    // In f64 and from the definition.
    let (mut loss, mut scored) = (0.0, 0);
    let find = |word: &String| long.names().find(word.as_bytes());
    let phi = |word: u32| -> Vec<f64> {
        let v = long.names().len() as f64;
        let row: std::collections::HashMap<_, _> = long.words().row(word as usize).collect();
        let count = |t: usize| f64::from(row.get(&(t as u16)).copied().unwrap_or(0));
        let of = |t| (count(t) + 0.01) / (long.totals()[t] as f64 + 0.01 * v);
        (0..8).map(of).collect()
    };
    for document in &held_out {
        let ids: Vec<u32> = document.iter().filter_map(find).collect();
        let mut theta = vec![1.0 / 8.0; 8];
        for _ in 0..400 {
            let mut next = [0.1; 8];
            for &word in ids.iter().step_by(2) {
                let weights: Vec<f64> = phi(word).iter().zip(&theta).map(|(a, b)| a * b).collect();
                let sum: f64 = weights.iter().sum();
                next.iter_mut().zip(weights).for_each(|(next, weight)| *next += weight / sum);
            }
            let sum: f64 = next.iter().sum();
            theta = next.iter().map(|value| value / sum).collect();
        }
        for &word in ids.iter().skip(1).step_by(2) {
            loss -= phi(word).iter().zip(&theta).map(|(a, b)| a * b).sum::<f64>().ln();
            scored += 1;
        }
    }
    let wanted = (loss / f64::from(scored)).exp();
    assert!((of(&long) / wanted - 1.0).abs() < 1e-3, "{} {wanted}", of(&long));
    let none = known_to(&long, &[words("nothing known"), words("t1w1")]);
    let none = long.perplexity(&none, FOLDING, &Run::quiet(1, 1));
    assert!(matches!(none, Err(Error::InvalidInput { .. })));
}

#[test]
fn a_model_that_goes_on_keeps_its_counts_and_learns_new_words() {
    for topics in [8, 350] {
        let first = Arc::new(trained(&planted(500, 8, 11), &options(topics, 40), 1, 1));
        let mut new = planted(200, 8, 12);
        new.iter_mut().for_each(|document| document.push("novel".into()));
        let corpus = read(&new, Some(first.base()), false);
        let start = Start { model: Some(Arc::clone(&first)), ..Start::default() };
        let second = train(&corpus, &options(topics, 20), &start, &Run::quiet(2, 1)).unwrap();
        assert_eq!(second.names().len(), first.names().len() + 1);
        assert_eq!(second.documents().rows(), 200);
        let before: u64 = first.totals().iter().sum();
        assert_eq!(second.totals().iter().sum::<u64>(), before + 200 * 41);
        for word in 0..first.names().len() {
            let same = second.names().find(first.names().get(word as u32)).unwrap();
            let later: std::collections::HashMap<_, _> =
                second.words().row(same as usize).collect();
            for (topic, count) in first.words().row(word) {
                assert!(later[&topic] >= count, "the counts of the model stay");
            }
        }
        // Topics keep their meaning: they go on where the model was.
        let top = |model: &Model, topic: usize| {
            let top = &model.top_words(1)[topic];
            top.first().map(|&(word, _)| model.names().get(word)[..2].to_vec())
        };
        let largest = (0..topics).max_by_key(|&topic| first.totals()[topic]).unwrap();
        assert_eq!(top(&second, largest), top(&first, largest));
    }
}

#[test]
fn coherence_is_what_one_counts_by_hand() {
    let text = [words("a b c"), words("a b"), words("c d"), words("d"), words("")];
    let corpus = corpus(&text);
    let id = |word: &str| corpus.names().find(word.as_bytes()).unwrap();
    let topics = [vec![id("a"), id("b"), id("c")], vec![id("d")]];
    let of =
        |measure, window| coherence(&topics, &corpus, measure, window, &Run::quiet(2, 1)).unwrap();
    // D(a) = 2, D(b) = 2, D(a, b) = 2, D(a, c) = D(b, c) = 1; four documents have words.
    let wanted = ((3.0f64 / 2.0).ln() + (2.0f64 / 2.0).ln() + (2.0f64 / 2.0).ln()) / 3.0;
    assert!((of(Coherence::UMass, None)[0] - wanted).abs() < 1e-9);
    // ln (½ / ¼) / -ln ½ = 1;  ln (¼ / ¼) = 0
    assert!((of(Coherence::Npmi, None)[0] - 1.0 / 3.0).abs() < 1e-6);
    assert_eq!(of(Coherence::Npmi, None)[1], 0.0, "one word has no pair");
    // a and b: (1, 1, 0), c: (0, 0, 1); their sum (2, 2, 1).
    let cosines = [4.0 / 18f64.sqrt(), 4.0 / 18f64.sqrt(), 1.0 / 3.0];
    let wanted = cosines.iter().sum::<f64>() / 3.0;
    assert!((of(Coherence::Cv, None)[0] - wanted).abs() < 1e-6, "{:?}", of(Coherence::Cv, None));
    // Windows of two words: ab, bc, ab, cd, d. p(a) = 2/5, p(b) = 3/5, p(a, b) = 2/5.
    let near = of(Coherence::Npmi, Some(2))[0];
    let npmi = |joint: f64, alone: f64| (joint / alone).ln() / -joint.ln();
    let never = npmi(1e-12, 4.0 / 25.0);
    let wanted = (npmi(0.4, 6.0 / 25.0) + never + npmi(0.2, 6.0 / 25.0)) / 3.0;
    assert!((near - wanted).abs() < 1e-6, "{near} {wanted}");
}
