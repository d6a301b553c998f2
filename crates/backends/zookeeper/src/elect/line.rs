//! Who stands in an election, first in line first.

use std::sync::Arc;

use reception_core::{Moment, Result};

use crate::{layout::sequence, session::Session, watch::children};

/// The candidates in the order of their coming; what is no candidate of this recipe is left out.
pub(crate) async fn line(
    session: &Arc<Session>,
    operation: &'static str,
    until: Moment,
    folder: &str,
    fresh: bool,
) -> Result<Vec<String>> {
    Ok(sorted(children(session, operation, until, folder, fresh).await?))
}

pub(crate) fn sorted(children: Vec<String>) -> Vec<String> {
    let mut standing: Vec<(u32, String)> =
        children.into_iter().filter_map(|child| Some((sequence(&child)?, child))).collect();
    standing.sort_unstable();
    standing.into_iter().map(|(_, child)| child).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_sequence_and_odd_children_do_not_count() {
        let children = ["_c_b-latch-0000000010", "latch-000000001", "_c_z-latch-0000000009", "foreign"];
        let line = sorted(children.map(str::to_owned).to_vec());
        assert_eq!(line, ["_c_z-latch-0000000009", "_c_b-latch-0000000010"]);
    }
}
