//! tokio-tungstenite.

use std::pin::pin;

use converse_benches::echo;
use futures_util::{
    SinkExt, StreamExt, TryStreamExt,
    future::{self, select},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_tungstenite::{
    accept_async,
    tungstenite::{self, Message},
};

use crate::serve::{ROOM, Serving, each};

/// Its example `echo-server`.
pub(crate) fn echo(listener: TcpListener) -> Serving {
    each(listener, |stream| async { echo::tungstenite(accept_async(stream).await?).await })
}

/// One flush for all that is ready.
pub(crate) fn echo_batched(listener: TcpListener) -> Serving {
    each(listener, |stream| async { echo::tungstenite_batched(accept_async(stream).await?).await })
}

/// Its example `server`, over tokio's channel and to all.
pub(crate) fn broadcast(listener: TcpListener) -> Serving {
    let (room, _) = broadcast::channel::<Message>(ROOM);
    each(listener, move |stream: TcpStream| {
        let (say, mut hear) = (room.clone(), room.subscribe());
        async move {
            let (mut write, read) = accept_async(stream).await?.split();
            let saying = read.try_for_each(|message| {
                if message.is_text() || message.is_binary() {
                    // The room is never empty: who says it hears it.
                    let _ = say.send(message);
                }
                future::ok(())
            });
            let hearing = async {
                while let Ok(message) = hear.recv().await {
                    write.send(message).await?;
                }
                Ok::<_, tungstenite::Error>(())
            };
            Ok(select(pin!(saying), pin!(hearing)).await.factor_first().0?)
        }
    })
}
