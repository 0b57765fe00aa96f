//! Tokenizers of pretrained models.

use std::path::PathBuf;
use std::sync::Arc;

use inlay_base::Shared;
use inlay_corpus::{Source, Subwords};
use napi::Env;
use napi::bindgen_prelude::{Float64Array, Uint32Array};
use napi_derive::napi;

use crate::held::{Held, Weighty, handle};
use crate::numbered::NumberedTexts;
use crate::run::{Events, RunHandle, RunSpec, launch, launch_fed};
use crate::stream::TextStream;

/// A tokenizer.
#[napi(custom_finalize)]
pub struct SubwordHandle(Held<Arc<Subwords>>);

handle!(SubwordHandle);

impl Weighty for Arc<Subwords> {
    fn weight(&self) -> u64 {
        // A token with its number, both ways, and its place in a tree.
        200 * self.size() as u64
    }

    fn memory(&self) -> u64 {
        self.weight()
    }
}

impl SubwordHandle {
    pub fn shared(&self) -> napi::Result<Arc<Subwords>> {
        self.0.get().cloned()
    }
}

#[napi]
impl SubwordHandle {
    /// How many tokens there are.
    #[napi(getter)]
    pub fn size(&self) -> napi::Result<u32> {
        Ok(self.0.get()?.size() as u32)
    }

    /// The same tokenizer once more, to be closed by itself.
    #[napi]
    pub fn share(&self) -> napi::Result<SubwordHandle> {
        Ok(SubwordHandle(Held::new(Arc::clone(self.0.get()?))))
    }
}

/// Tokenizers that are opened once for all threads.
static SHARED: Shared<Subwords> = Shared::new();

/// Reads a `tokenizer.json`; a text has `limit` tokens at most, and its letters are made small first if `lowercase` says so.
#[napi(
    ts_args_type = "path: string, limit: number, lowercase: boolean, run: RunSpec, events: Events<SubwordHandle>"
)]
pub fn open_subwords(
    env: &Env,
    path: String,
    limit: u32,
    lowercase: bool,
    run: RunSpec,
    events: Events<'_, SubwordHandle>,
) -> napi::Result<RunHandle> {
    let path = [PathBuf::from(path)];
    launch(env, run, events, move |_| {
        let open = || {
            let found = Subwords::open(&path[0], limit as usize)?;
            if lowercase { found.in_lower_case() } else { Ok(found) }
        };
        let said = [limit.to_string(), lowercase.to_string()];
        SHARED
            .get(&said.each_ref().map(String::as_str), &path, open)
            .map(|found| SubwordHandle(Held::new(found)))
    })
}

/// Texts as tokens.
#[napi(object, object_from_js = false)]
pub struct TokenizedTexts {
    /// Of all texts, one after the other.
    pub ids: Uint32Array,
    /// Where each text ends.
    pub ends: Float64Array,
    /// How many tokens each text has, those beyond the limit too.
    pub counts: Uint32Array,
}

/// The tokens of the texts of a stream.
#[napi(ts_args_type = "tokenizer: SubwordHandle, stream: TextStream, special: boolean, \
run: RunSpec, events: Events<TokenizedTexts>")]
pub fn tokenize_texts(
    env: &Env,
    tokenizer: &SubwordHandle,
    stream: &mut TextStream,
    special: bool,
    run: RunSpec,
    events: Events<'_, TokenizedTexts>,
) -> napi::Result<RunHandle> {
    let (subwords, pieces) = (Arc::clone(tokenizer.0.get()?), stream.pieces()?);
    launch_fed(env, run, events, move |run, ask| {
        let tokenize = |batches| subwords.tokenize(Source::Stream(batches), special, run);
        let found = pieces.feed(run, ask, tokenize)?;
        let NumberedTexts { ids, ends } = found.texts.into();
        Ok(TokenizedTexts { ids, ends, counts: found.counts.into() })
    })
}
