//! Examples that JavaScript brings block by block. JavaScript never waits here: it fills a block when one is
//! asked for, and the next one is asked for as soon as one is taken.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use inlay_base::{Error, Result, Run};
use inlay_nn::{Blocks, Examples};
use napi_derive::napi;

use crate::columns::{ColumnHandle, Parts, taken};
use crate::run::{Ask, refuse};

/// How long a stop may go unnoticed while JavaScript has nothing to give.
const LOOK: Duration = Duration::from_millis(10);

/// Columns of the inputs and of what is wanted, before they have been checked.
pub type Block = (Vec<Parts>, Option<Parts>);

/// The JavaScript end of a stream of examples.
#[napi]
pub struct ExampleStream {
    blocks: Option<Sender<Option<Block>>>,
    reader: Option<Receiver<Option<Block>>>,
}

#[napi]
impl ExampleStream {
    #[napi(constructor)]
    #[allow(clippy::new_without_default)] // a constructor of JavaScript
    pub fn new() -> Self {
        let (blocks, reader) = channel();
        Self { blocks: Some(blocks), reader: Some(reader) }
    }

    /// The next block of the epoch; its columns are empty afterwards.
    #[napi]
    pub fn push(&mut self, inputs: Vec<&mut ColumnHandle>, targets: Option<&mut ColumnHandle>) {
        let inputs = inputs.into_iter().map(taken).collect();
        self.send(Some((inputs, targets.map(taken))));
    }

    /// The epoch is over.
    #[napi]
    pub fn turn_over(&mut self) {
        self.send(None);
    }

    /// There is no more.
    #[napi]
    pub fn end(&mut self) {
        self.blocks = None;
    }

    fn send(&self, block: Option<Block>) {
        if let Some(blocks) = &self.blocks {
            let _ = blocks.send(block); // nobody reads any more: the run has ended
        }
    }
}

impl ExampleStream {
    /// The other end, for the one run that reads the stream.
    pub fn blocks(&mut self) -> napi::Result<Receiver<Option<Block>>> {
        self.reader.take().ok_or_else(|| refuse("the stream has a reader".into()))
    }
}

/// The Rust end of a stream of examples.
pub struct Incoming<F> {
    blocks: Receiver<Option<Block>>,
    ask: Ask,
    /// Whether a block has been asked for that has not come.
    asked: bool,
    read: F,
}

impl<F: Fn(Block) -> Result<Examples> + Send> Incoming<F> {
    /// `read` makes examples of columns.
    pub fn new(blocks: Receiver<Option<Block>>, ask: Ask, read: F) -> Self {
        Self { blocks, ask, asked: false, read }
    }

    fn ask(&mut self) {
        if !std::mem::replace(&mut self.asked, true) {
            (self.ask)();
        }
    }
}

impl<F: Fn(Block) -> Result<Examples> + Send> Blocks for Incoming<F> {
    fn next(&mut self, run: &Run) -> Result<Option<Examples>> {
        self.ask();
        loop {
            run.check()?;
            match self.blocks.recv_timeout(LOOK) {
                Ok(block) => {
                    self.asked = false;
                    let Some(block) = block else { return Ok(None) };
                    self.ask();
                    return (self.read)(block).map(Some);
                }
                Err(RecvTimeoutError::Timeout) => {}
                // A stream that failed has stopped the run before it ended.
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Aborted),
            }
        }
    }
}
