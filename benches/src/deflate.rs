//! permessage-deflate by hand: what was agreed, and both directions with zlib.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::{Result, wire};

/// The bytes that end a flush, and that RFC 7692 leaves out of a message.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The level of the client: it is the same beside every server.
const LEVEL: u32 = 6;

/// Room for the longest message.
const ROOM: usize = 64 * 1024;

/// What a server's answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Agreed {
    /// Whether each message of the server stands alone.
    pub server_alone: bool,
    /// Whether each message of the client must stand alone.
    pub client_alone: bool,
    /// The client's window.
    pub client_bits: u8,
}

impl Default for Agreed {
    fn default() -> Self {
        Self { server_alone: false, client_alone: false, client_bits: 15 }
    }
}

impl Agreed {
    /// Reads it from the head of a response.
    pub fn from_head(head: &str) -> Option<Self> {
        let head = head.to_ascii_lowercase();
        let line = head.lines().find_map(|line| line.strip_prefix("sec-websocket-extensions:"))?;
        let mut agreed = Self::default();
        for parameter in line.split(';').skip(1) {
            match parameter.trim().split_once('=').unwrap_or((parameter.trim(), "")) {
                ("server_no_context_takeover", _) => agreed.server_alone = true,
                ("client_no_context_takeover", _) => agreed.client_alone = true,
                ("client_max_window_bits", bits) => {
                    agreed.client_bits = bits.trim_matches('"').parse().unwrap_or(15)
                }
                _ => {}
            }
        }
        Some(agreed)
    }
}

/// Makes the client's frames of these messages.
pub fn frames(messages: &[String], agreed: Option<Agreed>) -> Vec<Vec<u8>> {
    let Some(agreed) = agreed else {
        return messages.iter().map(|message| wire::frame(message.as_bytes(), false)).collect();
    };
    let mut packer = Packer::new(agreed);
    messages.iter().map(|message| wire::frame(packer.pack(message.as_bytes()), true)).collect()
}

/// Packs what a client sends.
#[derive(Debug)]
pub struct Packer {
    raw: Raw,
    alone: bool,
}

impl Packer {
    /// Starts with what was agreed.
    pub fn new(agreed: Agreed) -> Self {
        let deflate = Compress::new_with_window_bits(Compression::new(LEVEL), false, agreed.client_bits);
        Self { raw: Raw { deflate, ..Raw::new(LEVEL) }, alone: agreed.client_alone }
    }

    /// Packs a message.
    pub fn pack(&mut self, plain: &[u8]) -> &[u8] {
        if self.alone {
            self.raw.deflate.reset();
        }
        self.raw.pack(plain)
    }
}

/// Unpacks what a server sent.
#[derive(Debug)]
pub struct Inflate {
    raw: Raw,
    alone: bool,
}

impl Inflate {
    /// Starts with what was agreed.
    pub fn new(agreed: Option<Agreed>) -> Self {
        Self { raw: Raw::new(LEVEL), alone: agreed.is_some_and(|agreed| agreed.server_alone) }
    }

    /// Unpacks a message.
    ///
    /// # Errors
    /// When it is no deflate.
    pub fn message(&mut self, packed: &[u8]) -> Result<&[u8]> {
        if self.alone {
            self.raw.inflate.reset(false);
        }
        self.raw.unpack(packed)
    }
}

/// zlib with nothing around it: a state for each direction, and a buffer.
#[derive(Debug)]
pub struct Raw {
    deflate: Compress,
    inflate: Decompress,
    buffer: Vec<u8>,
}

impl Raw {
    /// Starts with empty windows of 32 KiB.
    pub fn new(level: u32) -> Self {
        Self {
            deflate: Compress::new(Compression::new(level), false),
            inflate: Decompress::new(false),
            buffer: Vec::with_capacity(ROOM),
        }
    }

    /// Packs a message, without the end that every message has.
    ///
    /// # Panics
    /// When the message is longer than any of [`payload`](crate::payload).
    pub fn pack(&mut self, plain: &[u8]) -> &[u8] {
        self.buffer.clear();
        self.deflate
            .compress_vec(plain, &mut self.buffer, FlushCompress::Sync)
            .expect("deflate takes any input");
        self.buffer.strip_suffix(&TAIL).expect("the flush fits")
    }

    /// Unpacks a message.
    ///
    /// # Errors
    /// When it is no deflate, or ends elsewhere.
    pub fn unpack(&mut self, packed: &[u8]) -> Result<&[u8]> {
        let (packed, before) = ([packed, &TAIL].concat(), self.inflate.total_in());
        self.buffer.clear();
        let status = self.inflate.decompress_vec(&packed, &mut self.buffer, FlushDecompress::Sync)?;
        if status == Status::StreamEnd {
            self.inflate.reset(false);
        } else if self.inflate.total_in() - before != packed.len() as u64 {
            return Err("a message does not end where its payload does".into());
        }
        Ok(&self.buffer)
    }
}
