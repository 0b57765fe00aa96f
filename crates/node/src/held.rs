//! What a handle holds: given back at `close`, or when JavaScript has forgotten the handle.

use std::thread;

use crate::run::refuse;

/// From so many bytes on, unmapping takes longer than the event loop may be held.
const LARGE: u64 = 64 << 20;

/// Something whose size is known.
pub trait Weighty: Send + 'static {
    /// Bytes of memory or of mapped files that go when it is dropped.
    fn weight(&self) -> u64;
}

/// A value until it is closed. A large one is dropped on a thread of its own.
pub struct Held<T: Weighty>(Option<T>);

impl<T: Weighty> Held<T> {
    pub fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// The value. TypeScript asks before it calls, so the error is a fault of ours.
    pub fn get(&self) -> napi::Result<&T> {
        self.0.as_ref().ok_or_else(|| refuse("the handle is closed".into()))
    }

    pub fn close(&mut self) {
        if let Some(value) = self.0.take_if(|value| value.weight() >= LARGE) {
            // Where no thread can be had, the closure is dropped here, and the value with it.
            let _ = thread::Builder::new().name("inlay free".into()).spawn(move || drop(value));
        }
        self.0 = None;
    }
}

impl<T: Weighty> Drop for Held<T> {
    fn drop(&mut self) {
        self.close();
    }
}
