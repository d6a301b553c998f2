//! Who leads an election: read once, then one watch, on the leader's node alone while there is a leader.
//!
//! A watch on all candidates would tell of every one that comes and goes; the next leader is read when the one before has left.

use std::sync::Arc;

use reception_core::{ElectionName, Error, ErrorKind, Moment, Result};
use reception_kit::{Break, Holder, Source};
use tokio::sync::watch;
use zookeeper_client as zk;

use super::{First, first, line::sorted};
use crate::{
    error::{error, is_unclear, native},
    session::{Eye, Link, Session},
};

const OPERATION: &str = "observe";

/// The leader of one election.
#[derive(Debug)]
pub(crate) struct Observer {
    session: Arc<Session>,
    name: ElectionName,
    folder: String,
    eye: Option<Eye>,
    /// Looks at the node that names the leader, in a layout that has one.
    naming: Option<Eye>,
    link: watch::Receiver<Link>,
    /// The link of the last read.
    turn: u64,
    /// Something has changed that was not read yet.
    behind: bool,
}

impl Observer {
    pub(crate) fn new(session: &Arc<Session>, name: &ElectionName) -> Self {
        Self {
            session: Arc::clone(session),
            name: name.clone(),
            folder: session.paths.candidates(name),
            eye: None,
            naming: None,
            link: session.link.subscribe(),
            turn: 0,
            behind: false,
        }
    }

    async fn read(&mut self) -> Result<Holder> {
        let until = self.session.until();
        self.eye = None;
        self.naming = None;
        loop {
            self.turn = self.session.live(OPERATION, until).await?.turn;
            self.link.mark_unchanged();
            if let Some(path) = self.session.paths.leader(&self.name) {
                // First the watches: what changes after them is told.
                if !self.look_at_both(&path, until).await? {
                    continue;
                }
                let found = first(&self.session, OPERATION, until, &self.name, false).await?;
                self.behind = false;
                return Ok(Holder::from(found.map(|first| first.leader)));
            }
            let found = first(&self.session, OPERATION, until, &self.name, false).await?;
            let set = match &found {
                Some(First { path, .. }) => self.look_at(path, until).await?,
                None => self.look_around(until).await?,
            };
            if set {
                self.behind = false;
                return Ok(Holder::from(found.map(|first| first.leader)));
            }
        }
    }

    /// Watches the leader's node; false when it is gone.
    async fn look_at(&mut self, path: &str, until: Moment) -> Result<bool> {
        let live = self.session.live(OPERATION, until).await?;
        match self.session.send(OPERATION, until, live.client.get_and_watch_data(path)).await? {
            Ok((_, _, watcher)) => {
                self.eye = Some(Eye::new(&live, watcher));
                Ok(true)
            }
            Err(zk::Error::NoNode) => Ok(false),
            Err(wrong) if is_unclear(&wrong) => self.wait(until).await,
            Err(wrong) => Err(native(OPERATION, &format!("watching {path}"), wrong)),
        }
    }

    /// Watches the node that names the leader, and who is there; false when the link broke under it.
    async fn look_at_both(&mut self, path: &str, until: Moment) -> Result<bool> {
        let live = self.session.live(OPERATION, until).await?;
        match self.session.send(OPERATION, until, live.client.check_and_watch_stat(path)).await? {
            Ok((_, watcher)) => self.naming = Some(Eye::new(&live, watcher)),
            Err(wrong) if is_unclear(&wrong) => return self.wait(until).await,
            Err(wrong) => return Err(native(OPERATION, &format!("watching {path}"), wrong)),
        }
        match self.session.send(OPERATION, until, live.client.list_and_watch_children(&self.folder)).await? {
            Ok((_, watcher)) => self.eye = Some(Eye::new(&live, watcher)),
            // Without a folder there is no such node: its coming is told.
            Err(zk::Error::NoNode) => self.eye = None,
            Err(wrong) if is_unclear(&wrong) => return self.wait(until).await,
            Err(wrong) => return Err(native(OPERATION, &format!("watching {}", self.folder), wrong)),
        }
        Ok(true)
    }

    /// Waits for what the watches tell.
    async fn seen(&mut self) {
        match (&mut self.eye, &mut self.naming) {
            (Some(eye), Some(naming)) => tokio::select! {
                _ = eye.next() => {}
                _ = naming.next() => {}
            },
            (Some(eye), None) | (None, Some(eye)) => drop(eye.next().await),
            (None, None) => std::future::pending().await,
        }
    }

    /// Watches for the first candidate; false when one has come.
    async fn look_around(&mut self, until: Moment) -> Result<bool> {
        let live = self.session.live(OPERATION, until).await?;
        let listed = live.client.list_and_watch_children(&self.folder);
        match self.session.send(OPERATION, until, listed).await? {
            Ok((children, watcher)) => {
                self.eye = Some(Eye::new(&live, watcher));
                return Ok(sorted(&self.session.paths, children).is_empty());
            }
            Err(zk::Error::NoNode) => {}
            Err(wrong) if is_unclear(&wrong) => return self.wait(until).await,
            Err(wrong) => return Err(native(OPERATION, &format!("watching {}", self.folder), wrong)),
        }
        let looked = live.client.check_and_watch_stat(&self.folder);
        match self.session.send(OPERATION, until, looked).await? {
            Ok((stat, watcher)) => {
                self.eye = Some(Eye::new(&live, watcher));
                Ok(stat.is_none())
            }
            Err(wrong) if is_unclear(&wrong) => self.wait(until).await,
            Err(wrong) => Err(native(OPERATION, &format!("watching {}", self.folder), wrong)),
        }
    }

    async fn wait(&self, until: Moment) -> Result<bool> {
        self.session.left(OPERATION, until)?;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Ok(false)
    }

    /// The link as it is now broke what was read, or did not.
    fn broken(&mut self) -> Option<Error> {
        match &*self.link.borrow_and_update() {
            Link::Up(live) if live.turn == self.turn => None,
            Link::Down(Some(error)) | Link::Doubtful(_, error) => Some(error.clone()),
            _ => Some(error(ErrorKind::Unavailable, OPERATION, "the link was made anew")),
        }
    }
}

impl Source for Observer {
    type View = Holder;

    async fn list(&mut self) -> Result<Holder> {
        self.read().await
    }

    async fn resume(&mut self) -> Result<Holder, Break> {
        // One read tells as much as all changes since.
        self.read().await.map_err(Break::Failed)
    }

    async fn next(&mut self) -> Result<Holder, Break> {
        while !self.behind {
            if let Some(error) = self.broken() {
                return Err(Break::Failed(error));
            }
            if self.eye.is_none() && self.naming.is_none() {
                return Err(Break::Failed(error(ErrorKind::Unavailable, OPERATION, "no watch is set")));
            }
            let mut link = self.link.clone();
            tokio::select! {
                biased;
                changed = link.changed() => {
                    if changed.is_err() {
                        return Err(Break::Failed(self.session.supervisor.closed(OPERATION)));
                    }
                }
                () = self.seen() => self.behind = true,
            }
        }
        // Dropped here the read is made again: what is behind stays so until it was read.
        self.read().await.map_err(Break::Failed)
    }
}
