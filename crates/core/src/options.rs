//! What a call may be told beyond its subject. Growth goes in here.

/// What to do when another owner holds the id (law L8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnConflict {
    /// Wait out an owner that is dying, as after a quick restart with a fixed id: at most the crash bound, then Conflict.
    #[default]
    Wait,
    /// Conflict at once.
    Fail,
    /// Take the id over at once; the other owner's registration ends with Conflict.
    Replace,
}

/// Options of [`Client::register_with`](crate::Client::register_with).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RegisterOptions {
    /// What to do when another owner holds the id; the default is to wait.
    pub on_conflict: OnConflict,
}

impl RegisterOptions {
    /// Sets what to do when another owner holds the id.
    #[must_use]
    pub fn on_conflict(mut self, on_conflict: OnConflict) -> Self {
        self.on_conflict = on_conflict;
        self
    }
}

/// Options of [`Client::list_with`](crate::Client::list_with).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ListOptions {
    /// Whether to show instances whose status is not Up; the default is not to.
    pub any_status: bool,
}

impl ListOptions {
    /// Sets whether to show instances whose status is not Up.
    #[must_use]
    pub fn any_status(mut self, any_status: bool) -> Self {
        self.any_status = any_status;
        self
    }
}

/// Options of [`Client::watch_with`](crate::Client::watch_with).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WatchOptions {
    /// Whether to show instances whose status is not Up; the default is not to.
    pub any_status: bool,
}

impl WatchOptions {
    /// Sets whether to show instances whose status is not Up.
    #[must_use]
    pub fn any_status(mut self, any_status: bool) -> Self {
        self.any_status = any_status;
        self
    }
}

/// Options of [`Client::elector_with`](crate::Client::elector_with); none yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ElectOptions {}
