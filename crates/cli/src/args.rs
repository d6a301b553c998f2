//! The command line.

mod values;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use reception::{Backend, ElectionName, OnConflict, ServiceId, ServiceName};

pub(crate) use self::values::{Attribute, Endpoint};
use self::values::{attribute, duration, endpoint, positive};

/// Service discovery and leader election over the store that you already run.
///
/// The store is named by a URL: --url, else the variable RECEPTION_URL, else `local:`, this machine, which needs no server. A password in
/// --url can be seen in the list of processes: put it into a file (?password_file=PATH, or
/// ?token_file=PATH on Consul), or put the URL into RECEPTION_URL.
#[derive(Debug, Parser)]
#[command(name = "reception", version, long_version = long_version(), after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  reception register api --address 127.0.0.1 --port 8080
  reception watch api
  reception --url etcd://10.0.0.1:2379/prod list
  reception elect nightly -- ./nightly-job

Exit codes: 0 done, 1 failed, 2 misused, 3 registration or leadership lost, 4 no leader; with a child the child's own.";

/// The number, and the stores that this build speaks to.
fn long_version() -> String {
    let rows = reception::dialer();
    let present = rows.backends().iter().filter(|row| row.feature().is_none()).map(Backend::name);
    let mut present: Vec<&str> = present.collect();
    present.sort_unstable();
    format!("{}\nfeatures: {}", env!("CARGO_PKG_VERSION"), present.join(" "))
}

/// Options that stand before or after the command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The store, such as etcd://h1:2379,h2:2379/prod?ttl=10s; `reception backends` lists what can stand here
    #[arg(long, global = true, env = "RECEPTION_URL", hide_env_values = true, default_value = LOCAL)]
    url: String,
    /// What to print on stdout: text for people, or one JSON object a line
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
    /// Log more on stderr: -v what happens, -vv everything. The variable RUST_LOG wins
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

const LOCAL: &str = "local:";

impl Global {
    /// The store's URL; an empty variable is one that is not set.
    pub(crate) fn url(&self) -> &str {
        if self.url.is_empty() { LOCAL } else { &self.url }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Register(Box<Register>),
    List(List),
    Watch(Watch),
    Elect(Box<Elect>),
    Leader(Leader),
    /// Ask the store who it is and whether it can be used, and say how to mend what is wrong
    ///
    /// Exit code 1 when it cannot be used.
    #[command(after_help = "Example:\n  reception --url etcd://10.0.0.1:2379/prod doctor")]
    Doctor,
    /// List the kinds of stores and every option that their URLs take
    #[command(after_help = "Example:\n  reception backends -o json")]
    Backends,
    Completions(Completions),
}

/// Register an instance until a signal or the child's end, and repair it meanwhile
///
/// SIGINT, SIGTERM or SIGHUP withdraws it and then stops the child; a second one kills the child at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  reception register api --address 127.0.0.1 --port 8080
  reception register api --address 10.0.0.7 --port 8080 --attr zone=a --drain 5s -- ./api --listen 8080
  reception register api --address 10.0.0.7 --port 8080 --check-http http://127.0.0.1:8080/health -- ./api")]
pub(crate) struct Register {
    /// The service that this is an instance of
    pub(crate) name: ServiceName,
    /// A host name or IP address that others reach it at
    #[arg(long)]
    pub(crate) address: String,
    /// The port
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// The id, unique within the service; random without it
    #[arg(long)]
    pub(crate) id: Option<ServiceId>,
    /// An attribute that others see; may be repeated
    #[arg(long = "attr", value_name = "K=V", value_parser = attribute)]
    pub(crate) attributes: Vec<Attribute>,
    /// When another owner holds the id: wait for one that is dying, fail at once, or take it over
    #[arg(long, value_enum, default_value_t = Conflicting::Wait)]
    pub(crate) on_conflict: Conflicting,
    /// Register only while this shell command exits with 0
    #[arg(long, value_name = "CMD", group = "check")]
    pub(crate) check_cmd: Option<String>,
    /// Register only while this URL answers 2xx; redirects are not followed
    #[arg(long, value_name = "URL", group = "check")]
    pub(crate) check_http: Option<String>,
    /// Register only while a connection to this place is accepted
    #[arg(long, value_name = "HOST:PORT", group = "check", value_parser = endpoint)]
    pub(crate) check_tcp: Option<Endpoint>,
    /// The pause between two tries of the check; each try has as long, but at least 1s
    #[arg(long, default_value = "1s", value_parser = positive, requires = "check")]
    pub(crate) interval: Duration,
    /// How many good tries in a row register it
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..), requires = "check")]
    pub(crate) rise: u32,
    /// How many bad tries in a row withdraw it
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..), requires = "check")]
    pub(crate) fall: u32,
    /// How long the child may go on serving after the instance was withdrawn
    #[arg(long, default_value = "0s", value_parser = duration)]
    pub(crate) drain: Duration,
    #[command(flatten)]
    pub(crate) child: Child,
}

/// What to do when another owner holds the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Conflicting {
    Wait,
    Fail,
    Replace,
}

impl From<Conflicting> for OnConflict {
    fn from(conflicting: Conflicting) -> Self {
        match conflicting {
            Conflicting::Wait => Self::Wait,
            Conflicting::Fail => Self::Fail,
            Conflicting::Replace => Self::Replace,
        }
    }
}

/// What `register` and `elect` run beside them.
#[derive(Debug, Args)]
pub(crate) struct Child {
    /// How long the child has after SIGTERM before it is killed
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub(crate) kill_after: Duration,
    /// Append our lines to this file instead of stdout, which is then the child's alone
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<PathBuf>,
    /// A program to run, with its arguments, after `--`
    #[arg(last = true, value_name = "CHILD")]
    pub(crate) command: Vec<OsString>,
}

/// Print the names of the services, or the instances of one
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  reception list
  reception list api -o json")]
pub(crate) struct List {
    /// The service; without it the names of all that have an instance, whatever its status
    pub(crate) name: Option<ServiceName>,
    /// Instances that drain or are down too
    #[arg(long)]
    pub(crate) all: bool,
}

/// Print the instances of a service, and each change from now on
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  reception watch api
  reception watch api -o json | jq -c .event

Text: + came, ~ changed, - went, ! the view may be old, = N instances: all of them follow.")]
pub(crate) struct Watch {
    /// The service
    pub(crate) name: ServiceName,
    /// Instances that drain or are down too
    #[arg(long)]
    pub(crate) all: bool,
}

/// Stand for election, and run a program while elected
///
/// The child is stopped before a rival may lead: it never outlives the leadership.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  reception elect nightly -- ./nightly-job
  reception elect nightly --once -- sh -c 'echo my token is $RECEPTION_TOKEN'")]
pub(crate) struct Elect {
    /// The election
    pub(crate) name: ElectionName,
    /// The candidate's id; random without it
    #[arg(long)]
    pub(crate) id: Option<ServiceId>,
    /// What others see as the leader's address; the host's name without it
    #[arg(long)]
    pub(crate) address: Option<String>,
    /// What others see as the leader's port
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// An attribute that others see; may be repeated
    #[arg(long = "attr", value_name = "K=V", value_parser = attribute)]
    pub(crate) attributes: Vec<Attribute>,
    /// End after the first leadership instead of standing again
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) child: Child,
}

/// Print who leads, or exit with 4 when nobody does
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  reception leader nightly
  reception leader nightly --follow -o json")]
pub(crate) struct Leader {
    /// The election
    pub(crate) name: ElectionName,
    /// Go on and print each change
    #[arg(long)]
    pub(crate) follow: bool,
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  source <(reception completions bash)")]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in ["reception -o json --url memory: list api", "reception list api --url memory: -o json"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!((cli.global.url(), cli.global.output), ("memory:", Format::Json));
        }
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains("Example") && after.contains("reception "), "{}", command.get_name());
        }
    }
}
