//! The laws on real servers in containers: `cargo xtask test --containers`.
//!
//! The task itself only starts a keeper, which does the work in a process group of its own and holds one end of a
//! pipe from the task. However the task ends, by Ctrl-C or a kill, the pipe ends with it: the keeper then stops what
//! it is doing and takes everything down, on the same way as after a success or a failure.

mod compose;
mod daemon;
pub(crate) mod mirror;
mod proof;
mod room;
mod standin;
mod tools;

use std::time::Duration;

use crate::{
    Result,
    leash::{self, Leash, say},
    run::{minutes, now},
    workspace::{Workspace, read},
};
use compose::{Project, Up};
use daemon::Daemon;
use room::Room;

/// The flag of `test` that leads here.
pub(crate) const FLAG: &str = "--containers";
/// The task that the keeper is, which nobody calls by hand.
pub(crate) const KEEPER: &str = "keep-containers";

/// How long it takes without the build, at most: a stand-in is one to two minutes the first time, the laws one each.
const WHOLE: Duration = minutes(12);

/// Plays the laws in containers; `extra` are words for the suites.
pub(crate) fn run(workspace: &Workspace, extra: &[String]) -> Result<()> {
    if leash::kept(workspace, KEEPER, extra)? {
        Ok(())
    } else {
        Err("the laws were not proved in containers".to_owned())
    }
}

/// What the keeper does.
pub(crate) fn keep(workspace: &Workspace, extra: &[String]) -> Result<()> {
    let room = Room::make(&workspace.target)?;
    let leash = Leash::held(room.log());
    let mut stage = Stage { room, daemon: None, stand_ins: Vec::new(), project: None, ups: Vec::new() };
    let mut phases = Phases::default();
    let played = stage.play(&leash, &mut phases, workspace, extra).map_err(|wrong| match leash.ended() {
        Some(why) => format!("{why}: {wrong}"),
        None => wrong,
    });
    let down = phases.run("down", || stage.down());
    say(&phases.to_string());
    played.and(down)
}

/// All that stands, in the order in which it was put up.
struct Stage {
    room: Room,
    daemon: Option<Daemon>,
    stand_ins: Vec<String>,
    project: Option<Project>,
    ups: Vec<Up>,
}

impl Stage {
    fn play(
        &mut self,
        leash: &Leash,
        phases: &mut Phases,
        workspace: &Workspace,
        extra: &[String],
    ) -> Result<()> {
        let suites = phases.run("build", || proof::build(leash, workspace))?;
        leash.shorten(WHOLE);
        let compose = phases.run("tools", || tools::compose(leash))?;
        let daemon = phases.run("daemon", || Daemon::ready(leash, &self.room))?;
        let daemon = self.daemon.insert(daemon);
        let file = read(&workspace.root.join(compose::FILE))?;
        let mut variables = Vec::new();
        phases.run("images", || {
            for suite in &suites {
                let image = standin::image(leash, daemon, &self.room, &file, suite.service)?;
                variables.push((suite.service.image_variable(), image.name.clone()));
                self.stand_ins.extend(image.stand_in.then_some(image.name));
            }
            Ok(())
        })?;
        let (root, name) = (workspace.root.clone(), self.room.name().to_owned());
        let project = self.project.insert(Project { compose, root, name, variables });
        phases.run("up", || {
            for suite in &suites {
                self.ups.push(project.up(leash, daemon, suite.service)?);
            }
            Ok(())
        })?;
        phases.run("laws", || {
            // One that fails does not hide another.
            let played =
                suites.iter().zip(&self.ups).map(|(suite, up)| proof::play(leash, daemon, suite, up, extra));
            let wrong: Vec<String> = played.filter_map(Result::err).collect();
            if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
        })
    }

    /// Takes down whatever stands; one step that fails does not keep the others from being done.
    fn down(&mut self) -> Result<()> {
        let mut wrong = Vec::new();
        let leash = Leash::firm(self.room.log());
        if let Some(mut daemon) = self.daemon.take() {
            if let Some(project) = self.project.take() {
                wrong.extend(project.down(&leash, &daemon, &self.ups).err());
            }
            if daemon.is_theirs() && !self.stand_ins.is_empty() {
                let mut remove = daemon.docker(&["image", "rm"]);
                wrong.extend(leash.quiet(remove.args(&self.stand_ins), Duration::from_secs(30)).err());
            }
            daemon.stop();
        }
        wrong.extend(self.room.leave().err());
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }
}

impl Drop for Stage {
    /// After a panic; else nothing stands any more.
    fn drop(&mut self) {
        drop(self.down());
    }
}

/// How long each part took.
#[derive(Default)]
struct Phases(Vec<(&'static str, Duration)>);

impl Phases {
    fn run<T>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        say(&format!("containers: {name}"));
        let started = now();
        let done = work();
        self.0.push((name, started.elapsed()));
        done
    }
}

impl std::fmt::Display for Phases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<String> =
            self.0.iter().map(|(name, time)| format!("{name} {:.1} s", time.as_secs_f64())).collect();
        write!(f, "containers: {}", parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_told_with_its_time_also_one_that_failed() {
        let mut phases = Phases::default();
        assert_eq!(phases.run("up", || Ok(7)), Ok(7));
        assert!(phases.run("laws", || Err::<(), _>("no".to_owned())).is_err());
        assert_eq!(phases.to_string(), "containers: up 0.0 s, laws 0.0 s");
    }
}
