//! A process that uses what is under test.
#![cfg(test)]

use std::{os::unix::process::ExitStatusExt as _, time::Duration};

use reception_lab::{Agent, Error};

const SOON: Duration = Duration::from_secs(10);
/// Says so when asked to end.
const POLITE: &str = "trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.01; done";

async fn ready(agent: &Agent) {
    let ready = reception_lab::eventually(SOON, || async { agent.logs().find("ready").ok_or(agent.logs()) });
    ready.await.unwrap();
}

#[tokio::test]
async fn an_agent_ends_by_itself_and_keeps_what_it_wrote() {
    let agent = Agent::start("/bin/sh", ["-c", "echo one; echo two >&2; exit 7"]).unwrap();
    assert_eq!(agent.wait_exit(SOON).await.unwrap().code(), Some(7));
    assert_eq!(agent.logs(), "one\ntwo\n");
}

#[tokio::test]
async fn a_terminated_agent_may_say_goodbye_also_when_it_is_stopped() {
    let agent = Agent::start("/bin/sh", ["-c", POLITE]).unwrap();
    ready(&agent).await;
    agent.pause().unwrap();
    assert_eq!(agent.terminate().await.unwrap().code(), Some(3));
    assert!(agent.logs().contains("asked"));
}

#[tokio::test]
async fn a_killed_agent_is_gone_at_once_and_its_id_stays_known() {
    let agent = Agent::start("/bin/sh", ["-c", POLITE]).unwrap();
    let pid = agent.pid();
    assert_eq!(agent.exited(), None);
    agent.kill();
    assert_eq!(agent.exited().and_then(|status| status.signal()), Some(9));
    assert_eq!(agent.pid(), pid);
    agent.pause().unwrap();
}

#[tokio::test]
async fn a_wait_for_an_agent_is_bounded() {
    let agent = Agent::start("/bin/sleep", ["60"]).unwrap();
    let error = agent.wait_exit(Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}
