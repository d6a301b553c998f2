//! The floor: the same work by `etcd-client` alone, or by the plainest code that does it.

mod burst;
mod exit;
mod failover;
mod fanout;
mod idle;
mod list;
mod local;
mod register;
mod watch;

pub(crate) use burst::burst;
pub(crate) use exit::exit;
pub(crate) use failover::{kill, resign};
pub(crate) use fanout::fanout;
pub(crate) use idle::idle;
pub(crate) use list::list;
pub(crate) use local::{memory, publish};
pub(crate) use register::{pipelined, register};
pub(crate) use watch::watch;

use etcd_client::{EventType, WatchResponse, WatchStream};

use crate::Result;

/// The next message of a watch.
async fn next(stream: &mut WatchStream) -> Result<WatchResponse> {
    stream.message().await?.ok_or_else(|| "the watch ended".into())
}

/// Waits until the watched key is removed.
async fn removed(stream: &mut WatchStream) -> Result<()> {
    loop {
        let message = next(stream).await?;
        if message.events().iter().any(|event| event.event_type() == EventType::Delete) {
            return Ok(());
        }
    }
}
