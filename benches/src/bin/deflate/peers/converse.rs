//! The crate itself.

use std::sync::Arc;

use converse::{Server, Session, SessionOptions};
use converse_benches::heap::Scope;

use super::Contender;

pub(super) fn all() -> Vec<Contender> {
    vec![contender("no compression".into(), None, SessionOptions::default())]
}

fn contender(mode: String, offer: Option<&'static str>, options: SessionOptions) -> Contender {
    let serve = Arc::new(move |listener| {
        let server = Server::new(options.clone()).route("/", echo);
        Box::pin(async move { server.listen(listener).expect("it listens").serve().await }) as _
    });
    Contender { package: "converse", mode, offer, scope: Scope::Rust, serve }
}

async fn echo(mut session: Session) -> converse::Result<()> {
    while let Some(message) = session.receive().await? {
        session.send(message).await?;
    }
    Ok(())
}
