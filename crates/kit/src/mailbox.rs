//! What one reader has not taken yet: at most one Stale and one Reset or composed Delta.

use std::mem;

use reception_core::Error;

use crate::view::View;

/// An item of a feed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<V: View> {
    /// The whole view: first, after any gap, and always the next good item after Stale.
    Reset(V),
    /// The difference to the view before.
    Delta(V::Delta),
    /// The view may be old; keep using it.
    Stale(Error),
}

/// An item, and the view after it where that is another.
pub(crate) type Taken<V> = (Event<V>, Option<V>);

/// Changes are composed when they are taken, or when they have become more than the view and this.
const SMALL: usize = 64;

#[derive(Debug)]
pub(crate) struct Mailbox<V: View> {
    good: Option<Good<V>>,
    stale: Option<Error>,
    /// Which of the two comes first when both wait.
    stale_first: bool,
}

#[derive(Debug)]
struct Good<V: View> {
    /// The view after it.
    view: V,
    /// How to get there; none when the view is handed out whole.
    changes: Option<Changes<V::Delta>>,
}

#[derive(Debug)]
struct Changes<D> {
    deltas: Vec<D>,
    weight: usize,
}

impl<V: View> Mailbox<V> {
    pub(crate) const fn new() -> Self {
        Self { good: None, stale: None, stale_first: false }
    }

    /// Only the latest whole view matters: it takes the place of what waited, but stays behind a Stale.
    pub(crate) fn reset(&mut self, view: V) {
        self.good = Some(Good { view, changes: None });
        self.stale_first = self.stale.is_some();
    }

    /// `view` is the view after the change.
    pub(crate) fn delta(&mut self, delta: &V::Delta, view: V) {
        let nothing = Changes { deltas: Vec::new(), weight: 0 };
        let waiting = self.good.take().map_or(Some(nothing), |good| good.changes);
        let changes = waiting.and_then(|mut changes| {
            changes.deltas.push(delta.clone());
            changes.weight += V::weight(delta);
            changes.within(&view)
        });
        self.good = Some(Good { view, changes });
    }

    /// A Stale behind a good item that waits makes an older one before it pointless.
    pub(crate) fn stale(&mut self, error: Error) {
        self.stale = Some(error);
        self.stale_first = self.good.is_none();
    }

    pub(crate) fn pop(&mut self) -> Option<Taken<V>> {
        if (self.stale_first || self.good.is_none()) && self.stale.is_some() {
            self.stale_first = false;
            return self.stale.take().map(|error| (Event::Stale(error), None));
        }
        let Good { view, changes } = self.good.take()?;
        let event = changes
            .and_then(|changes| compose::<V>(changes.deltas))
            .map_or_else(|| Event::Reset(view.clone()), Event::Delta);
        Some((event, Some(view)))
    }
}

impl<D: Clone> Changes<D> {
    /// Composes when there is too much; none when even that is more than the view.
    ///
    /// Ids that came and went while a reader slept stay in its composed change: without this bound it
    /// would grow for ever.
    fn within<V: View<Delta = D>>(mut self, view: &V) -> Option<Self> {
        let most = view.size().max(SMALL);
        if self.weight <= most.saturating_mul(2) {
            return Some(self);
        }
        let composed = compose::<V>(mem::take(&mut self.deltas))?;
        let weight = V::weight(&composed);
        (weight <= most).then(|| Self { deltas: vec![composed], weight })
    }
}

/// In pairs, so that many small changes cost what they weigh and not its square.
fn compose<V: View>(mut deltas: Vec<V::Delta>) -> Option<V::Delta> {
    while deltas.len() > 1 {
        let pairs = deltas.chunks(2).map(|pair| match pair {
            [first, later] => V::then(first, later),
            rest => rest[0].clone(),
        });
        deltas = pairs.collect();
    }
    deltas.pop()
}

#[cfg(test)]
mod tests;
