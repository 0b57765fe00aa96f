use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks what others may have left in the middle of a change: a run that one of its threads has panicked in ends with
/// an error, whatever the others still find.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
