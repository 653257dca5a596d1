//! Shows: what a conversation is made of: fragments, a ping between them, and the closing handshake, all by hand.
//! Run: `cargo run --example raw_frames`
//! Next: `custom_extension`, which changes frames on their way.

use std::fmt;

use bytes::{Bytes, BytesMut};
use converse::{Client, CloseCode, CloseReason, Frame, OpCode, RawSession, Server, SessionOptions};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Does by hand what a session does by itself: joins fragments, answers pings, answers the Close frame.
async fn echo(mut session: RawSession) -> converse::Result<()> {
    let mut joined = BytesMut::new();
    let mut kind = OpCode::Text;
    while let Some(frame) = session.receive().await? {
        match frame.opcode {
            OpCode::Ping => session.send(Frame { opcode: OpCode::Pong, ..frame }).await?,
            OpCode::Pong => {}
            // The payload is sent back as it is: the same code and text.
            OpCode::Close => session.send(frame).await?,
            OpCode::Text | OpCode::Binary | OpCode::Continuation => {
                if frame.opcode != OpCode::Continuation {
                    kind = frame.opcode;
                }
                // The limits hold for frames here; that of the message is the application's as well.
                if joined.len() + frame.payload.len() > 1024 {
                    session.close(CloseCode::MESSAGE_TOO_BIG).await;
                    return Ok(());
                }
                joined.extend_from_slice(&frame.payload);
                if frame.fin {
                    session.send(Frame { opcode: kind, payload: joined.split().freeze(), ..frame }).await?;
                }
            }
        }
    }
    Ok(())
}

/// A frame as one line.
struct Line<'a>(&'a Frame);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Frame { fin, opcode, payload, .. } = self.0;
        write!(
            f,
            "{:<12} {:<9} {:?}",
            format!("{opcode:?}"),
            if *fin { "fin" } else { "more to come" },
            payload
        )
    }
}

async fn say(session: &RawSession, frame: Frame) -> Result<(), BoxError> {
    println!("→ {}", Line(&frame));
    Ok(session.send(frame).await?)
}

async fn hear(session: &mut RawSession, wanted: Frame) -> Result<(), BoxError> {
    let frame = session.receive().await?.ok_or("the server hung up")?;
    println!("← {}", Line(&frame));
    if frame == wanted { Ok(()) } else { Err(format!("wanted {}", Line(&wanted)).into()) }
}

/// The client's side: one message in three fragments, which cut a character in two, and a ping between them.
async fn talk(session: &mut RawSession) -> Result<(), BoxError> {
    let ping = Frame::ping("still there?").ok_or("a ping has 125 bytes at most")?;
    let pong = Frame { opcode: OpCode::Pong, ..ping.clone() };
    say(session, Frame::text("Hello, W").unfinished()).await?;
    say(session, ping).await?;
    say(session, Frame::continuation(Bytes::from_static(b"\xc3"), false)).await?;
    say(session, Frame::continuation(Bytes::from_static(b"\xb6rld!"), true)).await?;
    hear(session, pong).await?;
    hear(session, Frame::text("Hello, Wörld!")).await?;

    // What breaks the framing rules does not leave: nothing is open that this could continue.
    match session.send(Frame::continuation("more", true)).await {
        Ok(()) => return Err("a stray continuation was sent".into()),
        Err(error) => println!("✗ {}: {error}", Line(error.frame())),
    }

    let bye = Frame::close(&CloseReason::new(CloseCode::NORMAL, "bye"));
    say(session, bye.clone()).await?;
    hear(session, bye).await?;
    println!("{}", session.closed().await);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let server = Server::new(SessionOptions::default()).route_raw("/", echo).bind("127.0.0.1:0").await?;
    let (address, handle) = (server.local_addr(), server.handle());
    let serving = tokio::spawn(server.serve());

    let client = Client::new(SessionOptions::default());
    talk(&mut client.connect_raw(&format!("ws://{address}/")).await?).await?;

    handle.stop();
    Ok(serving.await?)
}
