//! The floor on etcd, by `etcd-client` alone.

mod burst;
mod exit;
mod failover;
mod fanout;
mod idle;
mod list;
mod register;
mod watch;

pub(super) use burst::burst;
pub(super) use exit::exit;
pub(super) use failover::{kill, resign};
pub(super) use fanout::fanout;
pub(super) use idle::idle;
pub(super) use list::list;
pub(super) use register::{pipelined, register};
pub(super) use watch::{read, watch};

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
