//! Where extensions meet each other, the limits and the wire: chains, refusals that are swallowed, frames that may not leave.
#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod deflate;
mod wire;

use converse::{
    Client, MemoryMode, Message, PerMessageDeflate, Session, SessionOptions,
    extension::{
        Extension, ExtensionDecoder, ExtensionEncoder, ExtensionError, ExtensionOffer, FrameSink, Negotiated,
        SendHints,
    },
    frame::{Frame, OpCode, ProtocolError, Rsv},
};
use converse_zlib_oracle::Flush;
use deflate::{Dice, PLAIN_OFFER, RSV1, Served, heap::Heap, with};
use wire::{BINARY, CONTINUATION, FIN, HEAD, Wire};

#[global_allocator]
static HEAP: Heap = Heap::new();

type Encode = fn(Frame, &mut FrameSink<'_, ExtensionError>) -> Result<(), ExtensionError>;
type Decode = fn(Frame, &mut FrameSink<'_, ProtocolError>) -> Result<(), ProtocolError>;

#[derive(Clone, Copy)]
struct Toy(Encode, Decode);

impl Extension for Toy {
    fn name(&self) -> &str {
        "x-toy"
    }
    fn rsv(&self) -> Rsv {
        Rsv::NONE
    }
    fn offers(&self) -> Vec<ExtensionOffer> {
        vec![ExtensionOffer::from_static("x-toy")]
    }
    fn accept(&self, offer: &ExtensionOffer) -> Option<Negotiated> {
        Some(Negotiated::new(offer.clone(), *self, *self))
    }
    fn confirm(&self, answer: &ExtensionOffer) -> Result<Negotiated, ExtensionError> {
        Ok(Negotiated::new(answer.clone(), *self, *self))
    }
}

impl ExtensionEncoder for Toy {
    fn encode(&mut self, f: Frame, out: &mut FrameSink<'_, ExtensionError>) -> Result<(), ExtensionError> {
        (self.0)(f, out)
    }
}

impl ExtensionDecoder for Toy {
    fn decode(
        &mut self,
        f: Frame,
        _: u64,
        out: &mut FrameSink<'_, ProtocolError>,
    ) -> Result<(), ProtocolError> {
        (self.1)(f, out)
    }
}

/// Adds 8 bytes to each frame.
fn pad(f: Frame, out: &mut FrameSink<'_, ExtensionError>) -> Result<(), ExtensionError> {
    let payload = [&f.payload[..], &[7; 8]].concat().into();
    out.push(Frame { payload, ..f })
}

fn unpad(f: Frame, out: &mut FrameSink<'_, ProtocolError>) -> Result<(), ProtocolError> {
    let payload = f.payload.slice(..f.payload.len() - 8);
    out.push(Frame { payload, ..f })
}

async fn pair(options: SessionOptions) -> (Session, Session) {
    let mut served = Served::start(options.clone()).await;
    let client = Client::new(options).connect(&format!("ws://{}/", served.address())).await.unwrap();
    (served.session().await, client)
}

async fn with_toy(toy: Toy, options: SessionOptions) -> (Session, Wire) {
    let mut served = Served::start(options.extension(toy)).await;
    let mut peer = Wire::connect(served.address()).await;
    peer.ask(&format!("{HEAD}Sec-WebSocket-Extensions: x-toy\r\n\r\n")).await;
    (served.session().await, peer)
}

#[tokio::test]
async fn a_message_of_the_limit_passes_behind_an_extension_that_adds_to_each_frame() {
    let options = SessionOptions::default()
        .max_message_size(1000)
        .extension(Toy(pad, unpad))
        .extension(PerMessageDeflate::new());
    let (mut server, client) = pair(options).await;
    client.send(Message::binary(vec![5; 1000])).await.unwrap();
    let message = wire::in_time(server.receive()).await.unwrap().unwrap();
    assert_eq!(message.len(), 1000);
}

#[tokio::test]
async fn a_limit_raised_during_a_compressed_message_holds_for_it() {
    let mut served = Served::start(with(PerMessageDeflate::new()).max_message_size(100)).await;
    let (mut session, mut far, _) = served.open(&[PLAIN_OFFER]).await;
    let packed = far.zlib().compress(&Dice::new(9).noise(20_000));
    far.wire.send(&wire::frame(RSV1 | BINARY, &packed[..10], true)).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    session.set_max_message_size(1 << 20);
    far.wire.send(&wire::frame(FIN | CONTINUATION, &packed[10..], true)).await;
    assert_eq!(wire::in_time(session.receive()).await.unwrap().unwrap().len(), 20_000);
}

#[tokio::test]
async fn fragments_may_be_as_small_compressed_as_they_may_be_plain() {
    let mut served = Served::start(with(PerMessageDeflate::new())).await;
    let (mut session, mut far, _) = served.open(&[PLAIN_OFFER]).await;
    let text = b"{\"id\":17,\"symbol\":\"ACME\",\"bid\":101.25,\"ask\":101.5,\"venue\":\"XE\"}".repeat(3000);
    let (mut bytes, last) = (Vec::new(), text.len().div_ceil(64) - 1);
    for (index, chunk) in text.chunks(64).enumerate() {
        let mut packed = Vec::new();
        far.zlib().deflater.push(chunk, Flush::Sync, &mut packed);
        let fin = if index == last { FIN } else { 0 };
        packed.truncate(packed.len() - if index == last { 4 } else { 0 });
        bytes.extend(wire::frame(fin | if index == 0 { RSV1 | BINARY } else { CONTINUATION }, &packed, true));
    }
    far.wire.send(&bytes).await;
    assert_eq!(wire::in_time(session.receive()).await.unwrap().unwrap().len(), text.len());
}

/// The decoder is to pass a refusal on; if it does not, the message must not arrive with a gap.
#[tokio::test]
async fn a_refusal_that_an_extension_swallows_ends_the_connection_nonetheless() {
    let toy = Toy(pad, |f, out| {
        let _ = out.push(f);
        Ok(())
    });
    let (mut session, mut peer) =
        with_toy(toy, SessionOptions::default().max_message_size(10).max_frame_size(100)).await;
    peer.send(&wire::frame(BINARY, b"12345", true)).await;
    peer.send(&wire::frame(CONTINUATION, b"lost, lost, lost", true)).await;
    peer.send(&wire::frame(FIN | CONTINUATION, b"678", true)).await;
    let received = wire::in_time(session.receive()).await;
    assert!(received.is_err(), "{received:?}");
}

#[tokio::test]
async fn an_encoder_cannot_put_a_control_frame_on_the_wire() {
    let toy = Toy(
        |f, out| {
            out.push(Frame {
                fin: true,
                rsv: Rsv::RSV3,
                opcode: OpCode::Ping,
                payload: vec![1; 200].into(),
            })?;
            out.push(f)
        },
        unpad,
    );
    let (session, mut peer) = with_toy(toy, SessionOptions::default()).await;
    assert!(session.send("hello").await.is_err());
    assert_eq!(peer.frame().await.first & 0xf, wire::CLOSE);
}

#[test]
fn what_was_put_out_is_not_held_until_the_message_ends() {
    const FRAME: usize = 128 * 1024;
    let deflate = PerMessageDeflate::new().memory(MemoryMode::NoTakeover);
    let (mut encoder, _) = deflate.accept(&deflate.offers()[0]).unwrap().into_halves();
    let message = Message::binary(Dice::new(3).noise(8 << 20));
    encoder.begin(&message, SendHints::default());
    let mark = HEAP.mark();
    for at in (0..message.len()).step_by(FRAME) {
        let opcode = if at == 0 { OpCode::Binary } else { OpCode::Continuation };
        let payload = message.as_bytes()[at..at + FRAME].to_vec().into();
        let frame = Frame { fin: at + FRAME == message.len(), rsv: Rsv::NONE, opcode, payload };
        encoder.encode(frame, &mut FrameSink::new(&mut |_| Ok(())).with_frame_size(FRAME)).unwrap();
    }
    let peak = HEAP.peak_over(mark);
    assert!(peak < 8 * FRAME + (512 << 10), "{peak} bytes at the peak");
}

#[test]
fn a_message_that_has_hardly_begun_holds_no_state() {
    let modes = [MemoryMode::Compact { history: 2048 }, MemoryMode::NoTakeover];
    for mode in modes {
        let deflate = PerMessageDeflate::new().memory(mode);
        let offer = deflate.offers().remove(0);
        let mut decoders: Vec<_> =
            (0..100).map(|_| deflate.accept(&offer).unwrap().into_halves().1).collect();
        let mark = HEAP.mark();
        for decoder in &mut decoders {
            let empty =
                Frame { fin: false, rsv: Rsv::RSV1, opcode: OpCode::Text, payload: Vec::new().into() };
            decoder.decode(empty, 1 << 20, &mut FrameSink::new(&mut |_| Ok(()))).unwrap();
        }
        let held = HEAP.peak_over(mark) / decoders.len();
        assert!(held < 256, "{mode:?}: {held} bytes each");
    }
}
