//! Who leads an election: the lock's key, asked for by one question that is held back until it changes.

use std::{sync::Arc, time::Duration};

use reception_core::{ElectionName, ErrorKind, Result};
use reception_kit::{Break, Holder, Source};

use super::{domain, leader};
use crate::{
    api::{Pair, key_answer},
    error::error,
    http::Path,
    session::{Brake, Session},
};

const OPERATION: &str = "observe";
const WITHOUT_INDEX: Duration = Duration::from_secs(1);

/// The leader of one election.
#[derive(Debug)]
pub(crate) struct Observer {
    session: Arc<Session>,
    key: String,
    index: u64,
    /// The last winner's, and the domain of its token.
    seen: Option<(u64, [u8; 16])>,
    brake: Brake,
}

impl Observer {
    pub(crate) fn new(session: &Arc<Session>, name: &ElectionName) -> Self {
        let (session, key) = (Arc::clone(session), session.names.lock(name));
        Self { session, key, index: 0, seen: None, brake: Brake::new() }
    }

    async fn ask(&self, index: u64) -> Result<(u64, Option<Pair>)> {
        let path = Path::of("kv").key(&self.key);
        let answer = self.session.wait_for(OPERATION, path, index).await?;
        key_answer(OPERATION, &self.key, &answer)
    }

    async fn holder(&mut self, pair: Option<Pair>) -> Result<Holder> {
        let Some(pair) = pair.filter(|pair| pair.holder().is_some()) else { return Ok(Holder::from(None)) };
        let domain = match self.seen {
            Some((modified, domain)) if modified == pair.modified => domain,
            // Another one has won, maybe after everything was deleted.
            _ => domain(&self.session, OPERATION).await?.unwrap_or_default(),
        };
        self.seen = Some((pair.modified, domain));
        Ok(Holder::from(Some(leader(domain, &pair))))
    }

    async fn read(&mut self) -> Result<Holder> {
        // The store may be another one by now.
        self.seen = None;
        self.index = 0;
        self.session.check_enterprise(OPERATION).await?;
        let (index, pair) = self.ask(0).await?;
        let holder = self.holder(pair).await?;
        self.index = index;
        Ok(holder)
    }
}

impl Source for Observer {
    type View = Holder;

    async fn list(&mut self) -> Result<Holder> {
        self.read().await
    }

    async fn resume(&mut self) -> Result<Holder, Break> {
        // One read tells as much as all changes since.
        self.read().await.map_err(Break::Failed)
    }

    async fn next(&mut self) -> Result<Holder, Break> {
        loop {
            if self.index == 0 {
                tokio::time::sleep(WITHOUT_INDEX).await;
            }
            self.brake.pass().await;
            let (index, pair) = self.ask(self.index).await.map_err(Break::Failed)?;
            if index < self.index {
                let text = format!("the index went back from {} to {index}", self.index);
                return Err(Break::Gap(error(ErrorKind::Unavailable, OPERATION, text)));
            }
            if index == self.index && index > 0 {
                continue;
            }
            let holder = self.holder(pair).await.map_err(Break::Failed)?;
            self.index = index;
            return Ok(holder);
        }
    }
}
