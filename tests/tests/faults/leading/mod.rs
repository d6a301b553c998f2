//! Faults of leaders and candidates.

use crate::scenario::Scenario;

pub(crate) const SCENARIOS: &[Scenario] = &[];
