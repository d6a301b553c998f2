//! Two candidates, one leader: elect, work as long as it lasts, resign, and a successor with a larger token.
//!
//! ```sh
//! cargo run --example elect
//! cargo run --example elect --features etcd -- etcd://127.0.0.1:2379
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use reception::{ClientExt, ElectionName, Fence, Service};

#[tokio::main]
async fn main() -> reception::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "memory://demo".to_owned());
    let election: ElectionName = "reaper".parse()?;

    // Two clients stand for two processes.
    let (ours, theirs) = (reception::dial(&url).await?, reception::dial(&url).await?);
    let our_elector = ours.elector(&election).await?;
    let their_elector = theirs.elector(&election).await?;

    let ours_first = our_elector.elect(Service::new("reaper", "10.0.0.7", 8080)?).await?;
    println!("first leader: token {}", ours_first.token());

    // `run` drops the work at the moment the leadership is lost, by the local clock if need be.
    let swept = ours_first.run(async { "one round of work" }).await?;
    println!("did {swept}, still held: {}", ours_first.is_held());

    // The lease alone cannot stop a write that is already on its way. What the leader writes to should ask for the token and
    // refuse an older one; `Fence` is that check.
    let mut fence = Fence::new(ours_first.token());
    fence.admit(ours_first.token())?;

    // The second candidate waits until the first one has resigned.
    let old_token = ours_first.token();
    let second = Service::new("reaper", "10.0.0.8", 8080)?;
    let (second, resigned) = tokio::join!(their_elector.elect(second), ours_first.resign());
    resigned?;
    let second = second?;
    println!("successor: token {}, larger: {}", second.token(), second.token() > old_token);

    fence.admit(second.token())?;
    println!("the fence refuses the old token: {}", fence.admit(old_token).is_err());

    // Anybody can ask who leads; observing needs no candidate.
    let leader = our_elector.leader().await?;
    println!("leader now: {:?}", leader.as_ref().and_then(|leader| leader.service()).map(Service::address));

    second.resign().await?;
    ours.close().await?;
    theirs.close().await
}
