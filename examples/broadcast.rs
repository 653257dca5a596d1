//! Shows: a room whose guests speak different formats. Each message is encoded once per format, and a guest that does
//! not read is cut off while the others go on.
//! Run: `cargo run --example broadcast`
//! Next: `client`, to talk to a server by hand.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use converse::{
    CborConverter, Client, CloseCode, CloseReason, ContentConverter, ConvertError, JsonConverter, Message,
    MessagePackConverter, Overflow, Sender, Server, Session, SessionOptions,
};
use serde::{Deserialize, Serialize};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What everybody in the room hears.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Event {
    Joined { name: String },
    Said { name: String, text: String },
    Left { name: String },
}

/// Who is in the room, and how often an event was encoded for them.
#[derive(Default)]
struct Room {
    members: Vec<(String, Sender)>,
    encodings: usize,
}

impl Room {
    fn join(&mut self, name: &str, sender: Sender) -> Result<(), ConvertError> {
        self.members.push((name.into(), sender));
        self.publish(&Event::Joined { name: name.into() })
    }

    fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(member, _)| member == name)
    }

    /// Does nothing for somebody who was cut off before.
    fn leave(&mut self, name: &str) -> Result<(), ConvertError> {
        if !self.has(name) {
            return Ok(());
        }
        self.members.retain(|(member, _)| member != name);
        self.publish(&Event::Left { name: name.into() })
    }

    /// Sends an event to all, encoded once per format. Who cannot take it is out, and the others hear so.
    fn publish(&mut self, event: &Event) -> Result<(), ConvertError> {
        let mut messages: HashMap<String, Message> = HashMap::new();
        let mut out = Vec::new();
        for (name, sender) in &self.members {
            let converter = sender.converter();
            let message = match messages.get(converter.subprotocol()) {
                Some(message) => message.clone(),
                None => {
                    let message = converter.encode_message(event)?;
                    self.encodings += 1;
                    messages.insert(converter.subprotocol().into(), message.clone());
                    message
                }
            };
            if sender.try_send(message).is_err() {
                out.push(name.clone());
            }
        }
        out.iter().try_for_each(|name| self.leave(name))
    }
}

/// The room is never locked across an await, because sending to it does not wait.
type SharedRoom = Arc<Mutex<Room>>;

fn lock(room: &SharedRoom) -> MutexGuard<'_, Room> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The server's side of every conversation.
async fn visit(mut session: Session, room: SharedRoom) -> Result<(), BoxError> {
    let name = session.request().param("name").unwrap_or("somebody").to_owned();
    lock(&room).join(&name, session.sender())?;
    let visit = listen(&mut session, &name, &room).await;
    lock(&room).leave(&name)?;
    visit
}

async fn listen(session: &mut Session, name: &str, room: &SharedRoom) -> Result<(), BoxError> {
    while let Some(text) = session.receive_deserialized().await? {
        lock(room).publish(&Event::Said { name: name.into(), text })?;
    }
    Ok(())
}

/// A client of the room.
struct Guest {
    name: &'static str,
    session: Session,
}

impl Guest {
    async fn join<C>(host: &str, name: &'static str, converter: C) -> Result<Self, BoxError>
    where
        C: ContentConverter,
    {
        let url = format!("ws://{host}/{}/{name}", converter.subprotocol());
        let options = SessionOptions::default().content_converter(converter);
        Ok(Self { name, session: Client::new(options).connect(&url).await? })
    }

    async fn say(&self, text: &str) -> Result<(), BoxError> {
        Ok(self.session.send_serialized(text).await?)
    }
}

/// Waits until every guest has heard exactly this event.
async fn all_hear(guests: &mut [Guest], wanted: Event) -> Result<(), BoxError> {
    for Guest { name, session } in guests {
        match session.receive_deserialized::<Event>().await? {
            Some(event) if event == wanted => {}
            other => return Err(format!("{name} heard {other:?} in place of {wanted:?}").into()),
        }
    }
    Ok(())
}

fn names(guests: &[Guest]) -> String {
    guests.iter().map(|guest| guest.name).collect::<Vec<_>>().join(", ")
}

fn joined(name: &str) -> Event {
    Event::Joined { name: name.into() }
}

fn said(name: &str, text: &str) -> Event {
    Event::Said { name: name.into(), text: text.into() }
}

fn left(name: &str) -> Event {
    Event::Left { name: name.into() }
}

/// What happens in the room, one thing after the other.
async fn evening(host: &str, room: &SharedRoom) -> Result<Vec<Guest>, BoxError> {
    let mut guests = vec![Guest::join(host, "Ada", JsonConverter::default()).await?];
    all_hear(&mut guests, joined("Ada")).await?;
    guests.push(Guest::join(host, "Bob", MessagePackConverter::default()).await?);
    all_hear(&mut guests, joined("Bob")).await?;
    guests.push(Guest::join(host, "Eve", CborConverter::default()).await?);
    all_hear(&mut guests, joined("Eve")).await?;
    guests.push(Guest::join(host, "Kim", JsonConverter::default()).await?);
    all_hear(&mut guests, joined("Kim")).await?;
    println!("{} come; they speak JSON, MessagePack, CBOR and JSON.", names(&guests));

    let before = lock(room).encodings;
    guests[1].say("Do you all hear me?").await?;
    all_hear(&mut guests, said("Bob", "Do you all hear me?")).await?;
    let encodings = lock(room).encodings - before;
    println!("Bob: Do you all hear me? ({} do, of {encodings} encodings)", names(&guests));
    if encodings != 3 {
        return Err("an event is encoded once for each of three formats".into());
    }

    let bob = guests.remove(1);
    let closed = bob.session.close(CloseReason::new(CloseCode::NORMAL, "good night")).await;
    all_hear(&mut guests, left("Bob")).await?;
    println!("Bob leaves ({closed}).");

    let mut sid = Guest::join(host, "Sid", JsonConverter::default()).await?;
    all_hear(&mut guests, joined("Sid")).await?;
    println!("Sid comes and does not listen. Ada shows pictures.");
    let picture = "▒".repeat(20_000);
    while lock(room).has("Sid") {
        guests[0].say(&picture).await?;
        all_hear(&mut guests, said("Ada", &picture)).await?;
    }
    all_hear(&mut guests, left("Sid")).await?;
    println!("Sid is out: too much was waiting for him.");

    // What was on its way reaches him still, and behind it the reason.
    let error = loop {
        match sid.session.receive().await {
            Ok(Some(_)) => {}
            Ok(None) => return Err("Sid was not told why he is out".into()),
            Err(error) => break error,
        }
    };
    let reason = sid.session.closed().await.received.clone();
    if reason.map(|reason| reason.code()) != Some(CloseCode::TRY_AGAIN_LATER) {
        return Err(format!("Sid was told {error} in place of 1013").into());
    }
    println!("Sid wakes up and reads: {error}.");

    guests.push(Guest::join(host, "Zoe", MessagePackConverter::default()).await?);
    all_hear(&mut guests, joined("Zoe")).await?;
    guests[3].say("Did I miss anything?").await?;
    all_hear(&mut guests, said("Zoe", "Did I miss anything?")).await?;
    println!("Zoe: Did I miss anything? ({} hear it)", names(&guests));
    Ok(guests)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let room = SharedRoom::default();
    // Of what is said nothing may be missing, so whoever lets 256 KiB wait on the server is closed with 1013, and may come
    // again. Prices or positions, of which only the newest counts, are for `Overflow::Conflate` and `send_keyed`; for one
    // that talks to one it is the default, `Overflow::Wait`. `Overflow` says it of each.
    let options = SessionOptions::default().send_queue(64 * 1024, 256 * 1024).overflow(Overflow::Close);
    let visit = {
        let room = Arc::clone(&room);
        move |session| visit(session, Arc::clone(&room))
    };
    let server = Server::new(options.clone())
        .route_with(
            "/json/{name}",
            options.clone().content_converter(JsonConverter::default()),
            visit.clone(),
        )
        .route_with(
            "/msgpack/{name}",
            options.clone().content_converter(MessagePackConverter::default()),
            visit.clone(),
        )
        .route_with("/cbor/{name}", options.content_converter(CborConverter::default()), visit)
        .bind("127.0.0.1:0")
        .await?;
    let (host, handle) = (server.local_addr().to_string(), server.handle());
    let serving = tokio::spawn(server.serve());

    let mut guests = tokio::time::timeout(Duration::from_secs(30), evening(&host, &room)).await??;

    handle.stop();
    for Guest { name, session } in &mut guests {
        // Some hear others leave before it is their turn.
        while let Some(event) = session.receive_deserialized::<Event>().await? {
            if !matches!(event, Event::Left { .. }) {
                return Err(format!("{name} heard {event:?} in place of the end").into());
            }
        }
        println!("{name}: {}", session.closed().await);
    }
    serving.await?;
    Ok(())
}
