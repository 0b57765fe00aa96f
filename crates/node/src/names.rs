//! Words by number: they cross in blocks, each as one array of bytes and one of offsets.

use std::sync::Arc;

use inlay_formats::Names;
use napi::bindgen_prelude::{Uint8Array, Uint32Array};
use napi_derive::napi;

use crate::held::{Held, Weighty, handle};

/// Words, their bytes end to end; word `i` lies from `offsets[i]` to `offsets[i + 1]`.
#[napi(object, object_from_js = false)]
pub struct WordBlock {
    pub bytes: Uint8Array,
    pub offsets: Uint32Array,
}

impl WordBlock {
    pub fn new(names: &Names, ids: impl Iterator<Item = u32>) -> Self {
        Self::of(ids.map(|id| names.get(id)))
    }

    pub fn of<'a>(words: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut bytes, mut offsets) = (Vec::new(), vec![0]);
        for word in words {
            bytes.extend_from_slice(word);
            offsets.push(bytes.len() as u32);
        }
        Self { bytes: bytes.into(), offsets: offsets.into() }
    }
}

/// A vocabulary.
#[napi(custom_finalize)]
pub struct NamesHandle(Held<Arc<Names>>);

handle!(NamesHandle);

impl Weighty for Arc<Names> {
    fn weight(&self) -> u64 {
        self.bytes().len() as u64 + size_of_val(self.offsets()) as u64
    }

    fn memory(&self) -> u64 {
        self.weight()
    }
}

impl NamesHandle {
    pub fn new(names: &Arc<Names>) -> Self {
        Self(Held::new(Arc::clone(names)))
    }
}

#[napi]
impl NamesHandle {
    #[napi(getter)]
    pub fn length(&self) -> napi::Result<u32> {
        Ok(self.0.get()?.len() as u32)
    }

    /// The words from one number up to another, which are both in range.
    #[napi]
    pub fn block(&self, from: u32, to: u32) -> napi::Result<WordBlock> {
        let names = self.0.get()?;
        Ok(WordBlock::new(names, from..to.min(names.len() as u32)))
    }
}
