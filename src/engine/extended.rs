//! What a connection with extensions has beyond one without. Knows no extension by name.

use crate::{
    extension::ExtensionStack,
    frame::{FrameHeader, OpCode, ProtocolError},
    message::FragmentCount,
};

/// What a byte that is encoded counts, where a byte that is moved counts one: compressing takes that much longer.
const ENCODED: usize = 8;

/// The extensions in use, the frames of the message under way as they stood on the wire, and the work done.
#[derive(Debug)]
pub(crate) struct Extended {
    pub(crate) stack: ExtensionStack,
    pub(crate) wire_frames: FragmentCount,
    /// What was decoded and encoded since somebody asked, in bytes that are moved.
    pub(crate) worked: usize,
}

impl Extended {
    /// Builds it, unless no extension is in use.
    pub(crate) fn new(stack: ExtensionStack) -> Option<Box<Self>> {
        let in_use = !stack.is_empty();
        in_use.then(|| Box::new(Self { stack, wire_frames: FragmentCount::default(), worked: 0 }))
    }

    /// Counts a message of so many bytes that is encoded.
    pub(crate) fn count_encoded(&mut self, len: usize) {
        self.worked = self.worked.saturating_add(len.saturating_mul(ENCODED));
    }

    /// Counts a received data frame in.
    pub(crate) fn count(&mut self, header: &FrameHeader) -> Result<(), ProtocolError> {
        if header.opcode != OpCode::Continuation {
            self.wire_frames = FragmentCount::default();
        }
        self.wire_frames.add(header.len)
    }
}
