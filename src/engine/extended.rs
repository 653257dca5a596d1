//! What a connection with extensions has beyond one without. Knows no extension by name.

use crate::{
    extension::ExtensionStack,
    frame::{FrameHeader, OpCode, ProtocolError},
    message::FragmentCount,
};

/// The extensions in use, and the frames of the message under way as they stood on the wire, with their bytes
/// and those they made.
#[derive(Debug)]
pub(crate) struct Extended {
    pub(crate) stack: ExtensionStack,
    pub(crate) wire_frames: FragmentCount,
    /// Bytes that came out of the decoders since somebody asked.
    pub(crate) decoded: usize,
}

impl Extended {
    /// Builds it, unless no extension is in use.
    pub(crate) fn new(stack: ExtensionStack) -> Option<Box<Self>> {
        let in_use = !stack.is_empty();
        in_use.then(|| Box::new(Self { stack, wire_frames: FragmentCount::default(), decoded: 0 }))
    }

    /// Counts a received data frame in.
    pub(crate) fn count(&mut self, header: &FrameHeader) -> Result<(), ProtocolError> {
        if header.opcode != OpCode::Continuation {
            self.wire_frames = FragmentCount::default();
        }
        self.wire_frames.add(header.len)
    }
}
