//! The timer of a driver, which is set anew less often than its deadline changes. Knows no engine.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::Context,
    time::Instant,
};

use tokio::{
    task::unconstrained,
    time::{Sleep, sleep_until},
};

/// Wakes the task of a connection when something is due.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whether it wakes the task that last polled it.
    armed: bool,
}

impl Timer {
    /// Notes that it wakes another task than the one that polls it next.
    pub(crate) fn disarm(&mut self) {
        self.armed = false;
    }

    /// Sees that the task is woken at a deadline; `false` when that has passed.
    #[inline]
    pub(crate) fn wait(&mut self, deadline: Instant, cx: &mut Context<'_>, now: Instant) -> bool {
        let due = deadline.into();
        // A timer that fires early is looked at and set anew; only an earlier deadline moves it.
        match &mut self.sleep {
            Some(sleep) if sleep.deadline() > due => sleep.as_mut().reset(due),
            Some(sleep) if self.armed && sleep.deadline().into_std() > now => return true,
            Some(_) => {}
            None => self.sleep = Some(Box::pin(sleep_until(due))),
        }
        let Some(sleep) = &mut self.sleep else { return true };
        // A task that has used up its budget would be told that the timer runs, though it does not.
        self.armed = pin!(unconstrained(sleep.as_mut())).poll(cx).is_pending();
        self.armed
    }

    /// Sets it anew behind a deadline that has passed.
    pub(crate) fn reset(&mut self, deadline: Option<Instant>) {
        match (&mut self.sleep, deadline) {
            (Some(sleep), Some(deadline)) => sleep.as_mut().reset(deadline.into()),
            (sleep, _) => *sleep = None,
        }
    }
}
