//! What is asked for on the command line: one subcommand, its options, nothing else.

use std::collections::BTreeMap;

use crate::{
    store::Store,
    table::{COMMANDS, COMMON, Command, Floor, Kind, Opt, Place},
};

/// The URLs of servers, in words.
const SERVERS: &str = "etcd://HOST:PORT[/NAMESPACE], zk://.., consul://.., etcd:, zk: or consul:";

/// The subcommand that cannot do without the floor.
const NEEDS_A_SCRIBE: &str = "burst";

/// What to do.
#[derive(Debug)]
pub(crate) enum Wish {
    Help(String),
    Run(Args),
}

/// A subcommand with every option's value.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) command: &'static Command,
    values: BTreeMap<&'static str, String>,
}

/// Whose work a line tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    Reception,
    Raw,
}

impl Peer {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Reception => "reception",
            Self::Raw => "raw",
        }
    }
}

/// Reads the command line; an error is what to tell who typed it.
pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Wish, String> {
    let mut words = words.into_iter();
    let Some(name) = words.next() else { return Err(format!("a subcommand is missing\n\n{}", overview())) };
    if matches!(name.as_str(), "--help" | "-h" | "help") {
        return Ok(Wish::Help(overview()));
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return Err(format!("{name:?} is no subcommand\n\n{}", overview()));
    };
    let mut args = Args { command, values: BTreeMap::new() };
    while let Some(word) = words.next() {
        if matches!(word.as_str(), "--help" | "-h") {
            return Ok(Wish::Help(help(command)));
        }
        let (option, value) = split(command, &word)?;
        let value = match (option.kind, value) {
            (Kind::Flag, None) => "true".to_owned(),
            (Kind::Flag, Some(_)) => return Err(format!("--{} takes no value", option.name)),
            (_, Some(value)) => value,
            (_, None) => words.next().ok_or_else(|| format!("--{} needs a value", option.name))?,
        };
        check(option, &value)?;
        if args.values.insert(option.name, value).is_some() {
            return Err(format!("--{} is given twice", option.name));
        }
    }
    args.agree()?;
    Ok(Wish::Run(args))
}

/// `--name`, `--name=value`.
fn split(command: &'static Command, word: &str) -> Result<(&'static Opt, Option<String>), String> {
    let body = word.strip_prefix("--").ok_or_else(|| format!("{word:?} is no option"))?;
    let (name, value) = match body.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (body, None),
    };
    let known: Vec<&str> = command.all().map(|option| option.name).collect();
    let option = command
        .all()
        .find(|option| option.name == name)
        .ok_or_else(|| format!("{} has no option --{name} (options: {})", command.name, known.join(", ")))?;
    Ok((option, value))
}

fn check(option: &Opt, value: &str) -> Result<(), String> {
    let wrong = |wanted: &str| Err(format!("--{} is {value:?}; it wants {wanted}", option.name));
    match option.kind {
        Kind::Flag | Kind::Text => Ok(()),
        Kind::Number { least } => match value.parse::<usize>() {
            Ok(number) if number >= least => Ok(()),
            _ => wrong(&format!("a whole number from {least} on")),
        },
        Kind::Choice(choices) if choices.contains(&value) => Ok(()),
        Kind::Choice(choices) => wrong(&format!("one of {}", choices.join(", "))),
    }
}

impl Args {
    fn agree(&self) -> Result<(), String> {
        let name = self.command.name;
        if !self.floor() && self.values.get("peer").is_some_and(|peer| peer != "reception") {
            return Err(format!("{name} has no floor here: --peer can only be reception"));
        }
        let Some(url) = self.url() else { return Ok(()) };
        if Store::of(url) == Some(Store::Consul) && self.command.name == NEEDS_A_SCRIBE {
            return Err(format!("{name} needs somebody else who writes, and Consul has none"));
        }
        let server = match Store::of(url) {
            None => return Err(format!("--url is {url:?}; it wants {SERVERS} or memory:")),
            Some(store) => store != Store::Memory,
        };
        match self.command.place {
            Place::Local if server => Err(format!("{name} uses no server: --url can only be memory:")),
            Place::Server if !server && !self.flag("cached") => {
                Err(format!("{name} needs a server: --url wants {SERVERS}"))
            }
            _ => Ok(()),
        }
    }

    fn floor(&self) -> bool {
        match self.command.floor {
            _ if self.store() == Store::Consul => false,
            Floor::Anywhere => true,
            Floor::Nowhere => false,
            Floor::Server => !self.is_memory() && !self.flag("cached"),
        }
    }

    fn value(&self, name: &str) -> &str {
        let default =
            self.command.all().find(|option| option.name == name).map_or("", |option| option.default);
        self.values.get(name).map_or(default, String::as_str)
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.value(name)
    }

    /// Every number was read once already, when the command line was.
    pub(crate) fn number(&self, name: &str) -> usize {
        self.value(name).parse().unwrap_or_default()
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.value(name) == "true"
    }

    pub(crate) fn url(&self) -> Option<&str> {
        Some(self.value("url")).filter(|url| !url.is_empty())
    }

    /// What the URL leads to; every URL was looked at once already.
    pub(crate) fn store(&self) -> Store {
        self.url().and_then(Store::of).unwrap_or(Store::Etcd)
    }

    pub(crate) fn is_memory(&self) -> bool {
        self.store() == Store::Memory
    }

    /// The work is done in this process.
    pub(crate) fn is_local(&self) -> bool {
        self.is_memory() || self.command.place == Place::Local
    }

    pub(crate) fn backend(&self) -> &'static str {
        match self.command.place {
            Place::Local => "none",
            _ => self.store().name(),
        }
    }

    /// Who takes part, in the order of a pair.
    pub(crate) fn peers(&self) -> &'static [Peer] {
        match self.value("peer") {
            "raw" => &[Peer::Raw],
            "both" if self.floor() => &[Peer::Reception, Peer::Raw],
            _ => &[Peer::Reception],
        }
    }
}

fn overview() -> String {
    let mut text = String::from(
        "usage: reception-bench SUBCOMMAND [--url URL] [--option VALUE ...]\n\
         JSON lines on standard output, messages on standard error.\n\n",
    );
    for command in COMMANDS {
        text.push_str(&format!("  {:<10} {}\n", command.name, command.about));
    }
    text.push_str("\nSUBCOMMAND --help names its options.\n");
    text
}

fn help(command: &Command) -> String {
    let mut text = format!("reception-bench {}: {}\n\n", command.name, command.about);
    for option in command.options.iter().chain(COMMON) {
        let value = match option.kind {
            Kind::Flag => String::new(),
            Kind::Choice(choices) => choices.join("|"),
            Kind::Number { .. } => "N".to_owned(),
            Kind::Text => "URL".to_owned(),
        };
        let default =
            if option.default.is_empty() { String::new() } else { format!(" [{}]", option.default) };
        text.push_str(&format!("  {:<28} {}{default}\n", format!("--{} {value}", option.name), option.doc));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Result<Wish, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    fn args(line: &str) -> Args {
        match told(line) {
            Ok(Wish::Run(args)) => args,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn an_option_has_its_default_until_it_is_given() {
        assert_eq!(args("watch").number("changes"), 200);
        assert_eq!(args("watch --changes 7").number("changes"), 7);
        assert_eq!(args("watch --changes=7").number("changes"), 7);
        assert_eq!(args("failover").text("mode"), "resign");
        assert!(args("list --cached").flag("cached"));
    }

    #[test]
    fn what_is_not_known_or_not_possible_is_refused() {
        for line in [
            "",
            "walk",
            "watch extra",
            "watch --chnages 7",
            "watch --changes",
            "watch --changes many",
            "watch --pairs 0",
            "watch --count 1 --count 2",
            "list --cached=yes",
            "failover --mode sleep",
            "watch --peer curator",
            "reconnect --peer raw",
            "watch --url redis://127.0.0.1",
            "watch --url consul: --peer raw",
            "burst --url consul:",
            "register --url memory:",
            "watch --url memory: --peer raw",
            "publish --url etcd://127.0.0.1:2379",
            "publish --url zk:",
        ] {
            assert!(told(line).is_err(), "{line:?} must be refused");
        }
    }

    #[test]
    fn the_floor_takes_part_where_there_is_one() {
        assert_eq!(args("watch").peers(), [Peer::Reception, Peer::Raw]);
        assert_eq!(args("watch --peer raw").peers(), [Peer::Raw]);
        assert_eq!(args("watch --url zk:").peers(), [Peer::Reception, Peer::Raw]);
        assert_eq!(args("watch --url consul:").peers(), [Peer::Reception]);
        assert_eq!(args("watch --url memory:").peers(), [Peer::Reception]);
        assert_eq!(args("publish --url memory:").peers(), [Peer::Reception, Peer::Raw]);
        assert_eq!(args("list --cached --url memory:").peers(), [Peer::Reception]);
        assert_eq!(args("reconnect").peers(), [Peer::Reception]);
    }

    #[test]
    fn help_names_every_subcommand_and_every_option() {
        let Ok(Wish::Help(overview)) = told("--help") else { panic!("no help") };
        for command in COMMANDS {
            assert!(overview.contains(command.name));
            let Ok(Wish::Help(help)) = told(&format!("{} --help", command.name)) else { panic!("no help") };
            for option in command.all() {
                assert!(help.contains(&format!("--{}", option.name)), "{} {}", command.name, option.name);
            }
        }
    }

    #[test]
    fn every_default_is_a_value_that_may_be_given() {
        for command in COMMANDS {
            for option in command.all().filter(|option| !option.default.is_empty()) {
                assert_eq!(check(option, option.default), Ok(()), "{} {}", command.name, option.name);
            }
        }
    }
}
