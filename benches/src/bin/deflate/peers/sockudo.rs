//! sockudo-ws: a dedicated state for each connection, with one of its window sizes. Its pool of shared compressors has
//! no stream that uses it, and its smallest windows come without takeover.

use bytes::BytesMut;
use converse_benches::{Result, heap::Scope, server};
use futures_util::{SinkExt, StreamExt};
use sockudo_ws::{
    CompressedWebSocketStream, Compression, Config, DeflateConfig,
    deflate::negotiate_server_deflate,
    handshake::{build_response, generate_accept_key, parse_request},
    protocol::Message,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Contender, OFFER, OFFER_ALONE};

pub(super) fn all() -> Vec<Contender> {
    let mut all = Vec::new();
    for level in [1, 6] {
        let of = |compression: Compression| DeflateConfig {
            compression_level: level,
            compression_threshold: 0,
            ..compression.to_deflate_config().unwrap_or_default()
        };
        let alone = DeflateConfig {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            ..of(Compression::Dedicated)
        };
        all.push(contender(format!("takeover, level {level}"), OFFER, of(Compression::Dedicated)));
        all.push(contender(
            format!("windows of 1 KiB, no takeover, level {level}"),
            OFFER,
            of(Compression::Window1KB),
        ));
        all.push(contender(format!("no takeover, level {level}"), OFFER_ALONE, alone));
    }
    all
}

fn contender(mode: String, offer: &'static str, config: DeflateConfig) -> Contender {
    let serve = server::each(move |stream| serve(stream, config.clone()));
    Contender { package: "sockudo-ws", mode, offer: Some(offer), scope: Scope::Rust, serve }
}

async fn serve(mut stream: TcpStream, policy: DeflateConfig) -> Result<()> {
    let mut head = BytesMut::with_capacity(1024);
    let (response, agreed) = loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
        if let Some((request, _)) = parse_request(&head)? {
            let agreed = negotiate_server_deflate(request.extensions.unwrap_or_default(), &policy)
                .ok_or("the offer was declined")?;
            let key = generate_accept_key(request.key);
            break (build_response(&key, None, Some(&agreed.to_response_header())), agreed.config);
        }
    };
    drop(head);
    stream.write_all(&response).await?;
    let mut socket = CompressedWebSocketStream::server(stream, Config::default(), agreed);
    while let Some(message) = socket.next().await {
        if let text @ Message::Text(_) = message? {
            socket.send(text).await?;
        }
    }
    Ok(())
}
