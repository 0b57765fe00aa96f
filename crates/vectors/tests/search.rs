//! Neighbours, similarities and ranks against plain f64 formulas.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use inlay_base::{Error, Pages, Pool, Priority, Random, Run};
use inlay_formats::Names;
use inlay_vectors::{Item, Precision, Query, Rows, SearchOptions, WordVectors};

fn random_values(count: usize, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed, 0);
    (0..count).map(|_| random.unit() - 0.5).collect()
}

fn vectors(rows: usize, dimensions: usize, seed: u64) -> WordVectors {
    let values = random_values(rows * dimensions, seed);
    let names = Names::new((0..rows).map(|row| format!("w{row}"))).unwrap();
    WordVectors::new(Arc::new(names), Rows::from_values(&values, dimensions).unwrap())
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    if cosine.is_finite() { cosine } else { 0.0 }
}

fn rows_of(vectors: &WordVectors) -> Vec<Vec<f32>> {
    vectors.matrix().chunks(vectors.dimensions()).map(<[f32]>::to_vec).collect()
}

fn word(word: &str) -> Vec<u8> {
    word.as_bytes().to_vec()
}

#[test]
fn neighbours_are_those_of_the_formula_in_every_precision_and_company() {
    let run = Run::quiet(2, 1);
    let pool = Pool::new(2).unwrap();
    for (rows, dimensions) in [(1, 1), (3, 2), (50, 7), (1000, 33), (4000, 100)] {
        let exact = vectors(rows, dimensions, 7);
        for precision in [Precision::Float32, Precision::Float16, Precision::Int8] {
            let kept = exact.with_precision(precision, &run).unwrap();
            let table = rows_of(&kept);
            let queries: Vec<Vec<f32>> =
                (0..9).map(|query| random_values(dimensions, 100 + query)).collect();
            let asked: Vec<Query> = queries.iter().map(|query| Query::vector(query)).collect();
            let options = SearchOptions { top_k: 12, ..Default::default() };
            let found = kept.nearest(&asked, &options, &run).unwrap();
            for (i, (query, found)) in queries.iter().zip(&found).enumerate() {
                let mut expected: Vec<(f64, usize)> =
                    table.iter().enumerate().map(|(i, row)| (cosine(query, row), i)).collect();
                expected.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                assert_eq!(found.len(), rows.min(12));
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((f64::from(found.similarity) - expected.0).abs() < 1e-6);
                    let own = cosine(query, &table[found.row as usize]);
                    assert!((own - f64::from(found.similarity)).abs() < 1e-6);
                }
                // Alone, on the pool: the same bits.
                let workers = pool.at(Priority::Query);
                let alone = kept.nearest(&asked[i..=i], &options, &workers).unwrap();
                assert_eq!(&alone[0], found, "{precision:?}");
            }
        }
    }
}

#[test]
fn more_queries_than_share_a_pass_get_the_answers_that_each_gets_alone() {
    let run = Run::quiet(2, 1);
    let vectors = vectors(500, 20, 3);
    let queries: Vec<Query> =
        (0..500).map(|row| Query::word(format!("w{row}").as_bytes())).collect();
    let options = SearchOptions { top_k: 3, ..Default::default() };
    let found = vectors.nearest(&queries, &options, &run).unwrap();
    for (row, query) in queries.iter().enumerate().step_by(37) {
        let alone = vectors.nearest(std::slice::from_ref(query), &options, &run).unwrap();
        assert_eq!(alone[0], found[row]);
        assert!(found[row].iter().all(|answer| answer.row as usize != row));
    }
}

#[test]
fn equals_come_in_the_order_of_their_rows() {
    let run = Run::quiet(2, 1);
    let names = Names::new((0..3000).map(|row| row.to_string())).unwrap();
    let values: Vec<f32> = (0..3000).flat_map(|row| [1.0, f32::from(row % 3 != 0)]).collect();
    let vectors = WordVectors::new(Arc::new(names), Rows::from_values(&values, 2).unwrap());
    for top_k in [1, 5, 1000, 1500, 5000] {
        let options = SearchOptions { top_k, ..Default::default() };
        let found = &vectors.nearest(&[Query::vector(&[1.0, 0.0])], &options, &run).unwrap()[0];
        let expected =
            (0..3000u32).filter(|row| row % 3 == 0).chain((0..3000).filter(|row| row % 3 != 0));
        let expected: Vec<u32> = expected.take(top_k).collect();
        assert_eq!(found.iter().map(|answer| answer.row).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn rows_of_zeros_huge_tiny_and_broken_rows_neither_lead_nor_panic() {
    let run = Run::quiet(2, 1);
    let rows: [[f32; 2]; 9] = [
        [0.0, 0.0],
        [f32::NAN, 1.0],
        [f32::INFINITY, 1.0],
        [1e-44, 0.0],
        [3e38, 3e38],
        [-3e38, 3e38],
        [1e-25, 1e-25],
        [1.0, 0.0],
        [-0.0, -0.0],
    ];
    let names = Names::new((0..9).map(|row| row.to_string())).unwrap();
    let rows = Rows::from_values(rows.as_flattened(), 2).unwrap();
    let vectors = WordVectors::new(Arc::new(names), rows);
    let options = SearchOptions::default();
    let found = &vectors.nearest(&[Query::vector(&[3e38, 3e38])], &options, &run).unwrap()[0];
    assert_eq!(found.len(), 9);
    assert!(found.iter().all(|answer| answer.similarity.is_finite()));
    assert_eq!(found[..3].iter().map(|answer| answer.row).collect::<Vec<_>>(), [4, 6, 7]);
    assert!((found[0].similarity - 1.0).abs() < 1e-6);
    let zeros = found.iter().filter(|answer| answer.similarity == 0.0);
    assert_eq!(zeros.map(|answer| answer.row).collect::<Vec<_>>(), [0, 1, 2, 3, 5, 8]);
    let nothing = &vectors.nearest(&[Query::vector(&[0.0, 0.0])], &options, &run).unwrap()[0];
    assert!(nothing.iter().all(|answer| answer.similarity == 0.0));
    assert_eq!(vectors.similarity(b"0", b"7").unwrap(), 0.0);
}

#[test]
fn padded_rows_give_what_dense_ones_give() {
    let run = Run::quiet(1, 1);
    let dense = vectors(300, 10, 5);
    let mut pages = Pages::zeroed(300 * 16).unwrap();
    for (to, from) in pages.as_mut_slice().chunks_mut(16).zip(rows_of(&dense)) {
        to[..10].copy_from_slice(&from);
        to[10..].fill(f32::NAN); // whoever reads the padding will see it
    }
    let rows = Rows::from_pages(pages, 300, 10, 16);
    let padded = WordVectors::new(Arc::clone(dense.names()), rows);
    assert_eq!(padded.matrix(), dense.matrix());
    let (query, options) = ([Query::word(b"w7")], SearchOptions::default());
    assert_eq!(
        padded.nearest(&query, &options, &run).unwrap(),
        dense.nearest(&query, &options, &run).unwrap()
    );
}

#[test]
fn a_query_adds_unit_words_and_leaves_its_own_words_out() {
    let run = Run::quiet(2, 1);
    let vectors = vectors(200, 16, 9);
    let table = rows_of(&vectors);
    let free = random_values(16, 77);
    let query = Query {
        positive: vec![Item::Word(word("w1")), Item::Vector(free.clone())],
        negative: vec![Item::Word(word("w2"))],
    };
    let length = |row: &[f32]| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let sum: Vec<f32> = (0..16)
        .map(|i| {
            let term = |row: usize| f64::from(table[row][i]) / length(&table[row]);
            (term(1) + f64::from(free[i]) - term(2)) as f32
        })
        .collect();
    let options = SearchOptions {
        top_k: 200,
        restrict: Some(100),
        exclude: vec![word("w5"), word("unknown")],
    };
    let found = &vectors.nearest(&[query], &options, &run).unwrap()[0];
    let mut rows: Vec<u32> = found.iter().map(|answer| answer.row).collect();
    rows.sort_unstable();
    let expected: Vec<u32> = (0..100).filter(|row| ![1, 2, 5].contains(row)).collect();
    assert_eq!(rows, expected);
    for answer in found {
        let expected = cosine(&sum, &table[answer.row as usize]);
        assert!((f64::from(answer.similarity) - expected).abs() < 1e-6);
    }
}

#[test]
fn the_king_is_to_the_man_as_the_queen_is_to_the_woman() {
    let run = Run::quiet(1, 1);
    let names = Names::new(["man", "king", "woman", "queen", "apple"]).unwrap();
    #[rustfmt::skip]
    let values = [
        1.0, 0.0, 0.1,   1.0, 1.0, 0.0,   -1.0, 0.0, 0.1,   -1.0, 1.0, 0.0,   0.0, -0.2, 1.0,
    ];
    let vectors = WordVectors::new(Arc::new(names), Rows::from_values(&values, 3).unwrap());
    let options = SearchOptions { top_k: 1, ..Default::default() };
    let query = Query::analogy(b"man", b"king", b"woman");
    assert_eq!(vectors.nearest(&[query], &options, &run).unwrap()[0][0].row, 3);
    let odd = [word("man"), word("king"), word("apple")];
    assert_eq!(vectors.doesnt_match(&odd).unwrap(), 2);
}

#[test]
fn ranks_count_the_words_that_are_nearer() {
    let run = Run::quiet(2, 1);
    let vectors = vectors(1000, 20, 11);
    let options = SearchOptions { top_k: 999, ..Default::default() };
    let found = &vectors.nearest(&[Query::word(b"w3")], &options, &run).unwrap()[0];
    for place in [0, 1, 10, 500, 998] {
        let name = format!("w{}", found[place].row);
        assert_eq!(vectors.rank(b"w3", name.as_bytes(), &run).unwrap(), place + 1);
    }
}

#[test]
fn similarities_of_pairs_and_lists_are_the_formula() {
    let vectors = vectors(10, 30, 13);
    let table = rows_of(&vectors);
    let got = f64::from(vectors.similarity(b"w1", b"w2").unwrap());
    assert!((got - cosine(&table[1], &table[2])).abs() < 1e-7);
    let mean = |rows: [usize; 2]| -> Vec<f32> {
        (0..30).map(|i| (table[rows[0]][i] + table[rows[1]][i]) / 2.0).collect()
    };
    let expected = cosine(&mean([1, 2]), &mean([3, 4]));
    let got = vectors.n_similarity(&[word("w1"), word("w2")], &[word("w3"), word("w4")]).unwrap();
    assert!((f64::from(got) - expected).abs() < 1e-6);
}

#[test]
fn unknown_words_and_wrong_vectors_are_clear_errors() {
    let run = Run::quiet(1, 1);
    let vectors = vectors(5, 3, 1);
    let not_found = |error: Error| {
        assert_eq!(error, Error::NotFound { what: "word", name: "nobody".into() });
    };
    let options = SearchOptions::default();
    let ask = |query: Query| vectors.nearest(&[query], &options, &run).unwrap_err();
    not_found(ask(Query::word(b"nobody")));
    not_found(vectors.vector(b"nobody").unwrap_err());
    not_found(vectors.similarity(b"w0", b"nobody").unwrap_err());
    not_found(vectors.rank(b"nobody", b"w0", &run).unwrap_err());
    not_found(vectors.doesnt_match(&[word("nobody")]).unwrap_err());
    for error in [
        ask(Query::default()),
        ask(Query::vector(&[1.0])),
        ask(Query::vector(&[1.0, f32::NAN, 0.0])),
        vectors.doesnt_match(&[]).unwrap_err(),
        vectors.n_similarity(&[], &[word("w0")]).unwrap_err(),
    ] {
        assert!(matches!(error, Error::InvalidInput { .. }), "{error}");
    }
}

#[test]
fn a_stopped_run_ends_a_search() {
    let stop = Arc::new(AtomicBool::new(false));
    let run = Run::new(2, 1, Arc::clone(&stop), Box::new(|_| ()));
    let vectors = vectors(5000, 100, 1);
    stop.store(true, Relaxed);
    let outcome = vectors.nearest(&[Query::word(b"w1")], &SearchOptions::default(), &run);
    assert_eq!(outcome.unwrap_err(), Error::Aborted);
}

#[test]
fn no_answers_are_wanted_or_no_rows_are_there() {
    let run = Run::quiet(1, 1);
    let vectors = vectors(5, 3, 1);
    for options in [
        SearchOptions { top_k: 0, ..Default::default() },
        SearchOptions { restrict: Some(0), ..Default::default() },
    ] {
        assert_eq!(vectors.nearest(&[Query::word(b"w1")], &options, &run).unwrap(), [vec![]]);
    }
    assert!(vectors.nearest(&[], &SearchOptions::default(), &run).unwrap().is_empty());
    let empty = WordVectors::new(
        Arc::new(Names::new::<&[u8]>([]).unwrap()),
        Rows::from_values(&[], 3).unwrap(),
    );
    let query = [Query::vector(&[1.0, 2.0, 3.0])];
    assert_eq!(empty.nearest(&query, &SearchOptions::default(), &run).unwrap(), [vec![]]);
}
