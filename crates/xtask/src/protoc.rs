//! Gives protoc to a command, or hides it.
//!
//! The etcd backend's driver compiles its protocol with protoc. Ours comes from a crate, so that a
//! build needs no system package; everything else must build on a machine that has none.

use std::{env, fs, path::Path, process::Command};

use crate::Result;

const VARIABLES: [&str; 2] = ["PROTOC", "PROTOC_INCLUDE"];

/// Sets `PROTOC` and `PROTOC_INCLUDE` for `command`.
pub(crate) fn provide(command: &mut Command) -> Result<&mut Command> {
    let program = protoc_bin_vendored::protoc_bin_path().map_err(|e| format!("protoc: {e}"))?;
    let include = protoc_bin_vendored::include_path().map_err(|e| format!("protoc: {e}"))?;
    Ok(command.env(VARIABLES[0], program).env(VARIABLES[1], include))
}

/// Takes protoc away from `command`: its variables, and from the PATH through folders of links under `scratch`.
pub(crate) fn hide<'a>(command: &'a mut Command, scratch: &Path) -> Result<&'a mut Command> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = Vec::new();
    for (number, folder) in env::split_paths(&path).enumerate() {
        if holds_protoc(&folder) {
            let without = scratch.join(number.to_string());
            mirror(&folder, &without).map_err(|e| format!("{}: {e}", without.display()))?;
            folders.push(without);
        } else {
            folders.push(folder);
        }
    }
    let path = env::join_paths(folders).map_err(|e| format!("PATH: {e}"))?;
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    Ok(command.env("PATH", path))
}

fn is_protoc(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().starts_with("protoc")
}

fn holds_protoc(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(|entry| is_protoc(&entry.file_name())))
}

/// Links everything in `folder` but protoc into `without`.
#[cfg(unix)]
fn mirror(folder: &Path, without: &Path) -> std::io::Result<()> {
    if without.exists() {
        fs::remove_dir_all(without)?;
    }
    fs::create_dir_all(without)?;
    for entry in fs::read_dir(folder)?.flatten().filter(|entry| !is_protoc(&entry.file_name())) {
        std::os::unix::fs::symlink(entry.path(), without.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn mirror(_: &Path, without: &Path) -> std::io::Result<()> {
    fs::create_dir_all(without)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_folder_with_protoc_is_mirrored_without_it() {
        let desk = tempfile::tempdir().unwrap();
        let (folder, without) = (desk.path().join("bin"), desk.path().join("without"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("protoc"), "").unwrap();
        fs::write(folder.join("cc"), "").unwrap();
        assert!(holds_protoc(&folder));
        mirror(&folder, &without).unwrap();
        assert!(!holds_protoc(&without) && without.join("cc").exists());
    }

    #[test]
    fn the_vendored_protoc_is_there() {
        let mut command = Command::new("true");
        let variables: Vec<_> = provide(&mut command).unwrap().get_envs().collect();
        assert!(variables.iter().all(|(_, path)| path.is_some_and(|path| Path::new(path).exists())));
        assert_eq!(variables.len(), 2);
    }
}
