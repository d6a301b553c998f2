//! What a test may command.

use std::time::Duration;

/// A way through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ways")]
pub enum Way {
    /// From the server to the client.
    ToClient,
    /// From the client to the server.
    ToServer,
}

impl Way {
    pub(crate) fn index(self) -> usize {
        match self {
            Self::ToClient => 0,
            Self::ToServer => 1,
        }
    }

    pub(crate) fn opposite(self) -> Self {
        match self {
            Self::ToClient => Self::ToServer,
            Self::ToServer => Self::ToClient,
        }
    }
}

/// What happens to the bytes of one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flow {
    /// Each connection passes so many more bytes, then it is closed.
    CutAfter(u64),
    /// Every byte arrives later, in order, by `base` and a seeded part of `jitter`.
    Delay {
        /// The least delay.
        base: Duration,
        /// How much more it may be.
        jitter: Duration,
    },
    /// Bytes go through.
    #[default]
    Pass,
    /// Bytes are no longer taken, so that the sender's window closes; they go on after a heal.
    Stall,
    /// Bytes, ends and resets vanish while the connection stays open, as on a broken link.
    Swallow,
}

/// Everything commanded at one moment. Connections are numbered as they come; a command to end them
/// names the last one it meant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Policy {
    flows: [Flow; 2],
    turns: [u64; 2],
    pub(crate) close: u64,
    pub(crate) reset: u64,
    pub(crate) half: [u64; 2],
}

impl Policy {
    pub(crate) fn set(&mut self, way: Way, flow: Flow) {
        self.flows[way.index()] = flow;
        self.turns[way.index()] += 1;
    }

    pub(crate) fn flow(&self, way: Way) -> Flow {
        self.flows[way.index()]
    }

    /// How often this way was commanded: the same flow again starts a new budget.
    pub(crate) fn turn(&self, way: Way) -> u64 {
        self.turns[way.index()]
    }

    /// How this connection was told to end, if it was.
    pub(crate) fn ends(&self, connection: u64) -> Option<End> {
        if connection <= self.reset {
            return Some(End::Reset);
        }
        (connection <= self.close).then_some(End::Close)
    }

    /// Whether this way of the connection was told to end.
    pub(crate) fn half_closes(&self, way: Way, connection: u64) -> bool {
        connection <= self.half[way.index()]
    }
}

/// How a connection ends before both its ways have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Close,
    Reset,
}

/// SplitMix64: enough for jitter, and the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64, connection: u64, way: Way) -> Self {
        let mut dice = Self(seed ^ connection.wrapping_mul(2).wrapping_add(way.index() as u64));
        dice.roll();
        dice
    }

    pub(crate) fn part_of(&mut self, whole: Duration) -> Duration {
        let millionths = self.roll() % 1_000_001;
        whole.mul_f64(millionths as f64 / 1e6)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_jitter() {
        let rolls = |seed| {
            let mut dice = Dice::new(seed, 3, Way::ToClient);
            (0..20).map(|_| dice.part_of(Duration::from_millis(100))).collect::<Vec<_>>()
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
        assert!(rolls(7).iter().all(|part| *part <= Duration::from_millis(100)));
    }
}
