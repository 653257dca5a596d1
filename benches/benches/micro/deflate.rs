//! permessage-deflate's two halves without a connection. Knows no zlib: `--bin deflate` compares with that.

use bytes::Bytes;
use converse::{
    Frame, MemoryMode, Message, PerMessageDeflate,
    extension::{
        Extension, ExtensionDecoder, ExtensionEncoder, ExtensionError, ExtensionOffer, FrameSink, SendHints,
    },
    frame::{ProtocolError, Rsv},
};
use converse_benches::{
    deflate::{Agreed, Packer},
    payload::Traffic,
};
use divan::Bencher;

/// What is packed: about 90 bytes, 1 KiB and 16 KiB of JSON.
const TRAFFIC: [Traffic; 3] = [Traffic::Trade, Traffic::Book, Traffic::Room];

/// How many different messages follow one another before they repeat: more than a window holds.
const MESSAGES: usize = 512;

/// A memory mode as a type, as the benches want it.
trait Mode {
    const MODE: MemoryMode;
}

struct Dedicated;
struct Compact;
struct NoTakeover;

impl Mode for Dedicated {
    const MODE: MemoryMode = MemoryMode::Dedicated;
}

impl Mode for Compact {
    const MODE: MemoryMode = MemoryMode::Compact { history: 1024 };
}

impl Mode for NoTakeover {
    const MODE: MemoryMode = MemoryMode::NoTakeover;
}

#[divan::bench(types = [Dedicated, Compact, NoTakeover], args = TRAFFIC)]
fn pack<M: Mode>(bencher: Bencher<'_, '_>, traffic: Traffic) {
    let (mut encoder, _, _) = halves(M::MODE);
    let mut messages = traffic.messages(MESSAGES).into_iter().map(Message::from).cycle();
    bencher.with_inputs(|| next(&mut messages)).bench_local_values(|message| {
        encoder.begin(&message, SendHints::default());
        let mut packed = None;
        let mut put = |frame| -> Result<(), ExtensionError> {
            packed = Some(frame);
            Ok(())
        };
        let frame = Frame::text(message.into_bytes());
        encoder.encode(frame, &mut FrameSink::new(&mut put)).expect("it packs");
        packed
    });
}

#[divan::bench(types = [Dedicated, Compact, NoTakeover], args = TRAFFIC)]
fn unpack<M: Mode>(bencher: Bencher<'_, '_>, traffic: Traffic) {
    let (_, mut decoder, agreed) = halves(M::MODE);
    let mut client = Packer::new(agreed);
    let mut messages = traffic.messages(MESSAGES).into_iter().cycle();
    let received = || {
        let payload = Bytes::copy_from_slice(client.pack(next(&mut messages).as_bytes()));
        Frame { rsv: Rsv::RSV1, ..Frame::text(payload) }
    };
    bencher.with_inputs(received).bench_local_values(|frame| {
        let mut text = Bytes::new();
        let mut put = |frame: Frame| -> Result<(), ProtocolError> {
            text = frame.payload;
            Ok(())
        };
        decoder.decode(frame, 1 << 20, &mut FrameSink::new(&mut put)).expect("it unpacks");
        text
    });
}

fn next<T>(endless: &mut impl Iterator<Item = T>) -> T {
    endless.next().expect("there is always another")
}

/// A server's halves, as they are for a browser.
fn halves(mode: MemoryMode) -> (Box<dyn ExtensionEncoder>, Box<dyn ExtensionDecoder>, Agreed) {
    let deflate = PerMessageDeflate::new().memory(mode).level(1).threshold(0);
    let offer = ExtensionOffer::from_static("permessage-deflate").flag("client_max_window_bits");
    let server = deflate.accept(&offer).expect("the offer is accepted");
    let head = format!("sec-websocket-extensions: {}", ExtensionOffer::join(&[server.answer().clone()]));
    let agreed = Agreed::from_head(&head).expect("there is an answer");
    let (encoder, decoder) = server.into_halves();
    (encoder, decoder, agreed)
}
