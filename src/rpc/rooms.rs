//! Room for what waits to be sent, given out in the order it is asked for. Knows no frame.

use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::rpc::lanes::Lane;

/// Bytes of answers that wait to be sent before further answers wait, in flight as long as they do.
const ANSWERS: usize = 256 * 1024;
/// Bytes of calls that wait to be sent before further calls wait.
const CALLS: usize = 64 * 1024;
/// Bytes of stream items that wait to be sent before the streams wait, in turn.
const ITEMS: usize = 32 * 1024;

/// Room that frames have taken in their lane; given back when it is dropped. `None` for those that take none.
pub(crate) type Room = Option<OwnedSemaphorePermit>;

/// Room in each lane that has a bound, in bytes.
#[derive(Debug)]
pub(crate) struct Rooms([Arc<Semaphore>; 3]);

impl Rooms {
    pub(crate) fn new() -> Self {
        Self([ANSWERS, CALLS, ITEMS].map(|bytes| Arc::new(Semaphore::new(bytes))))
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
        self.0.iter().for_each(|room| room.close());
    }

    /// A frame of any size finds room in an empty lane.
    fn of(&self, lane: Lane, len: usize) -> Option<(Arc<Semaphore>, u32)> {
        let (index, all) = match lane {
            Lane::Control => return None,
            Lane::Answers => (0, ANSWERS),
            Lane::Calls => (1, CALLS),
            Lane::Items => (2, ITEMS),
        };
        Some((Arc::clone(&self.0[index]), permits(len.min(all))))
    }
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
        let _all = rooms.try_take(Lane::Answers, ANSWERS).unwrap();
        rooms.close();
        assert!(rooms.take(Lane::Answers, 1).now_or_never().unwrap().is_err());
    }
}
