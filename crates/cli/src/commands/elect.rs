//! `reception elect`.

mod lead;
mod outside;
mod pause;
mod stand;
mod term;
mod told;

use reception::{ElectOptions, Result, Service};

use self::stand::Stand;
use super::{closed, described};
use crate::{
    args::{Elect, Global},
    exit::Outcome,
    output::Output,
    signals::Signals,
};

pub(super) async fn carry_out(global: &Global, elect: Elect) -> Outcome {
    let candidate = candidate(&elect)?;
    let client = reception::dial(global.url()).await?;
    let output = match Output::open(global, elect.child.events.as_deref()) {
        Ok(output) => output,
        Err(error) => return closed(client, Err(error.into())).await,
    };
    let signals = Signals::listen()?;
    let elector = match client.elector_with(&elect.name, ElectOptions::default()).await {
        Ok(elector) => elector,
        Err(error) => return closed(client, Err(error.into())).await,
    };
    let mut stand = Stand::new(&elect, candidate, signals, &output);
    let outcome = stand.run(&*elector).await;
    stand.close(&*client, outcome).await
}

/// Us, at this machine's own name unless told otherwise.
fn candidate(elect: &Elect) -> Result<Service> {
    let own = || host(rustix::system::uname().nodename().to_string_lossy().as_ref());
    let address = elect.address.clone().unwrap_or_else(own);
    described(elect.name.as_str(), &address, elect.port, elect.id.as_ref(), &elect.attributes)
}

/// The host's name as an address: a name that is none is replaced, since nobody chose it for us.
fn host(name: &str) -> String {
    match Service::new("host", name, 1) {
        Ok(checked) => checked.address().to_owned(),
        Err(_) => "localhost".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn elect(line: &str) -> Elect {
        let words = "reception elect nightly ".to_owned() + line;
        match Cli::try_parse_from(words.split_whitespace()).unwrap().command {
            Command::Elect(elect) => *elect,
            _ => unreachable!("it says elect"),
        }
    }

    #[test]
    fn the_candidate_is_what_the_arguments_say() {
        let line = "--id a1 --address ::1 --port 80 --attr zone=b";
        let candidate = candidate(&elect(line)).unwrap();
        assert_eq!((candidate.name().as_str(), candidate.id().as_str()), ("nightly", "a1"));
        assert_eq!((candidate.address(), candidate.port().map(u16::from)), ("::1", Some(80)));
        assert_eq!(candidate.attribute("zone"), Some("b"));
    }

    #[test]
    fn a_candidate_needs_no_more_than_the_election() {
        let (one, other) = (candidate(&elect("")).unwrap(), candidate(&elect("")).unwrap());
        assert_ne!(one.id(), other.id());
        assert!(!one.address().is_empty());
    }

    #[test]
    fn what_was_asked_for_wrongly_is_told() {
        assert!(candidate(&elect("--address a/b")).is_err());
        assert!(candidate(&elect("--attr consul-x=1")).is_err());
    }

    #[test]
    fn a_host_without_a_proper_name_stands_all_the_same() {
        assert_eq!(host("build_box.lan"), "build_box.lan");
        assert_eq!(host("(none)"), "localhost");
        assert_eq!(host(""), "localhost");
    }
}
