//! Instances whose nodes the server numbers: of several nodes of one id the one with the lowest number owns it.
//!
//! A claim looks for nodes of its id, makes its own, and looks again: whoever finds an older node withdraws its own.
//! A create whose reply was lost is found again among the nodes of this session, so that it leaves no twin.

use reception_core::{Moment, OnConflict, Result};
use reception_kit::Attempt;
use zookeeper_client as zk;

use super::{OPERATION, Place, Step, replacing::reason};
use crate::{
    error::{is_unclear, native},
    layout::Child,
    session::{Eye, Live},
    watch::read_all,
};

/// A node that has our id.
#[derive(Debug)]
struct Node {
    number: u32,
    path: String,
    stat: zk::Stat,
}

impl Place {
    /// Makes a node of ours, if the id is free or to be taken.
    pub(super) async fn claim(
        &mut self,
        live: &Live,
        record: &[u8],
        attempt: Attempt,
        until: Moment,
    ) -> Result<Step> {
        self.standing = None;
        let nodes = self.nodes(until).await?;
        if !nodes.is_empty() {
            return self.face(live, record, attempt, nodes, until).await;
        }
        let Some(prefix) = self.prefix.clone() else { return Ok(Step::Again) };
        self.unsettled = true;
        let options = zk::CreateMode::EphemeralSequential.with_acls(self.session.acls());
        let made = live.client.create(&prefix, record, &options);
        match self.session.send(OPERATION, until, made).await? {
            Ok((stat, number)) => {
                self.path = format!("{prefix}{number}");
                let step = self.confirm(live, until).await?;
                if matches!(step, Step::Done) {
                    self.stands(live, &stat);
                }
                self.unsettled = false;
                Ok(step)
            }
            Err(zk::Error::NoNode) => {
                self.unsettled = false;
                self.session.make_folder(OPERATION, until, &self.folder).await?;
                Ok(Step::Again)
            }
            Err(wrong) if is_unclear(&wrong) => self.pause(until).await,
            Err(wrong) => {
                self.unsettled = false;
                Err(native(OPERATION, &format!("creating {prefix}"), wrong))
            }
        }
    }

    /// Looks whether somebody was faster.
    async fn confirm(&self, live: &Live, until: Moment) -> Result<Step> {
        let rivals = self.nodes(until).await?;
        let rivals = rivals.iter().take_while(|node| node.path != self.path);
        let rivals: Vec<_> = rivals.filter(|node| Some(node.number) < self.number(&self.path)).collect();
        if rivals.is_empty() {
            return Ok(Step::Done);
        }
        self.delete(live, &self.path, until).await?;
        Ok(Step::Again)
    }

    /// Something has our id already.
    async fn face(
        &mut self,
        live: &Live,
        record: &[u8],
        attempt: Attempt,
        mut nodes: Vec<Node>,
        until: Moment,
    ) -> Result<Step> {
        let ours = |node: &Node| self.unsettled && node.stat.ephemeral_owner == live.id;
        let first = nodes.iter().position(ours);
        if first == Some(0) {
            // What an earlier try of ours made, with a record that may be another one; a twin of it is removed.
            for twin in nodes.split_off(1).into_iter().filter(|node| node.stat.ephemeral_owner == live.id) {
                self.delete(live, &twin.path, until).await?;
            }
            let Some(node) = nodes.pop() else { return Ok(Step::Again) };
            self.unsettled = false;
            self.path.clone_from(&node.path);
            self.stands(live, &node.stat);
            let Some(standing) = self.standing.clone() else { return Ok(Step::Again) };
            return Ok(self.compare(live, &standing, record, until).await?.unwrap_or(Step::Again));
        }
        if first.is_some() {
            for node in nodes.extract_if(.., |node| node.stat.ephemeral_owner == live.id) {
                self.delete(live, &node.path, until).await?;
            }
        }
        self.unsettled = false;
        let replaces = attempt == Attempt::First(OnConflict::Replace);
        let past = |owner: i64| owner != 0 && self.session.was_ours(owner);
        if nodes.iter().all(|node| replaces || past(node.stat.ephemeral_owner)) {
            return self.supplant(live, record, &nodes, until).await;
        }
        let rival = nodes.iter().find(|node| !past(node.stat.ephemeral_owner));
        if let Some(Node { path, .. }) = rival {
            // It tells when the id is free.
            let looked = live.client.check_and_watch_stat(path);
            if let Ok((Some(_), watcher)) = self.session.send(OPERATION, until, looked).await? {
                self.eye = Some(Eye::new(live, watcher));
            }
        }
        Err(self.conflict())
    }

    /// Puts our node in the place of these, in one transaction.
    async fn supplant(&mut self, live: &Live, record: &[u8], nodes: &[Node], until: Moment) -> Result<Step> {
        let Some(prefix) = self.prefix.clone() else { return Ok(Step::Again) };
        self.eye = None;
        self.unsettled = true;
        let failed = |wrong| native(OPERATION, "replacing a record", wrong);
        let mut transaction = live.client.new_multi_writer();
        let options = zk::CreateMode::EphemeralSequential.with_acls(self.session.acls());
        // Ours first: whoever is woken by a deletion finds the id all the same.
        transaction.add_create(&prefix, record, &options).map_err(failed)?;
        for node in nodes {
            transaction.add_delete(&node.path, Some(node.stat.version)).map_err(failed)?;
        }
        let commit = transaction.commit();
        let answer = async { commit.await.map_err(reason) };
        match self.session.send(OPERATION, until, answer).await? {
            // The next look finds what it made.
            Ok(_) => Ok(Step::Again),
            // Somebody was faster.
            Err(zk::Error::NoNode | zk::Error::BadVersion) => {
                self.unsettled = false;
                Ok(Step::Again)
            }
            Err(wrong) if is_unclear(&wrong) => self.pause(until).await,
            Err(wrong) => {
                self.unsettled = false;
                Err(native(OPERATION, &format!("replacing records in {}", self.folder), wrong))
            }
        }
    }

    /// Removes what a create of ours has left whose reply was lost.
    pub(super) async fn sweep(&mut self, until: Moment) -> Result<()> {
        let prefix = self.prefix.clone().unwrap_or_default();
        // A prefix with a mark is that of this registration alone.
        let marked = prefix.contains(&self.guid.simple().to_string());
        for node in self.nodes(until).await? {
            let live = self.session.live(OPERATION, until).await?;
            let owner = node.stat.ephemeral_owner;
            let ours = owner != 0 && (owner == live.id || self.session.was_ours(owner));
            if ours && (self.leave() || (marked && node.path.starts_with(&prefix))) {
                self.delete(&live, &node.path, until).await?;
            }
        }
        self.unsettled = false;
        Ok(())
    }

    fn number(&self, path: &str) -> Option<u32> {
        let name = path.rsplit('/').next()?;
        match self.session.paths.layout.child(name) {
            Child::Instance { number, .. } => Some(number),
            _ => None,
        }
    }

    /// The nodes that have our id, the oldest first.
    async fn nodes(&self, until: Moment) -> Result<Vec<Node>> {
        let ids = self.roster.look(&self.session, &self.name, &self.folder, until).await?;
        let names = ids.get(&self.id).cloned().unwrap_or_default();
        let mut nodes = Vec::new();
        for (child, found) in read_all(&self.session, OPERATION, until, &self.folder, names).await? {
            let path = format!("{}/{child}", self.folder);
            let record = found.needed(OPERATION, &path)?;
            let (Some((_, stat)), Some(number)) = (record, self.number(&child)) else { continue };
            nodes.push(Node { number, path, stat });
        }
        nodes.sort_by_key(|node| node.number);
        Ok(nodes)
    }

    async fn delete(&self, live: &Live, path: &str, until: Moment) -> Result<()> {
        match self.session.send(OPERATION, until, live.client.delete(path, None)).await? {
            Ok(()) | Err(zk::Error::NoNode) => Ok(()),
            // Of a link that broke too: the keeper tries again.
            Err(wrong) => Err(native(OPERATION, &format!("removing {path}"), wrong)),
        }
    }
}
