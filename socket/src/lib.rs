//! What the system tells of a socket, and no safe crate does. The root crate forbids `unsafe`, so this is a crate of its
//! own.

/// Returns how many bytes were written to a socket and are not acknowledged by the peer, sent or not: for TCP those in
/// the send buffer, for a Unix socket about those that the peer has not read. `None` where the system does not tell.
///
/// One system call: `SIOCOUTQ` on Linux and Android, `SO_NWRITE` on Apple's systems.
#[cfg(unix)]
pub fn unacknowledged(socket: impl std::os::fd::AsFd) -> Option<usize> {
    usize::try_from(system::unacknowledged(socket.as_fd())?).ok()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::os::fd::{AsRawFd, BorrowedFd};

    pub(crate) fn unacknowledged(socket: BorrowedFd<'_>) -> Option<libc::c_int> {
        let mut bytes: libc::c_int = 0;
        // SAFETY: the descriptor is open for as long as it is borrowed. SIOCOUTQ, which has the number of TIOCOUTQ, writes
        // one int to where the pointer shows (tcp(7), unix(7)).
        let outcome = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
        (outcome == 0).then_some(bytes)
    }
}

#[cfg(target_vendor = "apple")]
mod system {
    use std::os::fd::{AsRawFd, BorrowedFd};

    pub(crate) fn unacknowledged(socket: BorrowedFd<'_>) -> Option<libc::c_int> {
        let mut bytes: libc::c_int = 0;
        let mut len = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: the descriptor is open for as long as it is borrowed. SO_NWRITE writes at most `len` bytes, which is the
        // size of what the pointer shows to.
        let outcome = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_NWRITE,
                (&raw mut bytes).cast(),
                &raw mut len,
            )
        };
        (outcome == 0).then_some(bytes)
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android", target_vendor = "apple"))))]
mod system {
    use std::os::fd::BorrowedFd;

    pub(crate) fn unacknowledged(_: BorrowedFd<'_>) -> Option<i32> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        thread::sleep,
        time::Duration,
    };

    use super::*;

    #[test]
    fn what_a_peer_does_not_read_is_unacknowledged_and_falls_as_it_reads() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut there, _) = listener.accept().unwrap();
        assert_eq!(unacknowledged(&here), Some(0));
        here.set_nonblocking(true).unwrap();
        let mut written = 0;
        while let Ok(count) = here.write(&[0; 64 * 1024]) {
            written += count;
            sleep(Duration::from_millis(1));
        }
        let waiting = unacknowledged(&here).unwrap();
        assert!(waiting > 0 && waiting <= written, "{waiting} of {written}");
        there.read_exact(&mut vec![0; written]).unwrap();
        let emptied = (0..100).any(|_| {
            sleep(Duration::from_millis(10));
            unacknowledged(&here) == Some(0)
        });
        assert!(emptied);
    }

    #[test]
    fn a_file_has_no_peer() {
        assert_eq!(unacknowledged(std::fs::File::open("/proc/self/status").unwrap()), None);
    }
}
