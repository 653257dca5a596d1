//! What holds beside a handler, whatever it does: messages leave, pings are answered, the end comes. Knows no
//! queue bound.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::{
    convert::Infallible,
    future::{Future, pending},
    sync::Arc,
    time::Duration,
};

use converse::{
    CloseCause, CloseCode, CloseReason, Closed, Message, Session, SessionOptions,
    frame::Role,
    session::{Outcome, SendErrorKind, SessionError},
};
use support::{PING, PONG, Peer, TEXT, settle, with_peer};
use tokio::{io::duplex, sync::oneshot, task::JoinHandle, time::Instant};

const HOUR: Duration = Duration::from_secs(3600);

fn quiet() -> SessionOptions {
    SessionOptions::default().ping_interval(None)
}

fn handled<H, F, E>(handler: H) -> (JoinHandle<(Outcome, Arc<Closed>)>, Peer)
where
    H: FnOnce(Session) -> F + Send + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<converse::session::BoxError> + Send + 'static,
{
    let (here, there) = duplex(1024);
    let run = async move { Session::run_over(here, Role::Server, &quiet(), handler).await };
    (tokio::spawn(run), Peer::client(there))
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_arrives_while_the_handler_sleeps() {
    let began = Instant::now();
    let (run, mut peer) = handled(|session| async move {
        session.send("good night").await.unwrap();
        session.sender().try_send("sleep well").unwrap();
        tokio::time::sleep(HOUR).await;
        session.send("good morning").await.unwrap();
        Ok::<_, Infallible>(())
    });
    assert_eq!(peer.text().await, (TEXT, "good night".to_owned()));
    assert_eq!(peer.text().await, (TEXT, "sleep well".to_owned()));
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(peer.text().await, (TEXT, "good morning".to_owned()));
    assert_eq!(began.elapsed(), HOUR);
    assert_eq!(peer.farewell().await, 1000);
    assert!(matches!(run.await.unwrap().0, Outcome::Finished));
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_beside_a_handler_that_never_receives() {
    let began = Instant::now();
    let (_run, mut peer) = handled(|session| async move {
        let _kept = session;
        pending::<Result<(), Infallible>>().await
    });
    for payload in ["", "one", "two"] {
        peer.send(TEXT, "nobody takes this").await;
        peer.send(PING, payload).await;
        assert_eq!(peer.text().await, (PONG, payload.to_owned()));
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_peers_close_completes_beside_a_handler_that_never_receives() {
    let (told, tells) = oneshot::channel();
    let (run, mut peer) = handled(|session| async move {
        let sender = session.sender();
        let (first, second) = tokio::join!(session.closed(), sender.closed());
        let third = session.close(CloseReason::NORMAL).await;
        told.send([first, second, third]).unwrap();
        Ok::<_, Infallible>(())
    });
    peer.send(TEXT, "nobody takes this").await;
    peer.close(4321, "bye").await;
    assert_eq!(peer.closing().await, (4321, "bye".to_owned()));
    drop(peer);
    let reason = Some(CloseReason::new(CloseCode::new(4321).unwrap(), "bye"));
    let [first, second, third] = tells.await.unwrap();
    assert_eq!((&first.sent, &first.received, first.cause), (&reason, &reason, CloseCause::Handshake));
    assert!(Arc::ptr_eq(&first, &second) && Arc::ptr_eq(&first, &third));
    let (outcome, last) = run.await.unwrap();
    assert!(matches!(outcome, Outcome::Finished) && Arc::ptr_eq(&first, &last));
}

#[tokio::test(start_paused = true)]
async fn a_handlers_end_tells_the_peer_its_code() {
    let (run, mut peer) = handled(|_session| async { Ok::<_, Infallible>(()) });
    assert_eq!(peer.farewell().await, 1000);
    assert!(matches!(run.await.unwrap().0, Outcome::Finished));

    let (run, mut peer) = handled(|session| async move {
        session.send("the last word").await?;
        Err(std::io::Error::other("password=hunter2").into())
            as Result<(), Box<dyn std::error::Error + Send + Sync>>
    });
    assert_eq!(peer.text().await, (TEXT, "the last word".to_owned()));
    assert_eq!(peer.closing().await, (1011, "internal error".to_owned()));
    drop(peer);
    match run.await.unwrap() {
        (Outcome::Failed(error), _) => assert_eq!(error.to_string(), "password=hunter2"),
        (outcome, _) => panic!("{outcome:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_1011_and_stays_in_its_conversation() {
    let (bystander, mut other) = with_peer(64, &quiet());
    let (run, mut peer) = handled(|session| async move {
        session.send("before the panic").await.unwrap();
        let sum: Vec<u8> = Vec::new();
        tokio::task::yield_now().await;
        assert!(!sum.is_empty(), "secret of the application");
        Ok::<_, Infallible>(())
    });
    assert_eq!(peer.text().await, (TEXT, "before the panic".to_owned()));
    assert_eq!(peer.closing().await, (1011, "internal error".to_owned()));
    drop(peer);
    let (outcome, closed) = run.await.unwrap();
    assert!(matches!(outcome, Outcome::Panicked(_)));
    assert_eq!(closed.sent.as_ref().unwrap().code(), CloseCode::INTERNAL_ERROR);
    bystander.send("unharmed").await.unwrap();
    assert_eq!(other.text().await, (TEXT, "unharmed".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_panics_elsewhere_is_1011_as_well() {
    let (session, mut peer) = with_peer(64, &quiet());
    let owner = tokio::spawn(async move {
        let _session = session;
        panic!("secret of the application");
    });
    assert_eq!(peer.closing().await, (1011, "internal error".to_owned()));
    assert!(owner.await.unwrap_err().is_panic());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_session_is_1000_behind_what_was_sent() {
    let (session, mut peer) = with_peer(16, &quiet());
    for index in 0..20 {
        session.send(format!("message {index}")).await.unwrap();
    }
    drop(session);
    for index in 0..20 {
        assert_eq!(peer.text().await, (TEXT, format!("message {index}")));
    }
    assert_eq!(peer.farewell().await, 1000);
}

#[tokio::test(start_paused = true)]
async fn a_sender_learns_of_the_end_and_keeps_nothing_open() {
    let (session, mut peer) = with_peer(256, &quiet());
    let sender = session.sender();
    drop(session);
    assert_eq!(peer.farewell().await, 1000);
    let refused = sender.send("too late").await.unwrap_err();
    assert_eq!(*refused.kind(), SendErrorKind::Closed);
    assert_eq!(refused.into_message(), Message::text("too late"));
    assert!(matches!(sender.try_send_serialized(&1), Err(SessionError::Send(_))));
    assert!(matches!(sender.ping().await, Err(SessionError::Closed(_))));
    assert_eq!(sender.close(CloseReason::EMPTY).await.sent, Some(CloseReason::NORMAL));
}

#[tokio::test(start_paused = true)]
async fn senders_that_wait_learn_at_once_that_the_session_was_dropped() {
    let (session, _peer) = with_peer(8, &quiet().send_queue(1, 1));
    session.send("nobody reads this").await.unwrap();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let sender = session.sender();
            tokio::spawn(async move { (sender.send("nor this").await, Instant::now()) })
        })
        .collect();
    settle().await;
    let began = Instant::now();
    drop(session);
    for sender in waiting {
        let (refused, at) = sender.await.unwrap();
        assert_eq!(*refused.unwrap_err().kind(), SendErrorKind::Closed);
        assert_eq!(at, began);
    }
}

#[tokio::test(start_paused = true)]
async fn senders_that_wait_learn_at_once_that_the_handler_has_ended() {
    let (hand, handed) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let (_run, _peer) = handled(|session| async move {
        session.try_send(vec![0; 256 * 1024]).unwrap();
        hand.send(session.sender()).unwrap();
        stopped.await
    });
    let sender = handed.await.unwrap();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let sender = sender.clone();
            tokio::spawn(async move { (sender.send("waits for room").await, Instant::now()) })
        })
        .collect();
    settle().await;
    let began = Instant::now();
    stop.send(()).unwrap();
    for sender in waiting {
        let (refused, at) = sender.await.unwrap();
        assert_eq!(*refused.unwrap_err().kind(), SendErrorKind::Closed);
        assert_eq!(at, began);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_ignores_the_end_is_dropped_after_the_close_timeout() {
    struct Bell(Option<oneshot::Sender<Instant>>);
    impl Drop for Bell {
        fn drop(&mut self) {
            let _ = self.0.take().unwrap().send(Instant::now());
        }
    }
    let (rings, rung) = oneshot::channel();
    let (run, mut peer) = handled(|session| async move {
        let _both = (session, Bell(Some(rings)));
        pending::<Result<(), Infallible>>().await
    });
    let began = Instant::now();
    peer.close(1000, "").await;
    assert_eq!(peer.closing().await.0, 1000);
    drop(peer);
    let (outcome, closed) = run.await.unwrap();
    assert!(matches!(outcome, Outcome::Dropped) && closed.is_clean());
    assert_eq!((rung.await.unwrap() - began).as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_session_moved_to_another_task_works() {
    let (run, mut peer) = handled(|mut session| async move {
        let owner = tokio::spawn(async move {
            while let Some(message) = session.receive().await.unwrap() {
                session.send(message).await.unwrap();
            }
            session
        });
        let session = owner.await?;
        assert!(session.closed().await.is_clean());
        Ok::<_, tokio::task::JoinError>(())
    });
    for text in ["one", "two", "three"] {
        peer.send(TEXT, text).await;
        assert_eq!(peer.text().await, (TEXT, text.to_owned()));
    }
    peer.close(1000, "").await;
    assert_eq!(peer.closing().await.0, 1000);
    drop(peer);
    assert!(matches!(run.await.unwrap().0, Outcome::Finished));
}

#[tokio::test(start_paused = true)]
async fn a_session_handed_out_of_its_handler_keeps_what_it_has_received() {
    let (hand, handed) = oneshot::channel();
    let (run, mut peer) = handled(|session| async move {
        let sender = session.sender();
        hand.send(session).unwrap();
        sender.closed().await;
        Ok::<_, Infallible>(())
    });
    for text in ["one", "two"] {
        peer.send(TEXT, text).await;
    }
    peer.close(1000, "").await;
    assert_eq!(peer.closing().await.0, 1000);
    drop(peer);
    assert!(matches!(run.await.unwrap().0, Outcome::Finished));
    let mut session = handed.await.unwrap();
    assert_eq!(session.receive().await.unwrap(), Some(Message::text("one")));
    assert_eq!(session.receive().await.unwrap(), Some(Message::text("two")));
    assert_eq!(session.receive().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_session_received_beside_its_handler_in_one_task_is_woken() {
    let (hand, handed) = oneshot::channel();
    let (here, there) = duplex(256);
    let peer = tokio::spawn(async move {
        settle().await;
        let mut peer = Peer::client(there);
        peer.send(TEXT, "from outside").await;
        peer
    });
    // Both are polled with one waker, and the handler is not who receives.
    let both = tokio::spawn(async move {
        let options = quiet();
        let run = Session::run_over(here, Role::Server, &options, |session| async move {
            hand.send(session).unwrap();
            pending::<Result<(), Infallible>>().await
        });
        let talk = async { handed.await.unwrap().receive().await.unwrap() };
        tokio::select! {
            biased;
            heard = talk => heard,
            _ = run => None,
        }
    });
    let heard = tokio::time::timeout(HOUR, both).await.unwrap().unwrap();
    assert_eq!(heard, Some(Message::text("from outside")));
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_whole_conversation_cuts_the_connection() {
    let (run, mut peer) = handled(|session| async move {
        session.send("hello").await?;
        session.closed().await;
        Ok::<_, SessionError>(())
    });
    assert_eq!(peer.text().await, (TEXT, "hello".to_owned()));
    run.abort();
    assert_eq!(peer.frame().await, None);
}
