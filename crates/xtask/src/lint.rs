//! Clippy and rustdoc over the combinations of features that a user can meet.
//!
//! Few commands on purpose: every other set of features builds tokio and others once more.

use std::{process::Command, time::Duration};

use crate::{
    Result, protoc,
    run::{bounded, minutes, spelled},
    workspace::{Member, Workspace, cargo},
};

const LIMIT: Duration = minutes(12);

/// All that builds without protoc, as plain cargo commands at the root see it.
pub(crate) fn default_members(workspace: &Workspace) -> Result<()> {
    let mut command = clippy(workspace, &["--all-targets"]);
    bounded(protoc::hide(&mut command, &workspace.target.join("xtask/path"))?, LIMIT)
}

/// Every member with all its features.
pub(crate) fn all_features(workspace: &Workspace) -> Result<()> {
    let mut command = clippy(workspace, &["--workspace", "--all-features", "--all-targets"]);
    bounded(protoc::provide(&mut command)?, LIMIT)
}

/// Each feature of each member alone, and none.
pub(crate) fn each_feature(workspace: &Workspace) -> Result<()> {
    for arguments in combinations(&workspace.members) {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = clippy(workspace, &arguments);
        println!("$ {}", spelled(&command));
        bounded(protoc::provide(&mut command)?, LIMIT)?;
    }
    Ok(())
}

/// The pages that are published, then those with private items, which also checks the links in them.
pub(crate) fn docs(workspace: &Workspace) -> Result<()> {
    for more in [&[][..], &["--document-private-items"]] {
        let mut command = cargo();
        command.current_dir(&workspace.root).env("RUSTDOCFLAGS", "-D warnings");
        command
            .args([
                "doc",
                "--quiet",
                "--keep-going",
                "--locked",
                "--workspace",
                "--all-features",
                "--no-deps",
            ])
            .args(more);
        bounded(protoc::provide(&mut command)?, LIMIT)?;
    }
    Ok(())
}

fn clippy(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut command = cargo();
    command
        .current_dir(&workspace.root)
        .args(["clippy", "--quiet", "--keep-going", "--locked"])
        .args(arguments);
    command.args(["--", "-D", "warnings"]);
    command
}

/// The arguments that pick one library and one of its features, or none of them.
///
/// Examples and tests are no libraries: of them the default and the full set are all that anybody builds.
fn combinations(members: &[Member]) -> Vec<Vec<String>> {
    let mut combinations = Vec::new();
    let library = |member: &&Member| member.folder.starts_with("crates/") && !member.features.is_empty();
    for member in members.iter().filter(library) {
        let mut pick = |feature: &[&str]| {
            let member = ["--package", &member.name, "--no-default-features"];
            combinations.push([&member, feature].concat().into_iter().map(str::to_owned).collect());
        };
        pick(&[]);
        for feature in member.features.keys().filter(|feature| *feature != "default") {
            pick(&["--features", feature]);
        }
    }
    combinations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_picked_alone_and_none_too() {
        let member = |folder: &str, features: &[&str]| Member {
            name: folder.replace('/', "-"),
            folder: folder.to_owned(),
            features: features.iter().map(|name| ((*name).to_owned(), Vec::new())).collect(),
            ..Member::default()
        };
        let members =
            [member("crates/a", &["default", "x", "y"]), member("crates/b", &[]), member("examples", &["z"])];
        let lines: Vec<String> = combinations(&members).iter().map(|words| words.join(" ")).collect();
        assert_eq!(
            lines,
            [
                "--package crates-a --no-default-features",
                "--package crates-a --no-default-features --features x",
                "--package crates-a --no-default-features --features y",
            ]
        );
    }
}
