//! The rows: each a kind of store that the cases are played on.

use crate::{
    case::{Case, Need},
    stores::{self, Opening},
};

/// One kind of store.
#[derive(Debug)]
pub(crate) struct Row {
    /// The backend's name.
    pub(crate) name: &'static str,
    /// What it cannot do, and why.
    pub(crate) lacks: &'static [(Need, &'static str)],
    /// Why it cannot be played on this machine.
    missing: fn() -> Option<String>,
    /// Gives a case a place of its own; with `true` a server of its own.
    pub(crate) open: fn(bool) -> Opening,
}

impl Row {
    pub(crate) fn missing(&self) -> Option<String> {
        (self.missing)()
    }

    pub(crate) fn lack(&self, need: Need) -> bool {
        self.lacks.iter().any(|(lack, _)| *lack == need)
    }

    pub(crate) fn plays(&self, case: &Case) -> bool {
        !case.needs.iter().any(|need| self.lack(*need))
    }
}

/// The rows that a build without their feature has not.
pub(crate) const ABSENT: &[&str] = &[
    #[cfg(not(feature = "consul"))]
    "consul",
    #[cfg(not(feature = "etcd"))]
    "etcd",
    #[cfg(not(feature = "exhibitor"))]
    "exhibitor",
    #[cfg(not(feature = "zookeeper"))]
    "zookeeper",
];

/// Every row; a new backend adds its own.
pub(crate) const ROWS: &[Row] = &[
    #[cfg(feature = "consul")]
    Row {
        name: "consul",
        lacks: &[
            (Need::Fixed, "its content is written"),
            (Need::Users, "a token opens the door there, and no password"),
            (Need::Promptness, "the dead are there until their check lapses"),
        ],
        missing: stores::consul_missing,
        open: stores::consul,
    },
    #[cfg(feature = "etcd")]
    Row {
        name: "etcd",
        lacks: &[
            (Need::Fixed, "its content is written"),
            (Need::Promptness, "the dead are there until their lease ends"),
        ],
        missing: stores::etcd_missing,
        open: stores::etcd,
    },
    #[cfg(feature = "exhibitor")]
    Row {
        name: "exhibitor",
        lacks: &[
            (Need::Fixed, "its content is written"),
            (Need::Users, "a password opens no door of the store, it only tells who owns what"),
            (Need::Promptness, "the dead are there until their session ends"),
        ],
        missing: stores::exhibitor_missing,
        open: stores::exhibitor,
    },
    LOCAL_ROW,
    Row {
        name: "memory",
        lacks: &[
            (Need::Fixed, "its content is written"),
            (Need::Sharing, "it ends with its process"),
            (Need::Outage, "there is no server"),
            (Need::Users, "there is no server"),
            (Need::Strangers, "no other program reaches it"),
            (Need::Expiry, "nothing ends before its process"),
            (Need::Revoking, "nobody else reaches it"),
            (Need::Promptness, "nobody else sees it"),
        ],
        missing: || None,
        open: stores::memory,
    },
    Row {
        name: "static",
        lacks: &[
            (Need::Writing, "a list takes none"),
            (Need::Elections, "a list has none"),
            (Need::Sharing, "nobody writes what others could see"),
            (Need::Outage, "there is no server"),
            (Need::Users, "there is no server"),
            (Need::Strangers, "a list has no elections"),
            (Need::Expiry, "a list does not change"),
            (Need::Revoking, "a list has no elections"),
            (Need::Promptness, "a list does not change"),
        ],
        missing: || None,
        open: stores::fixed,
    },
    #[cfg(feature = "zookeeper")]
    Row {
        name: "zookeeper",
        lacks: &[
            (Need::Fixed, "its content is written"),
            (Need::Users, "a password opens no door there, it only tells who owns what"),
            (Need::Promptness, "the dead are there until their session ends"),
        ],
        missing: stores::zookeeper_missing,
        open: stores::zookeeper,
    },
];

const LOCAL_ROW: Row = Row {
    name: "local",
    lacks: &[
        (Need::Fixed, "its content is written"),
        (Need::Outage, "there is no server"),
        (Need::Users, "there is no server"),
        (Need::Strangers, "only this command stands there"),
        (Need::Expiry, "a claim ends with its process"),
    ],
    missing: || None,
    open: stores::local,
};

/// The row of the cases that are about the command alone.
pub(crate) const LOCAL: &Row = &LOCAL_ROW;
