//! What waits to be sent: answers before calls before the items of streams. Pure data; knows no codec and no session.

use std::collections::VecDeque;

use crate::{rpc::rooms::Room, session::LITTLE};

/// How many bytes of frames share a message. A longer frame is counted by its connection's account.
const MESSAGE: usize = LITTLE;

/// Which frames pass which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Control frames, and refusals. While many wait, no frame is handled that could bring more of them.
    Control,
    /// Answers of calls that are no streams. While many wait, no handler is continued that could bring more of them.
    Answers,
    /// Calls, notifications, and what cancels calls.
    Calls,
    /// Items of streams, and what ends these.
    Items,
}

/// The frames that wait, as the messages that they will be.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: [Queue; 4],
    bytes: usize,
    /// Those of them in messages of more than [`MESSAGE`].
    long: usize,
}

#[derive(Debug, Default)]
struct Queue {
    batches: VecDeque<Batch>,
    /// Bytes of the frames that have taken no room.
    roomless: usize,
    /// How many batches were taken since the beginning.
    taken: u64,
}

/// Frames that leave in one message.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) frames: Vec<u8>,
    /// Given back when the batch has left.
    pub(crate) room: Room,
    /// Bytes of the frames that have taken none.
    roomless: usize,
}

/// How frames are put together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joining {
    /// What stands between two frames; `None` where each is a message of its own.
    pub(crate) separator: Option<&'static [u8]>,
    /// How many bytes a message may have.
    pub(crate) longest: usize,
}

impl Lanes {
    /// Adds a frame; returns the position of its batch, for [`has_left`](Self::has_left).
    pub(crate) fn push(&mut self, lane: Lane, mut frame: Vec<u8>, room: Room, joining: Joining) -> u64 {
        let queue = &mut self.lanes[lane as usize];
        let longest = joining.longest.min(MESSAGE);
        let roomless = if room.is_none() { frame.len() } else { 0 };
        queue.roomless += roomless;
        match (joining.separator, queue.batches.back_mut()) {
            (Some(between), Some(last)) if last.frames.len() + between.len() + frame.len() <= longest => {
                last.frames.extend_from_slice(between);
                last.frames.extend_from_slice(&frame);
                match (&mut last.room, room) {
                    (Some(all), Some(more)) => all.merge(more),
                    (all, more) => *all = all.take().or(more),
                }
                last.roomless += roomless;
                self.bytes += between.len() + frame.len();
            }
            _ => {
                if frame.len() > longest {
                    // Up to half of what a long frame was written into is empty.
                    frame.shrink_to_fit();
                }
                self.bytes += frame.len();
                self.long += long(&frame);
                queue.batches.push_back(Batch { frames: frame, room, roomless });
            }
        }
        queue.taken + queue.batches.len() as u64 - 1
    }

    /// Takes the next message, if it has at most so many bytes; only one of control frames while the peer reads too
    /// slowly for more.
    pub(crate) fn pop(&mut self, slow: bool, room: usize) -> Option<Batch> {
        let queue = self.lanes.get_mut(..open(slow))?.iter_mut().find(|queue| !queue.batches.is_empty())?;
        queue.batches.front().filter(|batch| batch.frames.len() <= room)?;
        let batch = queue.batches.pop_front()?;
        queue.taken += 1;
        self.bytes -= batch.frames.len();
        self.long -= long(&batch.frames);
        queue.roomless -= batch.roomless;
        Some(batch)
    }

    /// Tells whether a frame was taken.
    pub(crate) fn has_left(&self, lane: Lane, position: u64) -> bool {
        position < self.lanes[lane as usize].taken
    }

    /// Tells whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.iter().all(|queue| queue.batches.is_empty())
    }

    /// Tells whether [`pop`](Self::pop) would give a message.
    pub(crate) fn has_next(&self, slow: bool, room: usize) -> bool {
        let next = self.lanes.iter().take(open(slow)).find_map(|queue| queue.batches.front());
        next.is_some_and(|batch| batch.frames.len() <= room)
    }

    /// Returns how many bytes the next message has; 0 when none waits.
    pub(crate) fn next_len(&self) -> usize {
        self.lanes.iter().find_map(|queue| queue.batches.front()).map_or(0, |batch| batch.frames.len())
    }

    /// Returns how many bytes wait that frames of the peer bring about: control frames, refusals, ends of streams.
    pub(crate) fn responses(&self) -> usize {
        self.roomless(Lane::Control) + self.roomless(Lane::Items)
    }

    /// Returns how many bytes wait that handlers bring about: answers, ends of streams.
    pub(crate) fn results(&self) -> usize {
        self.roomless(Lane::Answers) + self.roomless(Lane::Items)
    }

    /// Returns how many bytes wait in a lane that have taken no room.
    fn roomless(&self, lane: Lane) -> usize {
        self.lanes[lane as usize].roomless
    }

    /// Returns how many bytes wait in messages of several frames, or of one that could have been joined by others.
    pub(crate) fn short_bytes(&self) -> usize {
        self.bytes - self.long_bytes()
    }

    /// Returns how many bytes wait in frames that are messages of their own.
    pub(crate) fn long_bytes(&self) -> usize {
        self.long
    }

    /// Returns how many bytes wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops what waits.
    pub(crate) fn clear(&mut self) {
        for queue in &mut self.lanes {
            (queue.batches, queue.roomless) = (VecDeque::new(), 0);
        }
        (self.bytes, self.long) = (0, 0);
    }
}

/// Returns how many bytes a message has that holds one long frame; 0 for others.
fn long(frames: &[u8]) -> usize {
    if frames.len() > MESSAGE { frames.len() } else { 0 }
}

/// How many lanes frames are taken from.
fn open(slow: bool) -> usize {
    if slow { Lane::Control as usize + 1 } else { Lane::Items as usize + 1 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LINES: Joining = Joining { separator: Some(b"\n"), longest: usize::MAX };

    fn push(lanes: &mut Lanes, lane: Lane, frame: &str, joining: Joining) -> u64 {
        lanes.push(lane, frame.as_bytes().to_vec(), None, joining)
    }

    fn drain(lanes: &mut Lanes, slow: bool) -> Vec<String> {
        std::iter::from_fn(|| lanes.pop(slow, usize::MAX))
            .map(|batch| String::from_utf8(batch.frames).unwrap())
            .collect()
    }

    #[test]
    fn answers_pass_calls_and_calls_pass_items() {
        let mut lanes = Lanes::default();
        push(&mut lanes, Lane::Items, "item", LINES);
        push(&mut lanes, Lane::Calls, "call", LINES);
        push(&mut lanes, Lane::Answers, "ok", LINES);
        push(&mut lanes, Lane::Control, "credit", LINES);
        assert_eq!(drain(&mut lanes, false), ["credit", "ok", "call", "item"]);
    }

    #[test]
    fn only_control_frames_leave_for_a_slow_peer() {
        let mut lanes = Lanes::default();
        push(&mut lanes, Lane::Items, "item", LINES);
        push(&mut lanes, Lane::Calls, "call", LINES);
        push(&mut lanes, Lane::Answers, "ok", LINES);
        push(&mut lanes, Lane::Control, "credit", LINES);
        assert_eq!(drain(&mut lanes, true), ["credit"]);
        assert_eq!((lanes.has_next(true, usize::MAX), lanes.is_empty()), (false, false));
        assert_eq!(drain(&mut lanes, false), ["ok", "call", "item"]);
    }

    #[test]
    fn frames_share_a_message_in_their_order() {
        let mut lanes = Lanes::default();
        for frame in ["a", "b", "c"] {
            push(&mut lanes, Lane::Control, frame, LINES);
        }
        assert_eq!(lanes.bytes(), 5);
        let batch = lanes.pop(false, usize::MAX).unwrap();
        assert_eq!(batch.frames.as_slice(), &b"a\nb\nc"[..]);
        assert_eq!((lanes.bytes(), lanes.is_empty()), (0, true));
    }

    #[test]
    fn a_message_does_not_grow_beyond_what_the_peer_takes() {
        let mut lanes = Lanes::default();
        let joining = Joining { separator: Some(b""), longest: 4 };
        for frame in ["ab", "cd", "efghij", "k"] {
            push(&mut lanes, Lane::Control, frame, joining);
        }
        assert_eq!(drain(&mut lanes, false), ["abcd", "efghij", "k"]);
    }

    #[test]
    fn a_message_waits_for_room() {
        let mut lanes = Lanes::default();
        push(&mut lanes, Lane::Answers, "answer", LINES);
        assert_eq!((lanes.next_len(), lanes.has_next(false, 5)), (6, false));
        assert!(lanes.pop(false, 5).is_none());
        assert!(lanes.pop(false, 6).is_some());
    }

    #[test]
    fn frames_that_cannot_share_a_message_do_not() {
        let mut lanes = Lanes::default();
        let joining = Joining { separator: None, longest: usize::MAX };
        push(&mut lanes, Lane::Control, "a", joining);
        push(&mut lanes, Lane::Control, "b", joining);
        assert_eq!(drain(&mut lanes, false), ["a", "b"]);
    }

    #[test]
    fn a_frame_has_left_with_its_message() {
        let mut lanes = Lanes::default();
        let position = push(&mut lanes, Lane::Calls, "a", LINES);
        assert!(!lanes.has_left(Lane::Calls, position));
        lanes.pop(false, usize::MAX);
        assert!(lanes.has_left(Lane::Calls, position));
        let next = push(&mut lanes, Lane::Calls, "b", LINES);
        assert!(!lanes.has_left(Lane::Calls, next));
    }
}
