//! Holds the tree: where things are is where one looks for them.

use std::path::Path;

use crate::{
    Result,
    rooms::{DEFAULT_MEMBER, NEED_PROTOC, ROOMS, ROWS},
    workspace::{Member, Workspace, read},
};

/// Files that everybody looks for first.
const ENTRANCE: &[&str] = &[
    ".cargo/config.toml",
    ".ci/run",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "deny.toml",
    "docs/adding-a-backend.md",
    "docs/laws.md",
    "docs/wire/record.md",
    "rustfmt.toml",
    "typos.toml",
];

/// Members besides backends that need protoc to build.
const PROTOC_MEMBERS: &[&str] = &["crates/bench", "tests"];

/// What every manifest takes from the workspace, each with the table it stands in.
const INHERITED: &[(&str, &str)] = &[
    ("[package]", "version.workspace = true"),
    ("[package]", "edition.workspace = true"),
    ("[package]", "rust-version.workspace = true"),
    ("[package]", "license.workspace = true"),
    ("[lints]", "workspace = true"),
];

/// What is not where it belongs, one line each.
pub(crate) fn faults(workspace: &Workspace) -> Result<Vec<String>> {
    let root = &workspace.root;
    let mut faults = Vec::new();
    for file in ENTRANCE.iter().filter(|file| !root.join(file).is_file()) {
        faults.push(format!("{file} is missing"));
    }
    for member in &workspace.members {
        faults.extend(manifest(member, &read(&root.join(&member.folder).join("Cargo.toml"))?));
        faults.extend(default_member(member));
        faults.extend(examples(root, member)?);
    }
    for backend in workspace.backends() {
        faults.extend(rooms(root, &backend)?);
        faults.extend(rows(root, &backend)?);
    }
    faults.extend(strangers(workspace)?);
    Ok(faults)
}

fn manifest(member: &Member, text: &str) -> Vec<String> {
    let folder = &member.folder;
    let mut faults = Vec::new();
    let wanted = format!("reception-{}", folder.rsplit('/').next().unwrap_or_default());
    if member.name != wanted {
        faults.push(format!("{folder}: the package is called {}, not {wanted}", member.name));
    }
    for (table, line) in INHERITED {
        let mut inside = text.lines().map(str::trim).skip_while(|line| line != table).skip(1);
        if !inside.by_ref().take_while(|line| !line.starts_with('[')).any(|found| found == *line) {
            faults.push(format!("{folder}/Cargo.toml: `{line}` is missing under {table}"));
        }
    }
    faults
}

/// Plain cargo commands at the root must work on a machine with only Rust, and see all that builds there.
fn default_member(member: &Member) -> Option<String> {
    let backend = member.folder.strip_prefix("crates/backends/");
    let needs_protoc = PROTOC_MEMBERS.contains(&member.folder.as_str())
        || backend.is_some_and(|name| NEED_PROTOC.contains(&name));
    match (member.default, needs_protoc) {
        (true, true) => Some(format!("{} needs protoc: it is no default member", member.folder)),
        (false, false) => Some(format!("{} builds without protoc: it is a default member", member.folder)),
        _ => None,
    }
}

/// Every example is named where a reader looks for it.
fn examples(root: &Path, member: &Member) -> Result<Vec<String>> {
    if member.examples.is_empty() {
        return Ok(Vec::new());
    }
    let folder = root.join(&member.folder);
    let lists = [root.join("README.md"), folder.join("README.md")];
    let text =
        lists.iter().filter(|list| list.is_file()).map(|list| read(list)).collect::<Result<String>>()?;
    let unnamed = member.examples.iter().filter(|name| !names(&text, name));
    Ok(unnamed
        .map(|name| format!("{}: the example {name} is not listed in a README", member.folder))
        .collect())
}

/// Whether the text holds the word, and not only as part of a longer one.
fn names(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}

fn rooms(root: &Path, backend: &str) -> Result<Vec<String>> {
    let folder = root.join("crates/backends").join(backend);
    let readme = read(&folder.join("README.md")).unwrap_or_default();
    let mut faults = Vec::new();
    // A room may be a folder: `src/elect/mod.rs`, or `src/elect/` beside `src/elect.rs`.
    let there =
        |room: &str| folder.join(room).is_file() || folder.join(room.replace(".rs", "/mod.rs")).is_file();
    for room in ROOMS.iter().filter(|room| !there(room)) {
        let short = room.trim_start_matches("src/");
        if *room == "README.md" || !readme.contains(&format!("`{short}`")) {
            faults.push(format!(
                "crates/backends/{backend}: {room} is missing, and its README does not say why"
            ));
        }
    }
    let lib = folder.join("src/lib.rs");
    if lib.is_file() && !read(&lib)?.contains("pub const BACKEND: Backend") {
        faults.push(format!("crates/backends/{backend}: src/lib.rs has no `pub const BACKEND: Backend`"));
    }
    Ok(faults)
}

fn rows(root: &Path, backend: &str) -> Result<Vec<String>> {
    let default = (!NEED_PROTOC.contains(&backend)).then_some(&DEFAULT_MEMBER);
    let mut faults = Vec::new();
    for row in ROWS.iter().chain(default) {
        if !row.present(&read(&root.join(row.file))?, backend) {
            faults.push(format!("{}: no row `{}` under `{}`", row.file, row.begins(backend), row.open));
        }
    }
    Ok(faults)
}

/// A folder with a manifest that is no member would rot unseen.
fn strangers(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = |file: &String| file.strip_suffix("/Cargo.toml").map(str::to_owned);
    let is_member = |folder: &String| workspace.members.iter().any(|member| member.folder == *folder);
    let inside = |folder: &String| !folder.contains("/templates/");
    let files = workspace.files()?;
    let strangers = files.iter().filter_map(folder).filter(|folder| inside(folder) && !is_member(folder));
    Ok(strangers.map(|folder| format!("{folder} is no member of the workspace")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::write;

    const MANIFEST: &str = "[package]\nname = \"reception-core\"\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\n\n[lints]\nworkspace = true\n";

    fn member(folder: &str, default: bool) -> Member {
        let name = format!("reception-{}", folder.rsplit('/').next().unwrap());
        Member { name, folder: folder.to_owned(), default, ..Member::default() }
    }

    #[test]
    fn a_manifest_inherits_lints_version_and_licence() {
        let core = member("crates/core", true);
        assert_eq!(manifest(&core, MANIFEST), Vec::<String>::new());
        let bare = MANIFEST.replace("[lints]\nworkspace = true\n", "[features]\nworkspace = true\n");
        assert!(manifest(&core, &bare)[0].contains("under [lints]"));
        let own = MANIFEST.replace("version.workspace = true\nedition", "version = \"0.2.0\"\nedition");
        assert_eq!(manifest(&core, &own).len(), 1);
    }

    #[test]
    fn a_package_is_named_after_its_folder() {
        let mut odd = member("crates/core", true);
        odd.name = "core".to_owned();
        assert!(manifest(&odd, MANIFEST)[0].contains("not reception-core"));
    }

    #[test]
    fn default_members_are_those_that_build_without_protoc() {
        assert_eq!(default_member(&member("crates/core", true)), None);
        assert_eq!(default_member(&member("crates/backends/etcd", false)), None);
        assert!(default_member(&member("crates/backends/etcd", true)).is_some());
        assert!(default_member(&member("tests", true)).is_some());
        assert!(default_member(&member("crates/backends/memory", false)).is_some());
    }

    #[test]
    fn a_missing_room_is_a_fault_unless_the_readme_says_why() {
        let desk = tempfile::tempdir().unwrap();
        let folder = desk.path().join("crates/backends/nats");
        for room in ROOMS {
            write(&folder.join(room), "pub const BACKEND: Backend = x;").unwrap();
        }
        assert_eq!(rooms(desk.path(), "nats").unwrap(), Vec::<String>::new());
        std::fs::remove_file(folder.join("src/elect.rs")).unwrap();
        assert!(rooms(desk.path(), "nats").unwrap()[0].contains("src/elect.rs is missing"));
        write(&folder.join("README.md"), "There is no `elect.rs`: this store cannot.").unwrap();
        assert_eq!(rooms(desk.path(), "nats").unwrap(), Vec::<String>::new());
        write(&folder.join("src/lib.rs"), "").unwrap();
        assert!(rooms(desk.path(), "nats").unwrap()[0].contains("BACKEND"));
    }

    #[test]
    fn a_missing_row_is_a_fault() {
        let desk = tempfile::tempdir().unwrap();
        for row in ROWS.iter().chain([&DEFAULT_MEMBER]) {
            let path = desk.path().join(row.file);
            let before = read(&path).unwrap_or_default();
            let entry = row.begins("nats") + "x";
            write(&path, &format!("{before}{}\n{entry}\n{}\n", row.open, row.close)).unwrap();
        }
        assert_eq!(rows(desk.path(), "nats").unwrap(), Vec::<String>::new());
        assert_eq!(rows(desk.path(), "zippy").unwrap().len(), ROWS.len() + 1);
    }

    #[test]
    fn an_example_that_no_readme_names_is_a_fault() {
        let desk = tempfile::tempdir().unwrap();
        write(&desk.path().join("README.md"), "Run `cargo run --example tour`, then watch_all.").unwrap();
        let mut member = member("examples", true);
        member.examples = vec!["tour".to_owned(), "watch".to_owned()];
        let found = examples(desk.path(), &member).unwrap();
        assert!(found.len() == 1 && found[0].contains("example watch"), "{found:?}");
    }
}
