//! The in-process store as a fixture whose clients are doubles.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reception_conformance::{Faults, Fixture, Meter, Missing, Peer};
use reception_core::{Client, Clock, Moment, Result, async_trait};
use reception_memory::{Cluster, Options};
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};

use crate::{
    double::Double,
    flaw::{BITES, Flaw},
};

/// A record as another program writes it, with status Up.
const GOOD: &[u8] = br#"{"v":1,"address":"10.0.0.9","port":9000}"#;

/// Where the time of all trials begins; each trial's paused runtime moves on from its own start.
static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A store of its own for each case, whose clients have the flaw with this number.
#[derive(Debug, Default)]
pub(crate) struct Stand<const NUMBER: usize> {
    clusters: Mutex<BTreeMap<String, Cluster>>,
}

impl<const NUMBER: usize> Stand<NUMBER> {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Cluster>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cluster(&self, case: &str) -> Cluster {
        self.all().entry(case.to_owned()).or_insert_with(|| Cluster::with_clock(Self::clock())).clone()
    }
}

impl<const NUMBER: usize> Fixture for Stand<NUMBER> {
    const NAME: &'static str = BITES[NUMBER].name;

    fn runtime() -> io::Result<Runtime> {
        Builder::new_current_thread().enable_all().start_paused(true).build()
    }

    fn clock() -> Clock {
        let begin = *BEGIN;
        Clock::from_fn(move || Moment::from_duration(Instant::now().saturating_duration_since(begin)))
    }

    async fn start() -> Result<Self, Missing> {
        LazyLock::force(&BEGIN);
        Ok(Self::default())
    }

    async fn stop(self: Arc<Self>) {}

    async fn dial(&self, case: &str) -> Result<Arc<dyn Client>> {
        let cluster = self.cluster(case);
        let options =
            Options::default().namespace(case).ttl(Duration::from_secs(3)).timeout(Duration::from_secs(2));
        match BITES[NUMBER].flaw {
            Flaw::None => Ok(Arc::new(cluster.client(options)?)),
            flaw => Ok(Arc::new(Double::dial(flaw, cluster, options, Self::clock())?)),
        }
    }

    async fn exclusive(&self) -> Result<Self, Missing> {
        Ok(Self::default())
    }

    fn faults(&self) -> Option<&dyn Faults> {
        Some(self)
    }

    fn peer(&self) -> Option<&dyn Peer> {
        Some(self)
    }

    fn meter(&self) -> Option<&dyn Meter> {
        Some(self)
    }

    async fn residue(&self, case: &str) -> Vec<String> {
        self.cluster(case).residue(case).unwrap_or_else(|error| vec![error.to_string()])
    }
}

#[async_trait]
impl<const NUMBER: usize> Faults for Stand<NUMBER> {
    async fn cut(&self, case: &str) -> Result<()> {
        self.cluster(case).faults().partition();
        Ok(())
    }

    async fn heal(&self, case: &str) -> Result<()> {
        self.cluster(case).faults().heal();
        Ok(())
    }

    async fn expire(&self, case: &str) -> Result<()> {
        self.cluster(case).faults().expire();
        Ok(())
    }

    async fn crash(&self, case: &str) -> Result<()> {
        self.cluster(case).faults().crash().await;
        Ok(())
    }

    async fn restart(&self) -> Result<()> {
        self.all().values().for_each(|cluster| cluster.faults().restart());
        Ok(())
    }

    async fn pause(&self, span: Duration) -> Result<()> {
        self.all().values().for_each(|cluster| cluster.faults().stall(span));
        Ok(())
    }
}

#[async_trait]
impl<const NUMBER: usize> Peer for Stand<NUMBER> {
    async fn write(&self, case: &str, name: &str, id: &str, raw: Option<&[u8]>) -> Result<()> {
        self.cluster(case).write_raw(case, name, id, raw.unwrap_or(GOOD))
    }

    async fn delete(&self, case: &str, name: &str, id: &str) -> Result<()> {
        self.cluster(case).remove(case, name, id)
    }
}

impl<const NUMBER: usize> Meter for Stand<NUMBER> {
    fn requests(&self) -> u64 {
        self.all().values().map(Cluster::requests).sum()
    }

    fn bytes(&self) -> u64 {
        self.all().values().map(Cluster::bytes).sum()
    }

    fn watches(&self) -> u64 {
        self.all().values().map(Cluster::watches).sum()
    }
}
