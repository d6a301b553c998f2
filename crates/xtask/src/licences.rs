//! Licences, banned crates and sources: cargo-deny with deny.toml, without a network.

use std::{path::PathBuf, process::Command};

use crate::{
    Result,
    run::{bounded, minutes},
    workspace::{Workspace, cargo, output},
};

/// The version whose file format deny.toml has.
const VERSION: &str = "0.20.2";

/// Checks deny.toml; installs cargo-deny under the target folder where it is missing.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let program = match find(workspace) {
        Some(program) => program,
        None => install(workspace)?,
    };
    let mut command = Command::new(program);
    command.current_dir(&workspace.root);
    command.args(["--offline", "--locked", "--all-features", "check", "--hide-inclusion-graph"]);
    bounded(command.args(["licenses", "bans", "sources"]), minutes(2))
}

fn find(workspace: &Workspace) -> Option<PathBuf> {
    let ours = tools(workspace).join("bin").join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    [ours, PathBuf::from("cargo-deny")].into_iter().find(|program| {
        output(Command::new(program).arg("--version")).is_ok_and(|version| version.trim().ends_with(VERSION))
    })
}

/// A debug build: it takes a third of the time of a release build and checks this tree in seconds.
fn install(workspace: &Workspace) -> Result<PathBuf> {
    println!("cargo-deny {VERSION} is not here: building it");
    let tools = tools(workspace);
    let mut command = cargo();
    command.current_dir(std::env::temp_dir()).env("CARGO_PROFILE_DEV_DEBUG", "0");
    command.args([
        "install",
        "cargo-deny",
        "--quiet",
        "--locked",
        "--version",
        VERSION,
        "--no-default-features",
    ]);
    command.arg("--debug").arg("--root").arg(&tools).arg("--target-dir").arg(tools.join("build"));
    bounded(&mut command, minutes(10))?;
    find(workspace)
        .ok_or_else(|| format!("cargo-deny {VERSION} was installed to {} but does not run", tools.display()))
}

fn tools(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools")
}
