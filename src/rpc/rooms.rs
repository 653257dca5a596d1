//! Room for what waits to be sent, and the turn to make an item, given out in the order they are asked for. Knows no
//! frame.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::rpc::lanes::Lane;

/// Bytes of calls that wait to be sent before further calls wait.
const CALLS: usize = 64 * 1024;
/// Bytes of stream items that wait to be sent before the streams wait, in turn.
const ITEMS: usize = 32 * 1024;

/// Room that frames have taken in their lane; given back when it is dropped. `None` for those that take none.
pub(crate) type Room = Option<OwnedSemaphorePermit>;

thread_local! {
    /// How often a stream had to wait for its turn or for room, on this thread.
    static WAITS: Cell<u64> = const { Cell::new(0) };
}

/// Room in each lane that has a bound, in bytes.
#[derive(Debug)]
pub(crate) struct Rooms {
    calls: Arc<Semaphore>,
    items: Arc<Semaphore>,
    /// One stream at a time makes an item and takes room for it, so that no more than one waits for room.
    turn: Semaphore,
    /// Room that the last item has taken.
    last_item: AtomicU32,
}

/// The turn of a stream; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct ItemTurn<'a> {
    rooms: &'a Rooms,
    _turn: SemaphorePermit<'a>,
}

impl Rooms {
    pub(crate) fn new() -> Self {
        let [calls, items] = [CALLS, ITEMS].map(|bytes| Arc::new(Semaphore::new(bytes)));
        Self { calls, items, turn: Semaphore::new(1), last_item: AtomicU32::new(0) }
    }

    /// Waits for the turn of a stream that may send an item, and until there is room for one like the last: so a long one
    /// is not made while another long one waits.
    pub(crate) async fn turn(&self) -> Result<ItemTurn<'_>, AcquireError> {
        let turn = match self.turn.try_acquire() {
            Ok(turn) => turn,
            Err(_) => {
                WAITS.set(WAITS.get() + 1);
                self.turn.acquire().await?
            }
        };
        let turn = ItemTurn { rooms: self, _turn: turn };
        let last = self.last_item.load(Relaxed) as usize;
        if self.items.available_permits() < last {
            drop(turn.room(last).await?);
        }
        Ok(turn)
    }

    /// Takes room for a frame, if there is some.
    pub(crate) fn try_take(&self, lane: Lane, len: usize) -> Option<Room> {
        let Some((left, bytes)) = self.of(lane, len) else { return Some(None) };
        left.try_acquire_many_owned(bytes).ok().map(Some)
    }

    /// Waits for room for a frame, and takes it.
    pub(crate) async fn take(&self, lane: Lane, len: usize) -> Result<Room, AcquireError> {
        let Some((left, bytes)) = self.of(lane, len) else { return Ok(None) };
        left.acquire_many_owned(bytes).await.map(Some)
    }

    /// Lets nobody wait any more.
    pub(crate) fn close(&self) {
        [&*self.calls, &self.items, &self.turn].into_iter().for_each(Semaphore::close);
    }

    /// A frame of any size finds room in an empty lane.
    fn of(&self, lane: Lane, len: usize) -> Option<(Arc<Semaphore>, u32)> {
        let (left, all) = match lane {
            Lane::Control | Lane::Answers => return None,
            Lane::Calls => (&self.calls, CALLS),
            Lane::Items => (&self.items, ITEMS),
        };
        Some((Arc::clone(left), permits(len.min(all))))
    }
}

impl ItemTurn<'_> {
    /// Waits for room for an item, and takes it.
    pub(crate) async fn room(&self, len: usize) -> Result<Room, AcquireError> {
        self.rooms.last_item.store(permits(len.min(ITEMS)), Relaxed);
        if let Some(room) = self.rooms.try_take(Lane::Items, len) {
            return Ok(room);
        }
        let mut room = pin!(self.rooms.take(Lane::Items, len));
        poll_fn(|cx| {
            let polled = room.as_mut().poll(cx);
            if polled.is_pending() {
                WAITS.set(WAITS.get() + 1);
            }
            polled
        })
        .await
    }
}

/// Tells whether a stream had to wait within `work`, which polls it.
pub(crate) fn waits_within<R>(work: impl FnOnce() -> R) -> (R, bool) {
    let before = WAITS.get();
    let result = work();
    (result, WAITS.get() != before)
}

fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures::{FutureExt, future::join};

    use super::*;

    fn bytes(room: &Room) -> usize {
        room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    #[test]
    fn a_frame_of_any_size_finds_room_in_an_empty_lane() {
        let rooms = Rooms::new();
        let all = rooms.try_take(Lane::Items, 10 * ITEMS).unwrap();
        assert_eq!(bytes(&all), ITEMS);
        assert!(rooms.try_take(Lane::Items, 1).is_none());
        assert_eq!(bytes(&rooms.try_take(Lane::Calls, 1).unwrap()), 1);
        assert!(rooms.try_take(Lane::Control, usize::MAX).unwrap().is_none());
    }

    #[tokio::test]
    async fn room_goes_to_who_has_waited_longest() {
        let rooms = Rooms::new();
        let mut all = rooms.try_take(Lane::Items, ITEMS).unwrap().unwrap();
        let large = rooms.take(Lane::Items, 1000);
        let small = async {
            let room = rooms.take(Lane::Items, 1).await.unwrap();
            (bytes(&room), rooms.try_take(Lane::Items, 1).is_some())
        };
        let release = async {
            drop(all.split(1));
            tokio::task::yield_now().await;
            drop(all);
        };
        let (taken, ()) = join(join(large, small), release).await;
        assert_eq!((bytes(&taken.0.unwrap()), taken.1.0), (1000, 1));
    }

    #[test]
    fn nobody_waits_when_all_is_over() {
        let rooms = Rooms::new();
        let _all = rooms.try_take(Lane::Calls, CALLS).unwrap();
        let turn = rooms.turn().now_or_never().unwrap().unwrap();
        rooms.close();
        assert!(rooms.take(Lane::Calls, 1).now_or_never().unwrap().is_err());
        assert!(rooms.turn().now_or_never().unwrap().is_err());
        assert!(turn.room(1).now_or_never().unwrap().is_err());
    }

    #[test]
    fn the_turn_goes_to_who_has_waited_longest_and_is_given_up_by_who_does_not_want_it() {
        let rooms = Rooms::new();
        let first = rooms.turn().now_or_never().unwrap().unwrap();
        let (mut second, mut third) = (Box::pin(rooms.turn()), Box::pin(rooms.turn()));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        drop(first);
        assert!((&mut third).now_or_never().is_none());
        drop(second);
        assert!(third.now_or_never().is_some_and(|turn| turn.is_ok()));
    }

    #[test]
    fn who_has_waited_is_known() {
        let rooms = Rooms::new();
        let poll = |turn: &ItemTurn<'_>| turn.room(ITEMS).now_or_never();
        let turn = rooms.turn().now_or_never().unwrap().unwrap();
        let (room, waited) = waits_within(|| poll(&turn));
        assert!(room.is_some() && !waited);
        assert!(waits_within(|| poll(&turn)).1);
        assert!(waits_within(|| rooms.turn().now_or_never().is_none()).1);
    }
}
