//! Listing and watching.
//!
//! Implement `reception_kit::Source` on a type of this room; `reception_kit::Hub` shares one watch at the store among all
//! watchers of a client, and `reception_kit::SnapshotWatcher` is the stream that callers get.

use std::collections::BTreeSet;

use reception_core::{ListOptions, Result, ServiceName, Snapshot, WatchOptions, Watcher};

use crate::{error::unwritten, session::Session};

/// Reads the instances of a service.
pub(crate) async fn list(session: &Session, name: &ServiceName, _options: ListOptions) -> Result<Snapshot> {
    session.check("list")?;
    Err(unwritten("list", &format!("reading {}", session.layout.instances(name))))
}

/// Follows a service; returns at once.
pub(crate) fn watch(session: &Session, name: &ServiceName, _options: WatchOptions) -> Result<Box<dyn Watcher>> {
    session.check("watch")?;
    Err(unwritten("watch", &format!("following {}", session.layout.instances(name))))
}

/// The names of all services that have an instance.
pub(crate) async fn names(session: &Session) -> Result<BTreeSet<ServiceName>> {
    session.check("names")?;
    Err(unwritten("names", &format!("reading {}", session.layout.services())))
}
