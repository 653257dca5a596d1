//! Payloads under construction, and the large ones that a thread keeps for the next message. Knows no content.

use std::{cell::RefCell, mem};

use bytes::{BufMut, Bytes};

/// Buffers from this size on are kept and used again, in bytes: smaller ones the allocator gives out as fast.
const KEPT_FROM: usize = 8 * 1024;
/// How many bytes are copied at once. From 4 KiB on the C library may copy with one instruction, which some processors
/// run many times slower where source and target lie alike in their pages, as large buffers do.
const COPIED_AT_ONCE: usize = 2 * 1024;
/// How many bytes of buffers a thread keeps.
const KEPT_BYTES: usize = 2 * 1024 * 1024;
/// How many buffers a thread keeps.
const KEPT: usize = 32;

thread_local! {
    static SPARES: RefCell<Spares> = const { RefCell::new(Spares { buffers: Vec::new(), bytes: 0 }) };
}

/// The payload of a message under construction.
///
/// A large one is built in a buffer that an earlier message of this thread has left behind, if there is one, and
/// leaves its buffer behind when the last of its [`Bytes`] is dropped: a large block of memory costs the allocator
/// more than the bytes that are copied to it. A thread keeps at most 2 MiB so, and a buffer never has more than
/// twice the room of the bytes that it was taken for.
#[derive(Debug, Default)]
pub struct PayloadBuffer(Vec<u8>);

impl PayloadBuffer {
    /// Returns how many bytes are in it.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the bytes in it.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Makes room for `add` more bytes of a payload that will not exceed `most` bytes. Allocates at most twice what
    /// there will be then, however large `most` is: that may be what a peer has said.
    pub fn reserve(&mut self, add: usize, most: usize) {
        let wanted = self.0.len() + add;
        if wanted <= self.0.capacity() {
            return;
        }
        match take(wanted) {
            Some(mut larger) => {
                larger.extend_from_slice(&self.0);
                keep(mem::replace(&mut self.0, larger));
            }
            None => self.0.reserve_exact(wanted.saturating_mul(2).min(most.max(wanted)) - self.0.len()),
        }
    }

    /// Makes room as [`reserve`](Self::reserve) does, but allocates no more than `room` bytes on top of what it has, where
    /// that is enough for `add`; takes what it has allocated off `room`.
    pub fn reserve_within(&mut self, add: usize, most: usize, room: &mut usize) {
        let (wanted, before) = (self.0.len() + add, self.0.capacity());
        if wanted <= before {
            return;
        }
        if wanted.saturating_mul(2) - before <= *room {
            self.reserve(add, most);
        } else {
            self.0.reserve_exact(before.saturating_add(*room).min(most).max(wanted) - self.0.len());
        }
        *room = room.saturating_sub(self.0.capacity() - before);
    }

    /// Tells whether this thread keeps a buffer that has room for `len` bytes.
    pub fn is_kept(len: usize) -> bool {
        SPARES
            .try_with(|spares| spares.try_borrow().is_ok_and(|spares| find(&spares, len).is_some()))
            .unwrap_or(false)
    }

    /// Takes a buffer that this thread keeps and that has room for `len` bytes, if there is one of at most `most` bytes. So
    /// a payload whose length is known need not grow, and no memory is allocated for what has not arrived.
    pub fn take_kept(&mut self, len: usize, most: usize) {
        if len > self.0.capacity()
            && let Some(larger) = take(len)
        {
            if larger.capacity() > most {
                return keep(larger);
            }
            let smaller = mem::replace(self, Self(larger));
            self.extend_from_slice(&smaller.0);
            keep(smaller.0);
        }
    }

    /// Lends the room behind its bytes to be read into, `most` bytes of it at most.
    ///
    /// ```
    /// use bytes::BufMut;
    /// use converse_core::PayloadBuffer;
    ///
    /// let mut payload = PayloadBuffer::default();
    /// payload.reserve(5, 5);
    /// payload.spare(5).put_slice(b"Hello");
    /// assert_eq!(payload.as_slice(), b"Hello");
    /// ```
    pub fn spare(&mut self, most: usize) -> impl BufMut {
        let spare = self.0.capacity() - self.0.len();
        (&mut self.0).limit(spare.min(most))
    }

    /// Returns the bytes in it, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// Returns how many bytes it has allocated.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Gives back what it has allocated beyond its bytes, if that is much.
    pub fn trim(&mut self) {
        if self.0.capacity() - self.0.len() > (self.0.len() / 4).max(KEPT_FROM) {
            self.0.shrink_to_fit();
        }
    }

    /// Appends bytes.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(COPIED_AT_ONCE) {
            self.0.extend_from_slice(part);
        }
    }

    /// Returns a copy of a whole payload.
    pub fn copy(bytes: &[u8]) -> Bytes {
        if bytes.len() < KEPT_FROM {
            return Bytes::copy_from_slice(bytes);
        }
        let mut buffer = Self::default();
        buffer.reserve(bytes.len(), bytes.len());
        buffer.extend_from_slice(bytes);
        buffer.finish()
    }

    /// Ends the payload.
    pub fn finish(self) -> Bytes {
        match self.0.capacity() {
            ..KEPT_FROM => Bytes::from(self.0),
            _ => Bytes::from_owner(Lent(self.0)),
        }
    }
}

/// A buffer that is kept when its last reader is done.
struct Lent(Vec<u8>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        keep(mem::take(&mut self.0));
    }
}

/// What a thread keeps.
struct Spares {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

/// Finds the largest kept buffer that has room for `len` bytes, and at most twice that.
fn find(spares: &Spares, len: usize) -> Option<usize> {
    let fits = |buffer: &Vec<u8>| (len..=len.saturating_mul(2)).contains(&buffer.capacity());
    let fitting = spares.buffers.iter().enumerate().filter(|(_, buffer)| fits(buffer));
    fitting.max_by_key(|(_, buffer)| buffer.capacity()).map(|(position, _)| position)
}

/// Takes an empty buffer for `len` bytes, the largest that has at most twice the room.
fn take(len: usize) -> Option<Vec<u8>> {
    if len < KEPT_FROM {
        return None;
    }
    let taken = SPARES.try_with(|spares| {
        let mut spares = spares.try_borrow_mut().ok()?;
        let position = find(&spares, len)?;
        let buffer = spares.buffers.swap_remove(position);
        spares.bytes -= buffer.capacity();
        Some(buffer)
    });
    // A thread that is about to end has none.
    taken.ok().flatten()
}

/// Keeps a buffer, in the place of others if need be.
fn keep(mut buffer: Vec<u8>) {
    let len = buffer.capacity();
    if !(KEPT_FROM..=KEPT_BYTES).contains(&len) {
        return;
    }
    buffer.clear();
    // A thread that is about to end keeps none.
    let _ = SPARES.try_with(|spares| {
        let Ok(mut spares) = spares.try_borrow_mut() else { return };
        while spares.bytes + len > KEPT_BYTES || spares.buffers.len() == KEPT {
            let other = spares.buffers.remove(0);
            spares.bytes -= other.capacity();
        }
        spares.bytes += len;
        spares.buffers.push(buffer);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> (usize, usize) {
        SPARES.with_borrow(|spares| (spares.buffers.len(), spares.bytes))
    }

    fn payload(len: usize) -> Bytes {
        PayloadBuffer::copy(&vec![7; len])
    }

    #[test]
    fn a_large_payload_leaves_its_buffer_to_the_next() {
        let first = payload(64 * 1024);
        let (at, clone) = (first.as_ptr(), first.clone());
        drop(first);
        assert_eq!(kept(), (0, 0), "a clone still reads it");
        drop(clone);
        assert_eq!(kept(), (1, 64 * 1024));
        let second = payload(50 * 1024);
        assert_eq!((second.as_ptr(), second.len()), (at, 50 * 1024));
        assert_eq!(kept(), (0, 0));
    }

    #[test]
    fn a_buffer_is_at_most_twice_too_large() {
        drop(payload(64 * 1024));
        drop(payload(20 * 1024));
        assert_eq!(kept(), (2, 84 * 1024));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let payloads: Vec<Bytes> = (0..100).map(|_| payload(1024 * 1024)).collect();
        drop(payloads);
        assert_eq!(kept(), (2, 2 * 1024 * 1024));
        drop((0..100).map(|_| payload(8 * 1024)).collect::<Vec<_>>());
        assert!(kept().0 <= KEPT && kept().1 <= KEPT_BYTES, "{:?}", kept());
        drop(payload(3 * 1024 * 1024));
        drop(payload(100));
        assert!(kept().1 <= KEPT_BYTES);
    }

    #[test]
    fn room_grows_with_what_has_arrived() {
        let mut buffer = PayloadBuffer::default();
        buffer.reserve(10, usize::MAX);
        assert_eq!(buffer.0.capacity(), 20);
        buffer.extend_from_slice(&[1; 10]);
        buffer.reserve(15, 30);
        assert_eq!(buffer.0.capacity(), 30);
        let mut exact = PayloadBuffer::default();
        exact.reserve(10, 10);
        assert_eq!(exact.0.capacity(), 10);
    }

    #[test]
    fn room_can_be_scarce() {
        let mut buffer = PayloadBuffer::default();
        let mut room = 64;
        buffer.reserve_within(30, usize::MAX, &mut room);
        assert_eq!((buffer.capacity(), room), (60, 4), "twice what is wanted fits");
        buffer.extend_from_slice(&[1; 60]);
        buffer.reserve_within(3, usize::MAX, &mut room);
        assert_eq!((buffer.capacity(), room), (64, 0), "all the room that there is");
        buffer.extend_from_slice(&[1; 4]);
        buffer.reserve_within(1, usize::MAX, &mut room);
        assert_eq!((buffer.capacity(), room), (65, 0), "and no more than is wanted");
    }

    #[test]
    fn a_kept_buffer_is_taken_for_a_length_that_is_known() {
        drop(payload(64 * 1024));
        assert!(PayloadBuffer::is_kept(40 * 1024) && !PayloadBuffer::is_kept(65 * 1024));
        let mut buffer = PayloadBuffer::default();
        buffer.extend_from_slice(b"begun");
        buffer.take_kept(40 * 1024, 60 * 1024);
        assert!(buffer.capacity() < 100, "the only one is larger than it may be");
        assert_eq!(kept(), (1, 64 * 1024));
        buffer.take_kept(40 * 1024, 64 * 1024);
        assert_eq!((buffer.as_slice(), buffer.capacity(), kept()), (&b"begun"[..], 64 * 1024, (0, 0)));
        buffer.spare(3).put_slice(b"abc");
        assert_eq!(buffer.as_slice(), b"begunabc");
    }

    #[test]
    fn what_was_allocated_for_more_is_given_back() {
        let mut buffer = PayloadBuffer::default();
        buffer.reserve(20_000, 40_000);
        buffer.extend_from_slice(&[1; 20_000]);
        assert_eq!(buffer.capacity(), 40_000);
        buffer.trim();
        assert_eq!((buffer.capacity(), buffer.len()), (20_000, 20_000));
    }
}
