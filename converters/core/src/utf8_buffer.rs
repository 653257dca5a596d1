//! Builds [`Utf8Bytes`] out of pieces that may be cut anywhere. Each byte is validated once.

use std::mem;

use bytes::BufMut;

use crate::{PayloadBuffer, Utf8Bytes};

/// Text under construction from pieces that may end in the middle of a character.
///
/// A byte that no valid text could hold at its place is found as soon as it is pushed.
#[derive(Debug, Default)]
pub struct Utf8Buffer {
    bytes: PayloadBuffer,
    /// `bytes[..valid]` is UTF-8; what follows is the beginning of one character, 3 bytes at most.
    valid: usize,
}

/// A pushed byte cannot stand at its place in UTF-8, or the text ended inside a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("text is not valid UTF-8 after byte {valid_up_to}")]
pub struct Utf8Error {
    /// How many bytes from the start are valid.
    pub valid_up_to: usize,
}

impl Utf8Buffer {
    /// Makes room, as [`PayloadBuffer::reserve`] does.
    pub fn reserve(&mut self, add: usize, most: usize) {
        self.bytes.reserve(add, most);
    }

    /// Makes room, as [`PayloadBuffer::reserve_within`] does.
    pub fn reserve_within(&mut self, add: usize, most: usize, room: &mut usize) {
        self.bytes.reserve_within(add, most, room);
    }

    /// Returns how many bytes it has allocated.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives back what it has allocated beyond its text, if that is much.
    pub fn trim(&mut self) {
        self.bytes.trim();
    }

    /// Returns how many bytes were pushed.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Tells whether nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes a buffer that is kept, as [`PayloadBuffer::take_kept`] does.
    pub fn take_kept(&mut self, len: usize, most: usize) {
        self.bytes.take_kept(len, most);
    }

    /// Lends the room behind its bytes to be read into, as [`PayloadBuffer::spare`] does. What was read is looked at by the
    /// next [`push`](Self::push), be it an empty one.
    pub fn spare(&mut self, most: usize) -> impl BufMut {
        self.bytes.spare(most)
    }

    /// Returns the bytes that no `push` has found to be text yet, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.as_mut_slice().get_mut(self.valid..).unwrap_or_default()
    }

    /// Appends a piece.
    ///
    /// # Errors
    /// When one of the bytes pushed so far can be part of no valid text.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Utf8Error> {
        self.bytes.extend_from_slice(piece);
        let tail = self.bytes.as_slice().get(self.valid..).unwrap_or_default();
        match simdutf8::compat::from_utf8(tail) {
            Ok(_) => self.valid = self.bytes.len(),
            Err(error) => {
                self.valid += error.valid_up_to();
                if error.error_len().is_some() {
                    return Err(self.error());
                }
            }
        }
        Ok(())
    }

    /// Ends the text, and leaves the buffer empty for the next one.
    ///
    /// # Errors
    /// When the text ends inside a character, or an earlier `push` failed.
    pub fn finish(&mut self) -> Result<Utf8Bytes, Utf8Error> {
        if self.valid != self.bytes.len() {
            return Err(self.error());
        }
        self.valid = 0;
        Ok(Utf8Bytes::from_validated(mem::take(&mut self.bytes).finish()))
    }

    fn error(&self) -> Utf8Error {
        Utf8Error { valid_up_to: self.valid }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: [&[u8]; 8] = [
        "κόσμε 𝄞 \u{7ff}\u{800}\u{ffff}\u{10ffff}".as_bytes(),
        b"plain",
        b"",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited",
        b"\xed\xa0\x80",
        b"\xc0\xaf",
        b"ab\x80",
        b"\xf0\x9d\x84",
    ];

    #[test]
    fn what_was_read_into_it_is_validated_by_the_next_push() {
        let mut buffer = Utf8Buffer::default();
        buffer.push(b"a\xce").unwrap();
        buffer.reserve(4, 10);
        buffer.spare(2).put_slice(b"\xba!");
        assert_eq!(buffer.as_mut_slice(), b"\xce\xba!", "what is text already cannot be changed");
        buffer.push(b"").unwrap();
        buffer.spare(1).put_slice(b"\xff");
        assert_eq!(buffer.push(b""), Err(Utf8Error { valid_up_to: 4 }));
    }

    #[test]
    fn any_split_gives_the_verdict_of_the_whole() {
        for sample in SAMPLES {
            for first in 0..=sample.len() {
                for second in first..=sample.len() {
                    let mut buffer = Utf8Buffer::default();
                    let pieces = [&sample[..first], &sample[first..second], &sample[second..]];
                    let pushed = pieces.iter().try_for_each(|piece| buffer.push(piece));
                    let built = pushed.and_then(|()| buffer.finish());
                    assert_eq!(built.is_ok(), std::str::from_utf8(sample).is_ok());
                    if let Ok(text) = built {
                        assert_eq!(text.as_bytes(), sample);
                    }
                }
            }
        }
    }

    #[test]
    fn an_impossible_byte_is_refused_when_it_arrives() {
        let mut buffer = Utf8Buffer::default();
        assert_eq!(buffer.push(b"ok \xf4"), Ok(()));
        assert_eq!(buffer.push(b"\x90"), Err(Utf8Error { valid_up_to: 3 }));
    }

    #[test]
    fn text_that_ends_inside_a_character_is_refused() {
        let mut buffer = Utf8Buffer::default();
        assert_eq!(buffer.push(b"a\xe1\xbd"), Ok(()));
        assert_eq!(buffer.finish(), Err(Utf8Error { valid_up_to: 1 }));
    }
}
