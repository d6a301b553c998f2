//! What the arguments ask for, checked before any I/O.

use std::time::Duration;

use reception::{
    RegisterOptions, Result, Service,
    health::{self, Check, GateOptions},
};

use crate::{args::Register, commands::described};

/// A check that is always good needs to be asked only once; the gate wants a span all the same.
const SELDOM: Duration = Duration::from_secs(60 * 60);

/// The instance.
pub(super) fn service(register: &Register) -> Result<Service> {
    let Register { name, address, port, id, attributes, .. } = register;
    described(name.as_str(), address, *port, id.as_ref(), attributes)
}

/// What lets the instance in: the check that was asked for, if any.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) check: Box<dyn Check>,
    pub(super) options: GateOptions,
    /// Without one the instance is there from the start on.
    pub(super) asks: bool,
}

impl Guard {
    pub(super) fn of(register: &Register) -> Result<Self> {
        let claim = RegisterOptions::default().on_conflict(register.on_conflict.into());
        let options = GateOptions::default().register(claim).first_is_fatal(true);
        let Some(check) = check(register)? else {
            let options = options.rise(1).interval(SELDOM);
            return Ok(Self { check: Box::new(health::always()), options, asks: false });
        };
        let options = options.rise(register.rise).fall(register.fall).interval(register.interval);
        Ok(Self { check, options, asks: true })
    }
}

fn check(register: &Register) -> Result<Option<Box<dyn Check>>> {
    if let Some(line) = &register.check_cmd {
        return Ok(Some(Box::new(health::Command::new(line)?)));
    }
    if let Some(url) = &register.check_http {
        return Ok(Some(Box::new(health::Http::new(url)?)));
    }
    let Some(place) = &register.check_tcp else { return Ok(None) };
    Ok(Some(Box::new(health::Tcp::new(&place.to_string())?)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use reception::{ErrorKind, OnConflict};

    use super::*;
    use crate::args::{Cli, Command};

    fn register(line: &str) -> Register {
        let words = "reception register api --address ::1 --port 80 ".to_owned() + line;
        match Cli::try_parse_from(words.split_whitespace()).unwrap().command {
            Command::Register(register) => *register,
            _ => unreachable!("it says register"),
        }
    }

    #[test]
    fn the_instance_is_what_the_arguments_say() {
        let service = service(&register("--id a1 --attr zone=b --attr zone=c --attr k=")).unwrap();
        assert_eq!((service.id().as_str(), service.address()), ("a1", "::1"));
        assert_eq!(service.attributes().collect::<Vec<_>>(), [("k", ""), ("zone", "c")]);
    }

    #[test]
    fn without_an_id_each_run_has_another() {
        let id = || service(&register("")).unwrap().id().to_string();
        assert_ne!(id(), id());
    }

    #[test]
    fn without_a_check_one_good_try_is_all() {
        let guard = Guard::of(&register("--on-conflict fail")).unwrap();
        assert!(!guard.asks && guard.options.first_is_fatal && guard.options.rise == 1);
        assert_eq!(guard.options.register.on_conflict, OnConflict::Fail);
    }

    #[test]
    fn a_check_turns_as_it_is_told() {
        for check in ["--check-cmd true", "--check-http http://h/", "--check-tcp [::1]:80"] {
            let guard = Guard::of(&register(&format!("{check} --rise 3 --fall 4 --interval 250ms"))).unwrap();
            assert!(guard.asks && guard.options.first_is_fatal);
            assert_eq!((guard.options.rise, guard.options.fall), (3, 4));
            assert_eq!(guard.options.interval, Duration::from_millis(250));
        }
    }

    #[test]
    fn what_cannot_be_checked_is_refused_up_front() {
        for check in ["--check-http https://h/", "--check-http http://u:p@h/", "--check-tcp a_b^c:80"] {
            let error = Guard::of(&register(check)).expect_err(check);
            assert_eq!(error.kind(), ErrorKind::Config, "{check}");
        }
    }
}
