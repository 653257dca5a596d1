//! ws-tool, on zlib in C. Its level is 9, whatever one wants; the client's offer decides about takeover.

use converse_benches::{Result, heap::Scope, server};
use tokio::net::TcpStream;
use ws_tool::{
    ServerBuilder,
    codec::{AsyncDeflateCodec, deflate_handshake_handler},
    frame::OpCode,
};

use super::{Contender, OFFER_ALONE};

pub(super) fn all() -> Vec<Contender> {
    vec![
        contender("takeover, level 9", "permessage-deflate; client_max_window_bits=15"),
        contender("no takeover, level 9", OFFER_ALONE),
    ]
}

fn contender(mode: &str, offer: &'static str) -> Contender {
    let serve = server::each(serve);
    Contender { package: "ws-tool", mode: mode.into(), offer: Some(offer), scope: Scope::Malloc, serve }
}

async fn serve(stream: TcpStream) -> Result<()> {
    let mut socket =
        ServerBuilder::async_accept(stream, deflate_handshake_handler, AsyncDeflateCodec::factory).await?;
    loop {
        let (header, payload) = socket.receive().await?;
        if header.code != OpCode::Text {
            return Ok(());
        }
        let payload = payload.to_vec();
        socket.send(OpCode::Text, &payload).await?;
        socket.flush().await?;
    }
}
