//! The server that the agent asks with `check=http`: one question for each registration, one answer, and little to take from it.
//!
//! The question names the registration. So one whose withdrawal cannot reach the agent is healthy no more, and a process that gets the port of a dead one does
//! not keep that one's instances alive.

mod answers;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use reception_core::{ErrorKind, Result, Service};
use tokio::{net::TcpListener, sync::OnceCell};
use uuid::Uuid;

use super::Session;
use crate::{
    error::error,
    options::{Announced, bracketed},
};
use answers::{Limits, PATH, answer_all};

const OPERATION: &str = "register";

/// The server, once it is needed: a client that registers nothing listens nowhere.
#[derive(Debug)]
pub(crate) struct Health {
    bound: OnceCell<SocketAddr>,
    wanted: Wanted,
}

/// The registrations that are healthy as long as we are.
#[derive(Clone, Debug, Default)]
struct Wanted(Arc<Mutex<BTreeSet<Uuid>>>);

impl Wanted {
    fn set(&self) -> MutexGuard<'_, BTreeSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what is asked is one of them, as it stands in the path.
    fn has(&self, asked: &str) -> bool {
        Uuid::try_parse(asked).is_ok_and(|owner| self.set().contains(&owner))
    }
}

impl Health {
    pub(super) fn new() -> Self {
        Self { bound: OnceCell::new(), wanted: Wanted::default() }
    }

    /// From now on a registration is healthy no more.
    pub(crate) fn quit(&self, owner: Uuid) {
        self.wanted.set().remove(&owner);
    }

    /// Where the agent asks for an instance; starts the server with the first one.
    pub(crate) async fn url(&self, session: &Arc<Session>, owner: Uuid, service: &Service) -> Result<String> {
        let bound = self.bound.get_or_try_init(|| listen(session, self.wanted.clone())).await?;
        self.wanted.set().insert(owner);
        let (host, port) = match session.options.announced()? {
            Some(Announced { host, port }) => (host, port.unwrap_or_else(|| bound.port())),
            // Who listens at all addresses is found at the instance's own.
            None if bound.ip().is_unspecified() => (bracketed(service.address()), bound.port()),
            None => (bracketed(&bound.ip().to_string()), bound.port()),
        };
        // The zone of an address is escaped.
        Ok(format!("http://{}:{port}{PATH}{}", host.replace('%', "%25"), owner.simple()))
    }
}

async fn listen(session: &Arc<Session>, wanted: Wanted) -> Result<SocketAddr> {
    let bind = session.options.bind()?;
    let wrong = |why: std::io::Error| {
        error(ErrorKind::Config, OPERATION, format!("option \"check_bind\": {bind}: {}", why.kind()))
    };
    let listener = TcpListener::bind(bind).await.map_err(wrong)?;
    let bound = listener.local_addr().map_err(wrong)?;
    // With the connections: the agent asks as long as an instance is there, also while the client closes.
    session.go_on("health", async move {
        answer_all(listener, Limits::default(), |asked| wanted.has(asked)).await;
    });
    Ok(bound)
}
