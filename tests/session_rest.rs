//! A session with nothing to do lets its task rest, and its timers come whatever the task has done before.
#![allow(clippy::unwrap_used)]

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use converse::{CloseReason, Session, SessionOptions, frame::Role};
use tokio::io::{AsyncReadExt, DuplexStream, duplex};

/// Runs a server's handler over a transport, and counts the polls of its task.
async fn polls<H, F>(transport: DuplexStream, options: SessionOptions, handler: H) -> usize
where
    H: FnOnce(Session) -> F,
    F: Future<Output = converse::Result<()>>,
{
    let mut run = pin!(Session::run_over(transport, Role::Server, &options, handler));
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        assert!(polls < 1000, "the task does not rest");
        run.as_mut().poll(cx).map(drop)
    })
    .await;
    polls
}

fn options() -> SessionOptions {
    SessionOptions::default().ping_interval(Duration::from_secs(1)).timeout(Duration::from_secs(3))
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_for_the_end_lets_its_task_rest() {
    let (near, _far) = duplex(1024);
    let count = polls(near, options(), |session| async move {
        session.closed().await;
        Ok(())
    });
    assert!(count.await < 20);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_for_a_pong_or_a_flush_lets_its_task_rest() {
    let (near, _far) = duplex(64);
    let count = polls(near, options(), |session| async move {
        session.send(vec![7; 1000]).await?;
        let (ping, flush) = tokio::join!(session.ping(), session.flush());
        assert!(ping.is_err() && flush.is_err());
        Ok(())
    });
    assert!(count.await < 30);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_closes_lets_its_task_rest_until_the_timeout() {
    let (near, _far) = duplex(1024);
    let count = polls(near, options(), |session| async move {
        session.close(CloseReason::NORMAL).await;
        Ok(())
    });
    assert!(count.await < 20);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_used_up_its_budget_still_has_its_timer() {
    let (near, mut far) = duplex(1024);
    let seen = Rc::new(Cell::new(false));
    let told = Rc::clone(&seen);
    let served = polls(near, options(), |session| async move {
        // The first poll, in which the timer is set, has no budget left.
        poll_fn(|cx| match pin!(tokio::task::consume_budget()).poll(cx) {
            Poll::Ready(()) => {
                while pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
                Poll::Ready(())
            }
            Poll::Pending => Poll::Ready(()),
        })
        .await;
        session.closed().await;
        Ok(())
    });
    let heard = async {
        let mut head = [0; 2];
        far.read_exact(&mut head).await.unwrap();
        assert_eq!(head, [0x89, 4], "a ping");
        told.set(true);
        drop(far);
    };
    tokio::task::LocalSet::new().run_until(async { tokio::join!(served, heard) }).await;
    assert!(seen.get());
}
