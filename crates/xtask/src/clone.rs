//! A fresh copy of the tree: what somebody gets who clones it, plus what is not committed yet.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::{Result, workspace::Workspace};

/// Copies every file that git tracks or would add to a folder under the target folder.
///
/// Times of change are kept, so that a second run on the same desk builds only what changed.
pub(crate) fn fresh(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let folder = workspace.target.join("xtask").join(name);
    let files = workspace.files()?;
    copy(&workspace.root, &folder, &files).map_err(|e| format!("copy to {}: {e}", folder.display()))?;
    Ok(folder)
}

fn copy(from: &Path, to: &Path, files: &[String]) -> io::Result<()> {
    match fs::remove_dir_all(to) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    for file in files {
        let (source, copy) = (from.join(file), to.join(file));
        if let Some(folder) = copy.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(&source, &copy)?;
        File::options().write(true).open(&copy)?.set_modified(fs::metadata(&source)?.modified()?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_holds_the_listed_files_their_times_and_nothing_older() {
        let desk = tempfile::tempdir().unwrap();
        let (from, to) = (desk.path().join("from"), desk.path().join("to"));
        fs::create_dir_all(from.join("a")).unwrap();
        fs::write(from.join("a/b.rs"), "b").unwrap();
        fs::write(from.join("left.rs"), "").unwrap();
        fs::create_dir_all(&to).unwrap();
        fs::write(to.join("stale.rs"), "").unwrap();
        copy(&from, &to, &["a/b.rs".to_owned()]).unwrap();
        let time = |path: PathBuf| fs::metadata(path).unwrap().modified().unwrap();
        assert_eq!(time(from.join("a/b.rs")), time(to.join("a/b.rs")));
        assert!(!to.join("stale.rs").exists() && !to.join("left.rs").exists());
    }
}
