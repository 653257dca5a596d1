//! axum.

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    routing::any,
    serve::ListenerExt,
};
use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpListener, sync::broadcast};

use crate::serve::{ROOM, Serving};

/// The example of its module `extract::ws`.
pub(crate) fn echo(listener: TcpListener) -> Serving {
    let upgrade = |upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(relay) };
    serve(listener, Router::new().route("/", any(upgrade)))
}

/// Its example `chat`.
pub(crate) fn broadcast(listener: TcpListener) -> Serving {
    let (room, _) = broadcast::channel::<Message>(ROOM);
    let upgrade = |upgrade: WebSocketUpgrade, State(room): State<broadcast::Sender<Message>>| async {
        upgrade.on_upgrade(|socket| visit(socket, room))
    };
    serve(listener, Router::new().route("/", any(upgrade)).with_state(room))
}

fn serve(listener: TcpListener, router: Router) -> Serving {
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("it is connected"));
    Box::pin(async { axum::serve(listener, router).await.expect("it never ends") })
}

async fn relay(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn visit(socket: WebSocket, room: broadcast::Sender<Message>) {
    let (mut write, mut read) = socket.split();
    let mut hear = room.subscribe();
    let mut hearing = tokio::spawn(async move {
        while let Ok(message) = hear.recv().await {
            if write.send(message).await.is_err() {
                break;
            }
        }
    });
    let mut saying = tokio::spawn(async move {
        while let Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) = read.next().await {
            // The room is never empty: who says it hears it.
            let _ = room.send(message);
        }
    });
    tokio::select! {
        _ = &mut hearing => saying.abort(),
        _ = &mut saying => hearing.abort(),
    }
}
