//! Sparse matrices: made, opened, saved, multiplied, searched.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use inlay_base::Priority;
use inlay_counts::{Inverted, Near, SparseMatrix};
use napi::Env;
use napi::bindgen_prelude::{
    Float32Array, Float32ArraySlice, Float64Array, Float64ArraySlice, Uint32Array, Uint32ArraySlice,
};
use napi_derive::napi;

use crate::held::{Held, Weighty, handle};
use crate::run::{Events, RunHandle, RunSpec, launch};
use crate::serve::serve;

/// Rows and columns that are not zero.
#[napi(custom_finalize)]
pub struct SparseHandle(Held<Arc<Searchable>>);

handle!(SparseHandle);

/// A matrix, and how its rows are found, once that was asked for.
pub struct Searchable {
    matrix: SparseMatrix,
    cosines: OnceLock<Inverted>,
}

impl Weighty for Arc<Searchable> {
    fn weight(&self) -> u64 {
        2 * self.matrix.weight()
    }

    fn memory(&self) -> u64 {
        self.matrix.weight()
    }
}

impl SparseHandle {
    pub fn new(matrix: SparseMatrix) -> Self {
        Self(Held::new(Arc::new(Searchable { matrix, cosines: OnceLock::new() })))
    }

    pub fn matrix(&self) -> napi::Result<&SparseMatrix> {
        Ok(&self.0.get()?.matrix)
    }

    pub fn shared(&self) -> napi::Result<Arc<Searchable>> {
        Ok(Arc::clone(self.0.get()?))
    }
}

impl Searchable {
    pub fn matrix(&self) -> &SparseMatrix {
        &self.matrix
    }
}

/// A row.
#[napi(object, object_from_js = false)]
pub struct SparseRowValues {
    pub indices: Uint32Array,
    pub values: Float32Array,
}

#[napi]
impl SparseHandle {
    #[napi(getter)]
    pub fn rows(&self) -> napi::Result<f64> {
        Ok(self.matrix()?.rows() as f64)
    }

    #[napi(getter)]
    pub fn columns(&self) -> napi::Result<f64> {
        Ok(self.matrix()?.columns() as f64)
    }

    /// Values that are stored.
    #[napi(getter)]
    pub fn stored(&self) -> napi::Result<f64> {
        Ok(self.matrix()?.values().len() as f64)
    }

    #[napi]
    pub fn row(&self, row: u32) -> napi::Result<SparseRowValues> {
        let row = self.matrix()?.row(row as usize);
        Ok(SparseRowValues {
            indices: row.indices.to_vec().into(),
            values: row.values.to_vec().into(),
        })
    }

    #[napi]
    pub fn offsets(&self) -> napi::Result<Float64Array> {
        Ok(self.matrix()?.offsets().iter().map(|&offset| offset as f64).collect::<Vec<_>>().into())
    }

    #[napi]
    pub fn indices(&self) -> napi::Result<Uint32Array> {
        Ok(self.matrix()?.indices().to_vec().into())
    }

    #[napi]
    pub fn values(&self) -> napi::Result<Float32Array> {
        Ok(self.matrix()?.values().to_vec().into())
    }
}

/// Makes a matrix of its parts. An error is what is wrong with them.
#[napi]
pub fn sparse_of_parts(
    columns: f64,
    #[napi(ts_arg_type = "Float64Array")] offsets: Float64ArraySlice<'_>,
    #[napi(ts_arg_type = "Uint32Array")] indices: Uint32ArraySlice<'_>,
    #[napi(ts_arg_type = "Float32Array")] values: Float32ArraySlice<'_>,
) -> napi::Result<SparseHandle> {
    let offsets = offsets.iter().map(|&offset| offset as u64).collect();
    SparseMatrix::new(columns as usize, offsets, indices.to_vec(), values.to_vec())
        .map(SparseHandle::new)
        .map_err(napi::Error::from_reason)
}

/// The rows of a matrix as columns.
#[napi(ts_args_type = "matrix: SparseHandle, run: RunSpec, events: Events<SparseHandle>")]
pub fn transpose_sparse(
    env: &Env,
    matrix: &SparseHandle,
    run: RunSpec,
    events: Events<'_, SparseHandle>,
) -> napi::Result<RunHandle> {
    let matrix = matrix.shared()?;
    launch(env, run, events, move |_| Ok(SparseHandle::new(matrix.matrix.transpose()?)))
}

/// Some rows, in this order.
#[napi]
pub fn select_rows(
    matrix: &SparseHandle,
    #[napi(ts_arg_type = "Uint32Array")] rows: Uint32ArraySlice<'_>,
) -> napi::Result<SparseHandle> {
    Ok(SparseHandle::new(matrix.matrix()?.select(&rows)))
}

/// All values, zeros included.
#[napi(ts_args_type = "matrix: SparseHandle, run: RunSpec, events: Events<Float32Array>")]
pub fn dense_of_sparse(
    env: &Env,
    matrix: &SparseHandle,
    run: RunSpec,
    events: Events<'_, Float32Array>,
) -> napi::Result<RunHandle> {
    let matrix = matrix.shared()?;
    launch(env, run, events, move |_| matrix.matrix.to_dense().map(Float32Array::from))
}

/// The product with a dense matrix, `width` values a row.
#[napi(
    ts_args_type = "matrix: SparseHandle, dense: Float32Array, width: number, run: RunSpec, events: Events<Float32Array>"
)]
pub fn multiply_sparse(
    env: &Env,
    matrix: &SparseHandle,
    dense: Float32ArraySlice<'_>,
    width: u32,
    run: RunSpec,
    events: Events<'_, Float32Array>,
) -> napi::Result<RunHandle> {
    let (matrix, dense) = (matrix.shared()?, dense.to_vec());
    launch(env, run, events, move |run| {
        let product = matrix.matrix.multiply(&dense, width as usize, run)?;
        Ok(product.into())
    })
}

/// What was found for some queries: rows and scores end to end, and where those of each query end.
#[napi(object, object_from_js = false)]
pub struct FoundRows {
    pub rows: Uint32Array,
    pub scores: Float32Array,
    pub ends: Uint32Array,
}

impl FoundRows {
    pub fn new(found: &[Vec<Near>]) -> Self {
        let all = || found.iter().flatten();
        let ends = found.iter().scan(0, |end, found| {
            *end += found.len() as u32;
            Some(*end)
        });
        Self {
            rows: all().map(|near| near.row).collect::<Vec<_>>().into(),
            scores: all().map(|near| near.score).collect::<Vec<_>>().into(),
            ends: ends.collect::<Vec<_>>().into(),
        }
    }
}

/// The rows of a matrix that are nearest to the rows of another by their cosine.
#[napi(
    ts_args_type = "matrix: SparseHandle, queries: SparseHandle, topK: number, events: Events<FoundRows>"
)]
pub fn nearest_rows(
    env: &Env,
    matrix: &SparseHandle,
    queries: &SparseHandle,
    top_k: f64,
    events: Events<'_, FoundRows>,
) -> napi::Result<RunHandle> {
    let (matrix, queries) = (matrix.shared()?, queries.shared()?);
    let few = queries.matrix.rows() == 1;
    let priority = if few { Priority::Query } else { Priority::Batch };
    serve(env, priority, events, move |workers| {
        let index = match matrix.cosines.get() {
            Some(index) => index,
            None => {
                let index = Inverted::cosines(&matrix.matrix)?;
                matrix.cosines.get_or_init(|| index)
            }
        };
        let found = index.nearest(&queries.matrix, top_k as usize, workers)?;
        Ok(FoundRows::new(&found))
    })
}

/// Opens a file of SciPy's.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<SparseHandle>")]
pub fn open_sparse(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, SparseHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |run| SparseMatrix::open(&path, run).map(SparseHandle::new))
}

/// Writes a file that SciPy reads.
#[napi(ts_args_type = "matrix: SparseHandle, path: string, run: RunSpec, events: Events<void>")]
pub fn save_sparse(
    env: &Env,
    matrix: &SparseHandle,
    path: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (matrix, path) = (matrix.shared()?, PathBuf::from(path));
    launch(env, run, events, move |run| matrix.matrix.save(&path, run))
}
