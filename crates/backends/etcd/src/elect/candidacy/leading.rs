//! While leading: the watch on our own key, opened again after every break.

use etcd_client::GetOptions;
use reception_core::{Error, Result};
use reception_kit::sleep_until;

use super::{Candidacy, Key, OPERATION, OWN, broken, removal};

impl Candidacy {
    /// Our own key was removed, also by a server that revokes too early.
    pub(super) async fn removed(&mut self) -> Error {
        loop {
            if let Some(at) = self.retry_at {
                sleep_until(&self.session.clock, at).await;
            }
            if self.line.is_none() {
                match self.look_again().await {
                    Ok(None) => {}
                    Ok(Some(lost)) => return lost,
                    Err(error) => {
                        self.broke(&error);
                        continue;
                    }
                }
            }
            let Some(line) = &mut self.line else { continue };
            match line.answers.next(OPERATION).await {
                Ok(answer) => {
                    self.retry.reset();
                    self.retry_at = None;
                    if let Some(revision) = removal(&answer).filter(|_| answer.watch_id() == OWN) {
                        return Self::lost(format!("the leader's key was removed at revision {revision}"));
                    }
                }
                Err(ended) => self.broke(&broken(ended)),
            }
        }
    }

    fn broke(&mut self, error: &Error) {
        self.line = None;
        self.looked = false;
        self.retry_at = Some(self.session.clock.now().saturating_add(self.retry.next(error)));
    }

    /// Opens the stream on our key from a revision at which it stood. Dropped at each renewal: what was read stays read.
    async fn look_again(&mut self) -> Result<Option<Error>> {
        let (Some(own), Some(key)) = (self.own(), self.key) else { return Ok(Some(Self::lost("no key"))) };
        if self.retry_at.is_some() && !self.looked {
            // After a break, since the history may be gone.
            let only = GetOptions::new().with_keys_only();
            let read = self.session.get(OPERATION, self.session.brief(), &own, only).await?;
            if read.kvs().first().is_none_or(|kv| kv.create_revision() != key.created) {
                return Ok(Some(Self::lost("the leader's key was removed")));
            }
            let known = read.header().map_or(key.known, etcd_client::ResponseHeader::revision);
            self.key = Some(Key { known, ..key });
            self.looked = true;
        }
        let range = self.range(OWN, own);
        self.line = Some(self.session.open(OPERATION, self.session.brief(), &range).await?);
        Ok(None)
    }
}
