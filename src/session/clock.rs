//! The time, as the sessions of a runtime see it.

use std::time::Instant;

/// Returns the time on the clock that the runtime keeps, which tests can stop.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
