//! Shows: an extension of one's own (RFC 6455 §9): a checksum behind each frame, its length negotiated.
//! Run: `cargo run --example custom_extension`
//! Next: `src/extension/mod.rs`, which says what else an extension may do.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::BytesMut;
use converse::{
    Client, CloseCode, CloseReason, Frame, Server, Session, SessionOptions,
    extension::{
        Extension, ExtensionDecoder, ExtensionEncoder, ExtensionError, ExtensionOffer, FrameSink, Negotiated,
    },
    frame::{ProtocolError, Rsv},
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// `x-checksum; bytes=N`: frames with RSV2 end in the N last bytes of their payload's FNV-1a checksum.
struct Checksum {
    max_bytes: usize,
}

/// What the session can tell about the extension.
#[derive(Debug)]
struct Checked {
    bytes: usize,
    frames: AtomicU64,
}

impl Checksum {
    fn offer(bytes: usize) -> ExtensionOffer {
        ExtensionOffer::from_static("x-checksum").number("bytes", bytes as u64)
    }

    /// Reads the parameter: the one there is, with a number from 1 to 8.
    fn bytes(offer: &ExtensionOffer) -> Option<usize> {
        let bytes = offer.value("bytes")?.parse().ok()?;
        (offer.params().len() == 1 && (1..=8).contains(&bytes)).then_some(bytes)
    }

    fn negotiated(bytes: usize) -> Negotiated {
        let checked = Arc::new(Checked { bytes, frames: AtomicU64::new(0) });
        let decoder = Decoder(Arc::clone(&checked));
        Negotiated::new(Self::offer(bytes), Encoder { bytes }, decoder).with_state(checked)
    }
}

impl Extension for Checksum {
    fn name(&self) -> &str {
        "x-checksum"
    }

    fn rsv(&self) -> Rsv {
        Rsv::RSV2
    }

    fn offers(&self) -> Vec<ExtensionOffer> {
        vec![Self::offer(self.max_bytes)]
    }

    /// The server: as many bytes as the client offers, or fewer.
    fn accept(&self, offer: &ExtensionOffer) -> Option<Negotiated> {
        Some(Self::negotiated(Self::bytes(offer)?.min(self.max_bytes)))
    }

    /// The client: no more bytes than it has offered.
    fn confirm(&self, answer: &ExtensionOffer) -> Result<Negotiated, ExtensionError> {
        match Self::bytes(answer).filter(|&bytes| bytes <= self.max_bytes) {
            Some(bytes) => Ok(Self::negotiated(bytes)),
            None => Err(ExtensionError::BadAnswer { name: self.name().into(), why: answer.to_string() }),
        }
    }
}

fn fnv1a(payload: &[u8]) -> u64 {
    payload
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn checksum(payload: &[u8], bytes: usize) -> impl Iterator<Item = u8> {
    fnv1a(payload).to_be_bytes().into_iter().skip(8 - bytes)
}

struct Encoder {
    bytes: usize,
}

impl ExtensionEncoder for Encoder {
    fn encode(
        &mut self,
        frame: Frame,
        out: &mut FrameSink<'_, ExtensionError>,
    ) -> Result<(), ExtensionError> {
        let mut payload = BytesMut::from(frame.payload.clone());
        payload.extend(checksum(&frame.payload, self.bytes));
        out.push(Frame { rsv: frame.rsv | Rsv::RSV2, payload: payload.freeze(), ..frame })
    }
}

struct Decoder(Arc<Checked>);

impl ExtensionDecoder for Decoder {
    fn decode(
        &mut self,
        mut frame: Frame,
        _limit: u64,
        out: &mut FrameSink<'_, ProtocolError>,
    ) -> Result<(), ProtocolError> {
        if !frame.rsv.contains(Rsv::RSV2) {
            return out.push(frame);
        }
        let wrong = ProtocolError::new(CloseCode::INVALID_PAYLOAD, "x-checksum", "wrong checksum");
        let end = frame.payload.len().checked_sub(self.0.bytes).ok_or(wrong)?;
        let sent = frame.payload.split_off(end);
        if !sent.iter().copied().eq(checksum(&frame.payload, self.0.bytes)) {
            return Err(wrong);
        }
        self.0.frames.fetch_add(1, Ordering::Relaxed);
        out.push(Frame { rsv: frame.rsv.without(Rsv::RSV2), ..frame })
    }
}

async fn echo(mut session: Session) -> converse::Result<()> {
    while let Some(message) = session.receive().await? {
        session.send(message).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // The client would have 4 bytes of checksum, the server takes no more than 2.
    let options = SessionOptions::default().extension(Checksum { max_bytes: 2 }).fragment_size(8);
    let server = Server::new(options).route("/", echo).bind("127.0.0.1:0").await?;
    let (url, handle) = (format!("ws://{}/", server.local_addr()), server.handle());
    let serving = tokio::spawn(server.serve());

    let options = SessionOptions::default().extension(Checksum { max_bytes: 4 });
    let mut session = Client::new(options).connect(&url).await?;
    let checked = session.extension::<Checked>().ok_or("the server declined")?;
    println!("agreed on {}", Checksum::offer(checked.bytes));

    for text in ["short", "and long enough for some fragments"] {
        session.send(text).await?;
        let echo = session.receive().await?.ok_or("the server hung up")?;
        if echo.as_text() != Some(text) {
            return Err(format!("said {text:?}, heard {echo:?}").into());
        }
        // The server's fragments are short, and each has a checksum of its own.
        println!("heard {text:?}; frames checked so far: {}", checked.frames.load(Ordering::Relaxed));
    }
    session.close(CloseReason::NORMAL).await;
    handle.stop();
    Ok(serving.await?)
}
