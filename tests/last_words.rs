//! What was accepted leaves though nobody waits for it: a program says one thing and ends, with its runtime.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used)]

#[path = "support/authority.rs"]
mod authority;

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use converse::{Client, CloseCause, Server, Session, SessionOptions};
use tokio::runtime::{Builder, Runtime};

/// What a server hears of a client: how many messages, and how it ended.
type Heard = (usize, CloseCause, Option<u16>);

/// A server on a runtime of its own, and its address.
fn server(trust: Option<&authority::Trust>) -> (Runtime, u16, mpsc::Receiver<Heard>) {
    let (heard, hears) = mpsc::channel();
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let handler = move |mut session: Session| {
        let heard = heard.clone();
        async move {
            let mut messages = 0;
            while let Ok(Some(_)) = session.receive().await {
                messages += 1;
            }
            let closed = session.closed().await;
            let code = closed.received.as_ref().map(|reason| reason.code().get());
            heard.send((messages, closed.cause, code)).unwrap();
            Ok::<(), converse::Error>(())
        }
    };
    let mut server = Server::new(SessionOptions::default()).route("/", handler);
    if let Some(trust) = trust {
        server = server.tls(Arc::clone(&trust.server));
    }
    let port = runtime.block_on(async {
        let server = server.bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().port();
        tokio::spawn(server.serve());
        port
    });
    (runtime, port, hears)
}

fn runtimes() -> [Builder; 2] {
    let mut multi = Builder::new_multi_thread();
    multi.worker_threads(2);
    [Builder::new_current_thread(), multi]
}

/// Runs a program that connects, says something and ends; returns what the server has heard of it.
fn heard_of<F: Future>(secure: bool, program: impl Fn(Session) -> F) -> Vec<Heard> {
    let trust = secure.then(|| authority::trust(&["localhost"]));
    let (_server, port, hears) = server(trust.as_ref());
    let heard = runtimes().into_iter().map(|mut runtime| {
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async {
            let client = Client::new(SessionOptions::default());
            let client = match &trust {
                Some(trust) => client.tls(Arc::clone(&trust.client)),
                None => client,
            };
            let scheme = if secure { "wss" } else { "ws" };
            let session = client.connect(&format!("{scheme}://localhost:{port}/")).await.unwrap();
            program(session).await;
        });
        drop(runtime);
        hears.recv_timeout(Duration::from_secs(10)).unwrap()
    });
    heard.collect()
}

#[test]
fn a_message_that_was_accepted_leaves_with_the_close_when_the_runtime_ends() {
    for secure in [false, true] {
        let heard = heard_of(secure, |session| async move {
            session.send("the job is done").await.unwrap();
        });
        let said = (1, CloseCause::Handshake, Some(1000));
        assert_eq!(heard, [said, said], "TLS {secure}");
    }
}

#[test]
fn many_messages_leave_as_far_as_the_socket_takes_them() {
    for secure in [false, true] {
        let heard = heard_of(secure, |session| async move {
            for n in 0..100 {
                session.send(format!("line {n}")).await.unwrap();
            }
        });
        let said = (100, CloseCause::Handshake, Some(1000));
        assert_eq!(heard, [said, said], "TLS {secure}");
    }
}

#[test]
fn a_session_that_is_kept_beyond_its_runtime_has_sent_what_it_accepted() {
    let kept = std::sync::Mutex::new(Vec::new());
    let heard = heard_of(false, |session| {
        let kept = &kept;
        async move {
            session.send("the job goes on").await.unwrap();
            kept.lock().unwrap().push(session);
        }
    });
    // Nobody has said that it is over.
    let said = (1, CloseCause::Eof, None);
    assert_eq!(heard, [said, said]);
}

/// More than the system may hold unsent while a connection lives, and less than it holds when told to.
#[test]
fn what_the_system_was_not_given_yet_leaves_too() {
    for secure in [false, true] {
        for _ in 0..5 {
            let heard = heard_of(secure, |session| async move {
                session.send("first").await.unwrap();
                for len in [300_000, 300_000, 40_000] {
                    session.send(vec![7; len]).await.unwrap();
                }
                session.send("last").await.unwrap();
            });
            let said = (5, CloseCause::Handshake, Some(1000));
            assert_eq!(heard, [said, said], "TLS {secure}");
        }
    }
}
