//! How a gate tries, and how it registers.

use std::time::Duration;

use reception_core::{RegisterOptions, Result};

use super::config;

/// The shortest span from one try to the next.
const SHORTEST: Duration = Duration::from_millis(10);
/// The least that a try is given.
const PATIENCE: Duration = Duration::from_secs(1);

/// Options of [`gate`](fn@crate::health::gate).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct GateOptions {
    /// How many good tries in a row open the gate; the default is 2.
    pub rise: u32,
    /// How many bad tries in a row shut it; the default is 2.
    pub fall: u32,
    /// From the start of one try to the start of the next; the default is 1 s. A try has this long, but at least 1 s, and is bad then.
    pub interval: Duration,
    /// How the id is claimed. `Replace` holds for the first registration alone: whoever has taken the id while the gate was shut keeps it.
    pub register: RegisterOptions,
    /// Whether a failure of the first registration of all, such as a store that cannot be reached, ends the gate; the default is to try again.
    pub first_is_fatal: bool,
}

impl Default for GateOptions {
    fn default() -> Self {
        Self {
            rise: 2,
            fall: 2,
            interval: Duration::from_secs(1),
            register: RegisterOptions::default(),
            first_is_fatal: false,
        }
    }
}

impl GateOptions {
    /// Sets how many good tries in a row open the gate.
    #[must_use]
    pub fn rise(mut self, rise: u32) -> Self {
        self.rise = rise;
        self
    }

    /// Sets how many bad tries in a row shut it.
    #[must_use]
    pub fn fall(mut self, fall: u32) -> Self {
        self.fall = fall;
        self
    }

    /// Sets the span from the start of one try to the start of the next.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets how the id is claimed.
    #[must_use]
    pub fn register(mut self, register: RegisterOptions) -> Self {
        self.register = register;
        self
    }

    /// Sets whether a failure of the first registration of all ends the gate.
    #[must_use]
    pub fn first_is_fatal(mut self, first_is_fatal: bool) -> Self {
        self.first_is_fatal = first_is_fatal;
        self
    }

    pub(super) fn patience(&self) -> Duration {
        self.interval.max(PATIENCE)
    }

    pub(super) fn verify(&self) -> Result<()> {
        if self.rise == 0 || self.fall == 0 {
            return Err(config("rise and fall are at least 1"));
        }
        if self.interval < SHORTEST {
            return Err(config(format!("the interval is at least {SHORTEST:?}, not {:?}", self.interval)));
        }
        Ok(())
    }
}
