//! Extensions that fail: what becomes of the connection. Knows no extension that is of use.
#![allow(clippy::unwrap_used)]

mod wire;

use converse::{
    Server, Session, SessionOptions,
    extension::{
        Extension, ExtensionDecoder, ExtensionEncoder, ExtensionError, ExtensionOffer, FrameSink, Negotiated,
    },
    frame::{Frame, ProtocolError, Rsv},
};
use wire::{HEAD, TEXT, Wire, masked, start};

/// Encodes one frame of each message, and panics at the second.
#[derive(Clone, Copy)]
struct Bomb;

impl Extension for Bomb {
    fn name(&self) -> &str {
        "x-bomb"
    }

    fn rsv(&self) -> Rsv {
        Rsv::NONE
    }

    fn offers(&self) -> Vec<ExtensionOffer> {
        vec![ExtensionOffer::from_static("x-bomb")]
    }

    fn accept(&self, _: &ExtensionOffer) -> Option<Negotiated> {
        Some(Negotiated::new(ExtensionOffer::from_static("x-bomb"), *self, *self))
    }

    fn confirm(&self, answer: &ExtensionOffer) -> Result<Negotiated, ExtensionError> {
        Ok(Negotiated::new(answer.clone(), *self, *self))
    }
}

impl ExtensionEncoder for Bomb {
    fn encode(
        &mut self,
        frame: Frame,
        out: &mut FrameSink<'_, ExtensionError>,
    ) -> Result<(), ExtensionError> {
        assert!(!frame.payload.starts_with(b"!"), "on purpose");
        out.push(frame)
    }
}

impl ExtensionDecoder for Bomb {
    fn decode(
        &mut self,
        frame: Frame,
        _: u64,
        out: &mut FrameSink<'_, ProtocolError>,
    ) -> Result<(), ProtocolError> {
        out.push(frame)
    }
}

async fn handler(mut session: Session) -> converse::Result<()> {
    let sender = session.sender();
    session.receive().await?;
    let panicked = tokio::spawn(async move { sender.send("ab!").await }).await;
    assert!(panicked.is_err());
    session.send("c").await.ok();
    session.closed().await;
    Ok(())
}

async fn open(offer: &str) -> (wire::Running, String, Wire) {
    let options = SessionOptions::default().extension(Bomb).fragment_size(2);
    let server = start(Server::new(options).route("/", handler)).await;
    let mut peer = Wire::connect(server.address).await;
    let answer = peer.ask(&format!("{HEAD}Sec-WebSocket-Extensions: {offer}\r\n\r\n")).await;
    (server, answer, peer)
}

#[tokio::test]
async fn half_a_message_of_an_encoder_that_panicked_is_followed_by_nothing() {
    let (_server, answer, mut peer) = open("x-bomb").await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    peer.send(&masked(TEXT, b"now")).await;
    let frames = wire::in_time(peer.frames()).await;
    assert!(frames.is_empty(), "{frames:?}");
}

#[tokio::test]
async fn an_offer_whose_name_is_in_another_case_is_passed_over() {
    let (_server, answer, _peer) = open("X-Bomb").await;
    assert!(answer.starts_with("HTTP/1.1 101 ") && !answer.contains("-bomb"), "{answer}");
}
