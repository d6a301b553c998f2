//! One address of the store: its own channel, and the token that its calls carry.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use etcd_client::ConnectOptions;
use reception_core::{Error, ErrorKind, Result, Secret};
use reception_kit::readable;

use crate::error::{self, Meaning};

/// A user and the password that proves it.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: Secret,
}

type Native<T> = Result<T, etcd_client::Error>;

/// One endpoint. Its channel connects by itself when it is used and again when it broke.
pub(crate) struct Endpoint {
    address: String,
    user: Option<User>,
    /// How to make the channel again; an existing client is not made again.
    recipe: Option<Recipe>,
    /// Taken out when the client closes, so that the connection ends with it.
    channel: Mutex<Option<Arc<Channel>>>,
}

/// What a channel is made of.
pub(crate) struct Recipe {
    pub(crate) url: String,
    pub(crate) options: ConnectOptions,
}

/// A connection and the token that was fetched on it.
struct Channel {
    client: etcd_client::Client,
    /// How often a token was fetched.
    logins: AtomicU64,
    /// One call fetches a token, the others wait for it.
    turn: tokio::sync::Mutex<()>,
    /// A call on it was not answered in time.
    silent: AtomicBool,
}

impl Channel {
    fn new(client: etcd_client::Client) -> Arc<Self> {
        let (logins, silent) = (AtomicU64::new(0), AtomicBool::new(false));
        Arc::new(Self { client, logins, turn: tokio::sync::Mutex::new(()), silent })
    }

    /// Fetches a token, unless another call has done so since `seen`.
    async fn login(&self, user: Option<&User>, seen: u64) -> Native<()> {
        let _turn = self.turn.lock().await;
        if self.logins.load(Ordering::Acquire) > seen {
            return Ok(());
        }
        let fetched = match user {
            Some(user) => {
                let mut client = self.client.clone();
                client.update_user(Some((user.name.clone(), user.password.expose().to_owned()))).await
            }
            None => self.client.refresh_token().await,
        };
        match fetched {
            Err(refused) if error::meaning(&refused) != Meaning::AuthOff => return Err(refused),
            _ => self.logins.fetch_add(1, Ordering::AcqRel),
        };
        Ok(())
    }
}

impl Recipe {
    async fn make(&self) -> Native<etcd_client::Client> {
        etcd_client::Client::connect([&self.url], Some(self.options.clone())).await
    }
}

impl Endpoint {
    /// An endpoint that is dialled. Nothing is sent yet.
    pub(crate) async fn dial(address: String, recipe: Recipe, user: Option<User>) -> Native<Self> {
        let channel = Channel::new(recipe.make().await?);
        Ok(Self { address, user, recipe: Some(recipe), channel: Mutex::new(Some(channel)) })
    }

    /// A client that exists, with its own endpoints and user.
    pub(crate) fn given(client: etcd_client::Client) -> Self {
        let channel = Mutex::new(Some(Channel::new(client)));
        Self { address: "the given client".to_owned(), user: None, recipe: None, channel }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn place(&self) -> MutexGuard<'_, Option<Arc<Channel>>> {
        self.channel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hang_up(&self) {
        drop(self.place().take());
    }

    /// Leaves a connection that did not answer in time: without an open stream nothing else would find out that it is dead. What
    /// still runs on it goes on. A connection that another call has made meanwhile stays.
    pub(crate) async fn reconnect(&self) {
        let Some(recipe) = self.recipe.as_ref().filter(|_| self.is_silent()) else { return };
        let Ok(client) = recipe.make().await else { return };
        let mut place = self.place();
        if silent(place.as_ref()) {
            *place = Some(Channel::new(client));
        }
    }

    fn is_silent(&self) -> bool {
        silent(self.place().as_ref())
    }

    /// Tries once, within `limit`. A stale token is replaced and the try made again, also when a watch was refused for it: the
    /// library does neither for watches, nor at all when the users have changed.
    pub(crate) async fn attempt<T, F, W>(
        &self,
        operation: &'static str,
        limit: Duration,
        work: &W,
    ) -> Result<T>
    where
        T: Send,
        F: Future<Output = Native<T>> + Send,
        W: Fn(&etcd_client::Client) -> F + Send + Sync,
    {
        let closed = || error::error(ErrorKind::Closed, operation, "the client is closed");
        let channel = self.place().clone().ok_or_else(closed)?;
        let user = self.user.as_ref();
        let trying = async {
            if user.is_some() && channel.logins.load(Ordering::Acquire) == 0 {
                channel.login(user, 0).await?;
            }
            let seen = channel.logins.load(Ordering::Acquire);
            match work(&channel.client).await {
                Err(stale) if error::meaning(&stale) == Meaning::StaleToken => {
                    channel.login(user, seen).await?;
                    work(&channel.client).await
                }
                answered => answered,
            }
        };
        match tokio::time::timeout(limit, trying).await {
            Ok(answered) => answered.map_err(|native| error::native(operation, &self.address, native)),
            Err(_) => {
                channel.silent.store(true, Ordering::Release);
                Err(self.overdue(operation, limit))
            }
        }
    }

    fn overdue(&self, operation: &'static str, limit: Duration) -> Error {
        let context = format!("{}: no answer within {:?}", self.address, readable(limit));
        error::error(ErrorKind::Timeout, operation, context)
    }
}

fn silent(channel: Option<&Arc<Channel>>) -> bool {
    channel.is_some_and(|channel| channel.silent.load(Ordering::Acquire))
}

impl fmt::Debug for Endpoint {
    // The channel prints its options, and those print the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("address", &self.address).finish_non_exhaustive()
    }
}
