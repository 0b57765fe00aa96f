//! What a handle holds: given back at `close`, or when JavaScript has forgotten the handle.

use std::thread;

use inlay_base::trim;
use napi::Env;

use crate::run::refuse;

/// From so many bytes on, unmapping takes longer than the event loop may be held.
const LARGE: u64 = 64 << 20;

/// Something whose size is known.
pub trait Weighty: Send + 'static {
    /// Bytes of memory or of mapped files that go when it is dropped.
    fn weight(&self) -> u64;

    /// Bytes of memory among them.
    fn memory(&self) -> u64;
}

/// What every class has that holds a value: the garbage collector hears what it weighs, and it can be
/// closed.
macro_rules! handle {
    ($name:ident) => {
        impl napi::bindgen_prelude::ObjectFinalize for $name {
            fn finalize(mut self, env: napi::Env) -> napi::Result<()> {
                self.0.close(&env)
            }
        }

        #[napi_derive::napi]
        impl $name {
            /// Tells the garbage collector what the handle weighs.
            #[napi]
            pub fn weigh(&mut self, env: &napi::Env) -> napi::Result<()> {
                self.0.tell(env)
            }

            /// Gives back what it holds.
            #[napi]
            pub fn close(&mut self, env: &napi::Env) -> napi::Result<()> {
                self.0.close(env)
            }
        }
    };
}
pub(crate) use handle;

/// A value until it is closed. A large one is dropped on a thread of its own.
pub struct Held<T: Weighty> {
    value: Option<T>,
    /// What the garbage collector has been told that the handle weighs.
    told: i64,
}

impl<T: Weighty> Held<T> {
    pub fn new(value: T) -> Self {
        Self { value: Some(value), told: 0 }
    }

    /// The value. TypeScript asks before it calls, so the error is a fault of ours.
    pub fn get(&self) -> napi::Result<&T> {
        self.value.as_ref().ok_or_else(|| refuse("the handle is closed".into()))
    }

    /// As `get`, to change it.
    pub fn get_mut(&mut self) -> napi::Result<&mut T> {
        self.value.as_mut().ok_or_else(|| refuse("the handle is closed".into()))
    }

    /// Tells the garbage collector what it frees with the handle, which looks tiny to it: else a
    /// process that makes one model after the other is out of memory before it has any garbage.
    pub fn tell(&mut self, env: &Env) -> napi::Result<()> {
        let memory = self.value.as_ref().map_or(0, |value| value.memory() as i64);
        env.adjust_external_memory(memory - self.told)?;
        self.told = memory;
        Ok(())
    }

    pub fn close(&mut self, env: &Env) -> napi::Result<()> {
        self.free();
        self.tell(env)
    }

    fn free(&mut self) {
        if let Some(value) = self.value.take_if(|value| value.weight() >= LARGE) {
            // Where no thread can be had, the closure is dropped here, and the value with it.
            let free = move || {
                drop(value);
                trim();
            };
            let _ = thread::Builder::new().name("inlay free".into()).spawn(free);
        }
        self.value = None;
    }
}

impl<T: Weighty> Drop for Held<T> {
    fn drop(&mut self) {
        self.free();
    }
}
