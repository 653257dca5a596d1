//! Shows: the same typed conversation in JSON, MessagePack and CBOR, with what it costs in bytes and time.
//! Run: `cargo run --example typed_echo`
//! Next: `broadcast`, where many clients share a room.

use std::time::{Duration, Instant};

use converse::{
    CborConverter, Client, CloseReason, ContentConverter, JsonConverter, MessagePackConverter, Server,
    Session, SessionOptions,
};
use serde::{Deserialize, Serialize};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chat {
    from: String,
    text: String,
    likes: u32,
    mood: Option<Mood>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Mood {
    Happy,
    Curious { about: String },
}

/// The server's side of every conversation.
async fn echo(mut session: Session) -> converse::Result<()> {
    while let Some(chat) = session.receive_deserialized::<Chat>().await? {
        session.send_serialized(&chat).await?;
    }
    Ok(())
}

/// The client's side: says everything, and returns the bytes and the time of each echo.
async fn talk(session: &mut Session, chats: &[Chat]) -> Result<Vec<(usize, Duration)>, BoxError> {
    let mut costs = Vec::new();
    for chat in chats {
        let began = Instant::now();
        session.send_serialized(chat).await?;
        let reply = session.receive_deserialized::<Chat>().await?.ok_or("the server hung up")?;
        let time = began.elapsed();
        if reply != *chat {
            return Err(format!("said {chat:?}, heard {reply:?}").into());
        }
        let mut payload = Vec::new();
        session.converter().encode(&reply, &mut payload)?;
        costs.push((payload.len(), time));
    }
    Ok(costs)
}

fn print_table(chats: &[Chat], talks: &[(&str, Vec<(usize, Duration)>)]) {
    let cell = |&(bytes, time): &(usize, Duration)| format!("{bytes:>6} B {:>5} µs", time.as_micros());
    let sum = |costs: &[(usize, Duration)]| {
        costs.iter().fold((0, Duration::ZERO), |all, cost| (all.0 + cost.0, all.1 + cost.1))
    };
    let formats: String = talks.iter().map(|(format, _)| format!("{format:>17}")).collect();
    println!("{:<40}{formats}", "");
    for (row, chat) in chats.iter().enumerate() {
        let cells: String = talks.iter().map(|(_, costs)| cell(&costs[row])).collect();
        println!("{:<40}{cells}", format!("{}: {}", chat.from, chat.text));
    }
    let sums: String = talks.iter().map(|(_, costs)| cell(&sum(costs))).collect();
    println!("{:<40}{sums}", "Together");
}

fn chats() -> Vec<Chat> {
    let chat =
        |from: &str, text: &str, likes, mood| Chat { from: from.into(), text: text.into(), likes, mood };
    vec![
        chat("Ada", "Is anybody there?", 0, None),
        chat("Grace", "Yes, and I hear values.", 3, Some(Mood::Happy)),
        chat("Ada", "Then how many bytes am I?", 128, Some(Mood::Curious { about: "bytes".into() })),
        chat("Grace", "Très bien! And in binary?", 70_000, Some(Mood::Happy)),
    ]
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // A route may have options of its own; here they differ in the converter, which both ends share.
    let formats = [
        ("JSON", "/json", SessionOptions::default().content_converter(JsonConverter::default())),
        (
            "MessagePack",
            "/msgpack",
            SessionOptions::default().content_converter(MessagePackConverter::default()),
        ),
        ("CBOR", "/cbor", SessionOptions::default().content_converter(CborConverter::default())),
    ];
    let mut server = Server::new(SessionOptions::default());
    for (_, path, options) in &formats {
        server = server.route_with(path, options.clone(), echo);
    }
    let server = server.bind("127.0.0.1:0").await?;
    let (address, handle) = (server.local_addr(), server.handle());
    let serving = tokio::spawn(server.serve());

    println!("{address} echoes the same conversation in three formats:\n");
    let chats = chats();
    let mut talks = Vec::new();
    for (format, path, options) in formats {
        let mut session = Client::new(options).connect(&format!("ws://{address}{path}")).await?;
        talks.push((format, talk(&mut session, &chats).await?));
        session.close(CloseReason::NORMAL).await;
    }
    print_table(&chats, &talks);
    println!(
        "\nB: payload bytes, each way; a frame adds 2, and 4 more from client to server. µs: round trip."
    );

    handle.stop();
    Ok(serving.await?)
}
