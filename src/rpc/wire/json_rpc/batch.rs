//! Requests that came as one array, and their replies, which go back as one. Knows no request.

use std::{collections::HashMap, sync::Arc};

use crate::session::{Account, Charge};

/// Bytes that any reply may have which this end writes by itself: an id of 256 bytes, and an error.
const SHORT: usize = 384;

/// The batches that are not answered yet.
pub(super) struct Batches {
    account: Arc<Account>,
    open: HashMap<u64, Batch>,
    last: u64,
}

struct Batch {
    /// All of it was read.
    is_read: bool,
    /// How many requests have no reply yet.
    awaited: usize,
    /// How many elements may still have a reply.
    unanswered: usize,
    /// The replies behind `[`, with commas between them.
    replies: Vec<u8>,
    /// What the replies take up, and short ones for the elements that have none yet.
    charge: Charge,
}

impl Batches {
    /// Charges what waits to an account.
    pub(super) fn new(account: Arc<Account>) -> Self {
        Self { account, open: HashMap::new(), last: 0 }
    }

    /// Begins with a batch of so many elements that is being read. `None` when there is no memory for their replies.
    pub(super) fn begin(&mut self, elements: usize) -> Option<u64> {
        let charge = self.account.charge(SHORT * elements)?;
        self.last += 1;
        let replies = Vec::new();
        self.open
            .insert(self.last, Batch { is_read: false, awaited: 0, unanswered: elements, replies, charge });
        Some(self.last)
    }

    /// Notes a request whose reply belongs to the batch.
    pub(super) fn expect(&mut self, number: u64) {
        if let Some(batch) = self.open.get_mut(&number) {
            batch.awaited += 1;
        }
    }

    /// Makes room for the next reply; `false` when there is no memory for it, or when the replies of the batch came to more
    /// than a quarter of what the connection may hold. There is for a short one.
    pub(super) fn make_room(&mut self, number: u64, len: usize) -> bool {
        let most = self.account.limit() / 4;
        self.open.get_mut(&number).is_none_or(|batch| batch.used(len) <= most && batch.make_room(len))
    }

    /// Adds a reply that was not expected, such as one to what is no request. A long one has room.
    pub(super) fn add(&mut self, number: u64, reply: &[u8]) {
        if let Some(batch) = self.open.get_mut(&number) {
            batch.add(reply);
        }
    }

    /// Adds a reply that was expected. Gives the batch's when this was the last one.
    pub(super) fn answer(&mut self, number: u64, reply: &[u8]) -> Option<Vec<u8>> {
        self.add(number, reply);
        if let Some(batch) = self.open.get_mut(&number) {
            batch.awaited = batch.awaited.saturating_sub(1);
        }
        self.complete(number)
    }

    /// Notes that all of the batch was read. Gives the replies when all are there, and there are any.
    pub(super) fn read(&mut self, number: u64) -> Option<Vec<u8>> {
        if let Some(batch) = self.open.get_mut(&number) {
            batch.is_read = true;
        }
        self.complete(number)
    }

    /// Drops all batches: nothing is sent any more.
    pub(super) fn clear(&mut self) {
        self.open = HashMap::new();
    }

    fn complete(&mut self, number: u64) -> Option<Vec<u8>> {
        self.open.get(&number).filter(|batch| batch.is_read && batch.awaited == 0)?;
        let mut replies = self.open.remove(&number)?.replies;
        if replies.is_empty() {
            return None;
        }
        replies.push(b']');
        Some(replies)
    }
}

impl Batch {
    /// Makes room for a reply, beside short ones for the elements behind it.
    fn make_room(&mut self, len: usize) -> bool {
        let wanted = self.used(len) + SHORT * self.unanswered.saturating_sub(1);
        let capacity = self.replies.capacity();
        if wanted <= capacity {
            return true;
        }
        // Twice as much, so that many replies are not copied for each one; or as much as is needed.
        let affordable = [wanted.max(2 * capacity), wanted].into_iter().find(|room| {
            let more = room.saturating_sub(self.charge.bytes());
            self.charge.grow(more)
        });
        affordable.is_some_and(|room| {
            self.replies.reserve_exact(room - self.replies.len());
            true
        })
    }

    /// Adds a reply, which has room or is short.
    fn add(&mut self, reply: &[u8]) {
        if self.used(reply.len()) > self.replies.capacity() {
            self.replies.reserve_exact(SHORT * self.unanswered.max(1));
        }
        self.unanswered = self.unanswered.saturating_sub(1);
        self.replies.push(if self.replies.is_empty() { b'[' } else { b',' });
        self.replies.extend_from_slice(reply);
    }

    /// Returns how many bytes there are with one more reply, a comma in front of it and the bracket behind.
    fn used(&self, reply: usize) -> usize {
        self.replies.len() + reply + 2
    }
}
