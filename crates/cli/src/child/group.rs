//! The process group of a child that was told to end.

use rustix::{
    io::Errno,
    process::{Pid, WaitOptions, test_kill_process_group, waitpgid},
};

/// Whether any process of the group, whose leader has ended and was reaped, still runs.
pub(super) fn is_alive(group: Pid) -> bool {
    // As the first process of a container we inherit what the child leaves behind, and must reap it.
    while let Ok(Some(_)) = waitpgid(group, WaitOptions::NOHANG) {}
    test_kill_process_group(group) != Err(Errno::SRCH) && runs(group)
}

/// Whether one of the group is more than a dead process that its parent has not reaped yet: some parents never do. Without a `/proc`
/// to look at all of them count.
fn runs(group: Pid) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return true };
    let group = group.to_string();
    let mut read = false;
    for process in processes.flatten() {
        let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else { continue };
        // The name before it may hold anything, brackets too.
        let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
        let mut fields = rest.split(' ');
        read = true;
        let (state, its_group) = (fields.next(), fields.nth(1));
        if its_group == Some(&group) && !matches!(state, Some("Z" | "X" | "x")) {
            return true;
        }
    }
    !read
}
