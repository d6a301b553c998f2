//! Standing and withdrawing: the node of a candidate, found again by the id in its name, and the domain of its token.

use std::sync::Arc;

use reception_core::{ErrorKind, Moment, Result};
use uuid::Uuid;
use zookeeper_client as zk;

use super::{Candidacy, OPERATION, Own, PAUSE, sorted};
use crate::{
    elect::domain,
    error::{error, is_unclear, native},
    layout::{read_domain, write_domain},
    session::{Eye, Live, Session},
    watch::{children, read_one},
};

const TRIES: u32 = 8;

impl Candidacy {
    /// Makes our node in this session, or finds it made.
    pub(super) async fn stand(&mut self, live: &Live, until: Moment) -> Result<Own> {
        if let Some(own) = self.own.clone() {
            if own.session == live.id && self.eye.as_mut().is_some_and(Eye::is_quiet) {
                return Ok(own);
            }
            if own.session != live.id {
                // What the old session left may stand for a while.
                self.withdraw().await?;
                self.forget();
            }
        }
        self.domain = made_domain(&self.session, until).await?;
        for _ in 0..TRIES {
            let own = match self.own.clone() {
                Some(own) => Some(own),
                None if self.unsettled => self.find(live, until).await?,
                None => self.make(live, until).await?,
            };
            let Some(own) = own else { continue };
            if self.look(live, &own, until).await? {
                return Ok(own);
            }
        }
        Err(error(ErrorKind::Unavailable, OPERATION, format!("{} keeps changing", self.folder)))
    }

    async fn make(&mut self, live: &Live, until: Moment) -> Result<Option<Own>> {
        // Before the await: a future that is dropped there leaves a create on its way.
        self.unsettled = true;
        let options = zk::CreateMode::EphemeralSequential.with_acls(self.session.acls());
        let prefix = self.session.paths.candidate(&self.election, &self.id, self.guid);
        let made = live.client.create(&prefix, &self.value, &options);
        match self.session.send(OPERATION, until, made).await? {
            Ok((stat, sequence)) => {
                self.unsettled = false;
                let path = format!("{prefix}{sequence}");
                let own = Own { path, created: stat.czxid, session: live.id, ttl: live.ttl };
                self.own = Some(own.clone());
                Ok(Some(own))
            }
            Err(zk::Error::NoNode) => {
                self.unsettled = false;
                self.session.make_folder(OPERATION, until, &self.folder).await?;
                Ok(None)
            }
            Err(wrong) if is_unclear(&wrong) => Ok(None),
            Err(wrong) => {
                self.unsettled = false;
                Err(native(OPERATION, &format!("creating a candidate in {}", self.folder), wrong))
            }
        }
    }

    /// Looks for a node whose reply was lost.
    async fn find(&mut self, live: &Live, until: Moment) -> Result<Option<Own>> {
        let Some(path) = self.ours(until).await? else {
            self.unsettled = false;
            return Ok(None);
        };
        match read_one(&self.session, OPERATION, until, &path).await?.needed(OPERATION, &path)? {
            Some((_, stat)) if stat.ephemeral_owner == live.id => {
                self.unsettled = false;
                let own = Own { path, created: stat.czxid, session: live.id, ttl: live.ttl };
                self.own = Some(own.clone());
                Ok(Some(own))
            }
            // Of a session that is over: not a node to lead with.
            Some(_) => {
                self.withdraw().await?;
                self.forget();
                Ok(None)
            }
            None => {
                self.unsettled = false;
                Ok(None)
            }
        }
    }

    /// Sets a watch on our node; false when the link broke under it.
    async fn look(&mut self, live: &Live, own: &Own, until: Moment) -> Result<bool> {
        if self.eye.as_mut().is_some_and(Eye::is_quiet) {
            return Ok(true);
        }
        let looked = live.client.check_and_watch_stat(&own.path);
        match self.session.send(OPERATION, until, looked).await? {
            Ok((Some(stat), watcher)) if stat.czxid == own.created => {
                self.eye = Some(Eye::new(live, watcher));
                Ok(true)
            }
            Ok(_) => {
                self.forget();
                Err(Self::lost("the candidate's node was removed"))
            }
            Err(wrong) if is_unclear(&wrong) => Ok(false),
            Err(wrong) => Err(native(OPERATION, &format!("looking at {}", own.path), wrong)),
        }
    }

    /// The path of the node with our id in its name.
    async fn ours(&self, until: Moment) -> Result<Option<String>> {
        let prefix = self.session.paths.candidate(&self.election, &self.id, self.guid);
        // As of now: another server than the one that took the request may not know of it yet.
        let found = children(&self.session, OPERATION, until, &self.folder, true).await?;
        let paths =
            sorted(&self.session.paths, found).into_iter().map(|child| format!("{}/{child}", self.folder));
        Ok(paths.into_iter().find(|path| path.starts_with(&prefix)))
    }

    /// Removes our node, wherever it stands.
    pub(super) async fn withdraw(&mut self) -> Result<()> {
        const OPERATION: &str = "resign";
        let until = self.session.until();
        let known = self.own.as_ref().map(|own| own.path.clone()).filter(|_| !self.unsettled);
        loop {
            let path = match &known {
                Some(path) => Some(path.clone()),
                None => self.ours(until).await?,
            };
            let Some(path) = path else { return Ok(()) };
            let live = self.session.live(OPERATION, until).await?;
            match self.session.send(OPERATION, until, live.client.delete(&path, None)).await? {
                Ok(()) | Err(zk::Error::NoNode) => return Ok(()),
                Err(wrong) if is_unclear(&wrong) => tokio::time::sleep(PAUSE).await,
                Err(wrong) => return Err(native(OPERATION, &format!("removing {path}"), wrong)),
            }
        }
    }

    /// The next node is another one, with another id.
    pub(super) fn forget(&mut self) {
        self.own = None;
        self.eye = None;
        self.unsettled = false;
        self.guid = Uuid::new_v4();
        self.read_at = Moment::NEVER;
    }
}

/// The domain, written if nobody has.
async fn made_domain(session: &Arc<Session>, until: Moment) -> Result<[u8; 16]> {
    let known = domain(session, OPERATION, until).await?;
    if known != [0; 16] {
        return Ok(known);
    }
    let path = session.paths.domain();
    let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned();
    let text = write_domain(*Uuid::new_v4().as_bytes());
    for _ in 0..TRIES {
        let live = session.live(OPERATION, until).await?;
        let options = zk::CreateMode::Persistent.with_acls(session.acls());
        let made = live.client.create(&path, text.as_bytes(), &options);
        match session.send(OPERATION, until, made).await? {
            Ok(_) | Err(zk::Error::NodeExists) => {
                let record = read_one(session, OPERATION, until, &path).await?.needed(OPERATION, &path)?;
                if let Some((data, _)) = record {
                    let Some(domain) = read_domain(&data) else {
                        let text = format!("{path} does not hold 32 hex digits");
                        return Err(error(ErrorKind::Protocol, OPERATION, text));
                    };
                    session.note_domain(live.id, domain);
                    return Ok(domain);
                }
            }
            Err(zk::Error::NoNode) => session.make_folder(OPERATION, until, &folder).await?,
            Err(wrong) if is_unclear(&wrong) => {}
            Err(wrong) => return Err(native(OPERATION, &format!("creating {path}"), wrong)),
        }
    }
    Err(error(ErrorKind::Unavailable, OPERATION, format!("{path} could not be made")))
}
