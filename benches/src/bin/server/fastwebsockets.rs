//! fastwebsockets behind hyper, and typed conversations by hand upon it.

use converse_benches::{
    Result,
    batched::UntilWait,
    echo,
    typed::{Chat, Format, Room},
};
use fastwebsockets::{
    FragmentCollector, Frame, OpCode, Payload, Role, WebSocket,
    upgrade::{UpgradeFut, upgrade},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::TcpListener, task::unconstrained};

use crate::serve::{Serving, behind_hyper};

/// Its example `echo_server`.
pub(crate) fn echo(listener: TcpListener) -> Serving {
    behind_hyper(listener, |mut request| {
        let (response, upgrade) = upgrade(&mut request)?;
        tokio::spawn(unconstrained(async { echo::fastwebsockets(upgrade.await?).await }));
        Ok(response)
    })
}

/// One write for all that is ready. It has no way to buffer frames, so that the transport does it.
pub(crate) fn echo_batched(listener: TcpListener) -> Serving {
    behind_hyper(listener, |mut request| {
        let (response, upgrade) = upgrade(&mut request)?;
        tokio::spawn(unconstrained(async {
            let stream = UntilWait::new(upgrade.await?.into_inner());
            echo::fastwebsockets(WebSocket::after_handshake(stream, Role::Server)).await
        }));
        Ok(response)
    })
}

/// Each value is decoded, encoded again, and sent.
pub(crate) fn typed<F: Format + 'static>(listener: TcpListener) -> Serving {
    behind_hyper(listener, |mut request| {
        let (response, upgrade) = upgrade(&mut request)?;
        match request.uri().path() {
            "/large" => tokio::spawn(unconstrained(relay_typed::<F, Room>(upgrade))),
            _ => tokio::spawn(unconstrained(relay_typed::<F, Chat>(upgrade))),
        };
        Ok(response)
    })
}

async fn relay_typed<F: Format, T: Serialize + DeserializeOwned>(upgrade: UpgradeFut) -> Result<()> {
    let mut socket = FragmentCollector::new(upgrade.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => {
                let reply = Payload::Owned(F::encode(&F::decode::<T>(&frame.payload)?)?);
                socket.write_frame(if F::TEXT { Frame::text(reply) } else { Frame::binary(reply) }).await?;
            }
            _ => {}
        }
    }
}
