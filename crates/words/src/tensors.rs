//! Matrices as tensors of a file, and as rows of vectors.

use std::sync::Arc;

use inlay_base::{Result, Run, SharedMatrix};
use inlay_formats::GiveRows;
use inlay_formats::safetensors::{Dtype, Part, Reader};
use inlay_vectors::Rows;

/// Rows that are written between two looks at the signal.
const BLOCK: usize = 256;

/// What was trained, when no thread writes any more.
pub fn rows(matrix: SharedMatrix) -> Rows {
    let (rows, columns, stride) = (matrix.rows(), matrix.columns(), matrix.stride());
    Rows::from_pages(matrix.into_pages(), rows, columns, stride)
}

/// Rows as a matrix that kernels take.
pub fn matrix_of(rows: &Rows) -> Result<SharedMatrix> {
    let matrix = SharedMatrix::zeros(rows.rows(), rows.dimensions())?;
    let mut row = vec![0.0f32; rows.dimensions()];
    for number in 0..rows.rows() {
        rows.give(number, &mut row);
        matrix.write(number as u32, &row);
    }
    Ok(matrix)
}

/// A list of numbers in a file.
pub fn numbers(reader: &Reader, name: &str) -> Option<Arc<[u64]>> {
    let tensor = reader.tensor(name).filter(|tensor| tensor.dtype == Dtype::U64)?;
    Some(tensor.bytes.chunks_exact(8).map(bytemuck::pod_read_unaligned).collect())
}

/// A matrix that threads may still hold, as a tensor without padding.
pub fn matrix_part<'a>(name: &'a str, matrix: &'a SharedMatrix) -> Part<'a> {
    let shape = [matrix.rows(), matrix.columns()];
    Part::streamed(name, Dtype::F32, &shape, move |writer| {
        let mut row = vec![0.0f32; matrix.columns()];
        for number in 0..matrix.rows() as u32 {
            matrix.read(number, &mut row);
            writer.write(bytemuck::cast_slice(&row))?;
        }
        Ok(())
    })
}

/// Rows as a tensor.
pub fn rows_part<'a>(name: &'a str, rows: &'a (dyn GiveRows + 'a), run: &'a Run) -> Part<'a> {
    let shape = [rows.rows(), rows.dimensions()];
    Part::streamed(name, Dtype::F32, &shape, move |writer| {
        let mut block = vec![0.0f32; BLOCK * rows.dimensions()];
        for first in (0..rows.rows()).step_by(BLOCK) {
            run.check()?;
            let count = BLOCK.min(rows.rows() - first);
            let block = &mut block[..count * rows.dimensions()];
            rows.give(first, block);
            writer.write(bytemuck::cast_slice(block))?;
            run.advance(count as u64);
        }
        Ok(())
    })
}
