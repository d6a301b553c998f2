//! Finds the programs of the servers.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// Finds `program`: the path in `variable` if that is set, else the first one on `PATH`.
pub(crate) fn find(program: &'static str, variable: &'static str) -> Result<PathBuf> {
    let missing = || Error::Missing { program, variable };
    if let Some(named) = env::var_os(variable).filter(|value| !value.is_empty()) {
        return Some(PathBuf::from(named)).filter(|path| is_program(path)).ok_or_else(missing);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|path| is_program(path))
        .ok_or_else(missing)
}

/// Finds `program` as [`find`] does, else in `folder` of what `cargo xtask servers` unpacked into the user's cache.
pub(crate) fn find_unpacked(program: &'static str, variable: &'static str, folder: &str) -> Result<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    find(program, variable).or_else(|missing| {
        let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
        let unpacked = cache.map(|cache| cache.join("reception").join(folder));
        unpacked.filter(|path| set(variable).is_none() && is_program(path)).ok_or(missing)
    })
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_its_variable_and_the_command_that_installs_it() {
        let error = find("no-such-server", "NO_SUCH_SERVER_BIN").unwrap_err();
        assert_eq!(
            error.to_string(),
            "no-such-server was not found: set NO_SUCH_SERVER_BIN to its path, or run `cargo xtask servers` to install it"
        );
    }

    #[test]
    fn a_program_on_the_path_is_found() {
        assert!(find("sh", "NO_SUCH_SHELL_BIN").unwrap().is_absolute());
    }
}
