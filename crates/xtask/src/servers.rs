//! The server programs that tests start: found, or installed where this machine lets us.

use std::{env, ffi::OsString, path::PathBuf, process::Command};

use crate::{Result, apt, workspace::output};

/// A program that tests start.
struct Program {
    name: &'static str,
    /// Names the program where it is not on the PATH.
    variable: &'static str,
    /// The argument that prints its version.
    version: &'static str,
}

const PROGRAMS: &[Program] = &[
    Program { name: "etcd", variable: "ETCD_BIN", version: "--version" },
    Program { name: "etcdctl", variable: "ETCDCTL_BIN", version: "version" },
];

/// The packages of Debian and its derivatives; older releases have one for both.
const PACKAGES: &[&[&str]] = &[&["etcd-server", "etcd-client"], &["etcd"]];

/// Finds every program, installs what is missing where it may, and says which ones will be used.
pub(crate) fn run() -> Result<()> {
    if missing().is_empty() {
        return report();
    }
    let names = missing().join(", ");
    if !may_install() {
        return Err(format!("not found: {names}\n{}", advice()));
    }
    println!("servers: not found: {names}; installing");
    let installed = apt::install("servers", PACKAGES, &["etcd"], &|command| output(command).map(drop));
    if let Err(wrong) = installed {
        return Err(format!("{wrong}\n{}", advice()));
    }
    match missing().as_slice() {
        [] => report(),
        still => Err(format!("installed, but still not found: {}\n{}", still.join(", "), advice())),
    }
}

fn missing() -> Vec<&'static str> {
    PROGRAMS.iter().filter(|program| find(program).is_none()).map(|program| program.name).collect()
}

fn find(program: &Program) -> Option<PathBuf> {
    match named(program) {
        Some(named) => Some(PathBuf::from(named)).filter(|path| path.is_file()),
        None => apt::on_path(program.name),
    }
}

/// The variable that names the program, unless it is empty.
fn named(program: &Program) -> Option<OsString> {
    env::var_os(program.variable).filter(|value| !value.is_empty())
}

fn report() -> Result<()> {
    for program in PROGRAMS {
        let Some(path) = find(program) else { continue };
        let said = output(Command::new(&path).arg(program.version).env("ETCDCTL_API", "3"))?;
        println!(
            "servers: {:<8} {:<24} {}",
            program.name,
            path.display(),
            said.lines().next().unwrap_or_default()
        );
    }
    Ok(())
}

fn advice() -> String {
    let variables: Vec<_> = PROGRAMS.iter().map(|program| program.variable).collect();
    format!(
        "install etcd and etcdctl, 3.4 or later, so that both are on the PATH (Debian, Ubuntu: `apt-get install {}`; \
         others: the package `etcd`), or name the programs in {}",
        PACKAGES[0].join(" "),
        variables.join(" and "),
    )
}

/// A variable that names a missing program is the caller's to mend.
fn may_install() -> bool {
    !PROGRAMS.iter().any(|program| named(program).is_some()) && apt::may_install()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_packages_and_variables() {
        let advice = advice();
        for word in ["etcd-server", "etcd-client", "ETCD_BIN", "ETCDCTL_BIN"] {
            assert!(advice.contains(word), "{advice}");
        }
    }
}
