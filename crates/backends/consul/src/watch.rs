//! Reading the instances of a service: one question that the agent holds back until something changes, and then the whole list.
//!
//! Rules of the index: it starts at none; an answer with a smaller one, or with none, starts over; it is never used again after an error; and it belongs
//! to one question alone. Of the list only what differs from the last one is read: see `table`.

mod table;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use reception_core::{ErrorKind, Patch, Result, ServiceName, Snapshot};
use reception_kit::{Break, Source};

use table::{Changes, Table};

use crate::{
    error::error,
    http::{Answer, Path},
    session::{Brake, Session},
};

const OPERATION: &str = "watch";
/// A server that gives no index would answer at once for ever.
const WITHOUT_INDEX: Duration = Duration::from_secs(1);

/// The instances of one service.
#[derive(Debug)]
pub(crate) struct Instances {
    session: Arc<Session>,
    name: ServiceName,
    service: String,
    table: Table,
    index: u64,
    naming: Naming,
    brake: Brake,
    /// Grows with every view.
    revision: u64,
}

/// Whether the name of our agent's node is to be asked for, because ids stand at several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    Needless,
    Wanted,
    /// The agent does not tell it.
    Denied,
}

/// Reads all instances of a service, of any status.
pub(crate) async fn list(session: &Arc<Session>, name: &ServiceName) -> Result<Snapshot> {
    const OPERATION: &str = "list";
    session.check_enterprise(OPERATION).await?;
    let service = session.names.service(name);
    let how = |path: Path| path.flag("consistent");
    let answer = session.http.health(OPERATION, &service, how, session.timeout()).await?;
    let mut table = Table::new(name, &session.names);
    let node = session.known_node();
    table.take(OPERATION, &answer.body, node.as_deref())?;
    if node.is_none()
        && table.is_tangled()
        && let Ok(node) = session.node(OPERATION).await
    {
        table.rename(&node);
    }
    Ok(table.snapshot(answer.index))
}

/// The services that have instances.
pub(crate) async fn names(session: &Arc<Session>) -> Result<BTreeSet<ServiceName>> {
    session.check_enterprise("names").await?;
    let all = session.http.service_names("names", session.timeout()).await?;
    Ok(all.iter().filter_map(|name| session.names.known_as(name)).collect())
}

impl Instances {
    pub(crate) fn new(session: &Arc<Session>, name: &ServiceName) -> Self {
        Self {
            session: Arc::clone(session),
            name: name.clone(),
            service: session.names.service(name),
            table: Table::new(name, &session.names),
            index: 0,
            naming: Naming::Needless,
            brake: Brake::new(),
            revision: 0,
        }
    }

    async fn ask(&mut self) -> Result<Answer> {
        let path = Path::of("health/service").then(&self.service);
        let answer = self.session.wait_for(OPERATION, path, self.index).await?;
        if answer.status.is_success() {
            return answer.seen(OPERATION, &self.service);
        }
        Err(answer.refusal(OPERATION, &format!("watching {}", self.service)))
    }

    /// Takes an answer in; what differs from the last one.
    fn take(&mut self, answer: &Answer) -> Result<Patch> {
        // Only to tell instances of one id on two nodes apart.
        let node = self.session.known_node();
        let changes = self.table.take(OPERATION, &answer.body, node.as_deref())?;
        if self.naming == Naming::Needless && node.is_none() && self.table.is_tangled() {
            self.naming = Naming::Wanted;
        }
        Ok(self.patch(changes))
    }

    /// Asks for our agent's node, and names again what stands at several.
    async fn rename(&mut self) -> Patch {
        let node = self.session.node(OPERATION).await;
        self.naming = if node.is_ok() { Naming::Needless } else { Naming::Denied };
        let changes = node.map(|node| self.table.rename(&node)).unwrap_or_default();
        self.patch(changes)
    }

    fn patch(&mut self, (written, gone): Changes) -> Patch {
        self.revision += 1;
        Patch::new(self.revision, written, gone).with_unreadable(self.table.unreadable())
    }
}

impl Source for Instances {
    type View = Snapshot;

    async fn list(&mut self) -> Result<Snapshot> {
        self.index = 0;
        self.naming = Naming::Needless;
        self.table = Table::new(&self.name, &self.session.names);
        self.session.check_enterprise(OPERATION).await?;
        let answer = self.ask().await?;
        self.take(&answer)?;
        if self.naming == Naming::Wanted {
            self.rename().await;
        }
        self.index = answer.index;
        Ok(self.table.snapshot(self.revision))
    }

    async fn resume(&mut self) -> Result<Patch, Break> {
        if self.index > 0 {
            // Just listed.
            return Ok(Patch::new(self.revision, Vec::new(), []).with_unreadable(self.table.unreadable()));
        }
        let answer = self.ask().await.map_err(Break::Failed)?;
        let patch = self.take(&answer).map_err(Break::Failed)?;
        self.index = answer.index;
        Ok(patch)
    }

    async fn next(&mut self) -> Result<Patch, Break> {
        loop {
            if self.naming == Naming::Wanted {
                let patch = self.rename().await;
                if !patch.is_empty() {
                    return Ok(patch);
                }
            }
            if self.index == 0 {
                tokio::time::sleep(WITHOUT_INDEX).await;
            }
            self.brake.pass().await;
            let before = self.index;
            let answer = match self.ask().await {
                Ok(answer) => answer,
                Err(failed) => {
                    self.index = 0;
                    return Err(Break::Failed(failed));
                }
            };
            if before > 0 && answer.index < before {
                self.index = 0;
                let text = format!("the index went back from {before} to {}", answer.index);
                return Err(Break::Gap(error(ErrorKind::Unavailable, OPERATION, text)));
            }
            if answer.index == before && before > 0 {
                // Nothing has changed in all that time.
                continue;
            }
            let unreadable = self.table.unreadable();
            let patch = match self.take(&answer) {
                Ok(patch) => patch,
                Err(failed) => {
                    self.index = 0;
                    return Err(Break::Failed(failed));
                }
            };
            self.index = answer.index;
            if !patch.is_empty() || patch.unreadable() != unreadable {
                return Ok(patch);
            }
        }
    }
}
