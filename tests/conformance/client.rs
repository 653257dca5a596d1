//! The client that a fuzzing server tests: asks it for its cases, and echoes in each.
//! Run by `tests/conformance/run`, with the server's URL as the only argument.

use converse::{PerMessageDeflate, Session, SessionOptions, connect_with};

fn options() -> SessionOptions {
    SessionOptions::default().max_message_size(16 * 1024 * 1024).extension(PerMessageDeflate::default())
}

async fn echo(mut session: Session) -> converse::Result<()> {
    while let Some(message) = session.receive().await? {
        session.send(message).await?;
    }
    Ok(())
}

async fn case_count(mut session: Session) -> converse::Result<u32> {
    let message = session.receive().await?;
    Ok(message.and_then(|message| message.as_text()?.parse().ok()).unwrap_or(0))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> converse::Result<()> {
    let Some(server) = std::env::args().nth(1) else {
        eprintln!("usage: conformance_client ws://HOST:PORT");
        std::process::exit(2);
    };
    let count = connect_with(&format!("{server}/getCaseCount"), options(), case_count).await?;
    for case in 1..=count {
        let url = format!("{server}/runCase?case={case}&agent=converse");
        // Most cases break the protocol on purpose: what counts is the server's verdict.
        let _ = connect_with(&url, options(), echo).await;
    }
    let _ = connect_with(&format!("{server}/updateReports?agent=converse"), options(), echo).await;
    Ok(())
}
