//! Where messages end in what a server sends. It reads headers alone, and knows no socket.

use converse_benches::Result;

/// The longest header: two bytes, a length of eight, and the mask that comes back from a server of bare bytes.
const LONGEST: usize = 14;

/// Counts a connection's replies, whatever their cut.
#[derive(Debug, Default)]
pub struct Replies {
    header: [u8; LONGEST],
    have: usize,
    /// What is still to come of the frame's payload.
    rest: u64,
    /// Whether the message ends with this frame.
    last: bool,
    /// Payload of the message's frames so far.
    length: u64,
}

impl Replies {
    /// Reads on, and calls `message` with the length of each payload that ends.
    ///
    /// # Errors
    /// When a frame belongs to no message, or when `message` finds fault with it.
    pub fn read(&mut self, mut bytes: &[u8], mut message: impl FnMut(u64) -> Result<()>) -> Result<()> {
        loop {
            if self.rest > 0 {
                let passed = self.rest.min(bytes.len() as u64);
                bytes = &bytes[passed as usize..];
                self.rest -= passed;
                if self.rest > 0 {
                    return Ok(());
                }
                self.end_frame(&mut message)?;
            }
            let Some(size) = self.header(&mut bytes)? else { return Ok(()) };
            (self.rest, self.length) = (size, self.length + size);
            if size == 0 {
                self.end_frame(&mut message)?;
            }
        }
    }

    fn end_frame(&mut self, message: &mut impl FnMut(u64) -> Result<()>) -> Result<()> {
        if self.last {
            message(std::mem::take(&mut self.length))?;
        }
        Ok(())
    }

    /// Takes a header off `bytes`, and returns the length of the payload behind it. `None` when it is not whole.
    fn header(&mut self, bytes: &mut &[u8]) -> Result<Option<u64>> {
        loop {
            let size = self.size();
            let taken = (size - self.have).min(bytes.len());
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            *bytes = &bytes[taken..];
            if self.have < size {
                return Ok(None);
            }
            if self.size() == size {
                break;
            }
        }
        let header = self.header;
        self.have = 0;
        if header[0] & 0x0f > 2 {
            return Err(format!("a frame of no message: {:x?}", &header[..2]).into());
        }
        self.last = header[0] & 0x80 != 0;
        let size = match header[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes([header[2], header[3]])),
            127 => u64::from_be_bytes(header[2..10].try_into()?),
            short => u64::from(short),
        };
        Ok(Some(size))
    }

    /// How long the header is, as far as it can be told.
    fn size(&self) -> usize {
        if self.have < 2 {
            return 2;
        }
        let mask = if self.header[1] & 0x80 != 0 { 4 } else { 0 };
        let length = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length + mask
    }
}
