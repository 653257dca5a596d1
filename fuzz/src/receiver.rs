//! The receiving end of a connection as the engine plays it: keeps the budget of each message, and checks what
//! every extension must keep to. Knows no DEFLATE.

use converse::{
    Frame, OpCode,
    extension::{ExtensionDecoder, FrameSink},
    frame::{ProtocolError, Rsv},
};

pub struct Receiver {
    pub decoder: Box<dyn ExtensionDecoder>,
    /// The most bytes of a message.
    pub limit: usize,
    pub may_cut: bool,
}

impl Receiver {
    /// Takes the frames of one message, and returns what it says.
    pub fn message(&mut self, frames: Vec<Frame>) -> Result<Vec<u8>, ProtocolError> {
        let (opcode, compressed) = (frames[0].opcode, frames[0].rsv.contains(Rsv::RSV1));
        let (mut plain, mut begun, mut ended) = (Vec::new(), false, false);
        for frame in frames {
            let (fin, rsv) = (frame.fin, frame.rsv.without(Rsv::RSV1));
            let budget = self.limit.saturating_sub(plain.len());
            let mut made = 0;
            let mut put = |frame: Frame| -> Result<(), ProtocolError> {
                assert!(!ended, "a frame behind the last");
                assert_eq!(frame.opcode, if begun { OpCode::Continuation } else { opcode });
                assert_eq!(frame.rsv, rsv);
                plain.extend_from_slice(&frame.payload);
                made += 1;
                (begun, ended) = (true, frame.fin);
                Ok(())
            };
            let mut sink = FrameSink::new(&mut put).with_cuts(self.may_cut);
            let outcome = self.decoder.decode(frame, budget as u64, &mut sink);
            assert!(!compressed || plain.len() <= self.limit, "more than the limit came out");
            outcome?;
            assert!(self.may_cut || made == 1, "one frame became {made}");
            assert_eq!(ended, fin);
        }
        Ok(plain)
    }

    /// Takes frames in an order that the engine would refuse.
    pub fn disordered(&mut self, frames: Vec<Frame>) -> Result<(), ProtocolError> {
        for frame in frames {
            let mut put = |frame: Frame| {
                assert!(!frame.rsv.contains(Rsv::RSV1), "the extension's own bit came out");
                Ok(())
            };
            let mut sink = FrameSink::new(&mut put).with_cuts(self.may_cut);
            self.decoder.decode(frame, self.limit as u64, &mut sink)?;
        }
        Ok(())
    }
}
