//! How a task gives way to others. Knows no session.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll},
};

/// Lets the task that is polled with `cx` come again behind the others of its thread, and behind a look at the sockets
/// and timers: a task that only wakes itself would keep its thread from them for up to sixty turns.
pub(crate) fn give_way(cx: &mut Context<'_>) {
    if let Poll::Ready(()) = pin!(tokio::task::yield_now()).poll(cx) {
        cx.waker().wake_by_ref();
    }
}
