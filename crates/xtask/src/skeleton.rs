//! Lays the folder and the rows of a new backend.

use std::path::Path;

use crate::{
    Result,
    rooms::{DEFAULT_MEMBER, NEED_PROTOC, ROWS, Row},
    workspace::{Workspace, cargo, output, read, write},
};

/// Stands for the backend in a template.
const PLACE: &str = "__name__";

/// The rooms, each with its template.
const TEMPLATES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../templates/Cargo.toml.txt")),
    ("README.md", include_str!("../templates/README.md")),
    ("src/lib.rs", include_str!("../templates/src/lib.rs")),
    ("src/options.rs", include_str!("../templates/src/options.rs")),
    ("src/client.rs", include_str!("../templates/src/client.rs")),
    ("src/session.rs", include_str!("../templates/src/session.rs")),
    ("src/register.rs", include_str!("../templates/src/register.rs")),
    ("src/watch.rs", include_str!("../templates/src/watch.rs")),
    ("src/elect.rs", include_str!("../templates/src/elect.rs")),
    ("src/layout.rs", include_str!("../templates/src/layout.rs")),
    ("src/error.rs", include_str!("../templates/src/error.rs")),
    ("tests/conformance.rs", include_str!("../templates/tests/conformance.rs")),
    ("tests/fixture/mod.rs", include_str!("../templates/tests/fixture/mod.rs")),
];

/// Names of crates, not of backends.
const TAKEN: &[&str] = &[
    "bench",
    "cli",
    "conformance",
    "core",
    "default",
    "examples",
    "kit",
    "lab",
    "observe",
    "sdk",
    "serde",
    "tests",
    "xtask",
];

/// Lays what is missing of a backend and says what it wrote.
pub(crate) fn lay(workspace: &Workspace, name: &str) -> Result<()> {
    check(name)?;
    let folder = format!("crates/backends/{name}");
    let fresh = !workspace.root.join(&folder).exists();
    if fresh {
        for (room, template) in TEMPLATES {
            write(&workspace.root.join(&folder).join(room), &template.replace(PLACE, name))?;
        }
        println!("laid {folder}: {} rooms, from templates", TEMPLATES.len());
    }
    let version = workspace.members.first().map(|member| member.version.as_str()).unwrap_or_default();
    let mut written = false;
    let default = !NEED_PROTOC.contains(&name);
    let rows = ROWS.iter().chain(default.then_some(&DEFAULT_MEMBER));
    for row in rows {
        written |= add(&workspace.root, row, name, version)?;
    }
    if fresh || written {
        tidy(&workspace.root, name)?;
    }
    Ok(())
}

fn check(name: &str) -> Result<()> {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !plain || !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.len() > 32 {
        return Err(format!(
            "`{name}`: a backend is named with up to 32 lower case letters and digits, a letter first"
        ));
    }
    if TAKEN.contains(&name) {
        return Err(format!("`{name}` is taken by a crate that is no backend"));
    }
    Ok(())
}

fn add(root: &Path, row: &Row, name: &str, version: &str) -> Result<bool> {
    let path = root.join(row.file);
    let text = read(&path)?;
    if row.present(&text, name) {
        return Ok(false);
    }
    let with = row.insert(&text, name, version);
    let with =
        with.ok_or_else(|| format!("{}: no table `{}` to put the row of {name} in", row.file, row.open))?;
    write(&path, &with)?;
    println!("row in {}: {}", row.file, row.begins(name));
    Ok(true)
}

/// Formats what was written: templates do not know how long the name is.
fn tidy(root: &Path, name: &str) -> Result<()> {
    let package = format!("reception-{name}");
    let packages = ["fmt", "--package", &package, "--package", "reception-sdk"];
    output(cargo().current_dir(root).args(packages)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::ROOMS;

    #[test]
    fn every_room_has_a_template_and_no_other_file() {
        let laid: Vec<&str> = TEMPLATES.iter().map(|(room, _)| *room).collect();
        assert_eq!(laid, ROOMS);
    }

    #[test]
    fn a_row_that_is_there_is_not_written_again() {
        let desk = tempfile::tempdir().unwrap();
        write(&desk.path().join("Cargo.toml"), "members = [\n    \"crates/backends/memory\",\n]\n").unwrap();
        let row = &ROWS[0];
        assert_eq!(add(desk.path(), row, "nats", "0.1.0"), Ok(true));
        assert_eq!(add(desk.path(), row, "nats", "0.1.0"), Ok(false));
        let text = read(&desk.path().join("Cargo.toml")).unwrap();
        assert_eq!(text.matches("nats").count(), 1);
        assert!(add(desk.path(), &DEFAULT_MEMBER, "nats", "0.1.0").unwrap_err().contains("default-members"));
    }

    #[test]
    fn names_that_cannot_be_a_crate_or_are_one_are_refused() {
        assert!(check("nats2").is_ok());
        for name in ["", "2nats", "na-ts", "Nats", "../x", "kit"] {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
