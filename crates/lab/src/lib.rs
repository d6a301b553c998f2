//! Real servers and a TCP proxy that fails on command, for the tests.
//!
//! - [`Etcd`]: a real etcd server as a child process: killed, restarted, wiped, paused at will.
//! - [`ZooKeeper`]: a real ZooKeeper, the same way; [`ZooKeeperSession`] ends a session behind its client's back.
//! - [`ZooKeeperEnsemble`]: several of them that are one store; [`Exhibitor`]: a real one that lists them.
//! - [`Consul`]: a real Consul agent, the same way; [`ConsulApi`] asks one as a foreign client.
//! - [`Etcdctl`]: etcd's command line program, the foreign client of the interop tests.
//! - [`Container`]: a docker container like a given one, killed, restarted and paused at will.
//! - [`Hosted`]: a server that is one or the other, a process or a container.
//! - [`Agent`]: a program under test as a process of its own: killed, stopped and continued.
//! - [`Proxy`]: stands between a client and a server; fails as told and counts what passes.
//! - [`FencedStore`]: a store that refuses the writes of past leaders.
//! - [`history`]: what several processes did, as lines in one file.
//! - [`eventually()`]: waits for a fact with a deadline; no test sleeps for luck.
//! - [`free_port`]: a loopback port that no parallel test takes.
//!
//! Everything listens on loopback only. Everything started here ends with its handle, with a panic of
//! the test, and with the death of the test process itself; only a [`Container`]
//! outlives a test process that is killed, with a label by which it is found.

mod agent;
mod consul;
mod consul_api;
mod consul_options;
mod container;
mod ctl;
mod dns;
mod error;
mod etcd;
mod etcd_counts;
mod etcd_options;
mod etcd_snapshot;
mod eventually;
mod exhibitor;
mod exhibitor_options;
mod fenced;
pub mod history;
mod hosted;
mod http;
mod java;
mod port;
mod process;
mod program;
mod proxy;
mod server;
mod spawn;
mod zookeeper;
mod zookeeper_ensemble;
mod zookeeper_options;
mod zookeeper_session;

pub use agent::Agent;
pub use consul::Consul;
pub use consul_api::ConsulApi;
pub use consul_options::{ConsulOptions, ConsulTls};
pub use container::Container;
pub use ctl::{Etcdctl, Finished, Running};
pub use dns::{DnsService, dns_addresses, dns_services};
pub use error::{Error, Result};
pub use etcd::Etcd;
pub use etcd_counts::{EtcdCounts, MethodCounts};
pub use etcd_options::{EtcdOptions, EtcdTls};
pub use eventually::{Late, eventually};
pub use exhibitor::Exhibitor;
pub use exhibitor_options::{ExhibitorOptions, Listed};
pub use fenced::{FencedAnswer, FencedStore, FencedWriter, fenced_write};
pub use hosted::{Hosted, Serves};
pub use http::{Response, http_get};
pub use java::Java;
pub use port::{Port, free_port};
pub use proxy::{Counts, Flow, Proxy, ProxyOptions, Way};
pub use server::Server;
pub use zookeeper::{ZooKeeper, four_letters};
pub use zookeeper_ensemble::ZooKeeperEnsemble;
pub use zookeeper_options::{ZooKeeperOptions, ZooKeeperTls};
pub use zookeeper_session::ZooKeeperSession;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
