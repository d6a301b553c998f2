//! The subcommands, one file each.

mod burst;
mod exit;
mod failover;
mod fanout;
mod idle;
mod list;
mod memory;
mod publish;
mod reconnect;
mod register;
mod watch;

pub(crate) use burst::{Burst, WINDOW, line as burst_line};
pub(crate) use exit::{Exit, line as exit_line};
pub(crate) use failover::{Kill, Resign, VICTIM, kill_line, kills, lead, resign_line, rounds, stagger};
pub(crate) use fanout::{Fanout, drive as spread};
pub(crate) use idle::{Idle, look};
pub(crate) use list::{Cached, List, line as list_line};
pub(crate) use memory::{Memory, line as memory_line};
pub(crate) use publish::{Publish, line as publish_line};
pub(crate) use reconnect::Reconnect;
pub(crate) use register::{Register, one_line, result};
pub(crate) use watch::{Sight, Watch, drive};
