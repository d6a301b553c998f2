//! The rooms of a backend's folder and the rows that it has elsewhere.
//!
//! `layout` checks both, `backend` writes both.

/// Every backend has these files; one that has nothing to do is absent and its README says why.
pub(crate) const ROOMS: &[&str] = &[
    "Cargo.toml",
    "README.md",
    "src/lib.rs",
    "src/options.rs",
    "src/client.rs",
    "src/session.rs",
    "src/register.rs",
    "src/watch.rs",
    "src/elect.rs",
    "src/layout.rs",
    "src/error.rs",
    "tests/conformance.rs",
    "tests/fixture/mod.rs",
];

/// How a table is written, and so where a new row goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One line after the other: at the end.
    Lines,
    /// Entries between brackets: at the end.
    List,
    /// Lines in the order of the alphabet.
    Sorted,
}

/// A line that names each backend in a file outside its folder.
pub(crate) struct Row {
    pub(crate) file: &'static str,
    pub(crate) shape: Shape,
    /// The table: from the line that begins with `open` to the next one that begins with `close` (empty: a blank line).
    pub(crate) open: &'static str,
    pub(crate) close: &'static str,
    /// How the row begins; `NAME` stands for the backend, `UPPER` for it in capitals, `SCHEME` for that of its URLs.
    pub(crate) begins: &'static str,
    /// The whole row, when it is written for a new backend.
    pub(crate) text: &'static str,
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        file: "Cargo.toml",
        shape: Shape::Lines,
        open: "members = [",
        close: "]",
        begins: "\"crates/backends/NAME\"",
        text: "    \"crates/backends/NAME\",",
    },
    Row {
        file: "Cargo.toml",
        shape: Shape::Sorted,
        open: "[workspace.dependencies]",
        close: "[",
        begins: "reception-NAME = ",
        text: "reception-NAME = { path = \"crates/backends/NAME\", version = \"=VERSION\" }",
    },
    Row {
        file: "crates/sdk/Cargo.toml",
        shape: Shape::Lines,
        open: "[features]",
        close: "[",
        begins: "NAME = [\"dep:reception-NAME\"",
        text: "## NAME: not written yet.\nNAME = [\"dep:reception-NAME\"]",
    },
    Row {
        file: "crates/sdk/Cargo.toml",
        shape: Shape::List,
        open: "observe = [",
        close: "]",
        begins: "\"reception-NAME?/metrics\"",
        text: "\"reception-NAME?/metrics\"",
    },
    Row {
        file: "crates/sdk/Cargo.toml",
        shape: Shape::Sorted,
        open: "[dependencies]",
        close: "[",
        begins: "reception-NAME = ",
        text: "reception-NAME = { workspace = true, optional = true }",
    },
    Row {
        file: "crates/sdk/src/rows.rs",
        shape: Shape::Lines,
        open: "use reception_core",
        close: "/// Each backend",
        begins: "const UPPER_ABSENT: Backend",
        text: "\n#[cfg(feature = \"NAME\")]\nconst UPPER: Backend = reception_NAME::BACKEND;\n\
            #[cfg(not(feature = \"NAME\"))]\nconst UPPER: Backend = UPPER_ABSENT;\n\
            const UPPER_ABSENT: Backend = Backend::absent(\"NAME\", &[\"NAME\"], \"NAME\");",
    },
    Row {
        file: "crates/sdk/src/rows.rs",
        shape: Shape::List,
        open: "const ROWS: &[(Backend, Backend)] =",
        close: "];",
        begins: "(UPPER, UPPER_ABSENT)",
        text: "(UPPER, UPPER_ABSENT)",
    },
    Row {
        file: "crates/sdk/src/lib.rs",
        shape: Shape::Lines,
        open: "pub use reception_core",
        close: "pub use rows",
        begins: "pub use reception_NAME",
        text: "#[cfg(feature = \"NAME\")]\npub use reception_NAME as NAME;",
    },
    Row {
        file: "README.md",
        shape: Shape::Lines,
        open: "| scheme |",
        close: "",
        begins: "| `SCHEME:",
        text: "| `SCHEME://` | `NAME` | NAME | not written yet |",
    },
];

/// Backends whose URLs begin otherwise than with their name.
const SCHEMES: &[(&str, &str)] = &[("zookeeper", "zk")];

/// Backends that need protoc to build, and so do not belong to `default-members`.
pub(crate) const NEED_PROTOC: &[&str] = &["etcd"];

/// The row of `default-members`; only for backends that build without protoc.
pub(crate) const DEFAULT_MEMBER: Row = Row {
    file: "Cargo.toml",
    shape: Shape::Lines,
    open: "default-members = [",
    close: "]",
    begins: "\"crates/backends/NAME\"",
    text: "    \"crates/backends/NAME\",",
};

impl Row {
    /// How the row of a backend begins.
    pub(crate) fn begins(&self, name: &str) -> String {
        fill(self.begins, name, "")
    }

    /// Whether the row of the backend stands in its table.
    pub(crate) fn present(&self, text: &str, name: &str) -> bool {
        let begins = self.begins(name);
        if self.shape == Shape::List {
            return self.list(text).is_some_and(|(from, to)| text[from..to].contains(&begins));
        }
        let lines: Vec<&str> = text.lines().collect();
        self.table(&lines)
            .is_some_and(|(from, to)| lines[from..to].iter().any(|line| line.trim().starts_with(&begins)))
    }

    /// The text with the row of the backend; none when there is no such table.
    pub(crate) fn insert(&self, text: &str, name: &str, version: &str) -> Option<String> {
        let row = fill(self.text, name, version);
        if self.shape == Shape::List {
            let (from, to) = self.list(text)?;
            let kept = text[from..to].trim_end().trim_end_matches(',');
            return Some(format!("{}{kept}, {row}{}", &text[..from], &text[to..]));
        }
        let mut lines: Vec<&str> = text.lines().collect();
        let (from, to) = self.table(&lines)?;
        let kin = self
            .begins
            .split("NAME")
            .flat_map(|part| part.split("UPPER"))
            .flat_map(|part| part.split("SCHEME"))
            .next()
            .filter(|begins| !begins.is_empty());
        let like = |line: &str| match kin {
            Some(begins) => line.trim().starts_with(begins),
            None => !line.trim().is_empty(),
        };
        let last = (from..to).rev().find(|at| like(lines[*at]))?;
        let sorted = self.shape == Shape::Sorted;
        let at = (from..=last)
            .find(|at| sorted && like(lines[*at]) && lines[*at] > row.as_str())
            .unwrap_or(last + 1);
        lines.splice(at..at, row.lines());
        Some(lines.join("\n") + "\n")
    }

    /// The place between the brackets of a list in one expression.
    fn list(&self, text: &str) -> Option<(usize, usize)> {
        let from = text.find(self.open)? + self.open.len();
        Some((from, from + text[from..].find(self.close)?))
    }

    fn table(&self, lines: &[&str]) -> Option<(usize, usize)> {
        let from = lines.iter().position(|line| line.starts_with(self.open))? + 1;
        let ends = |line: &&str| {
            if self.close.is_empty() { line.trim().is_empty() } else { line.starts_with(self.close) }
        };
        let length = lines[from..].iter().position(ends).unwrap_or(lines.len() - from);
        Some((from, from + length))
    }
}

fn fill(text: &str, name: &str, version: &str) -> String {
    let scheme = SCHEMES.iter().find(|(of, _)| *of == name).map_or(name, |(_, scheme)| scheme);
    text.replace("SCHEME", scheme)
        .replace("UPPER", &name.to_uppercase())
        .replace("NAME", name)
        .replace("VERSION", version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[workspace]\nmembers = [\n    \"crates/core\", # first\n    \"crates/backends/etcd\", # etcd\n    \"tests\",\n]\n\
        [workspace.dependencies]\nreception-etcd = { path = \"x\" }\nreception-sdk = { path = \"x\" }\n\nrand = \"0.9\"\n\n[profile.dev]\n";

    #[test]
    fn a_row_is_found_in_its_own_table_only() {
        assert!(ROWS[0].present(MANIFEST, "etcd"));
        assert!(!ROWS[0].present(MANIFEST, "memory"));
        assert!(!DEFAULT_MEMBER.present(MANIFEST, "etcd"));
    }

    #[test]
    fn a_row_goes_after_its_kin_and_dependencies_stay_in_order() {
        let members = ROWS[0].insert(MANIFEST, "nats", "0.1.0").unwrap();
        assert!(
            members.contains("etcd\", # etcd\n    \"crates/backends/nats\",\n    \"tests\""),
            "{members}"
        );
        let dependencies = ROWS[1].insert(&members, "nats", "0.1.0").unwrap();
        let order: Vec<_> = dependencies.lines().filter(|line| line.starts_with("reception-")).collect();
        assert_eq!(order[1], "reception-nats = { path = \"crates/backends/nats\", version = \"=0.1.0\" }");
        assert!(ROWS[..2].iter().all(|row| row.present(&dependencies, "nats")));
        assert_eq!(DEFAULT_MEMBER.insert(MANIFEST, "nats", "0.1.0"), None);
    }
}
