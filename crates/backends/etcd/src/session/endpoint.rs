//! One address of the store: its own channel, and the token that its calls carry.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reception_core::{Error, ErrorKind, Result, Secret};

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
    /// Taken out when the client closes, so that the connection ends with it.
    channel: Mutex<Option<Arc<etcd_client::Client>>>,
    user: Option<User>,
    /// How often a token was fetched.
    logins: AtomicU64,
    /// One call fetches a token, the others wait for it.
    turn: tokio::sync::Mutex<()>,
}

impl Endpoint {
    pub(crate) fn new(address: impl Into<String>, channel: etcd_client::Client, user: Option<User>) -> Self {
        Self {
            address: address.into(),
            channel: Mutex::new(Some(Arc::new(channel))),
            user,
            logins: AtomicU64::new(0),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn hang_up(&self) {
        drop(self.channel.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn channel(&self, operation: &'static str) -> Result<Arc<etcd_client::Client>> {
        let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner).clone();
        channel.ok_or_else(|| error::error(ErrorKind::Closed, operation, "the client is closed"))
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
        let channel = self.channel(operation)?;
        let trying = async {
            if self.user.is_some() && self.logins.load(Ordering::Acquire) == 0 {
                self.login(&channel, 0).await?;
            }
            let seen = self.logins.load(Ordering::Acquire);
            match work(&channel).await {
                Err(stale) if error::meaning(&stale) == Meaning::StaleToken => {
                    self.login(&channel, seen).await?;
                    work(&channel).await
                }
                answered => answered,
            }
        };
        match tokio::time::timeout(limit, trying).await {
            Ok(answered) => answered.map_err(|native| error::native(operation, &self.address, native)),
            Err(_) => Err(self.overdue(operation, limit)),
        }
    }

    fn overdue(&self, operation: &'static str, limit: Duration) -> Error {
        let context = format!("{}: no answer within {limit:?}", self.address);
        error::error(ErrorKind::Timeout, operation, context)
    }

    /// Fetches a token, unless another call has done so since `seen`.
    async fn login(&self, channel: &etcd_client::Client, seen: u64) -> Native<()> {
        let _turn = self.turn.lock().await;
        if self.logins.load(Ordering::Acquire) > seen {
            return Ok(());
        }
        let fetched = match &self.user {
            Some(user) => {
                let mut channel = channel.clone();
                channel.update_user(Some((user.name.clone(), user.password.expose().to_owned()))).await
            }
            None => channel.refresh_token().await,
        };
        match fetched {
            Err(refused) if error::meaning(&refused) != Meaning::AuthOff => return Err(refused),
            _ => self.logins.fetch_add(1, Ordering::AcqRel),
        };
        Ok(())
    }
}

impl fmt::Debug for Endpoint {
    // The channel prints its options, and those print the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("address", &self.address).finish_non_exhaustive()
    }
}
