//! Encoded frames on their way to the socket. Knows frame boundaries and lanes, not what a frame says.

use std::{collections::VecDeque, io::IoSlice, mem, ops::AddAssign};

use bytes::{Buf, Bytes};

use crate::frame::Spares;

/// A segment is not appended to beyond this size, in bytes, so that other lanes can pass at its end.
const SEGMENT: usize = 16 * 1024;
/// A drained queue of more places is not kept for the next connection.
const KEPT_PLACES: usize = 64;

thread_local! {
    /// Drained queues, of [`KEPT_PLACES`] at most.
    static QUEUES: Spares<Box<Rest>> = const { Spares::new() };
    /// Written buffers, of [`SEGMENT`] bytes at most.
    static BUFFERS: Spares<Vec<u8>> = const { Spares::new() };
}

/// Which queue a segment came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Messages.
    Data,
    /// Pings and pongs.
    Control,
    /// The Close frame.
    Close,
}

/// Encoded bytes in the order they leave.
#[derive(Debug, Default)]
pub(crate) struct WriteQueue {
    /// Most often all there is.
    first: Option<Segment>,
    /// Boxed while there is more; empty without a first.
    rest: Option<Box<Rest>>,
    len: usize,
}

/// The segments behind the first.
type Rest = VecDeque<Segment>;

#[derive(Debug)]
struct Segment {
    lane: Lane,
    /// Whether another lane may pass behind this segment.
    ends_frame: bool,
    bytes: Chunk,
}

#[derive(Debug)]
enum Chunk {
    /// Copied bytes, of which those from `start` on have not left.
    Inline {
        bytes: Vec<u8>,
        start: usize,
    },
    Shared(Bytes),
}

/// What left with one write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Bytes of any lane.
    pub(crate) total: usize,
    /// Bytes of the data lane.
    pub(crate) data: usize,
    /// Whether the last byte of the Close frame left.
    pub(crate) close: bool,
}

impl AddAssign for Written {
    fn add_assign(&mut self, more: Self) {
        self.total += more.total;
        self.data += more.data;
        self.close |= more.close;
    }
}

impl WriteQueue {
    /// Returns how many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Tells whether nothing waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a frame by copying it, and lets `finish` change the copied payload.
    #[inline]
    pub(crate) fn append(&mut self, lane: Lane, head: &[u8], payload: &[u8], finish: impl FnOnce(&mut [u8])) {
        let len = head.len() + payload.len();
        let copy = |buffer: &mut Vec<u8>| {
            buffer.extend_from_slice(head);
            let start = buffer.len();
            buffer.extend_from_slice(payload);
            finish(buffer.get_mut(start..).unwrap_or_default());
        };
        self.len += len;
        if let Some(buffer) = self.last().and_then(|last| last.room(lane, len)) {
            return copy(buffer);
        }
        let mut bytes = match len {
            ..=SEGMENT => BUFFERS.try_with(Spares::take).ok().flatten().unwrap_or_default(),
            _ => Vec::with_capacity(len),
        };
        copy(&mut bytes);
        self.push(Segment { lane, ends_frame: true, bytes: Chunk::Inline { bytes, start: 0 } });
    }

    /// Appends a frame whose payload is not copied.
    pub(crate) fn append_shared(&mut self, lane: Lane, head: &[u8], payload: Bytes) {
        self.append(lane, head, &[], |_| ());
        if payload.is_empty() {
            return;
        }
        if let Some(segment) = self.last() {
            segment.ends_frame = false;
        }
        self.len += payload.len();
        self.push(Segment { lane, ends_frame: true, bytes: Chunk::Shared(payload) });
    }

    /// Moves whole frames over to the end of `to`, until `limit` bytes are reached.
    pub(crate) fn move_frames(&mut self, to: &mut Self, limit: usize) {
        if self.len <= limit && to.is_empty() {
            return mem::swap(self, to);
        }
        let mut moved = 0;
        let mut ends_frame = true;
        while moved < limit || !ends_frame {
            let Some(segment) = self.pop() else { break };
            let len = segment.bytes.len();
            ends_frame = segment.ends_frame;
            moved += len;
            to.push(segment);
        }
        self.len -= moved;
        to.len += moved;
    }

    /// Moves the frames behind the first back to the front of `to`, unless there are others than messages; so control
    /// frames pass them.
    pub(crate) fn move_back(&mut self, to: &mut Self) {
        let Some(rest) = &mut self.rest else { return };
        if rest.iter().any(|segment| segment.lane != Lane::Data) {
            return;
        }
        let mut ended = self.first.as_ref().is_some_and(|first| first.ends_frame);
        let kept = rest.iter().take_while(|segment| !mem::replace(&mut ended, segment.ends_frame)).count();
        let mut moved = 0;
        for segment in rest.drain(kept..).rev() {
            moved += segment.bytes.len();
            to.push_front(segment);
        }
        self.len -= moved;
        to.len += moved;
        self.give_up_rest();
    }

    /// Drops everything that waits.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Fills `slices` with what leaves next, and returns how many were filled.
    #[inline]
    pub(crate) fn io_slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        let rest = self.rest.iter().flat_map(|rest| rest.iter());
        for (slice, segment) in slices.iter_mut().zip(self.first.iter().chain(rest)) {
            *slice = IoSlice::new(segment.bytes.as_slice());
            filled += 1;
        }
        filled
    }

    /// Removes the first `written` bytes, which have left.
    pub(crate) fn advance(&mut self, written: usize) -> Written {
        let mut result = Written { total: written, ..Written::default() };
        let mut left = written;
        while let Some(segment) = &mut self.first {
            let len = segment.bytes.len();
            let gone = left.min(len);
            if segment.lane == Lane::Data {
                result.data += gone;
            }
            left -= gone;
            self.len -= gone;
            if gone < len {
                segment.bytes.advance(gone);
                break;
            }
            result.close |= segment.lane == Lane::Close;
            if let Some(Segment { bytes: Chunk::Inline { mut bytes, .. }, .. }) = self.pop() {
                bytes.clear();
                if bytes.capacity() <= SEGMENT {
                    // A thread that is about to end keeps nothing.
                    let _ = BUFFERS.try_with(|buffers| buffers.keep(bytes));
                }
            }
        }
        result
    }

    fn last(&mut self) -> Option<&mut Segment> {
        match &mut self.rest {
            Some(rest) => rest.back_mut(),
            None => self.first.as_mut(),
        }
    }

    #[inline]
    fn push(&mut self, segment: Segment) {
        match self.first {
            None => self.first = Some(segment),
            Some(_) => self.rest().push_back(segment),
        }
    }

    fn push_front(&mut self, segment: Segment) {
        if let Some(second) = self.first.replace(segment) {
            self.rest().push_front(second);
        }
    }

    fn rest(&mut self) -> &mut Rest {
        let spare = || QUEUES.try_with(Spares::take).ok().flatten().unwrap_or_default();
        self.rest.get_or_insert_with(spare)
    }

    fn pop(&mut self) -> Option<Segment> {
        let next = self.rest.as_mut().and_then(|rest| rest.pop_front());
        self.give_up_rest();
        mem::replace(&mut self.first, next)
    }

    /// Gives up the place for more than one segment, once it is empty.
    fn give_up_rest(&mut self) {
        if let Some(drained) = self.rest.take_if(|rest| rest.is_empty())
            && drained.capacity() <= KEPT_PLACES
        {
            // A thread that is about to end keeps nothing.
            let _ = QUEUES.try_with(|queues| queues.keep(drained));
        }
    }
}

impl Segment {
    /// Returns the buffer that `len` more bytes of a lane may be appended to, when they fit.
    fn room(&mut self, lane: Lane, len: usize) -> Option<&mut Vec<u8>> {
        match &mut self.bytes {
            Chunk::Inline { bytes, start: 0 }
                if self.lane == lane && self.ends_frame && bytes.len() + len <= SEGMENT =>
            {
                Some(bytes)
            }
            _ => None,
        }
    }
}

impl Chunk {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline { bytes, start } => bytes.get(*start..).unwrap_or_default(),
            Self::Shared(bytes) => bytes,
        }
    }

    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Inline { start, .. } => *start += count,
            Self::Shared(bytes) => bytes.advance(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(queue: &WriteQueue) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = queue.io_slices(&mut slices);
        slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn small_frames_share_a_segment_and_large_ones_are_not_copied() {
        let mut queue = WriteQueue::default();
        queue.append(Lane::Data, b"h1", b"one", |_| ());
        queue.append(Lane::Data, b"h2", b"two", |payload| payload.make_ascii_uppercase());
        queue.append_shared(Lane::Data, b"h3", Bytes::from_static(b"three"));
        queue.append(Lane::Data, b"h4", b"four", |_| ());
        assert_eq!(queue.rest.as_ref().map(|rest| rest.len()), Some(2));
        assert_eq!(bytes(&queue), b"h1oneh2TWOh3threeh4four");
    }

    #[test]
    fn frames_move_whole() {
        let mut queue = WriteQueue::default();
        queue.append(Lane::Data, b"", b"small", |_| ());
        queue.append_shared(Lane::Data, b"head", Bytes::from(vec![7; 100]));
        queue.append(Lane::Data, b"", b"behind", |_| ());
        let mut writing = WriteQueue::default();
        queue.move_frames(&mut writing, 1);
        assert_eq!((writing.len(), queue.len()), (5 + 4 + 100, 6));
    }

    #[test]
    fn frames_that_have_not_begun_to_leave_move_back() {
        let mut queue = WriteQueue::default();
        queue.append_shared(Lane::Data, b"h1", Bytes::from_static(b"one"));
        queue.append_shared(Lane::Data, b"h2", Bytes::from_static(b"two"));
        queue.append(Lane::Data, b"h3", b"three", |_| ());
        let (mut writing, whole) = (WriteQueue::default(), bytes(&queue));
        for cut in 0..whole.len() {
            queue.move_frames(&mut writing, usize::MAX);
            writing.advance(cut);
            writing.move_back(&mut queue);
            let frame = [5, 10, 17].into_iter().find(|end| cut < *end);
            assert_eq!(Some(bytes(&writing).len() + cut), frame, "cut at {cut}");
            assert_eq!([bytes(&writing), bytes(&queue)].concat(), whole[cut..]);
            assert_eq!((writing.len(), queue.len()), (bytes(&writing).len(), bytes(&queue).len()));
            (queue, writing) = (WriteQueue::default(), WriteQueue::default());
            queue.append_shared(Lane::Data, b"h1", Bytes::from_static(b"one"));
            queue.append_shared(Lane::Data, b"h2", Bytes::from_static(b"two"));
            queue.append(Lane::Data, b"h3", b"three", |_| ());
        }
    }

    #[test]
    fn nothing_moves_back_past_a_close_frame() {
        let mut queue = WriteQueue::default();
        queue.append_shared(Lane::Data, b"h1", Bytes::from_static(b"one"));
        queue.append_shared(Lane::Data, b"h2", Bytes::from_static(b"two"));
        queue.append(Lane::Close, b"", b"end", |_| ());
        let mut back = WriteQueue::default();
        queue.move_back(&mut back);
        assert_eq!((queue.len(), back.len()), (13, 0));
    }

    #[test]
    fn what_left_is_told_by_lane() {
        let mut queue = WriteQueue::default();
        queue.append(Lane::Control, b"", b"ping", |_| ());
        queue.append(Lane::Data, b"", b"data", |_| ());
        queue.append(Lane::Close, b"", b"end", |_| ());
        assert_eq!(queue.advance(6), Written { total: 6, data: 2, close: false });
        assert_eq!(queue.advance(4), Written { total: 4, data: 2, close: false });
        assert_eq!(queue.advance(1), Written { total: 1, data: 0, close: true });
        assert!(queue.is_empty());
    }
}
