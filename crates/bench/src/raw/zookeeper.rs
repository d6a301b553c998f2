//! The floor on ZooKeeper, by `zookeeper-client` alone.

mod burst;
mod exit;
mod failover;
mod fanout;
mod idle;
mod list;
mod register;
mod watch;

pub(super) use burst::burst;
pub(super) use exit::exit;
pub(super) use failover::{kill, resign};
pub(super) use fanout::fanout;
pub(super) use idle::idle;
pub(super) use list::{list, read};
pub(super) use register::{pipelined, register};
pub(super) use watch::watch;
