/// Gives the system what the allocator keeps of freed memory: glibc holds on to blocks of many megabytes, should somebody ask
/// for some again. For after something large has gone; it takes milliseconds.
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it has no conditions, and any thread may call it.
    unsafe {
        libc::malloc_trim(0);
    }
}
