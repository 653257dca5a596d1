//! Floor 4: one connection as a sans-IO machine. Bytes and the time go in, events and bytes come out.
//! Knows no socket, no runtime and no clock of its own.

mod acknowledged;
mod batch;
mod blocks;
mod close_record;
mod close_state;
mod closed;
mod config;
mod control_lane;
mod extended;
mod frame_joiner;
mod holding;
mod inbox;
mod input;
mod keepalive;
mod reading;
mod receive;
mod send;
mod settle;
#[cfg(test)]
mod tests;
mod timeout;

use std::{any::Any, collections::VecDeque, sync::Arc, time::Instant};

use crate::{
    engine::{
        acknowledged::Acknowledged,
        close_record::CloseRecord,
        close_state::{CloseState, Signal},
        control_lane::ControlLane,
        extended::Extended,
        frame_joiner::FrameJoiner,
        inbox::Inbox,
        keepalive::Keepalive,
    },
    extension::ExtensionStack,
    frame::{Decoder, Encoder, WriteQueue},
    message::Assembler,
};

pub(crate) use batch::Batch;
pub(crate) use blocks::{BLOCK, block_for};
pub(crate) use close_state::Phase;
pub use closed::{CloseCause, Closed, ClosedBy};
pub(crate) use config::{EngineConfig, LONGEST, ping_interval};
pub(crate) use inbox::{Event, TURN, keep_drained};
pub(crate) use input::{Input, SCRATCH};
pub use send::FrameRefused;
pub(crate) use send::SendRefused;
pub(crate) use settle::Unsettled;

/// The protocol side of one connection.
///
/// `handle_*` take what comes from the wire or the clock, plain verbs what comes from the
/// application, `poll_*` give out what has to be done.
#[derive(Debug)]
pub(crate) struct Engine {
    config: Arc<EngineConfig>,
    extended: Option<Box<Extended>>,

    decoder: Decoder,
    frame_joiner: FrameJoiner,
    assembler: Assembler,
    inbox: Inbox,
    /// Whether nothing is read for want of memory.
    starved: bool,
    /// Bytes of the longest frame since somebody asked.
    longest: u32,

    encoder: Encoder,
    data: WriteQueue,
    control: ControlLane,
    /// Bytes that were given out to be written and have not left yet.
    in_flight: usize,
    /// Data bytes queued since the beginning.
    data_queued: u64,
    /// Data bytes that left since the beginning.
    data_written: u64,
    /// Whether a frame of this end's begun a message that a later frame must end (raw mode).
    sending_fragments: bool,
    /// Whether data that comes back from the transport is dropped.
    discards: bool,

    close: CloseState,
    /// Whether the application has asked for the close.
    close_asked: bool,
    close_record: CloseRecord,
    closed: Option<Arc<Closed>>,

    keepalive: Keepalive,
    message: Option<Box<MessageTime>>,
    write_progress: Instant,
    closing: Option<Box<Closing>>,
    /// Whether the transport tells what the peer has acknowledged, as far as is known.
    is_told: bool,
    /// Whether a ping has left since the transport was last asked.
    ping_left: bool,
    /// Boxed: most connections never wait for it.
    acknowledged: Option<Box<Acknowledged>>,
}

/// The time of the close. Boxed: most of a connection's life is before it.
#[derive(Clone, Copy, Debug)]
struct Closing {
    began: Instant,
    /// When its phase is over, if nothing is acknowledged.
    deadline: Instant,
    /// Bytes that the peer has sent behind the end.
    dropped: usize,
}

/// The time of a message under way. Boxed: most messages arrive whole.
#[derive(Clone, Copy, Debug)]
struct MessageTime {
    /// When its first byte came.
    began: Instant,
    /// When it last had come on.
    progress: Instant,
    /// Bytes that came since.
    bytes: usize,
}

impl Engine {
    /// Builds the machine for a connection whose upgrade has just been agreed.
    pub(crate) fn new(config: impl Into<Arc<EngineConfig>>, stack: ExtensionStack, now: Instant) -> Self {
        let config = config.into();
        Self {
            decoder: Decoder::new(config.role, stack.rsv(), config.frame_limit(!stack.is_empty())),
            extended: Extended::new(stack),
            frame_joiner: FrameJoiner::default(),
            assembler: Assembler::new(config.max_message_size),
            inbox: Inbox::new(config.receive_queue),
            starved: false,
            longest: 0,
            encoder: Encoder::new(config.role, config.mask_source),
            data: WriteQueue::default(),
            control: ControlLane::default(),
            in_flight: 0,
            data_queued: 0,
            data_written: 0,
            sending_fragments: false,
            discards: false,
            close: CloseState::default(),
            close_asked: false,
            close_record: CloseRecord::default(),
            closed: None,
            keepalive: Keepalive::new(now),
            message: None,
            write_progress: now,
            closing: None,
            is_told: true,
            ping_left: false,
            acknowledged: None,
            config,
        }
    }

    /// Hands over what the application should know next, as [`Inbox::hand_over`] says.
    pub(crate) fn poll_events(&mut self, to: &mut VecDeque<Event>) -> bool {
        self.inbox.hand_over(to)
    }

    /// Tells whether an event waits.
    pub(crate) fn has_event(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// Returns how many events there were for the application; wraps around.
    pub(crate) fn received(&self) -> u32 {
        self.inbox.received()
    }

    /// Returns how the connection ended, once it did.
    pub(crate) fn closed(&self) -> Option<&Arc<Closed>> {
        self.closed.as_ref()
    }

    /// Returns where the close of the connection stands.
    pub(crate) fn phase(&self) -> Phase {
        self.close.phase()
    }

    /// Returns the limits and times in force.
    pub(crate) fn config(&self) -> &Arc<EngineConfig> {
        &self.config
    }

    /// Changes limits and times, from the next header or deadline on.
    pub(crate) fn reconfigure(&mut self, change: impl FnOnce(&mut EngineConfig)) {
        change(Arc::make_mut(&mut self.config));
        self.decoder.set_max_frame_size(self.config.frame_limit(self.extended.is_some()));
        self.assembler.set_max_message_size(self.config.max_message_size);
        self.inbox.set_max_bytes(self.config.receive_queue);
    }

    /// Returns the state that an extension in use has for this type.
    pub(crate) fn extension<S: Any + Send + Sync>(&self) -> Option<Arc<S>> {
        self.extended.as_ref()?.stack.state()
    }

    /// Tells that nobody will take messages any more: what arrives is dropped from now on.
    pub(crate) fn stop_delivery(&mut self) {
        self.inbox.stop();
    }

    /// The one door to the close state: applies the signal, and does what a new phase asks for.
    fn signal(&mut self, signal: Signal, now: Instant) {
        let before = self.close.phase();
        self.close.apply(signal);
        let phase = self.close.phase();
        if phase == before {
            return;
        }
        let (began, dropped) =
            self.closing.as_ref().map_or((now, 0), |closing| (closing.began, closing.dropped));
        let deadline = self.deadline_of(phase, now);
        self.closing = deadline.map(|deadline| Box::new(Closing { began, deadline, dropped }));
        if matches!(phase, Phase::Answering | Phase::Failing | Phase::Draining | Phase::Done) {
            self.assembler.clear();
            self.frame_joiner.clear();
            self.message = None;
        }
        if phase == Phase::Done {
            if let Some(extended) = &mut self.extended {
                extended.stack.end();
            }
            self.discard();
            self.control.clear();
        }
        if matches!(phase, Phase::Draining | Phase::Done) {
            self.finish();
        }
    }

    /// Sums up how the connection has ended, and tells the application, once. A Close frame that leaves later is noted.
    fn finish(&mut self) {
        let closed = self.close_record.sum_up(self.close.is_written());
        let Some(told) = &mut self.closed else {
            let closed = Arc::new(closed);
            self.inbox.close(Arc::clone(&closed));
            self.closed = Some(closed);
            return;
        };
        if told.sent.is_none() && closed.sent.is_some() {
            Arc::make_mut(told).sent = closed.sent;
        }
    }
}
