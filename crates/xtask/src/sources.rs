//! Checks in the text of the sources what no compiler checks.
//!
//! Calls that belong to one file, the headings that every public async fn has, sizes of files, tests
//! that are skipped without a word, and paths of somebody's machine.

use crate::{
    Result,
    workspace::{Workspace, read},
};

/// The most lines of a file before its tests.
const LINES: usize = 400;

/// A text that no line of code may hold, but in the named places.
struct Ban {
    text: &'static str,
    /// Beginnings of the paths that it is banned in.
    within: &'static [&'static str],
    but: &'static [&'static str],
    reason: &'static str,
}

const LIBRARIES: &[&str] =
    &["crates/core/src/", "crates/kit/src/", "crates/observe/src/", "crates/backends/", "crates/sdk/src/"];
const SUPERVISE: &[&str] = &["crates/kit/src/supervise.rs"];
const RUST: &[&str] = &["crates/", "examples/", "tests/"];
const HERE: &[&str] = &["crates/xtask/src/sources.rs"];
const SPAWNS: &str = "tasks are spawned by the supervisor, which names and joins them";

const BANS: &[Ban] = &[
    Ban { text: "tokio::spawn", within: LIBRARIES, but: SUPERVISE, reason: SPAWNS },
    Ban { text: "task::spawn", within: LIBRARIES, but: SUPERVISE, reason: SPAWNS },
    Ban { text: "JoinSet", within: LIBRARIES, but: SUPERVISE, reason: SPAWNS },
    Ban {
        text: "thread::spawn",
        within: LIBRARIES,
        but: &[],
        reason: "libraries run on the caller's runtime",
    },
    Ban { text: "unbounded_channel", within: RUST, but: HERE, reason: "every queue is bounded" },
    Ban { text: "#[ignore]", within: RUST, but: HERE, reason: "an ignored test says why" },
    Ban { text: "```ignore", within: RUST, but: HERE, reason: "every example in the docs is compiled" },
];

/// The crates whose public async fns are the contract.
const CONTRACT: &[&str] = &["crates/core/src/", "crates/kit/src/"];

/// Folders that only one machine has; a path below them does not belong in the project.
const HOMES: &[&str] = &["home", "root", "tmp", "Users", "work"];

/// What is wrong in the sources, one line each.
pub(crate) fn faults(workspace: &Workspace) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for path in workspace.files()?.iter().filter(|path| is_text(path)) {
        faults.extend(in_file(path, &read(&workspace.root.join(path))?));
    }
    Ok(faults)
}

fn is_text(path: &str) -> bool {
    let ends = [".rs", ".md", ".toml", ".yml", ".yaml", ".json", ".sh", ".proto", ".ci/run"];
    ends.iter().any(|end| path.ends_with(end))
}

fn in_file(path: &str, text: &str) -> Vec<String> {
    let mut faults = machine_paths(path, text);
    if path.ends_with(".rs") {
        faults.extend(bans(path, text));
        let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        let tests = path.contains("tests/") || path.ends_with("/tests.rs");
        if lines > LINES && !tests {
            faults.push(format!("{path}: {lines} lines without tests; the most is {LINES}"));
        }
        if CONTRACT.iter().any(|folder| path.starts_with(folder)) {
            faults.extend(headings(path, text));
        }
    }
    faults
}

fn bans(path: &str, text: &str) -> Vec<String> {
    let begins = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
    // What holds for libraries does not hold for their tests.
    let applies = |ban: &&Ban| begins(ban.within) && (ban.within == RUST || path.contains("/src/"));
    let active: Vec<&Ban> = BANS.iter().filter(applies).filter(|ban| !begins(ban.but)).collect();
    let mut faults = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        // Words about a call are no call; a fence stands in a comment.
        let spoken = line.starts_with("//");
        for ban in &active {
            if line.contains(ban.text) && spoken == ban.text.starts_with("```") {
                faults.push(format!("{path}:{number}: `{}`: {}", ban.text, ban.reason));
            }
        }
    }
    faults
}

fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let at_fault = |line: &str| {
        HOMES.iter().any(|home| {
            let folder = format!("/{home}/");
            line.match_indices(&folder).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = line[at + folder.len()..].chars().next();
                before.is_none_or(|c| !c.is_alphanumeric() && !"._-/}*".contains(c))
                    && after.is_some_and(char::is_alphanumeric)
            })
        })
    };
    let lines = (1..).zip(text.lines());
    lines
        .filter(|(_, line)| at_fault(line))
        .map(|(number, _)| format!("{path}:{number}: a path of one machine"))
        .collect()
}

/// Finds public async fns whose docs lack `# Errors` (where they can fail) or `# Cancel safety`.
fn headings(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").collect();
    let mut faults = Vec::new();
    let mut docs = String::new();
    let mut open_trait: Option<usize> = None;
    for (number, line) in lines.iter().enumerate() {
        let (code, indent) = (line.trim_start(), line.len() - line.trim_start().len());
        if let Some(doc) = code.strip_prefix("///") {
            docs.push_str(doc.trim());
            docs.push('\n');
            continue;
        }
        if code.starts_with("pub trait ") {
            open_trait = Some(indent);
        } else if open_trait == Some(indent) && code.starts_with('}') {
            open_trait = None;
        }
        if let Some(name) = public_fn(code, open_trait.is_some()) {
            let signature = signature(&lines[number..]);
            let answer = signature.rsplit_once(") ->").map_or("", |(_, answer)| answer);
            let waits = signature.contains("async fn ") || answer.contains("impl Future");
            let fails = answer.contains("Result<");
            let has = |heading: &str| docs.lines().any(|line| line == heading);
            for (heading, wanted) in [("# Errors", waits && fails), ("# Cancel safety", waits)] {
                if wanted && !has(heading) {
                    faults.push(format!("{path}:{}: `{name}` has no `{heading}`", number + 1));
                }
            }
        }
        // Attributes stand between the docs and their item.
        if !code.starts_with("#[") {
            docs.clear();
        }
    }
    faults
}

/// The name of the fn that the line opens, when callers outside the crate can see it.
fn public_fn(code: &str, in_trait: bool) -> Option<&str> {
    let rest = match code.strip_prefix("pub ") {
        Some(rest) => rest,
        None if in_trait => code,
        None => return None,
    };
    let rest = rest.strip_prefix("const ").unwrap_or(rest);
    let name = rest.strip_prefix("async ").unwrap_or(rest).strip_prefix("fn ")?;
    name.split(['(', '<']).next()
}

fn signature(lines: &[&str]) -> String {
    let mut signature = String::new();
    for line in lines {
        signature.push_str(line.trim());
        signature.push(' ');
        if line.trim_end().ends_with(['{', ';', '}']) {
            break;
        }
    }
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_spawned_outside_the_supervisor_is_a_fault() {
        let text = "fn f() {\n    tokio::spawn(async {});\n}\n";
        assert_eq!(in_file("crates/kit/src/hub.rs", text).len(), 1);
        assert!(in_file("crates/kit/src/supervise.rs", text).is_empty());
        assert!(in_file("crates/kit/src/hub.rs", "// never tokio::spawn here\n").is_empty());
        assert_eq!(in_file("crates/backends/etcd/src/a.rs", "let set = JoinSet::new();").len(), 1);
        assert!(in_file("crates/backends/etcd/tests/a.rs", text).is_empty());
    }

    #[test]
    fn a_path_of_a_machine_is_a_fault() {
        for home in HOMES {
            let line = format!("see /{home}/me/notes");
            assert_eq!(in_file("README.md", &line).len(), 1, "{line}");
            assert!(in_file("README.md", &format!("https://example.org/{home}/me")).is_empty());
        }
    }

    #[test]
    fn an_ignored_test_or_example_without_a_word_is_a_fault() {
        assert_eq!(in_file("tests/tests/a.rs", "#[ignore]\nfn a() {}").len(), 1);
        assert!(in_file("tests/tests/a.rs", "#[ignore = \"needs a second machine\"]").is_empty());
        assert_eq!(in_file("crates/core/src/a.rs", "/// ```ignore").len(), 1);
    }

    #[test]
    fn a_file_that_is_too_long_is_a_fault_but_its_tests_do_not_count() {
        let long = "\n".repeat(LINES + 1);
        assert_eq!(in_file("crates/lab/src/a.rs", &long).len(), 1);
        assert!(in_file("crates/lab/src/a.rs", &format!("#[cfg(test)]{long}")).is_empty());
        assert!(in_file("crates/lab/src/a/tests.rs", &long).is_empty());
    }

    #[test]
    fn a_public_async_fn_says_its_errors_and_its_cancel_safety() {
        let path = "crates/core/src/a.rs";
        let bare = "/// Does it.\npub async fn close(\n    self,\n) -> Result<()> {\n}\n";
        assert_eq!(in_file(path, bare).len(), 2);
        let full = "/// Does it.\n///\n/// # Errors\n/// Never.\n///\n/// # Cancel safety\n/// Yes.\n#[must_use]\npub async fn close() -> Result<()> {\n}\n";
        assert!(in_file(path, full).is_empty());
        assert!(in_file("crates/lab/src/a.rs", bare).is_empty());
    }

    #[test]
    fn methods_of_public_traits_and_returned_futures_count_as_well() {
        let path = "crates/kit/src/a.rs";
        let text = "pub trait Slot {\n    /// Writes.\n    fn write(&mut self) -> impl Future<Output = Result<()>> + Send;\n}\nimpl S {\n    fn hidden() -> impl Future<Output = ()>;\n}\n";
        assert_eq!(in_file(path, text).len(), 2);
        let lost = "/// Waits.\npub fn lost(&self) -> impl Future<Output = Error> + Send {\n}\n";
        let found = in_file(path, lost);
        assert!(found.len() == 1 && found[0].contains("# Cancel safety"), "{found:?}");
        assert!(in_file(path, "/// Says.\npub fn name(&self) -> Result<()> {\n}\n").is_empty());
        assert!(in_file(path, "pub(crate) async fn f() {\n}\n").is_empty());
    }
}
