//! epoll, as little of it as the load generator needs.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    time::Duration,
};

use converse_benches::Result;

/// Connections that are told of at once.
const EVENTS: usize = 256;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Bytes to read.
    Read,
    /// Bytes to read, and room to write.
    Both,
}

/// A set of watched sockets, level-triggered.
pub struct Poll {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Poll {
    /// Starts with no socket.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn new() -> Result<Self> {
        // SAFETY: epoll_create1 takes a flag, and what it returns is owned by nobody else.
        let epoll = unsafe {
            let epoll = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            checked(epoll)?;
            OwnedFd::from_raw_fd(epoll)
        };
        Ok(Self { epoll, events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS] })
    }

    /// Watches one more socket for what there is to read.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn add(&self, socket: RawFd, token: usize) -> Result<()> {
        self.control(libc::EPOLL_CTL_ADD, socket, token, Interest::Read)
    }

    /// Changes what a socket is watched for.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn change(&self, socket: RawFd, token: usize, interest: Interest) -> Result<()> {
        self.control(libc::EPOLL_CTL_MOD, socket, token, interest)
    }

    fn control(&self, operation: i32, socket: RawFd, token: usize, interest: Interest) -> Result<()> {
        let write = if interest == Interest::Both { libc::EPOLLOUT } else { 0 };
        let mut event = libc::epoll_event { events: (libc::EPOLLIN | write) as u32, u64: token as u64 };
        // SAFETY: the kernel reads the event during the call.
        checked(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, socket, &mut event) })
    }

    /// Waits, and puts the tokens of the sockets that are ready into `ready`: none of them after `patience`.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn wait(&mut self, ready: &mut Vec<usize>, patience: Duration) -> Result<()> {
        ready.clear();
        let patience = patience.as_millis().try_into().unwrap_or(i32::MAX);
        // SAFETY: the kernel writes no more events than the vector has.
        let count = unsafe {
            libc::epoll_wait(self.epoll.as_raw_fd(), self.events.as_mut_ptr(), EVENTS as i32, patience)
        };
        if count < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error.into()) };
        }
        ready.extend(self.events[..count as usize].iter().map(|event| event.u64 as usize));
        Ok(())
    }
}

fn checked(answer: i32) -> Result<()> {
    if answer < 0 { Err(io::Error::last_os_error().into()) } else { Ok(()) }
}
