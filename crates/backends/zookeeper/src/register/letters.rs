//! What we wrote into our node, to tell it from what others write there.

/// Writes without an answer that are remembered; each has taken a break of the link.
const MOST: usize = 16;

/// Our records of one node.
#[derive(Debug, Default)]
pub(super) struct Letters {
    /// The last one that the server acknowledged.
    last: Option<Vec<u8>>,
    /// Those sent since, each of which may be carried out.
    open: Vec<Vec<u8>>,
}

impl Letters {
    pub(super) fn sent(&mut self, record: &[u8]) {
        if self.open.last().is_none_or(|last| last != record) {
            if self.open.len() == MOST {
                self.open.remove(0);
            }
            self.open.push(record.to_vec());
        }
    }

    /// Each write names the version that it replaces, so none before this one can be carried out any more.
    pub(super) fn acknowledged(&mut self, record: &[u8]) {
        self.open.clear();
        self.last = Some(record.to_vec());
    }

    /// Whether this may be ours. Before the first answer everything on our session may.
    pub(super) fn has(&self, record: &[u8]) -> bool {
        self.last.as_ref().is_none_or(|last| last == record) || self.open.iter().any(|open| open == record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_ours_when_it_was_acknowledged_last_or_may_be_carried_out_yet() {
        let mut letters = Letters::default();
        assert!(letters.has(b"anything"));
        letters.sent(b"one");
        letters.acknowledged(b"one");
        assert!(letters.has(b"one") && !letters.has(b"theirs"));
        letters.sent(b"two");
        letters.sent(b"two");
        letters.sent(b"three");
        assert!(["one", "two", "three"].iter().all(|record| letters.has(record.as_bytes())));
        letters.acknowledged(b"three");
        assert!(!letters.has(b"one") && !letters.has(b"two"));
    }

    #[test]
    fn no_more_is_remembered_than_may_be_needed() {
        let mut letters = Letters::default();
        letters.acknowledged(b"none");
        for number in 0..=MOST {
            letters.sent(number.to_string().as_bytes());
        }
        assert!(!letters.has(b"0") && letters.has(b"1"));
    }
}
