//! The command line, parsed by hand.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use reception::{ElectionName, ServiceName};

pub(crate) const USAGE: &str = "\
contender --url URL --history FILE --id ID [OPTION..]
  --election NAME        stand in it, and again after each loss or resignation
  --lead-for MS          resign after so long
  --linger MS            after a loss go on asking whether it leads for so long
  --fence ADDR           write to the fenced store at this address while leading
  --write-every MS       so often; 20 by default
  --write-on-loss        once more after each loss, with the old token
  --stop-before-write N  stop (SIGSTOP) between asking whether it leads and the Nth write
  --observe              follow who leads the election; alone (without standing) with --no-stand
  --no-stand             do not stand in the election
  --service NAME         register instances of it: ID-0, ID-1, ..
  --instances N          so many; 1 by default
  --watch NAME           watch a service; may be given several times
SIGTERM ends everything in order.";

/// What to do.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) url: String,
    pub(crate) history: PathBuf,
    pub(crate) id: String,
    pub(crate) election: Option<ElectionName>,
    pub(crate) stand: bool,
    pub(crate) observe: bool,
    pub(crate) lead_for: Option<Duration>,
    pub(crate) linger: Duration,
    pub(crate) fence: Option<SocketAddr>,
    pub(crate) write_every: Duration,
    pub(crate) write_on_loss: bool,
    pub(crate) stop_before_write: Option<u64>,
    pub(crate) service: Option<ServiceName>,
    pub(crate) instances: usize,
    pub(crate) watches: Vec<ServiceName>,
}

impl Arguments {
    /// What the words say; none when they ask for help.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut words = words.peekable();
        let (mut url, mut history, mut id) = (None, None, None);
        let mut this = Self {
            url: String::new(),
            history: PathBuf::new(),
            id: String::new(),
            election: None,
            stand: true,
            observe: false,
            lead_for: None,
            linger: Duration::ZERO,
            fence: None,
            write_every: Duration::from_millis(20),
            write_on_loss: false,
            stop_before_write: None,
            service: None,
            instances: 1,
            watches: Vec::new(),
        };
        while let Some(key) = words.next() {
            let mut value =
                || words.next_if(|word| !word.starts_with("--")).ok_or(format!("{key} needs a value"));
            match key.as_str() {
                "--help" | "-h" => return Ok(None),
                "--url" => url = Some(value()?),
                "--history" => history = Some(value()?),
                "--id" => id = Some(value()?),
                "--no-stand" => this.stand = false,
                "--observe" => this.observe = true,
                "--write-on-loss" => this.write_on_loss = true,
                "--election" => this.election = Some(read(&key, &value()?)?),
                "--lead-for" => this.lead_for = Some(millis(&key, &value()?)?),
                "--linger" => this.linger = millis(&key, &value()?)?,
                "--fence" => this.fence = Some(read(&key, &value()?)?),
                "--write-every" => this.write_every = millis(&key, &value()?)?,
                "--stop-before-write" => this.stop_before_write = Some(read(&key, &value()?)?),
                "--service" => this.service = Some(read(&key, &value()?)?),
                "--instances" => this.instances = read(&key, &value()?)?,
                "--watch" => this.watches.push(read(&key, &value()?)?),
                _ => return Err(format!("unknown option {key}")),
            }
        }
        let needed = |what: Option<String>, key: &str| what.ok_or(format!("{key} is missing"));
        this.url = needed(url, "--url")?;
        this.history = needed(history, "--history")?.into();
        this.id = needed(id, "--id")?;
        this.whole().map(Some)
    }

    /// Checks what options need of each other.
    fn whole(self) -> Result<Self, String> {
        let of_election = self.observe || !self.stand || self.lead_for.is_some() || self.fence.is_some();
        if self.election.is_none() && of_election {
            return Err("--lead-for, --fence, --observe and --no-stand need --election".to_owned());
        }
        if self.fence.is_none() && (self.write_on_loss || self.stop_before_write.is_some()) {
            return Err("--write-on-loss and --stop-before-write need --fence".to_owned());
        }
        Ok(self)
    }
}

fn read<T: std::str::FromStr<Err: std::fmt::Display>>(key: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|wrong| format!("{key} {value}: {wrong}"))
}

fn millis(key: &str, value: &str) -> Result<Duration, String> {
    read(key, value).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Arguments>, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_full_line_is_understood() {
        let line = "--url memory: --history h --id a --election red --fence 127.0.0.1:9 --lead-for 300 --watch x --watch y";
        let parsed = parse(line).unwrap().unwrap();
        assert_eq!(parsed.lead_for, Some(Duration::from_millis(300)));
        assert_eq!(parsed.watches.len(), 2);
        assert!(parsed.stand);
    }

    #[test]
    fn a_wrong_line_says_what_is_wrong() {
        for (line, wrong) in [
            ("--url u --history h", "--id is missing"),
            ("--url --history h", "--url needs a value"),
            ("--color red", "unknown option --color"),
            ("--linger soon", "--linger soon"),
            ("--url u --history h --id a --lead-for 3", "need --election"),
            ("--url u --history h --id a --stop-before-write 3", "need --fence"),
        ] {
            let said = parse(line).unwrap_err();
            assert!(said.contains(wrong), "{line}: {said}");
        }
        assert!(parse("--help").unwrap().is_none());
    }
}
