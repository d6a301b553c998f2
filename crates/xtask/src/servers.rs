//! The server programs that tests start: found, or installed where this machine lets us.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Result, apt, exhibitor, unpack::Package, workspace::output};

/// A program that tests start.
struct Program {
    name: &'static str,
    /// Names the program where it is not on the PATH.
    variable: &'static str,
    /// The argument that prints its version.
    version: &'static str,
    /// Where it may come from when no release at hand has it.
    unpacked: Option<&'static Package>,
}

/// Jars that tests run on a Java virtual machine.
struct Jars {
    name: &'static str,
    /// Names the folder of an unpacked release where the distribution's package is not used.
    variable: &'static str,
    /// Where the jars of a release lie in its folder.
    below: &'static str,
    files: &'static [&'static str],
    /// What a release's jar is called before its version.
    release: &'static str,
}

/// A kind of server: what it takes, and where that comes from.
struct Kind {
    programs: &'static [Program],
    jars: &'static [Jars],
    /// The packages of Debian and its derivatives; the first set that there is. None: what is missing is unpacked.
    packages: &'static [&'static [&'static str]],
    services: &'static [&'static str],
    advice: &'static str,
}

/// The last release of Debian with Consul; its program runs on later ones.
pub(crate) const CONSUL: Package =
    Package { name: "consul", suite: "bullseye", folder: "consul-1.8.7", program: "usr/bin/consul" };

/// Where Debian puts jars.
const JARS: &str = "/usr/share/java";

const KINDS: &[Kind] = &[
    Kind {
        programs: &[
            Program { name: "etcd", variable: "ETCD_BIN", version: "--version", unpacked: None },
            Program { name: "etcdctl", variable: "ETCDCTL_BIN", version: "version", unpacked: None },
        ],
        jars: &[],
        // Older releases have one for both.
        packages: &[&["etcd-server", "etcd-client"], &["etcd"]],
        services: &["etcd"],
        advice: "etcd and etcdctl, 3.4 or later, so that both are on the PATH",
    },
    Kind {
        programs: &[
            Program { name: "java", variable: "JAVA_BIN", version: "--version", unpacked: None },
            Program { name: "javac", variable: "JAVAC_BIN", version: "--version", unpacked: None },
        ],
        jars: &[
            Jars {
                name: "zookeeper",
                variable: "ZOOKEEPER_HOME",
                below: "lib",
                files: &["zookeeper.jar", "slf4j-simple.jar"],
                release: "zookeeper",
            },
            Jars {
                name: "curator",
                variable: "CURATOR_HOME",
                below: "",
                files: &["curator-x-discovery.jar", "curator-recipes.jar"],
                release: "curator-x-discovery",
            },
        ],
        packages: &[&[
            "zookeeper",
            "libcurator-discovery-java",
            "libcurator-recipes-java",
            "default-jdk-headless",
        ]],
        services: &["zookeeper"],
        advice: "a JDK, ZooKeeper 3.6 or later and Curator",
    },
    Kind {
        programs: &[Program {
            name: "consul",
            variable: "CONSUL_BIN",
            version: "version",
            unpacked: Some(&CONSUL),
        }],
        jars: &[],
        packages: &[],
        services: &[],
        advice: "consul, 1.8 or later, so that it is on the PATH",
    },
];

/// Finds every program, installs what is missing where it may, and says which ones will be used.
pub(crate) fn run() -> Result<()> {
    for kind in KINDS {
        kind.provide()?;
    }
    tell("exhibitor", &exhibitor::provide()?, "");
    Ok(())
}

impl Kind {
    fn provide(&self) -> Result<()> {
        if self.missing().is_empty() {
            return self.report();
        }
        let names = self.missing().join(", ");
        if !self.may_install() {
            return Err(format!("not found: {names}\n{}", self.advice()));
        }
        println!(
            "servers: not found: {names}; {}",
            if self.packages.is_empty() { "unpacking" } else { "installing" }
        );
        self.bring().map_err(|wrong| format!("{wrong}\n{}", self.advice()))?;
        match self.missing().as_slice() {
            [] => self.report(),
            still => Err(format!("installed, but still not found: {}\n{}", still.join(", "), self.advice())),
        }
    }

    fn bring(&self) -> Result<()> {
        let run: apt::Runner<'_> = &|command| output(command).map(drop);
        if !self.packages.is_empty() {
            return apt::install("servers", self.packages, self.services, run);
        }
        let missing = self.programs.iter().filter(|program| program.find().is_none());
        missing.filter_map(|program| program.unpacked).try_for_each(|package| package.bring("servers", run))
    }

    fn missing(&self) -> Vec<&'static str> {
        let programs = self.programs.iter().filter(|program| program.find().is_none());
        let jars = self.jars.iter().filter(|jars| jars.find().is_none());
        programs.map(|program| program.name).chain(jars.map(|jars| jars.name)).collect()
    }

    fn report(&self) -> Result<()> {
        for program in self.programs {
            let Some(path) = program.find() else { continue };
            let said = output(Command::new(&path).arg(program.version).env("ETCDCTL_API", "3"))?;
            tell(program.name, &path, said.lines().next().unwrap_or_default());
        }
        for jars in self.jars {
            let Some(path) = jars.find() else { continue };
            tell(jars.name, &path, "");
        }
        Ok(())
    }

    fn advice(&self) -> String {
        let programs = self.programs.iter().map(|program| program.variable);
        let variables: Vec<_> = programs.chain(self.jars.iter().map(|jars| jars.variable)).collect();
        let packages = self.packages.first().map(|set| set.join(" "));
        let command = packages.map(|set| format!(" (Debian, Ubuntu: `apt-get install {set}`)"));
        format!(
            "install {}{}, or say where to find it in {}",
            self.advice,
            command.unwrap_or_default(),
            variables.join(" and "),
        )
    }

    /// A variable that names what is not there is the caller's to mend.
    fn may_install(&self) -> bool {
        let programs = self.programs.iter().any(|program| named(program.variable).is_some());
        let jars = self.jars.iter().any(|jars| named(jars.variable).is_some());
        let able = if self.packages.is_empty() { Package::may_unpack() } else { apt::may_install() };
        !programs && !jars && able
    }
}

impl Program {
    fn find(&self) -> Option<PathBuf> {
        match named(self.variable) {
            Some(named) => Some(PathBuf::from(named)).filter(|path| path.is_file()),
            None => apt::on_path(self.name).or_else(|| self.unpacked.and_then(Package::find)),
        }
    }
}

impl Jars {
    fn find(&self) -> Option<PathBuf> {
        if let Some(home) = named(self.variable) {
            return self.released(&PathBuf::from(home).join(self.below));
        }
        let mut files = self.files.iter().map(|file| Path::new(JARS).join(file));
        if files.clone().all(|file| file.is_file()) { files.next() } else { None }
    }

    /// The jar of a release, whose name tells its version.
    fn released(&self, folder: &Path) -> Option<PathBuf> {
        let jars = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
        let named = |jar: &PathBuf| {
            let file =
                jar.file_name().and_then(|file| file.to_str()).and_then(|file| file.strip_suffix(".jar"));
            let version = file.and_then(|file| file.strip_prefix(self.release)?.strip_prefix('-'));
            version.is_some_and(|version| version.starts_with(|digit: char| digit.is_ascii_digit()))
        };
        jars.filter(named).min()
    }
}

/// The variable's value, unless it is empty.
fn named(variable: &str) -> Option<OsString> {
    env::var_os(variable).filter(|value| !value.is_empty())
}

fn tell(name: &str, path: &Path, version: &str) {
    let line = format!("servers: {name:<10} {:<40} {version}", path.display());
    println!("{}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_known_by_the_version_in_the_name_of_its_jar() {
        let home = tempfile::tempdir().unwrap();
        let jars = KINDS[1].jars.iter().find(|jars| jars.name == "zookeeper").unwrap();
        assert_eq!(jars.released(&home.path().join("lib")), None);
        assert_eq!(jars.released(home.path()), None);
        for jar in ["zookeeper-jute-3.9.3.jar", "netty-codec-4.1.jar", "zookeeper-3.9.3.jar"] {
            std::fs::write(home.path().join(jar), "").unwrap();
        }
        assert_eq!(jars.released(home.path()), Some(home.path().join("zookeeper-3.9.3.jar")));
    }

    #[test]
    fn advice_names_packages_and_variables() {
        for (kind, words) in KINDS.iter().zip([
            ["etcd-server", "etcd-client", "ETCD_BIN", "ETCDCTL_BIN"],
            ["zookeeper", "libcurator-discovery-java", "ZOOKEEPER_HOME", "JAVA_BIN"],
            ["consul", "1.8", "PATH", "CONSUL_BIN"],
        ]) {
            let advice = kind.advice();
            for word in words {
                assert!(advice.contains(word), "{advice}");
            }
        }
    }
}
