//! Shows: the smallest server: text and binary messages come back as they are, at every path.
//! Run: `cargo run --release --example echo_server -- --port 9001 --threads 1 --deflate`
//! Next: `typed_echo`, which sends values instead of messages.

use std::io::Write;

use converse::{PerMessageDeflate, Server, Session, SessionOptions};

async fn echo(mut session: Session) -> converse::Result<()> {
    while let Some(message) = session.receive().await? {
        session.send(message).await?;
    }
    Ok(())
}

async fn serve(port: u16, deflate: bool) -> converse::Result<()> {
    let mut options = SessionOptions::default().max_message_size(16 * 1024 * 1024);
    if deflate {
        options = options.extension(PerMessageDeflate::default());
    }
    let server =
        Server::new(options).route("/", echo).route("/{*path}", echo).bind(("127.0.0.1", port)).await?;
    println!("listening on {}", server.local_addr());
    std::io::stdout().flush().ok();
    server.serve().await;
    Ok(())
}

/// Returns the number behind `--name`, or `default` when it is not there.
fn argument(name: &str, default: u16) -> u16 {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    arguments.next().map_or(default, |value| {
        value.parse().unwrap_or_else(|_| {
            eprintln!("{name} takes a number from 0 to 65535, not {value:?}");
            std::process::exit(2)
        })
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (port, threads) = (argument("--port", 0), argument("--threads", 1));
    let deflate = std::env::args().any(|argument| argument == "--deflate");
    let runtime = match threads {
        0 | 1 => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        threads => {
            tokio::runtime::Builder::new_multi_thread().worker_threads(threads.into()).enable_all().build()?
        }
    };
    Ok(runtime.block_on(serve(port, deflate))?)
}
