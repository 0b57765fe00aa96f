//! The door to JavaScript, and the only crate that knows N-API: specs in, typed arrays out.
#![allow(missing_docs)] // `#[napi]` makes undocumented items; what JavaScript sees is documented.

mod live;
mod probe;
mod run;
mod serve;
