//! What a candidate has at the store, and what is left of one that could not be withdrawn in time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fmt::Display, sync::Arc, time::Duration};

use reception_core::{Client, ClientExt, Dialer, Elector, Service};
use reception_lab::{Consul, Flow, Proxy, Way, eventually};
use serde_json::Value;
use tokio::time::{Instant, timeout};

const SOON: Duration = Duration::from_secs(20);

async fn dial(endpoint: impl Display, options: &str) -> Arc<dyn Client> {
    let url = format!("consul://{endpoint}/prod?{options}");
    Dialer::new().with(reception_consul::BACKEND).unwrap().dial(&url).await.unwrap()
}

fn candidate(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap()
}

async fn elector(client: &Arc<dyn Client>) -> Box<dyn Elector> {
    client.elector(&"reaper".parse().unwrap()).await.unwrap()
}

async fn read(consul: &Consul, path: &str) -> Value {
    serde_json::from_str(&consul.api().get(path).await.unwrap().body).unwrap_or(Value::Null)
}

/// Waits until neither a service nor a session is there.
async fn nothing_is_left(consul: &Consul) {
    eventually(SOON, || async {
        let (services, sessions) =
            (read(consul, "/v1/agent/services").await, read(consul, "/v1/session/list").await);
        let none = services.as_object().is_some_and(serde_json::Map::is_empty)
            && sessions.as_array().is_some_and(Vec::is_empty);
        if none { Ok(()) } else { Err(format!("{services} {sessions}")) }
    })
    .await
    .unwrap();
}

/// A check of the node in it, and every flap of the gossip ends a leadership; a lock-delay, and nobody may follow for that long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_hangs_on_our_check_and_its_own_time_alone() {
    let consul = Consul::start().await.unwrap();
    let client = dial(consul.endpoint(), "election_ttl=4s").await;
    let leadership = elector(&client).await.elect(candidate("one")).await.unwrap();
    let sessions = read(&consul, "/v1/session/list").await;
    let session = &sessions[0];
    assert_eq!(sessions.as_array().unwrap().len(), 1, "{sessions}");
    let none = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    assert!(none(&session["NodeChecks"]) && none(&session["Checks"]), "{session}");
    let checks = session["ServiceChecks"].as_array().unwrap();
    assert!(checks.len() == 1 && checks[0]["ID"].as_str().unwrap().starts_with("reception-election-"));
    assert_eq!((&session["LockDelay"], &session["Behavior"]), (&0.into(), &"delete".into()), "{session}");
    assert_eq!(session["TTL"], "12000ms", "{session}");
    let lock = read(&consul, "/v1/kv/prod/reaper/.lock").await;
    assert_eq!(lock[0]["Session"], session["ID"], "{lock}");
    assert_eq!(lock[0]["Flags"].as_u64(), Some(0x2ddc_cbc0_58a5_0c18), "{lock}");
    assert_eq!(lock[0]["ModifyIndex"].as_u64(), Some(leadership.token().value()), "{lock}");
    client.close().await.unwrap();
    nothing_is_left(&consul).await;
}

/// Three of it are more than a session may have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_election_ttl_can_be_stood_with() {
    let consul = Consul::start().await.unwrap();
    for ttl in ["9h", "24h"] {
        let client = dial(consul.endpoint(), &format!("election_ttl={ttl}")).await;
        let elector = elector(&client).await;
        let leadership = timeout(SOON, elector.elect(candidate("one"))).await.expect(ttl).unwrap();
        assert!(leadership.remaining() > Duration::from_secs(8 * 3600), "{:?}", leadership.remaining());
        leadership.resign().await.unwrap();
        client.close().await.unwrap();
    }
}

/// The link is away for longer than a lost leadership is withdrawn for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_that_could_not_be_withdrawn_is_when_the_agent_is_there_again() {
    let consul = Consul::start().await.unwrap();
    let proxy = Proxy::start(consul.endpoint()).await.unwrap();
    let client = dial(proxy.endpoint(), "ttl=1s&election_ttl=1s&timeout=500ms").await;
    let leadership = elector(&client).await.elect(candidate("one")).await.unwrap();
    proxy.cut().await.unwrap();
    timeout(SOON, leadership.lost()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    proxy.heal().await.unwrap();
    nothing_is_left(&consul).await;
    // And the client can stand again, and leaves nothing.
    let again = timeout(SOON, elector(&client).await.elect(candidate("one"))).await.unwrap().unwrap();
    again.resign().await.unwrap();
    nothing_is_left(&consul).await;
    client.close().await.unwrap();
}

/// The answer to the making of a session is lost, and so it is made again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_whose_answer_was_lost_ends_with_the_candidacy() {
    let consul = Consul::start().await.unwrap();
    let proxy = Proxy::start(consul.endpoint()).await.unwrap();
    let client = dial(proxy.endpoint(), "timeout=2s").await;
    // Another one of the client keeps the check there.
    let beside = client.elector(&"other".parse().unwrap()).await.unwrap();
    let beside = beside.elect(candidate("two")).await.unwrap();
    proxy.cut_before_reply("/v1/session/create");
    let leadership = timeout(SOON, elector(&client).await.elect(candidate("one"))).await.unwrap().unwrap();
    assert_eq!(proxy.counts().replies_cut, 1);
    leadership.resign().await.unwrap();
    let sessions = read(&consul, "/v1/session/list").await;
    assert_eq!(sessions.as_array().unwrap().len(), 1, "only the other one's: {sessions}");
    beside.resign().await.unwrap();
    client.close().await.unwrap();
}

/// Servers that choose a leader anew let a renewal wait, while the agent hears every pass: nobody leads past the session's own end, which is
/// 10 s after its last renewal, however fresh the check is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_without_an_answer_takes_no_leadership_away_before_the_end_of_the_session() {
    let consul = Consul::start().await.unwrap();
    let slow = held::hold(consul.endpoint(), "/v1/session/renew/").await;
    let client = dial(slow, "election_ttl=1500ms&timeout=5s").await;
    let leadership = elector(&client).await.elect(candidate("one")).await.unwrap();
    // Less the margin: a tenth of the check's time, and 200 ms at least.
    let latest = Instant::now() + Duration::from_millis(9800);
    // A session of 10 s is renewed after a third of that.
    let while_it_leads = Instant::now() + Duration::from_secs(7);
    while leadership.is_held() {
        let end = Instant::now() + leadership.remaining();
        assert!(end <= latest, "it means to lead {:?} too long", end - latest);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(Instant::now() > while_it_leads, "it was lost early");
    timeout(SOON, leadership.lost()).await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_without_an_answer_keeps_no_candidate_from_following() {
    let consul = Consul::start().await.unwrap();
    let slow = held::hold(consul.endpoint(), "/v1/session/renew/").await;
    let (first, second) = (
        dial(consul.endpoint(), "election_ttl=1500ms").await,
        dial(slow, "election_ttl=1500ms&timeout=6s").await,
    );
    let leadership = elector(&first).await.elect(candidate("one")).await.unwrap();
    let elector = elector(&second).await;
    let mut waiting = std::pin::pin!(elector.elect(candidate("two")));
    assert!(timeout(Duration::from_millis(4500), &mut waiting).await.is_err(), "there is a leader");
    leadership.resign().await.unwrap();
    let followed = timeout(Duration::from_secs(2), waiting).await;
    followed.expect("it follows at once").unwrap().resign().await.unwrap();
    first.close().await.unwrap();
    second.close().await.unwrap();
}

/// Where a proxy is of no use: one that knows what is asked.
mod held {
    use std::net::SocketAddr;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
        task::JoinSet,
    };

    /// Passes everything on, but for questions like this, which get no answer.
    pub(super) async fn hold(agent: SocketAddr, like: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        #[expect(clippy::disallowed_methods, reason = "ends with the runtime of the test")]
        drop(tokio::spawn(async move {
            let mut callers = JoinSet::new();
            while let Ok((caller, _)) = listener.accept().await {
                callers.spawn(pass(caller, agent, like));
            }
        }));
        address
    }

    async fn pass(mut caller: TcpStream, agent: SocketAddr, like: &str) -> std::io::Result<()> {
        let mut upstream = TcpStream::connect(agent).await?;
        let (mut asks, mut answers) = ([0; 16 * 1024], [0; 16 * 1024]);
        loop {
            tokio::select! {
                asked = caller.read(&mut asks) => match asked? {
                    0 => return Ok(()),
                    count if String::from_utf8_lossy(&asks[..count]).contains(like) => {
                        return std::future::pending().await;
                    }
                    count => upstream.write_all(&asks[..count]).await?,
                },
                answered = upstream.read(&mut answers) => match answered? {
                    0 => return Ok(()),
                    count => caller.write_all(&answers[..count]).await?,
                },
            }
        }
    }
}

/// A pass that is on its way when the link falls silent, and comes when it is whole again, is none that anybody counts from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_counts_from_before_the_pass_and_not_from_its_answer() {
    let consul = Consul::start().await.unwrap();
    let proxy = Proxy::start(consul.endpoint()).await.unwrap();
    let client = dial(proxy.endpoint(), "election_ttl=4s&timeout=2s").await;
    let leadership = elector(&client).await.elect(candidate("one")).await.unwrap();
    let late = Duration::from_millis(700);
    proxy.set(Way::ToClient, Flow::Delay { base: late, jitter: Duration::ZERO });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let end = Instant::now() + Duration::from_secs(3);
    // Less the margin of a tenth, and what the answer took.
    let most = Duration::from_millis(3600) - late;
    while Instant::now() < end {
        let remaining = leadership.remaining();
        assert!(remaining <= most, "{remaining:?} are left, of {most:?} at most");
        assert!(leadership.is_held());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    leadership.resign().await.unwrap();
    client.close().await.unwrap();
}
