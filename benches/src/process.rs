//! What a measured process asks of the system: one core, so that it does not wander, all the sockets it can
//! have, and an end with who has started it.

use std::{io, mem, process};

use crate::Result;

/// Keeps the calling thread, and those it will start, on one core.
///
/// # Errors
/// When the machine has no such core, or does not lend it.
pub fn pin_to(core: usize) -> Result<()> {
    // SAFETY: the set is plain bits, for which zero is valid; the kernel only reads it.
    let failed = unsafe {
        let mut cores: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(core % libc::CPU_SETSIZE as usize, &mut cores);
        libc::sched_setaffinity(0, size_of_val(&cores), &cores) != 0
    };
    if failed { Err(io::Error::last_os_error().into()) } else { Ok(()) }
}

/// Lets the process have as many sockets as the system lends it.
///
/// # Errors
/// When the limit can be neither read nor raised.
pub fn allow_all_descriptors() -> Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel fills the structure that it is given, and then reads it.
    let failed = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) != 0 || {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit) != 0
        }
    };
    if failed { Err(io::Error::last_os_error().into()) } else { Ok(()) }
}

/// Waits for the end of the standard input, and ends the process with it.
pub fn exit_with_input() {
    let ended = io::copy(&mut io::stdin().lock(), &mut io::sink());
    process::exit(if ended.is_ok() { 0 } else { 1 });
}
