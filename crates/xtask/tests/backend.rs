//! `cargo xtask backend NAME` in a copy of this workspace: what it lays compiles, is complete, and is judged by the laws.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const NAME: &str = "sample";

#[test]
fn a_new_backend_compiles_and_is_told_what_to_write_next() {
    let desk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let copy = desk.path().join("copy");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    copy_tree(root, &copy).unwrap();

    let laid = text(&xtask(&copy, &["backend", NAME]));
    assert!(laid.contains("laid crates/backends/sample"), "{laid}");
    assert!(laid.contains(&format!("laws on {NAME}")), "{laid}");
    assert!(laid.contains("next: open crates/backends/sample/src/"), "{laid}");

    // The checks of layout and of dependencies find nothing to say about it.
    for task in ["layout", "deps"] {
        let said = text(&xtask(&copy, &[task]));
        assert!(!said.contains(NAME), "{said}");
    }

    // The facade has it as a feature.
    let mut check = Command::new(env!("CARGO"));
    check.current_dir(&copy).args(["check", "--quiet", "--offline", "--package", "reception-sdk"]);
    let checked = run(check.args(["--no-default-features", "--features", NAME]));
    assert!(checked.status.success(), "{}", text(&checked));

    let manifest = fs::read_to_string(copy.join("Cargo.toml")).unwrap();
    assert_eq!(
        manifest.matches("\"crates/backends/sample\"").count(),
        3,
        "member, default member and dependency"
    );
}

fn xtask(copy: &Path, arguments: &[&str]) -> Output {
    run(Command::new(env!("CARGO_BIN_EXE_reception-xtask")).current_dir(copy).args(arguments))
}

/// With the target folder of this build, so that only what the copy changes is built again.
#[expect(clippy::expect_used, reason = "only tests call it")]
fn run(command: &mut Command) -> Output {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
    let done = command.env("CARGO_TARGET_DIR", target).env("CARGO_NET_OFFLINE", "true").output();
    done.expect("the command starts")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy: PathBuf = to.join(entry.file_name());
        if !entry.file_type()?.is_dir() {
            fs::copy(entry.path(), &copy)?;
        } else if !["target", ".git"].iter().any(|name| entry.file_name() == *name) {
            copy_tree(&entry.path(), &copy)?;
        }
    }
    Ok(())
}
