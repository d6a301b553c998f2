//! The server programs that tests start: found, or installed where this machine lets us.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Result, run::spelled, workspace::output};

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
    if let Err(wrong) = install() {
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
        None => on_path(program.name, &env::var_os("PATH").unwrap_or_default()),
    }
}

/// The variable that names the program, unless it is empty.
fn named(program: &Program) -> Option<OsString> {
    env::var_os(program.variable).filter(|value| !value.is_empty())
}

fn on_path(name: &str, path: &OsStr) -> Option<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(path).map(|folder| folder.join(&file)).find(|path| path.is_file())
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

/// Only root on Debian and its derivatives; a variable that names a missing program is the caller's to mend.
fn may_install() -> bool {
    let named = PROGRAMS.iter().any(|program| named(program).is_some());
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let apt = on_path("apt-get", &env::var_os("PATH").unwrap_or_default()).is_some();
    !named && apt && is_root() && debian_like(&release)
}

fn debian_like(release: &str) -> bool {
    let says = |line: &str| line.split(['=', ' ', '"', '\'']).any(|word| matches!(word, "debian" | "ubuntu"));
    release.lines().filter(|line| line.starts_with("ID=") || line.starts_with("ID_LIKE=")).any(says)
}

fn is_root() -> bool {
    #[cfg(unix)]
    return rustix::process::geteuid().is_root();
    #[cfg(not(unix))]
    return false;
}

/// Tries each set of packages with the lists as they are, then once more with fresh lists.
fn install() -> Result<()> {
    let _quiet = NoServices::begin(Path::new(POLICY))?;
    let mut wrong = String::new();
    for refresh in [false, true] {
        if refresh {
            apt(&["update"])?;
        }
        for packages in PACKAGES {
            let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
            arguments.extend(*packages);
            match apt(&arguments) {
                Ok(()) => {
                    // Nor shall the package's own service start with the machine; without systemd there is none.
                    drop(Command::new("systemctl").args(["disable", "--quiet", "etcd"]).output());
                    return Ok(());
                }
                Err(said) => wrong = said,
            }
        }
    }
    Err(wrong)
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.arg("--quiet").args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    println!("servers: {}", spelled(&command));
    output(&mut command).map(drop)
}

/// While it lives, packages install without starting their services; tests start their own.
struct NoServices<'a> {
    ours: Option<&'a Path>,
}

/// What Debian's installer asks before it starts a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

impl<'a> NoServices<'a> {
    fn begin(policy: &'a Path) -> Result<Self> {
        if policy.exists() {
            return Ok(Self { ours: None });
        }
        let guard = Self { ours: Some(policy) };
        // 101: the action is not allowed.
        fs::write(policy, "#!/bin/sh\nexit 101\n").map_err(|e| format!("{}: {e}", policy.display()))?;
        executable(policy)?;
        Ok(guard)
    }
}

impl Drop for NoServices<'_> {
    fn drop(&mut self) {
        if let Some(policy) = self.ours {
            drop(fs::remove_file(policy));
        }
    }
}

fn executable(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(path, mode).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_debian_and_its_derivatives_are_installed_on() {
        assert!(debian_like("NAME=\"Debian GNU/Linux\"\nID=debian\n"));
        assert!(debian_like("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!debian_like("ID=fedora\nHOME_URL=\"not debian\"\n"));
        assert!(!debian_like(""));
    }

    #[test]
    fn a_program_is_found_on_the_path_only_when_it_is_there() {
        let desk = tempfile::tempdir().unwrap();
        let file = desk.path().join(format!("etcd{}", env::consts::EXE_SUFFIX));
        assert_eq!(on_path("etcd", desk.path().as_os_str()), None);
        fs::write(&file, "").unwrap();
        assert_eq!(on_path("etcd", desk.path().as_os_str()), Some(file));
    }

    #[cfg(unix)]
    #[test]
    fn services_are_refused_only_while_packages_install_and_a_policy_of_others_stays() {
        let desk = tempfile::tempdir().unwrap();
        let policy = desk.path().join("policy-rc.d");
        let guard = NoServices::begin(&policy).unwrap();
        assert_eq!(Command::new(&policy).status().unwrap().code(), Some(101));
        drop(guard);
        assert!(!policy.exists());
        fs::write(&policy, "theirs").unwrap();
        drop(NoServices::begin(&policy).unwrap());
        assert_eq!(fs::read_to_string(&policy).unwrap(), "theirs");
    }

    #[test]
    fn advice_names_packages_and_variables() {
        let advice = advice();
        for word in ["etcd-server", "etcd-client", "ETCD_BIN", "ETCDCTL_BIN"] {
            assert!(advice.contains(word), "{advice}");
        }
    }
}
