//! The way to the server: directly where times are taken, through a counting proxy where requests and bytes are.

use std::{net::SocketAddr, time::Duration};

use reception_lab::{Counts, Proxy};
use tokio::time::{Instant, sleep};

use crate::Result;

/// Nothing more comes when nothing came for so long.
const QUIET: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Way {
    server: SocketAddr,
    proxy: Option<Proxy>,
}

/// What passed, as lines tell it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    /// Messages to the server: one for a call, and each on a stream.
    pub(crate) requests: u64,
    /// Calls and streams opened.
    pub(crate) calls: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

impl Way {
    pub(crate) fn direct(server: SocketAddr) -> Self {
        Self { server, proxy: None }
    }

    pub(crate) async fn counting(server: SocketAddr) -> Result<Self> {
        Ok(Self { server, proxy: Some(Proxy::start(server).await?) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.proxy.as_ref().map_or(self.server, Proxy::endpoint)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.proxy.as_ref().map(Proxy::counts).unwrap_or_default()
    }

    /// What has passed since, at once.
    pub(crate) fn since(&self, earlier: &Counts) -> Passed {
        let counts = self.counts().since(earlier);
        Passed {
            requests: counts.messages_to_server,
            calls: counts.requests,
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
