//! What is warned of on Consul. Alone in its program: what is logged belongs to a thread, and which places log at all to the process.

use reception::{ClientExt as _, ErrorKind};
use reception_lab::{Consul, ConsulOptions};
use reception_tests::{Log, dial, instance};

const MASTER: &str = "9b6f4d5e-6f0c-4f56-8a0e-5d1f0c7a2b01";
const UNKNOWN: &str = "11111111-2222-3333-4444-555555555555";
/// All that is needed but the right to ask the agent for itself.
const NO_AGENT: &str = r#"{"Name":"no-agent","Rules":"service_prefix \"\" { policy = \"write\" } node_prefix \"\" { policy = \"read\" }"}"#;
const TOKEN: &str = r#"{"SecretID":"22222222-2222-3333-4444-555555555555","Policies":[{"Name":"no-agent"}]}"#;

/// A warning that something is left behind sends an operator to look for what is not there.
#[tokio::test]
async fn what_was_refused_before_anything_was_written_is_not_said_to_be_left() {
    let consul = Consul::start_with(ConsulOptions::default().token(MASTER)).await.expect("an agent");
    consul.api().put("/v1/acl/policy", NO_AGENT).await.expect("a policy");
    consul.api().put("/v1/acl/token", TOKEN).await.expect("a token");
    let log = Log::default();
    let writer = log.clone();
    let layer = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    // The tasks of the client run on this thread, too.
    let watching = tracing_subscriber::util::SubscriberInitExt::set_default(layer);
    for token in [UNKNOWN, "22222222-2222-3333-4444-555555555555"] {
        let client = dial(&format!("consul://{}/prod?token={token}", consul.endpoint())).await;
        let refused = client.register(instance("one")).await.expect_err("no right").kind();
        assert!(matches!(refused, ErrorKind::Denied | ErrorKind::Unauthenticated), "{refused}");
        let elector = client.elector(&"reaper".parse().expect("a name")).await.expect("an elector");
        let refused = elector.elect(instance("one")).await.expect_err("no right").kind();
        assert!(matches!(refused, ErrorKind::Denied | ErrorKind::Unauthenticated), "{refused}");
        client.close().await.expect("nothing is left");
    }
    drop(watching);
    let told = log.text();
    assert!(!told.contains("not withdrawn") && !told.contains("not removed"), "{told}");
    let services = consul.api().get("/v1/agent/services").await.expect("services").body;
    assert_eq!(services.trim(), "{}");
}
