//! permessage-deflate of the client by hand: what was agreed, and both directions with zlib.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::{Result, wire};

/// The bytes that end a flush, and that RFC 7692 leaves out of a message.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The level of the client: it is the same beside every server.
const LEVEL: u32 = 6;

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

impl Agreed {
    /// Reads it from the head of a response.
    pub fn from_head(head: &str) -> Option<Self> {
        let head = head.to_ascii_lowercase();
        let line = head.lines().find_map(|line| line.strip_prefix("sec-websocket-extensions:"))?;
        let mut agreed = Self { server_alone: false, client_alone: false, client_bits: 15 };
        for parameter in line.split(';').skip(1) {
            match parameter.trim().split_once('=').unwrap_or((parameter.trim(), "")) {
                ("server_no_context_takeover", _) => agreed.server_alone = true,
                ("client_no_context_takeover", _) => agreed.client_alone = true,
                ("client_max_window_bits", bits) => agreed.client_bits = bits.trim_matches('"').parse().unwrap_or(15),
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
    let mut deflate = Compress::new_with_window_bits(Compression::new(LEVEL), false, agreed.client_bits);
    let mut frame = |message: &String| {
        let mut packed = Vec::with_capacity(message.len() + 64);
        if agreed.client_alone {
            deflate.reset();
        }
        deflate.compress_vec(message.as_bytes(), &mut packed, FlushCompress::Sync).expect("deflate takes any input");
        assert!(packed.ends_with(&TAIL), "the flush did not fit");
        packed.truncate(packed.len() - TAIL.len());
        wire::frame(&packed, true)
    };
    messages.iter().map(&mut frame).collect()
}

/// Unpacks what a server sent.
#[derive(Debug)]
pub struct Inflate {
    state: Decompress,
    alone: bool,
}

impl Inflate {
    /// Starts with what was agreed.
    pub fn new(agreed: Option<Agreed>) -> Self {
        Self { state: Decompress::new(false), alone: agreed.is_some_and(|agreed| agreed.server_alone) }
    }

    /// Unpacks a message.
    ///
    /// # Errors
    /// When it is no deflate.
    pub fn message(&mut self, packed: &[u8]) -> Result<Vec<u8>> {
        let packed = [packed, &TAIL].concat();
        if self.alone {
            self.state.reset(false);
        }
        let (mut text, before) = (Vec::with_capacity(64 * 1024), self.state.total_in());
        let status = self.state.decompress_vec(&packed, &mut text, FlushDecompress::Sync)?;
        if status == Status::StreamEnd {
            self.state.reset(false);
        } else if self.state.total_in() - before != packed.len() as u64 {
            return Err("a message does not end where its payload does".into());
        }
        Ok(text)
    }
}
