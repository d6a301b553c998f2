//! The laws on a real ZooKeeper, in the format of serversets.

#![expect(clippy::unwrap_used, reason = "a stage that breaks fails the trial")]

mod fixture;

use fixture::{Kind, ZooKeeperFixture};

struct Serverset;

/// A number for a name, far from those of the server.
fn number(id: &str) -> u32 {
    let sum = id.bytes().fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    sum % 1_000_000_000 + 1_000_000_000
}

fn mark(id: &str) -> String {
    format!(r#""reception-id":"{id}""#)
}

impl Kind for Serverset {
    const NAME: &'static str = "zookeeper layout=serverset";
    const LAYOUT: &'static str = "serverset";

    fn node(id: &str) -> String {
        format!("member_{:010}", number(id))
    }

    fn record(id: &str) -> Vec<u8> {
        let mark = mark(id);
        let main = r#"{"serviceEndpoint":{"host":"10.0.0.9","port":9000},"additionalEndpoints":{}"#;
        format!(r#"{main},"status":"ALIVE","metadata":{{{mark}}}}}"#).into_bytes()
    }

    fn is_of(_child: &str, data: &[u8], id: &str) -> bool {
        String::from_utf8_lossy(data).contains(&mark(id))
    }
}

reception_conformance::suite!(ZooKeeperFixture<Serverset>);
