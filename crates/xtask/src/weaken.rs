//! Ways to break the library that the fault scenarios must catch.
//!
//! Each is a replacement of text, applied to a copy of the tree that is built and thrown away: no switch in
//! published code can weaken it. A test holds that each text still stands where it is looked for.

use std::path::Path;

use crate::{
    Result,
    workspace::{read, write},
};

/// One mistake that somebody could make.
pub(crate) struct Weakening {
    pub(crate) name: &'static str,
    /// Whose scenarios must notice.
    pub(crate) backend: &'static str,
    /// What is wrong with it, for people.
    pub(crate) what: &'static str,
    edits: &'static [Edit],
    /// The scenarios that must fail.
    pub(crate) scenarios: &'static str,
    /// The invariant that one of them must find violated.
    pub(crate) invariant: &'static str,
}

struct Edit {
    file: &'static str,
    text: &'static str,
    by: &'static str,
}

/// In the parts that every backend shares.
const REVIVED: &[Edit] = &[
    Edit {
        file: "crates/core/src/leadership.rs",
        text: "        self.change(now, |_| ())\n",
        by: "        Some(Error::new(ErrorKind::LeaseLost, CORE, \"lead\", \"late\"))\n",
    },
    Edit {
        file: "crates/core/src/leadership.rs",
        text: "if open && now >= term.until {",
        by: "if open && now == Moment::NEVER {",
    },
    Edit {
        file: "crates/kit/src/elect.rs",
        text: "if !tenure.is_held() {\n                        return ended(control).await;",
        by: "if !tenure.is_held() {\n                        continue;",
    },
    Edit {
        file: "crates/kit/src/elect.rs",
        text: "saturating_add(tenure.remaining());",
        by: "saturating_add(tenure.remaining().max(Duration::from_millis(20)));",
    },
];

const WEAKENINGS: &[Weakening] = &[
    Weakening {
        name: "receipt",
        backend: "etcd",
        what: "the deadline counts from the receipt of the answer to a renewal",
        edits: &[Edit {
            file: "crates/backends/etcd/src/session/lease.rs",
            text: "self.call(operation, patience, work).await.map(|()| sent)",
            by: "self.call(operation, patience, work).await.map(|()| sent.max(self.clock.now()))",
        }],
        scenarios: "F8",
        invariant: "I1",
    },
    Weakening {
        name: "deaf",
        backend: "etcd",
        what: "the watch of a leader's own key is ignored",
        edits: &[Edit {
            file: "crates/backends/etcd/src/elect/candidacy/leading.rs",
            text: "removal(&answer).filter(|_| answer.watch_id() == OWN)",
            by: "removal(&answer).filter(|_| answer.watch_id() != OWN)",
        }],
        scenarios: "F22",
        invariant: "I1",
    },
    Weakening {
        name: "revived",
        backend: "etcd",
        what: "a renewal that is answered late revives a leadership whose deadline has passed",
        edits: REVIVED,
        scenarios: "F5",
        invariant: "I9",
    },
    Weakening {
        name: "unlinked",
        backend: "local",
        what: "a leader does not compare which files the paths of its lock and its record lead to",
        edits: &[Edit {
            file: "crates/backends/local/src/elect/candidacy.rs",
            text: "Ok(Identity::at(&room.lock())? == Some(*lock) && record.stands(&room.record(ticket))?)",
            by: "Ok(lock.inode > 0 || record.stands(&room.record(ticket))?)",
        }],
        scenarios: "F22",
        invariant: "I1",
    },
    Weakening {
        name: "receipt",
        backend: "zookeeper",
        what: "the deadline counts from the receipt of what a leader reads of its own node",
        edits: &[Edit {
            file: "crates/backends/zookeeper/src/elect/candidacy.rs",
            text: "if stat.czxid == own.created => Ok(sent),",
            by: "if stat.czxid == own.created => Ok(sent.max(self.session.clock.now())),",
        }],
        scenarios: "F8",
        invariant: "I1",
    },
    Weakening {
        name: "deaf",
        backend: "zookeeper",
        what: "the watch of a leader's own node is ignored",
        edits: &[Edit {
            file: "crates/backends/zookeeper/src/elect/candidacy.rs",
            text: "Seen::Gone => Self::lost(\"the leader's node was removed\"),",
            by: "Seen::Gone => std::future::pending().await,",
        }],
        scenarios: "F22",
        invariant: "I1",
    },
    Weakening {
        name: "revived",
        backend: "zookeeper",
        what: "an answer that comes late revives a leadership whose deadline has passed",
        edits: REVIVED,
        scenarios: "F5",
        invariant: "I9",
    },
    Weakening {
        name: "expired",
        backend: "zookeeper",
        what: "a leader leads until the library would say that its session has expired, 1.4 of its time after it was last heard",
        edits: &[Edit {
            file: "crates/backends/zookeeper/src/elect/candidacy.rs",
            text: "ttl.saturating_sub(margin(ttl))",
            by: "ttl.saturating_add(margin(ttl) * 4)",
        }],
        scenarios: "F4",
        invariant: "I1",
    },
];

impl Weakening {
    /// The one of this name for this backend.
    pub(crate) fn named(name: &str, backend: &str) -> Result<&'static Self> {
        let named = || WEAKENINGS.iter().filter(|weakening| weakening.name == name);
        if let Some(found) = named().find(|weakening| weakening.backend == backend) {
            return Ok(found);
        }
        if let Some(other) = named().next() {
            return Err(format!("{name} weakens {}: play it with --backend {0}", other.backend));
        }
        let lines = WEAKENINGS
            .iter()
            .map(|Self { name, backend, what, .. }| format!("\n  {name:<8} {backend}: {what}"));
        Err(format!("no weakening is called {name}; there are:{}", lines.collect::<String>()))
    }

    /// Weakens the tree at `root`.
    pub(crate) fn apply(&self, root: &Path) -> Result<()> {
        touch(root)?;
        for edit in self.edits {
            let path = root.join(edit.file);
            let text = read(&path)?;
            let found = text.matches(edit.text).count();
            if found != 1 {
                return Err(format!("{}: found {found} times, not once: {}", edit.file, edit.text));
            }
            write(&path, &text.replace(edit.text, edit.by))?;
        }
        Ok(())
    }
}

/// Writes every file anew that some weakening edits. All weakened builds share what they have built, and cargo would take one that
/// is as old as in the tree for what it built last: weakened in another way.
fn touch(root: &Path) -> Result<()> {
    for edit in WEAKENINGS.iter().flat_map(|weakening| weakening.edits) {
        let path = root.join(edit.file);
        write(&path, &read(&path)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weakening_still_finds_its_text_exactly_once() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for weakening in WEAKENINGS {
            let desk = tempfile::tempdir().unwrap();
            for edit in WEAKENINGS.iter().flat_map(|weakening| weakening.edits) {
                write(&desk.path().join(edit.file), &read(&root.join(edit.file)).unwrap()).unwrap();
            }
            weakening.apply(desk.path()).unwrap();
            assert!(weakening.apply(desk.path()).is_err(), "{} leaves its text as it was", weakening.name);
        }
    }

    #[test]
    fn an_unknown_weakening_is_answered_with_those_that_there_are() {
        let wrong = Weakening::named("brittle", "etcd").err().unwrap();
        assert!(WEAKENINGS.iter().all(|weakening| wrong.contains(weakening.name)), "{wrong}");
    }
}
