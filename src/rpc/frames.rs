//! What a conversation's task does with each frame. Knows no session.

use std::{sync::Arc, task::Context};

use converse_core::Message;

use crate::rpc::{
    Status,
    conversation::{Conversation, Fatal},
    credit::Credit,
    decode,
    lanes::Lane,
    receive::{Failure, Receive, Taken},
    spans,
    tables::Made,
    window::Window,
    wire::{BadFrame, Control, Head, Place, Reader},
};

/// Bytes of a message whose heads are read without asking the account: what they make is dropped or charged at once.
const SHORT: usize = 4 * 1024;

/// A stream for whose item there is no memory, and how that is said.
type Starved = (Arc<dyn Receive>, Status);

impl From<BadFrame> for Fatal {
    fn from(bad: BadFrame) -> Self {
        Self::new(super::BAD_FRAME, bad.to_string())
    }
}

/// A message whose frames are being handled, and how far.
#[derive(Debug)]
pub(crate) struct Walk {
    message: Message,
    place: Place,
    /// Whether the session was told that the message is still there.
    lent: bool,
}

impl Walk {
    pub(super) fn new(message: Message) -> Self {
        Self { message, place: Place::default(), lent: false }
    }
}

impl Conversation {
    /// Handles the next frames of a message, as many as this turn lets it and as the peer has taken answers for.
    /// Gives the message back when it has more of them.
    pub(super) fn go_on(&mut self, walk: Walk, cx: &mut Context<'_>) -> Result<Option<Walk>, Fatal> {
        let connection = Arc::clone(&self.connection);
        let mut reader = connection.codec.reader_at(&walk.message, walk.place);
        let place = loop {
            let pauses =
                connection.turn.is_over() || connection.backlog.holds_frames() || self.shortage.waits();
            if pauses && let Some(place) = reader.place(&walk.message) {
                break Some(place);
            }
            let mut made = 0;
            // A hello is charged; the heads of a short message are not worth a limit.
            let head = match self.greeted && walk.message.len() <= SHORT {
                true => reader.next()?,
                false => decode::head(&mut reader, connection.account(), &mut made)?,
            };
            let Some(head) = head else { break None };
            let stays = self.handle(head, made, &mut reader, cx)?;
            connection.turn.step();
            if stays {
                break reader.place_of_frame(&walk.message);
            }
        };
        if place.is_some() != walk.lent {
            connection.sender.lend(if walk.lent { 0 } else { walk.message.len() });
        }
        Ok(place.map(|place| Walk { message: walk.message, place, lent: true }))
    }

    /// Handles a frame, whose head has `made` so many bytes of memory. Tells whether it is to be read again, since there
    /// is no memory for it now; where it cannot be, its stream is ended.
    fn handle(
        &mut self,
        head: Head<'_>,
        made: usize,
        reader: &mut Reader<'_>,
        cx: &mut Context<'_>,
    ) -> Result<bool, Fatal> {
        if !self.greeted && !matches!(head, Head::Hello(_)) {
            return Err(Fatal::new(super::BAD_FRAME, "the first frame is no hello"));
        }
        if let Head::Invoke { method } = &head {
            self.invoke(method, reader, cx)?;
            return Ok(false);
        }
        if let Head::Item { id } = head
            && let Some((slot, refusal)) = self.item(id, reader)?
        {
            // What finds no memory where all is free never will.
            let may_stay = reader.can_go_back() && !self.connection.account().has_all_room();
            if may_stay && self.shortage.begins() {
                self.connection.set_starved(true);
                return Ok(true);
            }
            self.refuse_item(id, &*slot, refusal);
        }
        self.shortage.end();
        self.connection.set_starved(false);
        let cancels = matches!(head, Head::Cancel { .. });
        self.take(head, made, reader)?;
        reader.finish()?;
        if cancels {
            // The handler is gone before the next call begins.
            self.run_handlers(cx);
        }
        Ok(false)
    }

    fn take(&mut self, head: Head<'_>, made: usize, reader: &mut Reader<'_>) -> Result<(), Fatal> {
        match head {
            Head::Hello(_) if self.greeted => return Err(Fatal::new(super::BAD_FRAME, "a second hello")),
            Head::Hello(hello) => {
                let charge = self.connection.account().charge(made);
                let too_much = || Fatal::new(super::TOO_MANY, "there is no memory for the hello");
                let charge = charge.ok_or_else(too_much)?;
                self.greet();
                self.connection.greeted(hello, charge);
            }
            Head::Ok { id } => self.end_made(id, |made| made.slot.ok(reader)),
            Head::Err { id: 0, status } => {
                tracing::debug!(
                    status = spans::shown(&status.to_string()),
                    "the peer did not understand a frame"
                );
            }
            Head::Err { id, status } => self.end_made(id, |made| made.slot.fail(Failure::Status(status))),
            Head::End { id } => self.half_close(id),
            Head::Cancel { id } => self.cancel(id),
            Head::Credit { id, more } => self.credit(id, more),
            Head::Ping if self.connection.answers_pings() => {
                self.respond(self.connection.codec.control(Control::Ping));
            }
            Head::Ping => {}
            Head::GoAway(going) => self.connection.lock().peer_goes = Some(going),
            Head::Answer(frame) => self.respond(frame),
            Head::Invoke { .. } | Head::Item { .. } | Head::Nothing => {}
        }
        Ok(())
    }

    /// Sends a control frame; the task runs, and sends it before it rests.
    pub(super) fn respond(&self, frame: Vec<u8>) {
        self.connection.push(Lane::Control, frame, None);
    }

    fn end_made(&self, id: u32, end: impl FnOnce(&Made)) {
        // The answer to a call that was cancelled is not expected any more.
        let Some(made) = self.connection.lock().made.remove(&id) else { return };
        made.stop_sending();
        end(&made);
    }

    /// Gives an item to its stream; returns the stream, and why, when there is no memory for it.
    fn item(&self, id: u32, reader: &mut Reader<'_>) -> Result<Option<Starved>, BadFrame> {
        let is_own = self.connection.is_own(id);
        let tables = self.connection.lock();
        let slot = match is_own {
            true => tables.made.get(&id).map(|made| Arc::clone(&made.slot)),
            false => tables.served.get(&id).and_then(|served| served.streams.receives.clone()),
        };
        drop(tables);
        let Some(slot) = slot else { return Ok(None) };
        match slot.item(reader)? {
            Taken::NoRoom(status) => return Ok(Some((slot, status))),
            Taken::Over if is_own => self.connection.give_up(id),
            // What is wrong with an item of a caller is told to the handler.
            Taken::Over | Taken::Yes => {}
        }
        Ok(None)
    }

    /// Ends a stream for whose item there was no memory for long.
    fn refuse_item(&self, id: u32, slot: &dyn Receive, refusal: Status) {
        slot.fail(Failure::Status(refusal));
        if self.connection.is_own(id) {
            self.connection.give_up(id);
        }
    }

    fn half_close(&self, id: u32) {
        let stream =
            self.connection.lock().served.get(&id).and_then(|served| served.streams.receives.clone());
        if let Some(stream) = stream {
            stream.close();
        }
    }

    fn credit(&self, id: u32, more: Window) {
        let tables = self.connection.lock();
        let credit: Option<Arc<Credit>> = match self.connection.is_own(id) {
            true => tables
                .made
                .get(&id)
                .and_then(|made| made.sends.as_ref().map(|(_, credit)| Arc::clone(credit))),
            false => tables.served.get(&id).and_then(|served| served.streams.credit.clone()),
        };
        drop(tables);
        if let Some(credit) = credit {
            credit.give(more);
        }
    }
}
