//! The models of fastText (Bojanowski et al. 2017, Joulin et al. 2016): `.bin`, and `.ftz`, whose
//! matrices are product-quantized (Joulin et al. 2016, arXiv:1612.03651). All numbers are little
//! endian, nothing is aligned:
//!
//! ```text
//! i32 magic, i32 version             11 or 12; files from before that have neither
//! args                               twelve i32 and an f64
//! dictionary                         i32 entries, words, labels; i64 tokens, i64 pruned (-1: not);
//!                                    entries: word, byte 0, i64 count, i8 kind;
//!                                    pruned pairs: i32 bucket, i32 row after those of the words
//! u8 quantized, input matrix         words, then buckets of subwords and word n-grams
//! u8 quantized, output matrix        labels (supervised) or words
//! dense matrix                       i64 rows, i64 columns, f32 values
//! quantized matrix                   u8 norms, i64 rows, i64 columns, i32 codes, codes, codebook;
//!                                    with norms: a code for each row, their codebook
//! codebook                           i32 columns, i32 parts, i32 width, i32 last width, centroids
//! ```

mod args;
mod dictionary;
mod field;
mod matrix;
mod quantized;
mod size;
mod write;

use std::path::Path;
use std::sync::Arc;

use inlay_base::{Error, Map, Result};

pub use args::{Args, Loss, Task};
pub use dictionary::Dictionary;
pub use matrix::{Dense, Matrix};
pub use quantized::{CENTROIDS, Codebook, Norms, Quantized};
pub use size::QuantizedSize;
pub use write::{Rows, write};

use field::Fields;

/// What a file of a version that is known begins with.
const MAGIC: i32 = 793_712_314;
/// The version that is written.
const VERSION: i32 = 12;

/// A file's content. Dense matrices stay in the mapped file.
#[derive(Debug)]
pub struct Model {
    /// How it was trained.
    pub args: Args,
    /// Words and labels.
    pub dictionary: Dictionary,
    /// A row for each word, then one for each bucket, or for those that pruning has left.
    pub input: Matrix,
    /// A row for each label of a supervised model, for each word of another.
    pub output: Matrix,
}

/// Whether a file begins as a fastText model. Models from before version 11 have no mark, so they
/// are not told.
pub fn is_model(bytes: &[u8]) -> bool {
    bytes.first_chunk::<4>().is_some_and(|bytes| i32::from_le_bytes(*bytes) == MAGIC)
}

/// Opens a model. Everything is read and checked but the values of dense matrices, which are not
/// touched.
///
/// # Errors
/// `InvalidInput` with the byte offset: sizes that the file does not have, words or rows that do
/// not fit one another, bytes after the end. `Unsupported` a version that is not known.
pub fn open(path: &Path) -> Result<Model> {
    let map = Arc::new(Map::open(path)?);
    let mut fields = Fields::new(&map);
    // Before version 11 a file begins with its args: `None`.
    let version = is_model(&map).then(|| {
        fields.i32("the magic number")?;
        fields.i32("the version")
    });
    let version = version.transpose()?;
    if let Some(version) = version.filter(|version| !(11..=12).contains(version)) {
        let what = format!(
            "{} is a fastText model of version {version}; 11 and 12 are known",
            path.display()
        );
        return Err(Error::Unsupported { what });
    }
    let mut args = Args::read(&mut fields)?;
    if version.is_none_or(|version| version < 12) && args.task == Task::Supervised {
        // Supervised models had no subwords then, whatever their args say.
        args.maxn = 0;
    }
    let dictionary = Dictionary::read(&mut fields, version.is_some())?;
    let flag = |fields: &mut Fields<'_>, what| match version {
        Some(_) => fields.flag(what),
        None => Ok(false),
    };
    let quantized = flag(&mut fields, "whether the input matrix is quantized")?;
    let at = fields.at();
    let input = Matrix::read(&mut fields, quantized, args.dimensions, "input")?;
    check_input(&args, &dictionary, &input).map_err(|problem| fields.invalid(at, problem))?;
    // Only a quantized model can have a quantized output; in others the flag says nothing.
    let flag = flag(&mut fields, "whether the output matrix is quantized")?;
    let at = fields.at();
    let output = Matrix::read(&mut fields, flag && quantized, args.dimensions, "output")?;
    let (targets, what) = match args.task {
        Task::Supervised => (dictionary.labels(), "labels"),
        Task::Cbow | Task::SkipGram => (dictionary.words, "words"),
    };
    if output.rows() != targets {
        let problem = format!("an output matrix of {} rows, for {targets} {what}", output.rows());
        return Err(fields.invalid(at, problem));
    }
    if fields.left() > 0 {
        let problem = format!("the model ends here, {} bytes follow it", fields.left());
        return Err(fields.invalid(fields.at(), problem));
    }
    Ok(Model { args, dictionary, input, output })
}

/// Whether every row that a text can ask for is there.
fn check_input(
    args: &Args,
    dictionary: &Dictionary,
    input: &Matrix,
) -> std::result::Result<(), String> {
    let (rows, words) = (input.rows(), dictionary.words);
    let Some(beyond) = rows.checked_sub(words) else {
        return Err(format!("an input matrix of {rows} rows, for {words} words"));
    };
    match &dictionary.pruned {
        Some(_) if matches!(input, Matrix::Dense(_)) => {
            Err("a pruned dictionary needs a quantized input matrix".into())
        }
        Some(pruned) => match pruned.iter().find(|&&(_, row)| row as usize >= beyond) {
            Some((bucket, row)) => Err(format!(
                "bucket {bucket} has row {row} after those of the words; there are {beyond}"
            )),
            None => Ok(()),
        },
        None if args.has_buckets() && args.bucket as usize > beyond => Err(format!(
            "an input matrix of {rows} rows, for {words} words and {} buckets",
            args.bucket
        )),
        None => Ok(()),
    }
}
