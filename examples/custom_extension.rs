//! Shows: an extension of one's own (RFC 6455 §9): a checksum behind each frame, its length negotiated.
//! Run: `cargo run --example custom_extension`
//! Next: the guide `src/docs/writing_an_extension.md`, which says what else an extension may do.

use std::sync::{Arc, atomic::AtomicU64, atomic::Ordering};

use converse::{Client, CloseCode, CloseReason, Server, Session, SessionOptions, extension::*, frame::*};

/// `x-checksum; bytes=N`: frames with RSV2 end in the last N bytes of their payload's FNV-1a checksum.
struct Checksum(usize);

/// One half on one connection, and what the session can tell about it.
struct Half(usize, Arc<Checked>);
#[derive(Default)]
struct Checked(AtomicU64);

impl Extension for Checksum {
    fn name(&self) -> &str {
        "x-checksum"
    }
    fn rsv(&self) -> Rsv {
        Rsv::RSV2
    }
    /// The client asks for as many bytes as it would like.
    fn offers(&self) -> Vec<ExtensionOffer> {
        vec![ExtensionOffer::from_static("x-checksum").number("bytes", self.0 as u64)]
    }
    /// The server takes as many bytes as are offered, or fewer.
    fn accept(&self, offer: &ExtensionOffer) -> Option<Negotiated> {
        let bytes = offer.value("bytes")?.parse().ok().filter(|bytes| (1..=8).contains(bytes))?;
        let agreed: usize = self.0.min(bytes);
        let answer = ExtensionOffer::from_static("x-checksum").number("bytes", agreed as u64);
        let checked = Arc::new(Checked::default());
        let half = || Half(agreed, Arc::clone(&checked));
        (offer.params().len() == 1)
            .then(|| Negotiated::new(answer, half(), half()).with_state(checked.clone()))
    }
    /// The client takes the answer, unless the server would have more bytes than it has offered.
    fn confirm(&self, answer: &ExtensionOffer) -> Result<Negotiated, ExtensionError> {
        let negotiated = self.accept(answer).filter(|agreed| agreed.answer() == answer);
        let bad = || ExtensionError::BadAnswer { name: self.name().into(), why: answer.to_string() };
        negotiated.ok_or_else(bad)
    }
}

impl Half {
    fn sum(&self, payload: &[u8]) -> Vec<u8> {
        let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        payload.iter().fold(0xcbf2_9ce4_8422_2325, step).to_be_bytes()[8 - self.0..].to_vec()
    }
}

impl ExtensionEncoder for Half {
    fn encode(&mut self, f: Frame, out: &mut FrameSink<'_, ExtensionError>) -> Result<(), ExtensionError> {
        let payload = [&f.payload[..], &self.sum(&f.payload)].concat().into();
        out.push(Frame { rsv: f.rsv | Rsv::RSV2, payload, ..f })
    }
}

impl ExtensionDecoder for Half {
    fn decode(
        &mut self,
        mut f: Frame,
        _limit: u64,
        out: &mut FrameSink<'_, ProtocolError>,
    ) -> Result<(), ProtocolError> {
        let wrong = ProtocolError::new(CloseCode::INVALID_PAYLOAD, "x-checksum", "wrong checksum");
        let sum = f.payload.split_off(f.payload.len().checked_sub(self.0).ok_or(wrong)?);
        if !f.rsv.contains(Rsv::RSV2) || sum != self.sum(&f.payload) {
            return Err(wrong);
        }
        self.1.0.fetch_add(1, Ordering::Relaxed);
        out.push(Frame { rsv: f.rsv.without(Rsv::RSV2), ..f })
    }
}

async fn echo(mut session: Session) -> converse::Result<()> {
    while let Some(message) = session.receive().await? {
        session.send(message).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = SessionOptions::default().extension(Checksum(2)).fragment_size(8);
    let server = Server::new(options).route("/", echo).bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/", server.local_addr());
    tokio::spawn(server.serve());

    let mut session = Client::new(SessionOptions::default().extension(Checksum(4))).connect(&url).await?;
    let checked = session.extension::<Checked>().ok_or("the server declined")?;
    session.send("long enough for some fragments").await?;
    let echo = session.receive().await?.ok_or("the server hung up")?;
    println!("{:?} came in {} checked frames", echo.as_text(), checked.0.load(Ordering::Relaxed));
    session.close(CloseReason::NORMAL).await;
    Ok(())
}
