//! One write: what must stand there, what is done then, and what is read when something else does.

use etcd_client::{
    Compare, CompareOp, GetOptions, KeyValue, PutOptions, Txn, TxnOp, TxnOpResponse, TxnResponse,
};

use crate::session::Position;

/// What must stand at the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Nothing, and the writer is not fenced off.
    Free,
    /// The record of this revision; nothing for revision zero.
    At(i64),
    /// What is to be written already: it is only looked at.
    Same,
}

/// A change of one key that may be sent twice, alone or with others.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(super) key: String,
    guard: Guard,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    Put {
        record: Vec<u8>,
        lease: i64,
        /// The key that stands when the writer must not write any more.
        fence: String,
    },
    Delete,
}

/// What became of a write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    /// The guard held.
    pub(crate) done: bool,
    /// The revision of the record when it was written.
    pub(crate) revision: i64,
    /// What stands there, where the guard looks or did not hold.
    pub(crate) found: Option<KeyValue>,
    pub(crate) fenced: bool,
}

/// The parts of a transaction, of one write or of several.
#[derive(Debug, Default)]
pub(super) struct Parts {
    when: Vec<Compare>,
    then: Vec<TxnOp>,
    or_else: Vec<TxnOp>,
}

impl Parts {
    /// What counts against the server's limit.
    pub(super) fn operations(&self) -> usize {
        self.when.len().max(self.then.len()).max(self.or_else.len())
    }

    pub(super) fn transaction(self) -> Txn {
        Txn::new().when(self.when).and_then(self.then).or_else(self.or_else)
    }
}

impl Write {
    /// Puts a record on a lease.
    pub(crate) fn put(key: &str, guard: Guard, record: Vec<u8>, lease: i64, fence: String) -> Self {
        Self { key: key.to_owned(), guard, change: Change::Put { record, lease, fence } }
    }

    /// Deletes the record of this revision.
    pub(crate) fn delete(key: &str, revision: i64) -> Self {
        Self { key: key.to_owned(), guard: Guard::At(revision), change: Change::Delete }
    }

    pub(super) fn lease(&self) -> Option<i64> {
        match self.change {
            Change::Put { lease, .. } => Some(lease),
            Change::Delete => None,
        }
    }

    /// About what it adds to a request, and to the revision that watchers are told of.
    pub(super) fn size(&self) -> usize {
        self.key.len()
            + match &self.change {
                Change::Put { record, .. } => record.len(),
                Change::Delete => 0,
            }
    }

    pub(super) fn add_to(&self, parts: &mut Parts) {
        let key = self.key.as_str();
        match (self.guard, &self.change) {
            (Guard::Free, change) => {
                parts.when.push(Compare::create_revision(key, CompareOp::Equal, 0));
                if let Change::Put { fence, .. } = change {
                    parts.when.push(Compare::create_revision(fence.as_str(), CompareOp::Equal, 0));
                }
            }
            (Guard::Same, Change::Put { record, lease, .. }) => {
                parts.when.push(Compare::value(key, CompareOp::Equal, record.as_slice()));
                parts.when.push(Compare::lease(key, CompareOp::Equal, *lease));
            }
            (Guard::At(revision), _) => {
                parts.when.push(Compare::mod_revision(key, CompareOp::Equal, revision));
            }
            (Guard::Same, Change::Delete) => {}
        }
        let only = GetOptions::new().with_keys_only();
        parts.then.push(match &self.change {
            Change::Put { .. } if self.guard == Guard::Same => TxnOp::get(key, Some(only.clone())),
            Change::Put { record, lease, .. } => {
                TxnOp::put(key, record.as_slice(), Some(PutOptions::new().with_lease(*lease)))
            }
            Change::Delete => TxnOp::delete(key, None),
        });
        match &self.change {
            Change::Put { fence, .. } => {
                parts.or_else.push(TxnOp::get(key, None));
                parts.or_else.push(TxnOp::get(fence.as_str(), Some(only)));
            }
            Change::Delete => parts.or_else.push(TxnOp::get(key, Some(only))),
        }
    }

    /// Takes its own answers from those of a transaction in which it comes next.
    fn take(&self, done: bool, revision: i64, answers: &mut impl Iterator<Item = TxnOpResponse>) -> Written {
        let mut read = || match answers.next() {
            Some(TxnOpResponse::Get(mut read)) => read.take_kvs().into_iter().next(),
            _ => None,
        };
        let found = read();
        let fenced = !done && matches!(self.change, Change::Put { .. }) && read().is_some();
        Written { done, revision, found, fenced }
    }

    /// Whether what a transaction read that wrote nothing is what this write asks for: others were in its way.
    pub(super) fn would_hold(&self, read: &Written) -> bool {
        let found = read.found.as_ref();
        match (self.guard, &self.change) {
            (Guard::Free, _) => found.is_none() && !read.fenced,
            (Guard::At(revision), _) => found.map_or(0, KeyValue::mod_revision) == revision,
            (Guard::Same, Change::Put { record, lease, .. }) => {
                found.is_some_and(|kv| kv.value() == record.as_slice() && kv.lease() == *lease)
            }
            (Guard::Same, Change::Delete) => false,
        }
    }
}

/// What each of the writes of a transaction was told.
pub(super) fn told<'a>(writes: impl Iterator<Item = &'a Write>, answer: &TxnResponse) -> Vec<Written> {
    let revision = Position::of(answer.header()).revision;
    let mut answers = answer.op_responses().into_iter();
    writes.map(|write| write.take(answer.succeeded(), revision, &mut answers)).collect()
}
