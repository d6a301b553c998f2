//! One etcd of a test, the ways to it that count, and a raw client beside them that plays the foreign programs.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use etcd_client::{GetOptions, KvClient, Txn, TxnOp};
use reception::{Client, Service, ServiceName};
use reception_lab::{Counts, Etcd, EtcdCounts, Proxy, eventually};
use reception_tests::{PATIENCE, dial};
use tokio::time::Instant;

pub(crate) const NAMESPACE: &str = "costs";
/// Operations that etcd takes in one transaction.
const BATCH: usize = 128;
/// From this revision on its number has two bytes on the wire, up to 16,383.
const LONG: u64 = 200;

/// A server, and a client of it that no count of a proxy sees.
pub(crate) struct Stage {
    pub(crate) etcd: Etcd,
    pub(crate) raw: etcd_client::Client,
    written: AtomicU64,
}

/// The counts at one moment.
pub(crate) struct Mark {
    at: Instant,
    proxy: Counts,
    server: EtcdCounts,
}

/// What some events cost, all together.
pub(crate) struct Bill {
    pub(crate) events: u64,
    /// From the one count to the other.
    pub(crate) span: Duration,
    /// Messages sent to the server: one of a plain call, each of a stream.
    pub(crate) requests: u64,
    /// Calls begun, streams among them.
    pub(crate) calls: u64,
    /// Messages from the server.
    pub(crate) answers: u64,
    /// Bytes on the connections, framing and pings included.
    pub(crate) up: u64,
    pub(crate) down: u64,
    /// What the server counted, of every client.
    pub(crate) server: EtcdCounts,
}

impl Bill {
    pub(crate) fn requests_a_second(&self) -> f64 {
        self.requests as f64 / self.span.as_secs_f64()
    }

    pub(crate) fn bytes_each(&self) -> f64 {
        (self.up + self.down) as f64 / self.events.max(1) as f64
    }

    /// The server counted the same, but for what was asked beside the proxy with these methods.
    pub(crate) fn must_agree(&self, beside: &[&str]) {
        let others: u64 = beside.iter().map(|method| self.server.method(method).received).sum();
        assert_eq!(self.server.received() - others, self.requests, "proxy and server disagree: {self}");
    }

    /// Both together; what is open is as in the later one.
    pub(crate) fn plus(&self, later: &Self) -> Self {
        let mut server = later.server.clone();
        for (method, counts) in &self.server.methods {
            let sum = server.methods.entry(method.clone()).or_default();
            sum.calls += counts.calls;
            sum.received += counts.received;
            sum.sent += counts.sent;
        }
        server.bytes_received += self.server.bytes_received;
        server.bytes_sent += self.server.bytes_sent;
        Self {
            events: self.events + later.events,
            span: self.span + later.span,
            requests: self.requests + later.requests,
            calls: self.calls + later.calls,
            answers: self.answers + later.answers,
            up: self.up + later.up,
            down: self.down + later.down,
            server,
        }
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events: {} requests, {} calls, {} answers, {:.1} bytes each ({} up, {} down); at the server",
            self.events,
            self.requests,
            self.calls,
            self.answers,
            self.bytes_each(),
            self.up,
            self.down,
        )?;
        for (method, counts) in &self.server.methods {
            write!(f, " {method} {}/{}/{}", counts.calls, counts.received, counts.sent)?;
        }
        Ok(())
    }
}

impl Stage {
    pub(crate) async fn start() -> Self {
        let etcd = Etcd::start().await.expect("a server");
        let raw = etcd_client::Client::connect([etcd.endpoint().to_string()], None).await.expect("connects");
        Self { etcd, raw, written: AtomicU64::new(0) }
    }

    /// A way to the server that counts; one for each client whose cost is to be known apart.
    pub(crate) async fn way(&self) -> Proxy {
        Proxy::start(self.etcd.endpoint()).await.expect("a proxy")
    }

    pub(crate) fn kv(&self) -> KvClient {
        self.raw.kv_client()
    }

    /// Brings the store to a revision whose number is as long as all that follow in the test.
    pub(crate) async fn grow_old(&self) {
        for _ in 0..LONG {
            self.kv().put("elsewhere", "", None).await.expect("puts");
        }
    }

    /// Puts instances as another program would, many in a transaction.
    pub(crate) async fn seed(&self, service: &str, count: usize) {
        let numbers: Vec<usize> = (0..count).collect();
        for batch in numbers.chunks(BATCH) {
            let puts: Vec<TxnOp> = batch
                .iter()
                .map(|number| TxnOp::put(key(service, &format!("i{number:05}")), record(0), None))
                .collect();
            self.kv().txn(Txn::new().and_then(puts)).await.expect("puts");
        }
    }

    /// Rounds in which an instance comes, changes and leaves; each change is waited for. Gives the number of changes.
    pub(crate) async fn churn(&self, service: &str, rounds: u64, mut seen: impl AsyncFnMut(u64)) -> u64 {
        let mut kv = self.kv();
        for _ in 0..rounds {
            let round = self.written.fetch_add(1, Ordering::Relaxed);
            let key = key(service, &format!("n{round:05}"));
            for version in [round, round + 1] {
                let put = kv.put(key.as_str(), record(version), None).await.expect("puts");
                seen(revision(put.header())).await;
            }
            let deleted = kv.delete(key.as_str(), None).await.expect("deletes");
            seen(revision(deleted.header())).await;
        }
        rounds * 3
    }

    /// The counts when they have stood still for a moment: what is under way has come.
    pub(crate) async fn mark(&self, way: &Proxy) -> Mark {
        let mut last = self.read(way).await;
        let mut stood = 0;
        while stood < 4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let next = self.read(way).await;
            stood = if next.same(&last) { stood + 1 } else { 0 };
            last = next;
        }
        last
    }

    /// Waits until nothing was said for so long.
    pub(crate) async fn quiet(&self, way: &Proxy, span: Duration) {
        let mut last = self.read(way).await;
        loop {
            tokio::time::sleep(span / 10).await;
            let next = self.read(way).await;
            if !next.same(&last) {
                last = next;
            } else if next.at - last.at >= span {
                return;
            }
        }
    }

    async fn read(&self, way: &Proxy) -> Mark {
        let server = self.etcd.counts().await.expect("counts");
        Mark { at: Instant::now(), proxy: way.counts(), server }
    }

    /// What came since a mark, when all of it has come.
    pub(crate) async fn bill(&self, way: &Proxy, since: &Mark, events: u64) -> Bill {
        let now = self.mark(way).await;
        let proxy = now.proxy.since(&since.proxy);
        Bill {
            events,
            span: now.at - since.at,
            requests: proxy.messages_to_server,
            calls: proxy.requests,
            answers: proxy.messages_to_client,
            up: proxy.bytes_to_server,
            down: proxy.bytes_to_client,
            server: now.server.since(&since.server),
        }
    }

    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        let options = GetOptions::new().with_prefix().with_keys_only();
        let read = self.kv().get(prefix, Some(options)).await.expect("reads");
        read.kvs().iter().map(|kv| kv.key_str().expect("text").to_owned()).collect()
    }

    /// How far the store is: every write moves it on.
    pub(crate) async fn revision(&self) -> u64 {
        revision(self.kv().get("elsewhere", None).await.expect("reads").header())
    }

    pub(crate) async fn leases(&self) -> usize {
        self.raw.lease_client().leases().await.expect("lists").leases().len()
    }

    /// Waits until so many stand in the election that the tests hold.
    pub(crate) async fn candidates(&self, count: usize) {
        let standing = || async {
            let found = self.keys(&format!("{NAMESPACE}/elections/reaper/")).await.len();
            if found == count { Ok(()) } else { Err(found) }
        };
        eventually(PATIENCE, standing).await.expect("so many candidates");
    }
}

impl Mark {
    /// Nothing was said in between; pings do not count.
    fn same(&self, other: &Self) -> bool {
        let said =
            |mark: &Self| (mark.proxy.requests, mark.proxy.messages_to_server, mark.proxy.messages_to_client);
        said(self) == said(other) && self.server.methods == other.server.methods
    }
}

pub(crate) async fn client(way: &Proxy, options: &str) -> Arc<dyn Client> {
    dial(&format!("etcd://{}/{NAMESPACE}?timeout=10s&{options}", way.endpoint())).await
}

pub(crate) fn key(service: &str, id: &str) -> String {
    format!("{NAMESPACE}/services/{service}/{id}")
}

/// A record as docs/wire/record.md has it; all are of one length.
pub(crate) fn record(version: u64) -> String {
    format!(r#"{{"v":1,"address":"10.0.0.7","port":8080,"attributes":{{"version":"{version:05}"}}}}"#)
}

pub(crate) fn revision(header: Option<&etcd_client::ResponseHeader>) -> u64 {
    u64::try_from(header.expect("a header").revision()).expect("positive")
}

pub(crate) fn name(text: &str) -> ServiceName {
    text.parse().expect("a name")
}

pub(crate) fn instance(number: usize) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(&format!("i{number:05}")).build().expect("valid")
}
