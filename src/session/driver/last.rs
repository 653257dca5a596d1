//! What a driver still writes when it is dropped, as a runtime does that ends.

use std::{
    io::{self, IoSlice},
    task::{Context, Waker},
};

use crate::{
    engine::Phase,
    session::{
        clock,
        driver::{Driver, SLICES},
        transport::Transport,
    },
};

/// How many turns of bytes a driver writes when it is dropped.
const LAST_TURNS: usize = 16;

impl<T: Transport> Driver<T> {
    /// Writes what the transport takes at once, unless the connection was to be cut; others may go on sending meanwhile.
    pub(super) fn write_last(&mut self) {
        let (mut cx, now) = (Context::from_waker(Waker::noop()), clock::now());
        self.collect(now);
        // The system may hold as much of it as it can: there is nobody to write more later.
        self.io.limit_unsent(u32::MAX);
        let mut turns = 0..LAST_TURNS;
        while turns.next().is_some() && self.exchange.outlook.phase != Phase::Done && self.write(&mut cx, now)
        {
            self.rest();
        }
        // What the runtime knows of the socket is from before.
        let mut writes = 0..LAST_TURNS * SLICES;
        while writes.next().is_some()
            && self.exchange.outlook.phase != Phase::Done
            && self.write_past().is_ok()
        {
            if self.exchange.writing.is_empty() {
                self.collect(now);
            }
        }
    }

    /// Writes once to the socket, past the runtime.
    fn write_past(&mut self) -> io::Result<()> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = self.exchange.writing.io_slices(&mut slices);
        let count = self.io.write_past(slices.get(..filled).unwrap_or_default())?;
        self.exchange.left(count);
        Ok(())
    }
}
