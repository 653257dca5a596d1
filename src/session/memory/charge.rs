//! Bytes charged to a connection's account, for as long as this lives. Knows no pool.

use std::sync::Arc;

use crate::session::memory::Account;

/// Bytes that are charged until they are given back, or this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Arc<Account>,
    bytes: usize,
}

impl Charge {
    /// Takes over bytes that are charged already.
    pub(super) fn new(account: Arc<Account>, bytes: usize) -> Self {
        Self { account, bytes }
    }

    /// Charges more; `false` when it may not be.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let charged = self.account.try_charge(bytes);
        self.bytes += if charged { bytes } else { 0 };
        charged
    }

    /// Returns how many bytes are charged.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.discharge(self.bytes);
    }
}
