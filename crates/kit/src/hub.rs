//! One upstream watch per key, and any number of readers of it inside this process (law L17).
//!
//! The first reader of a key opens its room and starts the upstream; when the last one leaves, the
//! upstream stops. Locks are taken in the order hub, room, seat.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use reception_core::{Clock, Error, Result};

use crate::{
    backoff::Backoff,
    feed::{Source, Upstream},
    mailbox::Event,
    room::{Room, Rooms, SharedSeat, lock},
    signal,
    supervise::{Lifeline, Supervisor, closed},
    view::View,
};

/// The watches of one client: one upstream for each key, whatever the number of readers.
pub struct Hub<K, S: Source> {
    supervisor: Supervisor,
    clock: Clock,
    backoff: Backoff,
    rooms: Rooms<K, S::View>,
}

impl<K, S> Hub<K, S>
where
    K: Ord + Clone + fmt::Display + Send + 'static,
    S: Source,
{
    /// A hub without readers.
    #[must_use]
    pub fn new(supervisor: Supervisor, clock: Clock, backoff: Backoff) -> Self {
        Self { supervisor, clock, backoff, rooms: Rooms::default() }
    }

    /// Reads `key`: the first reader starts its upstream with the source that `make` returns, a later
    /// one gets the current view at once.
    pub fn subscribe(&self, key: K, lifeline: Lifeline, make: impl FnOnce() -> S) -> Feed<S::View> {
        let (room, seat) = {
            let mut rooms = lock(&self.rooms);
            if let Some((room, seat)) = rooms.get(&key).and_then(|room| Some((room, room.enter()?))) {
                return Feed::new(Arc::clone(room), seat, lifeline);
            }
            let (room, seat) = Room::open();
            rooms.insert(key.clone(), Arc::clone(&room));
            (room, seat)
        };
        let signal = signal::Watch::new::<S::View>(self.supervisor.backend(), &key);
        let end = closed(self.supervisor.backend(), "watch");
        let publisher = Publisher { key, end, room: Arc::clone(&room), rooms: Arc::clone(&self.rooms) };
        let upstream = Upstream {
            source: make(),
            clock: self.clock.clone(),
            backoff: self.backoff.clone(),
            closing: self.supervisor.closing(),
            stop: room.stop(),
            signal,
        };
        // With the hub unlocked: a task that is dropped unrun drops its publisher, which takes that lock.
        self.supervisor.spawn("watch", upstream.run(publisher));
        Feed::new(room, seat, lifeline)
    }

    /// How many upstreams are open.
    #[must_use]
    pub fn upstreams(&self) -> usize {
        lock(&self.rooms).values().filter(|room| room.is_open()).count()
    }
}

impl<K, S: Source> Clone for Hub<K, S> {
    fn clone(&self) -> Self {
        Self {
            supervisor: self.supervisor.clone(),
            clock: self.clock.clone(),
            backoff: self.backoff.clone(),
            rooms: Arc::clone(&self.rooms),
        }
    }
}

impl<K: fmt::Debug, S: Source> fmt::Debug for Hub<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("keys", &lock(&self.rooms).keys()).finish_non_exhaustive()
    }
}

/// The upstream's side of a room. Its Drop ends every reader with Closed, whyever the task is gone.
pub(crate) struct Publisher<K: Ord, V: View> {
    key: K,
    end: Error,
    room: Arc<Room<V>>,
    rooms: Rooms<K, V>,
}

impl<K: Ord, V: View> Publisher<K, V> {
    pub(crate) fn publish(&self, event: &Event<V>) {
        self.room.publish(event);
    }

    pub(crate) fn end(mut self, error: Error) {
        self.end = error;
    }
}

impl<K: Ord, V: View> Drop for Publisher<K, V> {
    fn drop(&mut self) {
        {
            let mut rooms = lock(&self.rooms);
            if rooms.get(&self.key).is_some_and(|room| Arc::ptr_eq(room, &self.room)) {
                rooms.remove(&self.key);
            }
        }
        self.room.end(&self.end);
    }
}

/// One reader's stream of a key.
///
/// Items that were not taken are composed, so that it holds no more than the set itself. It ends
/// after an `Err`, which is Closed unless the store said otherwise.
pub struct Feed<V: View> {
    room: Arc<Room<V>>,
    seat: SharedSeat<V>,
    view: Option<V>,
    _lifeline: Lifeline,
}

impl<V: View> Feed<V> {
    fn new(room: Arc<Room<V>>, seat: SharedSeat<V>, lifeline: Lifeline) -> Self {
        Self { room, seat, view: None, _lifeline: lifeline }
    }

    /// The view after the last item that was taken.
    #[must_use]
    pub fn view(&self) -> Option<&V> {
        self.view.as_ref()
    }

    /// The same feed in its narrow form; call it before the first item is taken.
    #[must_use]
    pub fn narrowed(self) -> Self {
        self.room.narrow(&self.seat);
        self
    }
}

/// Nothing in it is ever pinned.
impl<V: View> Unpin for Feed<V> {}

impl<V: View> Stream for Feed<V> {
    type Item = Result<Event<V>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut replaced = None;
        let taken = lock(&self.seat).poll(context, &mut replaced);
        drop(replaced);
        taken.map(|item| {
            let (event, view) = match item? {
                Ok(taken) => taken,
                Err(error) => return Some(Err(error)),
            };
            if view.is_some() {
                self.view = view;
            }
            Some(Ok(event))
        })
    }
}

impl<V: View> Drop for Feed<V> {
    fn drop(&mut self) {
        self.room.leave(&self.seat);
    }
}

impl<V: View> fmt::Debug for Feed<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("view", &self.view).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
