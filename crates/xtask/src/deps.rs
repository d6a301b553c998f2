//! Holds the arrows between the crates and the list of dependencies of each.
//!
//! A new dependency is a decision: it is made by adding its name here.

use crate::workspace::{Dependency, Kind, Member};

/// What a crate may use in a build that is not a test.
struct Rule {
    folder: &'static str,
    /// Our own crates, without `reception-`.
    ours: &'static [&'static str],
    foreign: &'static [&'static str],
}

const CORE: &str = "crates/core";
const BACKENDS: &str = "crates/backends/";

/// Core's list is exact; every other is the most that a crate may use.
const RULES: &[Rule] = &[
    Rule {
        folder: CORE,
        ours: &[],
        foreign: &[
            "async-trait",
            "futures-core",
            "percent-encoding",
            "rustix",
            "serde",
            "thiserror",
            "tokio",
            "uuid",
            "zeroize",
        ],
    },
    Rule {
        folder: "crates/observe",
        ours: &["core"],
        foreign: &["async-trait", "futures-core", "metrics", "tracing"],
    },
    Rule {
        folder: "crates/kit",
        ours: &["core"],
        foreign: &[
            "futures-core",
            "metrics",
            "rand",
            "rustls",
            "serde",
            "serde_json",
            "tokio",
            "tokio-util",
            "tracing",
            "uuid",
        ],
    },
    Rule {
        folder: "crates/conformance",
        ours: &["core"],
        foreign: &["async-trait", "futures-core", "futures-util", "libtest-mimic", "tokio", "uuid"],
    },
    Rule {
        folder: "crates/lab",
        ours: &[],
        foreign: &["rustix", "socket2", "tempfile", "thiserror", "tokio"],
    },
    Rule {
        folder: "crates/xtask",
        ours: &[],
        foreign: &["protoc-bin-vendored", "rustix", "serde_json", "tempfile"],
    },
    Rule {
        folder: "crates/bench",
        ours: &["core", "lab", "sdk"],
        foreign: &[
            "etcd-client",
            "futures-util",
            "rustix",
            "serde_json",
            "stats_alloc",
            "tokio",
            "zookeeper-client",
        ],
    },
    Rule {
        folder: "crates/cli",
        ours: &["core", "observe", "sdk"],
        foreign: &[
            "clap",
            "clap_complete",
            "futures-util",
            "rustix",
            "serde",
            "serde_json",
            "tokio",
            "tracing",
            "tracing-subscriber",
        ],
    },
    Rule {
        folder: "examples",
        ours: &["core", "kit", "observe", "sdk"],
        foreign: &["futures-util", "tokio"],
    },
    Rule {
        folder: "tests",
        ours: &["core", "lab", "sdk"],
        foreign: &["async-trait", "futures-util", "libtest-mimic", "rand", "rustix", "tokio"],
    },
];

/// What every backend may use, and what one of them may use besides.
const BACKEND: &[&str] =
    &["async-trait", "futures-core", "futures-util", "tokio", "tokio-util", "tracing", "uuid"];
const BACKEND_OWN: &[(&str, &[&str])] = &[
    ("etcd", &["etcd-client"]),
    (
        "exhibitor",
        &[
            "base64",
            "hyper",
            "hyper-util",
            "percent-encoding",
            "rustls",
            "serde",
            "serde_json",
            "tokio-rustls",
        ],
    ),
    ("local", &["notify", "rustix"]),
    (
        "consul",
        &[
            "base64",
            "bytes",
            "flate2",
            "http-body-util",
            "hyper",
            "hyper-rustls",
            "hyper-util",
            "percent-encoding",
            "rustls",
            "serde",
            "serde_json",
        ],
    ),
    ("zookeeper", &["rustls", "serde", "serde_json", "spawns-core", "zookeeper-client"]),
];
/// The one arrow between backends.
const BACKEND_ARROWS: &[(&str, &str)] = &[("exhibitor", "zookeeper")];

const SDK: &str = "crates/sdk";
const SDK_FOREIGN: &[&str] =
    &["futures-util", "hyper", "hyper-util", "if-addrs", "rustix", "tokio", "tracing"];
/// Where the facade may be used, also in tests.
const ABOVE_SDK: &[&str] = &["crates/cli", "crates/bench", "examples", "tests"];

/// What breaks the rules, one line each.
pub(crate) fn faults(members: &[Member]) -> Vec<String> {
    let mut faults = Vec::new();
    for member in members {
        for dependency in &member.dependencies {
            faults.extend(fault(member, dependency));
        }
        if member.folder == CORE {
            faults.extend(core_faults(member));
        }
    }
    faults
}

fn fault(member: &Member, dependency: &Dependency) -> Option<String> {
    let (folder, name) = (&member.folder, &dependency.name);
    if dependency.kind == Kind::Build {
        return Some(format!("{folder}: {name} is a build dependency; we have no build scripts"));
    }
    if name == "reception-sdk" && !ABOVE_SDK.contains(&folder.as_str()) {
        return Some(format!("{folder}: no library depends on the facade, nor do its tests"));
    }
    if dependency.kind == Kind::Dev || allowed(member, name) {
        return None;
    }
    Some(match name.strip_prefix("reception-") {
        Some(ours) => format!("{folder}: no arrow leads from here to {ours} (ARCHITECTURE.md)"),
        None => format!(
            "{folder}: {name} is not on its list; a new dependency is added in crates/xtask/src/deps.rs"
        ),
    })
}

fn allowed(member: &Member, name: &str) -> bool {
    let ours = name.strip_prefix("reception-");
    let is_backend =
        |name: &str| !RULES.iter().any(|rule| rule.folder.rsplit('/').next() == Some(name)) && name != "sdk";
    if let Some(backend) = member.folder.strip_prefix(BACKENDS) {
        return match ours {
            Some(ours) => matches!(ours, "core" | "kit") || BACKEND_ARROWS.contains(&(backend, ours)),
            None => {
                BACKEND.contains(&name)
                    || BACKEND_OWN.iter().any(|(of, own)| *of == backend && own.contains(&name))
            }
        };
    }
    if member.folder == SDK {
        return match ours {
            Some(ours) => matches!(ours, "core" | "kit" | "observe") || is_backend(ours),
            None => SDK_FOREIGN.contains(&name),
        };
    }
    RULES.iter().filter(|rule| rule.folder == member.folder).any(|rule| match ours {
        Some(ours) => rule.ours.contains(&ours),
        None => rule.foreign.contains(&name),
    })
}

/// Core's list is exact, and of tokio it has the channels alone: no runtime, no timer, no I/O.
fn core_faults(core: &Member) -> Vec<String> {
    let mut faults = Vec::new();
    let normal = || core.dependencies.iter().filter(|dependency| dependency.kind == Kind::Normal);
    let expected = RULES.iter().filter(|rule| rule.folder == CORE).flat_map(|rule| rule.foreign);
    for name in expected {
        if !normal().any(|dependency| dependency.name == *name) {
            faults.push(format!(
                "{CORE}: {name} is on its list but not used; take it off in crates/xtask/src/deps.rs"
            ));
        }
    }
    for dependency in normal() {
        let only_sync = dependency.features.iter().eq(["sync"]) && !dependency.default_features;
        if dependency.name == "tokio" && !only_sync {
            faults.push(format!("{CORE}: of tokio only `sync`, without default features"));
        }
        if dependency.name == "serde" && !dependency.optional {
            faults.push(format!("{CORE}: serde is a feature"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(folder: &str, dependencies: &[&str]) -> Member {
        let normal = |name: &&str| Dependency { name: (*name).to_owned(), ..Dependency::default() };
        Member {
            folder: folder.to_owned(),
            dependencies: dependencies.iter().map(normal).collect(),
            ..Member::default()
        }
    }

    fn core() -> Member {
        let mut core = member(CORE, RULES[0].foreign);
        for dependency in &mut core.dependencies {
            match dependency.name.as_str() {
                "serde" => dependency.optional = true,
                "tokio" => dependency.features = ["sync".to_owned()].into(),
                _ => {}
            }
        }
        core
    }

    #[test]
    fn the_arrows_of_the_architecture_pass() {
        let members = [
            core(),
            member("crates/kit", &["reception-core", "tokio"]),
            member("crates/backends/etcd", &["reception-core", "reception-kit", "etcd-client"]),
            member("crates/backends/exhibitor", &["reception-zookeeper"]),
            member("crates/backends/fresh", &["reception-core", "reception-kit", "tokio"]),
            member("crates/sdk", &["reception-core", "reception-kit", "reception-etcd", "reception-fresh"]),
        ];
        assert_eq!(faults(&members), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_that_is_not_drawn_is_a_fault() {
        for (folder, name) in [
            ("crates/core", "reception-kit"),
            ("crates/observe", "reception-kit"),
            ("crates/conformance", "reception-kit"),
            ("crates/backends/etcd", "reception-memory"),
            ("crates/backends/zookeeper", "reception-exhibitor"),
            ("crates/kit", "reception-sdk"),
            ("crates/sdk", "reception-lab"),
            ("crates/sdk", "reception-conformance"),
        ] {
            let found = faults(&[member(folder, &[name])]);
            assert!(found.iter().any(|fault| fault.starts_with(folder)), "{folder} -> {name}: {found:?}");
        }
    }

    #[test]
    fn a_dependency_off_the_list_is_a_fault() {
        let found = faults(&[member("crates/backends/memory", &["etcd-client"])]);
        assert!(found[0].contains("etcd-client is not on its list"), "{found:?}");
        assert_eq!(faults(&[member("crates/new", &["tokio"])]).len(), 1);
    }

    #[test]
    fn core_keeps_its_exact_list_and_the_channels_of_tokio_alone() {
        let mut wide = core();
        wide.dependencies.iter_mut().filter(|d| d.name == "tokio").for_each(|d| {
            d.features.insert("rt".to_owned());
        });
        assert!(faults(&[wide])[0].contains("only `sync`"));

        let mut short = core();
        short.dependencies.retain(|d| d.name != "zeroize");
        assert!(faults(&[short])[0].contains("zeroize is on its list but not used"));

        let mut fixed = core();
        fixed.dependencies.iter_mut().for_each(|d| d.optional = false);
        assert!(faults(&[fixed])[0].contains("serde is a feature"));
    }

    #[test]
    fn tests_of_a_library_may_use_backends_but_not_the_facade() {
        let dev = |name: &str| Dependency { name: name.to_owned(), kind: Kind::Dev, ..Dependency::default() };
        let mut kit = member("crates/kit", &[]);
        kit.dependencies = vec![dev("reception-memory")];
        assert!(faults(std::slice::from_ref(&kit)).is_empty());
        kit.dependencies = vec![dev("reception-sdk")];
        assert_eq!(faults(&[kit]).len(), 1);
    }

    #[test]
    fn a_build_script_is_a_fault() {
        let mut kit = member("crates/kit", &["cc"]);
        kit.dependencies[0].kind = Kind::Build;
        assert!(faults(&[kit])[0].contains("build dependency"));
    }
}
