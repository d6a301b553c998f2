//! Exhibitor's jars, brought by Maven, and the launcher that is compiled against them: kept in the user's cache, where the tests look.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use crate::{Result, apt, run::spelled, workspace::output};

const POM: &str = include_str!("../../../docker/exhibitor/pom.xml");
const LAUNCHER: &str = include_str!("../../../docker/exhibitor/Launcher.java");
/// Names a folder with the jars in `lib` and the launcher in `classes` instead.
const HOME: &str = "EXHIBITOR_HOME";
/// Below the user's cache; the tests know it too.
const CACHE: &str = "reception/exhibitor-1.5.6";
const JAR: &str = "exhibitor-standalone-1.5.6.jar";
const PACKAGES: &[&[&str]] = &[&["maven", "default-jdk-headless"]];
const ADVICE: &str = "install Maven and a JDK (Debian, Ubuntu: `apt-get install maven default-jdk-headless`), or say in EXHIBITOR_HOME where Exhibitor's jars (`lib`) and the compiled docker/exhibitor/Launcher.java (`classes`) are";

/// Finds Exhibitor, or brings it; answers where it is.
pub(crate) fn provide() -> Result<PathBuf> {
    if let Some(home) = set(HOME) {
        let home = PathBuf::from(home);
        return if is_whole(&home) {
            Ok(home)
        } else {
            Err(format!("not found: exhibitor in {}\n{ADVICE}", home.display()))
        };
    }
    let home = cache().ok_or_else(|| format!("no folder for Exhibitor: HOME is not set\n{ADVICE}"))?;
    if is_whole(&home) && fs::read_to_string(home.join("Launcher.java")).is_ok_and(|text| text == LAUNCHER) {
        return Ok(home);
    }
    println!("servers: not found: exhibitor; asking Maven");
    bring(&home).map_err(|wrong| format!("{wrong}\n{ADVICE}"))?;
    Ok(home)
}

fn set(variable: &str) -> Option<OsString> {
    env::var_os(variable).filter(|value| !value.is_empty())
}

fn cache() -> Option<PathBuf> {
    let cache = set("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    Some(cache.join(CACHE))
}

fn is_whole(home: &Path) -> bool {
    home.join("lib").join(JAR).is_file() && home.join("classes/Launcher.class").is_file()
}

/// A program that a variable names, or the first of its name on the PATH.
fn program(name: &str, variable: &str) -> Option<PathBuf> {
    match set(variable) {
        Some(named) => Some(PathBuf::from(named)).filter(|path| path.is_file()),
        None => apt::on_path(name),
    }
}

fn bring(home: &Path) -> Result<()> {
    let find = || Some((program("mvn", "MVN_BIN")?, program("javac", "JAVAC_BIN")?));
    let (mvn, javac) = match find() {
        Some(found) => found,
        None if apt::may_install() => {
            let run: apt::Runner<'_> = &|command| output(command).map(drop);
            apt::install("servers", PACKAGES, &[], run)?;
            find().ok_or("installed, but still not found: mvn and javac")?
        }
        None => return Err("not found: mvn and javac".to_owned()),
    };
    // Beside its place, so that it is whole when it is there.
    let fresh = home.with_extension(format!("fresh-{}", process::id()));
    let made = make(&fresh, &mvn, &javac).and_then(|()| {
        drop(fs::remove_dir_all(home));
        fs::rename(&fresh, home).map_err(|e| format!("{}: {e}", home.display()))
    });
    drop(fs::remove_dir_all(&fresh));
    // Another run may have been as fast.
    if is_whole(home) { Ok(()) } else { made }
}

fn make(fresh: &Path, mvn: &Path, javac: &Path) -> Result<()> {
    let write = |name: &str, text: &str| {
        let path = fresh.join(name);
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
    };
    fs::create_dir_all(fresh).map_err(|e| format!("{}: {e}", fresh.display()))?;
    write("pom.xml", POM)?;
    write("Launcher.java", LAUNCHER)?;
    let mut jars = Command::new(mvn);
    jars.args(["-B", "-ntp", "-q", "dependency:copy-dependencies", "-DoutputDirectory=lib"])
        .current_dir(fresh);
    println!("servers: {}", spelled(&jars));
    output(&mut jars)?;
    let mut compile = Command::new(javac);
    compile.args(["-encoding", "UTF-8", "-cp", "lib/*", "-d", "classes", "Launcher.java"]).current_dir(fresh);
    output(&mut compile).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pom_names_the_jar_that_is_looked_for() {
        assert!(POM.contains("<exhibitor.version>1.5.6</exhibitor.version>"));
        assert!(JAR.contains("1.5.6") && CACHE.contains("1.5.6"));
    }

    #[test]
    fn it_is_whole_with_its_jar_and_the_launcher() {
        let desk = tempfile::tempdir().unwrap();
        for (folder, file) in [("lib", JAR), ("classes", "Launcher.class")] {
            assert!(!is_whole(desk.path()));
            fs::create_dir_all(desk.path().join(folder)).unwrap();
            fs::write(desk.path().join(folder).join(file), "").unwrap();
        }
        assert!(is_whole(desk.path()));
    }
}
