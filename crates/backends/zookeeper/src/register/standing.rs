//! A record that stands: written over, and looked at again.

use std::time::Duration;

use futures_util::future::join;
use reception_core::{Error, ErrorKind, Moment, Result};
use reception_kit::{Attempt, News};
use zookeeper_client as zk;

use super::{OPERATION, Place, Standing, Step};
use crate::{
    error::{error, is_unclear, native},
    session::{Eye, Link, Live},
};

/// What a look at our node shows.
enum Sight {
    Ours(zk::Stat),
    /// On our session, and what it says is somebody else's.
    Written,
    /// On another session.
    Replaced,
    Gone,
}

/// The pause before a look that failed is made again.
const AGAIN: Duration = Duration::from_secs(1);

impl Place {
    /// Brings our record to what is wanted.
    pub(super) async fn rewrite(
        &mut self,
        live: &Live,
        standing: &Standing,
        record: &[u8],
        attempt: Attempt,
        until: Moment,
    ) -> Result<Step> {
        if attempt == Attempt::Repair
            && !self.unsettled
            && let Some(step) = self.compare(live, standing, record, until).await?
        {
            return Ok(step);
        }
        let version = self.standing.as_ref().map_or(standing.version, |known| known.version);
        // Our own write fires the old watch: the new one is behind it.
        let written = live.client.set_data(&self.path, record, Some(version));
        let looked = live.client.check_and_watch_stat(&self.path);
        let both = async { Ok(join(written, looked).await) };
        let (written, looked) = match self.session.send(OPERATION, until, both).await? {
            Ok(answers) => answers,
            Err(wrong) => return Err(native(OPERATION, &self.path, wrong)),
        };
        match written {
            Ok(stat) => {
                self.unsettled = false;
                self.stands(live, &stat);
                self.watched(live, looked);
                Ok(Step::Done)
            }
            Err(zk::Error::NoNode) => {
                self.standing = None;
                Ok(Step::Again)
            }
            // A write of ours that had no answer, or one of somebody else.
            Err(zk::Error::BadVersion) => {
                self.eye = None;
                Ok(self.compare(live, standing, record, until).await?.unwrap_or(Step::Again))
            }
            Err(wrong) if is_unclear(&wrong) => self.pause(until).await,
            Err(wrong) => Err(native(OPERATION, &format!("writing {}", self.path), wrong)),
        }
    }

    /// Reads what stands there and compares it; a step when nothing is left to write, a conflict when somebody else wrote it.
    pub(super) async fn compare(
        &mut self,
        live: &Live,
        standing: &Standing,
        record: &[u8],
        until: Moment,
    ) -> Result<Option<Step>> {
        match self.session.send(OPERATION, until, live.client.get_data(&self.path)).await? {
            Ok((_, stat)) if stat.ephemeral_owner != live.id => {
                self.standing = None;
                Ok(Some(Step::Again))
            }
            Ok((data, _)) if !self.letters.has(&data) => Err(self.taken()),
            Ok((data, stat)) => {
                self.stands(live, &stat);
                let same = stat.czxid == standing.created && data == record;
                Ok(same.then_some(Step::Done))
            }
            Err(zk::Error::NoNode) => {
                self.standing = None;
                Ok(Some(Step::Again))
            }
            Err(wrong) if is_unclear(&wrong) => self.pause(until).await.map(Some),
            Err(wrong) => Err(native(OPERATION, &format!("reading {}", self.path), wrong)),
        }
    }

    /// What stands in our node is not ours any more, and is left as it is.
    fn taken(&mut self) -> Error {
        self.standing = None;
        self.eye = None;
        let text = format!("somebody else wrote over {}", self.path);
        error(ErrorKind::Conflict, OPERATION, text)
    }

    /// Looks at our record once more, with a new watch. News when it is not ours any more.
    pub(super) async fn look_again(&mut self) -> Option<News> {
        let live = match &*self.link.borrow() {
            Link::Up(live) => live.clone(),
            // The link will tell.
            _ => return None,
        };
        let own = self.standing.as_ref().is_some_and(|standing| standing.session == live.id);
        if !own {
            return self.link_is();
        }
        let until = self.session.until();
        match self.session.send(OPERATION, until, self.sight(&live)).await {
            Ok(Ok((Sight::Ours(stat), watcher))) => {
                self.eye = Some(Eye::new(&live, watcher));
                self.stands(&live, &stat);
                std::mem::take(&mut self.doubtful).then_some(News::Healthy)
            }
            Ok(Ok((Sight::Written, _))) => Some(News::Taken(self.taken())),
            Ok(Ok((Sight::Replaced, _))) => {
                self.standing = None;
                Some(News::Taken(self.conflict()))
            }
            Ok(Ok((Sight::Gone, _))) => {
                self.standing = None;
                let text = format!("{} was removed", self.path);
                Some(News::Lost(error(ErrorKind::LeaseLost, OPERATION, text)))
            }
            Ok(Err(wrong)) if is_unclear(&wrong) => {
                // The link will tell, or it was a hiccup.
                tokio::select! {
                    changed = self.link.changed() => changed.ok().and_then(|()| self.link_is()),
                    () = tokio::time::sleep(AGAIN) => None,
                }
            }
            Ok(Err(wrong)) => {
                // Not faster than this, whatever the reason.
                tokio::time::sleep(AGAIN).await;
                self.doubtful = true;
                Some(News::Doubtful(native(OPERATION, &format!("looking at {}", self.path), wrong)))
            }
            Err(late) => {
                self.doubtful = true;
                Some(News::Doubtful(late))
            }
        }
    }

    /// Sets a watch and tells what stands there; it is read only when somebody has written since our last write.
    async fn sight(&self, live: &Live) -> Result<(Sight, zk::OneshotWatcher), zk::Error> {
        let (stat, watcher) = live.client.check_and_watch_stat(&self.path).await?;
        let sight = match stat {
            None => Sight::Gone,
            Some(stat) if stat.ephemeral_owner != live.id => Sight::Replaced,
            Some(stat) if self.standing.as_ref().is_some_and(|standing| standing.is(&stat)) => {
                Sight::Ours(stat)
            }
            Some(stat) => match live.client.get_data(&self.path).await {
                Ok((_, stat)) if stat.ephemeral_owner != live.id => Sight::Replaced,
                Ok((data, stat)) if self.letters.has(&data) => Sight::Ours(stat),
                Ok(_) => Sight::Written,
                Err(zk::Error::NoNode) => Sight::Gone,
                // Nobody can tell whose it is, so the session counts.
                Err(zk::Error::NoAuth) => Sight::Ours(stat),
                Err(wrong) => return Err(wrong),
            },
        };
        Ok((sight, watcher))
    }
}
