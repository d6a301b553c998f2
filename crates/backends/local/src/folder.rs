//! The root folder: which one, whether it is fit, and whether it still is.

use std::{
    env,
    fs::{DirBuilder, Metadata},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use reception_core::Result;

use crate::{
    error::{config, refused},
    filesystem,
    options::Options,
};

/// The root folder that processes share.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    path: PathBuf,
    user: u32,
}

impl Root {
    /// Takes the folder of the options, or the user's own one, and makes it when it is missing.
    pub(crate) fn open(options: &Options) -> Result<Self> {
        let user = rustix::process::geteuid().as_raw();
        if let Some(path) = &options.folder {
            let root = Self { path: path.clone(), user };
            make(path, true)
                .map_err(|error| refused(path, &format!("it cannot be made ({})", error.kind())))?;
            root.fit(options.any_fs)?;
            return Ok(root);
        }
        // The scheme promises these variables by name; a program that wants another folder gives one.
        Self::choose(&candidates(user, |name| env::var_os(name)), user, options.any_fs)
    }

    /// The first that is there or can be made, and is of a type that is not refused. One that others can write is an error and is not passed
    /// over: two processes must not come to different ones.
    fn choose(candidates: &[Candidate], user: u32, any_fs: bool) -> Result<Self> {
        for Candidate { path, deep } in candidates {
            // Variables outlive a change of the user: what we made in somebody else's place would keep that one out of it.
            if is_of_another(path.parent(), user) || make(path, *deep).is_err() {
                continue;
            }
            let root = Self { path: path.clone(), user };
            let fit = root.fit(any_fs);
            if fit.is_ok() || filesystem::refusal(path).is_none() {
                return fit.map(|()| root);
            }
        }
        let tried: Vec<_> = candidates.iter().map(|one| one.path.display().to_string()).collect();
        Err(config(format!(
            "no folder can be used: give one as local:///some/folder (tried {})",
            tried.join(", ")
        )))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn fit(&self, any_fs: bool) -> Result<()> {
        if let (false, Some(kind)) = (any_fs, filesystem::refusal(&self.path)) {
            let why = format!(
                "locks and notices are not safe on a file system of type {kind}; any_fs=true takes it all the same"
            );
            return Err(refused(&self.path, &why));
        }
        self.enter().map_err(|error| refused(&self.path, &error.to_string()))
    }

    /// Looks whether the folder is still fit, before each use: it may have been replaced. One that is gone is made again, since what is
    /// registered is wanted still.
    pub(crate) fn enter(&self) -> io::Result<()> {
        let named = match self.path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(&self.path, false)?;
                self.path.symlink_metadata()?
            }
            found => found?,
        };
        if !named.is_symlink() {
            return judge(&named, self.user);
        }
        if named.uid() != self.user && named.uid() != 0 {
            return unfit("it is a link that belongs to another user");
        }
        judge(&self.path.metadata()?, self.user)
    }
}

/// Whether only this user, and root, can put something into a folder.
pub(crate) fn judge(found: &Metadata, user: u32) -> io::Result<()> {
    if !found.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is no folder"));
    }
    if found.uid() != user && found.uid() != 0 {
        return unfit("it belongs to another user");
    }
    if found.mode() & 0o022 != 0 {
        return unfit("others can write in it (chmod 700 mends that)");
    }
    Ok(())
}

fn unfit(why: &str) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

fn is_of_another(folder: Option<&Path>, user: u32) -> bool {
    let owner = folder.and_then(|folder| folder.metadata().ok()).map(|found| found.uid());
    owner.is_some_and(|owner| owner != user && owner != 0)
}

/// A folder that may serve when none is named.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    path: PathBuf,
    /// Whether its parents may be made too.
    deep: bool,
}

fn candidates(user: u32, variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Vec<Candidate> {
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let runtime = folder("XDG_RUNTIME_DIR").map(|path| path.join("reception"));
    let user_runtime = Path::new("/run/user").join(user.to_string()).join("reception");
    let memory = Path::new("/dev/shm").join(format!("reception-{user}"));
    let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
    let shallow = [runtime, Some(user_runtime), cfg!(target_os = "linux").then_some(memory)];
    let shallow = shallow.into_iter().flatten().map(|path| Candidate { path, deep: false });
    shallow.chain(state.map(|path| Candidate { path: path.join("reception"), deep: true })).collect()
}

/// Makes a folder that is missing, for its owner alone.
fn make(path: &Path, deep: bool) -> io::Result<()> {
    match DirBuilder::new().recursive(deep).mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn options(path: &Path) -> Options {
        Options::default().folder(path)
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o777
    }

    #[test]
    fn a_folder_is_made_for_its_owner_alone() {
        let desk = tempfile::tempdir().unwrap();
        let path = desk.path().join("a/b");
        let root = Root::open(&options(&path).any_fs(true)).unwrap();
        assert_eq!((mode(&path), mode(&desk.path().join("a"))), (0o700, 0o700));
        fs::remove_dir(&path).unwrap();
        root.enter().unwrap();
        assert_eq!(mode(&path), 0o700);
        fs::remove_dir_all(desk.path().join("a")).unwrap();
        assert_eq!(root.enter().unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused_also_later() {
        let desk = tempfile::tempdir().unwrap();
        let path = desk.path().join("shared");
        fs::create_dir(&path).unwrap();
        for bad in [0o770, 0o702, 0o777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(bad)).unwrap();
            let error = Root::open(&options(&path).any_fs(true)).unwrap_err();
            assert!(error.to_string().contains("others can write"), "{bad:o}: {error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let root = Root::open(&options(&path).any_fs(true)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(root.enter().unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_folder_of_another_user_and_a_file_are_refused() {
        let desk = tempfile::tempdir().unwrap();
        let root = Root { path: desk.path().to_owned(), user: 12_345 };
        let own = desk.path().metadata().unwrap().uid();
        assert_eq!(root.enter().is_err(), own != 0);
        fs::write(desk.path().join("file"), "").unwrap();
        let error = Root::open(&options(&desk.path().join("file")).any_fs(true)).unwrap_err();
        assert!(error.to_string().contains("is refused"), "{error}");
    }

    #[test]
    fn a_link_of_another_user_is_refused_and_a_place_of_another_user_is_passed() {
        // Only root can make a file somebody else's.
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let desk = tempfile::tempdir().unwrap();
        let (real, link) = (desk.path().join("real"), desk.path().join("link"));
        fs::create_dir(&real).unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        Root::open(&options(&link).any_fs(true)).unwrap();
        std::os::unix::fs::lchown(&link, Some(12_345), None).unwrap();
        let error = Root::open(&options(&link).any_fs(true)).unwrap_err();
        assert!(error.to_string().contains("a link that belongs to another user"), "{error}");

        let theirs = desk.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        std::os::unix::fs::chown(&theirs, Some(12_345), None).unwrap();
        let places = [theirs.join("reception"), desk.path().join("ours")];
        let places = places.map(|path| Candidate { path, deep: false });
        assert_eq!(Root::choose(&places, 0, true).unwrap().path(), desk.path().join("ours"));
        assert!(!theirs.join("reception").exists());
    }

    #[test]
    fn without_a_folder_the_first_that_can_be_had_is_taken() {
        let variable = |name: &str| (name != "XDG_STATE_HOME").then(|| format!("/{name}").into());
        let found: Vec<_> = candidates(7, variable).into_iter().map(|one| one.path).collect();
        let all = [
            "/XDG_RUNTIME_DIR/reception",
            "/run/user/7/reception",
            "/dev/shm/reception-7",
            "/HOME/.local/state/reception",
        ];
        let here = all.iter().filter(|path| cfg!(target_os = "linux") || !path.starts_with("/dev"));
        assert_eq!(found, here.map(PathBuf::from).collect::<Vec<_>>());

        let desk = tempfile::tempdir().unwrap();
        let user = rustix::process::geteuid().as_raw();
        let shallow = Candidate { path: desk.path().join("missing/reception"), deep: false };
        let good = Candidate { path: desk.path().join("good"), deep: false };
        let later = Candidate { path: desk.path().join("later"), deep: false };
        let root = Root::choose(&[shallow.clone(), good, later], user, true).unwrap();
        assert_eq!(root.path(), desk.path().join("good"));
        assert!(!desk.path().join("later").exists());
        let error = Root::choose(&[shallow], user, true).unwrap_err();
        assert!(error.to_string().contains("missing/reception"), "{error}");
    }
}
