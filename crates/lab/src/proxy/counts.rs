//! What the proxy counts.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident: $since:ident,)+) => {
        /// What a proxy has counted since its start.
        ///
        /// Requests, messages and bursts are counted as sent, also those that were swallowed; bytes as
        /// delivered.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counts { $($(#[doc = $doc])+ pub $name: u64,)+ }

        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64,)+ }

        impl Counters {
            pub(crate) fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }

        impl Counts {
            /// What came since an earlier count; the `open_` numbers stay as they are now.
            #[must_use]
            pub fn since(&self, earlier: &Self) -> Self {
                Self { $($name: $since(self.$name, earlier.$name),)+ }
            }
        }
    };
}

counters! {
    /// Connections accepted.
    connections: grown,
    /// Connections open now.
    open_connections: now,
    /// Connections that found no server.
    unanswered: grown,
    /// Bytes delivered to the server.
    bytes_to_server: grown,
    /// Bytes delivered to clients.
    bytes_to_client: grown,
    /// Bytes taken and never delivered.
    bytes_swallowed: grown,
    /// Times a client began to send: at first, and after the server has spoken.
    bursts: grown,
    /// HTTP/2: streams opened by clients, which in gRPC are calls. ZooKeeper: requests but for pings. HTTP/1: requests.
    requests: grown,
    /// ZooKeeper: pings sent by clients.
    pings: grown,
    /// HTTP/2: streams open now.
    open_streams: now,
    /// gRPC: messages sent by clients, all streams together.
    messages_to_server: grown,
    /// gRPC: messages sent by the server, all streams together.
    messages_to_client: grown,
    /// Replies cut by [`Proxy::cut_before_reply`](crate::Proxy::cut_before_reply).
    replies_cut: grown,
}

fn grown(later: u64, earlier: u64) -> u64 {
    later.saturating_sub(earlier)
}

fn now(later: u64, _: u64) -> u64 {
    later
}

pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

pub(crate) fn sub(counter: &AtomicU64, amount: u64) {
    counter.fetch_sub(amount, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_subtracts_events_and_keeps_levels() {
        let counters = Counters::default();
        add(&counters.requests, 3);
        let earlier = counters.read();
        add(&counters.requests, 2);
        add(&counters.open_streams, 4);
        let since = counters.read().since(&earlier);
        assert_eq!((since.requests, since.open_streams), (2, 4));
    }
}
