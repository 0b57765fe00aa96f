//! Bytes of a file that JavaScript has, or that come to it piece by piece.

use napi::bindgen_prelude::Uint8ArraySlice;
use napi_derive::napi;

/// Bytes, as they come.
#[napi]
#[derive(Default)]
pub struct BytesHandle(Vec<u8>);

#[napi]
impl BytesHandle {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    #[napi]
    pub fn push(&mut self, #[napi(ts_arg_type = "Uint8Array")] bytes: Uint8ArraySlice<'_>) {
        self.0.extend_from_slice(&bytes);
    }
}

impl BytesHandle {
    /// All that came; the handle is empty then.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}
