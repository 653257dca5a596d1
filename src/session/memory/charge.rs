//! Bytes charged to a connection's account, for as long as this lives. Knows no pool.

use std::{mem, sync::Arc};

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

    /// Gives bytes back, all of them at most.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.account.discharge(bytes);
    }

    /// Takes over what another charge to the same account has.
    pub(crate) fn merge(&mut self, mut other: Self) {
        debug_assert!(Arc::ptr_eq(&self.account, &other.account), "charges to two accounts");
        self.bytes += mem::take(&mut other.bytes);
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
