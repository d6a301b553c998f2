//! A real Exhibitor before the ZooKeeper of a case.

use std::{any::Any, sync::Arc};

use reception::async_trait;
use reception_lab::{Exhibitor, Listed, Result, ZooKeeper};

use super::{
    Opening, Store,
    shared::Shared,
    zookeeper::{Place, place},
};

static SHARED: Shared<Exhibitor> = Shared::new();

struct Behind {
    exhibitor: Arc<Exhibitor>,
    place: Place,
}

pub(crate) fn exhibitor_missing() -> Option<String> {
    Exhibitor::installed().err().map(|missing| missing.to_string())
}

async fn before(server: &ZooKeeper) -> Result<Exhibitor> {
    let listed = Listed::new(["127.0.0.1"], server.endpoint().port());
    Exhibitor::start(listed).await
}

pub(crate) fn exhibitor(own: bool) -> Opening {
    Box::pin(async move {
        let place = place(own).await?;
        let exhibitor = SHARED.get(own, before(place.server())).await?;
        let behind: Box<dyn Store> = Box::new(Behind { exhibitor, place });
        Ok(behind)
    })
}

#[async_trait]
impl Store for Behind {
    fn url(&self) -> String {
        format!("exhibitor://{}/{}?ttl=2s&timeout=3s", self.exhibitor.endpoint(), self.place.namespace())
    }

    fn patient_url(&self) -> String {
        self.url().replace("ttl=2s", "ttl=60s")
    }

    fn endpoint(&self) -> String {
        self.place.endpoint()
    }

    fn kill(&self) {
        self.place.kill();
    }

    async fn restart(&self) -> Result<()> {
        self.place.restart().await
    }

    fn freeze(&self) {
        self.place.freeze();
    }

    fn thaw(&self) {
        self.place.thaw();
    }

    async fn revoke(&self, election: &str) -> Result<()> {
        self.place.revoke(election).await
    }

    async fn stranger(&self, election: &str, value: &str) -> Result<Box<dyn Any + Send>> {
        self.place.stranger(election, value).await
    }
}
