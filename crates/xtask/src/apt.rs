//! Installs packages of Debian and its derivatives, where this machine lets us.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Result, run::spelled};

/// Runs one command of the installation.
pub(crate) type Runner<'a> = &'a dyn Fn(&mut Command) -> Result<()>;

/// Only root on Debian and its derivatives.
pub(crate) fn may_install() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    on_path("apt-get").is_some() && is_root() && debian_like(&release)
}

/// The program of this name on the PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    within(name, &env::var_os("PATH").unwrap_or_default())
}

fn within(name: &str, path: &OsStr) -> Option<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(path).map(|folder| folder.join(&file)).find(|path| path.is_file())
}

/// Installs the first of these sets that there is, and keeps its services from starting.
///
/// Each set is tried with the lists as they are, then once more with fresh lists.
pub(crate) fn install(task: &str, sets: &[&[&str]], services: &[&str], runner: Runner<'_>) -> Result<()> {
    let _quiet = NoServices::begin(Path::new(POLICY))?;
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.arg("--quiet").args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        println!("{task}: {}", spelled(&command));
        runner(&mut command)
    };
    let mut wrong = String::new();
    for refresh in [false, true] {
        if refresh {
            apt(&["update"])?;
        }
        for packages in sets {
            let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
            arguments.extend(*packages);
            match apt(&arguments) {
                Ok(()) => {
                    // Nor shall the package's own service start with the machine; without systemd there is none.
                    drop(Command::new("systemctl").args(["disable", "--quiet"]).args(services).output());
                    return Ok(());
                }
                Err(said) => wrong = said,
            }
        }
    }
    Err(wrong)
}

pub(crate) fn is_root() -> bool {
    #[cfg(unix)]
    return rustix::process::geteuid().is_root();
    #[cfg(not(unix))]
    return false;
}

fn debian_like(release: &str) -> bool {
    let says = |line: &str| line.split(['=', ' ', '"', '\'']).any(|word| matches!(word, "debian" | "ubuntu"));
    release.lines().filter(|line| line.starts_with("ID=") || line.starts_with("ID_LIKE=")).any(says)
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
        assert_eq!(within("etcd", desk.path().as_os_str()), None);
        fs::write(&file, "").unwrap();
        assert_eq!(within("etcd", desk.path().as_os_str()), Some(file));
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
}
