//! tokio-websockets.

use converse_benches::echo;
use tokio::{net::TcpListener, task::unconstrained};

use crate::serve::{Serving, each};

/// Its example `echo_server`.
pub(crate) fn echo(listener: TcpListener) -> Serving {
    each(listener, |stream| {
        unconstrained(async {
            let (_, socket) = echo::tokio_websockets_builder().accept(stream).await?;
            echo::tokio_websockets(socket).await
        })
    })
}

/// One flush for all that is ready.
pub(crate) fn echo_batched(listener: TcpListener) -> Serving {
    each(listener, |stream| {
        unconstrained(async {
            let (_, socket) = echo::tokio_websockets_builder().accept(stream).await?;
            echo::tokio_websockets_batched(socket).await
        })
    })
}
