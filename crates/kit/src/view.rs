//! What a watch carries: a view of the store, and how a change turns one view into the next.

use std::fmt;

use reception_core::{Leader, Patch, Service, Snapshot, Status};

/// A view that is cheap to clone and changes by deltas.
///
/// The narrow form of a view is the part that readers see by default (instances with status Up).
/// It is kept once for all readers, and a change costs as much as the change, not as the view.
pub trait View: Clone + fmt::Debug + Send + Sync + 'static {
    /// Whether its key names an election, and not a service.
    const OF_ELECTION: bool = false;

    /// One change, or several composed.
    type Delta: Clone + fmt::Debug + Send + Sync;

    /// The view after the change.
    fn apply(&self, delta: &Self::Delta) -> Self;
    /// Both changes as one.
    fn then(first: &Self::Delta, later: &Self::Delta) -> Self::Delta;
    /// Whether a reader of this view would see the change.
    fn changes(&self, delta: &Self::Delta) -> bool;
    /// How many entries the view has.
    fn size(&self) -> usize {
        1
    }
    /// How many entries the change has.
    fn weight(_delta: &Self::Delta) -> usize {
        1
    }
    /// Records of others that could not be read (law L16).
    fn unreadable(&self) -> usize {
        0
    }
    /// The same, of the view after the change.
    fn unreadable_after(_delta: &Self::Delta) -> usize {
        0
    }
    /// Whether the view is its own narrow form.
    fn is_narrow(&self) -> bool {
        true
    }
    /// Whether the change is its own narrow form on a view that is.
    fn is_narrow_delta(_delta: &Self::Delta) -> bool {
        true
    }
    /// The narrow form of this view.
    #[must_use]
    fn narrow(&self) -> Self {
        self.clone()
    }
    /// The change as a reader of this narrow view sees it.
    fn narrow_delta(&self, delta: &Self::Delta) -> Self::Delta {
        delta.clone()
    }
}

impl View for Snapshot {
    type Delta = Patch;

    fn apply(&self, delta: &Patch) -> Self {
        Self::apply(self, delta)
    }

    fn then(first: &Patch, later: &Patch) -> Patch {
        first.then(later)
    }

    fn changes(&self, delta: &Patch) -> bool {
        !delta.is_empty() || delta.unreadable() != Self::unreadable(self)
    }

    fn size(&self) -> usize {
        self.len()
    }

    fn weight(delta: &Patch) -> usize {
        delta.upserted().len() + delta.removed().len()
    }

    fn unreadable(&self) -> usize {
        Self::unreadable(self)
    }

    fn unreadable_after(delta: &Patch) -> usize {
        delta.unreadable()
    }

    fn is_narrow(&self) -> bool {
        self.iter().all(|service| service.status() == Status::Up)
    }

    fn is_narrow_delta(delta: &Patch) -> bool {
        delta.upserted().iter().all(|service| service.status() == Status::Up)
    }

    fn narrow(&self) -> Self {
        let up = self.iter().filter(|service| service.status() == Status::Up).cloned();
        Self::new(self.name().clone(), self.revision(), up).with_unreadable(Self::unreadable(self))
    }

    fn narrow_delta(&self, delta: &Patch) -> Patch {
        let shown = |id: &str| self.get(id).is_some();
        let (up, hidden): (Vec<_>, Vec<_>) =
            delta.upserted().iter().partition(|service| service.status() == Status::Up);
        let left = hidden.into_iter().map(Service::id);
        let removed = delta.removed().iter().chain(left).filter(|id| shown(id.as_str()));
        Patch::new(delta.revision(), up.into_iter().cloned(), removed.cloned())
            .with_unreadable(delta.unreadable())
    }
}

/// Who leads an election: the view that an observation carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "backends make it and the kit is exempt from semver")]
pub struct Holder(pub Option<Leader>);

impl From<Option<Leader>> for Holder {
    fn from(leader: Option<Leader>) -> Self {
        Self(leader)
    }
}

impl View for Holder {
    const OF_ELECTION: bool = true;

    type Delta = Self;

    fn apply(&self, delta: &Self) -> Self {
        delta.clone()
    }

    fn then(_first: &Self, later: &Self) -> Self {
        later.clone()
    }

    fn changes(&self, delta: &Self) -> bool {
        self != delta
    }
}
