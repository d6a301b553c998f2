//! Faults of registrations and watches.

use crate::scenario::Scenario;

pub(crate) const SCENARIOS: &[Scenario] = &[];
