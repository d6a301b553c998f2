//! Unpacks a package of another release of Debian into the user's cache; the system stays as it is.
//!
//! A folder of its own holds all that apt keeps: the list of that release, what it indexes, and what it fetches. The release comes from
//! where the system's own packages come from.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Result,
    apt::{self, Runner},
    containers::mirror::{self, Mirror},
    run::spelled,
    workspace::write,
};

/// A program from a package of a release that need not be the system's.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    /// Debian's name of the release.
    pub(crate) suite: &'static str,
    /// Its folder in the cache, with the version.
    pub(crate) folder: &'static str,
    /// The program in the package.
    pub(crate) program: &'static str,
}

/// The folder of this project in the user's cache.
const CACHE: &str = "reception";

impl Package {
    /// The unpacked program, if it is there.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        Some(self.home()?.join(self.program)).filter(|path| path.is_file())
    }

    /// Whether this machine has what it takes to fetch and unpack.
    pub(crate) fn may_unpack() -> bool {
        ["apt-get", "dpkg"].iter().all(|program| apt::on_path(program).is_some())
    }

    /// Fetches and unpacks it; half a package is never found later.
    pub(crate) fn bring(&self, task: &str, runner: Runner<'_>) -> Result<()> {
        let home = self.home().ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
        let above = home.parent().unwrap_or(&home);
        fs::create_dir_all(above).map_err(failed(above))?;
        let desk = tempfile::Builder::new().prefix(self.folder).tempdir_in(above).map_err(failed(above))?;
        let apt = Private::lay(desk.path(), &mirror::own()?, self.suite)?;
        let run = |mut command: Command| {
            println!("{task}: {}", spelled(&command));
            runner(&mut command)
        };
        run(apt.command(&["update"]))?;
        run(apt.command(&["download", self.name]))?;
        let unpacked = desk.path().join("unpacked");
        let mut dpkg = Command::new("dpkg");
        dpkg.arg("-x").arg(downloaded(&apt.fetched)?).arg(&unpacked);
        run(dpkg)?;
        if home.exists() {
            fs::remove_dir_all(&home).map_err(failed(&home))?;
        }
        fs::rename(&unpacked, &home).map_err(failed(&home))
    }

    fn home(&self) -> Option<PathBuf> {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
        Some(cache.join(CACHE).join(self.folder))
    }
}

/// An apt that knows one release and nothing of the system's packages.
struct Private {
    state: PathBuf,
    fetched: PathBuf,
}

impl Private {
    fn lay(desk: &Path, mirror: &Mirror, suite: &str) -> Result<Self> {
        let (state, fetched) = (desk.join("state"), desk.join("fetched"));
        for folder in [state.join("lists/partial"), state.join("cache/archives/partial"), fetched.clone()] {
            fs::create_dir_all(&folder).map_err(failed(&folder))?;
        }
        write(&state.join("status"), "")?;
        write(&state.join("sources.list"), &list(mirror, suite))?;
        Ok(Self { state, fetched })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let of = |key: &str, file: &str| format!("{key}={}", self.state.join(file).display());
        let mut command = Command::new("apt-get");
        command.arg("--quiet").current_dir(&self.fetched);
        for option in [
            of("Dir::Etc::sourcelist", "sources.list"),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            of("Dir::State", ""),
            of("Dir::State::lists", "lists"),
            of("Dir::State::status", "status"),
            of("Dir::Cache", "cache"),
            "Acquire::Languages=none".to_owned(),
            // The folder is its owner's alone; as root, apt would fetch as a user who may not enter.
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command.args(arguments);
        command
    }
}

/// The list of that release's main packages, signed as the system's own are.
fn list(mirror: &Mirror, suite: &str) -> String {
    let signed = mirror.keyring.as_ref().map(|keys| format!("[signed-by={keys}] ")).unwrap_or_default();
    format!("deb {signed}{} {suite} main\n", mirror.uri)
}

fn downloaded(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).map_err(failed(folder))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths
        .find(|path| path.extension().is_some_and(|end| end == "deb"))
        .ok_or_else(|| format!("apt-get fetched no package into {}", folder.display()))
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> String {
    move |e| format!("{}: {e}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(keyring: Option<&str>) -> Mirror {
        let (uri, suite) = ("http://a.invalid/d".to_owned(), "bookworm".to_owned());
        Mirror { uri, suite, components: vec!["main".to_owned()], keyring: keyring.map(str::to_owned) }
    }

    #[test]
    fn the_list_is_the_systems_with_another_release() {
        assert_eq!(
            list(&mirror(Some("/k.gpg")), "bullseye"),
            "deb [signed-by=/k.gpg] http://a.invalid/d bullseye main\n"
        );
        assert_eq!(list(&mirror(None), "bullseye"), "deb http://a.invalid/d bullseye main\n");
    }

    #[test]
    fn apt_keeps_everything_in_the_folder_it_is_given() {
        let desk = tempfile::tempdir().unwrap();
        let apt = Private::lay(desk.path(), &mirror(None), "bullseye").unwrap();
        let command = apt.command(&["download", "consul"]);
        assert_eq!(command.get_current_dir(), Some(apt.fetched.as_path()));
        let told: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        for key in ["Dir::State=", "Dir::State::lists=", "Dir::State::status=", "Dir::Cache="] {
            let kept = told.iter().any(|word| {
                word.strip_prefix(key).is_some_and(|path| Path::new(path).starts_with(desk.path()))
            });
            assert!(kept, "{key} in {told:?}");
        }
        assert!(downloaded(&apt.fetched).is_err());
        write(&apt.fetched.join("consul_1.deb"), "").unwrap();
        assert!(downloaded(&apt.fetched).is_ok());
    }
}
