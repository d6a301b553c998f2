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
        Ok(asked_at(*bound, session.options.announced()?, service.address(), owner))
    }
}

/// Where the agent asks: at the host that was announced, else where we listen.
fn asked_at(bound: SocketAddr, announced: Option<Announced>, instance: &str, owner: Uuid) -> String {
    let (host, port) = match announced {
        Some(Announced { host, port }) => (host, port.unwrap_or_else(|| bound.port())),
        // Who listens at all addresses is found at the instance's own.
        None if bound.ip().is_unspecified() => (bracketed(instance), bound.port()),
        None => (bracketed(&bound.ip().to_string()), bound.port()),
    };
    // The zone of an address is escaped.
    format!("http://{}:{port}{PATH}{}", host.replace('%', "%25"), owner.simple())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_asks_where_we_listen_or_where_it_is_told_to() {
        let told = |host: &str, port| Some(Announced { host: host.to_owned(), port });
        for (bound, announced, instance, asked) in [
            ("127.0.0.1:8600", None, "10.0.0.7", "127.0.0.1:8600"),
            ("[::1]:8600", None, "10.0.0.7", "[::1]:8600"),
            // All addresses are none that can be asked.
            ("0.0.0.0:8600", None, "10.0.0.7", "10.0.0.7:8600"),
            ("[::]:8600", None, "2001:db8::7", "[2001:db8::7]:8600"),
            ("0.0.0.0:8600", None, "web-1.example", "web-1.example:8600"),
            ("[::]:8600", None, "fe80::7%eth0", "[fe80::7%25eth0]:8600"),
            ("0.0.0.0:8600", told("web-1.example", None), "10.0.0.7", "web-1.example:8600"),
            ("127.0.0.1:8600", told("[::1]", Some(18600)), "10.0.0.7", "[::1]:18600"),
        ] {
            let url = asked_at(bound.parse().expect(bound), announced, instance, Uuid::from_u128(7));
            assert_eq!(url, format!("http://{asked}/health/00000000000000000000000000000007"));
        }
    }
}
