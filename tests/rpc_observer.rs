//! An observer hears of every call how it has ended, once.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/rpc.rs"]
mod support;

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use converse::rpc::{
    self, Code, Context, Emitter, Method, Middleware, Next, Options, Peer, Reply, Router, Side, Status,
};
use futures::FutureExt;
use support::{pair, settle};
use tokio::time::sleep;

/// What was heard, of both sides.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(Side, String, Code)>>>);

impl Heard {
    fn take(&self) -> Vec<(Side, String, Code)> {
        let mut heard = std::mem::take(&mut *self.0.lock().unwrap());
        heard.sort_by_key(|(side, method, code)| (*side == Side::Made, method.clone(), *code));
        heard
    }
}

#[async_trait::async_trait]
impl Middleware for Heard {
    async fn call(&self, cx: &mut Context, next: Next<'_>) -> Result<Reply, Status> {
        let (heard, side, method) = (Arc::clone(&self.0), cx.side(), cx.method().to_owned());
        next.observe(cx, move |code| heard.lock().unwrap().push((side, method, code))).await
    }
}

fn router(heard: &Heard) -> Router {
    Router::new()
        .options(Options::default().deadline(Some(Duration::from_secs(10))))
        .middleware(heard.clone())
        .call("fine", |_, (): ()| async { Ok::<_, Status>(1) })
        .call("fails", |_, (): ()| async { Err::<(), _>(Status::new(Code::NOT_FOUND, "")) })
        .call("hangs", |_, (): ()| pending::<Result<(), Status>>())
        .call("panics", |_, (): ()| async {
            settle().await;
            panic!("boom");
            #[allow(unreachable_code)]
            Ok::<_, Status>(())
        })
        .notification("told", |_, (): ()| pending::<()>())
        .method(Method::server_stream("ticks", |_, (): (), mut items: Emitter<u8>| async move {
            loop {
                items.send(&1).await?;
                sleep(Duration::from_secs(1)).await;
            }
        }))
}

/// Makes a call of each kind of end.
async fn each_end(peer: &Peer) {
    assert_eq!(peer.call::<_, i32>("fine", ()).await.unwrap(), 1);
    assert!(peer.call::<_, ()>("fails", ()).await.is_err());
    assert!(peer.call::<_, ()>("panics", ()).await.is_err());
    assert!(peer.call::<_, ()>("hangs", ()).deadline(Duration::from_millis(50)).await.is_err());
    {
        let mut given_up = Box::pin(peer.call::<_, ()>("hangs", ()).into_future());
        assert!((&mut given_up).now_or_never().is_none());
        settle().await;
    }
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn an_observer_hears_how_every_call_has_ended() {
    let (served, made) = (Heard::default(), Heard::default());
    for router in [router(&served), router(&served).spawned()] {
        let peer = rpc::duplex(router).with(made.clone());
        each_end(&peer).await;
        let ends = |side| {
            [
                ("fails", Code::NOT_FOUND),
                ("fine", Code::OK),
                ("hangs", Code::CANCELLED),
                ("hangs", Code::DEADLINE_EXCEEDED),
                ("panics", Code::INTERNAL),
            ]
            .map(|(method, code)| (side, method.to_owned(), code))
        };
        assert_eq!(served.take(), ends(Side::Served));
        assert_eq!(made.take(), ends(Side::Made));
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_hears_of_notifications_and_streams() {
    let heard = Heard::default();
    let peer = rpc::duplex(router(&heard));
    peer.notify("told", ()).await.unwrap();
    let mut ticks = peer.open::<_, u8>("ticks", ()).await.unwrap();
    assert_eq!(ticks.next().await.unwrap().unwrap(), 1);
    drop(ticks);
    sleep(Duration::from_secs(11)).await;
    let told = (Side::Served, "told".to_owned(), Code::DEADLINE_EXCEEDED);
    assert_eq!(heard.take(), [(Side::Served, "ticks".to_owned(), Code::CANCELLED), told]);
}

#[tokio::test(start_paused = true)]
async fn an_observer_hears_of_calls_whose_connection_ends() {
    let (served, made) = (Heard::default(), Heard::default());
    let (client, server) = pair(router(&served), Router::new());
    let calling = server.with(made.clone());
    let call = tokio::spawn(async move { calling.call::<_, ()>("hangs", ()).await });
    settle().await;
    drop(server);
    client.close(converse::CloseCode::NORMAL).await;
    assert!(call.await.unwrap().is_err());
    settle().await;
    assert_eq!(served.take(), [(Side::Served, "hangs".to_owned(), Code::UNAVAILABLE)]);
    assert_eq!(made.take(), [(Side::Made, "hangs".to_owned(), Code::UNAVAILABLE)]);
}
