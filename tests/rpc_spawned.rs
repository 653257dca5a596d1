//! Handlers in tasks of their own: the same answers, errors, limits and order, and others go on while they compute.
#![allow(clippy::unwrap_used)]

use std::{
    future::pending,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use converse::{
    Server, SessionOptions,
    rpc::{self, CallError, Code, Options, Router, Status, Streaming},
};
use futures::{FutureExt, StreamExt, TryStreamExt, future::join_all, stream};
use tokio::{sync::Notify, time::timeout};

/// Counts the handlers that hold it.
#[derive(Clone, Default)]
struct Held(Arc<AtomicUsize>);

impl Held {
    fn hold(&self) -> Holder {
        self.0.fetch_add(1, SeqCst);
        Holder(self.clone())
    }

    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }

    async fn falls_to(&self, count: usize) {
        let fallen = async {
            while self.count() != count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(20), fallen).await.unwrap();
    }
}

struct Holder(Held);

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, SeqCst);
    }
}

fn router(held: &Held) -> Router {
    let held = held.clone();
    Router::new()
        .spawned()
        .call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
        .call("fail", |_, (): ()| async { Err::<(), _>(Status::new(Code::NOT_FOUND, "not here")) })
        .call("panic", |_, (): ()| async {
            if true {
                panic!("for a test");
            }
            Ok::<(), Status>(())
        })
        .call("wait", move |_, (): ()| {
            let holder = held.hold();
            async move {
                pending::<()>().await;
                drop(holder);
                Ok::<(), Status>(())
            }
        })
        .stream("count", |_, (to,): (u64,)| stream::iter((0..to).map(Ok::<_, Status>)))
        .client_stream("sum", |_, (): (), items: Streaming<u64>| async move {
            Ok::<u64, Status>(items.try_fold(0, |sum, item| async move { Ok(sum + item) }).await?)
        })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_errors_panics_and_streams_are_as_in_the_connections_task() {
    let peer = rpc::duplex(router(&Held::default()));
    assert_eq!(peer.call::<_, i64>("add", (40, 2)).await.unwrap(), 42);
    let failed = peer.call::<_, ()>("fail", ()).await.unwrap_err();
    assert!(matches!(failed, CallError::Status(status) if status.message() == "not here"));
    let panicked = peer.call::<_, ()>("panic", ()).await.unwrap_err();
    assert_eq!((panicked.code(), panicked.status().unwrap().message()), (Code::INTERNAL, ""));
    let counted: Vec<u64> =
        peer.open::<_, u64>("count", (1000u64,)).await.unwrap().try_collect().await.unwrap();
    assert_eq!(counted, (0..1000).collect::<Vec<_>>());
    let sum = peer.call::<_, u64>("sum", ()).sending(stream::iter(0..100u64)).await.unwrap();
    assert_eq!(sum, 4950);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_call_and_a_deadline_and_the_end_of_the_connection_drop_the_handler() {
    let held = Held::default();
    let peer = rpc::duplex(router(&held));
    let call = peer.call::<_, ()>("wait", ()).into_future();
    assert!(timeout(Duration::from_millis(50), call).await.is_err());
    held.falls_to(0).await;
    let late = peer.call::<_, ()>("wait", ()).deadline(Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(late, CallError::Deadline), "{late:?}");
    held.falls_to(0).await;
    let left = peer.call::<_, ()>("wait", ()).into_future();
    tokio::spawn(left);
    held.falls_to(1).await;
    peer.close(converse::CloseReason::NORMAL).await;
    held.falls_to(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_computes_on_counts_as_in_flight_though_its_call_is_over() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Barrier::new(2)));
    let (starts, computes) = (Arc::clone(&begun), Arc::clone(&go_on));
    let router = Router::new().options(Options::default().in_flight(1)).spawned();
    let router = router.call("compute", move |_, (): ()| {
        let (starts, computes) = (Arc::clone(&starts), Arc::clone(&computes));
        async move {
            starts.notify_one();
            computes.wait();
            Ok::<(), Status>(())
        }
    });
    let peer = rpc::duplex(router.call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) }));
    let mut call = peer.call::<_, ()>("compute", ()).into_future();
    assert!((&mut call).now_or_never().is_none());
    begun.notified().await;
    drop(call);
    let refused = peer.call::<_, i64>("add", (1, 2)).await.unwrap_err();
    assert_eq!(refused.code(), Code::RESOURCE_EXHAUSTED);
    tokio::task::spawn_blocking(move || go_on.wait()).await.unwrap();
    let answered = async {
        while peer.call::<_, i64>("add", (1, 2)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(20), answered).await.unwrap();
}

/// Two workers, and two handlers that compute until a third connection has had its answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_that_compute_on_every_worker_leave_other_connections_alone() {
    let computing = Arc::new(AtomicUsize::new(0));
    let (enough, wait) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&computing));
    let until = Arc::clone(&enough);
    let router = Router::new().spawned().call("compute", move |_, (): ()| {
        let (wait, until) = (Arc::clone(&wait), Arc::clone(&until));
        async move {
            wait.fetch_add(1, SeqCst);
            while until.load(SeqCst) == 0 {
                std::hint::spin_loop();
            }
            Ok::<(), Status>(())
        }
    });
    let router = router.call("add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) });
    let server = Server::new(SessionOptions::default()).rpc("/", router).bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", server.local_addr());
    tokio::spawn(server.serve());
    let mut connections = Vec::new();
    for _ in 0..3 {
        connections.push(rpc::connect(&url, Router::new()).await.unwrap());
    }
    let (third, computers) = connections.split_last().unwrap();
    let calls: Vec<_> =
        computers.iter().map(|peer| peer.call::<_, ()>("compute", ()).into_future()).collect();
    let calls = tokio::spawn(join_all(calls));
    let answers = async {
        while computing.load(SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for n in 0..20 {
            assert_eq!(third.call::<_, i64>("add", (n, 1)).await.unwrap(), n + 1);
        }
    };
    let answered = timeout(Duration::from_secs(60), answers).await;
    enough.store(1, SeqCst);
    answered.unwrap();
    assert!(calls.await.unwrap().iter().all(Result::is_ok));
}

/// A handler that computes in the connection's task delays no deadline of the calls that its end makes.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_callers_deadline_does_not_wait_for_the_connections_task() {
    let release = Arc::new(AtomicUsize::new(0));
    let until = Arc::clone(&release);
    let client = Router::new().call("compute", move |_, (): ()| {
        let until = Arc::clone(&until);
        async move {
            while until.load(SeqCst) == 0 {
                std::hint::spin_loop();
            }
            Ok::<(), Status>(())
        }
    });
    let server = Router::new().call("never", |_, (): ()| pending::<Result<(), Status>>());
    let (client_end, peer) = rpc::duplex_with(server, client);
    let computing = tokio::spawn(client_end.call::<_, ()>("compute", ()).into_future());
    tokio::time::sleep(Duration::from_millis(50)).await;
    let late = peer.call::<_, ()>("never", ()).deadline(Duration::from_millis(20)).into_future();
    let late = timeout(Duration::from_secs(20), tokio::spawn(late)).await;
    release.store(1, SeqCst);
    assert!(matches!(late.unwrap().unwrap(), Err(CallError::Deadline)));
    computing.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_callee_caps_a_deadline_that_the_caller_names() {
    let held = Held::default();
    let options = Options::default().max_deadline(Duration::from_secs(60));
    let peer = rpc::duplex(router(&held).options(options));
    let begun = tokio::time::Instant::now();
    let late = peer.call::<_, ()>("wait", ()).deadline(Duration::from_secs(4000)).await.unwrap_err();
    assert!(matches!(late, CallError::Deadline), "{late:?}");
    assert_eq!(begun.elapsed().as_secs(), 60);
    held.falls_to(0).await;
    let unlimited = rpc::duplex(router(&held).options(Options::default().max_deadline(None)));
    let begun = tokio::time::Instant::now();
    let late = unlimited.call::<_, ()>("wait", ()).deadline(Duration::from_secs(4000)).await.unwrap_err();
    assert!(matches!(late, CallError::Deadline) && begun.elapsed().as_secs() == 4000);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_answers_lasts_as_long_as_its_caller_says() {
    let router = Router::new().options(Options::default().max_deadline(Duration::from_secs(60))).stream(
        "ticks",
        |_, (): ()| {
            stream::unfold(0, |n| async move {
                tokio::time::sleep(Duration::from_secs(50)).await;
                Some((Ok::<u64, Status>(n), n + 1))
            })
        },
    );
    let peer = rpc::duplex(router);
    let ticks = peer.open::<_, u64>("ticks", ()).deadline(Duration::from_secs(220)).await.unwrap();
    let ticks: Vec<_> = ticks.collect().await;
    assert_eq!(ticks.len(), 5);
    assert!(matches!(ticks.last(), Some(Err(CallError::Deadline))));
}
