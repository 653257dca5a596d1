//! What a connection sends, made before the clock runs: frames in a cycle. It knows no socket.

use converse_benches::{
    Result,
    deflate::{self, Agreed},
    wire,
};

/// Frames that follow each other without end, with the lengths that their echoes must have.
#[derive(Debug)]
pub struct Script {
    /// The frames in a row, and again from the start for as much as is ever sent at once.
    bytes: Vec<u8>,
    /// Bytes of one cycle.
    cycle: usize,
    frames: Vec<usize>,
    /// Payload of each echo; `None` where the server packs it as it likes.
    echoes: Option<Vec<u64>>,
}

impl Script {
    /// Makes it of frames, of which `burst` are sent at once at most.
    fn new(frames: &[Vec<u8>], burst: usize, echoes: Option<Vec<u64>>) -> Self {
        let longest = frames.iter().map(Vec::len).max().unwrap_or_default();
        let mut bytes = frames.concat();
        let cycle = bytes.len();
        let needed = cycle + burst * longest;
        while bytes.len() < needed {
            bytes.extend_from_within(..cycle.min(needed - bytes.len()));
        }
        Self { bytes, cycle, frames: frames.iter().map(Vec::len).collect(), echoes }
    }

    /// One text of so many bytes.
    pub fn text(length: usize, burst: usize) -> Self {
        Self::new(&[wire::frame(&Self::letters(length), false)], burst, Some(vec![length as u64]))
    }

    /// The text that [`text`](Self::text) sends.
    pub fn letters(length: usize) -> Vec<u8> {
        (b'a'..=b'z').cycle().take(length).collect()
    }

    /// These payloads, as text or as binary, each in a frame.
    pub fn payloads(payloads: &[Vec<u8>], text: bool, burst: usize) -> Self {
        let frame =
            |payload: &Vec<u8>| if text { wire::frame(payload, false) } else { wire::binary(payload) };
        let frames: Vec<Vec<u8>> = payloads.iter().map(frame).collect();
        Self::new(&frames, burst, Some(payloads.iter().map(|payload| payload.len() as u64).collect()))
    }

    /// These texts, packed as was agreed. A cycle refers to nothing before it, so it may follow itself.
    pub fn packed(texts: &[String], agreed: Agreed, burst: usize) -> Self {
        Self::new(&deflate::frames(texts, Some(agreed)), burst, None)
    }

    /// Returns up to `owed` bytes from this place of the cycle.
    pub fn bytes(&self, from: usize, owed: usize) -> &[u8] {
        &self.bytes[from..(from + owed).min(self.bytes.len())]
    }

    /// Moves a place of the cycle on.
    pub fn after(&self, place: usize, sent: usize) -> usize {
        (place + sent) % self.cycle
    }

    /// Returns the length of a frame on the wire, counted without end.
    pub fn frame(&self, number: usize) -> usize {
        self.frames[number % self.frames.len()]
    }

    /// Checks the length of a reply.
    ///
    /// # Errors
    /// When it is another than that of what was sent.
    pub fn check(&self, number: usize, length: u64) -> Result<()> {
        match &self.echoes {
            Some(echoes) if echoes[number % echoes.len()] != length => {
                let sent = echoes[number % echoes.len()];
                Err(format!("the echo of {sent} bytes has {length}").into())
            }
            _ => Ok(()),
        }
    }
}
