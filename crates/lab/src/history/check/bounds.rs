//! How long things may take before a history breaks a promise.

use std::time::Duration;

macro_rules! bounds {
    ($($(#[doc = $doc:literal])+ $name:ident = $ms:literal,)+) => {
        /// The bounds that a history is judged by; the defaults are those of TTL 10 s on one machine.
        ///
        /// ```
        /// use std::time::Duration;
        /// use reception_lab::history::Bounds;
        ///
        /// let bounds = Bounds::default().ttl(Duration::from_secs(2));
        /// assert_eq!(bounds.overlap, Duration::from_millis(500));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Bounds {
            $($(#[doc = $doc])+ pub $name: Duration,)+
            /// How many connections a client keeps at a time.
            pub connections: u32,
        }

        impl Default for Bounds {
            fn default() -> Self {
                Self { $($name: Duration::from_millis($ms),)+ connections: 1 }
            }
        }

        impl Bounds {
            $(
                $(#[doc = $doc])+
                #[must_use]
                pub const fn $name(mut self, $name: Duration) -> Self {
                    self.$name = $name;
                    self
                }
            )+
        }
    };
}

/// How late a renewal may be sent on a busy machine.
const TARDY: u64 = 400_000_000;

bounds! {
    /// The longest wait between two tries to connect.
    backoff = 5_000,
    /// How long two may hold at once after the server took a leadership away early.
    overlap = 500,
    /// How long a change takes to be seen while nothing fails.
    settle = 2_000,
    /// How long a watch may say nothing in a fault.
    silence = 10_000,
    /// Over how long the clients come back after they all lost their connections at once.
    spread = 1_000,
    /// How long a lease outlives its holder; zero where there is none and a claim ends with its process.
    ttl = 10_000,
    /// How long a process may take to notice its loss once it runs again.
    wake = 250,
}

impl Bounds {
    /// How many connections a client keeps at a time.
    #[must_use]
    pub const fn connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// How long a client takes to be well again after a fault that nothing expired in.
    pub(super) fn recovery(&self) -> u64 {
        ns(self.backoff).saturating_add(2_000_000_000)
    }

    /// How soon after its last chance to renew the lease of an instance may run out: the last renewal was sent up to a
    /// third of its life before, or a little more on a busy machine.
    pub(super) fn leased(&self) -> u64 {
        (ns(self.ttl) / 3 * 2).saturating_sub(TARDY)
    }

    /// How soon after its last chance to renew a leader may step down: before its lease ends.
    pub(super) fn led(&self) -> u64 {
        self.leased().saturating_sub((ns(self.ttl) / 10).max(200_000_000))
    }

    /// How long what a dead process left may be seen; a server looks for expired leases in steps.
    pub(super) fn gone(&self) -> u64 {
        ns(self.ttl).saturating_add(1_000_000_000).saturating_add(ns(self.settle))
    }
}

/// The nanoseconds of a span.
pub(super) fn ns(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
