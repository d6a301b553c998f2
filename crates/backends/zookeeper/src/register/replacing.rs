//! Taking the place of another owner, in one transaction.

use reception_core::{Moment, Result};
use zookeeper_client as zk;

use super::{OPERATION, Place, Standing, Step};
use crate::{
    error::{is_unclear, native},
    session::Live,
};

impl Place {
    /// Replaces what stands there, if it is still that one.
    ///
    /// The new record never has the old one's version, so that the owner before cannot remove it for its own.
    pub(super) async fn replace(
        &mut self,
        live: &Live,
        record: &[u8],
        stat: &zk::Stat,
        until: Moment,
    ) -> Result<Step> {
        // Its removal is ours.
        self.eye = None;
        self.unsettled = true;
        let failed = |wrong| native(OPERATION, "replacing a record", wrong);
        let mut transaction = live.client.new_multi_writer();
        let options = zk::CreateMode::Ephemeral.with_acls(self.session.acls());
        transaction.add_delete(&self.path, Some(stat.version)).map_err(failed)?;
        transaction.add_create(&self.path, record, &options).map_err(failed)?;
        if stat.version == 0 {
            transaction.add_set_data(&self.path, record, Some(0)).map_err(failed)?;
        }
        let commit = transaction.commit();
        let answer = async { commit.await.map_err(reason) };
        match self.session.send(OPERATION, until, answer).await? {
            // The transaction does not tell reliably what it made: the next step reads it.
            Ok(_) => self.adopt(live, i32::from(stat.version == 0), until).await,
            // Somebody was faster.
            Err(zk::Error::NoNode | zk::Error::BadVersion | zk::Error::NodeExists) => {
                self.unsettled = false;
                Ok(Step::Again)
            }
            Err(wrong) if is_unclear(&wrong) => self.pause(until).await,
            Err(wrong) => {
                self.unsettled = false;
                Err(native(OPERATION, &format!("replacing {}", self.path), wrong))
            }
        }
    }

    /// Reads what a transaction of ours has made, of this version.
    async fn adopt(&mut self, live: &Live, version: i32, until: Moment) -> Result<Step> {
        let looked = live.client.check_and_watch_stat(&self.path);
        match self.session.send(OPERATION, until, looked).await? {
            Ok((Some(stat), watcher)) if stat.ephemeral_owner == live.id => {
                self.unsettled = false;
                self.standing = Some(Standing { session: live.id, created: stat.czxid, version });
                self.watched(live, Ok((Some(stat), watcher)));
                Ok(Step::Done)
            }
            _ => Ok(Step::Again),
        }
    }
}

/// Why a transaction failed.
pub(super) fn reason(wrong: zk::MultiWriteError) -> zk::Error {
    match wrong {
        zk::MultiWriteError::RequestFailed { source }
        | zk::MultiWriteError::OperationFailed { source, .. } => source,
    }
}
