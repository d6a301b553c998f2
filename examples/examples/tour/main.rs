//! The whole main job in one program, told line by line: instances join, change, leave and crash, a watcher follows them, a
//! leader is elected and lost, and its successor has a larger token.
//!
//! ```sh
//! cargo run --example tour
//! cargo run --example tour -- local:
//! cargo run --example tour --features etcd -- etcd://127.0.0.1:2379
//! ```
//!
//! On a real store the instance that crashes is a process of its own, which the tour starts and kills; in memory the store's
//! fault handle does the same to a client. The exit code is 0 only when everything that the tour waits for was seen.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the transcript is what this program is for")]

mod audience;
mod doomed;

use std::{process::ExitCode, sync::Arc, time::Duration};

use audience::{Audience, Sight, Transcript};
use doomed::Doomed;
use reception::{Client, ClientExt, DialUrl, ElectionName, Fence, Service, ServiceName};

/// After this the tour gives up. In memory it takes some two seconds, on a real store a little more than the time to live.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Where the tour takes place.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    url: String,
    tag: String,
    api: ServiceName,
    reaper: ElectionName,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [flag, url, tag] if flag == doomed::FLAG => match Stage::new(url, tag) {
            Ok(stage) => doomed::live_until_killed(&stage).await,
            Err(error) => Err(error),
        },
        [] => tour_in_time("memory:").await,
        [url] => tour_in_time(url).await,
        _ => Err("give one URL, or nothing to stay in memory".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the tour failed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn tour_in_time(url: &str) -> Outcome {
    let stage = Stage::new(&for_tourists(url)?, &std::process::id().to_string())?;
    match tokio::time::timeout(LIMIT, tour(&stage)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            Err(format!("not over after {} s: what follows the last line never came", LIMIT.as_secs()).into())
        }
    }
}

/// A short time to live unless the URL has one, so that a crash is seen soon; and `memory:` is private to one client, while the
/// tour needs a store that its clients share.
fn for_tourists(url: &str) -> Outcome<String> {
    let parsed: DialUrl = url.parse()?;
    if parsed.scheme() == "memory" && parsed.hosts().is_empty() {
        return Ok("memory://tour?ttl=2s".to_owned());
    }
    // On one machine nothing has to expire, and there is no such option.
    let has_ttl = |row: &reception::Backend| row.options().iter().any(|option| option.key() == "ttl");
    let dialer = reception::dialer();
    let row = dialer.backends().iter().find(|row| row.schemes().contains(&parsed.scheme()));
    if !row.is_some_and(has_ttl) || parsed.options().any(|key| key == "ttl") {
        return Ok(url.to_owned());
    }
    Ok(format!("{url}{}ttl=5s", if url.contains('?') { '&' } else { '?' }))
}

impl Stage {
    /// The tag keeps two tours on one store apart.
    fn new(url: &str, tag: &str) -> Outcome<Self> {
        let (api, reaper) = (format!("tour-api-{tag}").parse()?, format!("tour-reaper-{tag}").parse()?);
        Ok(Self { url: url.to_owned(), tag: tag.to_owned(), api, reaper })
    }

    async fn dial(&self) -> Outcome<Arc<dyn Client>> {
        Ok(reception::dial(&self.url).await?)
    }

    fn instance(&self, id: &str, address: &str) -> Outcome<Service> {
        Ok(Service::builder(self.api.as_str(), address, 8080).id(id).attribute("zone", "a").build()?)
    }
}

async fn tour(stage: &Stage) -> Outcome {
    let (ours, theirs) = (stage.dial().await?, stage.dial().await?);
    let story = Transcript::new();
    // A store that cannot be reached would show as a stale view; the probe says so at once.
    let probe = ours.probe().await?;
    let version = probe.version.map_or_else(String::new, |version| format!(" {version}"));
    let addresses: Vec<_> = probe.endpoints.into_iter().map(|endpoint| endpoint.address).collect();
    story.say("tour", format_args!("on {}{version} at {}", ours.backend(), addresses.join(", ")));
    story.say("tour", format_args!("service {}, election {}", stage.api, stage.reaper));
    let mut audience = Audience::open(&*theirs, stage, story).await?;
    audience.until(&[Sight::Nobody, Sight::NoLeader]).await?;

    instances_come_and_go(stage, &*ours, &mut audience).await?;
    a_leader_is_lost(stage, &*ours, &mut audience).await?;

    ours.close().await?;
    theirs.close().await?;
    audience.story.say("tour", "everything was seen");
    Ok(())
}

async fn instances_come_and_go(stage: &Stage, ours: &dyn Client, audience: &mut Audience) -> Outcome {
    let a = stage.instance("a", "10.0.0.1")?;
    let joined = ours.register(a.clone()).await?;
    audience.story.say("a", "joins");
    audience.until(&[Sight::joins("a")]).await?;

    let b = ours.register(stage.instance("b", "10.0.0.2")?).await?;
    audience.story.say("b", "joins");
    audience.until(&[Sight::joins("b")]).await?;

    joined.update(a.to_builder().attribute("zone", "b").build()?).await?;
    audience.story.say("a", "changes its zone from a to b");
    audience.until(&[Sight::changes("a")]).await?;

    b.close().await?;
    audience.story.say("b", "leaves");
    audience.until(&[Sight::goes("b")]).await?;

    joined.close().await?;
    audience.story.say("a", "leaves");
    audience.until(&[Sight::goes("a")]).await
}

async fn a_leader_is_lost(stage: &Stage, ours: &dyn Client, audience: &mut Audience) -> Outcome {
    let mut c = Doomed::start(stage).await?;
    audience.story.say("c", format_args!("joins and stands, {}", c.kind()));
    c.unless_it_ends(audience.until(&[Sight::joins("c"), Sight::leads("c")])).await?;
    let first = audience.token().ok_or("a leader has a token")?;

    // `d` stands while `c` leads, and `c` crashes then: nobody withdraws it.
    let elector = ours.elector(&stage.reaper).await?;
    audience.story.say("d", "stands and waits");
    let crash = async {
        audience.story.say("c", format_args!("crashes, {}", c.crash().await?));
        let bound = ours.capabilities().crash_bound;
        match bound.is_zero() {
            true => audience.story.say("tour", "the store forgets a dead process at once"),
            false => audience
                .story
                .say("tour", format_args!("the store forgets a dead process within {bound:.1?}")),
        }
        audience.until(&[Sight::goes("c"), Sight::loses("c"), Sight::leads("d")]).await
    };
    let candidate = stage.instance("d", "10.0.0.4")?;
    let stand = async { Ok(elector.elect(candidate).await?) };
    let (leadership, ()) = tokio::try_join!(stand, crash)?;
    let second = leadership.token();
    audience.story.say("d", format_args!("elected with token {second}, held: {}", leadership.is_held()));
    if second.partial_cmp(&first) != Some(std::cmp::Ordering::Greater) {
        return Err(format!("token {second} of the successor is not larger than {first}").into());
    }
    audience
        .story
        .say("tour", format_args!("the successor's token is larger: {} > {}", second.value(), first.value()));

    let mut fence = Fence::new(first);
    fence.admit(second)?;
    if fence.admit(first).is_ok() {
        return Err("the fence admitted the old token".into());
    }
    audience.story.say("fence", "admits the write of d and refuses a late one of c");

    leadership.resign().await?;
    audience.story.say("d", "resigns");
    audience.until(&[Sight::loses("d")]).await
}
