//! Requests that came as one array, and their replies, which go back as one. Knows no request.

use std::collections::HashMap;

/// The batches that are not answered yet.
#[derive(Default)]
pub(super) struct Batches {
    open: HashMap<u64, Batch>,
    last: u64,
    /// Bytes of all replies that wait here.
    held: usize,
}

#[derive(Default)]
struct Batch {
    /// All of it was read.
    is_read: bool,
    /// How many requests have no reply yet.
    awaited: usize,
    /// The replies behind `[`, with commas between them.
    replies: Vec<u8>,
}

impl Batches {
    /// Begins with a batch that is being read.
    pub(super) fn begin(&mut self) -> u64 {
        self.last += 1;
        self.open.insert(self.last, Batch::default());
        self.last
    }

    /// Notes a request whose reply belongs to the batch.
    pub(super) fn expect(&mut self, number: u64) {
        if let Some(batch) = self.open.get_mut(&number) {
            batch.awaited += 1;
        }
    }

    /// Adds a reply that was not expected, such as one to what is no request.
    pub(super) fn add(&mut self, number: u64, reply: &[u8]) {
        if let Some(batch) = self.open.get_mut(&number) {
            batch.replies.push(if batch.replies.is_empty() { b'[' } else { b',' });
            batch.replies.extend_from_slice(reply);
            self.held += 1 + reply.len();
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

    /// Returns how many bytes of replies wait.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    fn complete(&mut self, number: u64) -> Option<Vec<u8>> {
        self.open.get(&number).filter(|batch| batch.is_read && batch.awaited == 0)?;
        let mut replies = self.open.remove(&number)?.replies;
        if replies.is_empty() {
            return None;
        }
        self.held = self.held.saturating_sub(replies.len());
        replies.push(b']');
        Some(replies)
    }
}
