//! The door to JavaScript, and the only crate that knows N-API: specs in, handles, typed arrays
//! and short strings out. It translates and starts; defaults and checks of options are TypeScript's.
#![allow(missing_docs)] // `#[napi]` makes undocumented items; what JavaScript sees is documented.

mod bm25;
mod bytes;
mod checkpoint;
mod classifier;
mod columns;
mod corpus;
mod counts;
mod doc2vec;
mod documents;
mod examples;
mod fasttext;
mod films;
mod glove;
mod held;
mod idx;
mod language;
mod latents;
mod lda;
mod live;
mod names;
mod network;
mod numbered;
mod patches;
mod phrases;
mod pictures;
mod probe;
mod restore;
mod run;
mod search;
mod sentences;
mod serve;
mod slab;
mod sound_patches;
mod sounds;
mod source;
mod sparse;
mod static_encoder;
mod stream;
mod subwords;
mod svd;
mod training;
mod vectors;
mod words;

use run::refuse;

#[global_allocator]
static ALLOCATOR: inlay_base::InSteps = inlay_base::InSteps;

/// The meaning of a name that TypeScript has checked against the same list.
fn choice<T: Copy>(given: &str, choices: &[(&str, T)]) -> napi::Result<T> {
    let meant = choices.iter().find(|(name, _)| *name == given);
    meant.map(|&(_, choice)| choice).ok_or_else(|| refuse(format!("no such choice: {given}")))
}
