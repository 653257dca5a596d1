//! A long frame that is to be sent, as its connection's account counts it. Knows no pool.

use std::sync::Arc;

use crate::session::memory::Account;

/// Bytes of a frame that are counted until it waits with others, or is dropped.
#[derive(Debug)]
pub(crate) struct Load {
    account: Arc<Account>,
    bytes: usize,
}

impl Load {
    /// Takes over bytes that are counted already.
    pub(super) fn new(account: Arc<Account>, bytes: usize) -> Self {
        Self { account, bytes }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.account.subtract(self.bytes);
        }
    }
}
