//! yawc behind hyper.

use converse_benches::{
    Result,
    echo::{self, yawc_options},
};
use tokio::{net::TcpListener, task::unconstrained};
use yawc::{CompressionLevel, HttpWebSocket, Options, UpgradeFut};

use crate::serve::{Serving, behind_hyper};

/// Its example `echo_server`, but with the check of text that others make too.
pub(crate) fn echo(listener: TcpListener) -> Serving {
    serve(listener, yawc_options, relay)
}

/// One flush for all that is ready.
pub(crate) fn echo_batched(listener: TcpListener) -> Serving {
    serve(listener, yawc_options, |upgrade| async { echo::yawc_batched(upgrade.await?).await })
}

/// With permessage-deflate, at the crate's own level.
pub(crate) fn deflate(listener: TcpListener) -> Serving {
    serve(listener, compressed, relay)
}

/// With permessage-deflate where each message stands alone.
pub(crate) fn deflate_alone(listener: TcpListener) -> Serving {
    serve(listener, || compressed().server_no_context_takeover().client_no_context_takeover(), relay)
}

fn compressed() -> Options {
    yawc_options().with_compression_level(CompressionLevel::new(1))
}

fn serve<F>(
    listener: TcpListener,
    options: fn() -> Options,
    relay: impl Fn(UpgradeFut) -> F + Copy + Send + 'static,
) -> Serving
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    behind_hyper(listener, move |mut request| {
        let (response, upgrade) = HttpWebSocket::upgrade_with_options(&mut request, options())?;
        tokio::spawn(unconstrained(relay(upgrade)));
        Ok(response)
    })
}

async fn relay(upgrade: UpgradeFut) -> Result<()> {
    echo::yawc(upgrade.await?).await
}
