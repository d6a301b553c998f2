//! The folders above what is registered, made when they are missed.

use std::sync::Arc;

use reception_core::{ErrorKind, Moment, Result};
use zookeeper_client as zk;

use super::Session;
use crate::error::{error, is_unclear, native};

/// A folder may be swept away while those below it are made.
const TRIES: u32 = 8;

impl Session {
    /// Makes a folder and all above it: containers, which the server sweeps away when they are empty.
    pub(crate) async fn make_folder(
        self: &Arc<Self>,
        operation: &'static str,
        until: Moment,
        path: &str,
    ) -> Result<()> {
        for _ in 0..TRIES {
            let mut missing = Vec::new();
            let mut at = path;
            loop {
                match self.make_one(operation, until, at).await? {
                    true => break,
                    false => missing.push(at),
                }
                match at.rfind('/') {
                    Some(cut) if cut > 0 => at = &at[..cut],
                    _ => break,
                }
            }
            if missing.is_empty() {
                return Ok(());
            }
            let mut whole = true;
            for folder in missing.into_iter().rev() {
                whole &= self.make_one(operation, until, folder).await?;
            }
            if whole {
                return Ok(());
            }
        }
        Err(error(ErrorKind::Unavailable, operation, format!("{path} is removed again and again")))
    }

    /// Makes one folder; false when the one above it is missing. One that is there already is fine.
    async fn make_one(self: &Arc<Self>, operation: &'static str, until: Moment, path: &str) -> Result<bool> {
        let mut mode = zk::CreateMode::Container;
        loop {
            let live = self.live(operation, until).await?;
            let options = mode.with_acls(self.acls());
            let answer = live.client.create(path, b"", &options);
            match self.send(operation, until, answer).await? {
                Ok(_) | Err(zk::Error::NodeExists) => return Ok(true),
                Err(zk::Error::NoNode) => return Ok(false),
                Err(zk::Error::Unimplemented) if mode == zk::CreateMode::Container => {
                    mode = zk::CreateMode::Persistent;
                }
                Err(wrong) if is_unclear(&wrong) => tokio::time::sleep(super::PAUSE).await,
                // One who may not make what is above may still write what is there.
                Err(zk::Error::NoAuth) => {
                    let there = live.client.check_stat(path);
                    return match self.send(operation, until, there).await? {
                        Ok(Some(_)) => Ok(true),
                        _ => Err(native(operation, &format!("making {path}"), zk::Error::NoAuth)),
                    };
                }
                Err(wrong) => return Err(native(operation, &format!("making {path}"), wrong)),
            }
        }
    }
}
