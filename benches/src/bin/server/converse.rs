//! The crate itself, as its README and its examples have it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use converse::{
    ContentConverter, MemoryMode, Message, Overflow, PerMessageDeflate, Sender, Server, Session,
    SessionOptions,
};
use converse_benches::{
    Result, echo,
    typed::{Chat, Room},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::TcpListener, sync::mpsc};

use crate::serve::Serving;

/// Each message is received and sent.
pub(crate) fn echo(listener: TcpListener) -> Serving {
    serve(listener, Server::new(SessionOptions::default()).route("/", echo::converse))
}

/// The same, with messages compressed.
pub(crate) fn deflate(listener: TcpListener, memory: MemoryMode) -> Serving {
    // Others compress what is short too.
    let deflate = PerMessageDeflate::default().memory(memory).threshold(0);
    let options = SessionOptions::default().extension(deflate);
    serve(listener, Server::new(options).route("/", echo::converse))
}

/// Each message goes through a channel to another task, which sends it.
pub(crate) fn sender(listener: TcpListener) -> Serving {
    serve(listener, Server::new(SessionOptions::default()).route("/", relay_through_sender))
}

/// Each value is received and sent.
pub(crate) fn typed(listener: TcpListener, converter: impl ContentConverter) -> Serving {
    let options = SessionOptions::default().content_converter(converter);
    let server = Server::new(options).route("/small", relay_typed::<Chat>);
    serve(listener, server.route("/large", relay_typed::<Room>))
}

/// The example `broadcast`, without its formats.
pub(crate) fn broadcast(listener: TcpListener) -> Serving {
    let options = SessionOptions::default().send_queue(64 * 1024, 256 * 1024).overflow(Overflow::Close);
    let members = Members::default();
    serve(listener, Server::new(options).route("/", move |session| visit(session, Arc::clone(&members))))
}

fn serve(listener: TcpListener, server: Server) -> Serving {
    Box::pin(async move { server.listen(listener).expect("its routes are right").serve().await })
}

async fn relay_through_sender(mut session: Session) -> Result<()> {
    let (queue, mut queued) = mpsc::channel::<Message>(64);
    let sender = session.sender();
    let sending = tokio::spawn(async move {
        while let Some(message) = queued.recv().await {
            sender.send(message).await?;
        }
        Result::Ok(())
    });
    while let Some(message) = session.receive().await? {
        queue.send(message).await?;
    }
    drop(queue);
    sending.await?
}

async fn relay_typed<T>(mut session: Session) -> converse::Result<()>
where
    T: Serialize + DeserializeOwned + Send + Sync,
{
    while let Some(value) = session.receive_deserialized::<T>().await? {
        session.send_serialized(&value).await?;
    }
    Ok(())
}

type Members = Arc<Mutex<Vec<(u64, Sender)>>>;

async fn visit(mut session: Session, members: Members) -> converse::Result<()> {
    let name = {
        let mut members = lock(&members);
        let name = members.last().map_or(0, |(last, _)| last + 1);
        members.push((name, session.sender()));
        name
    };
    let talk = talk(&mut session, &members).await;
    lock(&members).retain(|(member, _)| *member != name);
    talk
}

async fn talk(session: &mut Session, members: &Members) -> converse::Result<()> {
    while let Some(message) = session.receive().await? {
        lock(members).retain(|(_, member)| member.try_send(message.clone()).is_ok());
    }
    Ok(())
}

fn lock(members: &Members) -> MutexGuard<'_, Vec<(u64, Sender)>> {
    members.lock().unwrap_or_else(PoisonError::into_inner)
}
