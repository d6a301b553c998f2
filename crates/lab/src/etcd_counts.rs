//! What an etcd server has counted itself, read from its metrics.

use std::collections::BTreeMap;

use crate::{Error, Result};

/// The services of etcd's own interface; health checks and the like are left out.
const SERVICES: &str = "grpc_service=\"etcdserverpb.";
const STARTED: &str = "grpc_server_started_total";
const RECEIVED: &str = "grpc_server_msg_received_total";
const SENT: &str = "grpc_server_msg_sent_total";

/// What one gRPC method was used for since the server started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MethodCounts {
    /// Calls begun; a stream is one call.
    pub calls: u64,
    /// Messages that came: one of each call that is no stream.
    pub received: u64,
    /// Messages that went.
    pub sent: u64,
}

/// What an etcd server has counted, of all its clients together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EtcdCounts {
    /// By method, such as `Txn`; those that were never called are left out.
    pub methods: BTreeMap<String, MethodCounts>,
    /// Watches open now.
    pub watches: u64,
    /// Streams of watches open now.
    pub watch_streams: u64,
    /// Bytes of all messages that came, without framing.
    pub bytes_received: u64,
    /// Bytes of all messages that went, without framing.
    pub bytes_sent: u64,
}

impl EtcdCounts {
    pub(crate) fn parse(metrics: &str) -> Result<Self> {
        let gauge = |name: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(whole).ok_or_else(|| Error::unexpected(format!("the server has no metric {name}")))
        };
        let mut counts = Self {
            methods: BTreeMap::new(),
            watches: gauge("etcd_debugging_mvcc_watcher_total")?,
            watch_streams: gauge("etcd_debugging_mvcc_watch_stream_total")?,
            bytes_received: gauge("etcd_network_client_grpc_received_bytes_total")?,
            bytes_sent: gauge("etcd_network_client_grpc_sent_bytes_total")?,
        };
        for line in metrics.lines() {
            counts.note(line);
        }
        Ok(counts)
    }

    fn note(&mut self, line: &str) {
        let Some((name, rest)) = line.split_once('{') else { return };
        let Some((labels, value)) = rest.split_once("} ") else { return };
        let Some(count) = whole(value).filter(|count| *count > 0 && labels.contains(SERVICES)) else {
            return;
        };
        let method = labels.split(',').find_map(|label| label.strip_prefix("grpc_method=\""));
        let Some(method) = method.map(|quoted| quoted.trim_end_matches('"')) else { return };
        let place: fn(&mut MethodCounts) -> &mut u64 = match name {
            STARTED => |counts| &mut counts.calls,
            RECEIVED => |counts| &mut counts.received,
            SENT => |counts| &mut counts.sent,
            _ => return,
        };
        *place(self.methods.entry(method.to_owned()).or_default()) += count;
    }

    /// What one method was used for.
    #[must_use]
    pub fn method(&self, name: &str) -> MethodCounts {
        self.methods.get(name).copied().unwrap_or_default()
    }

    /// Messages that came, of all methods.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.methods.values().map(|counts| counts.received).sum()
    }

    /// What came since an earlier count; what is open stays as it is now.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let grown = |name: &String, now: &MethodCounts| {
            let before = earlier.method(name);
            MethodCounts {
                calls: now.calls.saturating_sub(before.calls),
                received: now.received.saturating_sub(before.received),
                sent: now.sent.saturating_sub(before.sent),
            }
        };
        let methods = self.methods.iter().map(|(name, now)| (name.clone(), grown(name, now)));
        Self {
            methods: methods.filter(|(_, grown)| *grown != MethodCounts::default()).collect(),
            watches: self.watches,
            watch_streams: self.watch_streams,
            bytes_received: self.bytes_received.saturating_sub(earlier.bytes_received),
            bytes_sent: self.bytes_sent.saturating_sub(earlier.bytes_sent),
        }
    }
}

/// Prometheus writes large counts as `1.5e+06`.
fn whole(value: &str) -> Option<u64> {
    let value: f64 = value.trim().parse().ok()?;
    (value.is_finite() && value >= 0.0).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = r#"# HELP x y
etcd_debugging_mvcc_watcher_total 3
etcd_debugging_mvcc_watch_stream_total 2
etcd_network_client_grpc_received_bytes_total 1.5e+06
etcd_network_client_grpc_sent_bytes_total 12
grpc_server_started_total{grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary"} 7
grpc_server_msg_received_total{grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary"} 7
grpc_server_msg_sent_total{grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary"} 6
grpc_server_msg_received_total{grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"} 4
grpc_server_started_total{grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"} 0
grpc_server_msg_received_total{grpc_method="Check",grpc_service="grpc.health.v1.Health",grpc_type="unary"} 9
"#;

    #[test]
    fn methods_are_counted_apart() {
        let counts = EtcdCounts::parse(METRICS).unwrap();
        assert_eq!(counts.method("Txn"), MethodCounts { calls: 7, received: 7, sent: 6 });
        assert_eq!(counts.method("Watch").received, 4);
        assert_eq!(counts.methods.len(), 2);
        assert_eq!(counts.received(), 11);
        assert_eq!((counts.watches, counts.watch_streams), (3, 2));
        assert_eq!((counts.bytes_received, counts.bytes_sent), (1_500_000, 12));
    }

    #[test]
    fn a_difference_leaves_out_what_was_not_used() {
        let earlier = EtcdCounts::parse(METRICS).unwrap();
        let mut later = earlier.clone();
        later.note("grpc_server_started_total{grpc_method=\"Range\",grpc_service=\"etcdserverpb.KV\"} 2");
        let since = later.since(&earlier);
        assert_eq!(since.methods.len(), 1);
        assert_eq!(since.method("Range").calls, 2);
        assert_eq!((since.watches, since.bytes_received), (3, 0));
    }

    #[test]
    fn a_server_without_these_metrics_is_an_error() {
        assert!(EtcdCounts::parse("up 1\n").unwrap_err().to_string().contains("watcher_total"));
    }
}
