//! RFC 7692 §7.1 over real handshakes: what is answered to an offer, what is taken for an answer, and that both
//! ends then compress with exactly that. Knows how parameters are written; nothing of deflate itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod deflate;
mod wire;

use std::sync::Arc;

use converse::{
    ConnectError, Message, Session,
    extension::{DeflateStats, ExtensionError},
    handshake::HandshakeError,
};
use converse_zlib_oracle::{Deflater, Inflater};
use deflate::{
    Dice, Far, Served, dial,
    tables::{
        Config, DECLINED_OFFERS, OFFERS, REFUSED_ANSWERS, TAKEN_ANSWERS, TAKEN_OFFERS, base, both_9, compact,
        no_takeover,
    },
    with,
};

/// The fast one and the usual one find their references in different ways.
const LEVELS: [u8; 2] = [1, 6];

/// Messages that repeat bytes from 200 to 20,000 bytes before, in themselves and from one to the next: between
/// them they leave any window that is smaller than the one they were made for.
fn traffic() -> Vec<Vec<u8>> {
    // Six bits a byte, so that every message shrinks.
    let noise: Vec<u8> = Dice::new(7).noise(60_000).iter().map(|byte| byte & 0x3f).collect();
    let distances = [200, 600, 1200, 2500, 20_000, 5000, 10_000];
    let message = |index: usize| {
        let (group, len) = (index / 3, distances[index / 3 % distances.len()]);
        match index % 3 {
            0 => [&noise[group * 977..][..len], &noise[group * 977..][..len.min(250)]].concat(),
            _ => noise[20_000 + group * 977..][..len].to_vec(),
        }
    };
    (0..50).map(message).collect()
}

#[test]
fn the_traffic_leaves_every_window_that_is_too_small() {
    for bits in 10..=15 {
        let (mut deflater, mut smaller) = (Deflater::new(6, bits), Inflater::new(bits - 1));
        let payloads: Vec<_> = traffic().iter().map(|data| deflater.message(data)).collect();
        assert!(payloads.iter().any(|payload| smaller.inflate_message(payload).is_err()), "{bits} bits");
        // Nor is it enough to keep too little from one message to the next.
        let mut said = Vec::new();
        let mut refused = 0;
        for (data, payload) in traffic().iter().zip(&payloads) {
            let mut forgetful = Inflater::new(15);
            let kept = &said[said.len().saturating_sub(1 << (bits - 1))..];
            forgetful.inflate_message(&Deflater::new(0, 15).message(kept)).unwrap();
            refused += usize::from(forgetful.inflate_message(payload).is_err());
            said.extend_from_slice(data);
        }
        assert!(refused > 0, "{bits} bits between messages");
    }
}

/// Holds 50 messages each way.
async fn converse_both_ways(mut session: Session, mut far: Far, row: &str) {
    // No deflate has a window of 256 bytes, so a client that may use no other sends its messages as they are.
    let compresses = far.masks || !row.contains("client_max_window_bits=8");
    let mut compressed = 0;
    for data in traffic() {
        session.send(data.clone()).await.unwrap();
        let arrived = far.message().await;
        assert!(arrived.data == data, "{row}: {} bytes arrived for {}", arrived.data.len(), data.len());
        compressed += usize::from(arrived.compressed);
        far.send(&data).await;
        let back = wire::in_time(session.receive()).await.unwrap_or_else(|error| panic!("{row}: {error}"));
        assert!(back.as_ref().map(Message::as_bytes) == Some(&data), "{row}: {} bytes", data.len());
    }
    // What would grow may leave as it is.
    assert_eq!(compressed > 1, compresses, "{row}: {compressed}");
}

fn agreed(session: &Session) -> Option<String> {
    session.extension::<DeflateStats>().map(|stats: Arc<DeflateStats>| stats.agreed().to_string())
}

#[tokio::test]
async fn a_server_answers_each_good_offer_and_keeps_to_its_answer() {
    for (config, offers, expected) in TAKEN_OFFERS {
        let expected = expected.map(|params| format!("permessage-deflate{params}"));
        for level in LEVELS {
            let mut served = Served::start(with(config().level(level))).await;
            let (session, far, answer) = served.open(offers).await;
            assert_eq!(answer, expected, "{offers:?}");
            assert_eq!(agreed(&session), expected);
            converse_both_ways(session, far, &format!("{offers:?} {answer:?}")).await;
        }
    }
}

#[tokio::test]
async fn a_server_declines_what_it_cannot_take_and_talks_without() {
    for config in [base as Config, compact, no_takeover, both_9] {
        let mut served = Served::start(with(config())).await;
        for offers in DECLINED_OFFERS {
            let (mut session, mut far, answer) = served.open(offers).await;
            assert_eq!(answer, None, "{offers:?}");
            assert_eq!(agreed(&session), None);
            session.send("as it is").await.unwrap();
            assert_eq!(far.message().await.data, b"as it is");
            far.send(b"so is this").await;
            assert_eq!(session.receive().await.unwrap(), Some(Message::from(&b"so is this"[..])));
        }
    }
}

#[tokio::test]
async fn a_client_offers_what_it_was_configured_for() {
    for (config, best, fallback) in OFFERS {
        let (session, _, offer) = dial(with(config()), &[]).await;
        let mut expected = format!("permessage-deflate{best}");
        if let Some(rest) = fallback {
            expected += ", permessage-deflate; server_no_context_takeover; client_no_context_takeover";
            expected += rest;
        }
        assert_eq!(offer, Some(expected));
        assert_eq!(agreed(&session.unwrap()), None);
    }
}

#[tokio::test]
async fn a_client_takes_each_good_answer_and_keeps_to_it() {
    for (config, answers) in TAKEN_ANSWERS {
        let answer = answers.join(",").trim_matches([',', ' ']).to_owned();
        for level in LEVELS {
            let (session, wire, offer) = dial(with(config().level(level)), answers).await;
            let session = session.unwrap_or_else(|error| panic!("{answers:?} for {offer:?}: {error}"));
            assert!(agreed(&session).is_some());
            converse_both_ways(session, Far::server(wire, Some(&answer)), &answer).await;
        }
    }
}

#[tokio::test]
async fn a_client_refuses_each_answer_that_does_not_fit_its_offer() {
    for (config, answers) in REFUSED_ANSWERS {
        let (session, mut wire, offer) = dial(with(config()), answers).await;
        match session {
            Err(ConnectError::Extension(ExtensionError::BadAnswer { .. })) => {}
            Err(ConnectError::Handshake(HandshakeError::ExtensionNotOffered(_))) => {}
            other => panic!("{answers:?} for {offer:?}: {other:?}"),
        }
        assert_eq!(wire.next().await.unwrap(), None, "nothing more is said");
    }
}
