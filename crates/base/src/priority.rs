/// Niceness that is added: a third of a normal thread's share, where both want the same core.
#[cfg(target_os = "linux")]
const NICER: i32 = 5;

/// From here on this thread, and those that it starts, give way to the threads of the process that
/// have something to do at once: with work on all cores the event loop would wait for its turn. To call it again changes
/// nothing.
///
/// Linux only: elsewhere a priority is the whole process's, or needs rights.
pub fn yield_to_others() {
    #[cfg(target_os = "linux")]
    // SAFETY: both calls take numbers only; 0 is the calling thread, and the process's number that of
    // its first. What they refuse stays as it was.
    unsafe {
        let first = libc::getpriority(libc::PRIO_PROCESS, libc::getpid() as libc::id_t);
        libc::setpriority(libc::PRIO_PROCESS, 0, first + NICER);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::thread;

    use super::*;

    fn niceness() -> i32 {
        // SAFETY: takes numbers only.
        unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
    }

    #[test]
    fn a_thread_and_those_it_starts_give_way_and_no_other_does() {
        let before = niceness();
        let (own, child) = thread::spawn(|| {
            yield_to_others();
            yield_to_others();
            (niceness(), thread::spawn(niceness).join().unwrap())
        })
        .join()
        .unwrap();
        let wanted = (before + NICER).min(19);
        assert_eq!((own, child, niceness()), (wanted, wanted, before));
    }
}
