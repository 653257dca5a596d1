//! ratchet. Its server resets its compressor after each message unless it is told not to accept that at all.

use bytes::BytesMut;
use converse_benches::{Result, heap::Scope, server};
use ratchet_rs::{
    Message, PayloadType, SubprotocolRegistry, WebSocketConfig,
    deflate::{Compression, DeflateConfig, DeflateExtProvider},
};
use tokio::net::TcpStream;

use super::{Contender, OFFER, OFFER_ALONE};

pub(super) fn all() -> Vec<Contender> {
    let mut all = Vec::new();
    for level in [1, 6] {
        let config = |accept_no_context_takeover| DeflateConfig {
            accept_no_context_takeover,
            compression_level: Compression::new(level),
            ..DeflateConfig::default()
        };
        all.push(contender(format!("takeover, level {level}"), OFFER, config(false)));
        all.push(contender(format!("no takeover, level {level}"), OFFER_ALONE, config(true)));
    }
    all
}

fn contender(mode: String, offer: &'static str, config: DeflateConfig) -> Contender {
    let serve = server::each(move |stream| serve(stream, config));
    Contender { package: "ratchet_rs", mode, offer: Some(offer), scope: Scope::Rust, serve }
}

async fn serve(stream: TcpStream, config: DeflateConfig) -> Result<()> {
    let extension = DeflateExtProvider::with_config(config);
    let protocols = SubprotocolRegistry::default();
    let upgrade = ratchet_rs::accept_with(stream, WebSocketConfig::default(), extension, protocols).await?;
    let mut socket = upgrade.upgrade().await?.websocket;
    let mut buffer = BytesMut::new();
    loop {
        match socket.read(&mut buffer).await? {
            Message::Text => {
                socket.write(&buffer, PayloadType::Text).await?;
                socket.flush().await?;
                buffer.clear();
            }
            Message::Close(_) => return Ok(()),
            _ => {}
        }
    }
}
