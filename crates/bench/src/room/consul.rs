//! A room on Consul, by plain requests.

use reception::ClientExt;
use reception_lab::ConsulApi;

use super::Room;
use crate::{Result, record::name, stage::Stage};

impl Room<'_> {
    /// How many stand in elections on the agent: each has a session, and a lock does not tell who waits for it.
    pub(crate) async fn sessions(&self) -> Result<usize> {
        let told = self.stage.consul().get("/v1/session/list").await?.body;
        Ok(told.matches("\"LockDelay\"").count())
    }

    pub(super) async fn count_consul(&self) -> Result<usize> {
        let client = self.direct().await?;
        let list = client.list(&name()?).await?;
        client.close().await?;
        Ok(list.len())
    }

    pub(super) async fn leave_consul(self) -> Result<()> {
        self.stage.clear_consul(&self.namespace).await
    }
}

impl Stage {
    pub(crate) fn consul(&self) -> ConsulApi {
        ConsulApi::new(self.address)
    }

    /// Removes the keys of a namespace; services end with their clients.
    pub(crate) async fn clear_consul(&self, namespace: &str) -> Result<()> {
        self.consul().ask("DELETE", &format!("/v1/kv/{namespace}/?recurse"), "").await?;
        Ok(())
    }
}
