//! What the readers of one key share: the view, its narrow form, and a seat each.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use reception_core::{Error, ErrorKind, Result};
use tokio_util::sync::CancellationToken;

use crate::{
    mailbox::{Event, Mailbox, Taken},
    view::View,
};

/// Rooms by key; one that nobody may enter any more is replaced.
pub(crate) type Rooms<K, V> = Arc<Mutex<BTreeMap<K, Arc<Room<V>>>>>;
pub(crate) type SharedSeat<V> = Arc<Mutex<Seat<V>>>;

pub(crate) struct Room<V: View> {
    /// Cancelled when the last reader has left.
    stop: CancellationToken,
    state: Mutex<State<V>>,
}

struct State<V: View> {
    view: Option<V>,
    narrow: Narrow<V>,
    stale: Option<Error>,
    seats: Vec<SharedSeat<V>>,
    open: bool,
}

/// The narrow form of the view. Most views are their own, and then nothing is kept twice.
enum Narrow<V> {
    Same,
    Own(V),
}

/// A change as narrow readers see it, where that differs.
struct NarrowDelta<D> {
    delta: D,
    visible: bool,
}

/// One reader's place.
pub(crate) struct Seat<V: View> {
    mailbox: Mailbox<V>,
    narrow: bool,
    over: bool,
    end: Option<Error>,
    waker: Option<Waker>,
}

impl<V: View> Room<V> {
    /// A room with its first reader.
    pub(crate) fn open() -> (Arc<Self>, SharedSeat<V>) {
        let seat = Seat::shared(Mailbox::new());
        let seats = vec![Arc::clone(&seat)];
        let state = State { view: None, narrow: Narrow::Same, stale: None, seats, open: true };
        (Arc::new(Self { stop: CancellationToken::new(), state: Mutex::new(state) }), seat)
    }

    pub(crate) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    pub(crate) fn is_open(&self) -> bool {
        lock(&self.state).open
    }

    /// A seat where the current view waits; none when the room is over.
    pub(crate) fn enter(&self) -> Option<SharedSeat<V>> {
        let mut state = lock(&self.state);
        if !state.open {
            return None;
        }
        let seat = Seat::shared(state.welcome(false));
        state.seats.push(Arc::clone(&seat));
        Some(seat)
    }

    /// Starts the seat over with the narrow view.
    pub(crate) fn narrow(&self, seat: &SharedSeat<V>) {
        let state = lock(&self.state);
        let mut seat = lock(seat);
        seat.narrow = true;
        if !seat.over {
            seat.mailbox = state.welcome(true);
        }
    }

    pub(crate) fn leave(&self, seat: &SharedSeat<V>) {
        let mut state = lock(&self.state);
        state.seats.retain(|other| !Arc::ptr_eq(other, seat));
        let empty = state.seats.is_empty();
        state.open &= !empty;
        drop(state);
        if empty {
            self.stop.cancel();
        }
    }

    /// Wakes only after every lock is free: a waker may run its reader on the spot.
    pub(crate) fn publish(&self, event: &Event<V>) {
        let wakers = lock(&self.state).publish(event);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Tells every reader how it ended; readers of a closed client are told nothing else any more.
    pub(crate) fn end(&self, error: &Error) {
        let seats = {
            let mut state = lock(&self.state);
            state.open = false;
            mem::take(&mut state.seats)
        };
        for seat in seats {
            let waker = lock(&seat).end(error);
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl<V: View> State<V> {
    /// What a reader that comes late has to know.
    fn welcome(&self, narrow: bool) -> Mailbox<V> {
        let mut mailbox = Mailbox::new();
        if let Some(view) = self.view_for(narrow) {
            mailbox.reset(view);
        }
        if let Some(error) = &self.stale {
            mailbox.stale(error.clone());
        }
        mailbox
    }

    fn view_for(&self, narrow: bool) -> Option<V> {
        match &self.narrow {
            Narrow::Own(view) if narrow => Some(view.clone()),
            _ => self.view.clone(),
        }
    }

    fn publish(&mut self, event: &Event<V>) -> Vec<Waker> {
        let narrow_delta = self.take(event);
        let mut wakers = Vec::with_capacity(self.seats.len());
        for shared in &self.seats {
            let mut seat = lock(shared);
            let own = narrow_delta.as_ref().filter(|_| seat.narrow);
            if own.is_some_and(|narrow| !narrow.visible) {
                continue;
            }
            let view = self.view_for(seat.narrow);
            match (event, view) {
                (Event::Stale(error), _) => seat.mailbox.stale(error.clone()),
                (Event::Reset(_), Some(view)) => seat.mailbox.reset(view),
                (Event::Delta(delta), Some(view)) => {
                    seat.mailbox.delta(own.map_or(delta, |narrow| &narrow.delta), view);
                }
                (_, None) => continue,
            }
            wakers.extend(seat.waker.take());
        }
        wakers
    }

    /// Moves both views on.
    fn take(&mut self, event: &Event<V>) -> Option<NarrowDelta<V::Delta>> {
        match event {
            Event::Stale(error) => self.stale = Some(error.clone()),
            Event::Reset(view) => {
                self.stale = None;
                self.narrow = if view.is_narrow() { Narrow::Same } else { Narrow::Own(view.narrow()) };
                self.view = Some(view.clone());
            }
            Event::Delta(delta) => {
                let before = self.view.take()?;
                self.view = Some(before.apply(delta));
                let shown = match mem::replace(&mut self.narrow, Narrow::Same) {
                    Narrow::Same if V::is_narrow_delta(delta) => return None,
                    Narrow::Same => before,
                    Narrow::Own(view) => view,
                };
                let delta = shown.narrow_delta(delta);
                let visible = shown.changes(&delta);
                self.narrow = Narrow::Own(shown.apply(&delta));
                return Some(NarrowDelta { delta, visible });
            }
        }
        None
    }
}

impl<V: View> Seat<V> {
    fn shared(mailbox: Mailbox<V>) -> SharedSeat<V> {
        Arc::new(Mutex::new(Self { mailbox, narrow: false, over: false, end: None, waker: None }))
    }

    fn end(&mut self, error: &Error) -> Option<Waker> {
        if error.kind() == ErrorKind::Closed {
            self.mailbox = Mailbox::new();
        }
        self.over = true;
        self.end = Some(error.clone());
        self.waker.take()
    }

    /// The next item. A waker that this poll replaces is foreign code: the caller drops it once every lock is free.
    pub(crate) fn poll(
        &mut self,
        context: &Context<'_>,
        replaced: &mut Option<Waker>,
    ) -> Poll<Option<Result<Taken<V>>>> {
        if let Some(taken) = self.mailbox.pop() {
            return Poll::Ready(Some(Ok(taken)));
        }
        if self.over {
            return Poll::Ready(self.end.take().map(Err));
        }
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *replaced = self.waker.replace(context.waker().clone());
        }
        Poll::Pending
    }
}

/// A lock is never held over foreign code, so that poison means nothing here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
