use std::time::Duration;
use std::{hint, thread};

/// Looks before a thread lets somebody else have its core, and how often it does so before it sleeps a while.
const LOOKS: (u32, u32) = (2000, 200);

/// How a thread looks for what another is about to do, again and again.
#[derive(Default)]
pub struct Patience(u32);

impl Patience {
    /// For what comes within microseconds: the core is kept at first, and lent then.
    pub fn wait(&mut self) {
        self.0 = self.0.saturating_add(1);
        if self.0 < LOOKS.0 { hint::spin_loop() } else { thread::yield_now() }
    }

    /// For what may take longer: sleeps after a while.
    pub fn wait_or_sleep(&mut self) {
        if self.0 < LOOKS.0 + LOOKS.1 {
            self.wait();
        } else {
            thread::sleep(Duration::from_micros(50));
        }
    }

    /// Whether the core was given away the last time.
    pub fn has_yielded(&self) -> bool {
        self.0 >= LOOKS.0
    }
}
