//! Which nodes of a service have which id, read once for all claims of this client that ask at one moment.
//!
//! A claim needs a read that begins after it asked. Those that ask while one is under way share the next one, so that a thousand claims cost
//! a few reads; and where the id stands in the record, a record is read once, since a number is never given twice while its folder lives.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use reception_core::{Moment, Result, ServiceId, ServiceName};
use tokio::sync;
use zookeeper_client as zk;

use super::OPERATION;
use crate::{
    layout::Child,
    session::Session,
    watch::{Found, read_all},
};

/// The nodes of each id, by their names.
pub(super) type Ids = BTreeMap<ServiceId, Vec<String>>;

/// The rosters of the services that this client registers in.
#[derive(Debug, Default)]
pub(crate) struct Rosters(Mutex<BTreeMap<String, Weak<Roster>>>);

impl Rosters {
    pub(super) fn of(&self, folder: &str) -> Arc<Roster> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.retain(|_, roster| roster.strong_count() > 0);
        let known = table.get(folder).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let made = Arc::new(Roster::default());
            table.insert(folder.to_owned(), Arc::downgrade(&made));
            made
        })
    }
}

/// The nodes of one service.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    asked: AtomicU64,
    last: sync::Mutex<Last>,
}

/// The last read.
#[derive(Debug, Default)]
struct Last {
    /// Who asked before it began.
    covers: u64,
    /// The transaction that made the folder.
    folder: i64,
    known: BTreeMap<String, ServiceId>,
    ids: Arc<Ids>,
}

impl Roster {
    /// The nodes as they are now or later.
    pub(super) async fn look(
        &self,
        session: &Arc<Session>,
        name: &ServiceName,
        folder: &str,
        until: Moment,
    ) -> Result<Arc<Ids>> {
        let ticket = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let locked = tokio::time::timeout(session.left(OPERATION, until)?, self.last.lock()).await;
        let Ok(mut last) = locked else { return Err(session.unanswered(OPERATION)) };
        if last.covers < ticket {
            let covers = self.asked.load(Ordering::SeqCst);
            last.read(session, name, folder, until).await?;
            last.covers = covers;
        }
        Ok(Arc::clone(&last.ids))
    }
}

impl Last {
    async fn read(
        &mut self,
        session: &Arc<Session>,
        name: &ServiceName,
        folder: &str,
        until: Moment,
    ) -> Result<()> {
        let look = |client: zk::Client| async move {
            // As of now: another server than the one that took a request may not know of it yet. Sent together, carried out in order.
            let synced = client.sync(folder);
            let listed = client.get_children(folder);
            match synced.await {
                Ok(()) | Err(zk::Error::NoNode) => {}
                Err(wrong) => return Err(wrong),
            }
            match listed.await {
                Ok((children, stat)) => Ok((children, stat.czxid)),
                Err(zk::Error::NoNode) => Ok((Vec::new(), 0)),
                Err(wrong) => Err(wrong),
            }
        };
        let (children, made) = session.read(OPERATION, until, &format!("listing {folder}"), look).await?;
        if self.folder != made {
            self.known.clear();
            self.folder = made;
        }
        let children: BTreeSet<String> = children.into_iter().collect();
        self.known.retain(|child, _| children.contains(child));
        let (layout, mut unknown) = (&session.paths.layout, Vec::new());
        for child in children {
            match layout.child(&child) {
                Child::Instance { .. } if self.known.contains_key(&child) => {}
                Child::Instance { id, .. } if session.paths.names_tell_ids() => {
                    self.known.insert(child, id);
                }
                Child::Instance { .. } => unknown.push(child),
                _ => {}
            }
        }
        for (child, found) in read_all(session, OPERATION, until, folder, unknown).await? {
            let (Found::Record { data, .. }, Child::Instance { id, .. }) = (found, layout.child(&child))
            else {
                continue;
            };
            // One that cannot be read yet is read again.
            if let Ok(service) = layout.decode(name, &id, &data) {
                self.known.insert(child, service.id().clone());
            }
        }
        let mut ids = Ids::new();
        for (child, id) in &self.known {
            ids.entry(id.clone()).or_default().push(child.clone());
        }
        self.ids = Arc::new(ids);
        Ok(())
    }
}
