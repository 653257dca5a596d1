//! An echo server with every configuration of permessage-deflate, each at a path of its own:
//! `/snct=1/cnct=0/swb=10/cwb=-/compact/125`, which ends in the size of fragments. The text `?` is answered,
//! uncompressed, with what was agreed and counted.
//! Run by `tests/interop/run`.

mod deflate_config;

use std::io::Write;

use converse::{OriginPolicy, Server, Session, SessionOptions};
use deflate_config::{Config, FRAGMENT_SIZES, Memory, REPORT_PLEASE, report};

async fn echo(mut session: Session) -> converse::Result<()> {
    while let Some(message) = session.receive().await? {
        match message.as_text() {
            // Uncompressed, so that it is in no count and in no window.
            Some(REPORT_PLEASE) => {
                let report = report(&session).unwrap_or_default().to_string();
                session.sender().uncompressed().send(report).await?;
            }
            _ => session.send(message).await?,
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> converse::Result<()> {
    // The browser's page comes from another port.
    let mut server = Server::new(SessionOptions::default()).origin_policy(OriginPolicy::any());
    for memory in Memory::ALL {
        for config in Config::all() {
            for size in FRAGMENT_SIZES {
                let path = format!("{}/{}/{size}", config.path(), memory.name());
                server = server.route_with(&path, config.options(memory, size), echo);
            }
        }
    }
    let server = server.bind("127.0.0.1:0").await?;
    println!("listening on {}", server.local_addr());
    std::io::stdout().flush().ok();
    server.serve().await;
    Ok(())
}
