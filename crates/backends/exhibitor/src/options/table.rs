//! The table of options, made of our own and of ZooKeeper's: one that ZooKeeper gains is had here too.

use reception_core::OptionSpec;

const ZOOKEEPER: &[OptionSpec] = reception_zookeeper::BACKEND.options();

/// How many of ZooKeeper's options keep their names.
pub(super) const fn count(renamed: &[&str]) -> usize {
    let (mut at, mut kept) = (0, 0);
    while at < ZOOKEEPER.len() {
        if !holds(renamed, ZOOKEEPER[at].key()) {
            kept += 1;
        }
        at += 1;
    }
    kept
}

/// Ours, then those of ZooKeeper's that keep their names.
pub(super) const fn joined<const N: usize>(own: &[OptionSpec], renamed: &[&str]) -> [OptionSpec; N] {
    let mut all = [own[0]; N];
    let mut filled = 0;
    while filled < own.len() {
        all[filled] = own[filled];
        filled += 1;
    }
    let mut at = 0;
    while at < ZOOKEEPER.len() {
        if !holds(renamed, ZOOKEEPER[at].key()) {
            all[filled] = ZOOKEEPER[at];
            filled += 1;
        }
        at += 1;
    }
    all
}

const fn holds(keys: &[&str], key: &str) -> bool {
    let mut at = 0;
    while at < keys.len() {
        if same(keys[at].as_bytes(), key.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::OPTIONS, *};

    #[test]
    fn every_option_of_zookeeper_is_here_by_its_name_or_with_zk_before_it() {
        let ours: BTreeSet<&str> = OPTIONS.iter().map(OptionSpec::key).collect();
        assert_eq!(ours.len(), OPTIONS.len(), "a key stands twice");
        for theirs in ZOOKEEPER {
            let key = theirs.key();
            let here = OPTIONS.iter().find(|ours| ours.key() == key);
            assert!(here == Some(theirs) || ours.contains(format!("zk_{key}").as_str()), "{key}");
        }
    }
}
