//! Servers that are found while a client lives: the way in for a backend that learns them from somebody else.

use std::{collections::BTreeSet, future::Future, pin::Pin, sync::Arc};

use reception_core::{Client, Error, Result};
use tokio::sync::watch;

use crate::{client, options::Options};

/// Finds the servers of one store, for as long as a client lives.
pub trait Ensemble: Send + 'static {
    /// Who is asked for servers, in words that fit behind "tried".
    fn asked(&self) -> String;

    /// Finds servers and tells them, again and again. It runs as a task of the client, from the first call to the end of the client.
    fn find(self, servers: Servers) -> impl Future<Output = ()> + Send;
}

/// Where an [`Ensemble`] tells what it has found.
#[derive(Debug)]
pub struct Servers(watch::Sender<Known>);

/// What is known of the servers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Each `host:port`, IPv6 in brackets.
    pub(crate) servers: Arc<BTreeSet<String>>,
    /// Why there are none.
    pub(crate) trouble: Option<Error>,
}

impl Servers {
    /// Tells all servers, each `host:port` with IPv6 in brackets; true when they are others than before.
    ///
    /// A session is left alone as long as its server is among them; else it is taken to one that is. No server at all is nothing to tell.
    pub fn publish(&self, servers: impl IntoIterator<Item = String>) -> bool {
        let servers: BTreeSet<String> = servers.into_iter().collect();
        self.0.send_if_modified(|known| {
            let news = !servers.is_empty() && *known.servers != servers;
            if news {
                *known = Known { servers: Arc::new(servers), trouble: None };
            }
            news
        })
    }

    /// Tells why no server is known yet; nothing once there are some.
    pub fn fail(&self, error: Error) {
        self.0.send_if_modified(|known| {
            let empty = known.servers.is_empty();
            if empty {
                known.trouble = Some(error);
            }
            empty
        });
    }
}

/// The servers as a session sees them.
pub(crate) struct Found {
    pub(crate) known: watch::Receiver<Known>,
    pub(crate) asked: String,
}

/// The finding, which has not begun.
pub(crate) type Finding = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) fn begin(ensemble: impl Ensemble) -> (Found, Finding) {
    let (sender, known) = watch::channel(Known::default());
    let asked = ensemble.asked();
    (Found { known, asked }, Box::pin(ensemble.find(Servers(sender))))
}

/// As [`dial`](crate::dial), on the servers that the ensemble finds; hosts of the options are not used.
///
/// The session goes to one server at a time and knows which. When the link to it breaks, or it is no server any more, the session is taken to
/// another one as it is, with all that stands on it.
///
/// # Errors
///
/// As [`dial`](crate::dial), and Config when the options bring an existing client.
///
/// # Cancel safety
///
/// Safe: dropping the future leaves nothing.
pub async fn dial_ensemble(options: Options, ensemble: impl Ensemble) -> Result<Arc<dyn Client>> {
    client::dial_found(&options, ensemble)
}

#[cfg(test)]
mod tests {
    use reception_core::ErrorKind;

    use super::*;

    fn texts(hosts: &[&str]) -> Vec<String> {
        hosts.iter().map(|host| (*host).to_owned()).collect()
    }

    #[test]
    fn the_same_servers_in_another_order_are_no_news_and_none_are_nothing() {
        let (sender, mut known) = watch::channel(Known::default());
        let servers = Servers(sender);
        servers.fail(Error::new(ErrorKind::Unavailable, "test", "find", "nobody answers"));
        assert!(known.borrow_and_update().trouble.is_some());
        assert!(servers.publish(texts(&["a:1", "b:1"])));
        assert!(known.borrow_and_update().trouble.is_none());
        assert!(!servers.publish(texts(&["b:1", "a:1", "b:1"])));
        assert!(!servers.publish(texts(&[])));
        servers.fail(Error::new(ErrorKind::Unavailable, "test", "find", "nobody answers"));
        assert!(!known.has_changed().unwrap());
        assert_eq!(known.borrow().servers.len(), 2);
    }
}
