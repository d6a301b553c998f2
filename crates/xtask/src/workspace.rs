//! What `cargo metadata` says of this workspace, and the files that git would commit.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::Result;

/// The workspace that the task runs in.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) members: Vec<Member>,
}

/// One package of the workspace.
#[derive(Debug, Default)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// From the root, with `/`.
    pub(crate) folder: String,
    pub(crate) version: String,
    /// Part of `default-members`.
    pub(crate) default: bool,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) examples: Vec<String>,
    /// The suites that stand in files of their own.
    pub(crate) tests: Vec<String>,
}

/// One line of a dependency table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) optional: bool,
    pub(crate) default_features: bool,
    pub(crate) features: BTreeSet<String>,
}

/// The table that a dependency stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    Build,
    Dev,
    #[default]
    Normal,
}

impl Workspace {
    /// Asks cargo about the workspace around `folder`.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let mut command = cargo();
        command.current_dir(folder).args(["metadata", "--format-version", "1", "--no-deps"]);
        Self::parse(&output(&mut command)?)
    }

    fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).map_err(|e| format!("cargo metadata: {e}"))?;
        let root = PathBuf::from(word(&value, "workspace_root"));
        let defaults: BTreeSet<String> = words(&value["workspace_default_members"]);
        let mut members: Vec<Member> =
            list(&value["packages"]).map(|package| member(package, &root, &defaults)).collect();
        members.sort_by(|a, b| a.folder.cmp(&b.folder));
        Ok(Self { root, target: PathBuf::from(word(&value, "target_directory")), members })
    }

    /// The names of the backends' folders, sorted.
    pub(crate) fn backends(&self) -> Vec<String> {
        let under = |member: &Member| member.folder.strip_prefix("crates/backends/").map(str::to_owned);
        self.members.iter().filter_map(under).collect()
    }

    /// Every file that git tracks or would add, from the root, with `/`, sorted; outside git, every file.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        if !self.root.join(".git").exists() {
            let mut files = Vec::new();
            walk(&self.root, "", &mut files).map_err(|e| format!("{}: {e}", self.root.display()))?;
            files.sort();
            return Ok(files);
        }
        let mut git = Command::new("git");
        git.current_dir(&self.root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let listed = output(&mut git)?;
        let mut files: Vec<String> =
            listed.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        files.retain(|name| self.root.join(name).is_file());
        files.sort();
        files.dedup();
        Ok(files)
    }
}

fn walk(folder: &Path, from_root: &str, files: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{from_root}{name}");
        if !entry.file_type()?.is_dir() {
            files.push(path);
        } else if name != "target" {
            walk(&entry.path(), &format!("{path}/"), files)?;
        }
    }
    Ok(())
}

fn member(package: &Value, root: &Path, defaults: &BTreeSet<String>) -> Member {
    let manifest = PathBuf::from(word(package, "manifest_path"));
    let folder = manifest.parent().and_then(|folder| folder.strip_prefix(root).ok());
    let features = package["features"].as_object().into_iter().flatten();
    Member {
        name: word(package, "name"),
        folder: folder.map(|folder| folder.to_string_lossy().replace('\\', "/")).unwrap_or_default(),
        version: word(package, "version"),
        default: defaults.contains(&word(package, "id")),
        features: features
            .map(|(name, of)| (name.clone(), words(&of.clone()).into_iter().collect()))
            .collect(),
        dependencies: list(&package["dependencies"]).map(dependency).collect(),
        examples: targets(package, "example"),
        tests: targets(package, "test"),
    }
}

fn targets(package: &Value, kind: &str) -> Vec<String> {
    let of = list(&package["targets"]).filter(|target| words(&target["kind"]).contains(kind));
    of.map(|target| word(target, "name")).collect()
}

fn dependency(value: &Value) -> Dependency {
    Dependency {
        name: word(value, "name"),
        kind: match value["kind"].as_str() {
            Some("build") => Kind::Build,
            Some("dev") => Kind::Dev,
            _ => Kind::Normal,
        },
        optional: value["optional"].as_bool().unwrap_or_default(),
        default_features: value["uses_default_features"].as_bool().unwrap_or_default(),
        features: words(&value["features"]),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn words(value: &Value) -> BTreeSet<String> {
    list(value).filter_map(Value::as_str).map(str::to_owned).collect()
}

fn word(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command that only answers, and hands back what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let named = command.get_program().to_string_lossy().into_owned();
    let done = command.output().map_err(|e| format!("{named}: {e}"))?;
    if !done.status.success() {
        return Err(format!(
            "{named}: {}\n{}",
            done.status,
            String::from_utf8_lossy(&done.stderr).trim_end()
        ));
    }
    String::from_utf8(done.stdout).map_err(|e| format!("{named}: {e}"))
}

/// Reads a file of the workspace, or says which is missing.
pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Writes a file of the workspace and the folders above it.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_gives_folders_defaults_and_kinds() {
        let text = r#"{"workspace_root":"/w","target_directory":"/w/target","workspace_default_members":["a#1"],
            "packages":[{"name":"reception-a","id":"a#1","version":"0.1.0","manifest_path":"/w/crates/a/Cargo.toml",
            "features":{"x":["dep:b"]},"targets":[{"kind":["example"],"name":"tour"}],
            "dependencies":[{"name":"b","kind":"dev","optional":true,"uses_default_features":false,"features":["f"]}]}]}"#;
        let workspace = Workspace::parse(text).unwrap();
        let member = &workspace.members[0];
        assert_eq!((member.folder.as_str(), member.default), ("crates/a", true));
        assert_eq!(member.examples, ["tour"]);
        assert_eq!(member.features["x"], ["dep:b"]);
        assert_eq!(member.dependencies[0].kind, Kind::Dev);
        assert!(member.dependencies[0].optional && !member.dependencies[0].default_features);
    }
}
