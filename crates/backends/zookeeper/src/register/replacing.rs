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
        let mut answer = self.exchange(live, record, stat.version, true, until).await?;
        if matches!(answer, Err(zk::Error::NoAuth)) {
            // Who may take a node away may not write it everywhere.
            answer = self.exchange(live, record, stat.version, false, until).await?;
        }
        match answer {
            // The transaction does not tell reliably what it made: the next step reads it.
            Ok(()) => self.adopt(live, i32::from(stat.version == 0), until).await,
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

    /// Removes the record of this version and makes ours, in one transaction.
    ///
    /// Told: the old one is written before it goes. The server tells of the removal and of the new record in two events, and who
    /// hears of a write first waits for the second.
    async fn exchange(
        &self,
        live: &Live,
        record: &[u8],
        version: i32,
        told: bool,
        until: Moment,
    ) -> Result<Result<(), zk::Error>> {
        let failed = |wrong| native(OPERATION, "replacing a record", wrong);
        let mut transaction = live.client.new_multi_writer();
        if told {
            transaction.add_set_data(&self.path, &[], Some(version)).map_err(failed)?;
        }
        let last = version.wrapping_add(i32::from(told));
        transaction.add_delete(&self.path, Some(last)).map_err(failed)?;
        let options = zk::CreateMode::Ephemeral.with_acls(self.session.acls());
        transaction.add_create(&self.path, record, &options).map_err(failed)?;
        if version == 0 {
            transaction.add_set_data(&self.path, record, Some(0)).map_err(failed)?;
        }
        let commit = transaction.commit();
        let answer = async { commit.await.map(drop).map_err(reason) };
        self.session.send(OPERATION, until, answer).await
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
