//! A real etcd: one for all that leave it alone, and one for each case that breaks it.

use std::{any::Any, path::PathBuf, sync::Arc};

use reception::async_trait;
use reception_lab::{Etcd, Result};

use super::{
    Opening, Store,
    shared::{Shared, namespace},
};

static SHARED: Shared<Etcd> = Shared::new();

struct Place {
    server: Arc<Etcd>,
    namespace: String,
}

pub(crate) fn etcd_missing() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "where the test support looks for it too")]
    let program = std::env::var("ETCD_BIN").unwrap_or_else(|_| "etcd".to_owned());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(&program));
    let found = PathBuf::from(&program).is_file() || places.any(|place| place.is_file());
    (!found).then(|| format!("no {program} on PATH"))
}

pub(crate) fn etcd(own: bool) -> Opening {
    Box::pin(async move {
        let server = SHARED.get(own, Etcd::start()).await?;
        let namespace = namespace();
        let place: Box<dyn Store> = Box::new(Place { server, namespace });
        Ok(place)
    })
}

#[async_trait]
impl Store for Place {
    fn url(&self) -> String {
        format!("etcd://{}/{}?ttl=2s&timeout=3s", self.server.endpoint(), self.namespace)
    }

    fn patient_url(&self) -> String {
        self.url().replace("ttl=2s", "ttl=10m")
    }

    fn endpoint(&self) -> String {
        self.server.endpoint().to_string()
    }

    fn kill(&self) {
        self.server.kill();
    }

    async fn restart(&self) -> Result<()> {
        self.server.restart().await
    }

    fn freeze(&self) {
        self.server.pause().expect("a server to freeze");
    }

    fn thaw(&self) {
        self.server.resume().expect("a server to thaw");
    }

    async fn lock(&self, password: &str) -> Result<String> {
        let ctl = self.server.ctl()?;
        ctl.run(&["user", "add", &format!("root:{password}")]).await?;
        ctl.run(&["user", "grant-role", "root", "root"]).await?;
        ctl.run(&["auth", "enable"]).await?;
        Ok(self.patient_url().replace("etcd://", &format!("etcd://root:{password}@")))
    }

    async fn revoke(&self, election: &str) -> Result<()> {
        let ctl = self.server.ctl()?;
        let candidates = format!("{}/elections/{election}/", self.namespace);
        // The oldest leads, and its key ends with its lease.
        let sorted = ["--order=ASCEND", "--sort-by=CREATE", "--limit=1", "--keys-only", "--prefix"];
        let found = ctl.run(&[&["get", &candidates], &sorted[..]].concat()).await?;
        let lease = found.stdout.trim().rsplit('/').next().unwrap_or_default().to_owned();
        ctl.run(&["lease", "revoke", &lease]).await.map(drop)
    }

    async fn stranger(&self, election: &str, value: &str) -> Result<Box<dyn Any + Send>> {
        let key = format!("{}/elections/{election}", self.namespace);
        let mut running = self.server.ctl()?.spawn(&["elect", &key, value])?;
        // The first line is its key: it leads then.
        running.line(std::time::Duration::from_secs(20)).await?;
        Ok(Box::new(running))
    }
}
