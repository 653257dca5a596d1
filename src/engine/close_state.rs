//! The close of a connection as one total function (RFC 6455 §7). Knows no frame and no time.

/// Where the close of a connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Messages go both ways.
    #[default]
    Open,
    /// This end has asked for the close; the peer may still send.
    Closing,
    /// The peer's Close frame is here; this end's is not written out yet.
    Answering,
    /// The peer broke a rule: all that is left is to tell it so.
    Failing,
    /// Nothing more is sent; the end of TCP is awaited.
    Draining,
    /// The transport is of no more use.
    Done,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// The application asks for the close.
    LocalClose,
    /// The peer's Close frame arrived.
    PeerClose,
    /// This end fails the connection (RFC 6455 §7.1.7).
    Fault,
    /// This end's Close frame has left.
    CloseWritten,
    /// The peer sends no more bytes.
    Eof,
    /// The transport failed, a deadline passed, or the application gave up.
    Abort,
}

/// The phase, with the two facts it depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CloseState {
    phase: Phase,
    written: bool,
    eof: bool,
}

impl CloseState {
    /// Returns the phase.
    pub(crate) fn phase(self) -> Phase {
        self.phase
    }

    /// Tells whether this end's Close frame has left.
    pub(crate) fn is_written(self) -> bool {
        self.written
    }

    /// Moves on.
    pub(crate) fn apply(&mut self, signal: Signal) {
        self.written |= signal == Signal::CloseWritten;
        self.eof |= signal == Signal::Eof;
        self.phase = match next(self.phase, signal) {
            Phase::Answering | Phase::Failing if self.written && self.eof => Phase::Done,
            Phase::Answering | Phase::Failing if self.written => Phase::Draining,
            phase => phase,
        };
    }
}

fn next(phase: Phase, signal: Signal) -> Phase {
    use Phase::{Answering, Closing, Done, Draining, Failing, Open};
    match (phase, signal) {
        (Open, Signal::LocalClose) => Closing,
        (Open | Closing, Signal::PeerClose) => Answering,
        (Open | Closing, Signal::Fault) => Failing,
        (Open | Closing | Draining, Signal::Eof) | (_, Signal::Abort) => Done,
        (phase, _) => phase,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNALS: [Signal; 6] = [
        Signal::LocalClose,
        Signal::PeerClose,
        Signal::Fault,
        Signal::CloseWritten,
        Signal::Eof,
        Signal::Abort,
    ];

    fn after(signals: &[Signal]) -> Phase {
        let mut state = CloseState::default();
        signals.iter().for_each(|&signal| state.apply(signal));
        state.phase()
    }

    #[test]
    fn either_end_may_begin() {
        use Signal::{CloseWritten, Eof, LocalClose, PeerClose};
        assert_eq!(after(&[LocalClose, CloseWritten]), Phase::Closing);
        assert_eq!(after(&[LocalClose, CloseWritten, PeerClose]), Phase::Draining);
        assert_eq!(after(&[LocalClose, PeerClose, CloseWritten]), Phase::Draining);
        assert_eq!(after(&[PeerClose, CloseWritten]), Phase::Draining);
        assert_eq!(after(&[PeerClose, Eof]), Phase::Answering);
        assert_eq!(after(&[PeerClose, Eof, CloseWritten]), Phase::Done);
        assert_eq!(after(&[PeerClose, CloseWritten, Eof]), Phase::Done);
    }

    #[test]
    fn no_sequence_goes_back() {
        let rank = |phase| match phase {
            Phase::Open => 0,
            Phase::Closing => 1,
            Phase::Answering | Phase::Failing => 2,
            Phase::Draining => 3,
            Phase::Done => 4,
        };
        for code in 0..6_usize.pow(5) {
            let mut state = CloseState::default();
            let mut highest = 0;
            for step in 0..5 {
                state.apply(SIGNALS[code / 6_usize.pow(step) % 6]);
                assert!(rank(state.phase()) >= highest, "sequence {code}");
                highest = rank(state.phase());
            }
        }
    }
}
