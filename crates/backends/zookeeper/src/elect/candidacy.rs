//! One candidacy: its node, the wait for the one before it, and the reading of its own node while it leads.
//!
//! A leadership ends at its deadline, counted from the send time of the last request whose answer showed the own node: the server hands
//! over only when it has not heard of the session for the whole of its time to live. That is long before the library says `Expired`.

mod standing;

use std::{sync::Arc, time::Duration};

use reception_core::{ElectionName, Error, ErrorKind, FencingToken, Moment, Result, ServiceId};
use reception_kit::{Claim, Pulse, Won, sleep_until};
use tokio::sync::watch;
use uuid::Uuid;
use zookeeper_client as zk;

use super::{
    line::{line, sorted},
    margin,
};
use crate::{
    error::{error, is_unclear, native},
    session::{Eye, Link, Live, Seen, Session},
};

const OPERATION: &str = "elect";
/// The least between two reads that fail, or that somebody's writes ask for.
const PAUSE: Duration = Duration::from_millis(100);

/// One candidacy.
#[derive(Debug)]
pub(crate) struct Candidacy {
    session: Arc<Session>,
    election: ElectionName,
    id: ServiceId,
    folder: String,
    value: Vec<u8>,
    /// In the name of our node, so that it is found when the reply was lost.
    guid: Uuid,
    /// A create of ours may have been carried out.
    unsettled: bool,
    own: Option<Own>,
    /// Looks at our node.
    eye: Option<Eye>,
    link: watch::Receiver<Link>,
    domain: [u8; 16],
    /// When our node is read next.
    read_at: Moment,
    /// Not before this, whoever writes to it.
    rests_until: Moment,
}

/// Our node.
#[derive(Clone, Debug)]
struct Own {
    path: String,
    created: i64,
    session: i64,
    ttl: Duration,
}

/// What a look at the line shows.
enum Turn {
    /// Nobody stands before us; the moment before is what the answer grants from.
    Ours(Moment),
    /// This one stands before us.
    After(String),
    /// Our node is gone.
    Gone,
}

impl Candidacy {
    pub(crate) fn new(
        session: &Arc<Session>,
        election: &ElectionName,
        id: &ServiceId,
        value: Vec<u8>,
    ) -> Self {
        Self {
            session: Arc::clone(session),
            election: election.clone(),
            id: id.clone(),
            folder: session.paths.candidates(election),
            value,
            guid: Uuid::new_v4(),
            unsettled: false,
            own: None,
            eye: None,
            link: session.link.subscribe(),
            domain: [0; 16],
            read_at: Moment::NEVER,
            rests_until: session.clock.now(),
        }
    }

    fn lost(why: impl Into<String>) -> Error {
        error(ErrorKind::LeaseLost, OPERATION, why)
    }

    /// Looks who stands before us.
    async fn turn(&mut self, own: &Own) -> Result<Turn> {
        let (until, sent) = (self.session.until(), self.session.clock.now());
        let standing = line(&self.session, OPERATION, until, &self.folder, false).await?;
        let at = standing.iter().position(|child| own.path.ends_with(&format!("/{child}")));
        Ok(match at {
            None => Turn::Gone,
            Some(0) => Turn::Ours(sent),
            Some(at) => Turn::After(format!("{}/{}", self.folder, standing[at - 1])),
        })
    }

    /// Waits until the one before us is gone; an error when we are.
    async fn wait(&mut self, live: &Live, before: &str) -> Result<()> {
        let until = self.session.until();
        // Asks for no right to read: the one before us may be somebody else's.
        let looked = live.client.check_and_watch_stat(before);
        let mut before = match self.session.send(OPERATION, until, looked).await? {
            Ok((Some(_), watcher)) => Eye::new(live, watcher),
            // It has left already.
            Ok((None, _)) => return Ok(()),
            // The link broke: the next look tells.
            Err(wrong) if is_unclear(&wrong) => {
                tokio::time::sleep(PAUSE).await;
                return Ok(());
            }
            Err(wrong) => return Err(native(OPERATION, &format!("watching {before}"), wrong)),
        };
        let Some(own) = &mut self.eye else { return Err(Self::lost("nobody looks at the candidate's node")) };
        let seen = tokio::select! {
            biased;
            seen = own.next() => seen,
            _ = before.next() => return Ok(()),
        };
        match seen {
            Seen::Changed => Ok(()),
            Seen::Gone => {
                self.forget();
                Err(Self::lost("the candidate's node was removed"))
            }
            // Our node may outlive it: it is withdrawn before the next one is made.
            Seen::Blind => Err(Self::lost("the session has ended")),
        }
    }

    /// What is granted to the session by now.
    fn granted(&self, own: &Own) -> Duration {
        self.own.as_ref().map_or(own.ttl, |known| known.ttl)
    }

    /// How long a grant may be used.
    fn term(ttl: Duration) -> Duration {
        ttl.saturating_sub(margin(ttl))
    }

    /// Reads our node; the moment before is what the answer grants from.
    async fn confirm(&mut self, own: &Own, within: Duration) -> Result<Moment, Confirm> {
        let until = self.session.clock.now().saturating_add(within);
        let live = self.session.live(OPERATION, until).await.map_err(|_| Confirm::Unknown)?;
        if live.id != own.session {
            return Err(Confirm::Lost(Self::lost("the session was replaced")));
        }
        // A session that was taken elsewhere may have been granted less there.
        if let Some(standing) = &mut self.own {
            standing.ttl = standing.ttl.min(live.ttl);
        }
        let sent = self.session.clock.now();
        self.rests_until = sent.saturating_add(PAUSE);
        let quiet = self.eye.as_mut().is_some_and(Eye::is_quiet);
        let looked = async {
            if quiet {
                return live.client.check_stat(&own.path).await;
            }
            // Somebody wrote to it, or the session has moved: the watch is used up.
            let (stat, watcher) = live.client.check_and_watch_stat(&own.path).await?;
            self.eye = Some(Eye::new(&live, watcher));
            Ok(stat)
        };
        match self.session.send(OPERATION, until, looked).await {
            Ok(Ok(Some(stat))) if stat.czxid == own.created => Ok(sent),
            Ok(Ok(_)) => Err(Confirm::Lost(Self::lost("the leader's node was removed"))),
            Ok(Err(zk::Error::SessionExpired)) => Err(Confirm::Lost(Self::lost("the session has expired"))),
            _ => Err(Confirm::Unknown),
        }
    }

    fn schedule(&mut self, sent: Moment, ttl: Duration) {
        self.read_at = sent.saturating_add(ttl / 3);
    }

    /// Waits until the link is made anew; what it lost may be read again at once.
    async fn mended(link: &mut watch::Receiver<Link>) {
        loop {
            if link.changed().await.is_err() {
                return std::future::pending().await;
            }
            if matches!(&*link.borrow_and_update(), Link::Up(_)) {
                return;
            }
        }
    }

    /// Our node is gone, or the session is; none when the watch is used up, and the next read has to set another.
    async fn gone(eye: &mut Option<Eye>) -> Option<Error> {
        let Some(looking) = eye else { return std::future::pending().await };
        let lost = match looking.next().await {
            Seen::Gone => Self::lost("the leader's node was removed"),
            Seen::Blind => Self::lost("the session has ended"),
            Seen::Changed => {
                *eye = None;
                return None;
            }
        };
        Some(lost)
    }
}

/// Why a read of our node confirms nothing.
enum Confirm {
    Lost(Error),
    Unknown,
}

impl Claim for Candidacy {
    async fn win(&mut self) -> Result<Won> {
        loop {
            let until = self.session.until();
            let live = self.session.live(OPERATION, until).await?;
            let own = self.stand(&live, until).await?;
            // What the next answer shows need not be read again for a link that was made before it.
            self.link.mark_unchanged();
            match self.turn(&own).await? {
                Turn::Ours(sent) => {
                    // The answer showed our node; what an ended session left leads nobody.
                    let live = self.session.live(OPERATION, until).await?;
                    if live.id != own.session {
                        return Err(Self::lost("the session was replaced"));
                    }
                    let ttl = own.ttl.min(live.ttl);
                    self.schedule(sent, ttl);
                    let token =
                        FencingToken::new(self.domain, u64::try_from(own.created).unwrap_or_default());
                    return Ok(Won::new(token, sent, Self::term(ttl)));
                }
                // An answer that does not come leaves our node standing: the next try finds it.
                Turn::After(before) => self.wait(&live, &before).await?,
                // Told as an error, so that kit's backoff bounds how often a node is made that somebody keeps removing.
                Turn::Gone => {
                    self.forget();
                    return Err(Self::lost("the candidate's node was removed"));
                }
            }
        }
    }

    async fn pulse(&mut self) -> Pulse {
        let Some(own) = self.own.clone() else { return Pulse::Lost(Self::lost("no node")) };
        loop {
            let clock = self.session.clock.clone();
            tokio::select! {
                biased;
                lost = Self::gone(&mut self.eye) => {
                    if let Some(error) = lost {
                        return Pulse::Lost(error);
                    }
                    // Somebody wrote to it, or the session has moved. Until it is looked at, a removal would not be told.
                    self.read_at = self.read_at.min(self.rests_until);
                    continue;
                }
                () = Self::mended(&mut self.link) => self.read_at = clock.now(),
                () = sleep_until(&clock, self.read_at) => {}
            }
            // A read that gets no answer is not waited for longer than until the next one is due.
            match self.confirm(&own, own.ttl / 3).await {
                Ok(sent) => {
                    let ttl = self.granted(&own);
                    self.schedule(sent, ttl);
                    return Pulse::Renewed { sent, ttl: Self::term(ttl) };
                }
                Err(Confirm::Lost(error)) => return Pulse::Lost(error),
                Err(Confirm::Unknown) => self.read_at = clock.now().saturating_add(PAUSE),
            }
        }
    }

    async fn release(&mut self) -> Result<()> {
        if self.own.is_none() && !self.unsettled {
            return Ok(());
        }
        if self.session.supervisor.is_closed() && self.session.ends_with_client() {
            return self.session.end().await;
        }
        self.withdraw().await?;
        self.forget();
        Ok(())
    }
}
