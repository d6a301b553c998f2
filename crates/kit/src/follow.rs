//! The follow machine: what to do next for one upstream watch, and what its readers are told.
//!
//! The one place for reconnects. It does no I/O and reads no clock; `feed` feeds it inputs and
//! performs its actions.
//!
//! ```text
//!  begin ► Listing ── ok: Reset ──► Resuming ── ok ──► Following ── change: Delta ─┐
//!             ▲  │ error               ▲  │ break          │ break     ▲───────────┘
//!             │  └───────► Waiting ◄───┼──┴────────────────┘
//!             └── gap ────────┴── else ┘      leaving for Waiting: Stale, once until the next Reset
//! ```
//!
//! A gap that is found on resuming after a pause is listed without another one: the store has answered.
//!
//! Errors of kind Closed, Unsupported, NoRuntime and Internal end the stream (law L5).

use std::mem;

use reception_core::{Error, ErrorKind, Moment, Result};

use crate::{backoff::Backoff, feed::Break, mailbox::Event, view::View};

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Input<V: View> {
    Listed(Result<V>),
    Resumed(Result<V::Delta, Break>),
    Changed(Result<V::Delta, Break>),
    Tick,
}

/// What to do. At most one of List, Resume and Next is under way at any time.
#[derive(Clone, Debug)]
pub(crate) enum Action<V: View> {
    List,
    Resume,
    Next,
    Publish(Event<V>),
    /// The break is over or has begun: one reconnect to count.
    Broken(Error),
    End(Error),
}

#[derive(Debug)]
pub(crate) struct Follow<V: View> {
    backoff: Backoff,
    phase: Phase,
    view: Option<V>,
    stale: bool,
    following_since: Option<Moment>,
    out: Vec<Action<V>>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Listing,
    /// `listed`: nothing but the list was done since the last pause.
    Resuming {
        listed: bool,
    },
    Following,
    Waiting {
        at: Moment,
        relist: bool,
    },
    Ended,
}

impl<V: View> Follow<V> {
    pub(crate) fn new(backoff: Backoff) -> Self {
        Self {
            backoff,
            phase: Phase::Ended,
            view: None,
            stale: false,
            following_since: None,
            out: Vec::new(),
        }
    }

    pub(crate) fn begin(&mut self) -> Vec<Action<V>> {
        self.list();
        mem::take(&mut self.out)
    }

    pub(crate) fn step(&mut self, input: Input<V>, now: Moment) -> Vec<Action<V>> {
        match self.phase {
            Phase::Listing => self.listing(input, now),
            Phase::Resuming { listed } => self.resuming(listed, input, now),
            Phase::Following => self.following(input, now),
            Phase::Waiting { at, relist } => self.waiting(at, relist, &input, now),
            Phase::Ended => {}
        }
        mem::take(&mut self.out)
    }

    /// When the next `Tick` is due.
    pub(crate) fn deadline(&self) -> Moment {
        match self.phase {
            Phase::Waiting { at, .. } => at,
            _ => Moment::NEVER,
        }
    }

    fn listing(&mut self, input: Input<V>, now: Moment) {
        match input {
            Input::Listed(Ok(view)) => {
                self.reset(view);
                self.resume(true);
            }
            Input::Listed(Err(error)) => self.broken(error, true, now),
            _ => {}
        }
    }

    fn resuming(&mut self, listed: bool, input: Input<V>, now: Moment) {
        match input {
            Input::Resumed(Err(Break::Gap(error))) if !listed && !ends(&error) => {
                self.tell(error);
                self.list();
            }
            Input::Resumed(Ok(delta)) => {
                self.following_since = Some(now);
                self.take(&delta);
                self.next();
            }
            Input::Resumed(Err(reason)) => self.interrupted(reason, now),
            _ => {}
        }
    }

    fn following(&mut self, input: Input<V>, now: Moment) {
        match input {
            Input::Changed(Ok(delta)) => {
                self.take(&delta);
                self.next();
            }
            Input::Changed(Err(reason)) => self.interrupted(reason, now),
            _ => {}
        }
    }

    fn waiting(&mut self, at: Moment, relist: bool, input: &Input<V>, now: Moment) {
        if matches!(input, Input::Tick) && now >= at {
            if relist { self.list() } else { self.resume(false) }
        }
    }

    fn list(&mut self) {
        self.out.push(Action::List);
        self.phase = Phase::Listing;
    }

    fn resume(&mut self, listed: bool) {
        self.out.push(Action::Resume);
        self.phase = Phase::Resuming { listed };
    }

    fn next(&mut self) {
        self.out.push(Action::Next);
        self.phase = Phase::Following;
    }

    fn reset(&mut self, view: V) {
        self.stale = false;
        self.view = Some(view.clone());
        self.out.push(Action::Publish(Event::Reset(view)));
    }

    /// Takes a change into the view; the first one after a break is told as a whole view (law L4).
    fn take(&mut self, delta: &V::Delta) {
        let Some(view) = &self.view else { return };
        let next = view.apply(delta);
        if self.stale {
            return self.reset(next);
        }
        if view.changes(delta) {
            self.out.push(Action::Publish(Event::Delta(delta.clone())));
        }
        self.view = Some(next);
    }

    fn interrupted(&mut self, reason: Break, now: Moment) {
        match reason {
            Break::Gap(error) => self.broken(error, true, now),
            Break::Failed(error) => self.broken(error, false, now),
        }
    }

    fn broken(&mut self, error: Error, relist: bool, now: Moment) {
        if ends(&error) {
            self.phase = Phase::Ended;
            return self.out.push(Action::End(error));
        }
        if let Some(since) = self.following_since.take() {
            self.backoff.healthy(since, now);
        }
        let at = now.saturating_add(self.backoff.next(&error));
        self.tell(error);
        self.phase = Phase::Waiting { at, relist };
    }

    fn tell(&mut self, error: Error) {
        self.out.push(Action::Broken(error.clone()));
        if !mem::replace(&mut self.stale, true) {
            self.out.push(Action::Publish(Event::Stale(error)));
        }
    }
}

/// What ends a stream instead of making it stale (law L5).
fn ends(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Closed | ErrorKind::Internal | ErrorKind::NoRuntime | ErrorKind::Unsupported
    )
}

#[cfg(test)]
mod tests;
