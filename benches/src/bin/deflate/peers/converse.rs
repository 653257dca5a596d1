//! The crate itself.

use std::sync::Arc;

use converse::{MemoryMode, PerMessageDeflate, Server, Session, SessionOptions};
use converse_benches::heap::Scope;

use super::{Contender, OFFER, OFFER_ALONE};

/// Every memory mode, with its name.
pub fn modes() -> Vec<(String, MemoryMode)> {
    let compact = [512, 1024, 2048, 4096]
        .map(|history| (format!("Compact {history}"), MemoryMode::Compact { history }));
    let mut modes = vec![("Dedicated".to_owned(), MemoryMode::Dedicated)];
    modes.extend(compact);
    modes.push(("NoTakeover".to_owned(), MemoryMode::NoTakeover));
    modes
}

pub(super) fn all() -> Vec<Contender> {
    let mut all = vec![contender("no compression".into(), None, SessionOptions::default())];
    for level in [1, 6] {
        for (name, mode) in modes() {
            // The others compress what is short too.
            let deflate = PerMessageDeflate::new().memory(mode).level(level).threshold(0);
            let options = SessionOptions::default().extension(deflate);
            let offer = if mode == MemoryMode::NoTakeover { OFFER_ALONE } else { OFFER };
            all.push(contender(format!("{name}, level {level}"), Some(offer), options));
        }
    }
    all
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
