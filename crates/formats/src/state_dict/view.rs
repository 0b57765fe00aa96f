//! A tensor as a view of a storage: from where, and how far from each position to the next.

use std::borrow::Cow;
use std::ops::Range;

use super::pickle::{Built, Name, Value};
use super::storages::Storages;
use crate::safetensors::Dtype;

/// The deepest shape that is read.
const MOST_AXES: usize = 16;

/// Where a tensor's values lie in the file.
#[derive(Debug)]
pub struct View {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// In values; of a tensor that lies as it should, none.
    strides: Option<Vec<usize>>,
    /// From its first value to its last one.
    range: Range<usize>,
}

impl View {
    /// The tensor that a call of `_rebuild_tensor` makes: of storage, offset, sizes and strides.
    pub fn of(built: &Built<'_>, arguments: usize, storages: &Storages) -> Result<Self, String> {
        let &[
            Value::Storage(storage),
            Value::Int(offset),
            Value::Tuple(sizes),
            Value::Tuple(strides),
            ..,
        ] = built.items(arguments)
        else {
            return Err("is not made of a storage, an offset, sizes and strides".into());
        };
        let (dtype, held, lies) = stored(built, storage, storages)?;
        let axes = |number| axes(built.items(number));
        let (Some(shape), Some(strides), Ok(offset)) =
            (axes(sizes), axes(strides), usize::try_from(offset))
        else {
            return Err("has impossible sizes or strides".into());
        };
        if shape.len() != strides.len() || shape.len() > MOST_AXES {
            return Err("has impossible sizes or strides".into());
        }
        let count = shape.iter().try_fold(1usize, |count, &axis| count.checked_mul(axis));
        // As many values as its storage has, or fewer: what is repeated could be of any size.
        let count = count.filter(|&count| count <= held);
        let count =
            count.ok_or_else(|| format!("has the shape {shape:?}, its storage {held} values"))?;
        let far = || {
            let steps = shape.iter().zip(&strides);
            let last = steps.into_iter().try_fold(offset, |sum, (&axis, &stride)| {
                sum.checked_add(axis.saturating_sub(1).checked_mul(stride)?)
            })?;
            last.checked_add(1)
        };
        let end = if count == 0 { Some(offset) } else { far() };
        let Some(end) = end.filter(|&end| end <= held) else {
            return Err(format!("lies outside of its storage of {held} values"));
        };
        let size = dtype.size();
        let range = lies.start + offset * size..lies.start + end * size;
        let strides = (count > 0 && strides_of(&shape, &strides)).then_some(strides);
        Ok(Self { dtype, shape, strides, range })
    }

    /// Where in the file the values are, the last axis fastest, if they lie so.
    pub fn lies(&self) -> Option<Range<usize>> {
        self.strides.is_none().then(|| self.range.clone())
    }

    /// The values, the last axis fastest.
    pub fn bytes<'a>(&self, file: &'a [u8]) -> Cow<'a, [u8]> {
        let bytes = &file[self.range.clone()];
        let Some(strides) = &self.strides else { return Cow::Borrowed(bytes) };
        let size = self.dtype.size();
        let count: usize = self.shape.iter().product();
        let mut gathered = Vec::with_capacity(count * size);
        let mut position = vec![0; self.shape.len()];
        for _ in 0..count {
            let at: usize = position.iter().zip(strides).map(|(at, stride)| at * stride).sum();
            gathered.extend_from_slice(&bytes[at * size..(at + 1) * size]);
            for (at, &axis) in position.iter_mut().zip(&self.shape).rev() {
                *at += 1;
                if *at < axis {
                    break;
                }
                *at = 0;
            }
        }
        Cow::Owned(gathered)
    }
}

/// Whether these are not the strides of values that lie one after the other.
fn strides_of(shape: &[usize], strides: &[usize]) -> bool {
    let mut wanted = 1;
    for (&axis, &stride) in shape.iter().zip(strides).rev() {
        if axis != 1 && stride != wanted {
            return true;
        }
        wanted *= axis;
    }
    false
}

/// Type and length of a storage, and where it lies: ('storage', type, key, device, length).
fn stored(
    built: &Built<'_>,
    storage: usize,
    storages: &Storages,
) -> Result<(Dtype, usize, Range<usize>), String> {
    let &[
        Value::Text("storage"),
        Value::Name(Name::Storage(dtype)),
        Value::Text(key),
        _,
        Value::Int(length),
        ..,
    ] = built.items(storage)
    else {
        return Err("has a storage that is not understood".into());
    };
    let size = usize::try_from(length).ok().and_then(|length| length.checked_mul(dtype.size()));
    let size = size.ok_or("has a storage of impossible size")?;
    Ok((dtype, length as usize, storages.find(key, size)?))
}

fn axes(items: &[Value<'_>]) -> Option<Vec<usize>> {
    let axis = |item: &Value<'_>| match item {
        Value::Int(axis) => usize::try_from(*axis).ok(),
        _ => None,
    };
    items.iter().map(axis).collect()
}
