//! Room for what waits to be sent, given out in the order it is asked for. Knows no frame.

use tokio::sync::Semaphore;

use crate::rpc::lanes::Lane;

/// Bytes of answers that wait to be sent before further answers wait, in flight as long as they do.
const ANSWERS: usize = 256 * 1024;
/// Bytes of calls that wait to be sent before further calls wait.
const CALLS: usize = 64 * 1024;
/// Bytes of stream items that wait to be sent before the streams wait, in turn.
const ITEMS: usize = 32 * 1024;

/// Room in each lane that has a bound, in bytes.
#[derive(Debug)]
pub(crate) struct Rooms {
    answers: Room,
    calls: Room,
    items: Room,
}

#[derive(Debug)]
struct Room {
    left: Semaphore,
    all: usize,
}

/// The conversation has ended, and there will be no room.
#[derive(Debug)]
pub(crate) struct NoRoom;

impl Rooms {
    pub(crate) fn new() -> Self {
        Self { answers: Room::new(ANSWERS), calls: Room::new(CALLS), items: Room::new(ITEMS) }
    }

    /// Takes room for a frame, if there is some, and returns how much it was.
    pub(crate) fn try_take(&self, lane: Lane, len: usize) -> Option<usize> {
        match self.of(lane) {
            Some(room) => room.try_take(len),
            None => Some(0),
        }
    }

    /// Waits for room for a frame, takes it, and returns how much it was.
    pub(crate) async fn take(&self, lane: Lane, len: usize) -> Result<usize, NoRoom> {
        match self.of(lane) {
            Some(room) => room.take(len).await,
            None => Ok(0),
        }
    }

    /// Gives room back.
    pub(crate) fn give_back(&self, lane: Lane, bytes: usize) {
        if let Some(room) = self.of(lane).filter(|_| bytes > 0) {
            room.left.add_permits(bytes);
        }
    }

    /// Lets nobody wait any more.
    pub(crate) fn close(&self) {
        [&self.answers, &self.calls, &self.items].iter().for_each(|room| room.left.close());
    }

    fn of(&self, lane: Lane) -> Option<&Room> {
        match lane {
            Lane::Control => None,
            Lane::Answers => Some(&self.answers),
            Lane::Calls => Some(&self.calls),
            Lane::Items => Some(&self.items),
        }
    }
}

impl Room {
    fn new(all: usize) -> Self {
        Self { left: Semaphore::new(all), all }
    }

    fn try_take(&self, len: usize) -> Option<usize> {
        let bytes = len.min(self.all);
        self.left.try_acquire_many(permits(bytes)).ok()?.forget();
        Some(bytes)
    }

    async fn take(&self, len: usize) -> Result<usize, NoRoom> {
        let bytes = len.min(self.all);
        self.left.acquire_many(permits(bytes)).await.map_err(|_| NoRoom)?.forget();
        Ok(bytes)
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

    #[test]
    fn a_frame_of_any_size_finds_room_in_an_empty_lane() {
        let rooms = Rooms::new();
        assert_eq!(rooms.try_take(Lane::Items, 10 * ITEMS), Some(ITEMS));
        assert_eq!(rooms.try_take(Lane::Items, 1), None);
        assert_eq!(rooms.try_take(Lane::Calls, 1), Some(1));
        assert_eq!(rooms.try_take(Lane::Control, usize::MAX), Some(0));
    }

    #[tokio::test]
    async fn room_goes_to_who_has_waited_longest() {
        let rooms = Rooms::new();
        let all = rooms.try_take(Lane::Items, ITEMS).unwrap();
        let large = rooms.take(Lane::Items, 1000);
        let small = async {
            let room = rooms.take(Lane::Items, 1).await.unwrap();
            (room, rooms.try_take(Lane::Items, 1))
        };
        let release = async {
            rooms.give_back(Lane::Items, 1);
            tokio::task::yield_now().await;
            rooms.give_back(Lane::Items, all - 1);
        };
        let (taken, _) = join(join(large, small), release).await;
        assert_eq!((taken.0.unwrap(), taken.1.0), (1000, 1));
    }

    #[test]
    fn nobody_waits_when_all_is_over() {
        let rooms = Rooms::new();
        rooms.try_take(Lane::Answers, ANSWERS).unwrap();
        rooms.close();
        assert!(rooms.take(Lane::Answers, 1).now_or_never().unwrap().is_err());
    }
}
