//! One registration: an ephemeral node, known as ours by the session that owns it.
//!
//! | who owns what stands there | what is done |
//! |---|---|
//! | nobody | create |
//! | this session | written over, if it is still that one |
//! | an ended session of this client | replaced, in one transaction |
//! | somebody else | Conflict; with `Replace` replaced, in one transaction |
//!
//! Together with the record goes a question about it, with a watch: the answer tells the owner, settles a lost reply, and the watch tells
//! when the record, or the owner that is waited for, goes. Requests of one session are carried out in order, so that nothing sent before
//! a withdrawal can land after it.
//!
//! A write of somebody else does not change the owner, but the version of the node: what is there then is read and compared.

mod leaving;
mod letters;
mod numbered;
mod replacing;
mod roster;
mod standing;

use std::sync::Arc;

use futures_util::future::join;
use reception_core::{Error, ErrorKind, Moment, OnConflict, Result, Service, ServiceId, ServiceName};
use reception_kit::{Attempt, News, Slot};
use tokio::sync::watch;
use uuid::Uuid;
use zookeeper_client as zk;

use letters::Letters;
use roster::Roster;

use crate::{
    error::{error, is_unclear, native},
    session::{Eye, Link, Live, Session},
};

pub(crate) use roster::Rosters;

const OPERATION: &str = "register";
/// Changes between a look and a write, each of which costs another look.
const TRIES: u32 = 12;

/// The place of one registration in the store.
#[derive(Debug)]
pub(crate) struct Place {
    session: Arc<Session>,
    name: ServiceName,
    id: ServiceId,
    folder: String,
    roster: Arc<Roster>,
    /// What this client knows the id by.
    key: String,
    /// What our node's path begins with, if the server numbers it.
    prefix: Option<String>,
    /// Our node; where it is numbered it is known once it was made.
    path: String,
    guid: Uuid,
    /// Our record as far as we know.
    standing: Option<Standing>,
    /// What we wrote there.
    letters: Letters,
    /// A create of ours may have been carried out.
    unsettled: bool,
    eye: Option<Eye>,
    link: watch::Receiver<Link>,
    doubtful: bool,
}

/// A record of ours.
#[derive(Clone, Debug)]
struct Standing {
    session: i64,
    created: i64,
    version: i32,
}

impl Standing {
    /// Whether nobody has written since.
    fn is(&self, stat: &zk::Stat) -> bool {
        (self.created, self.version) == (stat.czxid, stat.version)
    }
}

/// What one step of a write came to.
enum Step {
    Done,
    Again,
}

impl Place {
    /// Takes the id within this client.
    pub(crate) fn take(session: &Arc<Session>, service: &Service) -> Result<Self> {
        let key = session.paths.instance(service.name(), service.id());
        let guid = Uuid::new_v4();
        if !session.wanted.take(&key, guid) {
            let context = format!("{}/{} is registered by this client", service.name(), service.id());
            return Err(error(ErrorKind::Conflict, OPERATION, context));
        }
        Ok(Self {
            session: Arc::clone(session),
            name: service.name().clone(),
            id: service.id().clone(),
            roster: session.rosters.of(&session.paths.instances(service.name())),
            folder: session.paths.instances(service.name()),
            prefix: session.paths.prefix(service.name(), service.id(), guid),
            path: key.clone(),
            key,
            guid,
            standing: None,
            letters: Letters::default(),
            unsettled: false,
            eye: None,
            link: session.link.subscribe(),
            doubtful: false,
        })
    }

    fn conflict(&self) -> Error {
        error(ErrorKind::Conflict, OPERATION, format!("another owner holds {}", self.key))
    }

    async fn settle(&mut self, record: &[u8], attempt: Attempt, until: Moment) -> Result<()> {
        for _ in 0..TRIES {
            let live = self.session.live(OPERATION, until).await?;
            self.letters.sent(record);
            let own = self.standing.clone().filter(|standing| standing.session == live.id);
            let step = match own {
                Some(standing) => self.rewrite(&live, &standing, record, attempt, until).await?,
                None if self.prefix.is_some() => self.claim(&live, record, attempt, until).await?,
                None => self.create(&live, record, attempt, until).await?,
            };
            if matches!(step, Step::Done) {
                self.letters.acknowledged(record);
                return Ok(());
            }
        }
        Err(error(ErrorKind::Unavailable, OPERATION, format!("{} keeps changing", self.path)))
    }

    async fn create(&mut self, live: &Live, record: &[u8], attempt: Attempt, until: Moment) -> Result<Step> {
        self.standing = None;
        // Before the await: a future that is dropped there leaves a create on its way.
        self.unsettled = true;
        let options = zk::CreateMode::Ephemeral.with_acls(self.session.acls());
        let made = live.client.create(&self.path, record, &options);
        let looked = live.client.check_and_watch_stat(&self.path);
        let both = async { Ok(join(made, looked).await) };
        let (made, looked) = match self.session.send(OPERATION, until, both).await? {
            Ok(answers) => answers,
            Err(wrong) => return Err(native(OPERATION, &self.path, wrong)),
        };
        match made {
            Ok((stat, _)) => {
                self.unsettled = false;
                self.stands(live, &stat);
                self.watched(live, looked);
                Ok(Step::Done)
            }
            Err(zk::Error::NodeExists) => match looked {
                Ok((Some(stat), watcher)) => {
                    self.eye = Some(Eye::new(live, watcher));
                    self.meet(live, record, attempt, &stat, until).await
                }
                _ => Ok(Step::Again),
            },
            Err(zk::Error::NoNode) => {
                drop(looked);
                self.unsettled = false;
                self.session.make_folder(OPERATION, until, &self.folder).await?;
                Ok(Step::Again)
            }
            Err(wrong) if is_unclear(&wrong) => self.pause(until).await,
            Err(wrong) => {
                self.unsettled = false;
                Err(native(OPERATION, &format!("creating {}", self.path), wrong))
            }
        }
    }

    /// Something stands there already.
    async fn meet(
        &mut self,
        live: &Live,
        record: &[u8],
        attempt: Attempt,
        stat: &zk::Stat,
        until: Moment,
    ) -> Result<Step> {
        let owner = stat.ephemeral_owner;
        if owner == live.id {
            // What an earlier try of ours made, with a record that may be another one.
            self.stands(live, stat);
            return Ok(Step::Again);
        }
        self.unsettled = false;
        let replaces = attempt == Attempt::First(OnConflict::Replace);
        if (owner != 0 && self.session.was_ours(owner)) || replaces {
            return self.replace(live, record, stat, until).await;
        }
        // The eye tells when the id is free.
        Err(self.conflict())
    }

    fn stands(&mut self, live: &Live, stat: &zk::Stat) {
        self.standing = Some(Standing { session: live.id, created: stat.czxid, version: stat.version });
    }

    /// Takes a watch that was set behind a write of ours, unless somebody wrote between the two: then what stands there is looked at.
    fn watched(&mut self, live: &Live, looked: Result<(Option<zk::Stat>, zk::OneshotWatcher), zk::Error>) {
        self.eye = None;
        if let Ok((Some(stat), watcher)) = looked
            && self.standing.as_ref().is_some_and(|standing| standing.is(&stat))
        {
            self.eye = Some(Eye::new(live, watcher));
        }
    }

    /// The link broke under a write: what came of it is read after it is back.
    async fn pause(&self, until: Moment) -> Result<Step> {
        self.session.left(OPERATION, until)?;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Ok(Step::Again)
    }

    fn seen(&mut self) -> Option<News> {
        self.eye = None;
        // What became of a record of ours is looked at: it may be gone, another one's, or ours and written over. Of a session's end the link
        // tells. An id that is waited for may be free.
        self.standing.is_none().then_some(News::Healthy)
    }

    fn link_is(&mut self) -> Option<News> {
        let link = self.link.borrow_and_update().clone();
        let session = self.standing.as_ref()?.session;
        match link {
            Link::Up(live) if live.id != session => {
                self.standing = None;
                Some(News::Lost(error(ErrorKind::LeaseLost, OPERATION, "the session was replaced")))
            }
            Link::Up(_) => std::mem::take(&mut self.doubtful).then_some(News::Healthy),
            Link::Down(Some(error)) | Link::Doubtful(_, error) => {
                self.doubtful = true;
                Some(News::Doubtful(error))
            }
            Link::Down(None) | Link::Leaving | Link::Over(_) => None,
        }
    }
}

impl Slot for Place {
    async fn write(&mut self, service: &Service, attempt: Attempt) -> Result<()> {
        let record = self.session.paths.layout.encode(service)?;
        let until = self.session.until();
        let written = self.settle(&record, attempt, until).await;
        self.doubtful &= written.is_err();
        written
    }

    async fn withdraw(&mut self) -> Result<()> {
        self.leave();
        if self.standing.is_none() && !self.unsettled {
            self.eye = None;
            return Ok(());
        }
        // A closing client ends its session: one request for all that stands on it, and nothing can land after.
        if self.session.supervisor.is_closed() && self.session.ends_with_client() {
            return self.session.end().await;
        }
        self.remove().await
    }

    async fn news(&mut self) -> News {
        loop {
            if self.eye.is_none()
                && self.standing.is_some()
                && let Some(news) = self.look_again().await
            {
                return news;
            }
            let news = match &mut self.eye {
                Some(eye) => tokio::select! {
                    biased;
                    changed = self.link.changed() => {
                        if changed.is_err() {
                            return std::future::pending().await;
                        }
                        self.link_is()
                    }
                    _ = eye.next() => self.seen(),
                },
                None => {
                    if self.link.changed().await.is_err() {
                        return std::future::pending().await;
                    }
                    self.link_is()
                }
            };
            if let Some(news) = news {
                return news;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.session.wanted.forget(&self.key, self.guid);
    }
}

#[cfg(test)]
mod tests;
