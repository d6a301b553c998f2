//! One registration: a service at our agent, known as ours by an owner mark in its meta and in the id of its check.
//!
//! Consul has no atomic claim, and what an agent is given it keeps, whoever held the id before. So a first write asks who is there, writes
//! with a check that carries its own mark, and reads back: an agent keeps the checks of all who wrote. Of several that claim at the same time the lowest
//! mark stays and the others leave; one that came later sees who was there before it. Every write ends with one consistent read of the catalog: an
//! agent says yes also when the servers are gone.

mod leaving;
mod settling;

use std::{sync::Arc, time::Duration};

use reception_core::{Error, ErrorKind, Result, Service, Status};
use reception_kit::{Attempt, News, Slot};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    api::Held,
    error::error,
    http::Hold,
    layout::{Asked, HIDDEN, Liveness, instance, liveness_check, owner_mark},
    options::Check,
    session::{Holder, Line, Session, Tie},
};

const OPERATION: &str = "register";
/// Servers register themselves by it, in the catalog: no agent tells that it is there, and it would be written over.
const CONSUL: &str = "consul";

/// The place of one registration in the store.
#[derive(Debug)]
pub(crate) struct Place {
    session: Arc<Session>,
    /// The id in Consul.
    id: String,
    owner: Uuid,
    mark: String,
    /// A write of ours may have been carried out.
    written: bool,
    /// As long as it may stand at our agent.
    hold: Option<Hold>,
    /// It was read back, and nobody else can have claimed it together with us.
    claimed: bool,
    line: watch::Receiver<Line>,
    doubtful: bool,
    /// Why our record is not what stands, until it is known who took its place.
    lost: Option<Error>,
}

impl Place {
    /// Takes the id within this client.
    pub(crate) fn take(session: &Arc<Session>, service: &Service) -> Result<Self> {
        // Before anything is taken: a record that cannot be written is told at once.
        let owner = Uuid::new_v4();
        let options = &session.options;
        let liveness = match options.check {
            Check::Tcp => {
                let (interval, timeout) = (options.interval, options.check_timeout);
                Liveness::Tcp(Asked { interval, timeout, fails: false })
            }
            _ => Liveness::None,
        };
        instance(&session.names, service, (session.client, owner), &liveness, Duration::ZERO)?;
        if session.names.service(service.name()) == HIDDEN {
            let context = format!("the name {HIDDEN} is that of our own checks");
            return Err(error(ErrorKind::InvalidInstance, OPERATION, context));
        }
        let id = session.names.instance(service.name(), service.id());
        if id == CONSUL {
            let context = format!("the id {CONSUL} is that of the servers' own service");
            return Err(error(ErrorKind::InvalidInstance, OPERATION, context));
        }
        if !session.wanted.take(&id, owner) {
            let context = format!("{}/{} is registered by this client", service.name(), service.id());
            return Err(error(ErrorKind::Conflict, OPERATION, context));
        }
        Ok(Self {
            session: Arc::clone(session),
            mark: owner_mark(session.client, owner),
            line: session.lines.open(owner, &id),
            id,
            owner,
            written: false,
            hold: None,
            claimed: false,
            doubtful: false,
            lost: None,
        })
    }

    fn conflict(&self) -> Error {
        error(ErrorKind::Conflict, OPERATION, format!("another owner holds {}", self.id))
    }

    /// Who holds the id, by what our agent tells.
    fn holder(&self, held: Option<&Held>) -> Holder {
        Holder::of(held, self.owner, &self.mark)
    }

    /// Whether our agent says that another one holds the id: then nothing was lost that could be written again.
    async fn is_taken(&self) -> bool {
        let limit = self.session.timeout() / 3;
        let held = self.session.http.agent_health(OPERATION, &self.id, limit).await;
        held.is_ok_and(|held| self.holder(held.as_ref()) == Holder::Another)
    }

    /// Writes our record to the agent, beside whatever checks hang on it. True: with an alias for a check.
    async fn put(&mut self, service: &Service) -> Result<bool> {
        let session = Arc::clone(&self.session);
        let (options, names) = (&session.options, &session.names);
        let (owners, forget) = ((session.client, self.owner), options.deregister_after);
        let body = |liveness: &Liveness| instance(names, service, owners, liveness, forget);
        // Before the await: a future that is dropped there leaves a write on its way.
        self.written = true;
        let stated = service.status() != Status::Up;
        session.lines.write(self.owner, session.http.token_turn(), stated);
        let fails = session.lines.fails(self.owner);
        let asked = Asked { interval: options.interval, timeout: options.check_timeout, fails };
        let liveness = match options.check {
            Check::Ttl => match session.heart.join(&session, self.owner).await? {
                Tie::Own(own) => {
                    let record = body(&Liveness::Own(options.ttl))?;
                    let limit = session.timeout();
                    session.http.agent_register(OPERATION, &self.id, record, false, limit).await?;
                    own.wrote(&self.id, body(&session.heart.alias())?);
                    // An agent that restarts knows of a check that was passed once; any other one begins as failed.
                    let check = liveness_check(self.owner, false);
                    drop(session.http.agent_pass(OPERATION, &check, false, limit).await);
                    return Ok(false);
                }
                Tie::As(other) => Liveness::As(other),
            },
            Check::Http => {
                Liveness::Http { url: session.health.url(&session, self.owner, service).await?, asked }
            }
            Check::Tcp => Liveness::Tcp(asked),
            Check::None => Liveness::None,
        };
        let record = body(&liveness)?;
        session.http.agent_register(OPERATION, &self.id, record, false, session.timeout()).await?;
        if options.check != Check::Ttl {
            session.heart.joined.notify_one();
        }
        Ok(matches!(liveness, Liveness::As(_)))
    }
}

impl Slot for Place {
    async fn write(&mut self, service: &Service, attempt: Attempt) -> Result<()> {
        let limit = self.session.timeout();
        let session = Arc::clone(&self.session);
        // Thousands that write at once would open as many connections, which an agent does not take.
        let _turn = session.writes.acquire().await;
        session.lines.settle(self.owner, None);
        if self.hold.is_none() {
            session.find_home(OPERATION).await;
            self.hold = Some(session.http.hold());
        }
        let written = match tokio::time::timeout(limit, self.settle(service, attempt)).await {
            Ok(written) => written,
            Err(_) => {
                session.forget_node();
                let text = format!("{} was not seen in the catalog within {limit:?}", self.id);
                Err(error(ErrorKind::Unavailable, OPERATION, text))
            }
        };
        if written.is_ok() {
            self.doubtful = false;
            self.claimed = true;
            session.lines.settle(self.owner, Some(session.clock.now()));
        }
        if written.as_ref().is_err_and(|failed| failed.kind() == ErrorKind::Conflict) {
            self.step_aside().await;
        }
        written
    }

    async fn withdraw(&mut self) -> Result<()> {
        // From now on another registration of this client may take the id.
        self.session.wanted.leave(&self.id, self.owner);
        if !self.written {
            return Ok(());
        }
        let session = Arc::clone(&self.session);
        // What cannot be withdrawn now must not come back by a pass.
        session.health.quit(self.owner);
        session.heart.quit(self.owner).await;
        session.lines.leave(self.owner, session.clock.now());
        if self.claimed && session.supervisor.is_closed() {
            session.sweep.all(&session).await?;
            self.written = false;
            return Ok(());
        }
        let _turn = session.writes.acquire().await;
        let limit = session.timeout();
        match tokio::time::timeout(limit, self.remove()).await {
            Ok(removed) => {
                if removed.is_ok() {
                    session.lines.left(self.owner);
                }
                removed
            }
            Err(_) => Err(error(
                ErrorKind::Unavailable,
                "close",
                format!("{} was not removed within {limit:?}", self.id),
            )),
        }
    }

    async fn news(&mut self) -> News {
        loop {
            // Kept until it is answered: a future that is dropped meanwhile asks again.
            if let Some(why) = self.lost.clone() {
                let taken = self.is_taken().await;
                if taken {
                    self.step_aside().await;
                }
                self.lost = None;
                return if taken { News::Taken(self.conflict()) } else { News::Lost(why) };
            }
            if self.line.changed().await.is_err() {
                return std::future::pending().await;
            }
            let line = self.line.borrow_and_update().clone();
            match line {
                Line::Fine if self.doubtful => {
                    self.doubtful = false;
                    return News::Healthy;
                }
                Line::Fine => {}
                Line::Doubtful(failed) => {
                    self.doubtful = true;
                    return News::Doubtful(failed);
                }
                Line::Lost(why) => self.lost = Some(why),
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.session.health.quit(self.owner);
        self.session.lines.close(self.owner);
        self.session.wanted.forget(&self.id, self.owner);
    }
}
