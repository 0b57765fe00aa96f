//! How good vectors are, by the two tests that everybody prints: analogies (Mikolov et al. 2013,
//! questions-words.txt) and similarity as people judge it (WordSim353, SimLex-999).

use std::collections::HashMap;

use inlay_base::{Error, Result, Run};

use crate::query::Query;
use crate::similarity::cosine;
use crate::{SearchOptions, WordVectors};

/// Questions that are answered at once.
const BATCH: usize = 256;
/// Answers that are looked at: with folded case one word may come in several spellings.
const SPELLINGS: usize = 5;

/// How to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvaluateOptions {
    /// Only the first so many rows are known.
    pub restrict: Option<usize>,
    /// Whether `Paris`, `PARIS` and `paris` are one word, the most frequent of them.
    pub fold_case: bool,
}

impl Default for EvaluateOptions {
    /// As papers do for analogies: the 30,000 most frequent words, case folded.
    fn default() -> Self {
        Self { restrict: Some(30_000), fold_case: true }
    }
}

/// The analogies of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// As the file calls it.
    pub name: String,
    /// Questions answered right.
    pub correct: usize,
    /// Questions whose four words are known.
    pub total: usize,
}

/// The result of the analogies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Analogies {
    /// In the order of the file.
    pub sections: Vec<Section>,
    /// Questions with an unknown word.
    pub skipped: usize,
}

impl Analogies {
    /// All sections together.
    pub fn total(&self) -> Section {
        self.sum("total", |_| true)
    }

    /// Sections whose name begins with `gram`.
    pub fn syntactic(&self) -> Section {
        self.sum("syntactic", |name| name.starts_with("gram"))
    }

    /// All others.
    pub fn semantic(&self) -> Section {
        self.sum("semantic", |name| !name.starts_with("gram"))
    }

    fn sum(&self, name: &str, which: impl Fn(&str) -> bool) -> Section {
        let mut sum = Section { name: name.into(), ..Section::default() };
        for section in self.sections.iter().filter(|section| which(&section.name)) {
            sum.correct += section.correct;
            sum.total += section.total;
        }
        sum
    }
}

/// The result of the pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarities {
    /// Rank correlation (ties get their mean rank); 0 where it is not defined.
    pub spearman: f64,
    /// Linear correlation; 0 where it is not defined.
    pub pearson: f64,
    /// Pairs whose words are known.
    pub pairs: usize,
    /// Pairs with an unknown word.
    pub skipped: usize,
}

struct Question {
    section: usize,
    words: [u32; 4],
}

/// The words that a test knows, by their folded spelling: the lowest row wins.
struct Known<'a> {
    vectors: &'a WordVectors,
    folded: Option<HashMap<Vec<u8>, u32>>,
    rows: usize,
}

impl<'a> Known<'a> {
    fn new(vectors: &'a WordVectors, options: EvaluateOptions) -> Self {
        let rows = options.restrict.map_or(vectors.len(), |rows| rows.min(vectors.len()));
        let folded = options.fold_case.then(|| {
            let mut folded = HashMap::with_capacity(rows);
            for (row, name) in vectors.names().iter().take(rows).enumerate() {
                folded.entry(fold(name)).or_insert(row as u32);
            }
            folded
        });
        Self { vectors, folded, rows }
    }

    fn find(&self, word: &[u8]) -> Option<u32> {
        match &self.folded {
            Some(folded) => folded.get(&fold(word)).copied(),
            None => self.vectors.names().find(word).filter(|&row| (row as usize) < self.rows),
        }
    }

    /// The row that stands for all spellings of a row's name.
    fn same(&self, row: u32) -> u32 {
        self.find(self.vectors.names().get(row)).unwrap_or(row)
    }
}

fn fold(word: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(word) {
        Ok(text) => text.to_uppercase().into_bytes(),
        Err(_) => word.to_vec(),
    }
}

impl WordVectors {
    /// Answers questions `a b c d`, a is to b as c is to d, one a line; a line `: name` begins a
    /// section. The answer is the nearest of all known words but a, b and c, as `Query::analogy`
    /// asks. Questions with unknown words are skipped. `source` names the text in messages.
    ///
    /// # Errors
    /// `InvalidInput` with line and byte for a line that is neither; `Aborted`.
    pub fn evaluate_analogies(
        &self,
        text: &[u8],
        source: &str,
        options: EvaluateOptions,
        run: &Run,
    ) -> Result<Analogies> {
        let known = Known::new(self, options);
        let mut result = Analogies::default();
        let mut questions = Vec::new();
        for (number, offset, line) in lines(text) {
            if let Some(name) = line.strip_prefix(b":") {
                let name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
                result.sections.push(Section { name, ..Section::default() });
                continue;
            }
            let words: Vec<&[u8]> = fields(line).collect();
            let &[a, b, c, d] = words.as_slice() else {
                let problem =
                    format!("line {number}: four words are wanted, there are {}", words.len());
                return Err(invalid(source, offset, problem));
            };
            if result.sections.is_empty() {
                result.sections.push(Section::default());
            }
            match (known.find(a), known.find(b), known.find(c), known.find(d)) {
                (Some(a), Some(b), Some(c), Some(d)) => {
                    let section = result.sections.len() - 1;
                    questions.push(Question { section, words: [a, b, c, d] });
                }
                _ => result.skipped += 1,
            }
        }
        run.phase("evaluate", "questions", 0, Some(questions.len() as u64));
        let search = SearchOptions {
            top_k: SPELLINGS,
            restrict: Some(known.rows),
            ..SearchOptions::default()
        };
        for batch in questions.chunks(BATCH) {
            run.check()?;
            let name = |row: u32| self.names().get(row);
            let queries: Vec<Query> = batch
                .iter()
                .map(|question| {
                    let [a, b, c, _] = question.words;
                    Query::analogy(name(a), name(b), name(c))
                })
                .collect();
            let answers = self.nearest(&queries, &search, run)?;
            for (question, answers) in batch.iter().zip(answers) {
                let [a, b, c, d] = question.words;
                let mut spelled = answers.iter().map(|answer| known.same(answer.row));
                let answer = spelled.find(|row| ![a, b, c].contains(row));
                let section = &mut result.sections[question.section];
                section.total += 1;
                section.correct += usize::from(answer == Some(d));
            }
            run.advance(batch.len() as u64);
        }
        run.finish();
        Ok(result)
    }

    /// Correlates the cosine of pairs with the scores that people gave: lines of two words and a
    /// score, separated by tabs, else by commas, else by spaces. The score stands in the first
    /// column after the words whose field is a number in the first line that has one; a line before
    /// it is a heading; lines that begin with `#` are left out.
    ///
    /// # Errors
    /// `InvalidInput` with line and byte for a line without words or score.
    pub fn evaluate_similarity(
        &self,
        text: &[u8],
        source: &str,
        options: EvaluateOptions,
        run: &Run,
    ) -> Result<Similarities> {
        let known = Known::new(self, options);
        let (mut ours, mut theirs, mut skipped) = (Vec::new(), Vec::new(), 0);
        let mut column = None;
        let number_in = |field: &[u8]| -> Option<f64> {
            let field = std::str::from_utf8(field).ok()?.trim().parse();
            field.ok().filter(|value: &f64| value.is_finite())
        };
        let body = lines(text).filter(|(_, _, line)| !line.starts_with(b"#"));
        for (place, (number, offset, line)) in body.enumerate() {
            run.check()?;
            let fields = columns(line);
            let first_score = || (2..fields.len()).find(|&i| number_in(fields[i]).is_some());
            if column.is_none() {
                column = first_score();
                if column.is_none() && place == 0 {
                    continue; // the heading
                }
            }
            let score = column.and_then(|column| number_in(fields.get(column)?));
            let Some(score) = score else {
                let problem = format!("line {number}: two words and a score are wanted");
                return Err(invalid(source, offset, problem));
            };
            match (known.find(fields[0].trim_ascii()), known.find(fields[1].trim_ascii())) {
                (Some(a), Some(b)) => {
                    let (a, b) = (self.rows().row(a as usize), self.rows().row(b as usize));
                    ours.push(f64::from(cosine(&a, &b)));
                    theirs.push(score);
                }
                _ => skipped += 1,
            }
        }
        Ok(Similarities {
            spearman: correlation(&ranks(&ours), &ranks(&theirs)),
            pearson: correlation(&ours, &theirs),
            pairs: ours.len(),
            skipped,
        })
    }
}

fn invalid(source: &str, offset: usize, problem: String) -> Error {
    Error::InvalidInput { source: source.into(), offset: Some(offset as u64), problem }
}

/// Lines that are not blank: number from 1, byte offset, text.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, usize, &[u8])> {
    let mut offset = 0;
    text.split(|&byte| byte == b'\n').enumerate().filter_map(move |(number, line)| {
        let start = offset;
        offset += line.len() + 1;
        let line = line.trim_ascii();
        (!line.is_empty()).then_some((number + 1, start, line))
    })
}

fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty())
}

fn columns(line: &[u8]) -> Vec<&[u8]> {
    let by = |separator: u8| line.split(move |&byte| byte == separator).collect();
    match (line.contains(&b'\t'), line.contains(&b',')) {
        (true, _) => by(b'\t'),
        (_, true) => by(b','),
        _ => fields(line).collect(),
    }
}

/// Ranks from 1; equals get the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for group in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let mean = start as f64 + (group.len() as f64 + 1.0) / 2.0;
        group.iter().for_each(|&place| ranks[place] = mean);
        start += group.len();
    }
    ranks
}

/// Pearson's r; 0 where one side does not vary.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    let r = ab / (aa * bb).sqrt();
    if r.is_finite() { r } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_their_mean_rank() {
        assert_eq!(ranks(&[10.0, 30.0, 20.0, 20.0, 5.0]), [2.0, 5.0, 3.5, 3.5, 1.0]);
    }

    #[test]
    fn correlations_of_a_line_and_of_what_does_not_vary() {
        assert!((correlation(&[1.0, 2.0, 3.0], &[5.0, 7.0, 9.0]) - 1.0).abs() < 1e-15);
        assert!((correlation(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]) + 1.0).abs() < 1e-15);
        assert_eq!(correlation(&[1.0, 2.0], &[3.0, 3.0]), 0.0);
        assert_eq!(correlation(&[], &[]), 0.0);
    }
}
