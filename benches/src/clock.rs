//! CPU time of one thread, read from any thread of the process, and of another process.

use std::{mem::MaybeUninit, time::Duration};

/// The CPU clock of a thread, or of all threads of a process. It ends with what it measures.
#[derive(Clone, Copy, Debug)]
pub struct CpuClock(libc::clockid_t);

impl CpuClock {
    /// Returns the calling thread's clock.
    pub fn of_this_thread() -> Self {
        // SAFETY: gettid takes nothing and cannot fail.
        let thread = unsafe { libc::gettid() };
        // How Linux numbers such clocks: the complement of the thread's id, then CPUCLOCK_PERTHREAD and CPUCLOCK_SCHED.
        Self((!thread << 3) | 0b110)
    }

    /// Returns the clock of a process.
    pub fn of_process(process: u32) -> Self {
        // The same, without CPUCLOCK_PERTHREAD.
        Self((!(process as libc::pid_t) << 3) | 0b010)
    }

    /// Returns the CPU time that was used, in user and in system mode.
    ///
    /// # Panics
    /// When the thread or the process has ended.
    pub fn now(self) -> Duration {
        let mut time = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: the kernel fills the structure that it is given, or says that it did not.
        let time = unsafe {
            assert_eq!(libc::clock_gettime(self.0, time.as_mut_ptr()), 0, "what is measured has ended");
            time.assume_init()
        };
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}
