//! yawc behind hyper.

use std::sync::Arc;

use converse_benches::{Result, heap::Scope, server};
use futures_util::{SinkExt, StreamExt};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use yawc::{CompressionLevel, DeflatePool, Frame, HttpWebSocket, OpCode, Options, UpgradeFut};

use super::{Contender, OFFER, OFFER_ALONE};

pub(super) fn all() -> Vec<Contender> {
    let plain = || Options::default().with_utf8();
    let at = |level| plain().with_compression_level(CompressionLevel::new(level));
    let alone = |level| at(level).server_no_context_takeover().client_no_context_takeover();
    let small = |level| at(level).with_server_max_window_bits(10).with_client_max_window_bits(10);
    let mut all = vec![contender("no compression".into(), None, plain().without_compression())];
    for level in [1, 6] {
        all.push(contender(format!("takeover, level {level}"), Some(OFFER), at(level)));
        all.push(contender(
            format!("takeover, windows of 1 KiB, level {level}"),
            Some("permessage-deflate; server_max_window_bits=10; client_max_window_bits"),
            small(level),
        ));
        all.push(contender(format!("no takeover, level {level}"), Some(OFFER_ALONE), alone(level)));
        all.push(contender(
            format!("no takeover, pooled, level {level}"),
            Some(OFFER_ALONE),
            alone(level).with_deflate_pool(DeflatePool::new(4)),
        ));
    }
    all
}

fn contender(mode: String, offer: Option<&'static str>, options: Options) -> Contender {
    let options = Arc::new(options);
    let serve = server::each(move |stream| serve(stream, Arc::clone(&options)));
    Contender { package: "yawc", mode, offer, scope: Scope::Rust, serve }
}

async fn serve(stream: TcpStream, options: Arc<Options>) -> Result<()> {
    let service = service_fn(move |mut request: Request<Incoming>| {
        let upgraded = HttpWebSocket::upgrade_with_options(&mut request, Options::clone(&options));
        async move {
            let (response, upgrade) = upgraded?;
            tokio::task::spawn_local(async move {
                let _ = echo(upgrade).await;
            });
            Ok::<_, yawc::WebSocketError>(response)
        }
    });
    Ok(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await?)
}

async fn echo(upgrade: UpgradeFut) -> Result<()> {
    let mut socket = upgrade.await?;
    while let Some(frame) = socket.next().await {
        if frame.opcode() == OpCode::Text {
            socket.send(Frame::text(frame.into_payload())).await?;
        }
    }
    Ok(())
}
