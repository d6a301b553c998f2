//! The way to the server: directly where times are taken, through a counting proxy where requests and bytes are.

use std::{net::SocketAddr, time::Duration};

use reception_lab::{Counts, Proxy, ProxyOptions};
use tokio::time::{Instant, sleep};

use crate::{Result, store::Store};

/// Nothing more comes when nothing came for so long.
const QUIET: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Way {
    server: SocketAddr,
    store: Store,
    proxy: Option<Proxy>,
}

/// What passed, as lines tell it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    /// Messages to the server: one for a call, and each on a stream.
    pub(crate) requests: u64,
    /// Calls and streams opened; on ZooKeeper, whose requests are all alike, as many as those.
    pub(crate) calls: u64,
    /// What says that a session is alive, and no more; on etcd that is a request.
    pub(crate) pings: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

impl Way {
    pub(crate) fn direct(server: SocketAddr, store: Store) -> Self {
        Self { server, store, proxy: None }
    }

    pub(crate) async fn counting(server: SocketAddr, store: Store) -> Result<Self> {
        Ok(Self { server, store, proxy: Some(door(server, store).await?) })
    }

    /// A proxy of its own on this way.
    pub(crate) async fn door(&self) -> Result<Proxy> {
        door(self.address(), self.store).await
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.proxy.as_ref().map_or(self.server, Proxy::endpoint)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.proxy.as_ref().map(Proxy::counts).unwrap_or_default()
    }

    /// What has passed since, at once.
    pub(crate) fn since(&self, earlier: &Counts) -> Passed {
        self.passed(&self.counts().since(earlier))
    }

    /// What a proxy has counted, in the words of this store.
    pub(crate) fn passed(&self, counts: &Counts) -> Passed {
        Passed {
            requests: match self.store {
                Store::ZooKeeper | Store::Consul => counts.requests,
                Store::Etcd | Store::Memory => counts.messages_to_server,
            },
            calls: counts.requests,
            pings: counts.pings,
            bytes_in: counts.bytes_to_client,
            bytes_out: counts.bytes_to_server,
        }
    }

    /// Waits until all that was asked for has come; directly, that is nothing to wait for.
    pub(crate) async fn quiet(&self) -> Counts {
        let (mut last, end) = (self.counts(), Instant::now() + LONGEST);
        while self.proxy.is_some() && Instant::now() < end {
            sleep(QUIET).await;
            let counts = self.counts();
            if counts == last {
                break;
            }
            last = counts;
        }
        last
    }
}

async fn door(server: SocketAddr, store: Store) -> Result<Proxy> {
    let options = ProxyOptions::default().jute(store == Store::ZooKeeper).http1(store == Store::Consul);
    Ok(Proxy::start_with(server, options).await?)
}
