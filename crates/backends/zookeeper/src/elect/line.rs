//! Who stands in an election, first in line first.

use std::sync::Arc;

use reception_core::{Moment, Result};

use crate::{layout::Paths, session::Session, watch::children};

/// The candidates in the order of their coming; what is no candidate of this recipe is left out.
pub(crate) async fn line(
    session: &Arc<Session>,
    operation: &'static str,
    until: Moment,
    folder: &str,
    fresh: bool,
) -> Result<Vec<String>> {
    Ok(sorted(&session.paths, children(session, operation, until, folder, fresh).await?))
}

pub(crate) fn sorted(paths: &Paths, children: Vec<String>) -> Vec<String> {
    let mut standing: Vec<(u32, String)> =
        children.into_iter().filter_map(|child| Some((paths.sequence(&child)?, child))).collect();
    standing.sort_unstable();
    standing.into_iter().map(|(_, child)| child).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Curator, Layout, Reception};

    fn sorted_by(layout: impl Layout, children: &[&str]) -> Vec<String> {
        let paths = Paths::new("", "", None, Arc::new(layout)).unwrap();
        sorted(&paths, children.iter().map(|child| (*child).to_owned()).collect())
    }

    #[test]
    fn the_order_is_that_of_the_sequence_and_odd_children_do_not_count() {
        let children = ["_c_b-latch-0000000010", "latch-000000001", "_c_z-latch-0000000009", "foreign"];
        let line = sorted_by(Curator::default(), &children);
        assert_eq!(line, ["_c_z-latch-0000000009", "_c_b-latch-0000000010"]);
    }

    #[test]
    fn the_order_of_the_go_library_is_that_of_the_sequence_whatever_the_mark() {
        let (late, early) = ("a".repeat(32), "f".repeat(32));
        let (late, early) = (format!("_c_{late}-one-0000000010"), format!("_c_{early}-two-0000000009"));
        let odd = "_c_6c8b-one-0000000001";
        assert_eq!(sorted_by(Reception, &[&late, odd, &early]), [early, late]);
    }
}
