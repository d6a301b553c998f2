//! The image of a service: the one that the caller names, the public one, or a stand-in of the same service made
//! from the distribution's packages.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{
    compose,
    daemon::{Daemon, tied},
    mirror::{self, Mirror},
    proof::Service,
    room::Room,
    tools,
};
use crate::{
    Result, apt,
    leash::{Leash, say},
    run::minutes,
    unpack::Package,
};

const BRIEF: Duration = Duration::from_secs(30);
const PULL: Duration = minutes(2);
const MAKE: Duration = minutes(4);
const IMPORT: Duration = minutes(1);
/// Part of the key of what is cached: raised when it is made in another way.
const RECIPE: &str = "1";
/// What a server does not need to run.
const LEFT_OUT: &[&str] = &[
    "./var/cache/apt/*",
    "./var/lib/apt/lists/*",
    "./usr/share/doc/*",
    "./usr/share/man/*",
    "./usr/share/locale/*",
];

/// What compose is told to run.
pub(crate) struct Image {
    pub(crate) name: String,
    /// Whether it was made here.
    pub(crate) stand_in: bool,
}

/// Sees to it that the daemon has an image of the service.
pub(crate) fn image(
    leash: &Leash,
    daemon: &Daemon,
    room: &Room,
    file: &str,
    service: &Service,
) -> Result<Image> {
    let variable = service.image_variable();
    let given = env::var_os(&variable).map(|name| name.to_string_lossy().into_owned());
    let given = given.filter(|name| !name.is_empty());
    let wanted = given.as_deref().or_else(|| compose::public_image(file, &variable));
    let wanted = wanted.ok_or_else(|| format!("{}: no image is named by {variable}", compose::FILE))?;
    let known = leash.answer(&mut daemon.docker(&["image", "inspect", "--format", "{{.Id}}", wanted]), BRIEF);
    let had = known.map(drop).or_else(|_| match &service.made {
        // Nobody may have published one of this name: it is built, or not had.
        Some(made) if given.is_none() => {
            leash.quiet(&mut daemon.docker(&["build", "--quiet", "--tag", wanted, made.folder]), MAKE)
        }
        _ => leash.quiet(&mut daemon.docker(&["pull", "--quiet", wanted]), PULL),
    });
    match had {
        Ok(()) => {
            say(&format!("containers: {} is {wanted}", service.name));
            Ok(Image { name: wanted.to_owned(), stand_in: false })
        }
        Err(wrong) if given.is_some() => Err(format!("{variable}: {wrong}")),
        Err(wrong) => {
            let why = wrong.lines().last().unwrap_or_default();
            say(&format!("containers: no {wanted} ({why}); making a stand-in"));
            stand_in(leash, daemon, room, service).map_err(|wrong| {
                format!("{wrong}\nno image of {0}: name one that you have in {variable}", service.name)
            })
        }
    }
}

fn stand_in(leash: &Leash, daemon: &Daemon, room: &Room, service: &Service) -> Result<Image> {
    let mirror = mirror::own()?;
    let mut version = candidate(leash, service.packages[0])?;
    version.extend(service.unpacked.iter().flat_map(|package| ["-", package.folder]));
    let key = key(service.name, &mirror.suite, &version);
    let kept = room.cache().join(format!("{key}.tar"));
    if kept.is_file() {
        say(&format!("containers: {key} was made before"));
    } else {
        make(leash, room, &mirror, service, &kept)?;
        say(&format!("containers: made {key} from {}", service.packages.join(" and ")));
    }
    let name = format!("reception-stand-in/{}:{}", service.name, room.name());
    let mut import = daemon.docker(&["import"]);
    leash.quiet(import.arg(&kept).arg(&name), IMPORT)?;
    Ok(Image { name, stand_in: true })
}

/// The version that would be installed, with fresh lists if the old ones know of none.
fn candidate(leash: &Leash, package: &str) -> Result<String> {
    let ask = || {
        let said =
            leash.answer(Command::new("apt-cache").args(["policy", package]).env("LC_ALL", "C"), BRIEF)?;
        version(&said).ok_or_else(|| format!("this system's package sources have no {package}"))
    };
    ask().or_else(|_| {
        leash.quiet(Command::new("apt-get").args(["--quiet", "update"]), PULL)?;
        ask()
    })
}

fn version(policy: &str) -> Option<String> {
    let candidate = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    Some(candidate.to_owned()).filter(|version| version != "(none)")
}

/// A name for a file and an image, of what they are made from.
fn key(service: &str, suite: &str, version: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '-' };
    let key = format!("{service}-{suite}-{}-{version}-{RECIPE}", env::consts::ARCH);
    key.chars().map(plain).collect()
}

/// Makes a minimal system with the service's packages, and keeps it as one file.
fn make(leash: &Leash, room: &Room, mirror: &Mirror, service: &Service, kept: &Path) -> Result<()> {
    if !apt::is_root() {
        return Err("only root can make a stand-in".to_owned());
    }
    tools::debootstrap(leash)?;
    let root = room.folder().join("root");
    let mut command = tied("debootstrap");
    leash.quiet(command.args(arguments(mirror, service.packages)).arg(&root).arg(&mirror.uri), MAKE)?;
    if let Some(package) = service.unpacked {
        put(leash, package, &root)?;
    }
    if let Some(made) = &service.made {
        let place = root.join(made.inside);
        fs::create_dir_all(&place).map_err(|e| format!("{}: {e}", place.display()))?;
        let mut copy = Command::new("cp");
        leash.quiet(copy.arg("--recursive").arg((made.carried)()?.join(".")).arg(&place), IMPORT)?;
    }
    let fresh = room.folder().join("fresh.tar");
    let mut tar = Command::new("tar");
    tar.arg("--directory").arg(&root).args(LEFT_OUT.iter().map(|path| format!("--exclude={path}")));
    leash.quiet(tar.args(["--numeric-owner", "--create", "--file"]).arg(&fresh).arg("."), IMPORT)?;
    let failed = |e| format!("{}: {e}", kept.display());
    forget(&room.cache(), service.name);
    fs::create_dir_all(room.cache()).map_err(failed)?;
    fs::rename(&fresh, kept).map_err(failed)?;
    fs::remove_dir_all(&root).map_err(|e| format!("{}: {e}", root.display()))
}

/// Puts a program that was unpacked into the system at `root`.
fn put(leash: &Leash, package: &Package, root: &Path) -> Result<()> {
    if package.find().is_none() {
        let run: apt::Runner<'_> = &|command| leash.quiet(command, MAKE);
        package.bring("containers", run)?;
    }
    let program = package.find().ok_or_else(|| format!("{} was not unpacked", package.name))?;
    let target = root.join("usr/bin").join(package.name);
    fs::copy(&program, &target).map(drop).map_err(|e| format!("{}: {e}", target.display()))
}

fn arguments(mirror: &Mirror, packages: &[&str]) -> Vec<String> {
    let mut arguments = vec!["--variant=minbase".to_owned(), format!("--include={}", packages.join(","))];
    arguments.push(format!("--components={}", mirror.components.join(",")));
    arguments.extend(mirror.keyring.as_ref().map(|keys| format!("--keyring={keys}")));
    arguments.push(mirror.suite.clone());
    arguments
}

/// Removes what older packages of the service were kept as.
fn forget(cache: &Path, service: &str) {
    let ours = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{service}-")))
    };
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(ours).for_each(|path| drop(fs::remove_file(path)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_candidate_of_a_policy_is_its_version() {
        let policy = "etcd-server:\n  Installed: (none)\n  Candidate: 3.4.23-4+b4\n  Version table:\n";
        assert_eq!(version(policy).as_deref(), Some("3.4.23-4+b4"));
        assert_eq!(version("etcd-server:\n  Candidate: (none)\n"), None);
        assert_eq!(version(""), None);
    }

    #[test]
    fn a_key_tells_versions_apart_and_is_a_plain_name() {
        let one = key("etcd", "bookworm", "1:3.4.23-4+b4");
        assert!(one.starts_with("etcd-bookworm-") && one.ends_with("-1-3.4.23-4-b4-1"), "{one}");
        assert_ne!(one, key("etcd", "bookworm", "3.4.24"));
    }

    #[test]
    fn a_stand_in_is_made_from_the_systems_own_archive_and_keys() {
        let (uri, suite) = ("file:/srv/d".to_owned(), "trixie".to_owned());
        let components = ["main", "universe"].map(str::to_owned).to_vec();
        let mut mirror = Mirror { uri, suite, components, keyring: None };
        let plain = [
            "--variant=minbase",
            "--include=etcd-server,etcd-client",
            "--components=main,universe",
            "trixie",
        ];
        assert_eq!(arguments(&mirror, &["etcd-server", "etcd-client"]), plain);
        mirror.keyring = Some("/k.gpg".to_owned());
        assert!(arguments(&mirror, &["etcd-server"]).contains(&"--keyring=/k.gpg".to_owned()));
    }

    #[test]
    fn older_packages_of_a_service_are_forgotten() {
        let desk = tempfile::tempdir().unwrap();
        for file in ["etcd-a.tar", "consul-a.tar"] {
            fs::write(desk.path().join(file), "").unwrap();
        }
        forget(desk.path(), "etcd");
        assert!(!desk.path().join("etcd-a.tar").exists() && desk.path().join("consul-a.tar").exists());
    }
}
