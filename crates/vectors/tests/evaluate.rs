//! Analogies and similarity judgements.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use inlay_base::{Error, Run};
use inlay_formats::Names;
use inlay_vectors::{EvaluateOptions, Rows, Section, WordVectors};

/// Countries and capitals as points: a capital is its country moved by one.
fn atlas() -> WordVectors {
    let words: [(&str, [f32; 4]); 9] = [
        ("Athens", [1.0, 0.0, 0.0, 1.0]),
        ("Greece", [1.0, 0.0, 0.0, 0.0]),
        ("OSLO", [0.0, 1.0, 0.0, 1.0]),
        ("norway", [0.0, 1.0, 0.0, 0.0]),
        ("oslo", [0.0, 1.0, 0.0, 0.9]),
        ("Rome", [0.0, 0.0, 1.0, 1.0]),
        ("Italy", [0.1, 0.0, 1.0, 0.0]),
        ("far", [-1.0, -1.0, -1.0, 0.0]),
        ("Bern", [0.3, 0.3, 0.3, 1.0]),
    ];
    let values: Vec<f32> = words.iter().flat_map(|(_, row)| *row).collect();
    let names = Names::new(words.map(|(word, _)| word)).unwrap();
    WordVectors::new(Arc::new(names), Rows::from_values(&values, 4).unwrap())
}

const QUESTIONS: &[u8] = b": capitals\n\
    greece athens NORWAY oslo\n\
    Greece Athens Italy Rome\n\
    Greece Athens Italy Bern\r\n\
    Greece Athens France Paris\n\
    \n\
    : gram1-odd\n\
    Athens Greece Oslo Norway\n";

#[test]
fn analogies_are_counted_by_section_and_kind() {
    let run = Run::quiet(2, 1);
    let options = EvaluateOptions::default();
    let result = atlas().evaluate_analogies(QUESTIONS, "questions", options, &run).unwrap();
    let section = |name: &str, correct, total| Section { name: name.into(), correct, total };
    assert_eq!(result.sections, [section("capitals", 2, 3), section("gram1-odd", 1, 1)]);
    assert_eq!(result.skipped, 1);
    assert_eq!(result.total(), section("total", 3, 4));
    assert_eq!(result.semantic(), section("semantic", 2, 3));
    assert_eq!(result.syntactic(), section("syntactic", 1, 1));
}

#[test]
fn with_case_kept_only_exact_words_are_known() {
    let run = Run::quiet(1, 1);
    let options = EvaluateOptions { fold_case: false, restrict: None };
    let result = atlas().evaluate_analogies(QUESTIONS, "questions", options, &run).unwrap();
    assert_eq!((result.total().total, result.skipped), (2, 3));
}

#[test]
fn words_beyond_the_restriction_are_unknown() {
    let run = Run::quiet(1, 1);
    let options = EvaluateOptions { restrict: Some(5), ..Default::default() };
    let result = atlas().evaluate_analogies(QUESTIONS, "questions", options, &run).unwrap();
    assert_eq!((result.total().total, result.skipped), (2, 3));
}

#[test]
fn a_line_of_three_words_is_an_error_with_its_place() {
    let run = Run::quiet(1, 1);
    let text = b": a\nGreece Athens Italy Rome\nGreece Athens Italy\n";
    let error = atlas().evaluate_analogies(text, "questions", EvaluateOptions::default(), &run);
    let Err(Error::InvalidInput { offset: Some(29), problem, .. }) = error else {
        panic!("{error:?}")
    };
    assert!(problem.contains("line 3"), "{problem}");
}

#[test]
fn an_evaluation_can_be_stopped() {
    let stop = Arc::new(AtomicBool::new(false));
    let run = Run::new(1, 1, Arc::clone(&stop), Box::new(|_| ()));
    stop.store(true, Relaxed);
    let options = EvaluateOptions::default();
    let outcome = atlas().evaluate_analogies(QUESTIONS, "questions", options, &run);
    assert_eq!(outcome.unwrap_err(), Error::Aborted);
}

#[test]
fn pairs_are_read_from_every_common_form() {
    let run = Run::quiet(1, 1);
    // Similarities to Greece: itself 1, Italy 0.0995, far below 0.
    let forms: [&[u8]; 5] = [
        b"greece\tgreece\t10\nGreece\titaly\t5\ngreece\tfar\t1\nnobody\tGreece\t3\n",
        b"Word 1,Word 2,Human (mean)\ngreece,greece,10\nGreece,italy,5\ngreece,far,1\nx,y,1\n",
        b"# comment\ngreece greece 10\n\nGreece italy 5\ngreece far 1\nx y 1",
        b"word1\tword2\tPOS\tscore\tx\ngreece\tgreece\tN\t10\t7\ngreece\titaly\tN\t5\t9\n\
          greece\tfar\tV\t1\t9\nx\ty\tN\t1\t1\n",
        b"greece\tgreece\t10\r\nGreece\titaly\t5\r\ngreece\tfar\t1\r\nx\ty\t3\r\n",
    ];
    for form in forms {
        let options = EvaluateOptions { restrict: None, fold_case: true };
        let result = atlas().evaluate_similarity(form, "pairs", options, &run).unwrap();
        assert_eq!((result.pairs, result.skipped), (3, 1), "{}", String::from_utf8_lossy(form));
        assert!((result.spearman - 1.0).abs() < 1e-12);
        assert!(result.pearson > 0.9 && result.pearson < 1.0);
    }
}

#[test]
fn pairs_without_a_score_are_an_error_with_their_place() {
    let run = Run::quiet(1, 1);
    for text in [&b"a\tb\t1\na\tb\n"[..], b"a\tb\t1\na\tb\tx\n", b"a\tb\t1\na\tb\tnan\n"] {
        let outcome = atlas().evaluate_similarity(text, "pairs", EvaluateOptions::default(), &run);
        let Err(Error::InvalidInput { offset: Some(6), .. }) = outcome else {
            panic!("{outcome:?}")
        };
    }
}
