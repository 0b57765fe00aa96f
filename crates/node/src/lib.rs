//! The door to JavaScript, and the only crate that knows N-API: specs in, typed arrays out.
