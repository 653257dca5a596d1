//! Appends to a payload through `std::io::Write`. Knows no format.

use std::io::{self, Write};

use bytes::BytesMut;

/// How many bytes are gathered before they are appended.
const STAGE: usize = 256;

/// Appends what a format crate writes to a payload, and never fails.
///
/// Encoders write a byte or two at a time, and each append to a [`BytesMut`] has its price. So small writes are
/// gathered on the stack first; what is gathered is appended when the writer is flushed or dropped.
///
/// ```
/// use std::io::Write;
/// use converse_core::PayloadWriter;
///
/// let mut payload = bytes::BytesMut::from("1");
/// PayloadWriter::new(&mut payload).write_all(b"23")?;
/// assert_eq!(payload, "123");
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PayloadWriter<'a> {
    out: &'a mut BytesMut,
    stage: [u8; STAGE],
    staged: usize,
}

impl<'a> PayloadWriter<'a> {
    /// Builds a writer that appends to `out`.
    #[inline]
    pub fn new(out: &'a mut BytesMut) -> Self {
        Self { out, stage: [0; STAGE], staged: 0 }
    }

    #[inline]
    fn append_staged(&mut self) {
        self.out.extend_from_slice(self.stage.get(..self.staged).unwrap_or_default());
        self.staged = 0;
    }

    /// Appends what finds no room behind what is gathered.
    #[inline(never)]
    fn append(&mut self, bytes: &[u8]) {
        self.append_staged();
        match self.stage.get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.staged = bytes.len();
            }
            None => self.out.extend_from_slice(bytes),
        }
    }
}

impl Write for PayloadWriter<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.stage.get_mut(self.staged..self.staged + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.staged += bytes.len();
            }
            None => self.append(bytes),
        }
        Ok(())
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        self.append_staged();
        Ok(())
    }
}

impl Drop for PayloadWriter<'_> {
    #[inline]
    fn drop(&mut self) {
        self.append_staged();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_of_all_sizes_are_appended_in_order() {
        for size in [0, 1, 2, 100, STAGE - 1, STAGE, STAGE + 1, 3 * STAGE] {
            let mut expected = b"prefix".to_vec();
            let mut out = BytesMut::from(&b"prefix"[..]);
            let mut writer = PayloadWriter::new(&mut out);
            for byte in 0..50 {
                assert!(writer.write_all(&vec![byte; size]).is_ok());
                assert!(matches!(writer.write(&[byte]), Ok(1)));
                expected.extend(std::iter::repeat_n(byte, size + 1));
            }
            drop(writer);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn flushing_appends_what_was_written() {
        let mut out = BytesMut::new();
        let mut writer = PayloadWriter::new(&mut out);
        assert!(writer.write_all(b"text").is_ok());
        assert!(writer.flush().is_ok());
        assert_eq!(*writer.out, "text");
    }
}
