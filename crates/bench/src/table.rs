//! The subcommands and their options, once: for the parser, for help, and for the tests.

/// One subcommand.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) options: &'static [Opt],
    pub(crate) floor: Floor,
    pub(crate) place: Place,
}

/// Where the same work can be done without this library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Floor {
    Anywhere,
    Nowhere,
    Server,
}

/// Where the work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this process alone.
    Local,
    Server,
    ServerOrMemory,
}

/// One option; an empty default is absence.
#[derive(Debug)]
pub(crate) struct Opt {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: &'static str,
    pub(crate) doc: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Choice(&'static [&'static str]),
    Flag,
    Number { least: usize },
    Text,
}

impl Command {
    /// Its own options and those of all.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static Opt> {
        self.options.iter().chain(COMMON)
    }
}

const fn number(name: &'static str, default: &'static str, doc: &'static str) -> Opt {
    Opt { name, kind: Kind::Number { least: 1 }, default, doc }
}

pub(crate) const COMMON: &[Opt] = &[
    Opt {
        name: "url",
        kind: Kind::Text,
        default: "",
        doc: "etcd://, zk:// or consul://HOST:PORT[/NAMESPACE], or memory:; `etcd:`, as without it, `zk:` and `consul:` start one",
    },
    Opt {
        name: "peer",
        kind: Kind::Choice(&["reception", "raw", "both"]),
        default: "both",
        doc: "whose work is measured",
    },
    number("pairs", "5", "how often, reception and raw in turns"),
];

const COUNT_10K: Opt = number("count", "10000", "instances of the service");
const TTL: Opt = number("ttl", "2", "seconds a lease or session lives after its owner (kill)");

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "register",
        about: "registers many instances: one, sequential, pipelined (64 and 512 at once), all at once",
        options: &[
            number("count", "3000", "registrations of each mode but the first"),
            number("rounds", "50", "registrations of the mode `one`, each by a client of its own"),
        ],
        floor: Floor::Server,
        place: Place::Server,
    },
    Command {
        name: "watch",
        about: "how fast a change reaches a watcher, and what it costs",
        options: &[
            number("count", "10", "instances of the service"),
            number("changes", "200", "measured changes, half of them removals"),
            number("warmup", "50", "changes before those"),
        ],
        floor: Floor::Server,
        place: Place::ServerOrMemory,
    },
    Command {
        name: "list",
        about: "reads all instances from the store, or from a live watch",
        options: &[
            COUNT_10K,
            number("repeat", "7", "lists of a run"),
            Opt { name: "cached", kind: Kind::Flag, default: "", doc: "from a live watch" },
        ],
        floor: Floor::Server,
        place: Place::Server,
    },
    Command {
        name: "failover",
        about: "how fast the next candidate leads after a leader has resigned or was killed",
        options: &[
            Opt {
                name: "mode",
                kind: Kind::Choice(&["resign", "kill"]),
                default: "resign",
                doc: "how the leader leaves",
            },
            Opt { name: "candidates", kind: Kind::Number { least: 2 }, default: "3", doc: "who stand" },
            number("rounds", "50", "changes of the leader (kill: a tenth)"),
            TTL,
        ],
        floor: Floor::Server,
        place: Place::Server,
    },
    Command {
        name: "idle",
        about: "what many registrations and a watch cost while nothing happens",
        options: &[
            number("count", "1000", "registrations"),
            number("seconds", "20", "how long it is looked at"),
        ],
        floor: Floor::Server,
        place: Place::Server,
    },
    Command {
        name: "publish",
        about: "applies one change to a large view and hands it to a watcher, without a server",
        options: &[COUNT_10K, number("changes", "2000", "measured changes")],
        floor: Floor::Anywhere,
        place: Place::Local,
    },
    Command {
        name: "memory",
        about: "bytes that a watched instance takes, and a further watcher",
        options: &[COUNT_10K, number("watchers", "100", "further watchers of the same service")],
        floor: Floor::Anywhere,
        place: Place::ServerOrMemory,
    },
    Command {
        name: "fanout",
        about: "how fast one change reaches the last of many watchers of one process",
        options: &[
            COUNT_10K,
            number("watchers", "1000", "watchers of the service"),
            number("changes", "20", "measured changes"),
        ],
        floor: Floor::Server,
        place: Place::Server,
    },
    Command {
        name: "burst",
        about: "many registrations at once under a watcher of a large service",
        options: &[COUNT_10K, number("changes", "1000", "registrations at once")],
        floor: Floor::Server,
        place: Place::Server,
    },
    Command {
        name: "reconnect",
        about: "what a broken connection costs many registrations and a watcher",
        options: &[number("count", "100", "registrations")],
        floor: Floor::Nowhere,
        place: Place::Server,
    },
    Command {
        name: "exit",
        about: "how many requests and how long a clean exit takes",
        options: &[number("count", "1000", "registrations")],
        floor: Floor::Server,
        place: Place::Server,
    },
];
